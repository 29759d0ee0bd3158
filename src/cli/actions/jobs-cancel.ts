/** `torc jobs cancel`: single jobs of one workflow, by key. */
import type { Api, Reply } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { pageRows } from '../input/list.ts';
import { type PlanOptions, planAndApply, workflowOfJobs } from '../plans/apply.ts';
import { changesText, printPlan } from '../plans/output.ts';
import { deliverStops } from '../workers/stop-delivery.ts';
import { distinctKeys } from './jobs-reset.ts';

export async function cancelJobs(context: Context, keys: readonly string[], options: PlanOptions): Promise<void> {
  const jobKeys = distinctKeys(keys);
  await withConnection(context, async (connection) => {
    const { api } = connection;
    const workflowKey = await workflowOfJobs(context, api, jobKeys);
    const request = { workflow_key: workflowKey, job_keys: jobKeys };
    const plan = await planAndApply(context, api, 'jobs_cancel', request, options.dryRun ?? false);
    const isServed = connection.kind === 'remote';
    const isOver = plan.dry_run || plan.num_stopping === 0;
    const numLeft = isOver ? 0 : await deliverStops(context, connection, () => numRunning(api, workflowKey, jobKeys));
    await printPlan(context, plan, plan.changes, () =>
      cancelText(context, plan, isServed ? plan.num_stopping : numLeft),
    );
  });
}

async function numRunning(api: Api, workflowKey: string, jobKeys: readonly string[]): Promise<number> {
  let num = 0;
  for (let at = 0; at < jobKeys.length; at += pageRows) {
    const value = jobKeys.slice(at, at + pageRows).join(',');
    const filters = [{ column: 'job_key', value }];
    const request = { list: 'jobs', workflow_key: workflowKey, filters, sort_by: null, reverse: false } as const;
    const { records } = await api.call('list', { ...request, filters, limit: pageRows, skip: 0 });
    num += records.filter(({ status }) => status === 'submitted' || status === 'submitted_pending').length;
  }
  return num;
}

/** `numLeft`: how many of the running ones have not stopped yet. */
function cancelText(context: Context, plan: Reply<'jobs_cancel'>, numLeft: number): string {
  const { workflow_key: key, num_changes: count, dry_run: isDryRun } = plan;
  if (count === 0) return `nothing to cancel in workflow ${key}\n`;
  const jobs = `${counted(count, 'job')} of workflow ${key}`;
  const line = isDryRun ? `dry run: ${jobs} would be canceled; nothing was changed` : `canceled ${jobs}`;
  const watch =
    isDryRun || numLeft === 0
      ? ''
      : `${counted(numLeft, 'job')} still to stop:  ${context.torc} jobs list -k ${key} -f status=submitted\n`;
  return `${changesText(context, plan)}\n${line}\n${watch}`;
}
