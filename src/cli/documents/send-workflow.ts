/** Sends an expanded workflow to the server in chunks; nothing is visible before the last one has arrived. */

import type { Api, Reply, Request } from '../../api/contract.ts';
import { outputDirectory } from '../../base/config.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedAction, ExpandedScheduler, ExpandedWorkflow, ResourceMonitor } from '../../model/expanded.ts';
import { quoted } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { checkConfig } from '../input/slurm-config.ts';
import { chunksOf } from './workflow-chunks.ts';

/** Throws TorcError 'usage' for values that an sbatch script cannot contain. */
export async function checkStorable(workflow: ExpandedWorkflow): Promise<void> {
  for (const scheduler of workflow.schedulers) await checkConfig(configOf(scheduler));
}

/** At most this many jobs with unused parameters in braces are named. */
const shownUnused = 5;

/** Prints notes on parts of a specification that have no effect: unneeded here, or possibly forgotten. */
export function noteWithoutEffect(context: Context, workflow: ExpandedWorkflow): void {
  noteExpandedPaths(context, workflow);
  if (workflow.numJobs === 0) note(context, 'the workflow has no jobs; it can start once some are added', 'warning');
  const unused = workflow.unusedParameters;
  for (const { job, parameters } of unused.slice(0, shownUnused)) {
    const braced = parameters.map((name) => `{${name}}`).join(', ');
    const what = `${parameters.length > 1 ? 'parameters' : 'a parameter'} of the workflow that it does not use`;
    const remedy = `add use_parameters: [${parameters.join(', ')}]`;
    note(context, `job ${quoted(job)} contains ${braced}, ${what}; ${remedy}`, 'warning');
  }
  if (unused.length > shownUnused)
    note(context, `and ${counted(unused.length - shownUnused, 'more such job')}`, 'warning');
  for (const { name, labels, alsoUnlabelled } of workflow.schedulers) {
    if (alsoUnlabelled !== true || labels !== undefined) continue;
    note(context, `also_unlabelled of Slurm config ${quoted(name)} has no effect: its workers are given no labels.`);
  }
  if (workflow.resourceMonitor?.generatePlots === true) {
    note(context, 'generate_plots has no effect here: the time series are tables of text that any program can plot.');
  }
  if (!workflow.usePendingFailed) return;
  const instead = `failed jobs keep their status until you reset them with ${context.torc} workflows reset-status KEY --failed-only --restart.`;
  note(context, `use_pending_failed has no effect here: ${instead}`);
}

/** Paths are fixed now: a variable that has another value on a node does not change them. */
function noteExpandedPaths(context: Context, { files }: ExpandedWorkflow): void {
  const expanded = files.filter(({ written }) => written !== undefined);
  for (const { name, path, written = '' } of expanded.slice(0, shownUnused)) {
    note(context, `file ${quoted(name)}: ${quoted(written)} is ${path}`);
  }
  if (expanded.length > shownUnused) note(context, `and ${counted(expanded.length - shownUnused, 'more such path')}`);
}

function configOf(scheduler: ExpandedScheduler) {
  const { name, account, partition, qos, mem, tmp, gres, extra } = scheduler;
  const [walltime_seconds, num_nodes, ntasks_per_node] = [
    scheduler.walltimeSeconds,
    scheduler.numNodes,
    scheduler.ntasksPerNode,
  ];
  const { labels, alsoUnlabelled: also_unlabelled } = scheduler;
  const pool = {
    ...(labels === undefined ? {} : { labels: [...labels] }),
    ...(also_unlabelled === undefined ? {} : { also_unlabelled }),
  };
  return {
    name,
    account,
    partition,
    qos,
    walltime_seconds,
    num_nodes,
    ntasks_per_node,
    mem,
    tmp,
    gres,
    extra,
    ...pool,
  };
}

/** Stores the workflow; `onProgress` receives the number of stored jobs. */
export async function createWorkflow(
  api: Api,
  workflow: ExpandedWorkflow,
  onProgress: (numJobs: number) => void = () => {},
  place: ActionPlace = actionPlace(),
): Promise<Reply<'workflow_create_finish'>> {
  const { workflow_key } = await api.call('workflow_create_begin', beginRequest(workflow, place));
  for (const chunk of chunksOf(workflow, workflow_key)) {
    await api.call('workflow_create_chunk', chunk);
    onProgress(chunk.first_job + chunk.jobs.length);
  }
  return await api.call('workflow_create_finish', { workflow_key });
}

/** The base directory of a workflow, and the output directory of the allocations that its actions submit. */
export interface ActionPlace {
  workingDirectory: string;
  outputDirectory: string;
}

function actionPlace(): ActionPlace {
  return { workingDirectory: process.cwd(), outputDirectory: outputDirectory(undefined) };
}

export function beginRequest(
  workflow: ExpandedWorkflow,
  place: ActionPlace = actionPlace(),
): Request<'workflow_create_begin'> {
  const actions = {
    working_directory: place.workingDirectory,
    output_directory: place.outputDirectory,
    list: workflow.actions.map((action) => wireAction(workflow, action)),
  };
  return {
    name: workflow.name,
    ...(workflow.tool === undefined ? {} : { tool: workflow.tool }),
    ...(workflow.args === undefined ? {} : { args: workflow.args }),
    description: workflow.description,
    project: workflow.project,
    base_directory: place.workingDirectory,
    metadata: (workflow.metadata ?? null) as Request<'workflow_create_begin'>['metadata'],
    ...(workflow.attributes === undefined ? {} : { attributes: { ...workflow.attributes } }),
    expiration_buffer_seconds: workflow.expirationBufferSeconds,
    wait_for_new_jobs_seconds: workflow.waitForNewJobsSeconds,
    ignore_workflow_completion: workflow.ignoreWorkflowCompletion,
    wait_for_healthy_database_minutes: workflow.waitForHealthyDatabaseMinutes,
    jobs_sort_method: workflow.jobsSortMethod,
    max_losses: workflow.maxLosses,
    ...(workflow.maxFailures === undefined ? {} : { max_failures: workflow.maxFailures }),
    ...(workflow.maxConcurrentJobs === undefined ? {} : { max_concurrent_jobs: workflow.maxConcurrentJobs }),
    ...(workflow.limits === undefined ? {} : { limits: workflow.limits.map((limit) => ({ ...limit })) }),
    ...(workflow.timeoutMs === undefined ? {} : { timeout_ms: workflow.timeoutMs }),
    termination_signal: workflow.terminationSignal,
    sigterm_lead_seconds: workflow.sigtermLeadSeconds,
    create_output_folders: workflow.createOutputFolders,
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
    failure_handlers: workflow.failureHandlers.map(({ name, rules, isPlain = false }) => ({
      name,
      ...(isPlain ? { is_plain: true } : {}),
      rules: rules.map((rule) => ({
        exit_codes: [...rule.exitCodes],
        match_all_exit_codes: rule.matchAllExitCodes,
        ...(rule.causes.length === 0 ? {} : { causes: [...rule.causes] }),
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
