/** What a worker does about the files of its jobs while the file system is slow, changes, or does not answer. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { FileCheckedRunner } from '../../src/worker/files/file-checked-runner.ts';
import { type FileReader, openFileReader, type SeenFile } from '../../src/worker/files/file-reader.ts';
import type { FinishedAttempt, JobRunner, RunnerEvents } from '../../src/worker/processes/job-runner.ts';
import { noValueFiles } from '../support/no-value-files.ts';
import { assignment } from '../worker/fake-server.ts';

const never = new Promise<never>(() => {});
const zerosHash = '886715e4051e827f4fe215df3053af3f85ad0d352db2c829c7487af6d78efe30';
const absent: SeenFile = { kind: 'absent' };

function there(sizeBytes: number): SeenFile {
  return {
    kind: 'there',
    sizeBytes,
    modifiedUs: 1,
    changedUs: 2,
    isRegular: true,
    isDirectory: false,
    identity: `${sizeBytes}`,
  };
}

/** Lets everything run that does not wait for the clock. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

function world(reader: Partial<FileReader>) {
  let nowMs = 0;
  let timers: { atMs: number; call: () => void }[] = [];
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, call) {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  const happened: string[] = [];
  /** What a start waits for, one after the other. */
  const waits: Promise<unknown>[] = [];
  const ends: FinishedAttempt[] = [];
  let inner: RunnerEvents | null = null;
  const inside: JobRunner = {
    start: (job) => happened.push(`start ${job.attempt}`),
    stop: (jobs) => happened.push(`stop ${jobs.map(({ attempt }) => attempt)}`),
    takeSamples: () => [],
    close: () => happened.push('close'),
  };
  const events: RunnerEvents = {
    started() {},
    placed() {},
    freed() {},
    grown() {},
    unstarted: (attempt) => happened.push(`unstarted ${attempt}`),
    ended: (finished) => ends.push(finished),
  };
  const files: FileReader = {
    look: async () => absent,
    hash: async () => 'h',
    makeRoom: async () => {},
    makeFolder: async () => {},
    readText: async () => ({ text: null, problem: null }),
    hasLink: async () => false,
    ...reader,
  };
  const openRunner = (given: RunnerEvents): JobRunner => {
    inner = given;
    return inside;
  };
  const places = { workingDirectory: '/work dir', dataDirectory: '/out' };
  const runner = new FileCheckedRunner(events, {
    clock,
    files,
    values: noValueFiles,
    openRunner,
    ...places,
    createsFolders: () => true,
    beforeStart: () => waits.shift() ?? null,
  });
  return {
    runner,
    happened,
    waits,
    ends,
    nowMs: () => nowMs,
    start: async (...paths: { path: string; is_output: boolean }[]) => {
      const given = paths.map((file, index) => ({ file_key: index + 1, ...file }));
      runner.start(assignment({ attempt: 1, job_key: '1', command: 'true', files: given }));
      await settled();
    },
    end: async (exitCode: number) => {
      const cause = exitCode === 0 ? ('success' as const) : ('exit_code' as const);
      inner?.ended({
        attempt: 1,
        startedAtMs: 0,
        endedAtMs: nowMs,
        end: { status: 'done', returnCode: exitCode, cause, exitCode, signal: null, detail: null },
        peakMemoryBytes: null,
        averageMemoryBytes: null,
        cpuMs: null,
      });
      await settled();
    },
    /** Moves the clock, running what is due on the way. */
    pass: async (ms: number) => {
      const endMs = nowMs + ms;
      for (;;) {
        const due = timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((timer) => timer !== due);
        nowMs = Math.max(nowMs, due.atMs);
        due.call();
        await settled();
      }
      nowMs = endMs;
    },
    numTimers: () => timers.length,
  };
}

const input = { path: 'in', is_output: false };
const output = { path: 'out', is_output: true };

describe('the start of a job', () => {
  it('waits for the states of its inputs, not for their hashes', async () => {
    const looks: ((seen: SeenFile) => void)[] = [];
    const paths: string[] = [];
    const { start, happened } = world({
      look: (path) => {
        paths.push(path);
        return new Promise((resolve) => looks.push(resolve));
      },
      hash: () => never,
    });
    await start(input, output);
    expect([paths, happened]).toEqual([['/work dir/in'], []]);
    looks[0]?.(there(5));
    await settled();
    expect(happened).toEqual(['start 1']);
  });

  it('does not happen when the job was stopped before, and the job is handed back', async () => {
    const looks: ((seen: SeenFile) => void)[] = [];
    const { start, happened, runner } = world({ look: () => new Promise((resolve) => looks.push(resolve)) });
    await start(input);
    runner.stop([{ attempt: 1, graceMs: 0 }], 'cancel');
    // never from within the call
    expect(happened).toEqual([]);
    looks[0]?.(there(5));
    await settled();
    expect(happened).toEqual(['unstarted 1']);
  });

  it.each(['goes on', 'is stopped'])(
    'waits until its worker knows that it may, after its files were looked at (%s)',
    async (how) => {
      const { start, happened, runner, waits } = world({ look: async () => there(5) });
      const ready: (() => void)[] = [];
      for (let n = 0; n < 2; n += 1) waits.push(new Promise<void>((resolve) => ready.push(resolve)));
      await start(input);
      ready[0]?.();
      await settled();
      expect(happened).toEqual([]);
      if (how === 'is stopped') runner.stop([{ attempt: 1, graceMs: 0 }], 'fenced');
      ready[1]?.();
      await settled();
      expect(happened).toEqual([how === 'goes on' ? 'start 1' : 'unstarted 1']);
    },
  );

  it('does not happen after the worker’s end', async () => {
    const looks: ((seen: SeenFile) => void)[] = [];
    const { start, happened, runner } = world({ look: () => new Promise((resolve) => looks.push(resolve)) });
    await start(input);
    runner.close();
    looks[0]?.(there(5));
    await settled();
    expect(happened).toEqual(['close']);
  });
});

describe('the end of a job', () => {
  it('waits up to two seconds for a missing output, bypassing the cache', async () => {
    const looks: { atMs: number; isFresh: boolean }[] = [];
    const given = world({
      look: async (_, isFresh) => {
        looks.push({ atMs: given.nowMs(), isFresh });
        return absent;
      },
    });
    await given.start(output);
    await given.end(0);
    await given.pass(1_999);
    expect(given.ends).toEqual([]);
    await given.pass(1);
    expect(given.ends[0]?.end).toMatchObject({ returnCode: 1, cause: 'missing_output', exitCode: 0 });
    expect(given.ends[0]?.end.detail).toBe('it ended with 0 but did not write its declared output "/work dir/out"');
    expect(looks.map(({ isFresh }) => isFresh)).toEqual([false, ...looks.slice(1).map(() => true)]);
    expect(looks.length).toBeLessThan(10);
    expect(given.numTimers()).toBe(0);
  });

  it('does not wait when everything is there, or when the job failed', async () => {
    for (const [code, seen] of [
      [0, there(1)],
      [3, absent],
    ] as const) {
      const { start, end, ends } = world({ look: async () => seen });
      await start(output);
      await end(code);
      expect(ends[0]?.end.returnCode).toBe(code);
    }
  });

  it.each([
    ['EACCES', 2_000],
    ['EIO', 30_000],
    ['ESTALE', 30_000],
  ])('does not count outputs that cannot be looked at as a success, and says why: %s after %i ms', async (code, ms) => {
    const { start, end, ends, pass } = world({ look: async () => ({ kind: 'unknown', code }) });
    await start(output);
    await end(0);
    await pass(ms - 1);
    expect(ends).toEqual([]);
    await pass(1);
    const detail = `it ended with 0 but has a declared output that cannot be looked at: "/work dir/out" (${code})`;
    expect(ends[0]?.end).toMatchObject({ cause: 'missing_output', detail });
    expect(ends[0]?.files).toBeUndefined();
  });

  it('waits for a file system that fails for a while', async () => {
    let seen: SeenFile = { kind: 'unknown', code: 'EIO' };
    const { start, end, ends, pass } = world({ look: async () => seen });
    await start(output);
    await end(0);
    await pass(10_000);
    expect(ends).toEqual([]);
    seen = there(3);
    await pass(20_000);
    expect(ends[0]?.end).toMatchObject({ returnCode: 0, detail: null });
  });

  it('is reported without a hash that takes too long', async () => {
    const { start, end, ends, pass } = world({ look: async () => there(7), hash: () => never });
    await start(input, output);
    await end(0);
    await pass(4_999);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends[0]?.end.returnCode).toBe(0);
    expect(ends[0]?.files?.map((state) => [state.size_bytes, state.content_hash])).toEqual([
      [7, null],
      [7, null],
    ]);
  });

  it('is reported in well under a second when the job was stopped, even when the file system hangs', async () => {
    const { start, end, ends, pass, runner, happened } = world({ look: () => never });
    await start(output);
    runner.stop([{ attempt: 1, graceMs: 0 }], 'walltime');
    expect(happened).toEqual(['start 1', 'stop 1']);
    await end(143);
    await pass(500);
    expect(ends[0]?.end.returnCode).toBe(143);
  });

  it('is reported after half a minute when the file system hangs, and not as a success', async () => {
    const { start, end, ends, pass } = world({ look: () => never });
    await start(output);
    await end(0);
    await pass(30_000);
    expect(ends[0]?.end.cause).toBe('missing_output');
    expect(ends[0]?.end.detail).toContain('does not answer');
  });

  it('reports as many files as a request has room for, outputs first', async () => {
    const { start, end, ends } = world({ look: async () => there(1) });
    await start(...Array.from({ length: 20_001 }, () => input), output);
    for (let turn = 0; turn < 2_000; turn += 1) await settled();
    await end(0);
    for (let turn = 0; turn < 2_000; turn += 1) await settled();
    expect(ends[0]?.files).toHaveLength(20_000);
    expect(ends[0]?.files?.[0]?.is_output).toBe(true);
  });
});

describe('the content of a file', () => {
  const wanted = new AbortController().signal;

  function folder(): string {
    const made = mkdtempSync(join(tmpdir(), 'torc-files-test-'));
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    return made;
  }

  async function seenAt(reader: FileReader, path: string) {
    const seen = await reader.look(path, false);
    if (seen.kind !== 'there') throw new Error(`${path} is ${seen.kind}`);
    return seen;
  }

  it('is unknown when the file was replaced or written to since it was seen', async () => {
    const directory = folder();
    const reader = openFileReader('/nowhere');
    const path = join(directory, 'file');
    writeFileSync(path, 'before');
    const seen = await seenAt(reader, path);
    writeFileSync(join(directory, 'other'), 'after!');
    const { atime, mtime } = statSync(path);
    utimesSync(join(directory, 'other'), atime, mtime);
    renameSync(join(directory, 'other'), path);
    expect(await reader.hash(path, seen, wanted)).toBeNull();
    const replaced = await seenAt(reader, path);
    expect(await reader.hash(path, replaced, wanted)).toMatch(/^[0-9a-f]{64}$/);
    writeFileSync(path, 'longer than before');
    expect(await reader.hash(path, await seenAt(reader, path), wanted)).not.toBe(
      await reader.hash(path, replaced, wanted),
    );
  });

  it('is read once, however many jobs ask', async () => {
    const path = join(folder(), 'file');
    const reader = openFileReader('/nowhere');
    writeFileSync(path, 'x');
    const seen = await seenAt(reader, path);
    const first = reader.hash(path, seen, wanted);
    expect(reader.hash(path, seen, wanted)).toBe(first);
    const hash = await first;
    // by now it cannot be read
    rmSync(path);
    expect(await reader.hash(path, seen, wanted)).toBe(hash);
  });

  it('is not read when nobody waits any more; the next request gets it', async () => {
    const path = join(folder(), 'file');
    const reader = openFileReader('/nowhere');
    writeFileSync(path, 'x');
    const seen = await seenAt(reader, path);
    expect(await reader.hash(path, seen, AbortSignal.abort())).toBeNull();
    expect(await reader.hash(path, seen, wanted)).not.toBeNull();
  });

  it('is read whole, of up to 64 MiB', async () => {
    const directory = folder();
    const reader = openFileReader('/nowhere');
    const path = join(directory, 'zeros');
    writeFileSync(path, Buffer.alloc(300_000));
    // sha256sum of 300,000 zero bytes
    expect(await reader.hash(path, await seenAt(reader, path), wanted)).toBe(zerosHash);
    const seen = { ...(await seenAt(reader, path)), sizeBytes: 64 * 1024 * 1024 + 1, identity: 'large' };
    expect(await reader.hash(path, seen, wanted)).toBeNull();
  });

  it('of what is not a file is nothing, without a wait', async () => {
    const reader = openFileReader('/nowhere');
    const pipe = join(folder(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    for (const path of ['/dev/zero', pipe]) {
      expect(await reader.hash(path, await seenAt(reader, path), wanted)).toBeNull();
    }
    expect(await reader.look('/proc/self/stat/x', true)).toEqual(absent);
    expect(await reader.look('/nowhere/at/all', true)).toEqual(absent);
    expect(await reader.look(`/${'x'.repeat(300)}`, false)).toEqual({ kind: 'unknown', code: 'ENAMETOOLONG' });
  });
});
