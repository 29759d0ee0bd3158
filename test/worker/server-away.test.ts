/** A worker and a server that goes away, comes back, forgets, or loses replies. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSpool } from '../../src/api/spool.ts';
import { TorcError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { workerPaths } from '../../src/base/paths.ts';
import { version } from '../../src/base/version.ts';
import { defaultSettings, FakeServer } from './fake-server.ts';
import { startWorker, until } from './run.ts';

describe('a server that goes away', () => {
  it('comes back to jobs that continued, and gets their ends once', async () => {
    const worker = startWorker();
    const { server } = worker;
    const wait = 'until [ -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done';
    server.add({ command: `${wait}; echo done` }, { command: `${wait}; exit 3` });
    await until(() => [1, 2].every((attempt) => server.attempts.get(attempt)?.started != null));
    server.goDown();
    writeFileSync(join(worker.directory, 'output/go'), '');
    const { spoolPath } = workerPaths(worker.directory, worker.workerId);
    await until(() => existsSync(spoolPath) && readSpool(spoolPath).reports.length === 2);
    const spooled = readSpool(spoolPath);
    expect(spooled.numDamaged).toBe(0);
    const codes = new Map(spooled.reports.map((report) => [report.attempt, report.finished?.return_code]));
    expect(codes).toEqual(
      new Map([
        [1, 0],
        [2, 3],
      ]),
    );
    expect(Math.abs((spooled.reports[0]?.ended_at_ms ?? 0) - Date.now())).toBeLessThan(60_000);
    server.goUp();
    expect(await worker.exit).toEqual({ reason: 'complete', numJobs: 2, numFailed: 1 });
    expect(server.attempts.get(2)?.finished).toMatchObject({ return_code: 3 });
    // the age of the end counts from the end, not from its delivery
    expect(server.attempts.get(2)?.finished?.age_ms).toBeGreaterThan(900);
    expect(existsSync(workerPaths(worker.directory, worker.workerId).directory)).toBe(false);
  });

  it.each([
    ['is away', 'unreachable'],
    ['has no room', 'no_space'],
  ] as const)('and %s finds on disk what it never got when the worker had to end', async (_what, code) => {
    const worker = startWorker();
    const { server } = worker;
    server.add({ command: 'sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    server.downError = new TorcError(code, 'not now');
    server.goDown();
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    const { reports } = readSpool(workerPaths(worker.directory, worker.workerId).spoolPath);
    expect(reports).toMatchObject([{ attempt: 1, worker_id: worker.workerId, finished: { status: 'terminated' } }]);
  });

  it.each(['at once', 'after other signals'])(
    'and gives the worker up: jobs that write checkpoints end well before their lead (%s)',
    async (when) => {
      const server = new FakeServer();
      server.settings = { ...defaultSettings, sigterm_lead_seconds: 600 };
      const worker = startWorker(server);
      server.add({ command: 'trap "" TERM; while :; do sleep 1; done', supports_termination: true });
      await until(() => server.attempts.get(1)?.started != null);
      server.goDown();
      if (when !== 'at once') worker.signal('warning');
      const { directory, stopPath } = workerPaths(worker.directory, worker.workerId);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      writeFileSync(stopPath, '', { mode: 0o600 });
      expect(await worker.exit).toMatchObject({ reason: 'gone' });
      expect(worker.processes()).toEqual([]);
    },
  );

  it('finds in its directory the reports that it never got, although the first write there failed', async () => {
    const told: string[] = [];
    const log = { ...silentLog, error: (_fields: object, text: string) => told.push(text) };
    const worker = startWorker(new FakeServer(), {}, log);
    const { server } = worker;
    server.add({ command: 'while [ ! -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done; exit 3' });
    await until(() => server.attempts.get(1)?.started != null);
    const inTheWay = join(worker.directory, 'workers');
    writeFileSync(inTheWay, '');
    server.goDown();
    writeFileSync(join(worker.directory, 'output/go'), '');
    await until(() => told.includes('the spool is on this node only'));
    rmSync(inTheWay);
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped', numJobs: 1 });
    const { reports } = readSpool(workerPaths(worker.directory, worker.workerId).spoolPath);
    expect(reports).toMatchObject([{ attempt: 1, finished: { return_code: 3 } }]);
  });

  it('is given up by an idle worker after the time set by the workflow', async () => {
    const server = new FakeServer();
    server.completes = false;
    server.settings = { ...defaultSettings, wait_for_healthy_database_minutes: 0 };
    const worker = startWorker(server);
    await until(() => server.seen.length > 0);
    server.goDown();
    expect(await worker.exit).toMatchObject({ reason: 'server_lost', numJobs: 0 });
  });
});

describe('a server that misbehaves', () => {
  it('may lose any reply: every job runs once and ends once', async () => {
    const worker = startWorker();
    const { server } = worker;
    server.repliesToLose = 3;
    const command = 'echo "$TORC_ATTEMPT_KEY" >> "$TORC_OUTPUT_DIR/ran"';
    server.add(...Array.from({ length: 8 }, () => ({ command })));
    await until(() => server.numFinished > 2);
    server.repliesToLose = 2;
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 8 });
    const ran = readFileSync(`${worker.directory}/output/ran`, 'utf8').trim().split('\n').map(Number);
    expect(ran.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('may forget the worker: it registers again under the same name and continues', async () => {
    const worker = startWorker();
    const { server } = worker;
    server.add({ command: 'while [ ! -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done' });
    await until(() => server.attempts.get(1)?.started != null);
    server.epoch = 2;
    server.forgetWorkers();
    await until(() => server.hellos.length === 2);
    server.add({ command: 'touch "$TORC_OUTPUT_DIR/go"' });
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 2 });
    expect(new Set(server.hellos.map((hello) => hello.worker_id)).size).toBe(1);
    expect(server.seen.find((request) => request.epoch === 2)?.held).toEqual([1]);
  });

  it('is not asked in a tight loop while it repeats a stop', async () => {
    const worker = startWorker();
    const { server } = worker;
    server.add({ command: 'trap "" TERM; sleep 300; sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    const before = server.seen.length;
    server.stop(1);
    await worker.exit;
    expect(server.seen.length - before).toBeLessThan(20);
  });
});

describe('a server of another protocol', () => {
  const refusal = new TorcError('incompatible', 'the worker speaks protocol 1, the server (torc 9.0.0) protocol 2');
  const ended = { code: 'incompatible', exitCode: 5, message: `${refusal.message}; the worker is torc ${version()}` };

  it('is asked once by a worker without jobs', async () => {
    const server = new FakeServer();
    server.helloError = refusal;
    await expect(startWorker(server).exit).rejects.toMatchObject(ended);
    expect(server.hellos).toHaveLength(1);
  });

  it('starts no more jobs, and finds the results of running ones in the spool', async () => {
    const worker = startWorker(new FakeServer(), { maxParallelJobs: 1 });
    const { server } = worker;
    const wait = 'while [ ! -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done; exit 3';
    server.add({ command: wait }, { command: 'true' });
    await until(() => server.attempts.get(1)?.started != null && server.attempts.has(2));
    server.downError = refusal;
    server.goDown();
    const { spoolPath } = workerPaths(worker.directory, worker.workerId);
    await until(() => existsSync(spoolPath) && readSpool(spoolPath).reports.length === 1);
    writeFileSync(join(worker.directory, 'output/go'), '');
    await expect(worker.exit).rejects.toMatchObject(ended);
    expect(worker.processes()).toEqual([]);
    expect(readSpool(spoolPath).reports).toMatchObject([
      { attempt: 2, finished: null },
      { attempt: 1, finished: { return_code: 3 } },
    ]);
  });

  it('gets the results from the worker when a server of the same protocol replaces it in time', async () => {
    const told: string[] = [];
    const log = { ...silentLog, error: (_fields: object, text: string) => told.push(text) };
    const worker = startWorker(new FakeServer(), {}, log);
    const { server } = worker;
    server.add({ command: 'while [ ! -e "$TORC_OUTPUT_DIR/go" ]; do sleep 0.02; done; exit 3' });
    await until(() => server.attempts.get(1)?.started != null);
    server.downError = refusal;
    server.goDown();
    await until(() => told.length > 0);
    server.goUp();
    const numSeen = server.seen.length;
    await until(() => server.seen.length > numSeen);
    writeFileSync(join(worker.directory, 'output/go'), '');
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 1, numFailed: 1 });
    expect(server.attempts.get(1)?.finished).toMatchObject({ return_code: 3 });
  });

  it('does not delay a worker that a signal stops', async () => {
    const worker = startWorker();
    const { server } = worker;
    server.add({ command: 'sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    server.downError = refusal;
    server.goDown();
    worker.signal('terminate');
    await expect(worker.exit).rejects.toMatchObject(ended);
    const { reports } = readSpool(workerPaths(worker.directory, worker.workerId).spoolPath);
    expect(reports).toMatchObject([{ attempt: 1, finished: { status: 'terminated' } }]);
  });
});

describe('a worker that is not needed', () => {
  it('ends at once when a later process has taken its place', async () => {
    const server = new FakeServer();
    server.helloAnswer = 'gone';
    expect(await startWorker(server).exit).toMatchObject({ reason: 'gone', numJobs: 0 });
  });

  it('fails when there is no such workflow', async () => {
    const server = new FakeServer();
    server.helloError = new TorcError('not_found', 'there is no workflow 7', 'torc workflows list');
    await expect(startWorker(server).exit).rejects.toThrow('there is no workflow 7');
  });

  it('waits while its place is still taken', async () => {
    const server = new FakeServer();
    server.helloError = new TorcError('conflict', 'the old process is not known to be dead', null);
    const worker = startWorker(server);
    await until(() => server.hellos.length === 2);
    server.helloError = null;
    server.add({ command: 'true' });
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 1 });
  });

  it('leaves when it has had no work for a while, and says so', async () => {
    const server = new FakeServer();
    server.completes = false;
    const worker = startWorker(server, { waitForNewJobsSeconds: 0 });
    server.add({ command: 'true' });
    expect(await worker.exit).toMatchObject({ reason: 'idle', numJobs: 1 });
    expect(server.hasLeft).toBe(true);
    expect(server.seen.at(-1)).toMatchObject({ leaving: true, draining: true, held: [] });
  });

  it('does not leave before the server, which stands still for longer, has answered whether there is work', async () => {
    const server = new FakeServer();
    server.isStopped = true;
    server.add({ command: 'exit 0' });
    const worker = startWorker(server, { waitForNewJobsSeconds: 0 });
    // the second one says that it leaves, or asks for an answer
    await until(() => server.numArrived === 2);
    server.isStopped = false;
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 1 });
  });

  it('stops its jobs when it is cut off and finds that it was given up', async () => {
    const worker = startWorker();
    const { server } = worker;
    server.add({ command: 'sleep 300' });
    await until(() => server.attempts.get(1)?.started != null);
    const { directory, stopPath, spoolPath } = workerPaths(worker.directory, worker.workerId);
    mkdirSync(directory, { recursive: true });
    writeFileSync(stopPath, '');
    server.goDown();
    expect(await worker.exit).toMatchObject({ reason: 'gone', numJobs: 1 });
    expect(worker.processes()).toEqual([]);
    expect(readSpool(spoolPath).reports).toMatchObject([
      { attempt: 1, finished: { status: 'terminated', cause: 'node_failure' } },
    ]);
  });
});
