// A run on the Slurm cluster of docker/: a server on the controller, workers in allocations, faults of nodes and Slurm.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { allocations, clusterFaults, repair, runIn, signalOn, workNodes } from './cluster.mjs';
import { schedule } from './faults.mjs';
import { brokenRecords, complete, goThrough } from './local.mjs';
import { Person } from './person.mjs';
import { sleep } from './processes.mjs';
import { judge } from './verdict.mjs';
import { logOf, prepareJobs, readLog, specification } from './workflow.mjs';

const numAllocations = 4;
const jobsPerSecond = 8;
/** A lost node is noticed after half a minute, and a requeued allocation may wait for two. */
const stillSeconds = 300;
const leaseSeconds = 5;

export async function runOnCluster({ place, seconds, aboutJobs, random, seed, names, say, onEnd }) {
  const path = join('/shared', basename(place));
  const directory = join(path, 'server');
  prepareJobs(place);
  chmodSync(place, 0o777);
  chmodSync(join(place, 'locks'), 0o777);
  chmodSync(logOf(place), 0o666);
  mkdirSync(join(place, 'specs'));
  chmodSync(join(place, 'specs'), 0o755);
  const torc = (args) => runIn(['env', '-C', path, `TORC_DIR=${directory}`, 'torc', ...args]);
  onEnd(() => endOnCluster(path, directory));
  const spec = specification(path, random, aboutJobs ?? Math.max(200, seconds * jobsPerSecond));
  writeFileSync(join(place, 'specs', 'chaos.json'), JSON.stringify(spec));
  const must = async (...args) => {
    const { code, stdout, stderr } = await torc(['-F', 'json', ...args]);
    if (code !== 0) throw new Error(`torc ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const { workflow_key: key, num_jobs: numJobs } = await must('workflows', 'create', join(path, 'specs', 'chaos.json'));
  await must('workflows', 'start', key);
  await must('-k', key, 'hpc', 'slurm', 'add-config', '-a', 'torc', '-w', '30', '-m', '900', '-e', slurmOptions);
  const server = superviseServer(torc);
  const person = new Person(
    {
      torc: (args) => torc(['-F', 'json', ...args]),
      ask: async (args) => {
        const { code, stdout } = await torc(['-F', 'json', ...args]);
        return code === 0 ? JSON.parse(stdout) : null;
      },
      tend: (workflowKey) => keepAllocations(path, torc, workflowKey),
    },
    key,
  );
  await person.tend();
  const world = { path, directory, hurt: new Set() };
  const drawn = schedule(random, world, seconds, clusterFaults, names);
  say(`${numJobs} jobs, ${drawn.length} faults, ${path}`);
  const done = await goThrough(drawn, seconds, person, say);
  say('the faults are over');
  await repair();
  await complete(person, say, stillSeconds);
  const jobs = (await person.jobs()) ?? [];
  const results = (await person.results()) ?? [];
  await server.close();
  await endOnCluster(path, directory);
  // by the allocation that it ran in
  const workers = { get: (id) => ({ wasKilled: world.hurt.has(id), wasStopped: true }) };
  const verdict = judge({ lines: readLog(place), results, jobs, person, workers, killedJobs: new Set() });
  const broken = [
    ...(await brokenRecords(join(place, 'server'))),
    ...person.unexpected,
    ...(jobs.length === numJobs ? [] : [`${jobs.length} jobs are listed of ${numJobs}`]),
  ];
  return {
    summary: { seed, seconds, done: { ...done, person_restart: person.numRestarts }, jobs: numJobs },
    verdict: { ...verdict, broken },
  };
}

const slurmOptions = '--requeue --cpus-per-task=3';

/** A server is started again within a second or two. */
function superviseServer(torc) {
  let isClosed = false;
  const supervising = (async () => {
    while (!isClosed) {
      await torc(['server', 'start', '--daemon', '--lease-seconds', String(leaseSeconds)]);
      await sleep(1_000);
    }
  })();
  return {
    async close() {
      isClosed = true;
      await supervising;
      await torc(['server', 'stop']);
    },
  };
}

async function keepAllocations(path, torc, workflowKey) {
  const missing = numAllocations - (await allocations(path)).length;
  if (missing > 0) await torc(['-k', workflowKey, 'hpc', 'slurm', 'schedule-nodes', '-n', String(missing)]);
}

/** Ends allocations, servers, workers and jobs of this run, and nobody else's. */
async function endOnCluster(path, directory) {
  await repair();
  const ids = (await allocations(path)).map(({ id }) => id);
  if (ids.length > 0) await runIn(['scancel', ...ids]);
  for (const node of ['ctl', ...workNodes]) await signalOn(node, directory, '', 'KILL');
}
