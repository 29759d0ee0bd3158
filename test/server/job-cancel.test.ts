/** Single jobs that a person cancels: at once or when they have stopped, and what is downstream of them. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService(new FakeClock()));
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

const plan = { dry_run: false, expected_state: null, skip: 0 };
const cancel = (key: string, jobs: number[], more: Partial<typeof plan> = {}) =>
  service.call('jobs_cancel', { workflow_key: key, ...plan, ...more, job_keys: jobs.map(String) });

/** a -> b -> c, and d beside them, the first and the last of which one worker runs. */
async function running(): Promise<{ key: string; worker: TestWorker }> {
  const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name, failureHandler: 0 }));
  const edges: [number, number][] = [
    [0, 1],
    [1, 2],
  ];
  const key = await createWorkflow(service, jobs, edges, { failureHandlers: [[rule()]] });
  const worker = await TestWorker.join(service, key, { cpus: 2 });
  await worker.exchange();
  return { key, worker };
}

const terminated = (attempt: number) => ({
  ...finished(attempt),
  ...{ status: 'terminated' as const, return_code: null, cause: 'canceled' as const, exit_code: null },
});

it('a running job is stopped and not retried; its downstream jobs follow when it has stopped', async () => {
  const { key, worker } = await running();
  const [a, d] = worker.held as [number, number];
  const asked = worker.exchange();
  expect(await cancel(key, [1])).toMatchObject({
    num_stopping: 1,
    changes: [{ job_name: 'a', old_status: 'submitted_pending', new_status: 'canceled' }],
  });
  expect((await asked).stop).toEqual([{ attempt: a, reason: 'cancel' }]);
  expect(await statuses(service, key)).toMatchObject({ b: 'blocked', c: 'blocked' });
  worker.held = [d];
  await worker.exchange({ finished: [terminated(a)] });
  expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled', c: 'canceled', d: 'submitted_pending' });
  await worker.finish(d);
  expect((await rows(service, 'workflows', key))[0]).toMatchObject({ status: 'failed', num_done: 1, num_canceled: 3 });
  const shown = await service.call('job_show', { job_key: '1' });
  expect(shown.reasons).toContainEqual({ code: 'canceled_by_person' });
});

it('a waiting job is canceled at once with its downstream jobs, the others go on, and a restart brings all back', async () => {
  const { key, worker } = await running();
  const planned = await cancel(key, [2], { dry_run: true });
  expect(planned).toMatchObject({
    num_stopping: 0,
    changes: [
      { job_name: 'b', old_status: 'blocked', new_status: 'canceled', reason: 'selected' },
      { job_name: 'c', old_status: 'blocked', new_status: 'canceled', reason: 'downstream of job 2' },
    ],
  });
  expect(await statuses(service, key)).toMatchObject({ b: 'blocked', c: 'blocked' });
  expect(await cancel(key, [2])).toEqual({ ...planned, dry_run: false });
  for (const attempt of [...worker.held]) await worker.finish(attempt);
  expect(await statuses(service, key)).toEqual({ a: 'done', b: 'canceled', c: 'canceled', d: 'done' });
  await service.call('workflow_restart', {
    ...{ workflow_key: key, ...plan, ignore_missing_data: false, only_uninitialized: false, keep_running: false },
    ...{ force: false, assume_stopped: false, working_directory: '/' },
  });
  expect(await statuses(service, key)).toEqual({ a: 'done', b: 'ready', c: 'blocked', d: 'done' });
});

it('of several those that have ended are left out, and named', async () => {
  const { key, worker } = await running();
  await worker.finish(worker.held[0] as number);
  const planned = await cancel(key, [1, 4, 3], { dry_run: true });
  expect(planned).toMatchObject({
    num_stopping: 1,
    changes: [
      { job_name: 'd', reason: 'its processes are stopped first' },
      { job_name: 'c', reason: 'selected' },
    ],
    kept: [{ job_key: '1', job_name: 'a', status: 'done', reason: 'it has ended' }],
    num_kept: 1,
  });
  expect(await cancel(key, [1, 4, 3])).toEqual({ ...planned, dry_run: false });
  expect(await statuses(service, key)).toMatchObject({ a: 'done', c: 'canceled' });
});

it('nothing is canceled when all have ended, one belongs to another workflow, or nothing has started', async () => {
  const { key, worker } = await running();
  const other = await createWorkflow(service, [{ name: 'x' }], [], { start: false });
  await worker.finish(worker.held[0] as number);
  await expect(cancel(key, [1])).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringMatching(/a \(job 1\) is done/),
  });
  await expect(cancel(key, [4, 5])).rejects.toMatchObject({ code: 'not_found' });
  await expect(cancel(other, [5])).rejects.toMatchObject({ code: 'conflict' });
  expect(service.db.all('SELECT 1 FROM attempts WHERE stop_reason IS NOT NULL')).toEqual([]);
  expect(await statuses(service, key)).toMatchObject({ a: 'done', d: 'submitted_pending' });
});

it('one that is canceled already changes nothing', async () => {
  const { key } = await running();
  await cancel(key, [3]);
  expect(await cancel(key, [3])).toMatchObject({ num_changes: 0, changes: [] });
});
