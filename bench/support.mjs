// Fresh directories, whole processes with their time and memory, and servers for measurements.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openClient } from '../dist/api/client.js';
import { readServerFile } from '../dist/api/server-file.js';
import { serverNodeOptions, workerNodeOptions } from '../dist/base/program.js';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const torc = join(root, 'dist', 'cli', 'main.js');

/** Reports progress on stderr. */
export function progress(text) {
  process.stderr.write(`  ${text}\n`);
}

/**
 * Calls `work` with a fresh directory. All are removed together at the end: ext4 creates files several times more slowly
 * just after many were deleted, which would distort the next measurement.
 */
export async function inDirectory(work) {
  const directory = mkdtempSync(join(tmpdir(), 'torc-bench-'));
  directories.push(directory);
  return await work(directory);
}

const directories = [];
const children = new Set();
// one listener for all of them, of which there are hundreds
process.once('exit', () => {
  for (const child of children) child.kill('SIGTERM');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** Several runs of `measure`, one after the other. */
export async function repeat(runs, measure) {
  const samples = [];
  for (let run = 0; run < runs; run++) samples.push(await measure(run));
  return samples;
}

/** Seconds that `work` takes. */
export async function secondsOf(work) {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** Calls `look` repeatedly until it returns something other than null, undefined or false. */
export async function until(what, look, seconds = 60) {
  const giveUpAt = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (performance.now() > giveUpAt) throw new Error(`timed out after ${seconds} s, waiting until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// ---------------------------------------------------------------- processes

/** A child process that ends with this one. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/**
 * Runs a command to its end: seconds, its output, and the peak resident memory in MB of it and of its children.
 * Throws unless it ends with 0.
 */
export async function time(command, args, { input = '', ...options } = {}) {
  const begin = performance.now();
  const child = start(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  const printed = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      printed[name] += text;
    });
  }
  // a command may end before it has read its input
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const peaks = { own: 0, children: 0 };
  const watch = setInterval(() => {
    peaks.own = Math.max(peaks.own, residentPeakMb(child.pid));
    peaks.children = Math.max(peaks.children, ...childrenOf(child.pid).map(residentPeakMb));
  }, 50);
  const exited = once(child, 'exit').then(() => performance.now() - begin);
  // the close event below reports a command that cannot be started
  exited.catch(() => {});
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0) {
      throw new Error(`${[command, ...args].join(' ')} ended with ${code ?? signal}: ${printed.stderr.slice(-2000)}`);
    }
  } finally {
    clearInterval(watch);
  }
  return { seconds: (await exited) / 1000, output: printed.stdout, peakMb: peaks.own, childPeakMb: peaks.children };
}

/** The same for a torc command with JSON output. */
export async function timeTorc(directory, words, options = {}) {
  const run = await time(process.execPath, [torc, '--dir', directory, '-F', 'json', ...words], options);
  return { ...run, reply: JSON.parse(run.output) };
}

/** Runs a program of this folder in its own process and calls `work` with its messages in order. */
export async function withChild(name, argument, work) {
  const child = fork(join(root, 'bench', name), [JSON.stringify(argument)]);
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`${name} ended with ${code ?? signal}`);
  });
  ended.catch(() => {});
  const message = async () => (await Promise.race([once(child, 'message'), ended]))[0];
  try {
    return await work({ message, send: (value) => void child.send(value) });
  } finally {
    child.kill();
  }
}

/** The peak resident memory of a process in MB; 0 if there is no such process. */
export function residentPeakMb(pid) {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readOr(`/proc/${pid}/status`, ''))?.[1] ?? 0) / 1024;
}

export function childrenOf(pid) {
  return readOr(`/proc/${pid}/task/${pid}/children`, '').split(' ').filter(Boolean).map(Number);
}

/** Processor time of this process's children that have ended, in seconds, in steps of 10 ms. */
export function endedCpuSeconds() {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** Processor time that a process has used, in seconds, in steps of 10 ms. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

// ---------------------------------------------------------------- servers

/** Opens the service with a fresh database in this process. */
export async function openFresh(directory) {
  const { openService } = await import('../dist/server/open.js');
  const { systemClock } = await import('../dist/base/clock.js');
  return await openService(directory, systemClock, 'torc bench');
}

/**
 * Starts `torc server start` for the directory, with the options of a server in the background; resolves when it answers.
 * `nodeOptions`: what node is started with besides.
 */
export async function startServer(directory, { nodeOptions = [], ...options } = {}) {
  const words = ['--dir', directory, 'server', 'start', '--host', '127.0.0.1'];
  const child = start(process.execPath, [...serverNodeOptions, ...nodeOptions, torc, ...words], {
    stdio: 'ignore',
    ...options,
  });
  const file = await until('the server is published', () => {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const published = readServerFile(directory);
    return published?.pid === child.pid && published;
  });
  const api = openClient(directory);
  return {
    pid: child.pid,
    file,
    api,
    async stop(signal = 'SIGTERM') {
      await api.close();
      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
    },
  };
}

/** Starts a server, calls `work` with it and stops it. */
export async function withServer(directory, work, options = {}) {
  const server = await startServer(directory, options);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Starts a worker as `torc run` does, for a running server; `words` are options of `torc jobs run`. */
export function startWorker(directory, workflowKey, words) {
  const worker = ['--dir', directory, 'jobs', 'run', workflowKey, '--worker', '-o', join(directory, 'out'), ...words];
  return start(process.execPath, [...workerNodeOptions, torc, ...worker]);
}
