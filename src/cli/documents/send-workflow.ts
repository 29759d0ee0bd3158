/** Sends an expanded workflow to the server in chunks; nothing is visible before the last one has arrived. */
import type { Api, Reply, Request } from '../../api/contract.ts';
import { outputDirectory } from '../../base/config.ts';
import { counted } from '../../base/text.ts';
import type {
  ExpandedAction,
  ExpandedJob,
  ExpandedScheduler,
  ExpandedWorkflow,
  ResourceMonitor,
} from '../../model/expanded.ts';
import { quoted } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { checkConfig } from '../input/slurm-config.ts';

type Chunk = Request<'workflow_create_chunk'>;

/** Below the limits of the contract, to keep transactions short and requests small. */
export const chunkLimits = {
  jobs: 5000,
  files: 5000,
  user_data: 5000,
  edges: 10_000,
  action_jobs: 10_000,
  characters: 2 * 1024 * 1024,
} as const;

/** Throws TorcError 'usage' for values that an sbatch script cannot contain. */
export async function checkStorable(workflow: ExpandedWorkflow): Promise<void> {
  for (const scheduler of workflow.schedulers) await checkConfig(configOf(scheduler));
}

/** At most this many jobs with unused parameters in braces are named. */
const shownUnused = 5;

/** Prints notes on parts of a specification that have no effect: unneeded here, or possibly forgotten. */
export function noteWithoutEffect(context: Context, workflow: ExpandedWorkflow): void {
  const unused = workflow.unusedParameters;
  for (const { job, parameters } of unused.slice(0, shownUnused)) {
    const braced = parameters.map((name) => `{${name}}`).join(', ');
    const what = `${parameters.length > 1 ? 'parameters' : 'a parameter'} of the workflow that it does not use`;
    const remedy = `add use_parameters: [${parameters.join(', ')}]`;
    note(context, `job ${quoted(job)} contains ${braced}, ${what}; ${remedy}`, 'warning');
  }
  if (unused.length > shownUnused)
    note(context, `and ${counted(unused.length - shownUnused, 'more such job')}`, 'warning');
  if (workflow.resourceMonitor?.generatePlots === true) {
    note(context, 'generate_plots has no effect here: the time series are tables of text that any program can plot.');
  }
  if (!workflow.usePendingFailed) return;
  const instead = `failed jobs keep their status until you reset them with ${context.torc} workflows reset-status KEY --failed-only --restart.`;
  note(context, `use_pending_failed has no effect here: ${instead}`);
}

function configOf(scheduler: ExpandedScheduler) {
  const { name, account, partition, qos, mem, tmp, gres, extra } = scheduler;
  const [walltime_seconds, num_nodes, ntasks_per_node] = [
    scheduler.walltimeSeconds,
    scheduler.numNodes,
    scheduler.ntasksPerNode,
  ];
  return { name, account, partition, qos, walltime_seconds, num_nodes, ntasks_per_node, mem, tmp, gres, extra };
}

/** Stores the workflow; `onProgress` receives the number of stored jobs. */
export async function createWorkflow(
  api: Api,
  workflow: ExpandedWorkflow,
  user: string,
  onProgress: (numJobs: number) => void = () => {},
  place: ActionPlace = actionPlace(),
): Promise<Reply<'workflow_create_finish'>> {
  const { workflow_key } = await api.call('workflow_create_begin', beginRequest(workflow, user, place));
  for (const chunk of chunksOf(workflow, workflow_key)) {
    await api.call('workflow_create_chunk', chunk);
    onProgress(chunk.first_job + chunk.jobs.length);
  }
  return await api.call('workflow_create_finish', { workflow_key });
}

/** The working directory of action commands, and the output directory of the allocations they submit. */
export interface ActionPlace {
  workingDirectory: string;
  outputDirectory: string;
}

function actionPlace(): ActionPlace {
  return { workingDirectory: process.cwd(), outputDirectory: outputDirectory(undefined) };
}

export function beginRequest(
  workflow: ExpandedWorkflow,
  user: string,
  place: ActionPlace = actionPlace(),
): Request<'workflow_create_begin'> {
  const actions = {
    working_directory: place.workingDirectory,
    output_directory: place.outputDirectory,
    list: workflow.actions.map((action) => wireAction(workflow, action)),
  };
  return {
    name: workflow.name,
    user,
    description: workflow.description,
    project: workflow.project,
    metadata: (workflow.metadata ?? null) as Request<'workflow_create_begin'>['metadata'],
    expiration_buffer_seconds: workflow.expirationBufferSeconds,
    wait_for_new_jobs_seconds: workflow.waitForNewJobsSeconds,
    ignore_workflow_completion: workflow.ignoreWorkflowCompletion,
    wait_for_healthy_database_minutes: workflow.waitForHealthyDatabaseMinutes,
    jobs_sort_method: workflow.jobsSortMethod,
    max_losses: workflow.maxLosses,
    requirements: workflow.requirements.map((need) => ({
      name: need.name,
      num_cpus: need.numCpus,
      memory_bytes: need.memoryBytes,
      gpu_thousandths: need.gpuThousandths,
      num_nodes: need.numNodes,
      runtime_ms: need.runtimeMs,
      is_memory_stated: need.isMemoryStated,
      is_runtime_stated: need.isRuntimeStated,
    })),
    slurm_configs: workflow.schedulers.map(configOf),
    failure_handlers: workflow.failureHandlers.map(({ name, rules }) => ({
      name,
      rules: rules.map((rule) => ({
        exit_codes: [...rule.exitCodes],
        match_all_exit_codes: rule.matchAllExitCodes,
        recovery_script: rule.recoveryScript,
        max_retries: rule.maxRetries,
        retry_delay_ms: rule.retryDelayMs,
        retry_backoff: rule.retryBackoff,
        retry_max_delay_ms: rule.retryMaxDelayMs,
      })),
    })),
    sample_interval_seconds: sampleInterval(workflow.resourceMonitor),
    stdio: workflow.stdio,
    num_jobs: workflow.numJobs,
    num_files: workflow.files.length,
    num_user_data: workflow.userData.length,
    num_barriers: workflow.numBarriers,
    ...(actions.list.length === 0 ? {} : { actions }),
  };
}

function wireAction(
  workflow: ExpandedWorkflow,
  action: ExpandedAction,
): NonNullable<Request<'workflow_create_begin'>['actions']>['list'][number] {
  return {
    trigger_type: action.triggerType,
    action_type: action.actionType,
    persistent: action.persistent,
    commands: [...action.commands],
    scheduler: action.scheduler === null ? null : (workflow.schedulers[action.scheduler]?.name ?? null),
    num_allocations: action.numAllocations,
    start_one_worker_per_node: action.startOneWorkerPerNode,
    max_parallel_jobs: action.maxParallelJobs,
  };
}

/** Every result has peak and average; only a time series has an interval. */
function sampleInterval(monitor: ResourceMonitor | null): number | null {
  return monitor?.enabled === true && monitor.granularity === 'time_series' ? monitor.sampleIntervalSeconds : null;
}

function wireJob(job: ExpandedJob): Chunk['jobs'][number] {
  return {
    name: job.name,
    command: job.command,
    invocation_script: job.invocationScript,
    requirements: job.requirements,
    ...(job.scheduler === null ? {} : { slurm_config: job.scheduler }),
    ...(job.failureHandler === null ? {} : { failure_handler: job.failureHandler }),
    priority: job.priority,
    cancel_on_blocking_job_failure: job.cancelOnBlockingJobFailure,
    supports_termination: job.supportsTermination,
    input_files: [...job.inputFiles],
    output_files: [...job.outputFiles],
    input_user_data: [...job.inputUserData],
    output_user_data: [...job.outputUserData],
  };
}

function jobCharacters(job: ExpandedJob): number {
  const numFiles = job.inputFiles.length + job.outputFiles.length;
  const uses = (numFiles + job.inputUserData.length + job.outputUserData.length) * 8;
  return 200 + job.name.length + job.command.length + (job.invocationScript?.length ?? 0) + uses;
}

/** Closes a chunk before it exceeds a limit; a member that alone exceeds it gets its own chunk. */
class ChunkBuilder {
  readonly #workflowKey: string;
  #chunk: Chunk;
  #characters = 0;
  #numJobs = 0;
  #numFiles = 0;
  #numUserData = 0;

  constructor(workflowKey: string) {
    this.#workflowKey = workflowKey;
    this.#chunk = this.#empty();
  }

  #empty(): Chunk {
    return {
      workflow_key: this.#workflowKey,
      first_job: this.#numJobs,
      first_file: this.#numFiles,
      first_user_data: this.#numUserData,
      jobs: [],
      files: [],
      user_data: [],
      edges: [],
      action_jobs: [],
    };
  }

  /** The full chunk, when `characters` more of this kind do not fit in it, else null. */
  closeBefore(kind: 'jobs' | 'files' | 'user_data' | 'edges' | 'action_jobs', characters: number): Chunk | null {
    const isFull =
      (this.#chunk[kind]?.length ?? 0) >= chunkLimits[kind] || this.#characters + characters > chunkLimits.characters;
    const full = isFull ? this.close() : null;
    this.#characters += characters;
    return full;
  }

  addJob(job: Chunk['jobs'][number]): void {
    this.#chunk.jobs.push(job);
    this.#numJobs += 1;
  }

  addFile(file: Chunk['files'][number]): void {
    this.#chunk.files.push(file);
    this.#numFiles += 1;
  }

  addUserData(datum: Chunk['user_data'][number]): void {
    this.#chunk.user_data.push(datum);
    this.#numUserData += 1;
  }

  addEdge(edge: Chunk['edges'][number]): void {
    this.#chunk.edges.push(edge);
  }

  addActionJob(pair: [number, number]): void {
    this.#chunk.action_jobs?.push(pair);
  }

  /** The chunk, or null when it is empty; starts the next one. */
  close(): Chunk | null {
    const { jobs, files, user_data, edges, action_jobs = [] } = this.#chunk;
    const count = jobs.length + files.length + user_data.length + edges.length + action_jobs.length;
    const closed = count === 0 ? null : this.#chunk;
    this.#chunk = this.#empty();
    this.#characters = 0;
    return closed;
  }
}

/** The workflow as requests, made one at a time, so that a million jobs are never in memory twice. */
export function* chunksOf(workflow: ExpandedWorkflow, workflowKey: string): Generator<Chunk> {
  const builder = new ChunkBuilder(workflowKey);
  for (const file of workflow.files) {
    const full = builder.closeBefore('files', 40 + file.name.length + file.path.length);
    if (full !== null) yield full;
    builder.addFile({ name: file.name, path: file.path });
  }
  for (const { name, data, isEphemeral } of workflow.userData) {
    const datum = { name, data: data as Chunk['user_data'][number]['data'], is_ephemeral: isEphemeral };
    const full = builder.closeBefore('user_data', 60 + name.length + JSON.stringify(data).length);
    if (full !== null) yield full;
    builder.addUserData(datum);
  }
  for (const job of workflow.jobs) {
    const full = builder.closeBefore('jobs', jobCharacters(job));
    if (full !== null) yield full;
    builder.addJob(wireJob(job));
  }
  for (const [upstream, downstream] of workflow.edges) {
    const full = builder.closeBefore('edges', 20);
    if (full !== null) yield full;
    builder.addEdge([upstream, downstream]);
  }
  for (const [index, action] of workflow.actions.entries()) {
    for (const job of action.jobs) {
      const full = builder.closeBefore('action_jobs', 20);
      if (full !== null) yield full;
      builder.addActionJob([index, job]);
    }
  }
  const last = builder.close();
  if (last !== null) yield last;
}
