/** Combined logs with real processes and files. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { largestOutputBytes, readLogMember } from '../../src/base/log-member.ts';
import { combinedLogPath, slotPaths } from '../../src/base/paths.ts';
import { openLogStore } from '../../src/worker/files/log-store.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { FakeServer } from './fake-server.ts';
import { startWorker, type TestWorker, until } from './run.ts';

function combining(slots = 4): FakeServer {
  const server = new FakeServer();
  server.settings = { ...server.settings, stdio: 'combined' };
  server.slots = slots;
  return server;
}

function folderOf({ directory, workerId }: TestWorker): string {
  return join(directory, 'output/job_stdio', `worker_${workerId}`);
}

/** What the worker's file contains at the place that was reported with the attempt's end. */
function logOf(worker: TestWorker, attempt: number): { stdout: string; stderr: string } | null {
  const { assignment, finished } = worker.server.attempts.get(attempt) ?? {};
  if (assignment === undefined || finished?.log?.kind !== 'combined') return null;
  const { offset, length } = finished.log;
  const packed = readFileSync(join(folderOf(worker), 'combined.gz')).subarray(offset, offset + length);
  const name = { jobKey: assignment.job_key, runId: assignment.run_id, attemptId: assignment.attempt_id };
  const member = readLogMember(packed, name);
  return member === null ? null : { stdout: String(member.stdout), stderr: String(member.stderr) };
}

describe('a worker that combines logs', () => {
  it('keeps the output of many jobs apart, in one file', async () => {
    const worker = startWorker(combining(8));
    const numJobs = 150;
    // long and short ones in turn, so that leftovers of a longer one would be seen
    const command = (n: number) =>
      `for i in $(seq ${(n % 5) * 40}); do echo out $TORC_JOB_KEY; done; printf e$TORC_JOB_KEY >&2`;
    worker.server.add(...Array.from({ length: numJobs }, (_, n) => ({ command: command(n + 1) })));
    await worker.exit;
    for (let key = 1; key <= numJobs; key += 1) {
      expect(logOf(worker, key)).toEqual({ stdout: `out ${key}\n`.repeat((key % 5) * 40), stderr: `e${key}` });
    }
    expect(readdirSync(folderOf(worker))).toEqual(['combined.gz']);
  });

  it('reports that a job wrote nothing, and leaves nothing behind', async () => {
    const worker = startWorker(combining());
    worker.server.add({ command: 'true' }, { command: 'exit 3' }, { command: 'rm /dev/stdout 2>&-; exec >&-' });
    await worker.exit;
    expect([...worker.server.attempts.values()].map(({ finished }) => finished?.log)).toEqual(
      Array.from({ length: 3 }, () => ({ kind: 'empty' })),
    );
    expect(existsSync(folderOf(worker))).toBe(false);
  });

  it('reports which files a job writes to, and empties them before its end is reported', async () => {
    const worker = startWorker(combining());
    worker.server.add({ command: 'echo begun; exec sleep 60' }, { command: 'echo other; exec sleep 60' });
    const slots = () => [1, 2].map((attempt) => worker.server.attempts.get(attempt)?.started?.log_slot);
    await until(() => slots().every((slot) => slot !== undefined));
    const texts = slots().map((slot) => {
      const { stdoutPath } = slotPaths(join(worker.directory, 'output'), worker.workerId, slot ?? 0);
      return () => readFileSync(stdoutPath, 'utf8');
    });
    await until(() => texts.every((text) => text() !== ''));
    expect(texts.map((text) => text())).toEqual(['begun\n', 'other\n']);
    worker.server.stop(1);
    await until(() => worker.server.attempts.get(1)?.finished?.log !== undefined);
    expect(worker.server.attempts.get(1)?.finished?.cause).toBe('canceled');
    expect(logOf(worker, 1)).toEqual({ stdout: 'begun\n', stderr: '' });
    expect(texts.map((text) => text())).toEqual(['', 'other\n']);
  });

  it('keeps the output of jobs that end together with it', async () => {
    const worker = startWorker(combining());
    worker.server.add({ command: 'echo begun; exec sleep 60' }, { command: 'echo other >&2; exec sleep 60' });
    const slots = () => [1, 2].map((attempt) => worker.server.attempts.get(attempt)?.started?.log_slot);
    await until(() => slots().every((slot) => slot !== undefined));
    const [first, second] = slots().map((slot) =>
      slotPaths(join(worker.directory, 'output'), worker.workerId, slot ?? 0),
    );
    await until(() => [first?.stdoutPath, second?.stderrPath].every((path) => readFileSync(path ?? '', 'utf8') !== ''));
    worker.signal('terminate');
    await worker.exit;
    expect(logOf(worker, 1)).toEqual({ stdout: 'begun\n', stderr: '' });
    expect(logOf(worker, 2)).toEqual({ stdout: '', stderr: 'other\n' });
    expect(readdirSync(folderOf(worker))).toEqual(['combined.gz']);
  });
});

describe('the store', () => {
  function place() {
    const output = mkdtempSync(join(tmpdir(), 'torc logs '));
    onTestFinished(() => rmSync(output, { recursive: true, force: true }));
    const clock = new FakeClock();
    const store = openLogStore(output, 'w', { clock, log: silentLog });
    const write = (slot: number, stdout: Buffer | string, stderr = '') => {
      const paths = slotPaths(output, 'w', slot);
      mkdirSync(join(paths.stdoutPath, '..'), { recursive: true });
      writeFileSync(paths.stdoutPath, stdout);
      writeFileSync(paths.stderrPath, stderr);
      const name = { jobKey: String(slot), runId: 1, attemptId: 1 };
      return { name, paths, isAbandoned: () => false };
    };
    const read = (slot: number, place: { offset: number; length: number }) => {
      const packed = Buffer.alloc(place.length);
      const file = openSync(combinedLogPath(output, 'w'), 'r');
      readSync(file, packed, 0, place.length, place.offset);
      closeSync(file);
      return readLogMember(packed, { jobKey: String(slot), runId: 1, attemptId: 1 });
    };
    return { output, store, write, read, clock };
  }

  it('keeps small and large outputs in order of arrival, and empties their files', async () => {
    const { store, write, read } = place();
    const texts = [Buffer.from('a'), Buffer.alloc(300_000, 'xyz\n'), Buffer.alloc(0), Buffer.alloc(5000, 'b')];
    const outputs = texts.map((text, at) => write(at + 1, text, at === 1 ? 'err' : ''));
    const places = await Promise.all(outputs.map((output) => store.collect(output)));
    expect(places.map((each) => each?.kind)).toEqual(['combined', 'combined', 'empty', 'combined']);
    for (const [at, each] of places.entries()) {
      if (each?.kind !== 'combined') continue;
      expect(read(at + 1, each)?.stdout.equals(texts[at] as Buffer)).toBe(true);
      expect(String(read(at + 1, each)?.stderr)).toBe(at === 1 ? 'err' : '');
    }
    expect(outputs.map(({ paths }) => statSync(paths.stdoutPath).size)).toEqual([0, 0, 0, 0]);
  });

  it('is closed soon after a write, and continues where it stopped', async () => {
    const { output, store, write, read, clock } = place();
    const isOpen = () =>
      readdirSync('/proc/self/fd').some((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === combinedLogPath(output, 'w');
        } catch {
          return false;
        }
      });
    const first = await store.collect(write(1, 'first'));
    expect(isOpen()).toBe(true);
    await clock.advance(1000);
    await until(() => !isOpen());
    const second = await store.collect(write(2, 'second'));
    expect(first?.kind === 'combined' && String(read(1, first)?.stdout)).toBe('first');
    expect(second?.kind === 'combined' && String(read(2, second)?.stdout)).toBe('second');
    await store.tidy([]);
    await until(() => !isOpen());
  });

  it('leaves outputs alone that are too large or abandoned', async () => {
    const { store, write } = place();
    const large = write(1, '');
    truncateSync(large.paths.stdoutPath, largestOutputBytes + 1);
    expect(await store.collect(large)).toBeNull();
    const late = { ...write(2, 'text'), isAbandoned: () => true };
    expect(await store.collect(late)).toBeNull();
    expect(readFileSync(late.paths.stdoutPath, 'utf8')).toBe('text');
  });

  it('continues after a failure without losing anything', async () => {
    const { output, store, write, read } = place();
    mkdirSync(combinedLogPath(output, 'w'), { recursive: true });
    const first = write(1, 'first');
    await expect(store.collect(first)).rejects.toThrow('EISDIR');
    expect(readFileSync(first.paths.stdoutPath, 'utf8')).toBe('first');
    rmSync(combinedLogPath(output, 'w'), { recursive: true });
    const again = await store.collect(first);
    expect(again?.kind === 'combined' && String(read(1, again)?.stdout)).toBe('first');
  });
});
