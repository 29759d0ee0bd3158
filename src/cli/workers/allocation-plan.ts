/** The plan of allocations to submit: made before anything happens, the same in a dry run. */

import { createHash } from 'node:crypto';
import type { Api, ListRecord, WorkflowShown } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Batch, batchScript } from '../../server/actions/submission.ts';
import type { Context } from '../context/context.ts';
import { chosenOutput } from '../input/output-directory.ts';
import { chooseConfig } from '../input/slurm-config.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import type { PlannedAllocation } from '../plans/output.ts';

export interface ScheduleOptions {
  count: number;
  schedulerKey?: string;
  jobPrefix: string;
  keepScripts?: boolean;
  maxParallelJobs?: number;
  output?: string;
  pollInterval?: number;
  startOneWorkerPerNode?: boolean;
  /** Instead of that of the Slurm config; `fit` for what the largest job needs that is ready. */
  mem?: string;
  /** What each node must have at least, where that is more than the Slurm config asks for. */
  minimum?: Batch['minimum'];
  dryRun?: boolean;
  /** Also allocations that can run none of the jobs that wait. */
  force?: boolean;
  /** False with `--no-server`. */
  server: boolean;
}

/** At most this many Slurm configs of a workflow are considered. */
const mostConfigs = 100;

/** Everything decided before the first allocation is submitted. */
export interface Schedule {
  workflow: WorkflowShown;
  config: ListRecord;
  /** Other Slurm configs that ready jobs require. */
  others: ListRecord[];
  output: string;
  /** The expected key of the first allocation; another command may be faster. */
  firstAllocationKey: number;
}

export interface PlannedSubmission extends PlannedAllocation {
  action: 'submit';
  name: string;
  script: string;
}

/** Throws TorcError when the workflow has not started or the Slurm config is ambiguous. */
export async function planSchedule(context: Context, api: Api, options: ScheduleOptions): Promise<Schedule> {
  const workflowKey = await chooseWorkflow(context, api, null);
  const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
  if (workflow.run_id === 0) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} has not started`,
      `${context.torc} workflows start ${workflowKey}`,
    );
  }
  const config = await chooseConfig(context, api, options.schedulerKey ?? null, workflowKey);
  const newest = { list: 'allocations', workflow_key: null, filters: [], sort_by: null } as const;
  const { records } = await api.call('list', { ...newest, filters: [], reverse: true, limit: 1, skip: 0 });
  const firstAllocationKey = Number(records[0]?.allocation_key ?? 0) + 1;
  const configs = { list: 'slurm_configs', workflow_key: workflowKey, sort_by: null, reverse: false } as const;
  const all = await api.call('list', { ...configs, filters: [], limit: mostConfigs, skip: 0 });
  const others = all.records.filter((other) => {
    return other.slurm_config_key !== config.slurm_config_key && other.num_ready_jobs !== 0;
  });
  return { workflow, config, others, output: chosenOutput(context, options.output), firstAllocationKey };
}

/**
 * Unique among all Slurm jobs of the user, and the same in a dry run: no two workflows, even of different directories
 * or of a new database, are created in the same millisecond.
 */
export function allocationName(context: Context, schedule: Schedule, prefix: string, at: number): string {
  const { workflow, firstAllocationKey } = schedule;
  const facts = [context.directory, workflow.workflow_key, workflow.created_at, firstAllocationKey + at];
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 8);
  return `${prefix}_${workflow.workflow_key}_${digest}`;
}

/** What to submit, from the options. */
export function batchOf(context: Context, schedule: Schedule, options: ScheduleOptions): Batch {
  return {
    workflowKey: schedule.workflow.workflow_key,
    config: schedule.config,
    serverDirectory: context.directory,
    outputDirectory: schedule.output,
    workingDirectory: schedule.workflow.base_directory,
    maxParallelJobs: options.maxParallelJobs ?? context.settings.max_parallel_jobs ?? null,
    pollIntervalSeconds: options.pollInterval ?? null,
    oneWorkerPerNode: options.startOneWorkerPerNode ?? false,
    minimum: options.minimum ?? null,
    keepScripts: options.keepScripts ?? false,
  };
}

/** Allocation number `at`, from 0; by default with its expected key. */
export function plannedSubmission(
  context: Context,
  schedule: Schedule,
  options: ScheduleOptions,
  at: number,
  allocationKey: string = String(schedule.firstAllocationKey + at),
): PlannedSubmission {
  const name = allocationName(context, schedule, options.jobPrefix, at);
  const script = batchScript(batchOf(context, schedule, options), name, allocationKey);
  return { action: 'submit', name, script, slurm_job_id: null };
}
