// People who look at a workflow: each follows its events, and asks at each message for what a page shows. Sends 'ready'
// when all follow, and at the end how many messages came.
import { once } from 'node:events';
import { followEvents } from '../dist/api/event-client.js';
import { openLeanClient } from './simulated.mjs';

const { directory, file, key, numViewers, asks } = JSON.parse(process.argv[2]);
process.once('disconnect', () => process.exit(1));
const rowsOf = (list, filters) => ({
  ...{ list, workflow_key: key, filters, sort_by: null, reverse: true, limit: 50, skip: 0 },
});
const page = [
  ['workflow_status', { workflow_key: key }],
  ['list', rowsOf('jobs', [])],
  ['list', rowsOf('events', [])],
];

let numMessages = 0;
const ending = new AbortController();
const opened = [];
const ends = Array.from({ length: numViewers }, () => {
  let open;
  opened.push(new Promise((resolve) => (open = resolve)));
  return view(open);
});
await Promise.all(opened);
process.send('ready');
await once(process, 'message');
ending.abort();
await Promise.all(ends);
process.send({ numMessages }, () => process.exit(0));

async function view(open) {
  const client = await openLeanClient(file);
  const asked = { workflow_keys: [key], after: null, records: false, filters: [] };
  for await (const { event } of followEvents(directory, asked, ending.signal)) {
    if (event === 'open') open();
    else numMessages += 1;
    if (asks) for (const [endpoint, request] of page) await client.call(endpoint, request);
  }
  client.close();
}
