/** Jobs that torc stops: limits, cancellation, the end of the time, signals to the worker. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultSettings, FakeServer } from './fake-server.ts';
import { startWorker, type TestWorker, until } from './run.ts';

/** Resolves when each of these jobs has set its traps and said so with `echo up`. */
function areUp({ server, stdout }: TestWorker, ...attempts: number[]): Promise<void> {
  const isUp = (attempt: number) => server.attempts.get(attempt)?.started != null && stdout(attempt).startsWith('up\n');
  return until(() => attempts.every(isUp));
}

/** Whether a process of the worker is suspended. */
function isSuspended(worker: TestWorker): boolean {
  return worker.processes().some((pid) => {
    try {
      return /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
    } catch {
      return false;
    }
  });
}

const hog = `node -e 'const b = []; setInterval(() => b.push(Buffer.alloc(20 * 2 ** 20, 1)), 20)'`;

describe('limits of a job', () => {
  it('stops a job that runs too long, with its children in other sessions; other jobs continue', async () => {
    const worker = startWorker();
    worker.server.add(
      { command: 'trap "" TERM; setsid sleep 300 & sleep 300 & sleep 300; sleep 300', runtime_limit_ms: 1_000 },
      { command: 'while [ ! -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done; exit 6' },
    );
    await until(() => worker.server.attempts.get(1)?.finished != null);
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({
      status: 'done',
      return_code: 152,
      cause: 'job_timeout',
      signal: 9,
    });
    const { exec_ms: ranMs } = worker.server.attempts.get(1)?.finished ?? { exec_ms: 0 };
    expect(ranMs).toBeGreaterThan(2_500);
    expect(worker.processes().length).toBeGreaterThan(0);
    worker.server.add({ command: 'touch "$TORC_OUTPUT_DIR/go"' });
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 3, numFailed: 2 });
    expect(worker.server.attempts.get(2)?.finished?.return_code).toBe(6);
    expect(worker.processes()).toEqual([]);
  });

  it('kills a job that uses more memory than its limit; other jobs continue', async () => {
    const limit = 150 * 2 ** 20;
    const worker = startWorker();
    worker.server.add(
      { command: hog, memory_bytes: limit, memory_limit_bytes: limit },
      { command: 'sleep 1; exit 6', memory_limit_bytes: limit },
    );
    await worker.exit;
    const report = worker.server.attempts.get(1)?.finished;
    expect(report).toMatchObject({ status: 'done', return_code: 137, cause: 'oom', signal: 9, exit_code: null });
    expect(report?.detail).toMatch(/^it used [\d.]+[MG], its limit is 150M$/);
    expect(report?.peak_memory_bytes).toBeGreaterThan(limit);
    expect(worker.server.attempts.get(2)?.finished?.return_code).toBe(6);
  });

  it('does not count shared memory against a job more than once', async () => {
    const limit = 250 * 2 ** 20;
    const worker = startWorker();
    const share = `import os, time
data = bytearray(os.urandom(1024)) * (150 * 1024)
for _ in range(3):
    if os.fork() == 0:
        time.sleep(4)
        os._exit(0)
for _ in range(3):
    os.wait()`;
    worker.server.add({ command: `python3 -c '${share}'`, memory_limit_bytes: limit });
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ return_code: 0, cause: 'success' });
    expect(worker.server.attempts.get(1)?.finished?.peak_memory_bytes).toBeGreaterThan(140 * 2 ** 20);
    expect(worker.server.attempts.get(1)?.finished?.peak_memory_bytes).toBeLessThan(limit);
  });
});

describe('cancellation', () => {
  it('ends a running job with all its processes', async () => {
    const worker = startWorker();
    worker.server.add({ command: '(setsid sleep 300 &); sleep 300; exit 0' });
    await until(() => worker.processes().length >= 3);
    worker.server.stop(1);
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({
      status: 'canceled',
      return_code: null,
      cause: 'canceled',
      signal: 15,
    });
    expect(worker.processes()).toEqual([]);
  });

  it('wakes a suspended job', async () => {
    const worker = startWorker();
    worker.server.add({ command: 'trap "echo got it; exit 0" TERM; kill -STOP $$; sleep 300 & wait' });
    await until(() => worker.server.attempts.get(1)?.started != null && isSuspended(worker));
    worker.server.stop(1);
    await worker.exit;
    expect(worker.stdout(1)).toBe('got it\n');
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ status: 'canceled', exit_code: 0 });
  });

  it('returns a job that was waiting for room', async () => {
    const server = new FakeServer();
    const capacity = { nodeNames: ['here'], numCpus: 1, memoryBytes: 2 ** 30, numGpus: 0, gpuIds: [] };
    const worker = startWorker(server, { capacity });
    server.add({ command: 'sleep 300' }, { command: 'touch "$TORC_OUTPUT_DIR/ran"' });
    await until(() => server.attempts.get(1)?.started != null);
    server.stop(2);
    await until(() => server.attempts.get(2)?.isReturned === true);
    server.stop(1);
    await worker.exit;
    expect(existsSync(join(worker.directory, 'output/ran'))).toBe(false);
  });

  it('reports the end of a superseded attempt too', async () => {
    const worker = startWorker();
    worker.server.add({ command: 'sleep 300' });
    await until(() => worker.server.attempts.get(1)?.started != null);
    worker.server.stop(1, 'superseded');
    expect(await worker.exit).toMatchObject({ reason: 'complete' });
    expect(worker.server.attempts.get(1)?.isOccupying).toBe(false);
    expect(worker.processes()).toEqual([]);
  });

  it.each([
    ['restart', 'terminated', 'canceled', 'it was stopped for a restart'],
    ['fenced', 'terminated', 'node_failure', 'its worker had lost contact and was given up'],
  ] as const)('passes on why the server wants the end: %s', async (reason, status, cause, detail) => {
    const worker = startWorker();
    worker.server.add({ command: 'sleep 300' });
    await until(() => worker.server.attempts.get(1)?.started != null);
    worker.server.stop(1, reason);
    await worker.exit;
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ status, return_code: null, cause, detail });
  });
});

describe('memory that grows quickly', () => {
  it('is reported while it grows, long before the next regular sample', async () => {
    const server = new FakeServer();
    const capacity = { nodeNames: ['here'], numCpus: 4, memoryBytes: 2 ** 30, numGpus: 0, gpuIds: [] };
    const worker = startWorker(server, { capacity });
    server.add({ command: hog });
    const peaks = () => server.seen.flatMap((request) => request.samples.map((sample) => sample.peak_memory_bytes));
    const large = () => peaks().filter((bytes) => bytes > 2 ** 26);
    await until(() => large().length >= 1);
    const began = performance.now();
    await until(() => large().length >= 2);
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(large()[1]).toBeGreaterThanOrEqual(1.5 * (large()[0] ?? 0));
    server.stop(1);
    await worker.exit;
  });
});

describe('the end of the time', () => {
  it('stops jobs before the deadline and leaves', async () => {
    const server = new FakeServer();
    server.settings = { ...defaultSettings, expiration_buffer_seconds: 180 };
    const worker = startWorker(server, { deadlineMs: Date.now() + 20_000, walltimeSeconds: 170 });
    server.add({ command: 'sleep 300', runtime_limit_ms: 900_000 }, { command: 'sleep 300' });
    const exit = await worker.exit;
    expect(exit).toEqual({ reason: 'deadline', numJobs: 2, numFailed: 0 });
    expect(server.attempts.get(1)?.finished).toMatchObject({
      status: 'terminated',
      return_code: null,
      cause: 'walltime',
    });
    // the buffer is a tenth of the walltime: the jobs had three seconds
    expect(server.attempts.get(1)?.finished?.exec_ms).toBeLessThan(12_000);
    expect(server.hasLeft).toBe(true);
    expect(server.seen[0]?.time_left_ms).toBeLessThanOrEqual(3_000);
    expect(worker.processes()).toEqual([]);
  });

  it('returns a job that does not fit into the time that is left', async () => {
    const server = new FakeServer();
    server.completes = false;
    const worker = startWorker(server, { deadlineMs: Date.now() + 60_000, waitForNewJobsSeconds: 1 });
    server.add(
      { command: 'touch "$TORC_OUTPUT_DIR/ran"', runtime_ms: 120_000 },
      { command: 'exit 0', runtime_ms: 10_000 },
    );
    expect(await worker.exit).toMatchObject({ reason: 'idle', numJobs: 1 });
    expect(server.attempts.get(1)).toMatchObject({ isReturned: true, finished: null });
    expect(existsSync(join(worker.directory, 'output/ran'))).toBe(false);
  });

  it("warns only jobs that write a checkpoint ahead of the end, with the workflow's signal", async () => {
    const server = new FakeServer();
    const times = { expiration_buffer_seconds: 3600, sigterm_lead_seconds: 3600 };
    server.settings = { ...server.settings, ...times, termination_signal: 'SIGUSR1' };
    server.completes = false;
    // a tenth of the walltime is left to the one job, and a tenth is kept for the end
    const worker = startWorker(server, { deadlineMs: Date.now() + 16_000, walltimeSeconds: 50 });
    const checkpoint = 'trap "echo saved; exit 0" USR1; trap "echo stopped; exit 0" TERM; echo up; sleep 300 & wait';
    const whole = { supports_termination: true };
    server.slots = 3;
    server.add({ command: checkpoint, ...whole }, { command: checkpoint }, { command: 'echo up; exit 7', ...whole });
    await areUp(worker, 1, 2);
    await until(() => server.attempts.get(1)?.finished !== null);
    expect(worker.stdout(1)).toBe('up\nsaved\n');
    expect(worker.stdout(2)).toBe('up\n');
    expect(server.attempts.get(2)?.finished).toBeNull();
    // from now on it takes no more jobs
    server.add({ command: 'echo late', ...whole });
    expect(await worker.exit).toMatchObject({ reason: 'deadline', numJobs: 3 });
    expect(worker.stdout(2)).toBe('up\nstopped\n');
    const ends = [1, 2, 3].map((attempt) => server.attempts.get(attempt)?.finished);
    expect(ends.map((end) => [end?.status, end?.exit_code])).toEqual([
      ['terminated', 0],
      ['terminated', 0],
      ['done', 7],
    ]);
    expect(server.attempts.has(4)).toBe(false);
  });

  it('gives jobs that can end themselves time to write a checkpoint', async () => {
    const server = new FakeServer();
    const worker = startWorker(server, { deadlineMs: Date.now() + 3_600_000 });
    const checkpoint = 'trap "sleep 2.5; echo saved; exit 0" TERM; echo up; sleep 300 & wait';
    server.add({ command: checkpoint, supports_termination: true }, { command: checkpoint });
    await areUp(worker, 1, 2);
    worker.signal('warning');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    expect(worker.stdout(1)).toBe('up\nsaved\n');
    expect(worker.stdout(2)).toBe('up\n');
    expect(server.attempts.get(1)?.finished).toMatchObject({ status: 'terminated', exit_code: 0, return_code: null });
    expect(server.attempts.get(2)?.finished).toMatchObject({ status: 'terminated', signal: 9 });
  });
});

// a limit that Slurm sets, and that a machine which stands still for a moment exceeds: hence the retries
describe('signals to the worker', () => {
  const slurm = { hostname: 'c1', cluster: 'c', slurmJobId: '12', restartCount: 0, allocationKey: '3' };

  it('ends within four seconds although a job ignores SIGTERM', { retry: 2 }, async () => {
    const server = new FakeServer();
    const worker = startWorker(server, { identity: slurm });
    const command = 'trap "" TERM; echo up; setsid sleep 300 & sleep 300; sleep 300';
    server.add({ command, supports_termination: true });
    await areUp(worker, 1);
    const began = performance.now();
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped', numJobs: 1 });
    expect(performance.now() - began).toBeLessThan(4_000);
    expect(server.attempts.get(1)?.finished).toMatchObject({ status: 'terminated', cause: 'walltime' });
    expect(server.hasLeft).toBe(true);
    expect(worker.processes()).toEqual([]);
  });

  it('calls it canceled when Slurm ends the allocation long before its time', async () => {
    const server = new FakeServer();
    const worker = startWorker(server, {
      identity: slurm,
      deadlineMs: Date.now() + 3_600_000,
      walltimeSeconds: 7_200,
    });
    server.add({ command: 'sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    expect(server.attempts.get(1)?.finished).toMatchObject({
      status: 'terminated',
      cause: 'canceled',
      detail: 'its allocation was ended early (canceled, preempted or requeued)',
    });
  });

  it('calls it canceled outside of Slurm', async () => {
    const worker = startWorker();
    worker.server.add({ command: 'sleep 300' });
    await until(() => worker.server.attempts.get(1)?.started != null);
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    expect(worker.server.attempts.get(1)?.finished).toMatchObject({ status: 'terminated', cause: 'canceled' });
  });

  it('shortens the time to write a checkpoint when SIGTERM follows the warning', { retry: 2 }, async () => {
    const server = new FakeServer();
    const worker = startWorker(server, { identity: slurm });
    server.add({ command: 'trap "" TERM; echo up; sleep 300; sleep 300', supports_termination: true });
    await areUp(worker, 1);
    worker.signal('warning');
    const began = performance.now();
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    expect(performance.now() - began).toBeLessThan(4_000);
  });
});
