// Kills the server for a minute in the middle of 1,000 one-second jobs, and compares with the same run without an outage.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { brokenRecords, createWorkflow, prepare } from './local.mjs';
import { Person } from './person.mjs';
import { endAll, sleep } from './processes.mjs';
import { Server } from './server.mjs';
import { judge } from './verdict.mjs';
import { Workers } from './workers.mjs';
import { commandOf, readLog } from './workflow.mjs';

const numJobs = 1_000;
const numWorkers = 2;
const slots = 16;

export async function runOutage({ place, seconds, seed, say, onEnd }) {
  const calm = await runOnce(join(place, 'calm'), 0, { say, onEnd });
  const outage = await runOnce(join(place, 'outage'), seconds, { say, onEnd });
  const names = ['lost', 'duplicated', 'stuck', 'broken'];
  return {
    summary: {
      seed,
      seconds,
      jobs: numJobs,
      calm_seconds: round(calm.tookSeconds),
      outage_seconds: round(outage.awaySeconds),
      with_outage_seconds: round(outage.tookSeconds),
      delay_beyond_outage_seconds: round(outage.tookSeconds - calm.tookSeconds - outage.awaySeconds),
      first_start_after_return_seconds: round(outage.resumedSeconds),
    },
    verdict: {
      ...Object.fromEntries(names.map((name) => [name, [...calm.verdict[name], ...outage.verdict[name]]])),
      numAttempts: calm.verdict.numAttempts + outage.verdict.numAttempts,
    },
  };
}

const round = (seconds) => Math.round(seconds * 100) / 100;

/** From the first job's start to the last job's end; the server is down from the 300th start on. */
async function runOnce(place, seconds, { say, onEnd }) {
  mkdirSync(place, { mode: 0o700 });
  const { directory } = prepare(place, onEnd);
  const jobs = [{ name: 'second_{i}', parameters: { i: `1:${numJobs}` }, command: commandOf(place, 1, 0) }];
  const { key } = await createWorkflow(place, directory, { name: 'outage', jobs });
  const server = new Server(place, directory);
  const workers = new Workers(place, { view: () => ({ directory }) }, { workflowKey: key, numWorkers, slots });
  const person = Person.at(place, directory, key);
  const starts = () => readLog(place).filter(({ kind }) => kind === 'S');
  while (starts().length < 300) await sleep(200);
  const killedAt = Date.now() / 1000;
  let returnedAt = killedAt;
  if (seconds > 0) {
    say(`the server is killed for ${seconds} s`);
    server.hold();
    server.signalAll('SIGKILL');
    await sleep(seconds * 1000);
    server.release({ samePort: false });
    returnedAt = Date.now() / 1000;
    say('the server is started again');
  }
  await waitForEnd(person);
  const listed = await person.jobs();
  const results = await person.results();
  await workers.close();
  await server.close();
  await endAll(place);
  const lines = readLog(place);
  const verdict = judge({ lines, results, jobs: listed, person, workers: workers.all, killedJobs: new Set() });
  const broken = [
    ...(await brokenRecords(directory)),
    ...workers.unexpected,
    ...server.unexpected,
    ...person.unexpected,
  ];
  const times = lines.map((line) => line.seconds);
  const after = lines.filter((line) => line.kind === 'S' && line.seconds > returnedAt).map((line) => line.seconds);
  say(`${lines.length} lines of ${numJobs} jobs`);
  return {
    tookSeconds: Math.max(...times) - Math.min(...times),
    awaySeconds: returnedAt - killedAt,
    resumedSeconds: Math.min(...after) - returnedAt,
    verdict: { ...verdict, broken },
  };
}

async function waitForEnd(person) {
  const giveUpAt = performance.now() + 300_000;
  while ((await person.workflow())?.status !== 'done' && performance.now() < giveUpAt) await sleep(1_000);
}
