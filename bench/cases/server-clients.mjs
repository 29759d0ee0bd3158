// The other side of the server case: many simulated workers in one process.
import { openClient } from '../../dist/api/client.js';
import { runSimulatedWorker } from '../support.mjs';

const [directory, key, numWorkers, slots] = process.argv.slice(2);
const api = openClient(directory);
const all = await Promise.all(
  Array.from({ length: Number(numWorkers) }, (_, index) =>
    runSimulatedWorker(api, key, { index, slots: Number(slots) }),
  ),
);
process.send(
  all.flat().sort((a, b) => a - b),
  () => process.exit(0),
);
