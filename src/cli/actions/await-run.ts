/** Waits for the end of a run that workers elsewhere carry out, and ends as a run here would. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { printResult } from '../output/output.ts';
import { followRun } from '../output/run-progress.ts';
import { exitCodeOf, summaryFailures, summaryOf, summaryText, summaryValue } from '../output/summary.ts';

const lookEveryMs = 1000;

/** Returns the exit code of the run; throws 'interrupted' when a person stops the waiting, which stops no job. */
export async function awaitRun(
  context: Context,
  workflowKey: string,
  { output, progress }: { output: string; progress: boolean },
): Promise<number> {
  return withConnection(
    context,
    async ({ api }) => {
      const startedAt = context.clock.monotonic();
      let isInterrupted = false;
      let wake = (): void => {};
      const interruption = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const removeHandler = context.interrupts.handle(() => {
        isInterrupted = true;
        wake();
      });
      const stopFollowing = progress ? followRun(context, api, workflowKey) : async () => {};
      try {
        for (;;) {
          const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
          if (isInterrupted) throw interrupted(context, workflow);
          if (hasEnded(workflow) || (await isForsaken(context, api, workflow))) {
            await stopFollowing();
            const summary = summaryOf(workflow, (context.clock.monotonic() - startedAt) / 1000, output, 0);
            const failed = await summaryFailures(context, api, summary);
            await printResult(context, summaryValue(summary, failed), () => summaryText(context, summary, failed));
            return exitCodeOf(summary);
          }
          await Promise.race([delay(context.clock, lookEveryMs), interruption]);
        }
      } finally {
        await stopFollowing();
        removeHandler();
      }
    },
    { serves: true, runsActions: true },
  );
}

function hasEnded({ status, num_open_actions, num_running, recovery }: WorkflowShown): boolean {
  if (recovery?.next_at != null) return false;
  return ['done', 'failed', 'canceled', 'timeout'].includes(status) && num_open_actions === 0 && num_running === 0;
}

/** Whether jobs are left that nobody is going to run: no worker is there, and no allocation can bring one. */
async function isForsaken(context: Context, api: Api, workflow: WorkflowShown): Promise<boolean> {
  const { workflow_key: key, status, num_active_workers, num_open_actions, num_ready, autoscaler } = workflow;
  if (autoscaler !== null || num_active_workers > 0 || num_open_actions > 0 || !['ready', 'waiting'].includes(status))
    return false;
  if (await hasAllocation(api, key)) return false;
  const more = `${context.torc} -k ${key} hpc slurm schedule-nodes -n 1`;
  note(
    context,
    `no allocation is left, and ${counted(num_ready, 'job')} ${num_ready === 1 ? 'waits' : 'wait'}: ${more}`,
    'warning',
  );
  return true;
}

/** Whether an allocation is there that runs jobs or may yet start. */
export async function hasAllocation(api: Api, workflowKey: string): Promise<boolean> {
  for (const state of ['recorded', 'submitted', 'running']) {
    const filters = [{ column: 'status', value: state }];
    const page = { filters, sort_by: null, reverse: false, limit: 1, skip: 0 };
    const { records } = await api.call('list', { list: 'allocations', workflow_key: workflowKey, ...page });
    if (records.length > 0) return true;
  }
  return false;
}

function interrupted({ torc }: Context, { workflow_key: key, num_jobs, num_done }: WorkflowShown): TorcError {
  const message = `no longer waiting; workflow ${key} goes on: ${num_done} of ${counted(num_jobs, 'job')} done`;
  return new TorcError(
    'interrupted',
    message,
    `To wait again: ${torc} wait ${key}. To cancel it: ${torc} cancel ${key}`,
  );
}
