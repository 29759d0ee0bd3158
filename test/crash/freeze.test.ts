/** A real worker that stands still (SIGSTOP) while others decide about its jobs. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readServerFile } from '../../src/api/server-file.ts';
import { workerPaths } from '../../src/base/paths.ts';
import { isProcessAlive, readStat } from '../../src/base/proc.ts';
import { fenceMs } from '../../src/model/decide/worker-fate.ts';
import { killLeftovers, pidsNaming, type Running, startTorc, torc, torcJson } from '../support/torc.ts';

/** A place of its own, without anything. */
async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  const path = mkdtempSync(join(tmpdir(), 'torc freeze '));
  const place = new Place(path);
  try {
    await use(place);
  } finally {
    killLeftovers(path);
    await Promise.all(place.running.map(({ ended }) => ended));
    rmSync(path, { recursive: true, force: true });
  }
}

class Place {
  readonly path: string;
  readonly dir: string;
  readonly running: Running[] = [];

  constructor(path: string) {
    this.path = path;
    this.dir = join(path, 'server');
  }

  start(...args: string[]): Running {
    const process = startTorc(['--dir', this.dir, ...args], { cwd: this.path });
    this.running.push(process);
    return process;
  }

  call(...args: string[]) {
    return torc(['--dir', this.dir, ...args], { cwd: this.path });
  }

  async succeed(...args: string[]): Promise<void> {
    const { code, stderr } = await this.call(...args);
    expect(code, stderr).toBe(0);
  }

  async statusOf(job: string): Promise<string | undefined> {
    const args = ['--dir', this.dir, 'jobs', 'list', '-k', '1'];
    const { jobs } = await torcJson<{ jobs: { job_key: string; status: string }[] }>(args);
    return jobs.find(({ job_key }) => job_key === job)?.status;
  }

  /** `jobs run` looks after the worker, which is a process of its own. */
  workerOf({ child }: Running): number {
    const pid = pidsNaming(this.path).find((one) => readStat('/proc', one)?.parent === child.pid);
    if (pid === undefined) throw new Error('there is no worker');
    return pid;
  }

  /** The worker is stopped while the server has a request of it, so that a job is given in a reply that it has not read. */
  async giveToStopped(worker: number, job: string): Promise<void> {
    for (;;) {
      process.kill(worker, 'SIGSTOP');
      await this.call('jobs', 'release', job);
      for (let look = 0; look < 5; look += 1) if ((await this.statusOf(job)) !== 'ready') return;
      // stopped between two requests: it goes on without the job
      await this.call('jobs', 'hold', job);
      if ((await this.statusOf(job)) !== 'blocked') return;
      process.kill(worker, 'SIGCONT');
      await sleep(500);
    }
  }
}

describe('a worker that stood still for so long that it may have been given up', () => {
  it.each([
    ['does not start what it was given, if it was', true],
    ['starts what it was given, if it was not', false],
  ])('%s', (_what, isGivenUp) =>
    withPlace(async (place) => {
      const server = place.start('server', 'start');
      await expect.poll(() => readServerFile(place.dir) !== null).toBe(true);
      const named = join(place.path, 'worker');
      const went = join(place.path, 'went');
      const long = `echo $TORC_WORKER_ID > '${named}'; until [ -e '${went}' ]; do sleep 0.1; done`;
      writeFileSync(join(place.path, 'commands.txt'), `${long}\ntouch '${went}'\n`);
      await place.succeed('workflows', 'create-from-commands-file', 'commands.txt');
      await place.succeed('jobs', 'hold', '2');
      await place.succeed('workflows', 'start', '1');
      const run = place.start('jobs', 'run', '1', '--cpus', '2', '-o', join(place.path, 'out'));
      await expect.poll(() => existsSync(named) && readFileSync(named, 'utf8').endsWith('\n')).toBe(true);
      const worker = place.workerOf(run);
      await place.giveToStopped(worker, '2');
      if (isGivenUp) {
        const { directory, stopPath } = workerPaths(place.dir, readFileSync(named, 'utf8').trim());
        mkdirSync(directory, { recursive: true, mode: 0o700 });
        writeFileSync(stopPath, '', { mode: 0o600 });
      }
      // it would tell the worker, in answer to a new request, that all is well
      server.child.kill('SIGSTOP');
      await sleep(fenceMs);
      process.kill(worker, 'SIGCONT');
      const isOver = () => (isGivenUp ? !isProcessAlive(worker, null) : existsSync(went));
      await expect.poll(isOver).toBe(true);
      server.child.kill('SIGCONT');
      await run.ended;
      await expect.poll(() => place.statusOf('2')).toBe(isGivenUp ? 'ready' : 'done');
      expect(existsSync(went)).toBe(!isGivenUp);
    }),
  );
});
