// A run on this machine: one server, several workers, faults from the seed, then the comparison.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Disk } from './disk.mjs';
import { faults, schedule } from './faults.mjs';
import { Network } from './network.mjs';
import { Person } from './person.mjs';
import { endAll, runTorc, sleep } from './processes.mjs';
import { Server } from './server.mjs';
import { judge } from './verdict.mjs';
import { Workers } from './workers.mjs';
import { prepareJobs, readLog, specification } from './workflow.mjs';

const numWorkers = 3;
const slots = 3;
/** Jobs for each second of faults: more than finish in it. */
const jobsPerSecond = 35;
/** Maximum number of restarts that the person types after the faults. */
const mostRestarts = 25;

/** Creates the directories of a run, all below `place`. */
export function prepare(place, onEnd) {
  const directory = join(place, 'server');
  for (const name of [directory, join(place, 'logs'), join(place, 'out')]) mkdirSync(name, { mode: 0o700 });
  const disk = new Disk(directory);
  onEnd(async () => {
    await endAll(place);
    // the small disk disappears with the run
    if (disk.isMounted) cpSync(directory, join(place, 'server-kept'), { recursive: true });
    disk.unmount();
  });
  prepareJobs(place);
  return { directory, disk };
}

/** Creates and starts the workflow; returns its key. */
export async function createWorkflow(place, directory, spec) {
  const path = join(place, 'chaos.json');
  writeFileSync(path, JSON.stringify(spec));
  const made = await runTorc(place, ['--dir', directory, '-F', 'json', 'workflows', 'create', path]);
  if (made.code !== 0) throw new Error(made.stderr);
  const { workflow_key: key, num_jobs: numJobs } = JSON.parse(made.stdout);
  const started = await runTorc(place, ['--dir', directory, 'workflows', 'start', key]);
  if (started.code !== 0) throw new Error(started.stderr);
  return { key, numJobs };
}

export async function runLocally({ place, seconds, aboutJobs, random, seed, names, say, onEnd }) {
  const { directory, disk } = prepare(place, onEnd);
  const spec = specification(place, random, aboutJobs ?? Math.max(200, seconds * jobsPerSecond));
  spec.stdio = random.pick(['files', 'combined', 'on-failure', 'none']);
  const { key, numJobs } = await createWorkflow(place, directory, spec);
  const server = new Server(place, directory);
  const network = new Network(place, directory, numWorkers);
  const workers = new Workers(place, network, { workflowKey: key, numWorkers, slots });
  const person = Person.at(place, directory, key);
  const world = { place, disk, server, network, workers, numWorkers, killedJobs: new Set() };
  const drawn = schedule(random, world, seconds, faults, names);
  say(`${numJobs} jobs, ${drawn.length} faults, stdio ${spec.stdio}, ${place}`);
  const done = await goThrough(drawn, seconds, person, say);
  say('faults ended');
  for (let index = 0; index < numWorkers; index++) network.view(index).repair();
  await complete(person, say);
  const jobs = (await person.jobs()) ?? [];
  const results = (await person.results()) ?? [];
  await workers.close();
  network.close();
  await server.close();
  await endAll(place);
  const verdict = judge({
    lines: readLog(place),
    results,
    jobs,
    person,
    workers: workers.all,
    killedJobs: world.killedJobs,
  });
  const broken = [
    ...(await brokenRecords(directory)),
    ...workers.unexpected,
    ...server.unexpected,
    ...person.unexpected,
    ...(jobs.length === numJobs ? [] : [`${jobs.length} of ${numJobs} jobs are listed`]),
  ];
  return {
    summary: {
      seed,
      seconds,
      done: { ...done, person_restart: person.numRestarts },
      jobs: numJobs,
      workers: workers.all.size,
    },
    verdict: { ...verdict, broken },
  };
}

/** Runs the drawn faults at their times while a person looks and restarts. Returns counts. */
export async function goThrough(drawn, seconds, person, say) {
  const beginMs = performance.now();
  const done = {};
  const underWay = [];
  let isOver = false;
  const typing = (async () => {
    while (!isOver) {
      await sleep(4_000);
      if (!isOver) await person.lookAtResults();
      if (!isOver) await person.restart();
    }
  })();
  const tending = (async () => {
    while (!isOver) {
      await sleep(2_000);
      if (!isOver) await person.tend();
    }
  })();
  for (const { atMs, name, run } of drawn) {
    await sleep(Math.max(0, beginMs + atMs - performance.now()));
    say(`${((performance.now() - beginMs) / 1000).toFixed(1)} s ${name}`);
    const count = (what) => {
      const counted = what === null ? `${name}_skipped` : name;
      done[counted] = (done[counted] ?? 0) + 1;
    };
    underWay.push(run().then(count, (error) => person.unexpected.push(`${name} failed: ${error.message}`)));
  }
  await sleep(Math.max(0, beginMs + seconds * 1000 - performance.now()));
  isOver = true;
  await Promise.all([...underWay, typing, tending]);
  return done;
}

/** Types what a person types until every job is done; gives up after too many restarts or if no job ends for a long time. */
export async function complete(person, say, stillSeconds = 60) {
  let [numDone, stillSinceMs] = [-1, performance.now()];
  const until = person.numRestarts + mostRestarts;
  while (person.numRestarts < until && performance.now() - stillSinceMs < stillSeconds * 1000) {
    await person.lookAtResults();
    const workflow = await person.workflow();
    if (workflow !== null && workflow.num_done > numDone) {
      say(`${workflow.num_done} of ${workflow.num_jobs} done, ${workflow.num_failed} failed, ${workflow.status}`);
      [numDone, stillSinceMs] = [workflow.num_done, performance.now()];
    }
    if (workflow?.status === 'done' && workflow.num_failed === 0) return;
    if (workflow?.status === 'failed') await person.resetFailed();
    else await person.restart();
    await person.tend();
    await sleep(1_000);
  }
}

/** Broken invariants of the database, which nobody may have open. */
export async function brokenRecords(directory) {
  const { runnerImport } = await import('vite');
  const load = async (path) => (await runnerImport(new URL(path, import.meta.url).pathname)).module;
  const { brokenInvariants } = await load('../test/support/invariants.ts');
  const { Database } = await load('../src/storage/database/database.ts');
  const db = Database.open(join(directory, 'torc.db'));
  try {
    const integrity = db.all('PRAGMA integrity_check').map((row) => row.integrity_check);
    return [...integrity.filter((word) => word !== 'ok'), ...brokenInvariants(db)];
  } finally {
    db.close();
  }
}
