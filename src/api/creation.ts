/** A new workflow as the requests that store it, in chunks; nothing is visible before the last one has arrived. */

import type { ExpandedAction, ExpandedScheduler, ExpandedWorkflow, ResourceMonitor } from '../model/expanded.ts';
import { amountsIn } from '../model/named-resources.ts';
import type { Api, Reply, Request } from './contract.ts';
import { chunksOf } from './creation-chunks.ts';

/** The base directory of a workflow, and the output directory of the allocations that its actions submit. */
export interface ActionPlace {
  workingDirectory: string;
  outputDirectory: string;
}

/** Stores the workflow; `onProgress` receives the number of stored jobs. */
export async function storeInChunks(
  api: Api,
  workflow: ExpandedWorkflow,
  place: ActionPlace,
  onProgress: (numJobs: number) => void = () => {},
): Promise<Reply<'workflow_create_finish'>> {
  const { workflow_key } = await api.call('workflow_create_begin', beginRequest(workflow, place));
  for (const chunk of chunksOf(workflow, workflow_key)) {
    await api.call('workflow_create_chunk', chunk);
    onProgress(chunk.first_job + chunk.jobs.length);
  }
  const sized = workflow.autoSize === undefined ? {} : { auto_size: workflow.autoSize };
  return await api.call('workflow_create_finish', { workflow_key, ...sized });
}

/** A Slurm config as it is stored. */
export function configOf(scheduler: ExpandedScheduler) {
  const { name, account, partition, qos, mem, tmp, gres, extra } = scheduler;
  const [walltime_seconds, num_nodes, ntasks_per_node] = [
    scheduler.walltimeSeconds,
    scheduler.numNodes,
    scheduler.ntasksPerNode,
  ];
  const { labels, alsoUnlabelled: also_unlabelled, resources } = scheduler;
  const pool = {
    ...(labels === undefined ? {} : { labels: [...labels] }),
    ...(also_unlabelled === undefined ? {} : { also_unlabelled }),
    ...(scheduler.fallbackOrder === undefined ? {} : { fallback_order: scheduler.fallbackOrder }),
    ...(resources === undefined ? {} : { resources: amountsIn(resources) }),
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

/** The first of the requests. */
export function beginRequest(workflow: ExpandedWorkflow, place: ActionPlace): Request<'workflow_create_begin'> {
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
    ...(workflow.env === undefined ? {} : { env: { ...workflow.env } }),
    expiration_buffer_seconds: workflow.expirationBufferSeconds,
    wait_for_new_jobs_seconds: workflow.waitForNewJobsSeconds,
    ignore_workflow_completion: workflow.ignoreWorkflowCompletion,
    wait_for_healthy_database_minutes: workflow.waitForHealthyDatabaseMinutes,
    jobs_sort_method: workflow.jobsSortMethod,
    max_losses: workflow.maxLosses,
    ...(workflow.maxDynamicJobs === undefined ? {} : { max_dynamic_jobs: workflow.maxDynamicJobs }),
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
      ...(need.fromData === undefined ? {} : { from_data: need.fromData }),
      ...(need.expectedMs === undefined ? {} : { expected_runtime_ms: need.expectedMs }),
      ...(need.resources === undefined ? {} : { resources: amountsIn(need.resources) }),
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
        ...(rule.scale === undefined ? {} : { scale: rule.scale }),
      })),
    })),
    sample_interval_seconds: sampleInterval(workflow.resourceMonitor),
    stdio: workflow.stdio,
    ...(workflow.pin === undefined ? {} : { pin: workflow.pin }),
    ...(workflow.execution === undefined ? {} : { execution: workflow.execution }),
    num_jobs: workflow.numJobs,
    num_files: workflow.files.length,
    num_user_data: workflow.userData.length,
    num_barriers: workflow.numBarriers,
    ...(actions.list.length === 0 ? {} : { actions }),
    ...notificationsOf(workflow),
  };
}

function notificationsOf({ notifications }: ExpandedWorkflow): Pick<Request<'workflow_create_begin'>, 'notifications'> {
  if (notifications === undefined) return {};
  return {
    notifications: notifications.map(({ events, tokenFile: token_file, ...rule }) => ({
      ...rule,
      events: [...events],
      token_file,
    })),
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
