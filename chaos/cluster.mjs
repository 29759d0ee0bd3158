// The Slurm cluster of docker/: commands in its containers, and the faults of nodes, daemons and allocations.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from './processes.mjs';

const clusterCommand = join(dirname(fileURLToPath(import.meta.url)), '..', 'docker', 'cluster');
const network = 'torc-cluster';
export const workNodes = ['c1', 'c2', 'c3', 'c4'];

let known = null;

/** The output of `docker/cluster info`, read once: later a container may be down. */
function cluster() {
  known ??= JSON.parse(spawnSync(clusterCommand, ['info'], { encoding: 'utf8' }).stdout || '{}');
  if (known.up !== true) throw new Error('the Slurm cluster is not up: docker/cluster up');
  return known;
}

/** The path on this machine of /shared in the containers. */
export function sharedDirectory() {
  return cluster().shared;
}

/** Runs `docker WORDS`; returns its output and how it ended. */
function docker(...words) {
  return new Promise((resolve, reject) => {
    const { docker_host: host } = cluster();
    const env = host === null ? process.env : { ...process.env, DOCKER_HOST: host };
    // its own process group, so that ^C reaches only this program
    const child = spawn('docker', words, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Runs a command in a container. */
export function runIn(words, { node = 'ctl', user = 'hpc' } = {}) {
  const options = ['-u', user, '-w', '/shared', '-e', `USER=${user}`, '-e', `LOGNAME=${user}`];
  return docker('exec', ...options, cluster().containers[node], ...words);
}

/** Starts or resumes everything that was stopped. */
export async function repair() {
  await signalSlurm('CONT');
  spawnSync(clusterCommand, ['up'], { stdio: 'ignore' });
}

const signalSlurm = (name) => runIn(['pkill', `-${name}`, '-x', 'slurmctld|slurmdbd'], { user: 'root' });

/** Our allocations in Slurm: `[{ id, start, state, node }]`, `start` as in `CHAOS_WORKER`; null if Slurm does not answer. */
export async function allocations(path) {
  const columns = 'JobID:20,RestartCnt:10,State:20,WorkDir:200,NodeList:20';
  const { code, stdout } = await runIn(['squeue', '-h', '--me', '-O', columns]);
  if (code !== 0) return null;
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/));
  return rows
    .filter(([, , , where]) => where === path)
    .map(([id, restarts, state, , node]) => ({ id, start: `${id}.${restarts}`, state, node }));
}

// /proc/PID/environ names the allocation, even after Slurm has ended it while its processes still run.
const signalScript = `
for environ in $(grep -lzsFx -- "TORC_DIR=$1" /proc/[0-9]*/environ); do
  process=\${environ%/environ}
  case "$(tr '\\0' ' ' 2>/dev/null < "$process/cmdline")" in *"$2"*) ;; *) continue ;; esac
  SLURM_JOB_ID= SLURM_RESTART_COUNT=0
  eval "$(tr '\\0' '\\n' 2>/dev/null < "$environ" | grep -E '^SLURM_(JOB_ID|RESTART_COUNT)=[0-9]+$')"
  kill "-$3" "\${process#/proc/}" 2>/dev/null && echo "$SLURM_JOB_ID.$SLURM_RESTART_COUNT"
done
true`;

/**
 * Sends a signal to our processes on a node whose command line contains a word. Returns for each of them the start of the
 * allocation that it belongs to.
 */
export async function signalOn(node, directory, word, name) {
  const { stdout } = await runIn(['bash', '-c', signalScript, 'bash', directory, word, name], { node });
  return stdout.split('\n').filter((line) => line !== '');
}

const worker = 'slurm run-jobs';
const server = 'server start';
const someMs = (random) => (random.chance(0.15) ? random.between(8_000, 20_000) : random.between(200, 4_000));

/** As for one machine: name -> [weight, draw]. `hurt` collects the starts of allocations whose worker had a fault. */
export const clusterFaults = {
  server_kill: [3, drawServerKill],
  server_freeze: [2, drawServerFreeze],
  worker_kill: [3, drawWorkerKill],
  worker_freeze: [2, drawWorkerFreeze],
  node_kill: [1, drawNodeKill],
  node_cut: [2, drawNodeCut],
  controller_kill: [1, drawControllerKill],
  slurm_stop: [2, drawSlurmStop],
  requeue: [3, (random, world) => drawAllocation(random, world, ['scontrol', 'requeue'])],
  scancel_kill: [2, (random, world) => drawAllocation(random, world, ['scancel', '--signal=KILL', '--full'])],
  scancel: [1, (random, world) => drawAllocation(random, world, ['scancel'])],
};

function drawServerKill(_random, { directory }) {
  return async () => ((await signalOn('ctl', directory, server, 'KILL')).length > 0 ? undefined : null);
}

function drawServerFreeze(random, { directory }) {
  const ms = someMs(random);
  return async () => {
    const struck = await signalOn('ctl', directory, server, 'STOP');
    await sleep(ms);
    await signalOn('ctl', directory, server, 'CONT');
    return struck.length > 0 ? undefined : null;
  };
}

/** Signals the workers of the first node, from the drawn one on, that has any; returns `{ node, starts }`, or null. */
async function signalWorkers(first, { directory }, name) {
  for (const turn of workNodes.keys()) {
    const node = workNodes[(first + turn) % workNodes.length];
    const starts = await signalOn(node, directory, worker, name);
    if (starts.length > 0) return { node, starts };
  }
  return null;
}

function drawWorkerKill(random, world) {
  const first = random.between(0, workNodes.length - 1);
  return async () => {
    const struck = await signalWorkers(first, world, 'KILL');
    for (const start of struck?.starts ?? []) world.hurt.add(start);
    return struck === null ? null : undefined;
  };
}

function drawWorkerFreeze(random, world) {
  const [first, ms] = [random.between(0, workNodes.length - 1), someMs(random)];
  return async () => {
    const struck = await signalWorkers(first, world, 'STOP');
    if (struck === null) return null;
    await sleep(ms);
    await signalOn(struck.node, world.directory, worker, 'CONT');
  };
}

/** Records that the workers of a node had a fault. */
async function noteHurt(node, { directory, hurt }) {
  for (const start of await signalOn(node, directory, worker, '0')) hurt.add(start);
}

function drawNodeKill(random, world) {
  const [node, ms] = [random.pick(workNodes), random.between(1_000, 40_000)];
  return async () => {
    await noteHurt(node, world);
    const container = cluster().containers[node];
    if ((await docker('kill', container)).code !== 0) return null;
    await sleep(ms);
    await docker('start', container);
  };
}

/** Cuts a node off from everything but the file system. After a while Slurm gives the node up, and later ends its processes. */
function drawNodeCut(random, world) {
  const isLong = random.chance(0.25);
  const [node, ms] = [random.pick(workNodes), isLong ? random.between(25_000, 50_000) : random.between(500, 12_000)];
  return async () => {
    const container = cluster().containers[node];
    const field = `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`;
    const address = (await docker('inspect', '-f', field, container)).stdout.trim();
    if (!/^[\d.]+$/.test(address)) return null;
    if (isLong) await noteHurt(node, world);
    if ((await docker('network', 'disconnect', network, container)).code !== 0) return null;
    await sleep(ms);
    await docker('network', 'connect', '--ip', address, '--alias', node, network, container);
  };
}

/** The host of the server and of Slurm's daemons crashes and boots. */
function drawControllerKill(random, world) {
  const ms = random.between(500, 15_000);
  return async () => {
    const container = cluster().containers.ctl;
    if (world.isControllerAway) return null;
    world.isControllerAway = true;
    world.numControllerKills += 1;
    const { code } = await docker('kill', container);
    await sleep(ms);
    await docker('start', container);
    world.isControllerAway = false;
    return code === 0 ? undefined : null;
  };
}

function drawSlurmStop(random) {
  const ms = random.between(2_000, 15_000);
  return async () => {
    const { code } = await signalSlurm('STOP');
    await sleep(ms);
    await signalSlurm('CONT');
    return code === 0 ? undefined : null;
  };
}

function drawAllocation(random, { path, hurt }, words) {
  const share = random.fraction();
  return async () => {
    const running = ((await allocations(path)) ?? []).filter(({ state }) => state === 'RUNNING');
    const chosen = running[Math.floor(share * running.length)];
    if (chosen === undefined) return null;
    hurt.add(chosen.start);
    return (await runIn([...words, chosen.id])).code === 0 ? undefined : null;
  };
}
