/** What the runner of jobs makes of the end of a process. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { FinishedAttempt } from '../../src/worker/processes/job-runner.ts';
import { OomWatch } from '../../src/worker/processes/oom-watch.ts';
import { ProcessRunner } from '../../src/worker/processes/process-runner.ts';
import { ProcessTable } from '../../src/worker/processes/process-table.ts';
import { type Spawner, unknownEnd } from '../../src/worker/processes/spawner.ts';
import { assignment } from '../worker/fake-server.ts';

function folder(): string {
  const directory = mkdtempSync(join(tmpdir(), 'torc-runner-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** How a job ends that is started by this. */
function run(
  spawn: Spawner['spawn'],
  lastPid: () => number | null,
  clock: Clock,
  proc = '/proc',
  isQueued = false,
): Promise<FinishedAttempt> {
  const directory = folder();
  const table = new ProcessTable({ workerId: 'w', slurmJobId: null }, proc, lastPid);
  table.scan(clock.monotonic());
  return new Promise((ended, reject) => {
    const nothing = () => {};
    const unstarted = () => reject(new Error('unstarted'));
    const events = { started: nothing, placed: nothing, freed: nothing, unstarted, grown: nothing, ended };
    const queue: Spawner['queue'] = (request, listener) => {
      spawn(request, listener);
      return { start() {}, withdraw() {} };
    };
    const runner = new ProcessRunner(events, {
      ...{ clock, log: silentLog, spawner: { queue, spawn, close() {} }, table, capacityBytes: 2 ** 30 },
      units: { pageBytes: 4096, ticksPerSecond: 100 },
      oomWatch: new OomWatch(clock, () => null),
      launch: {
        ...{ workerId: 'w', workflowKey: '1', directory, outputDirectory: directory, dataDirectory: directory },
        ...{ pins: false, hasThreads: false, gpuIds: [], gpuMaker: 'nvidia', nodeNames: ['here'] },
        ...{ rawVariables: new Map(), fileVariables: () => ({}), steps: { problem: 'no' }, notAsStep: nothing },
      },
    });
    onTestFinished(() => runner.close());
    const job = assignment({ attempt: 1, job_key: '1', command: 'sleep 300' });
    if (isQueued) runner.queue(job);
    else runner.start(job);
  });
}

it('kills a process whose starter has ended, although nothing else has been started since', async () => {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const starts: Spawner['spawn'] = (_, listener) => {
    queueMicrotask(() => {
      listener.started(child.pid ?? 0, null);
      listener.exited(unknownEnd);
    });
  };
  const { end } = await run(starts, () => child.pid ?? 0, systemClock);
  expect(end).toMatchObject({ status: 'terminated', cause: 'worker_lost' });
  expect(await exited).toEqual([null, 'SIGKILL']);
});

/** A process, foreign at first, and where the test writes what /proc says of it. */
function foreignProcess(): { proc: string; pid: number; exited: Promise<unknown[]>; show(environ: string): void } {
  const proc = folder();
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const pid = child.pid ?? 0;
  const show = (environ: string) => writeFileSync(join(proc, `${pid}/environ`), environ);
  mkdirSync(join(proc, String(pid)));
  const zeros = (count: number) => '0 '.repeat(count);
  writeFileSync(join(proc, `${pid}/stat`), `${pid} (sleep) S 1 ${pid} ${pid} ${zeros(15)}1000 0 50\n`);
  show('A=b\0');
  void exited.then(() => rmSync(join(proc, String(pid)), { recursive: true, force: true }));
  return { proc, pid, exited, show };
}

it('kills a job that waited and began without a word, before what started it was killed', async () => {
  const { proc, pid, exited, show } = foreignProcess();
  const lost: Spawner['spawn'] = (_, listener) => {
    show('TORC_WORKER_ID=w\0TORC_ATTEMPT_KEY=1\0');
    queueMicrotask(() => listener.exited(unknownEnd));
  };
  const { end } = await run(lost, () => pid, systemClock, proc, true);
  expect(end).toMatchObject({ status: 'terminated', cause: 'worker_lost' });
  expect(await exited).toEqual([null, 'SIGKILL']);
});

it('gives back a job that waited and has not begun when what would have started it was killed', async () => {
  const { proc, pid } = foreignProcess();
  const lost: Spawner['spawn'] = (_, listener) => queueMicrotask(() => listener.exited(unknownEnd));
  await expect(run(lost, () => pid, systemClock, proc, true)).rejects.toThrow('unstarted');
});

it('waits for the end of a job until it knows of a process that runs another program just then whose it is', async () => {
  const { proc, pid, exited, show } = foreignProcess();
  show('');
  let numLooks = 0;
  const lastPid = (): number => {
    numLooks += 1;
    return pid;
  };
  const starts: Spawner['spawn'] = (_, listener) => {
    queueMicrotask(() => {
      listener.started(2 ** 22 + 1, null);
      listener.exited({ ...unknownEnd, exitCode: 0, isGroupGone: true });
    });
  };
  let hasEnded = false;
  const ended = run(starts, lastPid, { ...systemClock, monotonic: () => 1_000 }, proc).then((finished) => {
    hasEnded = true;
    return finished;
  });
  await expect.poll(() => numLooks, { timeout: 30_000 }).toBeGreaterThan(4);
  expect(hasEnded).toBe(false);
  show('TORC_WORKER_ID=w\0TORC_ATTEMPT_KEY=1\0');
  expect(await exited).toEqual([null, 'SIGKILL']);
  expect((await ended).end).toMatchObject({ status: 'done', returnCode: 0 });
});

it.each([
  ['where both are known', 3, 5, 3, 5],
  ['where nothing is known of the start', null, 5, 4, 5],
  ['where nothing is known', null, null, 7, 8],
  ['where an end is said to be before its start', 6, 5, 4, 5],
])('a job began and ended when its process did, not when that was told: %s', async (_, began, ended, ...expected) => {
  const zeroMs = Math.round(systemClock.monotonic());
  let nowMs = zeroMs;
  // told at 8
  const clock: Clock = { ...systemClock, monotonic: () => nowMs };
  const starts: Spawner['spawn'] = (_request, listener) => {
    const instant = (ms: number | null) => (ms === null ? null : zeroMs + ms);
    queueMicrotask(() => {
      nowMs = zeroMs + 8;
      listener.started(2 ** 22 + 1, instant(began));
      listener.exited({ ...unknownEnd, exitCode: 0, isGroupGone: true, ranMs: 1, atMs: instant(ended) });
    });
  };
  const { startedAtMs, endedAtMs } = await run(starts, () => 2 ** 22 + 1, clock);
  expect([Number(startedAtMs) - zeroMs, endedAtMs - zeroMs]).toEqual(expected);
});
