// The Slurm cluster of docker/: commands in its containers, and what goes wrong with nodes, daemons and allocations.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep } from './processes.mjs';

const clusterCommand = join(dirname(fileURLToPath(import.meta.url)), '..', 'docker', 'cluster');
export const workNodes = ['c1', 'c2', 'c3', 'c4'];

function clusterInfo() {
  const info = JSON.parse(spawnSync(clusterCommand, ['info'], { encoding: 'utf8' }).stdout || '{}');
  if (info.up !== true) throw new Error('the Slurm cluster is not up: docker/cluster up');
  return info;
}

/** As this machine sees what is /shared in the containers. */
export function sharedDirectory() {
  return clusterInfo().shared;
}

/** Runs a command in a container; what it printed, and how it ended. */
export function runIn(words, { node = 'ctl', user = 'hpc' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(clusterCommand, ['exec', '-u', user, '--node', node, '--', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
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

function docker(action, node) {
  const { docker_host: host, containers } = clusterInfo();
  const env = host === null ? process.env : { ...process.env, DOCKER_HOST: host };
  spawnSync('docker', [action, containers[node]], { env });
}

/** Whatever was stopped is there again. */
export async function repair() {
  await signalSlurm('CONT');
  spawnSync(clusterCommand, ['up']);
}

const signalSlurm = (name) => runIn(['pkill', `-${name}`, '-x', 'slurmctld|slurmdbd'], { user: 'root' });

/** Our allocations that Slurm has: `[{ id, state, node }]`. */
export async function allocations(path) {
  const { stdout } = await runIn(['squeue', '-h', '--me', '-o', '%A|%T|%N|%Z']);
  const rows = stdout.split('\n').map((line) => line.split('|'));
  return rows.filter(([, , , where]) => where === path).map(([id, state, node]) => ({ id, state, node }));
}

/** Sends a signal to our processes on a node whose command line has a word in it. */
export function signalOn(node, directory, word, name) {
  const script =
    'grep -lzsFx -- "TORC_DIR=$1" /proc/[0-9]*/environ | cut -d/ -f3 | while read -r pid; do ' +
    'tr "\\0" " " < "/proc/$pid/cmdline" | grep -qF -- "$2" && kill "-$3" "$pid"; done; true';
  return runIn(['bash', '-c', script, 'bash', directory, word, name], { node });
}

const someMs = (random) => (random.chance(0.15) ? random.between(8_000, 20_000) : random.between(200, 4_000));

/** As those on one machine: name -> [weight, draw]. `hurt` takes the ids of allocations whose worker is not left alone. */
export const clusterFaults = {
  server_kill: [3, (random, world) => drawServer(random, world, 'KILL')],
  server_freeze: [2, (random, world) => drawServer(random, world, 'STOP')],
  worker_kill: [3, drawWorkerKill],
  worker_freeze: [2, drawWorkerFreeze],
  node_kill: [1, drawNodeKill],
  slurm_stop: [2, drawSlurmStop],
  requeue: [3, (random, world) => drawAllocation(random, world, requeue)],
  scancel_kill: [
    2,
    (random, world) => drawAllocation(random, world, (id) => runIn(['scancel', '--signal=KILL', '--full', id])),
  ],
  scancel: [1, (random, world) => drawAllocation(random, world, (id) => runIn(['scancel', id]))],
};

function drawServer(random, { directory }, name) {
  const ms = someMs(random);
  return async () => {
    await signalOn('ctl', directory, 'server start', name);
    if (name !== 'STOP') return;
    await sleep(ms);
    await signalOn('ctl', directory, 'server start', 'CONT');
  };
}

async function hurtOn(node, { path, hurt }) {
  const ours = await allocations(path);
  const there = ours.filter((allocation) => allocation.node === node);
  for (const { id } of there) hurt.add(id);
  return there.length > 0;
}

function drawWorkerKill(random, world) {
  const node = random.pick(workNodes);
  return async () => {
    if (!(await hurtOn(node, world))) return null;
    await signalOn(node, world.directory, 'run-jobs', 'KILL');
  };
}

function drawWorkerFreeze(random, { directory }) {
  const [node, ms] = [random.pick(workNodes), someMs(random)];
  return async () => {
    await signalOn(node, directory, 'run-jobs', 'STOP');
    await sleep(ms);
    await signalOn(node, directory, 'run-jobs', 'CONT');
  };
}

function drawNodeKill(random, world) {
  const [node, ms] = [random.pick(workNodes), random.between(1_000, 40_000)];
  return async () => {
    await hurtOn(node, world);
    docker('kill', node);
    await sleep(ms);
    docker('start', node);
  };
}

function drawSlurmStop(random) {
  const ms = random.between(2_000, 15_000);
  return async () => {
    await signalSlurm('STOP');
    await sleep(ms);
    await signalSlurm('CONT');
  };
}

function drawAllocation(random, { path, hurt }, act) {
  const share = random.fraction();
  return async () => {
    const running = (await allocations(path)).filter(({ state }) => state === 'RUNNING');
    const chosen = running[Math.floor(share * running.length)];
    if (chosen === undefined) return null;
    hurt.add(chosen.id);
    await act(chosen.id);
  };
}

/** Slurm would begin it again only after two minutes. */
async function requeue(id) {
  await runIn(['scontrol', 'requeue', id]);
  for (let turn = 0; turn < 30; turn++) {
    const { code } = await runIn(['scontrol', 'update', `JobId=${id}`, 'StartTime=now'], { user: 'root' });
    if (code === 0) return;
    await sleep(1_000);
  }
}
