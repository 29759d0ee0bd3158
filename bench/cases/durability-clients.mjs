// The other side of the durability case: simulated workers that remember what the server has acknowledged.
import { openClient } from '../../dist/api/client.js';
import { runSimulatedWorker } from '../support.mjs';

const [directory, key, numBefore] = process.argv.slice(2);
const api = openClient(directory);
const acknowledged = [];
let isTold = false;
const onReply = ({ reports }) => {
  for (const { attempt, answer } of reports) if (answer === 'accepted') acknowledged.push(attempt);
  if (isTold || acknowledged.length < Number(numBefore)) return;
  isTold = true;
  process.send('go on: kill the server');
};
// each ends with the connection
await Promise.allSettled(
  Array.from({ length: 16 }, (_, index) => runSimulatedWorker(api, key, { index, slots: 16, onReply })),
);
process.send(acknowledged, () => process.exit(0));
