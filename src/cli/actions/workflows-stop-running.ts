/** Stops running jobs before a restart: no job is claimed until all have ended and the restart is applied. */
import type { Api, KeptJob } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { exitCodes, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';
import { startProgress } from '../output/progress.ts';
import { cellText } from '../output/table.ts';

export interface StopOptions {
  /** Seconds that stopping may take. */
  timeout: number;
  /** Restarts although some jobs may still run. */
  force?: boolean;
  /** What to type when jobs that do not stop are known to be dead; by default the restart with `--force`. */
  forced?: string;
}

const lookEveryMs = 1000;
const namedJobs = 5;

/**
 * Stops running jobs, waits until they are confirmed gone, and then does `work`; `force` is true when some did not
 * stop in time. After an error or an interrupt, claims resume.
 */
export async function whileStopped<T>(
  context: Context,
  api: Api,
  workflowKey: string,
  options: StopOptions,
  work: (force: boolean) => Promise<T>,
): Promise<T> {
  let isInterrupted = false;
  const removeHandler = context.interrupts.handle((signal) => {
    if (isInterrupted) context.interrupts.exit(exitCodes.interrupted, signal);
    isInterrupted = true;
  });
  try {
    const left = await waitForStop(context, api, workflowKey, options.timeout, () => isInterrupted);
    if (left.length > 0 && options.force !== true) throw notStopped(context, workflowKey, options, left);
    return await work(left.length > 0);
  } catch (error) {
    await resumeClaims(context, api, workflowKey);
    throw error;
  } finally {
    removeHandler();
  }
}

/** Says what becomes of the jobs that were asked to stop. */
async function resumeClaims(context: Context, api: Api, workflowKey: string): Promise<void> {
  try {
    const reply = await api.call('workflow_stop_running', { workflow_key: workflowKey, stop: false });
    const { num_going_on: going, num_back: back } = reply;
    const parts = [
      ...(going === 0 ? [] : [`${counted(going, 'job')} that ${going === 1 ? 'has' : 'have'} not stopped may go on`]),
      ...(back === 0 ? [] : [`${counted(back, 'stopped job')} ${back === 1 ? 'is' : 'are'} ready again`]),
    ];
    if (parts.length > 0) note(context, parts.join('; '));
  } catch {
    // the first error is the one to report
    note(context, `workers of workflow ${workflowKey} get no jobs until it is restarted`, 'warning');
  }
}

/** The jobs that still run at the timeout; none when all have ended. */
async function waitForStop(
  context: Context,
  api: Api,
  workflowKey: string,
  timeoutSeconds: number,
  isInterrupted: () => boolean,
): Promise<KeptJob[]> {
  const { clock } = context;
  const giveUpAt = clock.monotonic() + timeoutSeconds * 1000;
  const progress = startProgress(context, 0);
  try {
    for (;;) {
      const { running } = await api.call('workflow_stop_running', { workflow_key: workflowKey, stop: true });
      if (isInterrupted()) {
        throw new TorcError('interrupted', 'nothing was restarted');
      }
      if (running.length === 0) return running;
      if (clock.monotonic() >= giveUpAt) return running;
      progress.update(`waiting for ${counted(running.length, 'job')} to stop`);
      await delay(clock, Math.min(lookEveryMs, Math.max(0, giveUpAt - clock.monotonic())));
    }
  } finally {
    progress.clear();
  }
}

function notStopped(
  context: Context,
  workflowKey: string,
  { timeout, forced }: StopOptions,
  left: readonly KeptJob[],
): TorcError {
  const names = left.slice(0, namedJobs).map((job) => `${job.job_key} (${cellText(job.job_name)})`);
  const more = left.length > namedJobs ? ` and ${left.length - namedJobs} more` : '';
  return new TorcError(
    'timeout',
    `${counted(left.length, 'job')} did not stop within ${timeout} s: ${names.join(', ')}${more}`,
    `If they are known to be dead: ${forced ?? `${context.torc} workflows restart ${workflowKey} --stop-running --force`}`,
  );
}
