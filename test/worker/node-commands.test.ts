/** Commands of actions on a worker's node: before the first job, after the last one, never twice. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WorkerCommands } from '../../src/api/contract.ts';
import { defaultSettings, FakeServer } from './fake-server.ts';
import { startWorker, until } from './run.ts';

let firing = 0;
function commands(when: WorkerCommands['when'], ...lines: string[]): WorkerCommands {
  firing += 1;
  return { firing, action_key: '5', run_id: 2, when, commands: lines };
}

/** A directory for what commands and jobs write. */
function folder(): { path: string; log: () => string } {
  const path = mkdtempSync(join(tmpdir(), 'torc commands '));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return { path, log: () => readFileSync(join(path, 'log'), 'utf8') };
}

describe('a worker', () => {
  it('runs its start commands before the first job, and its end commands after the last', async () => {
    const { path, log } = folder();
    const write = (word: string) => `echo "${word}" >> '${path}/log'`;
    const server = new FakeServer();
    const start = commands(
      'start',
      `sleep 0.3; ${write('start $TORC_RUN_ID $TORC_ACTION_KEY')}`,
      'echo seen; exit 4',
      write('no'),
    );
    const end = commands('complete', write('end'));
    server.actions = [end, start];
    server.add({ command: write('job') });
    const worker = startWorker(server);
    expect(await worker.exit).toMatchObject({ reason: 'complete', numJobs: 1 });
    expect(log()).toBe('start 2 5\njob\nend\n');
    const output_path = join(worker.directory, 'actions', `${start.firing}.out`);
    expect(readFileSync(output_path, 'utf8')).toBe('seen\n');
    expect([...server.commandReports.values()]).toMatchObject([
      { firing: start.firing, return_codes: [0, 4], output_path, error: 'return code 4 of: echo seen; exit 4' },
      { firing: end.firing, return_codes: [0], error: null },
    ]);
    // no job was requested before the node was ready
    expect(server.seen.find((request) => (request.actions ?? []).length > 0)?.held).toEqual([]);
    expect(server.hasLeft).toBe(true);
  });

  it('runs them once even when it registers again, and reports them until the server has answered', async () => {
    const { path, log } = folder();
    const server = new FakeServer();
    server.actions = [commands('start', `echo x >> '${path}/log'`)];
    server.repliesToLose = 2;
    const worker = startWorker(server);
    await until(() => server.commandReports.size === 1);
    server.forgetWorkers();
    await until(() => server.hellos.length === 2);
    server.add({ command: 'true' });
    await worker.exit;
    expect(log()).toBe('x\n');
  });

  it('that leaves because no work comes runs its end commands first', async () => {
    const { path, log } = folder();
    const server = new FakeServer();
    server.settings = { ...defaultSettings, wait_for_new_jobs_seconds: 0 };
    server.completes = false;
    const end = commands('complete', `echo end >> '${path}/log'`);
    server.actions = [end];
    const worker = startWorker(server);
    expect(await worker.exit).toMatchObject({ reason: 'idle' });
    expect(log()).toBe('end\n');
    expect(server.commandReports.get(end.firing)).toMatchObject({ error: null });
    expect(server.hasLeft).toBe(true);
  });

  it('that is asked to stop ends running commands and starts none', async () => {
    const { path } = folder();
    const server = new FakeServer();
    const start = commands('start', `touch '${path}/up'; sleep 300`);
    server.actions = [start, commands('complete', `touch '${path}/no'`)];
    const worker = startWorker(server);
    await until(() => existsSync(join(path, 'up')));
    worker.signal('terminate');
    expect(await worker.exit).toMatchObject({ reason: 'stopped' });
    expect([...server.commandReports.values()]).toMatchObject([
      { firing: start.firing, error: 'interrupted: the worker ended' },
    ]);
    expect(existsSync(join(path, 'no'))).toBe(false);
  });
});
