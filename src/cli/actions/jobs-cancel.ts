/** `torc jobs cancel`: single jobs of one workflow. */
import type { Api, Reply } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseJobs } from '../input/chosen-jobs.ts';
import { pageRows } from '../input/list.ts';
import type { PlanOptions } from '../plans/apply.ts';
import { planForJobs } from '../plans/chosen-jobs.ts';
import { changesText, printPlan, unchangedText } from '../plans/output.ts';
import { deliverStops } from '../workers/stop-delivery.ts';

export async function cancelJobs(context: Context, keys: readonly string[], options: PlanOptions): Promise<void> {
  await withConnection(context, async (connection) => {
    const { api } = connection;
    const chosen = await chooseJobs(context, api, keys);
    const plan = await planForJobs(context, api, 'jobs_cancel', chosen, options);
    const isServed = connection.kind === 'remote';
    const isOver = plan.dry_run || plan.num_stopping === 0;
    const numLeft = isOver ? 0 : await deliverStops(context, connection, () => numStopping(api, plan));
    await printPlan(context, plan, plan.changes, () =>
      cancelText(context, plan, isServed ? plan.num_stopping : numLeft),
    );
  });
}

/** How many of the jobs that were asked to stop still run. */
async function numStopping(api: Api, { workflow_key, changes }: Reply<'jobs_cancel'>): Promise<number> {
  const keys = changes.flatMap(({ job_key, old_status }) => (isClaimed(old_status) ? [job_key] : []));
  let num = 0;
  for (let at = 0; at < keys.length; at += pageRows) {
    const filters = [{ column: 'job_key', value: keys.slice(at, at + pageRows).join(',') }];
    const request = { list: 'jobs', workflow_key, filters, sort_by: null, reverse: false } as const;
    const { records } = await api.call('list', { ...request, filters, limit: pageRows, skip: 0 });
    num += records.filter(({ status }) => isClaimed(status)).length;
  }
  return num;
}

function isClaimed(status: unknown): boolean {
  return status === 'submitted' || status === 'submitted_pending';
}

/** `numLeft`: how many of the running ones have not stopped yet. */
function cancelText(context: Context, plan: Reply<'jobs_cancel'>, numLeft: number): string {
  const { workflow_key: key, num_changes: count, dry_run: isDryRun } = plan;
  const unchanged = unchangedText(context, plan.kept, plan.num_kept);
  if (count === 0) return `${unchanged.trimStart()}nothing to cancel in workflow ${key}\n`;
  const jobs = `${counted(count, 'job')} of workflow ${key}`;
  const line = isDryRun ? `dry run: ${jobs} would be canceled; nothing was changed` : `canceled ${jobs}`;
  const watch =
    isDryRun || numLeft === 0
      ? ''
      : `${counted(numLeft, 'job')} still to stop:  ${context.torc} jobs list -k ${key} -f status=submitted\n`;
  return `${changesText(context, plan)}${unchanged}\n${line}\n${watch}`;
}
