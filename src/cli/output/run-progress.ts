/** The progress line of a local run. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { formatDuration } from '../../base/units.ts';
import type { Context } from '../context/context.ts';
import { startProgress } from './progress.ts';

const lookEveryMs = 500;

/** Jobs that nothing is left to do for, also those that never run. */
export function numSettled({ num_done, num_canceled, counts }: WorkflowShown): number {
  return num_done + num_canceled + (counts.terminated ?? 0) + (counts.disabled ?? 0);
}

/** `120/1000 done, 8 running, 2 failed, 42 s, 3.1 jobs/s, 4m 43s left`. */
export function runLine(workflow: WorkflowShown, elapsedSeconds: number, numSettledBefore: number): string {
  const { counts, num_jobs } = workflow;
  const settled = numSettled(workflow);
  const { submitted: numRunning = 0, submitted_pending: numWaiting = 0 } = counts;
  // workers get short jobs in advance, so the server does not know how many are running
  const atWork = numWaiting === 0 ? `${numRunning} running` : `${numRunning + numWaiting} with workers`;
  const parts = [`${settled}/${num_jobs} done`, atWork];
  if (workflow.num_failed > 0) parts.push(`${workflow.num_failed} failed`);
  parts.push(formatDuration(elapsedSeconds));
  const rate = elapsedSeconds > 0 ? (settled - numSettledBefore) / elapsedSeconds : 0;
  if (rate > 0) parts.push(`${rate >= 10 ? Math.round(rate) : rate.toFixed(1)} jobs/s`);
  if (rate > 0 && settled < num_jobs) parts.push(`about ${formatDuration((num_jobs - settled) / rate)} left`);
  return parts.join(', ');
}

/** Shows progress twice a second until the returned function is called; does nothing without a terminal. */
export function followRun(context: Context, api: Api, workflowKey: string): () => Promise<void> {
  if (!context.hasProgress) return async () => {};
  const progress = startProgress(context, 0);
  const startedAt = context.clock.monotonic();
  let isOver = false;
  let wake = (): void => {};
  const over = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const follow = async (): Promise<void> => {
    let numSettledBefore: number | null = null;
    while (!isOver) {
      const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
      numSettledBefore ??= numSettled(workflow);
      if (!isOver) progress.update(runLine(workflow, (context.clock.monotonic() - startedAt) / 1000, numSettledBefore));
      await Promise.race([delay(context.clock, lookEveryMs), over]);
    }
  };
  // a failed request says nothing about the run
  const following = follow().catch(() => {});
  return async () => {
    isOver = true;
    wake();
    await following;
    progress.clear();
  };
}
