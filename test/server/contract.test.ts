/** Every endpoint of the contract gives a reply once, and each reply has all that its schema has and nothing else. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type EndpointName, endpoints } from '../../src/api/contract.ts';
import { type ListName, records } from '../../src/api/records.ts';
import { replySchema, type Told } from '../support/reply-check.ts';
import { createWorkflow, freshService, rows, rule, TestWorker } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const told: Told[] = [];
const listen = (message: unknown): void => void told.push(message as Told);
beforeAll(() => subscribe('torc:reply', listen));
afterAll(() => unsubscribe('torc:reply', listen));

const plan = { dry_run: false, expected_state: null, skip: 0 };
const config = {
  ...{ account: 'a', partition: null, qos: null, walltime_seconds: 3600, num_nodes: 1, ntasks_per_node: null },
  ...{ mem: null, tmp: null, gres: null, extra: null },
};
const resources = { num_cpus: 1, memory_bytes: 1024, gpu_thousandths: 0, runtime_ms: null };

const period = { run_id: null, from: null, to: null, num_bins: 2 };
const all = { hostnames: null, max_workers: 10, skip_workers: 0 };

/** A workflow with one of everything, of which jobs run, fail and are lost. */
async function callAll(): Promise<void> {
  const { service, directory, close } = await freshService();
  service.onStop = () => {};
  service.onRotateToken = () => {};
  const workflow_key = await createWorkflow(
    service,
    ['a', 'b', 'c', 'd'].map((name, index) => ({ name, failureHandler: index === 0 ? 0 : undefined, writes: [0] })),
    [
      [0, -1],
      [1, -1],
      [-1, 2],
    ],
    {
      start: false,
      numBarriers: 1,
      userData: [{ name: 'u', data: null, is_ephemeral: true }],
      slurmConfigs: ['small'],
      failureHandlers: [[rule()]],
      actions: [
        { trigger: 'on_workflow_start' },
        { trigger: 'on_jobs_complete', jobs: [2] },
        { trigger: 'on_worker_start' },
      ],
      notifications: [{ events: ['job_failed'], kind: 'command', target: 'true', token_file: null }],
      directory,
    },
  );
  await change(service, workflow_key);
  await service.call('workflow_start', { workflow_key, dry_run: false });
  await schedule(service, directory);
  await service.call('demand', { workflow_key: null });
  await service.call('planned_jobs', { workflow_key });
  await service.call('usage', { workflow_key });
  await service.call('status', { workflow_keys: null, user: null, limit: 10, state: null, wait_seconds: 0 });
  await submit(service, workflow_key);
  await run(service, workflow_key);
  await service.call('usage', { workflow_key });
  await service.call('usage_hours', { workflow_key });
  for (const max_spans of [0, 100]) await service.call('timeline', { ...period, ...all, workflow_key, max_spans });
  await service.call('utilization', { ...period, workflow_key });
  await service.call('usage_earlier', { name: 'x', workflow_key });
  await look(service, workflow_key);
  await copy(service, workflow_key);
  await service.call('server_backup', { path: join(directory, 'copy.db') });
  await service.call('server_rotate_token', { grace_seconds: 0 });
  await service.call('server_stop', {});
  await service.call('workflow_delete', { workflow_key, dry_run: false });
  await close();
}

type Service = Awaited<ReturnType<typeof freshService>>['service'];

function newJob(name: string) {
  return {
    name,
    command: 'true',
    ...{ invocation_script: null, resource_requirements: null, scheduler: null, failure_handler: null },
    ...{ priority: 0, cancel_on_blocking_job_failure: true, supports_termination: false },
    ...{ depends_on: [], input_files: [], output_files: [], input_user_data: [], output_user_data: [] },
  };
}

/** A schedule with a run. */
async function schedule(service: Service, directory: string): Promise<void> {
  const actions = [{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' }];
  const text = JSON.stringify({ name: 'w', jobs: [{ name: 'a', command: 'true' }], actions });
  const place = { working_directory: directory, output_directory: directory, home: directory, variables: {} };
  const rules = { time_zone: 'UTC', overlap: 'skip', catch_up: 'once', max_catch_up: 1, paused: false } as const;
  const specification = { text, file: 'w.json', syntax: null, ...place };
  await service.call('schedule_add', {
    name: 's',
    cron: '@daily',
    every_ms: null,
    items: null,
    ...rules,
    specification,
    dry_run: false,
  });
  const collects = { ...specification, text: text.replace('"jobs"', '"user_data":[{"name":"items"}],"jobs"') };
  const items = { max: 1, max_wait_ms: null };
  const generator = { cron: null, every_ms: null, items, ...rules, overlap: 'allow', specification: collects } as const;
  await service.call('schedule_add', { name: 'g', ...generator, dry_run: false });
  await service.call('generator_put', { name: 'g', items: [{ data: 1, id: 'one' }] });
  await service.call('schedule_run', { name: 's' });
  await service.call('schedules_list', {});
  await service.call('schedule_show', { name: 's', limit: 10 });
  await service.call('schedule_modify', { name: 's', changes: { cron: '@hourly' }, dry_run: false });
  await service.call('schedule_pause', { name: 's', paused: true });
  await service.call('schedule_delete', { name: 's' });
}

async function change(service: Service, workflow_key: string): Promise<void> {
  const { jobs } = await service.call('jobs_add', {
    workflow_key,
    jobs: ['e', 'f'].map(newJob),
  });
  const job_keys = jobs.map(({ job_key }) => job_key);
  for (const dry_run of [true, false]) {
    await service.call('job_modify', { job_key: String(job_keys[0]), dry_run, changes: { priority: 3 } });
    await service.call('jobs_modify', { job_keys, dry_run, changes: { labels: ['a'], scheduler: null } });
  }
  const named = { workflow_key, name: 'more', num_nodes: 1, ...resources };
  const { resource_requirements_key } = await service.call('resource_requirements_add', named);
  await service.call('resource_requirements_assign', { resource_requirements_key, job_keys });
  await service.call('resource_requirements_modify', {
    resource_requirements_key,
    dry_run: false,
    changes: { num_cpus: 2 },
  });
  await service.call('jobs_delete', { job_keys: job_keys.slice(1), cascade: false, dry_run: false });
  await service.call('file_add', { workflow_key, name: 'kept', path: 'kept' });
  const { file_key } = await service.call('file_add', { workflow_key, name: 'gone', path: 'gone' });
  await service.call('file_delete', { file_key });
  const data = { workflow_key, name: 'v', data: { deep: [1] }, is_ephemeral: false };
  const { user_data_key } = await service.call('user_data_add', data);
  await service.call('user_data_modify', { user_data_key, changes: { data: 2 } });
  await service.call('user_data_delete', { user_data_key });
  await service.call('workflow_modify', { workflow_key, changes: { description: 'described', metadata: { x: 1 } } });
  const limit = { name: 'matlab', workflow_key };
  await service.call('limit_set', { ...limit, maximum: 2 });
  await service.call('limits_list', { workflow_key });
  await service.call('limit_delete', limit);
  await service.call('site_put', { site: siteExample });
  await service.call('sites_list', {});
}

async function submit(service: Service, workflow_key: string): Promise<void> {
  const { slurm_config_key } = await service.call('slurm_config_add', { workflow_key, name: 'large', ...config });
  await service.call('slurm_config_modify', { slurm_config_key, changes: { num_nodes: 2 } });
  const allocation = { name: 'n', num_nodes: 1, one_worker_per_node: false, script_path: 's', output_directory: 'o' };
  const { allocation_keys } = await service.call('allocations_record', {
    workflow_key,
    slurm_config_key,
    allocations: [allocation],
  });
  await service.call('allocation_confirm', {
    allocation_key: String(allocation_keys[0]),
    slurm_job_id: '17',
    cluster: null,
    error: null,
  });
}

async function run(service: Service, workflow_key: string): Promise<void> {
  const worker = await TestWorker.join(service, workflow_key);
  const { jobs } = await worker.exchange();
  await service.call('jobs_add_children', {
    attempt_key: String(jobs[0]?.attempt),
    jobs: [newJob('child')],
    ...{ before: [], now: true, dry_run: true },
  });
  await worker.finish(jobs[0]?.attempt as number, 1);
  await worker.finish(jobs[1]?.attempt as number, 2);
  await service.call('workflow_status', { workflow_key });
  await service.call('workflow_stop_running', { workflow_key, stop: true });
  await worker.exchange({ draining: true });
  await service.call('jobs_diagnose', { workflow_key, job_keys: null });
  await worker.exchange({ leaving: true, held: [], returned: worker.held });
  await service.call('workflow_stop_running', { workflow_key, stop: false });
  const restart = { ignore_missing_data: true, only_uninitialized: false, keep_running: false, force: false };
  await service.call('workflow_restart', {
    workflow_key,
    ...plan,
    ...restart,
    assume_stopped: false,
    working_directory: '/',
  });
  const job_keys = (await rows(service, 'jobs', workflow_key)).map(({ job_key }) => String(job_key));
  await service.call('jobs_disable', { workflow_key, ...plan, job_keys: job_keys.slice(3, 4) });
  await service.call('jobs_mark_done', { workflow_key, ...plan, job_keys: job_keys.slice(2, 3) });
  await service.call('jobs_reset', { workflow_key, ...plan, which: job_keys.slice(2, 3) });
  await service.call('workflow_pause', { workflow_key, paused: true });
  const autoscaler = { max_nodes: 4, output_directory: '/out' };
  await service.call('workflow_autoscale', { workflow_key, dry_run: false, settings: autoscaler });
  await service.call('workflow_autoscale', { workflow_key, dry_run: true, settings: null });
  await service.call('jobs_hold', { workflow_key, ...plan, job_keys: job_keys.slice(0, 1), hold: true, dry_run: true });
  await service.call('jobs_cancel', { workflow_key, ...plan, job_keys: job_keys.slice(0, 1), dry_run: true });
  await service.call('workflow_cancel', { workflow_key, dry_run: false });
  await service.call('workflow_copy', { workflow_key, how: 'rerun', dry_run: false, name: null });
}

async function look(service: Service, workflow_key: string): Promise<void> {
  for (const list of Object.keys(records) as ListName[]) await rows(service, list, workflow_key);
  for (const { job_key } of await rows(service, 'jobs', workflow_key)) {
    await service.call('job_show', { job_key: String(job_key) });
  }
  await service.call('candidates', { kind: 'jobs', workflow: null, prefix: '' });
  await service.call('jobs_outputs', { workflow_key, job_keys: null, all_attempts: true, after: null, limit: 10 });
  await service.call('failed_outputs', { workflow_key, after: null, limit: 10 });
  await service.call('select', { list: 'jobs', workflow_key, words: ['a', '*'], user: null });
  await service.call('workflow_show', { workflow_key });
  await service.call('workflow_outline', { workflow_key, after: null, limit: 10 });
  await service.call('workflow_graph', { workflow_key });
  await service.call('graph_group', { workflow_key, job_key: '1', limit: 10 });
  await service.call('workflow_find', { tool: null, name: 'test', args: 'v1' });
  await service.call('notifications_test', { workflow_key, notification_key: null, dry_run: true });
  await service.call('server_info', {});
  await service.call('server_awaited', {});
  await service.call('server_check', {});
  await service.call('logs_prune', { before: '2026-01-01T00:00:00Z', after: null, dry_run: true });
  await service.call('server_prune', { older_than_seconds: 0, attempts: true, dry_run: true });
}

async function copy(service: Service, workflow_key: string): Promise<void> {
  for (const part of ['head', 'jobs', 'barriers', 'action_jobs'] as const) {
    await service.call('workflow_export', { workflow_key, part, limit: 100, skip: 0 });
  }
  const results = (await rows(service, 'results', workflow_key)) as never[];
  const second = await createWorkflow(
    service,
    ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name })),
    [],
    { start: false },
  );
  const added_jobs = [{ job_name: 'b', added_by: 'a', digest: 'f'.repeat(64) }];
  await service.call('workflow_import_history', { workflow_key: second, results, events: [], added_jobs });
  await service.call('workflow_import_finish', {
    workflow_key: second,
    run_id: 1,
    is_canceled: false,
    started_at: null,
    ended_at: null,
    job_statuses: ['done', 'done', 'done', 'done', 'done'],
  });
}

beforeAll(callAll);

it('every endpoint gives a reply', () => {
  expect(new Set(told.map(({ endpoint }) => endpoint))).toEqual(new Set(Object.keys(endpoints)));
});

it('every list has a record', () => {
  const found = told.filter(({ reply }) => ((reply as { records?: unknown[] }).records ?? []).length > 0);
  expect(new Set(found.map(({ request }) => (request as { list: ListName }).list))).toEqual(
    new Set(Object.keys(records)),
  );
});

const optional = ['worker_hello.actions', 'exchange.hold_ms'];

it.each(Object.keys(endpoints) as EndpointName[])(
  'a reply of %s with an extra or a missing key is refused',
  (endpoint) => {
    const { request, reply } = told.findLast((each) => each.endpoint === endpoint) as Told;
    const accepts = (value: object): boolean => replySchema(endpoint, request).safeParse(value).success;
    expect(accepts(reply as object)).toBe(true);
    expect(accepts({ ...(reply as object), surplus: 1 })).toBe(false);
    for (const key of Object.keys(reply as object)) {
      const { [key]: _, ...rest } = reply as Record<string, unknown>;
      expect([key, accepts(rest)]).toEqual([key, optional.includes(`${endpoint}.${key}`)]);
    }
  },
);
