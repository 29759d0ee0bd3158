/** A directory for one test, with a server directory in it, and the program running there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { type Ended, killLeftovers, type Running, startTorc, torc } from '../support/torc.ts';

export interface Place {
  path: string;
  /** The server directory; its name needs quoting. */
  dir: string;
  /** Runs `torc --dir DIR ARGS` in the directory to its end. */
  torc(...args: string[]): Promise<Ended>;
  /** The same with more in the environment. */
  torcWith(env: Record<string, string>, ...args: string[]): Promise<Ended>;
  /** `torc` with `-F json`; it must succeed, unless another exit code is given. */
  json<T>(args: string[], exitCode?: number): Promise<T>;
  /** Starts it without waiting; it is killed at the end of the test. */
  start(...args: string[]): Running;
  /** Writes a file and returns its path. */
  file(name: string, text: string): string;
  /** Stores a workflow of these commands and returns its key. */
  create(...commands: string[]): Promise<string>;
  remove(): Promise<void>;
}

/** Makes a place with a fake Slurm on its PATH before each test of a file, and removes both after it. */
export function eachTestWithSlurm(
  options: ConstructorParameters<typeof FakeSlurm>[0],
  made: (both: { place: Place; slurm: FakeSlurm }) => void,
): void {
  let remove = async (): Promise<void> => {};
  beforeEach(() => {
    const slurm = new FakeSlurm(options);
    const place = newPlace(slurm.env);
    remove = async () => {
      await place.remove();
      slurm.remove();
    };
    made({ place, slurm });
  });
  afterEach(() => remove());
}

export function newPlace(env: Record<string, string> = {}, parent = tmpdir()): Place {
  const path = mkdtempSync(join(parent, "torc's cli "));
  const dir = join(path, 'server dir');
  const options = { cwd: path, env };
  const running: Running[] = [];
  const place: Place = {
    path,
    dir,
    torc: (...args) => torc(['--dir', dir, ...args], options),
    torcWith: (more, ...args) => torc(['--dir', dir, ...args], { cwd: path, env: { ...env, ...more } }),
    async json<T>(args: string[], exitCode = 0) {
      const ended = await place.torc('-F', 'json', ...args);
      if (ended.code !== exitCode) throw new Error(`torc ${args.join(' ')} ended with ${ended.code}: ${ended.stderr}`);
      return JSON.parse(ended.stdout) as T;
    },
    start(...args) {
      const started = startTorc(['--dir', dir, ...args], options);
      running.push(started);
      return started;
    },
    file(name, text) {
      const file = join(path, name);
      writeFileSync(file, text);
      return file;
    },
    async create(...commands) {
      const file = place.file('commands.txt', `${commands.join('\n')}\n`);
      const made = await place.json<{ workflow_key: string }>(['workflows', 'create', file]);
      return made.workflow_key;
    },
    async remove() {
      for (const { child } of running) child.kill('SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
      await place.torc('server', 'stop');
      killLeftovers(path);
      rmSync(path, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return place;
}

/** Four jobs: b and c depend on a, d depends on both. */
export function diamond(commands: { a?: string; b?: string; c?: string; d?: string } = {}): string {
  const job = (name: 'a' | 'b' | 'c' | 'd', depends_on: string[]) => ({
    name,
    command: commands[name] ?? 'true',
    depends_on,
  });
  const jobs = [job('a', []), job('b', ['a']), job('c', ['a']), job('d', ['b', 'c'])];
  return JSON.stringify({ name: 'diamond', jobs });
}
