/** What a person holds back: a workflow that is paused, jobs that are held. Nothing is stopped, nothing ends, nothing stays stuck. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, statuses, TestWorker } from '../support/service.ts';

let clock: FakeClock;
let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  ({ service, close } = await freshService(clock));
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

const pause = (key: string, paused = true) => service.call('workflow_pause', { workflow_key: key, paused });
/** A job that names nothing. */
const unnamed = {
  ...{ resource_requirements: null, scheduler: null, failure_handler: null, priority: 0 },
  ...{ cancel_on_blocking_job_failure: true, supports_termination: false },
  ...{ input_files: [], output_files: [], input_user_data: [], output_user_data: [] },
};
const plan = { dry_run: false, expected_state: null, skip: 0 };
const status = async (key: string): Promise<string> =>
  (await service.call('workflow_show', { workflow_key: key })).status;

async function keysOf(key: string): Promise<Map<string, string>> {
  return new Map((await rows(service, 'jobs', key)).map(({ name, job_key }) => [String(name), String(job_key)]));
}

async function hold(key: string, names: string[], isHeld = true, more: Partial<typeof plan> = {}) {
  const keys = await keysOf(key);
  const job_keys = names.map((name) => keys.get(name) ?? '');
  return service.call('jobs_hold', { workflow_key: key, ...plan, ...more, job_keys, hold: isHeld });
}

describe('a paused workflow', () => {
  it('starts nothing, lets jobs end, and gives a waiting worker jobs as soon as it goes on', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[0, 2]]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    expect(await pause(key)).toMatchObject({ is_paused: true, was_paused: false, num_running: 1, num_ready: 1 });
    expect(await status(key)).toBe('running');
    await worker.finish(worker.held[0] as number, 0);
    expect(await statuses(service, key)).toMatchObject({ a: 'done', b: 'ready', c: 'ready' });
    expect(await status(key)).toBe('paused');
    const waiting = worker.exchange();
    await clock.advance(5_000);
    expect(worker.held).toEqual([]);
    expect(await pause(key, false)).toMatchObject({ is_paused: false, was_paused: true });
    // without any time passing
    await waiting;
    expect(worker.held).toHaveLength(1);
    expect((await rows(service, 'events', key)).map(({ type }) => type)).toEqual(
      expect.arrayContaining(['workflow_paused', 'workflow_resumed']),
    );
  });

  it('keeps its idle workers for ten minutes', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await pause(key);
    await clock.advance(60_000);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const asked = worker.exchange();
    await clock.advance(60_000);
    const { hold_ms } = await asked;
    expect(hold_ms).toBeGreaterThan(400_000);
    expect(hold_ms).toBeLessThanOrEqual(540_000);
    clock.set(-3_600_000);
    const afterwards = worker.exchange();
    await clock.advance(60_000);
    expect((await afterwards).hold_ms).toBeLessThanOrEqual(600_000);
  });

  it('has not ended, and is still paused after a restart', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await pause(key);
    const [row] = await rows(service, 'workflows', key);
    expect(row).toMatchObject({ ended_at: null, is_paused: true, status: 'paused' });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await service.call('workflow_restart', {
      ...{ workflow_key: key, ...plan, ignore_missing_data: false, only_uninitialized: false, keep_running: false },
      ...{ force: false, assume_stopped: false, working_directory: '/' },
    });
    void worker.exchange();
    await clock.advance(1_000);
    expect(worker.held).toEqual([]);
  });

  it('says so once, and cannot be paused after its end', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await pause(key);
    expect(await pause(key)).toMatchObject({ is_paused: true, was_paused: true });
    await pause(key, false);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 0);
    await expect(pause(key)).rejects.toMatchObject({ code: 'conflict' });
    const types = (await rows(service, 'events', key)).map(({ type }) => type);
    expect(types.filter((type) => type === 'workflow_paused')).toHaveLength(1);
  });

  it('is why its jobs wait', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await pause(key);
    const shown = await service.call('job_show', { job_key: (await keysOf(key)).get('a') ?? '' });
    expect(shown.reasons.map(({ code }) => code)).toContain('workflow_paused');
  });
});

describe('a held job', () => {
  it('is not given out until it is released; then a waiting worker gets it at once', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    expect(await hold(key, ['a'])).toMatchObject({
      num_changes: 1,
      changes: [{ job_name: 'a', old_status: 'ready', new_status: 'blocked' }],
    });
    expect(await status(key)).toBe('paused');
    expect((await rows(service, 'workflows', key))[0]).toMatchObject({ ended_at: null });
    expect((await rows(service, 'jobs', key, { held: 'true' })).map(({ name }) => name)).toEqual(['a']);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const waiting = worker.exchange();
    await clock.advance(5_000);
    expect(worker.held).toEqual([]);
    await hold(key, ['a'], false);
    await waiting;
    expect(worker.held).toHaveLength(1);
  });

  it('is held from the start where the specification, or the one who adds it, says so', async () => {
    const jobs = [{ name: 'a' }, { name: 'b', hold: true }, { name: 'c', hold: true }];
    const key = await createWorkflow(service, jobs, [[0, 2]]);
    const added = { name: 'd', command: 'x', invocation_script: null, ...unnamed, hold: true };
    await service.call('jobs_add', { workflow_key: key, jobs: [{ ...added, depends_on: ['a'] }] });
    const worker = await TestWorker.join(service, key, { cpus: 4 });
    await worker.exchange();
    expect(worker.held).toHaveLength(1);
    await worker.finish(worker.held[0] as number, 0);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'blocked', c: 'blocked', d: 'blocked' });
    expect(await status(key)).toBe('paused');
    const waiting = worker.exchange();
    await hold(key, ['b', 'c', 'd'], false);
    await waiting;
    expect(worker.held).toHaveLength(3);
  });

  it('waits for its upstreams too, whichever ends first', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    await hold(key, ['b']);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    const { leave } = await worker.finish(worker.held[0] as number, 0);
    expect(leave).toBe(false);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'blocked' });
    expect((await rows(service, 'workflows', key))[0]).toMatchObject({ ended_at: null, status: 'paused' });
    await hold(key, ['b'], false);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'ready' });
  });

  it('stays held through a start and a restart, and a canceled one through its reset', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [], { start: false });
    await hold(key, ['a']);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    expect(await statuses(service, key)).toEqual({ a: 'blocked', b: 'ready' });
    const restart = {
      ...{ workflow_key: key, ...plan, ignore_missing_data: false, only_uninitialized: false, keep_running: false },
      ...{ force: false, assume_stopped: false, working_directory: '/' },
    };
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await service.call('workflow_restart', restart);
    expect(await statuses(service, key)).toEqual({ a: 'blocked', b: 'ready' });
  });

  it.each(['cancel', 'disable', 'reset'] as const)('that was all a run waited for ends it by a %s', async (how) => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await hold(key, ['a']);
    const request = { workflow_key: key, ...plan };
    if (how === 'cancel') await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    else if (how === 'disable') await service.call('jobs_disable', { ...request, job_keys: ['1'] });
    else await service.call('jobs_reset', { ...request, which: ['1'] });
    await service.write(() => null);
    expect((await rows(service, 'workflows', key))[0]?.ended_at).not.toBeNull();
  });

  it('does not keep a run open that can not go on to it', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    await hold(key, ['b']);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 1);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'canceled' });
    expect((await rows(service, 'workflows', key))[0]?.ended_at).not.toBeNull();
  });

  it('leaves out those that run or are done, and names them', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    expect(await hold(key, ['a', 'b', 'c'])).toMatchObject({
      changes: [{ job_name: 'c', new_status: 'blocked' }],
      num_changes: 1,
      kept: [
        { job_name: 'a', status: 'done', reason: 'it has ended' },
        { job_name: 'b', status: 'submitted_pending', reason: 'it has started' },
      ],
      num_kept: 2,
    });
    // a release changes whatever a person holds
    expect(await hold(key, ['a', 'b', 'c'], false)).toMatchObject({ num_changes: 1, kept: [], num_kept: 0 });
  });

  it('changes nothing in a dry run, and when all of the jobs run or one does not exist', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const before = service.db.all('SELECT * FROM jobs');
    expect(await hold(key, ['a', 'b'], true, { dry_run: true })).toMatchObject({ num_changes: 2 });
    expect(service.db.all('SELECT * FROM jobs')).toEqual(before);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    const now = service.db.all('SELECT * FROM jobs');
    await expect(hold(key, ['a'])).rejects.toMatchObject({
      code: 'conflict',
      message: /a \(job \d+\) is submitted/,
    });
    await expect(hold(key, ['b', 'nothing'])).rejects.toMatchObject({ code: 'usage' });
    const unknown = { workflow_key: key, ...plan, job_keys: ['1', '999999'], hold: true };
    await expect(service.call('jobs_hold', unknown)).rejects.toMatchObject({ code: expect.any(String) });
    expect(service.db.all('SELECT * FROM jobs')).toEqual(now);
  });

  it('is told in the reasons of the job and of the demand', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await hold(key, ['a']);
    const shown = await service.call('job_show', { job_key: (await keysOf(key)).get('a') ?? '' });
    expect(shown.reasons).toContainEqual({ code: 'held', kind: 'person', until: null });
    expect(shown.why).toContain('It is held until somebody releases it');
    const { demand } = await service.call('demand', { workflow_key: key });
    expect(demand[0]?.reasons).toContainEqual({ code: 'held', kind: 'person', until: null });
  });
});
