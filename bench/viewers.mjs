// People who look at a workflow, each at the dashboard's page of it: they wait for changes and ask for what the page shows.
// Sends 'ready' when all have seen it once, and at the end how many requests they made.
import { once } from 'node:events';
import { openLeanClient } from './simulated.mjs';
import { viewed } from './viewed.mjs';

const { file, key, numViewers } = JSON.parse(process.argv[2]);
process.once('disconnect', () => process.exit(1));
const longPollSeconds = 25;

let numRequests = 0;
const views = [];
for (let index = 0; index < numViewers; index++) views.push(await openView());
process.send('ready');
await once(process, 'message');
for (const view of views) view.end();
process.send({ numRequests }, () => process.exit(0));

async function openView() {
  const [waiting, asking] = [await openLeanClient(file), await openLeanClient(file)];
  const [[everyMs, endpoint, request], ...others] = Object.values(viewed(key))[0];
  const due = others.map(() => 0);
  let hasEnded = false;
  const askOthers = async () => {
    for (const [at, [otherMs, ...asked]] of others.entries()) {
      if (hasEnded || performance.now() < due[at]) continue;
      due[at] = performance.now() + otherMs;
      await asking.call(...asked);
      numRequests += 1;
    }
  };
  let [state, last] = [null, Promise.resolve()];
  const look = async () => {
    ({ state } = await waiting.call(endpoint, {
      ...request,
      state,
      wait_seconds: state === null ? 0 : longPollSeconds,
    }));
    numRequests += 1;
    last = last.then(askOthers);
  };
  await look();
  await last;
  void (async () => {
    while (!hasEnded) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      if (!hasEnded) await look();
    }
  })().catch(() => {});
  return {
    end() {
      hasEnded = true;
      waiting.close();
      asking.close();
    },
  };
}
