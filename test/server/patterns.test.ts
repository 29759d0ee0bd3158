/** Plans for all jobs that a pattern matches: what a dry run says of each job is what happens to it, in every situation at once. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Plan } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

beforeEach(async () => {
  ({ service, close } = await freshService(new FakeClock()));
});

const plan = { dry_run: false, expected_state: null, skip: 0, job_keys: [] };
const names = [
  'good',
  'running',
  'claimed',
  'again',
  'lost',
  'held',
  'ready',
  'canceled',
  'late',
  'later',
  'kept',
  'end',
];

/**
 * late waits for running, later for late, kept for later although that may fail, and end for all three behind a barrier.
 * An action counts the jobs; `again` waits for its next attempt.
 */
async function mixedWorkflow(): Promise<string> {
  const jobs = names.map((name) => ({
    name,
    hold: name === 'held',
    cancelOnFailure: name !== 'kept',
    ...(name === 'again' ? { failureHandler: 0 } : {}),
    ...(name === 'ready' ? { maxWaitMs: 60_000 } : {}),
  }));
  const edges: [number, number][] = [
    ...[
      [1, 8],
      [8, 9],
      [9, 10],
    ].map(([from, to]): [number, number] => [from as number, to as number]),
    ...[8, 9, 10].map((from): [number, number] => [from, -1]),
    [-1, 11],
  ];
  const key = await createWorkflow(service, jobs, edges, {
    numBarriers: 1,
    failureHandlers: [[rule({ retry_delay_ms: 3_600_000 })]],
    actions: [{ trigger: 'on_jobs_complete', jobs: names.map((_, index) => index) }],
  });
  await service.call('workflow_modify', { workflow_key: key, changes: { max_losses: 0 } });
  await service.call('jobs_cancel', { ...plan, workflow_key: key, job_names: ['canceled'] });
  const worker = await TestWorker.join(service, key, { cpus: 5 });
  await worker.exchange();
  const [good = 0, running = 0, claimed = 0, again = 0] = worker.held;
  worker.held = [running, claimed];
  const started = [{ attempt: running, age_ms: 1, pid: 1 }];
  await worker.exchange({ finished: [finished(good), finished(again, 1)], started, draining: true });
  expect(await statuses(service, key)).toEqual({
    ...{
      good: 'done',
      running: 'submitted',
      claimed: 'submitted_pending',
      again: 'blocked',
      lost: 'submitted_pending',
    },
    ...{ held: 'blocked', ready: 'ready', canceled: 'canceled' },
    ...{ late: 'blocked', later: 'blocked', kept: 'blocked', end: 'blocked' },
  });
  return key;
}

/** Makes the plan, applies it, and compares it with what became of the jobs. */
async function applied(key: string, ask: (dry_run: boolean) => Promise<Plan>): Promise<Record<string, string>> {
  const before = await statuses(service, key);
  const stored = service.db.all('SELECT * FROM jobs');
  const dry = await ask(true);
  expect(service.db.all('SELECT * FROM jobs')).toEqual(stored);
  const done = await ask(false);
  expect({ ...done, dry_run: true }).toEqual(dry);
  expect(done.num_changes).toBe(done.changes.length);
  const after = await statuses(service, key);
  for (const { job_name, old_status, new_status } of done.changes) {
    expect({ job_name, status: before[job_name] }).toEqual({ job_name, status: old_status });
    // a process ends first
    const isStopping = new_status === 'canceled' && ['running', 'claimed'].includes(job_name);
    expect({ job_name, status: after[job_name] }).toEqual({ job_name, status: isStopping ? old_status : new_status });
  }
  const changed = new Set(done.changes.map(({ job_name }) => job_name));
  // a job that may go on after a failure is ready when the last one that it waits for is canceled
  const others = names.filter((name) => !changed.has(name) && after[name] !== before[name]);
  for (const name of others) expect([before[name], after[name]]).toEqual(['blocked', 'ready']);
  expect(changed.size).toBe(done.changes.length);
  return after;
}

const hold = (key: string, isHeld: boolean, job_names = ['*']) =>
  applied(key, (dry_run) =>
    service.call('jobs_hold', { ...plan, workflow_key: key, job_names, dry_run, hold: isHeld }),
  );
const cancel = (key: string, job_names = ['*']) =>
  applied(key, (dry_run) => service.call('jobs_cancel', { ...plan, workflow_key: key, job_names, dry_run }));

it('all are held and released again', async () => {
  const key = await mixedWorkflow();
  const before = await statuses(service, key);
  expect(await hold(key, true)).toEqual({ ...before, ready: 'blocked' });
  const held = (await rows(service, 'jobs', key, { held: 'true' })).map(({ name }) => name);
  expect(held).toEqual(['again', 'held', 'ready', 'canceled', 'late', 'later', 'kept', 'end']);
  expect(await hold(key, true)).toEqual({ ...before, ready: 'blocked' });
  expect(await hold(key, false)).toEqual({ ...before, held: 'ready' });
  expect((await rows(service, 'jobs', key, { name: 'ready' }))[0]?.expires_at).not.toBeNull();
  const types = (await rows(service, 'events', key)).map(({ type }) => type);
  expect(types.filter((type) => type === 'job_held')).toHaveLength(7);
  expect(types.filter((type) => type === 'job_released')).toHaveLength(8);
});

it('all are canceled: waiting ones at once, running ones when they have stopped', async () => {
  const key = await mixedWorkflow();
  const canceled = Object.fromEntries(names.map((name) => [name, 'canceled']));
  const claimed = { running: 'submitted', claimed: 'submitted_pending' };
  expect(await cancel(key)).toEqual({ ...canceled, good: 'done', ...claimed });
  const after = await statuses(service, key);
  // what has ended is left out, and what is canceled stays so
  expect(await cancel(key, ['good', 'held*', 'late*'])).toEqual(after);
  expect(await cancel(key, ['good']).catch(({ code }) => code)).toBe('conflict');
});

it('jobs downstream of those that are canceled follow', async () => {
  const key = await mixedWorkflow();
  const before = await statuses(service, key);
  const after = { late: 'canceled', later: 'canceled', end: 'canceled' };
  expect(await cancel(key, ['late'])).toEqual({ ...before, ...after, kept: 'ready' });
});

it('a page is a part of the whole plan', async () => {
  const key = await mixedWorkflow();
  for (const ask of [
    (skip: number) =>
      service.call('jobs_cancel', { ...plan, workflow_key: key, job_names: ['late'], dry_run: true, skip }),
    (skip: number) =>
      service.call('jobs_hold', { ...plan, workflow_key: key, job_names: ['*'], dry_run: true, skip, hold: true }),
  ]) {
    const whole = await ask(0);
    expect(whole.changes.length).toBeGreaterThan(2);
    for (const [skip] of whole.changes.entries()) {
      expect(await ask(skip)).toMatchObject({ num_changes: whole.num_changes, changes: whole.changes.slice(skip) });
    }
  }
});
