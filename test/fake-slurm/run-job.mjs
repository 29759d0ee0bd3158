/**
 * Runs one job's script in the background, as slurmd would: `node run-job.mjs ID`. SIGTERM to this process cancels the
 * job, SIGHUP requeues it. A job that ends is signalled first and killed after the kill wait.
 */
import { spawn } from 'node:child_process';
import { chmodSync, openSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { killJob } from './processes.mjs';
import { changeJob, directory, locked, readJob, settings, writeJob } from './state.mjs';

const id = process.argv[2];
const { cpusPerNode, killWaitSeconds } = settings();

function outputPath(job) {
  const replaced = job.output.replace(/%(.)/g, (all, letter) => ({ '%': '%', x: job.name, j: job.id })[letter] ?? all);
  return isAbsolute(replaced) ? replaced : join(job.workingDirectory, replaced);
}

function jobEnvironment(job) {
  const gpus = /(?:^|,)gpu(?::[^:,]+)?:(\d+)/.exec(job.directives.gres ?? '')?.[1];
  const devices = gpus === undefined ? null : Array.from({ length: Number(gpus) }, (_, index) => index).join(',');
  const memory = /^(\d+)([KMGT]?)$/.exec(job.directives.mem ?? '');
  const mebibytes = { K: 1 / 1024, '': 1, M: 1, G: 1024, T: 1024 * 1024 }[memory?.[2] ?? ''];
  return {
    ...job.environment,
    SLURM_JOB_ID: job.id,
    SLURM_JOBID: job.id,
    SLURM_JOB_NAME: job.name,
    SLURM_CLUSTER_NAME: 'fake',
    SLURM_SUBMIT_DIR: job.workingDirectory,
    SLURM_JOB_NUM_NODES: String(job.numNodes),
    SLURM_NNODES: String(job.numNodes),
    SLURM_JOB_NODELIST: job.numNodes === 1 ? 'fake1' : `fake[1-${job.numNodes}]`,
    SLURM_JOB_CPUS_PER_NODE: job.numNodes === 1 ? String(cpusPerNode) : `${cpusPerNode}(x${job.numNodes})`,
    SLURM_CPUS_ON_NODE: String(cpusPerNode),
    SLURM_NODEID: '0',
    SLURM_PROCID: '0',
    SLURMD_NODENAME: 'fake1',
    ...(memory === null ? {} : { SLURM_MEM_PER_NODE: String(Math.floor(Number(memory[1]) * mebibytes)) }),
    ...(devices === null ? {} : { CUDA_VISIBLE_DEVICES: devices, SLURM_JOB_GPUS: devices, SLURM_GPUS_ON_NODE: gpus }),
    ...(job.restarts === 0 ? {} : { SLURM_RESTART_COUNT: String(job.restarts) }),
  };
}

function openOutput(job) {
  try {
    return openSync(outputPath(job), job.directives['open-mode'] === 'append' ? 'a' : 'w');
  } catch {
    return null;
  }
}

function launchFailure() {
  const now = Date.now();
  changeJob(id, { state: 'FAILED', exit: '0:53', reason: 'JobLaunchFailure', startMs: now, endMs: now });
  process.exit(0);
}

/** What was decided about the job before its script ended by itself. */
let imposed = null;
let child = null;

function signal(name, pid) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function end(state) {
  if (imposed !== null) return;
  imposed = state;
  if (child === null) return;
  changeJob(id, { state: 'COMPLETING', endMs: Date.now() });
  signal('SIGCONT', child.pid);
  signal('SIGTERM', child.pid);
  setTimeout(() => killJob(directory, id), killWaitSeconds * 1000);
}

function requeue(job, endMs) {
  const earlier = { ...job, state: 'REQUEUED', endMs, earlier: undefined };
  changeJob(id, {
    state: 'PENDING',
    reason: 'BeginTime',
    restarts: job.restarts + 1,
    startMs: null,
    endMs: null,
    earlier: [...(job.earlier ?? []), earlier],
    runnerPid: null,
    scriptPid: null,
  });
  spawn(process.execPath, process.argv.slice(1), { detached: true, stdio: 'ignore' }).unref();
}

function watchTime(job) {
  if (job.timeLimitSeconds === null) return;
  const limitMs = Math.min(job.timeLimitSeconds * 1000, 2 ** 31 - 1);
  setTimeout(() => end('TIMEOUT'), limitMs).unref();
  const [, toScript, name, seconds] = /^(B:)?(?:SIG)?([A-Z0-9]+)@(\d+)$/.exec(job.directives.signal ?? '') ?? [];
  if (name === undefined) return;
  const warn = () => signal(`SIG${name}`, toScript === undefined ? -child.pid : child.pid);
  setTimeout(warn, Math.max(0, limitMs - Number(seconds) * 1000)).unref();
}

process.on('SIGTERM', () => end(`CANCELLED by ${process.getuid()}`));
process.on('SIGHUP', () => end('REQUEUE'));

const job = locked(() => {
  const found = readJob(id);
  if (found.state !== 'PENDING') process.exitCode = 1;
  else writeJob({ ...found, state: 'CONFIGURING', runnerPid: process.pid });
  return found;
});
if (process.exitCode === 1) process.exit();

const script = join(directory, `script-${id}`);
writeFileSync(script, job.script);
chmodSync(script, 0o700);
const output = openOutput(job);
if (output === null) launchFailure();

child = spawn(script, [], {
  cwd: job.workingDirectory,
  env: jobEnvironment(job),
  stdio: ['ignore', output, output],
  detached: true,
});
child.on('error', launchFailure);
changeJob(id, { state: 'RUNNING', reason: 'None', startMs: Date.now(), scriptPid: child.pid });
if (imposed !== null) killJob(directory, id);
watchTime(job);

child.on('exit', (code, signalName) => {
  killJob(directory, id);
  const signalNumber = { SIGKILL: 9, SIGTERM: 15, SIGUSR2: 12 }[signalName] ?? (signalName === null ? 0 : 1);
  const exit = imposed === null ? `${code ?? 0}:${signalNumber}` : '0:0';
  const endMs = Date.now();
  if (imposed === 'REQUEUE') requeue(readJob(id), endMs);
  else changeJob(id, { state: imposed ?? (exit === '0:0' ? 'COMPLETED' : 'FAILED'), exit, endMs, runnerPid: null });
  process.exit(0);
});
