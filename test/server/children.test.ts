// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Jobs that running jobs add to their workflow. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddedJob, Request } from '../../src/api/contract.ts';
import { exportLines } from '../../src/cli/documents/export-document.ts';
import { createWorkflow as createStored } from '../../src/cli/documents/send-workflow.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import type { Service } from '../../src/server/service.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, rule, statuses, type TestJob, TestWorker } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

function child(name: string, fields: Partial<AddedJob> = {}): AddedJob {
  const [job] = expandChildren([{ name, command: `make ${name}` }], { file: 'test' });
  return { ...(job as AddedJob), ...fields };
}

type Options = Partial<Pick<Request<'jobs_add_children'>, 'before' | 'now' | 'dry_run'>>;

function add(attempt: number | undefined, jobs: AddedJob[], options: Options = {}) {
  const how = { before: [], now: false, dry_run: false, ...options };
  return service.call('jobs_add_children', { attempt_key: String(attempt), jobs, ...how });
}

/** A workflow whose first job runs, and the attempt of that. */
async function running(jobs: TestJob[], edges: [number, number][], options: Parameters<typeof createWorkflow>[3] = {}) {
  const key = await createWorkflow(service, jobs, edges, options);
  const worker = await TestWorker.join(service, key, { cpus: 1 });
  const [map] = (await worker.exchange()).jobs;
  const attempt = map?.attempt ?? 0;
  await worker.exchange({ started: [{ attempt, age_ms: 0, pid: 1 }] });
  return { key, worker, attempt };
}

const mapReduce: [TestJob[], [number, number][]] = [[{ name: 'map' }, { name: 'reduce' }], [[0, 1]]];
const names = (n: number) => Array.from({ length: n }, (_, index) => `gen_${index + 1}`);

describe('children', () => {
  it('wait for the job that adds them, and the job before which they are added waits for all of them', async () => {
    const { key, worker, attempt } = await running(...mapReduce);
    const added = await add(
      attempt,
      names(2).map((name) => child(name)),
      { before: ['reduce'] },
    );
    expect(added).toMatchObject({
      workflow_key: key,
      job_name: 'map',
      before: [{ name: 'reduce' }],
      jobs: [
        { name: 'gen_1', status: 'blocked', is_new: true },
        { name: 'gen_2', status: 'blocked', is_new: true },
      ],
    });
    expect(brokenInvariants(service.db)).toEqual([]);
    await worker.finish(attempt);
    expect(await statuses(service, key)).toMatchObject({
      gen_1: 'submitted_pending',
      gen_2: 'ready',
      reduce: 'blocked',
    });
    for (const name of ['gen_1', 'gen_2', 'reduce']) {
      const [job] = await rows(service, 'jobs', key, { name });
      expect(job?.status, name).toBe('submitted_pending');
      await worker.finish(worker.held[0] ?? 0);
    }
    expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({ status: 'done' });
  });

  it('may start at once, and wait for each other in whatever order the request has them', async () => {
    const { key, attempt } = await running(...mapReduce, {
      userData: [{ name: 'd', data: null, is_ephemeral: false }],
    });
    const reader = child('reader', { command: 'cat ${user_data.input.d}', depends_on: ['gen_1'] });
    await add(attempt, [reader, child('writer', { output_user_data: ['d'] }), child('gen_1')], { now: true });
    expect(await statuses(service, key)).toMatchObject({ reader: 'blocked', writer: 'ready', gen_1: 'ready' });
    expect(await rows(service, 'jobs', key, { name: 'reader' })).toMatchObject([{ num_blockers: 2 }]);
  });

  it('are added once when a retried attempt adds them again, also after the job that waits for them has run', async () => {
    const jobs: TestJob[] = [{ name: 'map', failureHandler: 0 }, { name: 'reduce' }];
    const { key, worker, attempt } = await running(jobs, [[0, 1]], { failureHandlers: [[rule()]] });
    const first = await add(attempt, [child('gen_1'), child('gen_2')], { before: ['reduce'] });
    const again = (await worker.finish(attempt, 1)).jobs[0]?.attempt;
    const jobKeys = first.jobs.map(({ job_key }) => job_key);
    // the first attempt has ended, so its request counts no more
    await expect(add(attempt, [child('gen_3')])).rejects.toMatchObject({
      code: 'conflict',
      message: 'attempt 1 of job 1 ("map") has ended, so it can add nothing',
    });
    const second = await add(again, [child('gen_1'), child('gen_2'), child('gen_3')], { before: ['reduce'] });
    expect(second.jobs.map(({ is_new }) => is_new)).toEqual([false, false, true]);
    expect(second.jobs.map(({ job_key }) => job_key)).toEqual([...jobKeys, expect.anything()]);
    expect(await rows(service, 'jobs', key)).toHaveLength(5);
    expect(await rows(service, 'jobs', key, { name: 'reduce' })).toMatchObject([{ num_blockers: 4 }]);
    const other = {
      code: 'conflict',
      message: 'job 3 already has the name "gen_1" and was added with another definition',
    };
    await expect(add(again, [child('gen_1', { priority: 1 })], { before: ['reduce'] })).rejects.toMatchObject(other);
    await expect(add(again, [child('gen_1')])).rejects.toMatchObject(other);
    await expect(add(again, [child('gen_4'), child('map')])).rejects.toThrow('job 1 already has the name "map"');
    expect(await rows(service, 'jobs', key)).toHaveLength(5);
  });

  it('are refused, all of them, behind what no longer waits, in a cycle, of unknown names and above the limit', async () => {
    const jobs: TestJob[] = [{ name: 'map' }, { name: 'reduce' }, { name: 'last' }, { name: 'free' }];
    const { key, attempt } = await running(jobs, [
      [0, 1],
      [1, 2],
    ]);
    await service.call('workflow_modify', { workflow_key: key, changes: { max_dynamic_jobs: 3 } });
    const events = await rows(service, 'events', key);
    const wrong: [AddedJob[], Options, string][] = [
      [[child('n')], { before: ['free'] }, 'job 4 ("free") is already ready, so no job can be added before it'],
      [[child('n')], { before: ['map'] }, 'job 1 ("map") is already submitted'],
      [[child('n')], { before: ['redux'] }, 'workflow 1 has no job "redux"'],
      [[child('n')], { before: ['n'] }, '"n" is one of the jobs to add'],
      [[child('n'), child('n')], {}, 'two of the jobs have the name "n"'],
      [[child('n', { depends_on: ['last'] })], { before: ['reduce'] }, 'waits for "last", which runs after it'],
      [[child('n', { depends_on: ['reduce'] })], { before: ['reduce'] }, 'waits for "reduce", which runs after it'],
      [[child('n', { depends_on: ['m'] }), child('m', { depends_on: ['n'] })], {}, 'in a cycle: "n", "m"'],
      [[child('n', { depends_on: ['n'] })], {}, 'depends on itself'],
      [[child('n', { resource_requirements: 'huge' })], {}, 'no resource requirements "huge"'],
      [[child('n', { depends_on: ['nobody'] })], {}, 'no job "nobody"'],
      [names(4).map((name) => child(name)), {}, 'may add 3 jobs to workflow 1 (max_dynamic_jobs); they have added 0'],
    ];
    for (const [added, options, message] of wrong) {
      await expect(add(attempt, [child('fine'), ...added], options), message).rejects.toThrow(message);
    }
    expect(await rows(service, 'events', key)).toEqual(events);
    await add(
      attempt,
      names(3).map((name) => child(name)),
    );
    await expect(add(attempt, [child('n')])).rejects.toMatchObject({
      hint: 'torc workflows modify 1 --max-dynamic-jobs 4',
    });
    await expect(add(99, [child('n')])).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are refused in a canceled workflow, and a rehearsal adds nothing', async () => {
    const { key, attempt } = await running(...mapReduce);
    expect(await add(attempt, [child('n')], { dry_run: true, before: ['reduce'] })).toMatchObject({
      dry_run: true,
      jobs: [{ name: 'n', status: 'blocked', is_new: true }],
    });
    expect(await rows(service, 'jobs', key)).toHaveLength(2);
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await expect(add(attempt, [child('n')])).rejects.toThrow('workflow 1 is canceled');
  });

  it('are canceled with the job that adds them and run with it again, once', async () => {
    const { key, worker, attempt } = await running(...mapReduce);
    await add(attempt, [child('gen_1')], { before: ['reduce'] });
    await worker.finish(attempt, 1, { leaving: true });
    expect(await statuses(service, key)).toEqual({ map: 'done', gen_1: 'canceled', reduce: 'canceled' });
    const plan = { dry_run: false, expected_state: null, skip: 0 };
    await service.call('jobs_reset', { workflow_key: key, ...plan, which: 'failed' });
    await service.call('workflow_restart', {
      ...{ workflow_key: key, ...plan, ignore_missing_data: true },
      ...{
        only_uninitialized: false,
        keep_running: false,
        force: false,
        assume_stopped: false,
        working_directory: '/',
      },
    });
    const next = await TestWorker.join(service, key, { cpus: 1 });
    const again = (await next.exchange()).jobs[0]?.attempt;
    expect((await add(again, [child('gen_1')], { before: ['reduce'] })).jobs).toMatchObject([{ is_new: false }]);
    await next.finish(again ?? 0);
    expect(await statuses(service, key)).toEqual({ map: 'done', gen_1: 'submitted_pending', reduce: 'blocked' });
  });

  it('go along into a copy, where the same request finds them', async () => {
    const { key, worker, attempt } = await running(...mapReduce);
    await add(attempt, [child('gen_1')], { before: ['reduce'] });
    await worker.finish(attempt);
    const copied = await service.call('workflow_copy', { workflow_key: key, how: 'clone', dry_run: false, name: null });
    const clone = copied.workflow_key ?? '';
    await service.call('workflow_start', { workflow_key: clone, dry_run: false });
    const another = await TestWorker.join(service, clone, { cpus: 1 });
    const map = (await another.exchange()).jobs[0]?.attempt;
    expect((await add(map, [child('gen_1')], { before: ['reduce'] })).jobs).toMatchObject([{ is_new: false }]);
    await worker.finish(worker.held[0] ?? 0);
    await worker.finish(worker.held[0] ?? 0, 0, { leaving: true });
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    expect(service.db.all('SELECT DISTINCT workflow_key AS key FROM added_jobs')).toEqual([{ key: Number(clone) }]);
  });
});

describe('an import', () => {
  it('finds the jobs that were added before the export', async () => {
    const { key, worker, attempt } = await running(...mapReduce);
    await add(attempt, [child('gen_1')], { before: ['reduce'] });
    await worker.finish(attempt);
    await service.call('jobs_add', { workflow_key: key, jobs: [child('mine')] });
    const shown = await service.call('workflow_show', { workflow_key: key });
    let text = '';
    for await (const piece of exportLines(service, shown, { results: false, events: false })) text += piece;
    const { workflow, added_jobs } = JSON.parse(text);
    expect(added_jobs).toMatchObject([
      { job_name: 'gen_1', added_by: 'map' },
      { job_name: 'mine', added_by: null },
    ]);
    const imported = await createStored(service, loadWorkflow(JSON.stringify(workflow), { file: 'w.json' }).workflow);
    const { workflow_key } = imported;
    await service.call('workflow_import_history', { workflow_key, results: [], events: [], added_jobs });
    await service.call('workflow_start', { workflow_key, dry_run: false });
    const again = (await (await TestWorker.join(service, workflow_key, { cpus: 1 })).exchange()).jobs[0]?.attempt;
    expect((await add(again, [child('gen_1')], { before: ['reduce'] })).jobs).toMatchObject([{ is_new: false }]);
    const mine = await service.call('jobs_add', { workflow_key, jobs: [child('mine')] });
    expect(mine.jobs).toMatchObject([{ is_new: false }]);
  });
});

describe('a job that anybody adds', () => {
  it('is the same job when it is added again with the same definition', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const one = { ...child('n', { depends_on: ['a'], labels: ['x'] }), hold: false };
    const { jobs } = await service.call('jobs_add', { workflow_key: key, jobs: [one] });
    const { hold: _, ...same } = one;
    expect(await service.call('jobs_add', { workflow_key: key, jobs: [same] })).toMatchObject({
      jobs: [{ ...jobs[0], is_new: false }],
    });
    const other = service.call('jobs_add', { workflow_key: key, jobs: [{ ...one, labels: ['y'] }] });
    await expect(other).rejects.toThrow('another definition');
  });
});
