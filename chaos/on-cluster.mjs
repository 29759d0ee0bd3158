// A run on the Slurm cluster of docker/: a server on the controller, workers in allocations, faults of nodes and Slurm.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { allocations, clusterFaults, repair, runIn, signalOn, workNodes } from './cluster.mjs';
import { schedule } from './faults.mjs';
import { brokenRecords, complete, goThrough } from './local.mjs';
import { Person } from './person.mjs';
import { sleep } from './processes.mjs';
import { judge } from './verdict.mjs';
import { prepareJobs, readLog, specification } from './workflow.mjs';

/** Each runs two jobs; two fit on a node. */
const numAllocations = 6;
/** Jobs for each second of faults and their longest time: more than finish in it. */
const [jobsPerSecond, longestSeconds] = [5, 4];
/** Slurm notices a lost node after half a minute, and a requeued allocation may wait for two minutes. */
const stillSeconds = 300;
const leaseSeconds = 5;
/** Slurm needs a few seconds to start an allocation: with less time between faults hardly any job would run. */
const apartMs = [500, 8_000];

export async function runOnCluster({ place, seconds, aboutJobs, random, seed, names, say, onEnd }) {
  const path = join('/shared', basename(place));
  const directory = join(path, 'server');
  prepareJobs(place);
  chmodSync(place, 0o755);
  mkdirSync(join(place, 'specs'));
  chmodSync(join(place, 'specs'), 0o755);
  const world = { path, directory, hurt: new Set(), isControllerAway: false, numControllerKills: 0, isOver: false };
  const torc = (args) => torcOnController(world, args);
  onEnd(() => endOnCluster(world));
  const numJobsAbout = aboutJobs ?? Math.max(200, seconds * jobsPerSecond);
  const spec = specification(path, random, numJobsAbout, { longestSeconds });
  writeFileSync(join(place, 'specs', 'chaos.json'), JSON.stringify(spec));
  // the user of the cluster owns all of it; a server directory below one that others may write to is refused
  await runIn(['chown', '-R', 'hpc:', path], { user: 'root' });
  const must = async (...args) => {
    const { code, stdout, stderr } = await torc(['-F', 'json', ...args]);
    if (code !== 0) throw new Error(`torc ${args.join(' ')}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const { workflow_key: key, num_jobs: numJobs } = await must('workflows', 'create', join(path, 'specs', 'chaos.json'));
  await must('workflows', 'start', key);
  await must('-k', key, 'hpc', 'slurm', 'add-config', '-a', 'torc', '-w', '30', '-m', '600', '-e', slurmOptions);
  const server = superviseServer(place, world, torc);
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
  const drawn = schedule(random, world, seconds, clusterFaults, names, apartMs);
  say(`${numJobs} jobs, ${drawn.length} faults, ${path}`);
  const done = await goThrough(drawn, seconds, person, say);
  say('faults ended');
  await repair();
  await complete(person, say, stillSeconds);
  const jobs = (await person.jobs()) ?? [];
  const results = (await person.results()) ?? [];
  await server.close();
  await endOnCluster(world);
  // who looks at the records here is refused in a directory of another user
  await runIn(['chown', '-R', `${process.getuid()}:${process.getgid()}`, path], { user: 'root' });
  // keyed by the start of the allocation
  const workers = { get: (id) => ({ wasKilled: world.hurt.has(id), wasStopped: false }) };
  const verdict = judge({ lines: readLog(place), results, jobs, person, workers, killedJobs: new Set() });
  const broken = [
    ...(await brokenRecords(join(place, 'server'))),
    ...server.unexpected(),
    ...person.unexpected,
    ...(jobs.length === numJobs ? [] : [`${jobs.length} of ${numJobs} jobs are listed`]),
  ];
  return {
    summary: { seed, seconds, done: { ...done, person_restart: person.numRestarts }, jobs: numJobs },
    verdict: { ...verdict, broken },
  };
}

const slurmOptions = '--requeue --cpus-per-task=2';

/** A command of the person, who works on the controller: if the controller crashes, the failure of the command does not count. */
async function torcOnController(world, args) {
  const numKills = world.numControllerKills;
  const wasAway = world.isControllerAway;
  const ended = await runIn(['env', '-C', world.path, `TORC_DIR=${world.directory}`, 'torc', ...args]);
  return wasAway || world.numControllerKills > numKills ? { ...ended, code: exitUnreachable } : ended;
}

const exitUnreachable = 5;

/** Exit codes of a server that was killed, stopped, or refused because another one is still running. */
const usualEnds = new Set(['137', '0', '4', '5']);

/** A loop on the controller restarts the server within a second or two, and a loop here restarts that loop after a crash. */
function superviseServer(place, world, torc) {
  const { path, directory } = world;
  const [script, ends] = ['supervise.sh', 'server-ends.log'];
  const start = `torc -c error server start --lease-seconds ${leaseSeconds}`;
  const note = `echo "$(date -u +%FT%TZ) $code" >> '${join(path, ends)}'`;
  writeFileSync(join(place, script), `while :; do\n  code=0; ${start} || code=$?\n  ${note}\n  sleep 1\ndone\n`);
  writeFileSync(join(place, ends), '');
  chmodSync(join(place, ends), 0o666);
  const supervising = (async () => {
    while (!world.isOver) {
      await runIn(['env', `TORC_DIR=${directory}`, 'bash', join(path, script)]);
      await sleep(500);
    }
  })();
  return {
    async close() {
      world.isOver = true;
      await signalOn('ctl', directory, script, 'KILL');
      await torc(['server', 'stop']);
      await signalOn('ctl', directory, 'server start', 'KILL');
      await supervising;
    },
    unexpected() {
      const lines = readFileSync(join(place, ends), 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      return lines.filter((line) => !usualEnds.has(line.split(' ')[1])).map((line) => `server ended: ${line}`);
    },
  };
}

/** What a person does for the allocations, and an administrator for the nodes. */
async function keepAllocations(path, torc, workflowKey) {
  const ours = await allocations(path);
  if (ours === null) return;
  const drained = await runIn(['sinfo', '-h', '-t', 'drain', '-o', '%N']);
  if (drained.stdout.trim() !== '') {
    await runIn(['scontrol', 'update', `NodeName=${drained.stdout.trim()}`, 'State=RESUME'], { user: 'root' });
  }
  // a requeued allocation starts only after two minutes, or is held if it cannot start at once
  for (const { id } of ours.filter(({ state }) => state === 'PENDING')) {
    await runIn(['scontrol', 'release', id], { user: 'root' });
    await runIn(['scontrol', 'update', `JobId=${id}`, 'StartTime=now'], { user: 'root' });
  }
  const missing = numAllocations - ours.length;
  if (missing > 0) await torc(['-k', workflowKey, 'hpc', 'slurm', 'schedule-nodes', '-n', String(missing)]);
}

/** Ends allocations, servers, workers and jobs of this run only. */
async function endOnCluster(world) {
  world.isOver = true;
  const { path, directory } = world;
  await repair();
  const ids = ((await allocations(path)) ?? []).map(({ id }) => id);
  if (ids.length > 0) await runIn(['scancel', ...ids]);
  for (const node of ['ctl', ...workNodes]) await signalOn(node, directory, '', 'KILL');
}
