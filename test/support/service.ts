/** A service over a new database, and workers that speak the protocol without processes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Api, ExchangeReply, Request } from '../../src/api/contract.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'torc test '));
}

export async function freshService(
  clock: Clock = systemClock,
): Promise<{ service: Service; directory: string; close: () => Promise<void> }> {
  const directory = temporaryDirectory();
  const service = await openService(directory, clock, 'test');
  service.info.user = 'tester';
  return {
    service,
    directory,
    async close() {
      await service.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface TestJob {
  name: string;
  command?: string;
  cpus?: number;
  memory?: number;
  gpuThousandths?: number;
  nodes?: number;
  /** Stated runtime in seconds. */
  runtime?: number;
  priority?: number;
  cancelOnFailure?: boolean;
  supportsTermination?: boolean;
  taskFailureIsSuccess?: boolean;
  hold?: boolean;
  maxWaitMs?: number;
  /** Indices of the user data that it reads and writes. */
  reads?: number[];
  writes?: number[];
  /** Indices of the workflow's Slurm configs and failure handlers. */
  slurmConfig?: number;
  labels?: string[];
  limits?: string[];
  /** Texts of requirements that come from data. */
  fromData?: NonNullable<Request<'workflow_create_begin'>['requirements'][number]['from_data']>;
  failureHandler?: number | undefined;
}

type Rule = Request<'workflow_create_begin'>['failure_handlers'][number]['rules'][number];

/** A rule of a failure handler: matches all return codes unless some are given. */
export function rule(given: Partial<Rule> = {}): Rule {
  const matchAll = given.exit_codes === undefined;
  return { exit_codes: [], match_all_exit_codes: matchAll, recovery_script: null, max_retries: 3, ...given };
}

type Config = Request<'workflow_create_begin'>['slurm_configs'][number];

const plainConfig: Config = {
  name: 'default',
  account: 'a',
  partition: null,
  qos: null,
  walltime_seconds: 3600,
  num_nodes: 1,
  ntasks_per_node: null,
  mem: null,
  tmp: null,
  gres: null,
  extra: null,
};
type WireActions = NonNullable<Request<'workflow_create_begin'>['actions']>;

/** Runs commands, unless it names a scheduler. */
export interface TestAction {
  trigger: WireActions['list'][number]['trigger_type'];
  jobs?: number[];
  commands?: string[];
  scheduler?: string;
  allocations?: number;
  persistent?: boolean;
}

function actionsOf(actions: TestAction[], directory: string): WireActions {
  return {
    working_directory: directory,
    output_directory: join(directory, 'output'),
    list: actions.map((action) => ({
      trigger_type: action.trigger,
      action_type: action.scheduler === undefined ? 'run_commands' : 'schedule_nodes',
      persistent: action.persistent ?? false,
      commands: action.commands ?? (action.scheduler === undefined ? ['true'] : []),
      scheduler: action.scheduler ?? null,
      num_allocations: action.allocations ?? 1,
      start_one_worker_per_node: false,
      max_parallel_jobs: null,
    })),
  };
}

const mostInChunk = 5000;

/** Creates a workflow of jobs and edges (indices; negative: barriers) and starts it; returns its key. */
export async function createWorkflow(
  api: Api,
  jobs: TestJob[],
  edges: [number, number][] = [],
  options: {
    numBarriers?: number;
    start?: boolean;
    sort?: 'gpus_runtime_memory' | 'none';
    userData?: Request<'workflow_create_chunk'>['user_data'];
    /** By their names, or with what else they state. */
    slurmConfigs?: (string | Partial<Config>)[];
    failureHandlers?: Rule[][];
    actions?: TestAction[];
    directory?: string;
    maxFailures?: number;
    maxConcurrentJobs?: number;
    limits?: Record<string, number>;
    timeoutMs?: number;
    notifications?: Request<'workflow_create_begin'>['notifications'];
    name?: string;
    /** All ask for what the first one asks for. */
    isAlike?: boolean;
  } = {},
): Promise<string> {
  const { workflow_key } = await api.call('workflow_create_begin', {
    name: options.name ?? 'test',
    description: null,
    project: null,
    metadata: null,
    expiration_buffer_seconds: 180,
    wait_for_new_jobs_seconds: 90,
    ignore_workflow_completion: false,
    wait_for_healthy_database_minutes: 20,
    jobs_sort_method: options.sort ?? 'none',
    requirements: (options.isAlike === true ? jobs.slice(0, 1) : jobs).map((job, index) => ({
      name: `r${index}`,
      num_cpus: job.cpus ?? 1,
      memory_bytes: job.memory ?? 1024,
      gpu_thousandths: job.gpuThousandths ?? 0,
      num_nodes: job.nodes ?? 1,
      runtime_ms: (job.runtime ?? 60) * 1000,
      is_memory_stated: job.memory !== undefined,
      is_runtime_stated: job.runtime !== undefined,
      ...(job.fromData === undefined ? {} : { from_data: job.fromData }),
    })),
    slurm_configs: (options.slurmConfigs ?? []).map((given) => ({
      ...plainConfig,
      ...(typeof given === 'string' ? { name: given } : given),
    })),
    failure_handlers: (options.failureHandlers ?? []).map((rules, index) => ({ name: `h${index}`, rules })),
    sample_interval_seconds: null,
    ...(options.maxFailures === undefined ? {} : { max_failures: options.maxFailures }),
    ...(options.maxConcurrentJobs === undefined ? {} : { max_concurrent_jobs: options.maxConcurrentJobs }),
    limits: Object.entries(options.limits ?? {}).map(([name, maximum]) => ({ name, maximum })),
    ...(options.timeoutMs === undefined ? {} : { timeout_ms: options.timeoutMs }),
    ...(options.notifications === undefined ? {} : { notifications: options.notifications }),
    num_jobs: jobs.length,
    num_files: 0,
    num_user_data: options.userData?.length ?? 0,
    num_barriers: options.numBarriers ?? 0,
    ...(options.actions === undefined
      ? {}
      : { actions: actionsOf(options.actions, options.directory ?? temporaryDirectory()) }),
  });
  const wireJobs = jobs.map((job, index) => ({
    name: job.name,
    command: job.command ?? 'true',
    invocation_script: null,
    requirements: options.isAlike === true ? 0 : index,
    ...(job.slurmConfig === undefined ? {} : { slurm_config: job.slurmConfig }),
    ...(job.limits === undefined ? {} : { limits: job.limits }),
    ...(job.labels === undefined ? {} : { labels: job.labels }),
    ...(job.failureHandler === undefined ? {} : { failure_handler: job.failureHandler }),
    priority: job.priority ?? 0,
    cancel_on_blocking_job_failure: job.cancelOnFailure ?? true,
    supports_termination: job.supportsTermination ?? false,
    ...(job.taskFailureIsSuccess === true ? { task_failure_is_success: true } : {}),
    ...(job.hold === true ? { hold: true } : {}),
    ...(job.maxWaitMs === undefined ? {} : { max_wait_ms: job.maxWaitMs }),
    input_files: [],
    output_files: [],
    input_user_data: job.reads ?? [],
    output_user_data: job.writes ?? [],
  }));
  const chunk = (first: number) => ({
    workflow_key,
    first_job: first,
    first_file: 0,
    first_user_data: 0,
    jobs: wireJobs.slice(first, first + mostInChunk),
    files: [],
    user_data: first === 0 ? (options.userData ?? []) : [],
  });
  let first = 0;
  for (; first + mostInChunk < jobs.length; first += mostInChunk) {
    await api.call('workflow_create_chunk', { ...chunk(first), edges: [] });
  }
  await api.call('workflow_create_chunk', {
    ...chunk(first),
    edges,
    action_jobs: (options.actions ?? []).flatMap(({ jobs: of = [] }, index) =>
      of.map((job): [number, number] => [index, job]),
    ),
  });
  await api.call('workflow_create_finish', { workflow_key });
  if (options.start !== false)
    await api.call('workflow_start', { workflow_key, dry_run: false, ignore_missing_data: true });
  return workflow_key;
}

let workers = 0;

/** A worker whose exchanges the test makes: the test decides what it reports. */
export class TestWorker {
  readonly api: Api;
  readonly workerId: string;
  seq = 0;
  ack = 0;
  held: number[] = [];

  private constructor(api: Api, workerId: string) {
    this.api = api;
    this.workerId = workerId;
  }

  static async join(
    api: Api,
    workflowKey: string,
    capacity: { nodes?: number | undefined; cpus?: number; memory?: number; gpus?: number; maxJobs?: number } = {},
    allocation: { slurmJobId: string; hostname: string; restartCount: number; allocationKey?: string } | null = null,
    hello: Partial<Request<'worker_hello'>> = {},
  ): Promise<TestWorker> {
    workers += 1;
    const workerId = hello.worker_id ?? workers.toString(16).padStart(32, '0');
    const { answer } = await api.call('worker_hello', {
      protocol: 1,
      worker_id: workerId,
      workflow_key: workflowKey,
      hostname: allocation?.hostname ?? `host${workers}`,
      boot_id: 'boot',
      pid: 1,
      cluster: null,
      slurm_job_id: allocation?.slurmJobId ?? null,
      restart_count: allocation?.restartCount ?? 0,
      allocation_key: allocation?.allocationKey ?? null,
      num_nodes: capacity.nodes ?? 1,
      num_cpus: capacity.cpus ?? 4,
      memory_bytes: capacity.memory ?? 1024 ** 3,
      num_gpus: capacity.gpus ?? 0,
      max_parallel_jobs: capacity.maxJobs ?? null,
      working_directory: null,
      output_directory: null,
      start_ticks: null,
      ...hello,
    });
    if (answer === 'gone') throw new Error('gone');
    return new TestWorker(api, workerId);
  }

  /** One exchange; accepts the jobs of the reply. */
  async exchange(fields: Partial<Request<'exchange'>> = {}): Promise<ExchangeReply> {
    this.seq += 1;
    const reply = await this.api.call('exchange', {
      protocol: 1,
      worker_id: this.workerId,
      seq: this.seq,
      epoch: 0,
      ack: this.ack,
      held: this.held,
      started: [],
      finished: [],
      returned: [],
      samples: [],
      time_left_ms: null,
      draining: false,
      leaving: false,
      ...fields,
    });
    for (const job of reply.jobs) {
      this.held.push(job.attempt);
      this.ack = Math.max(this.ack, job.attempt);
    }
    return reply;
  }

  /** Reports the end of an attempt. */
  async finish(attempt: number, returnCode = 0, fields: Partial<Request<'exchange'>> = {}): Promise<ExchangeReply> {
    this.held = this.held.filter((held) => held !== attempt);
    return await this.exchange({ finished: [finished(attempt, returnCode)], ...fields });
  }
}

export function finished(attempt: number, returnCode = 0): Request<'exchange'>['finished'][number] {
  return {
    attempt,
    start_age_ms: 5,
    age_ms: 1,
    status: 'done',
    return_code: returnCode,
    cause: returnCode === 0 ? 'success' : 'exit_code',
    exit_code: returnCode,
    signal: null,
    detail: null,
    exec_ms: 4,
    peak_memory_bytes: null,
    average_memory_bytes: null,
    cpu_ms: null,
  };
}

/** All rows of a list. */
export async function rows(
  api: Api,
  list: Request<'list'>['list'],
  workflowKey: string | null,
  filters: Record<string, string> = {},
): Promise<Record<string, unknown>[]> {
  const reply = await api.call('list', {
    list,
    workflow_key: workflowKey,
    filters: Object.entries(filters).map(([column, value]) => ({ column, value })),
    sort_by: null,
    reverse: false,
    limit: 10_000,
    skip: 0,
  });
  return reply.records;
}

/** Job statuses by name. */
export async function statuses(api: Api, workflowKey: string): Promise<Record<string, string>> {
  const jobs = await rows(api, 'jobs', workflowKey);
  return Object.fromEntries(jobs.map((job) => [job.name as string, job.status as string]));
}
