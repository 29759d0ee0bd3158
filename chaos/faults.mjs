// The faults of a run on this machine. Each fault draws its details in advance and undoes itself; it returns what it did, or
// null if it found no target.
import { runningJobs, signal, sleep } from './processes.mjs';

/** Mostly short, sometimes longer than a lease and than the time after which a worker checks whether it was given up. */
const someMs = (random) => (random.chance(0.08) ? random.between(6_000, 12_000) : random.between(50, 1_500));

/** Name -> [weight, draw]; `draw(random, world)` returns the function that runs at the fault's time. */
export const faults = {
  server_kill: [3, (random, { server }) => serverEnds(server, 'SIGKILL', someMs(random), random.chance(0.5))],
  server_term: [1, (random, { server }) => serverEnds(server, 'SIGTERM', someMs(random), random.chance(0.5))],
  server_freeze: [2, drawServerFreeze],
  server_rival: [2, drawRival],
  worker_kill: [3, (random, { numWorkers, workers }) => drawWorkerEnd(random, numWorkers, workers, 'SIGKILL')],
  worker_term: [1, (random, { numWorkers, workers }) => drawWorkerEnd(random, numWorkers, workers, 'SIGTERM')],
  worker_freeze: [2, drawWorkerFreeze],
  job_kill: [3, drawJobKill],
  net_refuse: [2, (random, world) => drawCut(random, world, 'refuse')],
  net_silence: [2, (random, world) => drawCut(random, world, 'silence')],
  net_reset: [3, drawReset],
  net_delay: [2, drawDelay],
  disk_full: [2, drawDiskFull],
  disk_readonly: [1, drawReadOnly],
};

function serverEnds(server, name, downMs, samePort) {
  return async () => {
    server.hold();
    server.signalAll(name);
    await sleep(downMs);
    server.release({ samePort });
  };
}

function drawServerFreeze(random, { server }) {
  const ms = someMs(random);
  return async () => {
    server.signalAll('SIGSTOP');
    await sleep(ms);
    server.signalAll('SIGCONT');
  };
}

/** A second server next to the first, or two at once after a kill. */
function drawRival(random, { server }) {
  const killFirst = random.chance(0.5);
  return async () => {
    if (killFirst) server.signalAll('SIGKILL');
    server.startRival();
    if (killFirst) server.startRival();
  };
}

function drawWorkerEnd(random, numWorkers, workers, name) {
  const index = random.between(0, numWorkers - 1);
  return async () => workers.signal(index, name);
}

function drawWorkerFreeze(random, { numWorkers, workers }) {
  const [index, ms] = [random.between(0, numWorkers - 1), someMs(random)];
  return async () => {
    workers.signal(index, 'SIGSTOP');
    await sleep(ms);
    workers.signal(index, 'SIGCONT');
  };
}

/** Only the first process of a job, or all of them. */
function drawJobKill(random, { place, killedJobs }) {
  const [share, isWhole] = [random.fraction(), random.chance(0.5)];
  return async () => {
    const jobs = runningJobs(place);
    const job = jobs[Math.floor(share * jobs.length)];
    if (job === undefined) return null;
    killedJobs.add(job.jobKey);
    return signal(isWhole ? -job.pid : job.pid, 'SIGKILL') ? undefined : null;
  };
}

function drawCut(random, { network, numWorkers }, how) {
  const [index, isAll, ms] = [random.between(0, numWorkers - 1), random.chance(0.3), someMs(random)];
  const endsBroken = random.chance(0.5);
  return async () => {
    const views = viewsOf(network, numWorkers, isAll ? null : index);
    for (const view of views) view[how]();
    await sleep(ms);
    for (const view of views) {
      if (endsBroken) view.reset();
      view.repair();
    }
  };
}

function drawReset(random, { network, numWorkers }) {
  const [index, times] = [random.between(0, numWorkers - 1), random.between(1, 8)];
  const pauses = Array.from({ length: times }, () => random.between(5, 150));
  return async () => {
    for (const ms of pauses) {
      network.view(index).reset();
      await sleep(ms);
    }
  };
}

function drawDelay(random, { network, numWorkers }) {
  const [index, isAll, ms, delayMs] = [
    random.between(0, numWorkers - 1),
    random.chance(0.3),
    someMs(random),
    random.between(20, 1_500),
  ];
  return async () => {
    const views = viewsOf(network, numWorkers, isAll ? null : index);
    for (const view of views) view.delayMs = delayMs;
    await sleep(ms);
    for (const view of views) view.delayMs = 0;
  };
}

function viewsOf(network, numWorkers, index) {
  const all = Array.from({ length: numWorkers }, (_, each) => network.view(each));
  return index === null ? all : [all[index]];
}

function drawDiskFull(random, { disk }) {
  const ms = someMs(random);
  return async () => {
    if (!disk.isMounted || !disk.fill()) return null;
    await sleep(ms);
    disk.free();
  };
}

/** Possible only while nobody writes: the server is dead and cannot start until the disk is writable again. */
function drawReadOnly(random, { disk, server }) {
  const ms = random.between(500, 2_000);
  return async () => {
    if (!disk.isMounted) return null;
    server.hold();
    server.signalAll('SIGKILL');
    await sleep(200);
    const isDone = disk.makeReadOnly();
    server.release({ samePort: false });
    if (!isDone) return null;
    await sleep(ms);
    disk.makeWritable();
  };
}

/**
 * Faults ordered by time: `[{ atMs, name, run }]`, all drawn from the seed; only those in `only` if given, and this many
 * milliseconds apart.
 */
export function schedule(random, world, seconds, table, only = Object.keys(table), apartMs = [200, 2_800]) {
  const names = only.flatMap((name) => Array.from({ length: table[name][0] }, () => name));
  const drawn = [];
  for (let atMs = 1_500; atMs < seconds * 1000; atMs += random.between(...apartMs)) {
    const name = random.pick(names);
    drawn.push({ atMs, name, run: table[name][1](random, world) });
  }
  return drawn;
}
