/** Which processes are a job's, read from a /proc that the test writes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Assignment } from '../../src/api/contract.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { lastPidReader } from '../../src/base/proc.ts';
import { ProcessTable } from '../../src/worker/processes/process-table.ts';
import { newRunningJob } from '../../src/worker/processes/running-job.ts';
import { Sampler } from '../../src/worker/processes/sampler.ts';
import { type SpawnRequest, unknownEnd } from '../../src/worker/processes/spawner.ts';
import { hasOutgrownStep } from '../../src/worker/processes/step-memory.ts';
import { UsageMeter } from '../../src/worker/processes/usage.ts';
import { FakeClock } from '../support/fake-machine.ts';

let proc: string;

beforeEach(() => {
  proc = mkdtempSync(join(tmpdir(), 'torc-proc-'));
});
afterEach(() => rmSync(proc, { recursive: true, force: true }));

interface FakeProcess {
  parent: number;
  session: number;
  /** Null while it is about to run another program. */
  variables?: Record<string, string> | null;
  residentPages?: number;
  state?: string;
}

function write(pid: number, { parent, session, variables = {}, residentPages = 50, state = 'S' }: FakeProcess): void {
  mkdirSync(join(proc, String(pid)), { recursive: true });
  const zeros = (count: number) => Array.from({ length: count }, () => 0);
  const fields = [state, parent, session, session, ...zeros(7), 0, 0, 0, 0, ...zeros(4), 1000, 0, residentPages];
  writeFileSync(join(proc, String(pid), 'stat'), `${pid} (any (name)) ${fields.join(' ')}\n`);
  const all = variables === null ? {} : { PATH: '/bin', ...variables };
  const environ = Object.entries(all).map(([name, value]) => `${name}=${value}\0`);
  writeFileSync(join(proc, String(pid), 'environ'), environ.join(''));
}

const starter = 10;
const leader = 20;
const marks = { TORC_WORKER_ID: 'w1', TORC_ATTEMPT_KEY: '7' };

describe('the process table', () => {
  it('knows the main process of a job that is still a copy of its starter', () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc);
    write(starter, { parent: 1, session: starter });
    table.track(7, 0);
    write(leader, { parent: starter, session: starter });
    table.scan(0);
    table.lead(7, leader);
    table.scan(50);
    expect(table.measure(7)).toMatchObject({ pids: [leader], residentPages: 50 });
    write(leader, { parent: starter, session: leader, variables: marks });
    write(leader + 1, { parent: leader, session: leader, variables: marks });
    table.scan(100);
    expect(table.measure(7)).toMatchObject({ pids: [leader, leader + 1], residentPages: 100 });
  });

  it('does not mistake a process with a reused pid for the main one', () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc);
    table.track(7, 0);
    table.lead(7, leader);
    write(leader, { parent: starter, session: leader, variables: marks });
    table.scan(0);
    rmSync(join(proc, String(leader)), { recursive: true });
    table.leaderReaped(7);
    write(leader, { parent: 1, session: 3 });
    table.scan(50);
    expect(table.measure(7).pids).toEqual([]);
  });

  describe('looks for what jobs have left', () => {
    /** Jobs 7 and 8 have ended; a process of job 7 is there, with the next number. What is seen of it, by the last number. */
    function seen(
      last: number | null,
      { isLauncher = false, nowMs = 900, scannedMs = 0, isReaped = true } = {},
    ): number[] {
      const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc, () => last);
      rmSync(join(proc, `${leader + 2}`), { recursive: true, force: true });
      table.scan(scannedMs);
      for (const attempt of [7, 8]) {
        table.track(attempt, 0);
        table.lead(attempt, leader + attempt - 7, attempt === 7 && isLauncher);
        if (isReaped) table.leaderReaped(attempt);
      }
      table.untrack(8);
      write(leader + 2, { parent: 1, session: leader + 2, variables: marks });
      table.scanFor([{ attempt: 7 }], nowMs);
      return table.measure(7).pids;
    }

    it('only where a process or thread has been started after them that is no main process', () => {
      expect(seen(leader + 1)).toEqual([]);
      expect(seen(leader + 2)).toEqual([leader + 2]);
    });

    it('where numbers have begun again or are not known', () => {
      expect(seen(leader - 1)).toEqual([leader + 2]);
      expect(seen(null)).toEqual([leader + 2]);
    });

    it('where they may have others, where they began long ago, and once a second', () => {
      expect(seen(leader + 1, { isReaped: false })).toEqual([leader + 2]);
      expect(seen(leader + 1, { isLauncher: true })).toEqual([leader + 2]);
      expect(seen(leader + 1, { nowMs: 2_000, scannedMs: 1_900 })).toEqual([leader + 2]);
      expect(seen(leader + 1, { nowMs: 1_000 })).toEqual([leader + 2]);
      expect(seen(leader + 1, { nowMs: 1_999, scannedMs: 1_900 })).toEqual([]);
    });

    it('where the number after theirs was that of a main process long ago', () => {
      const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc, () => leader + 1);
      table.track(6, 0);
      table.lead(6, leader + 1);
      table.untrack(6);
      table.scan(5_000);
      table.track(7, 5_000);
      table.lead(7, leader);
      table.leaderReaped(7);
      write(leader + 1, { parent: 1, session: leader + 1, variables: marks });
      table.scanFor([{ attempt: 7 }], 5_100);
      expect(table.measure(7).pids).toEqual([leader + 1]);
    });

    it('by the number that the kernel gave last', () => {
      const before = lastPidReader('/proc')() ?? 0;
      execFileSync('true');
      const after = lastPidReader('/proc')();
      expect(before).toBeGreaterThan(0);
      expect(after).not.toBe(before);
      writeFileSync(join(proc, 'loadavg'), '0.10 0.10 0.10 1/99 1234\n');
      expect(lastPidReader(proc)()).toBeNull();
      rmSync(join(proc, 'loadavg'));
      // a file of the kernel that cannot be read
      symlinkSync('/proc/self/mem', join(proc, 'loadavg'));
      expect(lastPidReader(proc)()).toBeNull();
    });
  });

  describe('with a process that shows no environment', () => {
    /** A table of job 7, whose main process has ended, and what it knows of a process of the number 31. */
    function lookAt(first: FakeProcess): { isSure: boolean; look(nowMs: number): [isSure: boolean, pids: number[]] } {
      const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc, () => 31);
      table.track(7, 0);
      table.lead(7, leader);
      table.leaderReaped(7);
      write(31, first);
      const look = (nowMs: number): [boolean, number[]] => {
        const isSure = table.scanFor([{ attempt: 7 }], nowMs);
        return [isSure, table.measure(7).pids];
      };
      return { isSure: look(0)[0], look };
    }

    it('is not sure until that has run its program', () => {
      const { isSure, look } = lookAt({ parent: 1, session: 31, variables: null });
      expect(isSure).toBe(false);
      for (let nowMs = 1; nowMs < 10; nowMs += 1) expect(look(nowMs)).toEqual([false, []]);
      write(31, { parent: 1, session: 31, variables: marks });
      expect(look(10)).toEqual([true, [31]]);
    });

    it('is sure when that has gone', () => {
      const { isSure, look } = lookAt({ parent: 1, session: 31, variables: null });
      expect(isSure).toBe(false);
      rmSync(join(proc, '31'), { recursive: true });
      expect(look(1)).toEqual([true, []]);
      // another one gets the number
      write(31, { parent: 1, session: 31, variables: null });
      expect(look(600)).toEqual([false, []]);
    });

    it('is sure after half a second: then it has none', () => {
      const { look } = lookAt({ parent: 1, session: 31, variables: null });
      expect(look(499)).toEqual([false, []]);
      expect(look(500)).toEqual([true, []]);
      expect(look(501)).toEqual([true, []]);
    });

    it('is sure at once if that has ended, or is of the kernel', () => {
      expect(lookAt({ parent: 1, session: 31, variables: null, state: 'Z' }).isSure).toBe(true);
      expect(lookAt({ parent: 2, session: 0, variables: null }).isSure).toBe(true);
    });
  });

  it('finds processes that left the session and whose parent has ended; in an allocation also by its Slurm job', () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: '99' }, proc);
    table.track(7, 0);
    write(31, { parent: 1, session: 31, variables: { ...marks, SLURM_JOB_ID: '99' } });
    write(32, { parent: 1, session: 32, variables: { ...marks, SLURM_JOB_ID: '98' } });
    write(33, { parent: 1, session: 33, variables: { ...marks, TORC_WORKER_ID: 'w2', SLURM_JOB_ID: '99' } });
    table.scan(0);
    expect(table.measure(7).pids).toEqual([31]);
  });
});

const ownProcess = { isStep: false, isAbandoned: false };

describe('the sampler', () => {
  it('does not count shared memory twice when one of its processes ends during the measurement', async () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc);
    write(leader, { parent: starter, session: leader, variables: marks });
    write(leader + 1, { parent: leader, session: leader, variables: marks });
    table.track(7, 0);
    table.lead(7, leader);
    const smapsOf = (pid: number) => join(proc, String(pid), 'smaps_rollup');
    // two share 200 kB: half of it was read from the first, which ends, and then all of it from the other
    execFileSync('mkfifo', [smapsOf(leader)]);
    writeFileSync(smapsOf(leader + 1), 'Pss_Anon: 200 kB\n');
    const meter = new UsageMeter();
    const [overMemory, measured] = [vi.fn(), vi.fn()];
    const units = { pageBytes: 4096, ticksPerSecond: 100 };
    const sampler = new Sampler({
      clock: systemClock,
      log: silentLog,
      table,
      units,
      overMemory,
      measured,
      looked: () => {},
      procRoot: proc,
    });
    sampler.add({
      attempt: 7,
      startedAtMs: systemClock.monotonic(),
      memoryLimitBytes: 240 * 1024,
      meter,
      ...ownProcess,
    });
    const ending = await open(smapsOf(leader), 'w');
    await ending.write('Pss_Anon: 100 kB\n');
    rmSync(smapsOf(leader));
    await ending.close();
    await vi.waitFor(() => expect(measured).toHaveBeenCalled(), { timeout: 10_000 });
    sampler.close();
    expect(overMemory).not.toHaveBeenCalled();
    expect(meter.peakBytes).toBe(200 * 1024);
  });

  it('measures whole bytes between two weighings', async () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: null }, proc);
    for (const [pid, parent] of [
      [leader, starter],
      [leader + 1, leader],
    ] as const) {
      write(pid, { parent, session: leader, variables: marks });
      writeFileSync(join(proc, String(pid), 'smaps_rollup'), 'Pss_Anon: 100003 kB\n');
    }
    table.track(7, 0);
    table.lead(7, leader);
    const meter = new UsageMeter();
    const sizes: number[] = [];
    const sampler = new Sampler({
      clock: systemClock,
      log: silentLog,
      table,
      units: { pageBytes: 3_000_001, ticksPerSecond: 100 },
      overMemory: () => {},
      measured: () => sizes.push(meter.latest?.memoryBytes ?? 0),
      looked: () => {},
      procRoot: proc,
    });
    sampler.add({ attempt: 7, startedAtMs: systemClock.monotonic(), memoryLimitBytes: null, meter, ...ownProcess });
    const weighed = 2 * 100_003 * 1024;
    await vi.waitFor(() => expect(sizes).toContain(weighed), { timeout: 10_000 });
    write(leader, { parent: starter, session: leader, variables: marks, residentPages: 53 });
    await vi.waitFor(() => expect(sizes.some((size) => size > weighed)).toBe(true), { timeout: 10_000 });
    sampler.close();
    expect(sizes.filter((size) => !Number.isInteger(size))).toEqual([]);
  });

  it('kills an srun whose step has been gone for a minute, as that of one whose daemon has died never ends', async () => {
    const table = new ProcessTable({ workerId: 'w1', slurmJobId: null, hasSteps: true }, proc);
    const signal = vi.spyOn(table, 'signal').mockImplementation(() => {});
    const inStep = leader + 1;
    const clock = new FakeClock();
    const sampler = new Sampler({
      ...{ clock, log: silentLog, table, units: { pageBytes: 4096, ticksPerSecond: 100 }, procRoot: proc },
      ...{ overMemory: () => {}, measured: () => {}, looked: () => {} },
    });
    write(leader, { parent: starter, session: leader, variables: marks });
    table.track(7, clock.monotonic());
    table.lead(7, leader, true);
    const started = { attempt: 7, startedAtMs: clock.monotonic(), memoryLimitBytes: null, meter: new UsageMeter() };
    const job = { ...started, isStep: true, isAbandoned: false };
    sampler.add(job);
    // it may have to wait for Slurm for as long as that takes
    await clock.advance(600_000);
    write(inStep, { parent: 1, session: inStep, variables: marks });
    await clock.advance(600_000);
    rmSync(join(proc, String(inStep)), { recursive: true });
    // as while Slurm has suspended the allocation
    clock.stall(600_000);
    await clock.advance(50_000);
    expect(signal).not.toHaveBeenCalled();
    await clock.advance(20_000);
    sampler.close();
    expect(signal).toHaveBeenCalledWith(7, 'SIGKILL', false, true);
    expect(job.isAbandoned).toBe(true);
  });
});

describe('a step whose daemon has died', () => {
  const mebibyte = 2 ** 20;
  const limit = 100 * mebibyte;
  const job = (given: object) =>
    newRunningJob({ memory_limit_bytes: limit, ...given } as Assignment, { step: {} } as SpawnRequest, 0, null);
  const killed = (largestBytes: number | null) => ({
    ...unknownEnd,
    signal: 9,
    largestBytes,
    isOutOfMemory: false,
    atMs: 0,
  });

  it('ran out of memory when it had nearly all that it may have', () => {
    const seen = { ...job({}), isAbandoned: true, exit: killed(null) };
    expect(hasOutgrownStep(seen)).toBe(false);
    seen.meter.add(0, 95 * mebibyte, 0);
    expect(hasOutgrownStep(seen)).toBe(true);
    expect(hasOutgrownStep({ ...seen, isAbandoned: false })).toBe(false);
    const marked = { ...job({}), isAbandoned: true };
    expect(hasOutgrownStep({ ...marked, exit: killed(80 * mebibyte) })).toBe(false);
    expect(hasOutgrownStep({ ...marked, exit: killed(120 * mebibyte) })).toBe(true);
  });

  it('is judged by what Slurm says when it states no memory', () => {
    const stated = { ...job({ memory_limit_bytes: null }), isAbandoned: true };
    stated.meter.add(0, limit, 0);
    expect(hasOutgrownStep({ ...stated, exit: killed(limit) })).toBe(false);
  });
});
