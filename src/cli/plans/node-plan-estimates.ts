/** When Slurm could start what a plan asks for: sbatch --test-only, once for each line of the plan. */
import { answered } from '../../slurm/answers.ts';
import { systemSlurm } from '../../slurm/commands.ts';
import { emptyScript } from '../../slurm/script.ts';
import type { StartEstimate } from '../../slurm/start-estimate.ts';
import type { Context } from '../context/context.ts';
import type { AllocationRecord, EstimateRecord, NodePlan } from './node-plan.ts';
import { configChoices, schedulerOf } from './node-plan-parts.ts';

/** Throws TorcError 'slurm' when Slurm does not answer. */
export async function withEstimates(context: Context, plan: NodePlan): Promise<NodePlan> {
  const slurm = systemSlurm(context.env);
  const allocations: AllocationRecord[] = [];
  for (const each of plan.allocations) {
    const asked = { jobName: 'torc_plan', serverDirectory: context.directory, oneWorkerPerNode: false };
    const script = emptyScript(schedulerOf(each, configChoices(context, {})), { ...asked, warningSeconds: 1 });
    const estimate = estimateRecord(answered(await slurm.startEstimate(script)), context.clock.now());
    allocations.push({ ...each, estimate });
  }
  return { ...plan, allocations };
}

function estimateRecord(estimate: StartEstimate, now: number): EstimateRecord {
  const unknown = { start_time: null, wait_seconds: null, refusal: null, problem: null };
  if (estimate.kind === 'refused') return { ...unknown, refusal: estimate.reason };
  if (estimate.kind === 'unread') return { ...unknown, problem: estimate.reason };
  const wait_seconds = Math.max(0, Math.round((estimate.startMs - now) / 1000));
  return { ...unknown, start_time: new Date(estimate.startMs).toISOString(), wait_seconds };
}
