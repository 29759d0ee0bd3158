/** `torc submit` of a specification that says nothing about its allocations: they are planned, shown and asked about. */
import { TorcError } from '../../base/errors.ts';
import { counted, shellWord } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import type { Context } from '../context/context.ts';
import { confirm } from '../input/ask.ts';
import { cellText } from '../output/table.ts';
import { noteReplacements } from '../plans/node-plan-notes.ts';
import { configChoices, withPlan } from '../plans/node-plan-parts.ts';
import { nodePlanText } from '../plans/node-plan-text.ts';
import { planOfWorkflow } from './slurm-plan.ts';

interface Consent {
  yes?: boolean;
  dryRun?: boolean;
  maxParallelJobs?: number;
}

/** The workflow with the planned allocations. Throws TorcError where a job fits nowhere, or when the answer is no. */
export async function withPlannedNodes(
  context: Context,
  spec: string,
  workflow: ExpandedWorkflow,
  { yes, dryRun, maxParallelJobs }: Consent,
): Promise<ExpandedWorkflow> {
  const plan = await planOfWorkflow(context, workflow, maxParallelJobs === undefined ? {} : { maxParallelJobs });
  const [misfit] = plan.misfits;
  if (misfit !== undefined) {
    const which = misfit.num_jobs === 1 ? cellText(misfit.first_job) : counted(misfit.num_jobs, 'job');
    const hint = `torc hpc slurm plan ${shellWord(spec)} shows what fits. Nothing was stored or submitted.`;
    throw new TorcError('usage', `${which} of ${spec} cannot run on cluster ${plan.cluster}: ${misfit.text}`, hint);
  }
  if (context.format === 'text') context.terminal.err(nodePlanText(context, plan));
  const isAgreed = yes === true || dryRun === true || (await confirm(context, 'Submit these allocations?'));
  if (!isAgreed) throw new TorcError('interrupted', 'nothing was stored or submitted');
  noteReplacements(context, plan);
  return withPlan(workflow, plan, configChoices(context, {}));
}
