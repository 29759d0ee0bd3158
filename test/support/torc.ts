/** The built program as a subprocess. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const mainJs = join(root, 'dist', 'cli', 'main.js');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  child: ChildProcess;
  /** What it has written to stdout so far. */
  stdout(): string;
  ended: Promise<Ended>;
}

let nodeOptions: string | null = null;

/** From now on the program, and every Node program that it starts, loads a module before anything else. */
export function preload(url: string): void {
  nodeOptions = `--import=${url}`;
}

/** Starts `torc ARGS` without the caller's torc settings and configuration file. */
export function startTorc(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Running {
  const { TORC_DIR: _dir, TORC_OUTPUT_DIR: _out, TORC_WORKFLOW_KEY: _key, ...env } = process.env;
  const child = spawn(process.execPath, [mainJs, ...args], {
    cwd: options.cwd,
    env: {
      ...env,
      XDG_CONFIG_HOME: '/nowhere',
      ...(nodeOptions === null ? {} : { NODE_OPTIONS: nodeOptions }),
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((fulfil) => {
    child.on('close', (code, signal) => fulfil({ code, signal, stdout, stderr }));
  });
  return { child, stdout: () => stdout, ended };
}

/** Runs `torc ARGS` to its end. */
export function torc(args: string[], options?: { cwd?: string; env?: Record<string, string> }): Promise<Ended> {
  return startTorc(args, options).ended;
}

/** Runs `torc -F json ARGS`, which must succeed, and returns its value. */
export async function torcJson<T>(args: string[], options?: { cwd?: string }): Promise<T> {
  const ended = await torc(['-F', 'json', ...args], options);
  if (ended.code !== 0) throw new Error(`torc ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

/** Kills what still runs with a test's directory in its command line: workers outlive a killed parent. */
export function killLeftovers(directory: string): void {
  for (const pid of pidsNaming(directory)) killIfThere(pid);
}

/** Processes that have `directory` in their command lines. */
export function pidsNaming(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** SIGKILL, unless it has ended already. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
