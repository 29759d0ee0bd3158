// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/**
 * Every endpoint with requests that are almost right: refused with a sentence and without any trace in the database, or
 * carried out and everything that must hold still holds. Never a bug, never a crash.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EndpointName, endpoints, type Request } from '../../src/api/contract.ts';
import { systemClock } from '../../src/base/clock.ts';
import { TorcError } from '../../src/base/errors.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rule, TestWorker, temporaryDirectory } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const workerId = 'a'.repeat(32);
const runsPerEndpoint = 15;

let template: string;
let directory: string;
let service: Service;

/** A workflow that runs, with some of everything, and one that was not started. */
beforeAll(async () => {
  const made = await freshService();
  template = join(temporaryDirectory(), 'template');
  const { service: first } = made;
  const key = await createWorkflow(
    first,
    [{ name: 'a' }, { name: 'b', failureHandler: 0 }, { name: 'c' }, { name: 'd' }, { name: 'e', reads: [0] }],
    [
      [0, -1],
      [1, -1],
      [-1, 3],
    ],
    {
      numBarriers: 1,
      userData: [{ name: 'u', data: { x: 1 }, is_ephemeral: false }],
      slurmConfigs: ['s'],
      failureHandlers: [[rule()]],
      actions: [{ trigger: 'on_jobs_complete', jobs: [0], commands: ['true'] }],
      notifications: [{ events: ['failed'], kind: 'command', target: 'true', token_file: null }],
    },
  );
  await createWorkflow(first, [{ name: 'p' }, { name: 'q' }], [[0, 1]], { start: false });
  await first.call('file_add', { workflow_key: '2', name: 'f', path: 'f' });
  await first.call('user_data_add', { workflow_key: '2', name: 'v', data: [1], is_ephemeral: true });
  await first.call('limit_set', { name: 'scratch', workflow_key: key, maximum: 1 });
  await first.call('schedule_add', newSchedule);
  const collects = JSON.stringify({
    ...JSON.parse(newSchedule.specification.text),
    user_data: [{ name: 'items', data: [] }],
  });
  const generator = { name: 'collector', cron: null, items: { max: 3, max_wait_ms: 60_000 } };
  await first.call('schedule_add', {
    ...newSchedule,
    ...generator,
    specification: { ...newSchedule.specification, text: collects },
  });
  const named = await first.call('resource_requirements_add', {
    workflow_key: key,
    name: 'named',
    num_cpus: 1,
    memory_bytes: null,
    gpu_thousandths: 0,
    runtime_ms: null,
    num_nodes: 1,
  });
  Object.assign(valid.resource_requirements_modify as object, named);
  Object.assign(valid.resource_requirements_assign as object, named);
  const recorded = valid.allocations_record as Request<'allocations_record'>;
  const allocations = recorded.allocations.map((allocation) => ({ ...allocation, name: 'w0' }));
  await first.call('allocations_record', { ...recorded, allocations });
  const worker = await TestWorker.join(first, key, { cpus: 2 }, null, { worker_id: workerId });
  await worker.exchange();
  await worker.finish(1);
  await made.service.close();
  cpSync(made.directory, template, { recursive: true });
  directory = temporaryDirectory();
});
afterAll(async () => {
  await service.close();
  for (const path of [directory, join(template, '..')]) rmSync(path, { recursive: true, force: true });
});

/** The template again; what is being created does not outlive an owner of the database, so it is begun anew. */
async function reopen(endpoint: EndpointName): Promise<void> {
  await service?.close();
  cpSync(template, directory, { recursive: true });
  for (const rest of ['torc.db-wal', 'holder.json', 'epoch']) rmSync(join(directory, rest), { force: true });
  service = await openService(directory, systemClock, 'test');
  service.machine = fakeMachine(systemClock);
  // only who serves others trusts nobody
  service.beginEpoch();
  if (!/^workflow_create_(chunk|finish)$/.test(endpoint)) return;
  await service.call('workflow_create_begin', valid.workflow_create_begin as Request<'workflow_create_begin'>);
  if (endpoint === 'workflow_create_chunk') return;
  await service.call('workflow_create_chunk', valid.workflow_create_chunk as Request<'workflow_create_chunk'>);
}

function dump(): string {
  const tables = service.db.all(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`);
  return JSON.stringify(tables.map(({ name }) => service.db.all(`SELECT * FROM "${name}"`)));
}

const config = {
  name: 's2',
  account: 'a',
  partition: 'p',
  qos: null,
  walltime_seconds: 600,
  num_nodes: 1,
  ntasks_per_node: null,
  mem: '1G',
  tmp: null,
  gres: 'gpu:1',
  extra: '--exclusive',
};
const newTimes = { cron: '0 4 * * *', time_zone: 'UTC', overlap: 'allow', catch_up: 'once', max_catch_up: 2 } as const;
const newSchedule: Request<'schedule_add'> = {
  name: 'nightly',
  cron: '0 3 * * *',
  every_ms: null,
  items: null,
  time_zone: 'Europe/Berlin',
  overlap: 'queue',
  catch_up: 'all',
  max_catch_up: 10,
  paused: false,
  specification: {
    text: JSON.stringify({
      name: 'w',
      jobs: [{ name: 'a', command: 'true' }],
      actions: [{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' }],
    }),
    file: 'w.json',
    syntax: 'json',
    working_directory: '/w',
    output_directory: '/w/out',
    home: '/h',
    variables: { DATA: '/data' },
  },
  dry_run: false,
};
const job = {
  name: 'new',
  command: 'true ${files.input.f}',
  invocation_script: null,
  resource_requirements: null,
  scheduler: null,
  failure_handler: null,
  priority: 1,
  cancel_on_blocking_job_failure: true,
  supports_termination: false,
  depends_on: ['p'],
  input_files: [],
  output_files: [],
  input_user_data: ['v'],
  output_user_data: [],
};
const plan = { dry_run: false, expected_state: null, skip: 0 };
const requirement = {
  name: 'r',
  num_cpus: 1,
  memory_bytes: 1024,
  gpu_thousandths: 0,
  num_nodes: 1,
  runtime_ms: 1000,
  is_memory_stated: true,
  is_runtime_stated: false,
};

const newJob = (name: string) => ({
  name,
  command: 'true',
  invocation_script: null,
  requirements: 0,
  slurm_config: 0,
  failure_handler: 0,
  priority: 0,
  cancel_on_blocking_job_failure: true,
  supports_termination: false,
  input_files: [],
  output_files: [0],
  input_user_data: [],
  output_user_data: [0],
});

/** One good request for each endpoint. */
const valid: { [N in EndpointName]: unknown } = {
  server_info: {},
  server_awaited: {},
  server_stop: {},
  server_backup: { path: '/nowhere at all/backup.db' },
  server_check: {},
  logs_prune: { before: '2026-01-01T00:00:00Z', after: null, dry_run: false },
  server_prune: { older_than_seconds: 3600, attempts: true, dry_run: false },
  server_rotate_token: { grace_seconds: 1 },
  workflow_create_begin: {
    name: 'w',
    description: null,
    project: 'p',
    metadata: { a: [1, { b: null }] },
    expiration_buffer_seconds: 1,
    wait_for_new_jobs_seconds: 1,
    ignore_workflow_completion: false,
    wait_for_healthy_database_minutes: 1,
    jobs_sort_method: 'none',
    requirements: [requirement],
    slurm_configs: [config],
    failure_handlers: [{ name: 'h', rules: [rule()] }],
    sample_interval_seconds: 1,
    stdio: 'files',
    num_jobs: 2,
    num_files: 1,
    num_user_data: 1,
    num_barriers: 1,
    notifications: [{ events: ['failed'], kind: 'command', target: 'true', token_file: null }],
    actions: {
      working_directory: '/',
      output_directory: '/o',
      list: [
        {
          trigger_type: 'on_jobs_ready',
          action_type: 'run_commands',
          persistent: false,
          commands: ['true'],
          scheduler: null,
          num_allocations: 1,
          start_one_worker_per_node: false,
          max_parallel_jobs: null,
        },
      ],
    },
  },
  workflow_create_chunk: {
    workflow_key: '3',
    first_job: 0,
    first_file: 0,
    first_user_data: 0,
    jobs: [newJob('k'), newJob('l')],
    files: [{ name: 'f', path: 'f' }],
    user_data: [{ name: 'u', data: { a: 1 }, is_ephemeral: false }],
    edges: [
      [0, -1],
      [-1, 1],
    ],
    action_jobs: [[0, 1]],
  },
  workflow_create_finish: { workflow_key: '3' },
  select: { list: 'jobs', workflow_key: '1', words: ['a*', '4'], user: null },
  workflow_show: { workflow_key: '1' },
  workflow_find: { tool: null, name: 'n', args: 'a' },
  workflow_outline: { workflow_key: '1', after: null, limit: 10 },
  workflow_graph: { workflow_key: '1' },
  graph_group: { workflow_key: '1', job_key: '1', limit: 10 },
  schedules_list: {},
  schedule_show: { name: 'nightly', limit: 5 },
  schedule_add: { ...newSchedule, name: 'weekly' },
  schedule_modify: {
    name: 'nightly',
    changes: { ...newTimes, specification: newSchedule.specification },
    dry_run: false,
  },
  generator_put: {
    name: 'collector',
    items: [
      { data: { a: [1] }, id: 'x' },
      { data: 'text', id: null },
    ],
  },
  schedule_pause: { name: 'nightly', paused: true },
  schedule_run: { name: 'nightly' },
  schedule_delete: { name: 'nightly' },
  limits_list: { workflow_key: null },
  sites_list: {},
  planned_jobs: { workflow_key: '1' },
  site_put: { site: siteExample },
  notifications_test: { workflow_key: '1', notification_key: null, dry_run: true },
  limit_set: { name: 'matlab', workflow_key: '1', maximum: 2 },
  limit_delete: { name: 'scratch', workflow_key: '1' },
  workflow_start: { workflow_key: '2', dry_run: false },
  workflow_cancel: { workflow_key: '1', dry_run: false },
  workflow_delete: { workflow_key: '2', dry_run: false },
  workflow_restart: {
    workflow_key: '1',
    ...plan,
    ignore_missing_data: true,
    only_uninitialized: false,
    keep_running: true,
    force: false,
    assume_stopped: false,
    working_directory: '/',
    recover: { memory_factor: 1.5, runtime_factor: null, retry_unknown: true },
  },
  workflow_stop_running: { workflow_key: '1', stop: true },
  jobs_reset: { workflow_key: '1', ...plan, which: ['1'] },
  jobs_cancel: { workflow_key: '1', ...plan, job_keys: ['4'] },
  jobs_hold: { workflow_key: '1', ...plan, job_keys: ['4'], hold: true },
  jobs_disable: { workflow_key: '1', ...plan, job_keys: ['4'] },
  jobs_mark_done: { workflow_key: '1', ...plan, job_keys: ['4'] },
  workflow_copy: { workflow_key: '1', how: 'clone', dry_run: false, name: null },
  jobs_diagnose: { workflow_key: '1', job_keys: ['1', '2'] },
  job_show: { job_key: '1' },
  candidates: { kind: 'jobs', workflow: '1', prefix: 'a' },
  jobs_outputs: { workflow_key: '1', job_keys: ['1', '2'], all_attempts: true, after: null, limit: 10 },
  failed_outputs: { workflow_key: '1', after: '1', limit: 10 },
  demand: { workflow_key: '1' },
  usage: { workflow_key: '1' },
  usage_hours: { workflow_key: '1' },
  timeline: {
    ...{ workflow_key: '1', run_id: 1, from: '2026-01-01T00:00:00Z', to: '2036-01-01T00:00:00Z', hostnames: ['h'] },
    ...{ max_workers: 10, skip_workers: 0, max_spans: 10, num_bins: 10 },
  },
  utilization: { workflow_key: '1', run_id: null, from: null, to: null, num_bins: 10 },
  usage_earlier: { name: 'w', workflow_key: null },
  status: { workflow_keys: ['1'], user: null, limit: 1, state: null, wait_seconds: 0 },
  workflow_status: { workflow_key: '1' },
  job_modify: {
    job_key: '4',
    dry_run: false,
    changes: { name: 'x', command: 'false', memory_bytes: 1, runtime_ms: 5 },
  },
  jobs_modify: { job_keys: ['4'], dry_run: false, changes: { scheduler: null, labels: ['a', 'b'] } },
  resource_requirements_modify: { resource_requirements_key: '1', dry_run: false, changes: { num_cpus: 2 } },
  jobs_add: { workflow_key: '2', jobs: [job] },
  jobs_add_children: {
    attempt_key: '2',
    jobs: [{ ...job, command: 'true', depends_on: ['a'], input_user_data: ['u'] }],
    before: ['d'],
    now: false,
    dry_run: false,
  },
  jobs_delete: { job_keys: ['7'], cascade: true, dry_run: false },
  file_add: { workflow_key: '2', name: 'g', path: 'g' },
  file_delete: { file_key: '1' },
  resource_requirements_add: {
    workflow_key: '2',
    name: 'r2',
    num_cpus: 1,
    memory_bytes: 5,
    gpu_thousandths: 0,
    runtime_ms: null,
    num_nodes: 1,
  },
  resource_requirements_assign: { resource_requirements_key: '1', job_keys: ['4'] },
  workflow_pause: { workflow_key: '1', paused: true },
  workflow_autoscale: {
    workflow_key: '1',
    dry_run: false,
    settings: {
      min_nodes: 0,
      max_nodes: 4,
      max_queued: 2,
      idle_seconds: 30,
      walltime_seconds: 3600,
      slurm_config_key: '1',
      nodes_per_allocation: 1,
      max_parallel_jobs: 8,
      is_chain: false,
      output_directory: '/out',
    },
  },
  workflow_modify: {
    workflow_key: '1',
    changes: { name: 'y', metadata: { a: 1 }, stdio: 'none', is_archived: true, recovery: { max_recoveries: 3 } },
  },
  workflow_export: { workflow_key: '1', part: 'jobs', limit: 10, skip: 0 },
  workflow_import_history: {
    workflow_key: '2',
    results: [
      {
        job_name: 'p',
        run_id: 1,
        attempt_id: 1,
        status: 'done',
        return_code: 0,
        cause: 'success',
        start_time: '2026-01-01T00:00:00.000Z',
        end_time: '2026-01-01T00:00:01.000Z',
        exec_time_seconds: 1,
        peak_memory_bytes: 1,
        average_memory_bytes: 1,
        cpu_seconds: 1,
        hostname: 'h',
        slurm_job_id: '1',
        num_cpus: 1,
        memory_bytes: 1,
        gpu_indices: [],
        exit_code: 0,
        signal: null,
        detail: null,
      },
    ],
    events: [
      {
        timestamp: '2026-01-01T00:00:00.000Z',
        job_name: 'p',
        type: 'x',
        old_status: 'ready',
        new_status: 'done',
        data: { a: 1 },
      },
    ],
    added_jobs: [{ job_name: 'p', added_by: null, digest: 'f'.repeat(64) }],
  },
  workflow_import_finish: {
    workflow_key: '2',
    run_id: 1,
    is_canceled: false,
    started_at: '2026-01-01T00:00:00.000Z',
    ended_at: null,
    job_statuses: ['done', 'ready'],
  },
  user_data_add: { workflow_key: '2', name: 'w', data: { a: [1, 'x'] }, is_ephemeral: false },
  user_data_modify: { user_data_key: '1', changes: { data: { a: 2 }, is_ephemeral: true } },
  user_data_delete: { user_data_key: '2' },
  list: {
    list: 'jobs',
    workflow_key: '1',
    filters: [
      { column: 'status', value: 'ready' },
      { column: 'name', value: 'a' },
    ],
    sort_by: 'name',
    reverse: true,
    limit: 10,
    skip: 0,
    latest_only: false,
  },
  worker_hello: {
    protocol: 1,
    worker_id: 'b'.repeat(32),
    workflow_key: '1',
    hostname: 'h2',
    boot_id: 'b',
    pid: 5,
    cluster: 'c',
    slurm_job_id: '77',
    restart_count: 0,
    allocation_key: '1',
    num_nodes: 1,
    num_cpus: 1,
    memory_bytes: 1024,
    num_gpus: 1,
    max_parallel_jobs: null,
    working_directory: '/',
    output_directory: '/o',
    start_ticks: 5,
  },
  exchange: {
    protocol: 1,
    worker_id: workerId,
    seq: 10,
    epoch: 0,
    ack: 3,
    held: [3],
    started: [{ attempt: 3, age_ms: 1, pid: 5, start_ticks: 1, slot: null }],
    finished: [finished(2, 1)],
    returned: [],
    samples: [{ attempt: 3, memory_bytes: 1, peak_memory_bytes: 1, cpu_ms: 1 }],
    time_left_ms: 60_000,
    draining: true,
    leaving: false,
  },
  slurm_config_add: { workflow_key: '1', ...config },
  slurm_config_modify: { slurm_config_key: '1', changes: { account: 'b', extra: null } },
  allocations_record: {
    workflow_key: '1',
    slurm_config_key: '1',
    allocations: [{ name: 'w1', num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' }],
  },
  allocation_confirm: { allocation_key: '1', slurm_job_id: '5', cluster: null, error: null },
};

const odd: unknown[] = [
  ...[null, true, 0, -1, 0.5, 1, 2, 1e308, 2 ** 53, 2 ** 53 - 1, -(2 ** 53), 2 ** 63, NaN, Infinity, 1e-320],
  ...['', '0', '-1', '1', '2', '99', '999999999999999', '9007199254740993', 'x'.repeat(5000), 'a', 'p', '\0', '\ud800'],
  ...[
    '../../x',
    "'; DROP TABLE jobs; --",
    '__proto__',
    'constructor',
    'toString',
    '%s%n',
    '${user_data.output.u}',
    '*',
  ],
  ...[
    '1 OR 1=1',
    'jobs.name',
    'name; --',
    'done',
    '2026-01-01T00:00:00.000Z',
    '+275760-09-13T00:00:00.001Z',
    'é\u{1f680}',
  ],
  ...[[], {}, [null], ['1', '1'], [-1], [[0, 0]], [[1, 0]], [[5, 99]]],
  ...[JSON.parse('{"__proto__":{"x":1}}'), JSON.parse('{"a":{"__proto__":null},"constructor":1,"length":9}')],
];

type Path = (string | number)[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...at, key]))];
}

interface Change {
  path: number;
  how: 'put' | 'remove' | 'add' | 'repeat';
  value: unknown;
}

const change: fc.Arbitrary<Change> = fc.record({
  path: fc.nat(1000),
  how: fc.constantFrom('put', 'put', 'put', 'remove', 'add', 'repeat'),
  value: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...odd) },
    { weight: 1, arbitrary: fc.anything({ withNullPrototype: true }) },
  ),
});

/** The request with one of its parts changed, wherever that is. */
function changed(request: unknown, { path, how, value }: Change): unknown {
  const paths = pathsOf(request);
  const where = paths[path % paths.length] ?? [];
  if (where.length === 0) return how === 'put' ? value : request;
  const copy = structuredClone(request);
  let parent = copy as Record<string, unknown>;
  for (const key of where.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
  const key = String(where.at(-1));
  const named = (name: string, what: unknown) =>
    Object.defineProperty(parent, name, { value: what, enumerable: true, configurable: true, writable: true });
  if (how === 'put') named(key, value);
  else if (how === 'add') named(typeof value === 'string' ? value : '__proto__', value);
  else if (how === 'repeat') named(key, Array(3).fill(parent[key]));
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}

/** What a call ends with; a request of a worker that would wait is given up. */
async function outcome(endpoint: EndpointName, request: unknown): Promise<'done' | TorcError> {
  const given = new AbortController();
  const call = service.call(endpoint, request as Request<typeof endpoint>, { signal: given.signal });
  const ended = call.then(
    () => 'done' as const,
    (error: unknown) => {
      if (error instanceof TorcError) return error;
      throw error;
    },
  );
  if (endpoint !== 'exchange') return await ended;
  const parked = async (): Promise<'done'> => {
    for (let turn = 0; turn < 20 && service.numParked === 0; turn += 1) await new Promise((go) => setImmediate(go));
    given.abort();
    return 'done';
  };
  return await Promise.race([ended, parked()]);
}

it('data nested too deeply is refused, and the server goes on', async () => {
  await reopen('list');
  const before = dump();
  for (const depth of [20_000, 1_000_000]) {
    const data = JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
    for (const [endpoint, request] of [
      ['user_data_add', { workflow_key: '2', name: 'w', data, is_ephemeral: false }],
      ['workflow_modify', { workflow_key: '2', changes: { metadata: data } }],
      ['job_show', { job_key: data }],
    ] as const) {
      expect(await outcome(endpoint, request)).toMatchObject({ code: 'usage' });
    }
  }
  expect(dump()).toBe(before);
});

it('every endpoint has a successful request here', async () => {
  expect(Object.keys(valid).sort()).toEqual(Object.keys(endpoints).sort());
  const failed: string[] = [];
  for (const endpoint of Object.keys(valid) as EndpointName[]) {
    await reopen(endpoint);
    const ended = await outcome(endpoint, valid[endpoint]);
    // these need a process that serves, or a folder
    if (ended !== 'done' && !/^server_(stop|rotate_token|backup)$/.test(endpoint))
      failed.push(`${endpoint}: ${ended.message}`);
  }
  expect(failed).toEqual([]);
});

it('a workflow is created exactly when no job would wait for itself, or for a barrier without upstreams', async () => {
  await reopen('workflow_create_begin');
  const begin = valid.workflow_create_begin as Request<'workflow_create_begin'>;
  const chunk = valid.workflow_create_chunk as Request<'workflow_create_chunk'>;
  const node = fc.integer({ min: -3, max: 3 });
  const numMade = { true: 0, false: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(node, node), { maxLength: 5 }), async (edges) => {
      const { workflow_key } = await service.call('workflow_create_begin', { ...begin, num_jobs: 4, num_barriers: 3 });
      const jobs = ['a', 'b', 'c', 'd'].map(newJob);
      await service.call('workflow_create_chunk', { ...chunk, workflow_key, jobs, edges, action_jobs: [] });
      const ended = await outcome('workflow_create_finish', { workflow_key });
      const isMade = !hasCycle(edges) && edges.every(([from]) => from >= 0 || edges.some(([, to]) => to === from));
      numMade[`${isMade}`] += 1;
      if (isMade) expect(ended).toBe('done');
      else expect(ended).toMatchObject({ code: 'usage' });
    }),
    { numRuns: 100, seed: 1 },
  );
  expect(Math.min(numMade.true, numMade.false)).toBeGreaterThan(20);
});

/** Whether something is left when what waits for nothing is taken away, again and again. */
function hasCycle(edges: [number, number][]): boolean {
  const left = edges.filter(([from]) => edges.some(([, to]) => to === from));
  return left.length === edges.length ? left.length > 0 : hasCycle(left);
}

it.each([
  ...['1', 'rowid', 'j.name', 'jobs.name', 'NAME', 'name DESC', 'name; --', 'name, command', '"name"', "''", '*'],
  ...['(SELECT value FROM meta)', 'CASE WHEN 1 THEN name END', 'name COLLATE NOCASE', 'name IS NULL OR 1', '__proto__'],
])('a list is neither sorted nor filtered by %j, which is none of its columns', async (column) => {
  await reopen('list');
  const list = valid.list as Request<'list'>;
  for (const request of [
    { ...list, sort_by: column },
    { ...list, filters: [{ column, value: '1' }] },
    { ...list, filters: [{ column, value: '' }] },
  ]) {
    const refused = { code: 'usage', message: expect.stringContaining('have no column') };
    expect(await outcome('list', request)).toMatchObject(refused);
  }
});

describe('a request that is almost right', () => {
  it.each(Object.keys(valid) as EndpointName[])('to %s changes nothing, or all that it should', async (endpoint) => {
    await reopen(endpoint);
    let before = dump();
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 2 }), async (changes) => {
        const ended = await outcome(endpoint, changes.reduce(changed, valid[endpoint]));
        if (ended !== 'done') {
          expect([ended.code, ended.message]).not.toContain('bug');
          expect(ended.message.length).toBeLessThan(10_000);
          expect(dump()).toBe(before);
        } else if (dump() !== before) {
          const broken = await brokenAfter(endpoint);
          await reopen(endpoint);
          before = dump();
          expect(broken).toEqual([]);
        }
      }),
      { numRuns: runsPerEndpoint, seed: 1 },
    );
  });
});

/** What does not hold; of a workflow that is being created, once it is finished, if it can be. */
async function brokenAfter(endpoint: EndpointName): Promise<string[]> {
  const isOpen = endpoint === 'workflow_create_chunk';
  if (isOpen && (await outcome('workflow_create_finish', { workflow_key: '3' })) !== 'done') return [];
  return brokenInvariants(service.db);
}
