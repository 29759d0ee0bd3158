// The processes of one run: all have its directory in their environment, which is how they are found and ended.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const mainJs = join(dirname(fileURLToPath(import.meta.url)), '..', 'dist', 'cli', 'main.js');
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function environment(place, extra) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('TORC_') && !name.startsWith('SLURM_'));
  return { ...Object.fromEntries(own), CHAOS_PLACE: place, ...extra };
}

let isInterrupted = false;

/** From now on nothing starts any more: callers wait forever. */
export function startNothingMore() {
  isInterrupted = true;
}

const forEver = () => new Promise(() => {});

/** Starts `torc ARGS` with its output in a log of the run; in its own process group, so that ^C reaches only this program. */
export function startTorc(place, name, args, { env = {}, nodeOptions = [] } = {}) {
  if (isInterrupted) return { child: { pid: 0 }, ended: forEver(), name };
  const log = openSync(join(place, 'logs', `${name}.log`), 'a');
  const child = spawn(process.execPath, [...nodeOptions, mainJs, ...args], {
    cwd: place,
    env: environment(place, env),
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  return { child, ended, name };
}

/** Runs `torc ARGS` to its end, with a time limit; `error` is the last line of its stderr. */
export async function runTorc(place, args, { timeoutMs = 120_000, env = {} } = {}) {
  if (isInterrupted) return forEver();
  const child = spawn(process.execPath, [mainJs, ...args], {
    cwd: place,
    env: environment(place, env),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output.stderr += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [code, signal] = await new Promise((resolve) => child.once('close', (...ending) => resolve(ending)));
  clearTimeout(timer);
  return { code, signal, ...output };
}

/** The JSON that `torc ARGS` prints; null if it fails. */
export async function askTorc(place, args, options) {
  const { code, stdout } = await runTorc(place, ['-F', 'json', ...args], options);
  return code === 0 || code === 1 ? JSON.parse(stdout) : null;
}

function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** Processes of the run with their environment, except this one. */
export function processesOf(place) {
  const mark = `\0CHAOS_PLACE=${place}\0`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => ({ pid: Number(pid), environ: `\0${readProc(pid, 'environ')}` }))
    .filter(({ environ }) => environ.includes(mark));
}

/** Leaders of running jobs: a child has the command line of its shell too until it is the program that it was forked for. */
export function runningJobs(place) {
  return processesOf(place)
    .filter(({ environ }) => environ.includes('\0TORC_ATTEMPT_ID='))
    .filter(({ pid }) => readProc(pid, 'cmdline').includes('job.sh') && groupOf(pid) === pid)
    .map(({ pid, environ }) => ({ pid, jobKey: /\0TORC_JOB_KEY=(\d+)/.exec(environ)?.[1] ?? '' }));
}

/** The process group, the third field behind the name of the program; NaN when the process is gone. */
function groupOf(pid) {
  const stat = readProc(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

/** Sends a signal to a process or, with a negative number, to a group; false if it is gone. */
export function signal(pid, name) {
  // 0 would mean this process and its whole group
  if (pid === 0) return false;
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Ends whatever is left of the run. */
export async function endAll(place) {
  for (let left = processesOf(place); left.length > 0; left = processesOf(place)) {
    for (const { pid } of left) signal(pid, 'SIGKILL');
    await sleep(50);
  }
}
