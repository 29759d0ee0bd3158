/** Which files jobs write to, and when they are reused, whatever happens to the file system. */
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { JobStdioPaths } from '../../src/base/paths.ts';
import type { StdioMode } from '../../src/model/expanded.ts';
import type { EndedOutput, LogStore } from '../../src/worker/files/log-store.ts';
import { LoggedRunner } from '../../src/worker/files/logged-runner.ts';
import type { FinishedAttempt, JobRunner, RunnerEvents } from '../../src/worker/processes/job-runner.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { assignment } from '../worker/fake-server.ts';

const never = new Promise<never>(() => {});

async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

function world(mode: StdioMode, given: Partial<LogStore> = {}) {
  const clock = new FakeClock();
  const paths = new Map<number, JobStdioPaths | null>();
  const ends: FinishedAttempt[] = [];
  const slots: (number | null | undefined)[] = [];
  const tidied: string[] = [];
  /** Ends that the server has not acknowledged yet. */
  const unanswered = new Set<number>();
  let inner: RunnerEvents | null = null;
  const runner: JobRunner = {
    start: (job, _, output) => paths.set(job.attempt, output ?? null),
    stop() {},
    takeSamples: () => [],
    close() {},
  };
  const store: LogStore = {
    collect: async () => ({ kind: 'combined', offset: 5, length: 7 }),
    remove: async () => {},
    tidy: async (files) => void tidied.push(...files.map(({ stdoutPath }) => stdoutPath)),
    ...given,
  };
  const events: RunnerEvents = {
    started: (_, __, ___, slot) => slots.push(slot),
    placed() {},
    freed() {},
    grown() {},
    unstarted() {},
    ended(finished) {
      ends.push(finished);
      unanswered.add(finished.attempt);
    },
  };
  const logs = new LoggedRunner(events, {
    clock,
    log: silentLog,
    store,
    workerId: 'w',
    outputDirectory: '/out',
    isEndOpen: (attempt) => unanswered.has(attempt),
    openRunner(innerEvents) {
      inner = innerEvents;
      return runner;
    },
  });
  logs.configure(mode, true);
  return {
    clock,
    logs,
    ends,
    slots,
    tidied,
    unanswered,
    start(attempt: number): JobStdioPaths | null | undefined {
      logs.start(assignment({ attempt, job_key: String(attempt), command: 'true' }));
      inner?.started(attempt, 100 + attempt, 0);
      return paths.get(attempt);
    },
    unstart: (attempt: number) => inner?.unstarted(attempt, null),
    async end(attempt: number, exitCode = 0, more: Partial<FinishedAttempt> = {}): Promise<void> {
      const cause = exitCode === 0 ? ('success' as const) : ('exit_code' as const);
      inner?.ended({
        attempt,
        startedAtMs: 0,
        endedAtMs: 1,
        end: { status: 'done', returnCode: exitCode, cause, exitCode, signal: null, detail: null },
        peakMemoryBytes: null,
        averageMemoryBytes: null,
        cpuMs: null,
        ...more,
      });
      await settled();
    },
  };
}

const slot = (number: number) => ({
  stdoutPath: `/out/job_stdio/worker_w/slot_${number}.out`,
  stderrPath: `/out/job_stdio/worker_w/slot_${number}.err`,
});

describe('combined logs', () => {
  it('reuse files only after the server has answered the end of their previous attempt', async () => {
    const { start, end, ends, slots, unanswered } = world('combined');
    expect(start(1)).toEqual(slot(1));
    expect(start(2)).toEqual(slot(2));
    await end(1);
    expect(ends).toMatchObject([{ attempt: 1, log: { kind: 'combined', offset: 5, length: 7 } }]);
    expect(start(3)).toEqual(slot(3));
    unanswered.delete(1);
    expect(start(4)).toEqual(slot(1));
    expect(slots).toEqual([1, 2, 3, 1]);
  });

  it('reuse files that a job never used', () => {
    const { start, unstart } = world('combined');
    start(1);
    unstart(1);
    expect(start(2)).toEqual(slot(1));
  });

  it.each<[string, Partial<LogStore>, Partial<FinishedAttempt>]>([
    ['is too much', { collect: async () => null }, {}],
    ['cannot be written', { collect: () => Promise.reject(new Error('ENOSPC')) }, {}],
    ['may still grow', {}, { hasLeftovers: true }],
  ])('leave its files to a job whose output %s', async (_, store, more) => {
    const { start, end, ends, unanswered, logs, tidied } = world('combined', store);
    start(1);
    await end(1, 0, more);
    expect(ends).toMatchObject([{ attempt: 1, log: { kind: 'slot', slot: 1 } }]);
    unanswered.clear();
    expect(start(2)).toEqual(slot(2));
    logs.close();
    await logs.tidy();
    expect(tidied).toEqual([]);
  });

  it.each([
    ['a job ended by itself', false, 30_000],
    ['a job was stopped', true, 500],
  ])('do not wait for a file system that hangs: %s', async (_, isStopped, budgetMs) => {
    const abandoned: EndedOutput[] = [];
    const hangs = (output: EndedOutput) => {
      abandoned.push(output);
      return never;
    };
    const { start, end, ends, clock, logs } = world('combined', { collect: hangs });
    start(1);
    await end(1);
    if (isStopped) logs.stop([{ attempt: 1, graceMs: 0 }], 'walltime');
    await clock.advance(budgetMs - 1);
    expect(ends).toEqual([]);
    expect(abandoned[0]?.isAbandoned()).toBe(false);
    await clock.advance(1);
    expect(ends).toMatchObject([{ log: { kind: 'slot', slot: 1 } }]);
    expect(abandoned[0]?.isAbandoned()).toBe(true);
  });

  it('leave behind only files that may still be written or read', async () => {
    const { start, end, logs, tidied } = world('combined');
    for (const attempt of [1, 2, 3]) start(attempt);
    await end(3);
    await end(1);
    logs.close();
    await logs.tidy();
    expect(tidied).toEqual([slot(3).stdoutPath, slot(1).stdoutPath]);
  });
});

describe('other ways', () => {
  it('keep the output of a failed job, and report when output is removed', async () => {
    const removed: string[] = [];
    const { start, end, ends } = world('on-failure', { remove: async (paths) => void removed.push(paths.stdoutPath) });
    const stem = '/out/job_stdio/0000/job_1_run_1_attempt_1';
    expect(start(1)).toEqual({ stdoutPath: `${stem}.out`, stderrPath: `${stem}.err` });
    start(2);
    start(3);
    await end(1);
    await end(2, 1);
    await end(3, 0, {
      end: { status: 'terminated', returnCode: null, cause: 'walltime', exitCode: 0, signal: null, detail: null },
    });
    expect(removed).toEqual([`${stem}.out`]);
    expect(ends.map(({ log }) => log)).toEqual([{ kind: 'removed' }, undefined, undefined]);
  });

  it('do not report output as removed when it could not be', async () => {
    const { start, end, ends } = world('on-failure', { remove: () => Promise.reject(new Error('EACCES')) });
    start(1);
    await end(1);
    expect(ends.map(({ log }) => log)).toEqual([undefined]);
  });

  it('write nowhere, or to files of the job itself', async () => {
    const nowhere = world('none');
    expect(nowhere.start(1)).toEqual({ stdoutPath: '/dev/null', stderrPath: '/dev/null' });
    const files = world('files');
    expect(files.start(1)).toBeNull();
    await files.end(1);
    expect(files.ends[0]).not.toHaveProperty('log');
    expect(files.slots).toEqual([null]);
  });
});
