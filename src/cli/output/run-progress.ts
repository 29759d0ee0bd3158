/** The progress line of a local run. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { formatDuration } from '../../base/units.ts';
import { type Context, note } from '../context/context.ts';
import { startProgress } from './progress.ts';
import { HeldNotes } from './standstill.ts';

const lookEveryMs = 500;
const pipeLookEveryMs = 1000;
const pipeEverySeconds = 30;
/** Looks at which nothing runs and nothing has ended: a worker may be about to take jobs. */
const standstillLooks = 4;

/** Jobs that nothing is left to do for, also those that never run. */
export function numSettled({ num_done, num_canceled, counts }: WorkflowShown): number {
  return num_done + num_canceled + (counts.terminated ?? 0) + (counts.disabled ?? 0);
}

/** `120/1000 done, 8 running, 2 failed, 42 s, 3.1 jobs/s, 4m 43s left`. */
export function runLine(workflow: WorkflowShown, elapsedSeconds: number, numSettledBefore: number): string {
  const { counts, num_jobs } = workflow;
  const settled = numSettled(workflow);
  const { num_canceled: numCanceled } = workflow;
  const { submitted: numRunning = 0, submitted_pending: numWaiting = 0 } = counts;
  // workers get short jobs in advance, so the server does not know how many are running
  const atWork = numWaiting === 0 ? `${numRunning} running` : `${numRunning + numWaiting} with workers`;
  const parts = [`${workflow.num_done}/${num_jobs} done`, atWork];
  if (workflow.num_failed > 0) parts.push(`${workflow.num_failed} failed`);
  if (numCanceled > 0) parts.push(`${numCanceled} canceled`);
  parts.push(formatDuration(elapsedSeconds));
  const rate = elapsedSeconds > 0 ? (settled - numSettledBefore) / elapsedSeconds : 0;
  if (rate > 0) parts.push(`${rate >= 10 ? Math.round(rate) : rate.toFixed(1)} jobs/s`);
  if (rate > 0 && settled < num_jobs) parts.push(`about ${formatDuration((num_jobs - settled) / rate)} left`);
  return parts.join(', ');
}

/** Which looks at a run a pipe hears of: one every 30 seconds, and one at each tenth of the jobs. */
export class PipePace {
  #tenth: number | null = null;
  #toldAt = 0;

  isDue(share: number, seconds: number): boolean {
    const tenth = Math.floor(share * 10);
    this.#tenth ??= tenth;
    // the summary tells the end
    if (share >= 1 || (tenth <= this.#tenth && seconds - this.#toldAt < pipeEverySeconds)) return false;
    this.#tenth = tenth;
    this.#toldAt = seconds;
    return true;
  }
}

/** Shows progress until the returned function is called: on a terminal a line that is redrawn, in a pipe a line now and then. */
export function followRun(context: Context, api: Api, workflowKey: string): () => Promise<void> {
  const isPiped = !context.hasProgress;
  if (isPiped && (context.format !== 'text' || context.consoleLevel !== 'info')) return async () => {};
  const progress = startProgress(context, 0);
  const pace = new PipePace();
  const held = new HeldNotes(context, api, workflowKey);
  const startedAt = context.clock.monotonic();
  let isOver = false;
  let wake = (): void => {};
  const over = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const follow = async (): Promise<void> => {
    let numSettledBefore: number | null = null;
    let still = { settled: -1, numLooks: 0 };
    while (!isOver) {
      const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
      const settled = numSettled(workflow);
      const isStill = workflow.num_running === 0 && settled === still.settled;
      still = { settled, numLooks: isStill ? still.numLooks + 1 : 0 };
      numSettledBefore ??= settled;
      const seconds = (context.clock.monotonic() - startedAt) / 1000;
      const line = runLine(workflow, seconds, numSettledBefore);
      if (isOver) return;
      if (!isPiped) progress.update(line);
      else if (pace.isDue(settled / Math.max(1, workflow.num_jobs), seconds)) note(context, line);
      if (still.numLooks === standstillLooks && settled < workflow.num_jobs) await held.look();
      await Promise.race([delay(context.clock, isPiped ? pipeLookEveryMs : lookEveryMs), over]);
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
