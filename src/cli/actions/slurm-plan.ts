/** `torc hpc slurm plan`: which allocations a workflow needs. */
import { existsSync } from 'node:fs';
import type { StoredSite } from '../../api/sites.ts';
import { TorcError } from '../../base/errors.ts';
import { parseWalltime } from '../../base/units.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import type { PlanOptions } from '../../model/plan/plan.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { jobsOfSpec, jobsOfWorkflow, type PlannedJobs } from '../input/planned-jobs.ts';
import { currentSite } from '../input/site.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { type NodePlan, nodePlan } from '../plans/node-plan.ts';
import { withEstimates } from '../plans/node-plan-estimates.ts';
import { nodePlanText } from '../plans/node-plan-text.ts';

export interface NodePlanOptions {
  maxNodes?: number;
  maxAllocations?: number;
  partition?: string;
  /** In Slurm's format. */
  walltime?: string;
  maxParallelJobs?: number;
  /** Asks Slurm when it could start each kind of allocation. */
  testOnly?: boolean;
}

export function planOptions(options: NodePlanOptions): PlanOptions {
  return {
    maxNodes: options.maxNodes ?? null,
    maxAllocations: options.maxAllocations ?? null,
    maxWalltimeMs: options.walltime === undefined ? null : parseWalltime(options.walltime) * 1000,
    partition: options.partition ?? null,
    maxParallelJobs: options.maxParallelJobs ?? null,
    queueMs: 0,
  };
}

/** `what`: a file or a workflow; null for that of -k. */
export async function planNodes(context: Context, what: string | null, options: NodePlanOptions): Promise<void> {
  const planned = await plannedNodes(context, what, options);
  const plan = options.testOnly === true ? await withEstimates(context, planned) : planned;
  await printResult(context, plan, () => nodePlanText(context, plan));
}

/** The plan for a specification. */
export function planOfWorkflow(
  context: Context,
  workflow: ExpandedWorkflow,
  options: NodePlanOptions,
): Promise<NodePlan> {
  return planOf(context, jobsOfSpec(workflow), null, options);
}

async function plannedNodes(context: Context, what: string | null, options: NodePlanOptions): Promise<NodePlan> {
  if (what === null || !isFile(what)) return planOf(context, null, what, options);
  return planOfWorkflow(context, (await readWorkflow(context, what)).workflow, options);
}

/** `spec` null: of the stored workflow that `what` names. */
function planOf(
  context: Context,
  spec: PlannedJobs | null,
  what: string | null,
  options: NodePlanOptions,
): Promise<NodePlan> {
  return withConnection(
    context,
    async ({ api }) => {
      const jobs: PlannedJobs = spec ?? (await jobsOfWorkflow(api, await chooseWorkflow(context, api, what, 'reads')));
      const site = await currentSite(context, api);
      return nodePlan(jobs, knownPartition(site, options.partition), planOptions(options));
    },
    { creates: spec !== null },
  );
}

/** Throws TorcError 'usage' for a partition that the cluster does not have. */
function knownPartition(site: StoredSite, name: string | undefined): StoredSite {
  const names = site.partitions.map((partition) => partition.name);
  if (name === undefined || names.includes(name)) return site;
  const message = `cluster ${site.cluster} has no partition ${quoted(name)}${didYouMean(name, names)}`;
  throw new TorcError(
    'usage',
    message,
    `Partitions: ${names.join(', ')}; torc hpc slurm site refresh asks Slurm again.`,
  );
}

function isFile(what: string): boolean {
  return what === '-' || existsSync(what) || /[./]/.test(what);
}
