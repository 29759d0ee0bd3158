/** `torc jobs reset-status|disable|mark-done`: single jobs of one workflow. */
import type { Api, Plan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { type ChosenJobs, chooseJobs } from '../input/chosen-jobs.ts';
import type { ListFilter } from '../input/filters.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { planForJobs } from '../plans/chosen-jobs.ts';
import { changesText, printPlan } from '../plans/output.ts';
import { nextRestart, resetPlanText } from './workflows-reset.ts';

/** Jobs as typed: keys, names and patterns, or filters of the list of jobs. */
export interface TypedJobs {
  keys: readonly string[];
  filter: readonly ListFilter[];
}

export async function resetJobs(context: Context, chosen: TypedJobs, options: PlanOptions): Promise<void> {
  if (chosen.keys.length > 0 === chosen.filter.length > 0) {
    const hint = 'torc jobs reset-status 12 13, or torc jobs reset-status --failed';
    throw new TorcError('usage', 'give either jobs or filters', hint);
  }
  await withConnection(context, async ({ api }) => {
    const jobs =
      chosen.keys.length > 0
        ? await chooseJobs(context, api, chosen.keys)
        : await matchingJobs(context, api, await chooseWorkflow(context, api, null), chosen.filter);
    const plan = await planForJobs(context, api, 'jobs_reset', jobs, options);
    const next = await nextRestart(api, jobs.workflowKey);
    await printPlan(context, plan, plan.changes, () => resetPlanText(context, plan, next));
  });
}

/** The keys of the jobs that match; throws 'not_found' when none does. */
async function matchingJobs(
  { torc }: Context,
  api: Api,
  workflowKey: string,
  filter: readonly ListFilter[],
): Promise<ChosenJobs> {
  const keys: string[] = [];
  for await (const page of listPages(api, 'jobs', workflowKey, { filter, excludeColumn: [] })) {
    for (const { job_key } of page) keys.push(String(job_key));
  }
  if (keys.length > 0) return { workflowKey, keys, names: [], patterns: [] };
  const words = filter.map(({ column, value }) => `${column}=${value}`).join(', ');
  throw new TorcError(
    'not_found',
    `no job of workflow ${workflowKey} has ${words}`,
    `${torc} jobs list -k ${workflowKey}`,
  );
}

export async function disableJobs(context: Context, keys: readonly string[], options: PlanOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const plan = await planForJobs(context, api, 'jobs_disable', await chooseJobs(context, api, keys), options);
    await printPlan(context, plan, plan.changes, () => disableText(context, plan));
  });
}

function disableText(context: Context, plan: Plan): string {
  if (plan.num_changes === 0) return `nothing to disable in workflow ${plan.workflow_key}\n`;
  const disabled = plan.changes.filter(({ new_status }) => new_status === 'disabled').length;
  const more = plan.num_changes - disabled;
  const others = more > 0 ? `, ${counted(more, 'other job')} changed as a result` : '';
  const what = `${counted(disabled, 'job')} of workflow ${plan.workflow_key}`;
  const line = plan.dry_run
    ? `dry run: ${what} would be disabled${others}; nothing was changed`
    : `disabled ${what}${others}`;
  return `${changesText(context, plan)}\n${line}\n`;
}

export async function markJobs(context: Context, keys: readonly string[], options: PlanOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const plan = await planForJobs(context, api, 'jobs_mark_done', await chooseJobs(context, api, keys), options);
    await printPlan(context, plan, plan.changes, () => markText(context, plan));
  });
}

function markText(context: Context, plan: Plan): string {
  if (plan.num_changes === 0) return `nothing to mark in workflow ${plan.workflow_key}: already done\n`;
  const marked = plan.changes.filter(({ new_status }) => new_status === 'done').length;
  const more = plan.num_changes - marked;
  const others = more > 0 ? `, ${counted(more, 'other job')} changed as a result` : '';
  const what = `${counted(marked, 'job')} of workflow ${plan.workflow_key}`;
  const line = plan.dry_run
    ? `dry run: ${what} would be marked as done${others}; nothing was changed`
    : `marked ${what} as done${others}`;
  return `${changesText(context, plan)}\n${line}\n`;
}
