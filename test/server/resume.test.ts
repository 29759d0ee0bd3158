/** A workflow that is created again: its jobs are compared, its settings taken over, and what has not succeeded runs again. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reply, Request } from '../../src/api/contract.ts';
import { compareWorkflow } from '../../src/cli/documents/compare-workflow.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { freshService, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

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

/** Everything that a job can state. */
const spec = {
  name: 'study',
  args: 'v1',
  resource_requirements: [{ name: 'small', num_cpus: 1, memory: '1g', runtime: 'PT1H' }],
  failure_handlers: [{ name: 'twice', rules: [{ exit_codes: [3], max_retries: 2, retry_delay: 'PT5S' }] }],
  slurm_schedulers: [{ name: 'short', account: 'acct', walltime: '02:00:00' }],
  files: [
    { name: 'in', path: 'in.txt' },
    { name: 'out', path: 'out.txt' },
  ],
  user_data: [
    { name: 'given', data: { a: 1 } },
    { name: 'made', data: null },
  ],
  jobs: [
    {
      name: 'a',
      command: 'cp in.txt out.txt',
      input_files: ['in'],
      output_files: ['out'],
      resource_requirements: 'small',
    },
    { name: 'b', command: 'true', depends_on: ['a'], failure_handler: 'twice', priority: 3, max_wait: 'PT1H' },
    {
      name: 'c',
      command: 'true',
      scheduler: 'short',
      supports_termination: true,
      cancel_on_blocking_job_failure: false,
    },
    { name: 'd', command: 'true', max_retries: 1, task_failure_is_success: true, invocation_script: 'nice' },
    { name: 'e', command: 'true', input_user_data: ['given'], output_user_data: ['made'] },
    ...[1, 2, 3, 4].map((n) => ({ name: `m${n}`, command: 'true', depends_on: ['a', 'b', 'c', 'd'] })),
  ],
};
type Spec = Record<string, unknown> & typeof spec;

const directory = temporaryDirectory();
const place = { workingDirectory: directory, outputDirectory: directory };
const read = (value: object) => expandValue(value, { file: 'spec' }).workflow;

async function created(value: object = spec): Promise<string> {
  const { workflow_key } = await createWorkflow(service, read(value), () => {}, place);
  return workflow_key;
}

/** The specification with one job stated in another way. */
function withJob(name: string, change: object): Spec {
  return { ...spec, jobs: spec.jobs.map((job) => (job.name === name ? { ...job, ...change } : job)) } as Spec;
}

const compare = (key: string, value: object) => compareWorkflow(service, key, read(value));

async function resume(
  key: string,
  value: object = spec,
  more: Partial<Request<'workflow_restart'>> = {},
): Promise<Reply<'workflow_restart'>> {
  const { takeOver } = await compare(key, value);
  return service.call('workflow_restart', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    ignore_missing_data: true,
    only_uninitialized: false,
    keep_running: false,
    force: false,
    assume_stopped: false,
    working_directory: directory,
    resume: { take_over: takeOver },
    ...more,
  });
}

describe('comparing', () => {
  it('finds no difference in the same specification, whatever it states', async () => {
    const key = await created();
    const { differences, takeOver } = await compare(key, { ...spec, jobs: spec.jobs.toReversed() });
    expect(differences).toMatchObject({ numAdded: 0, numRemoved: 0, numChanged: 0 });
    expect(takeOver).toMatchObject({ num_jobs: 9, jobs: [], user_data: [] });
  });

  it('leaves out what running jobs have added', async () => {
    const key = await created();
    await service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data: true });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const [first] = (await worker.exchange()).jobs;
    const jobs = expandChildren([{ name: 'child_{i}', command: 'true', parameters: { i: '1:3' } }], { file: 'jobs' });
    const request = { attempt_key: String(first?.attempt), jobs, before: ['m1'], now: false, dry_run: false };
    await service.call('jobs_add_children', request);
    const { differences, takeOver } = await compare(key, spec);
    expect(differences).toMatchObject({ numAdded: 0, numRemoved: 0, numChanged: 0 });
    await worker.finish(first?.attempt ?? 0, 1, { leaving: true });
    expect(takeOver.num_jobs).toBe(9);
    await resume(key);
    expect(await rows(service, 'jobs', key)).toHaveLength(12);
  });

  it('names the jobs that were added, removed and changed, and what of each is another', async () => {
    const key = await created();
    const changed: object[] = [
      withJob('b', { command: 'false' }),
      withJob('d', { invocation_script: null }),
      withJob('a', { input_files: [] }),
      { ...spec, files: [spec.files[0], { name: 'out', path: 'elsewhere.txt' }] },
      withJob('e', { output_user_data: [] }),
      withJob('b', { depends_on: [] }),
      withJob('m2', { depends_on: ['a', 'b', 'c'] }),
    ];
    const parts = [];
    for (const value of changed) {
      const { differences } = await compare(key, value);
      parts.push(differences.changed.map(({ name, parts: of }) => `${name}: ${of.join(', ')}`).join('; '));
    }
    expect(parts).toEqual([
      'b: command',
      'd: command',
      'a: files',
      'a: files',
      'e: user data',
      'b: dependencies',
      'm2: dependencies',
    ]);
    const [, , ...kept] = spec.jobs.filter(({ name }) => !name.startsWith('m'));
    const other = { ...spec, jobs: [...kept, { name: 'new', command: 'true' }] };
    expect((await compare(key, other)).differences).toMatchObject({
      numAdded: 1,
      numRemoved: 6,
      added: ['new'],
      removed: ['a', 'b', 'm1', 'm2', 'm3', 'm4'],
    });
  });

  it('counts all differences and names the first 20', async () => {
    const key = await created();
    const jobs = Array.from({ length: 50 }, (_, n) => ({ name: `n${n}`, command: 'true' }));
    const { differences } = await compare(key, { ...spec, jobs: [...spec.jobs, ...jobs] });
    expect([differences.numAdded, differences.added.length]).toEqual([50, 20]);
  });
});

describe('a resume', () => {
  it('takes over how jobs are carried out, tells it, and a dry run changes nothing', async () => {
    const key = await created();
    const jobs = spec.jobs.map((job) =>
      job.name === 'a' ? { ...job, resource_requirements: 'large', priority: 9, max_retries: 2 } : job,
    );
    const other = {
      ...spec,
      max_failures: 4,
      description: 'again',
      resource_requirements: [
        { name: 'small', num_cpus: 2, memory: '1g', runtime: 'PT1H' },
        { name: 'large', num_cpus: 8 },
      ],
      failure_handlers: [{ name: 'twice', rules: [{ exit_codes: [3], max_retries: 5 }] }],
      slurm_schedulers: [{ name: 'short', account: 'acct', walltime: '04:00:00' }],
      user_data: [{ name: 'given', data: { a: 2 } }, spec.user_data[1]],
      notifications: [{ on: 'failed', to: { webhook: 'https://example.org/SECRET' } }],
      jobs,
    };
    const before = service.db.all('SELECT * FROM jobs');
    const planned = await resume(key, other, { dry_run: true });
    expect(service.db.all('SELECT * FROM jobs')).toEqual(before);
    expect(service.db.all(`SELECT * FROM resource_requirements WHERE name = 'large'`)).toEqual([]);
    const done = await resume(key, other);
    expect({ ...planned, dry_run: false }).toEqual(done);
    expect(done.taken_over).toMatchObject({
      num_jobs: 1,
      jobs: [{ job_name: 'a', fields: ['resource_requirements', 'failure_handler', 'priority'] }],
    });
    expect(done.taken_over?.settings.map(({ field }) => field)).toEqual([
      'description',
      'max_failures',
      'resource_requirements small num_cpus',
      'resource_requirements large',
      'failure_handlers twice rules',
      'failure_handlers max_retries 2',
      'slurm_schedulers short walltime_seconds',
      'notifications',
      'user_data given',
    ]);
    expect(done.taken_over?.settings).toContainEqual({
      field: 'notifications',
      old_value: [],
      new_value: ['failed: https://example.org/..'],
    });
    expect((await compare(key, other)).takeOver).toMatchObject({ jobs: [], user_data: [] });
    const [a] = await rows(service, 'jobs', key);
    expect(a).toMatchObject({ priority: 9, num_cpus: 8 });
    expect((await resume(key, other)).taken_over).toEqual({ settings: [], jobs: [], num_jobs: 0 });
    const events = (await rows(service, 'events', key)).filter(({ type }) => type === 'specification_taken_over');
    expect(events).toHaveLength(1);
  });

  it('runs what has not succeeded again, with all its retries, and leaves the rest', async () => {
    const value = {
      name: 'study',
      args: 'v1',
      jobs: [
        { name: 'good', command: 'true' },
        { name: 'bad', command: 'false' },
        { name: 'after', command: 'true', depends_on: ['bad'] },
      ],
    };
    const key = await created(value);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const [good = 0, bad = 0] = worker.held;
    await worker.finish(good, 0);
    await worker.finish(bad, 3);
    expect(await statuses(service, key)).toEqual({ good: 'done', bad: 'done', after: 'canceled' });
    const plan = await resume(key, value);
    expect(plan).toMatchObject({ run_id: 2, num_ready: 1, num_blocked: 1 });
    expect(
      plan.changes.map(({ job_name, old_status, new_status, reason }) => [job_name, old_status, new_status, reason]),
    ).toEqual([
      ['bad', 'done', 'ready', 'return code 3'],
      ['after', 'canceled', 'blocked', 'was canceled'],
    ]);
  });

  it('ends a pause, and is refused when jobs were added meanwhile', async () => {
    const key = await created();
    await service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data: true });
    await service.call('workflow_pause', { workflow_key: key, paused: true });
    const { takeOver } = await compare(key, spec);
    const late = resume(key, spec, { resume: { take_over: { ...takeOver, num_jobs: 8 } } });
    await expect(late).rejects.toMatchObject({ code: 'conflict' });
    expect(await resume(key)).toMatchObject({ ends_pause: true, begins_run: false, run_id: 1 });
    expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({ is_paused: false });
  });

  it('leaves a trace when it takes the jobs of a silent worker for dead', async () => {
    const value = { name: 'study', args: 'v1', jobs: [{ name: 'a', command: 'true' }] };
    const key = await created(value);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const stop = { workflow_key: key, stop: true };
    expect(await service.call('workflow_stop_running', stop)).toMatchObject({ running: [{ job_name: 'a' }] });
    await clock.advance(180_000);
    expect(await service.call('workflow_stop_running', stop)).toMatchObject({ running: [{ job_name: 'a' }] });
    await expect(resume(key, value)).rejects.toMatchObject({ hint: expect.stringContaining('--force-cleanup') });
    expect(await resume(key, value, { force: true })).toMatchObject({ num_given_up: 1, num_ready: 1 });
    const [event] = (await rows(service, 'events', key)).filter(({ type }) => type === 'jobs_given_up');
    expect(event?.data).toMatchObject({ num_jobs: 1, jobs: [{ job_name: 'a', attempt_id: 1 }] });
  });
});
