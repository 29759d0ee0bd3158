/** What earlier runs have left behind is removed; what anybody still reads stays. */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Reply } from '../../src/api/contract.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { oldWorkflowSql } from '../../src/storage/lists/old-logs.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

let directory: string;
let clock: FakeClock;
let service: Service;

const day = 86_400;

beforeEach(async () => {
  directory = temporaryDirectory();
  clock = new FakeClock();
  service = await openService(directory, clock, 'test');
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  expect((await service.call('server_check', {})).problems).toEqual([]);
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Runs what is ready to its end; `fails` fails. */
async function runAll(key: string): Promise<void> {
  const worker = await TestWorker.join(service, key);
  for (const { attempt, job_name } of (await worker.exchange()).jobs) {
    await worker.finish(attempt, job_name === 'fails' ? 3 : 0, { draining: true });
  }
  await worker.exchange({ draining: true, leaving: true });
}

async function restart(key: string): Promise<void> {
  await service.call('jobs_reset', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    which: 'failed',
  });
  await service.call('workflow_restart', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    ignore_missing_data: false,
    only_uninitialized: false,
    keep_running: false,
    force: true,
    assume_stopped: false,
    working_directory: directory,
  });
}

const prune = (days: number, dry_run = false): Promise<Reply<'server_prune'>> =>
  service.call('server_prune', { older_than_seconds: days * day, attempts: true, dry_run });

const results = async (key: string): Promise<string[]> =>
  (await rows(service, 'results', key)).map((row) => `${row.run_id} ${row.job_name}`).toSorted();

it('removes replaced results and events of earlier runs, and keeps the newest of each job and the last run', async () => {
  const key = await createWorkflow(service, [{ name: 'ok' }, { name: 'fails' }, { name: 'behind' }], [[1, 2]]);
  await runAll(key);
  for (let run = 2; run <= 4; run++) {
    clock.stall(10 * day * 1000);
    await restart(key);
    await runAll(key);
  }
  const before = { jobs: await rows(service, 'jobs', key), statuses: await statuses(service, key) };
  expect(await results(key)).toEqual(['1 fails', '1 ok', '2 fails', '3 fails', '4 fails']);
  const events = await rows(service, 'events', key);
  const lastRun = await rows(service, 'runs', key, { run_id: '4' });
  const isOfLastRun = ({ timestamp }: { timestamp?: unknown }) => String(timestamp) >= String(lastRun[0]?.started_at);

  // runs began 30, 20, 10 and 0 days ago
  expect(await prune(40, true)).toMatchObject({ dry_run: true, num_workflows: 0, num_attempts: 0, num_events: 0 });
  const planned = await prune(15, true);
  expect(planned).toMatchObject({
    num_workflows: 1,
    num_attempts: 2,
    workflows: [{ workflow_key: key, num_attempts: 2 }],
  });
  expect(await rows(service, 'events', key)).toEqual(events);
  expect(await prune(15)).toEqual({ ...planned, dry_run: false });
  expect(await results(key)).toEqual(['1 ok', '3 fails', '4 fails']);
  expect((await rows(service, 'runs', key)).map((run) => run.pruned_at !== null)).toEqual([true, true, false, false]);
  expect(await prune(15, true)).toMatchObject({ num_workflows: 0 });

  // however old: the last run and the result of 'ok' stay
  expect(await prune(0)).toMatchObject({ num_attempts: 1 });
  expect(await results(key)).toEqual(['1 ok', '4 fails']);
  const kept = await rows(service, 'events', key);
  expect(kept.filter(isOfLastRun).filter(({ type }) => type !== 'workflow_pruned')).toEqual(events.filter(isOfLastRun));
  expect(kept.filter((event) => !isOfLastRun(event)).map(({ type }) => type)).toEqual(['workflow_created']);
  const pruned = kept.filter(({ type }) => type === 'workflow_pruned').map(({ data }) => data);
  expect(pruned).toHaveLength(2);
  expect(pruned[0]).toEqual({ before: planned.before, num_events: planned.num_events, num_attempts: 2 });
  expect(kept.every((event) => event.type !== 'job_status' || event.job_key !== null)).toBe(true);
  expect({ jobs: await rows(service, 'jobs', key), statuses: await statuses(service, key) }).toEqual(before);
  await restart(key);
  await runAll(key);
  expect(await results(key)).toEqual(['1 ok', '4 fails', '5 fails']);
});

it('leaves a workflow alone while it runs, and one with a single run', async () => {
  const single = await createWorkflow(service, [{ name: 'fails' }]);
  await runAll(single);
  const running = await createWorkflow(service, [{ name: 'fails' }]);
  await runAll(running);
  clock.stall(day * 1000);
  await restart(running);
  const worker = await TestWorker.join(service, running);
  const [job] = (await worker.exchange()).jobs;
  clock.stall(day * 1000);
  expect(await prune(0)).toMatchObject({ num_workflows: 0 });
  await worker.finish(job?.attempt ?? 0, 3, { draining: true });
  clock.stall(1000);
  expect(await prune(0)).toMatchObject({ num_workflows: 1, workflows: [{ workflow_key: running, num_attempts: 1 }] });
});

it('removes only events where attempts are to stay', async () => {
  const key = await createWorkflow(service, [{ name: 'fails' }]);
  await runAll(key);
  clock.stall(day * 1000);
  await restart(key);
  await runAll(key);
  const before = await results(key);
  const pruned = await service.call('server_prune', { older_than_seconds: 0, attempts: false, dry_run: false });
  expect(pruned).toMatchObject({ num_workflows: 1, num_attempts: 0 });
  expect(pruned.num_events).toBeGreaterThan(1);
  expect(await results(key)).toEqual(before);
  expect(await rows(service, 'events', key, { type: 'workflow_started' })).toEqual([]);
});

it('whether a rerun shows the logs of a workflow is asked of an index, not of all attempts of the rerun', () => {
  const plan = service.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${oldWorkflowSql}`, { after: 1, before: 1 });
  const [index] = plan.map(({ detail }) => detail).filter((detail) => detail.includes('attempts_inherited'));
  expect(index).toMatch(/\(workflow_key=\? AND .*=\?\)$/);
});
