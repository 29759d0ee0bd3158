/** SIGKILL of servers and workers in the middle of work: nothing acknowledged is lost, nothing runs twice. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { readServerFile } from '../../src/api/server-file.ts';
import { isProcessAlive } from '../../src/base/proc.ts';
import { Database } from '../../src/storage/database/database.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { killIfThere, killLeftovers, pidsNaming, type Running, startTorc, torc, torcJson } from '../support/torc.ts';

let place: string;
let dir: string;
let running: Running[];

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'torc crash '));
  dir = join(place, 'server');
  running = [];
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  killLeftovers(place);
  rmSync(place, { recursive: true, force: true });
});

function start(...args: string[]): Running {
  const process = startTorc(['--dir', dir, ...args], { cwd: place });
  running.push(process);
  return process;
}

async function startServer(): Promise<Running> {
  const server = start('server', 'start');
  await expect
    .poll(async () => {
      if (readServerFile(dir)?.pid !== server.child.pid) return false;
      const client = openClient(dir);
      return await client.call('server_info', {}).then(
        () => client.close().then(() => true),
        () => client.close().then(() => false),
      );
    })
    .toBe(true);
  return server;
}

/** Each job writes one line with its key when it starts, and works for a moment. */
async function createLogging(numJobs: number): Promise<{ key: string; log: string }> {
  const log = join(place, 'started.log');
  writeFileSync(log, '');
  const commands = Array.from({ length: numJobs }, () => `echo $TORC_JOB_KEY >> '${log}'; sleep 0.02`);
  writeFileSync(join(place, 'commands.txt'), `${commands.join('\n')}\n`);
  const made = await torcJson<{ workflow_key: string }>(
    ['--dir', dir, 'workflows', 'create-from-commands-file', 'commands.txt'],
    { cwd: place },
  );
  await torcJson(['--dir', dir, 'workflows', 'start', made.workflow_key]);
  return { key: made.workflow_key, log };
}

interface Shown {
  status: string;
  num_done: number;
  num_failed: number;
}

async function shown(key: string): Promise<Shown> {
  return (await torcJson<{ workflows: Shown[] }>(['--dir', dir, 'workflows', 'list', '-f', `workflow_key=${key}`]))
    .workflows[0] as Shown;
}

function checkDatabase(): void {
  const db = Database.open(join(dir, 'torc.db'));
  try {
    expect(brokenInvariants(db)).toEqual([]);
  } finally {
    db.close();
  }
}

it('a cancel after the server was killed reaches the worker, and says when the job is stopped', async () => {
  writeFileSync(join(place, 'c.txt'), 'touch started; while :; do sleep 0.1; done\n');
  const run = startTorc(['--dir', dir, 'run', 'c.txt'], { cwd: place });
  running.push(run);
  await expect.poll(() => existsSync(join(place, 'started')), { timeout: 60_000 }).toBe(true);
  run.child.kill('SIGKILL');
  await run.ended;
  const canceled = await torc(['--dir', dir, 'workflows', 'cancel', '1'], { cwd: place });
  expect(canceled).toMatchObject({ code: 0, stdout: expect.stringContaining('(1 running job was stopped)') });
  const listed = await torcJson<{ jobs: unknown[] }>(['--dir', dir, 'jobs', 'list'], { cwd: place });
  expect(listed.jobs).toMatchObject([{ status: 'canceled' }]);
});

describe('SIGKILL', () => {
  it('of everything except the jobs: a cancel ends them, even one that ignores SIGTERM', async () => {
    const commands = ['heeds', 'deaf'].map((name) => {
      const trap = name === 'deaf' ? "trap '' TERM; " : '';
      return `${trap}echo $$ > '${join(place, name)}'; while true; do sleep 0.1; done`;
    });
    writeFileSync(join(place, 'commands.txt'), `${commands.join('\n')}\n`);
    const run = start('run', 'commands.txt', '-m', '2');
    const pidOf = (name: string) => Number(existsSync(join(place, name)) ? readFileSync(join(place, name)) : 0);
    await expect.poll(() => Math.min(pidOf('heeds'), pidOf('deaf'))).toBeGreaterThan(0);
    for (const pid of pidsNaming(place)) if (pid !== pidOf('heeds') && pid !== pidOf('deaf')) killIfThere(pid);
    await run.ended;
    const alive = () => ['heeds', 'deaf'].map((name) => isProcessAlive(pidOf(name), null));
    expect(alive()).toEqual([true, true]);
    await torcJson(['--dir', dir, 'workflows', 'cancel', '1'], { cwd: place });
    expect(alive()).toEqual([false, false]);
    expect(await shown('1')).toMatchObject({ status: 'canceled' });
    checkDatabase();
  });

  it('of the server, again and again: every job runs once and every result is kept', async () => {
    const numJobs = 240;
    let server = await startServer();
    const { key, log } = await createLogging(numJobs);
    const worker = start('jobs', 'run', key, '-m', '4', '--cpus', '4', '-o', join(place, 'out'));
    const lines = () => readFileSync(log, 'utf8').split('\n').length - 1;
    for (const share of [0.1, 0.3, 0.5, 0.7]) {
      await expect.poll(lines).toBeGreaterThan(numJobs * share);
      server.child.kill('SIGKILL');
      await server.ended;
      server = await startServer();
    }
    expect((await worker.ended).code).toBe(0);
    const started = readFileSync(log, 'utf8').trim().split('\n');
    expect(started).toHaveLength(numJobs);
    expect(new Set(started).size).toBe(numJobs);
    expect(await shown(key)).toMatchObject({ status: 'done', num_done: numJobs, num_failed: 0 });
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
    checkDatabase();
  });

  it('of a worker: its jobs stay submitted and have no result', async () => {
    const server = await startServer();
    const pidFile = join(place, 'job.pid');
    writeFileSync(join(place, 'commands.txt'), `echo $$ > '${pidFile}'; exec sleep 1000\n`);
    const made = await torcJson<{ workflow_key: string }>(
      ['--dir', dir, 'workflows', 'create-from-commands-file', 'commands.txt'],
      { cwd: place },
    );
    const key = made.workflow_key;
    await torcJson(['--dir', dir, 'workflows', 'start', key]);
    const worker = start('jobs', 'run', key, '-o', join(place, 'out'));
    const status = async () =>
      (await torcJson<{ jobs: { status: string }[] }>(['--dir', dir, 'jobs', 'list', '-k', key])).jobs[0]?.status;
    await expect.poll(status).toBe('submitted');
    const jobPid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0);
    await expect.poll(jobPid).toBeGreaterThan(0);
    worker.child.kill('SIGKILL');
    await worker.ended;
    expect(await status()).toBe('submitted');
    expect((await torcJson<{ results: unknown[] }>(['--dir', dir, 'results', 'list', '-k', key])).results).toEqual([]);
    server.child.kill('SIGTERM');
    await server.ended;
    checkDatabase();
    // the job outlives its worker, so this test ends it
    process.kill(jobPid(), 'SIGKILL');
  });

  it('of a `torc run`: the database opens, and `jobs run` carries on', async () => {
    const numJobs = 120;
    const log = join(place, 'started.log');
    writeFileSync(log, '');
    const commands = Array.from({ length: numJobs }, () => `echo $TORC_JOB_KEY >> '${log}'; sleep 0.05`);
    writeFileSync(join(place, 'commands.txt'), `${commands.join('\n')}\n`);
    const run = start('run', 'commands.txt', '-m', '2', '-o', 'out');
    const lines = () => readFileSync(log, 'utf8').split('\n').length - 1;
    await expect.poll(lines).toBeGreaterThan(20);
    run.child.kill('SIGKILL');
    await run.ended;
    const carryOn = await torc(['--dir', dir, 'jobs', 'run', '1', '-m', '2', '-o', 'out'], { cwd: place });
    expect(carryOn.stderr).not.toContain('error');
    await expect.poll(async () => (await shown('1')).status).toBe('done');
    const started = readFileSync(log, 'utf8').trim().split('\n');
    expect(new Set(started).size).toBe(numJobs);
    expect(started).toHaveLength(numJobs);
    checkDatabase();
  });
});
