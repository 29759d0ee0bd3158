/** `torc rerun-failed`: one plan, failed jobs are reset and their workflow restarts; and how it goes on. */
import { TorcError } from '../../base/errors.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflows } from '../input/workflow-key.ts';
import { runJobs } from './jobs-run.ts';
import { scheduleNodes } from './slurm-schedule.ts';
import { resetWorkflows } from './workflows-reset.ts';

export interface RerunFailedOptions {
  dryRun?: boolean;
  /** Run the jobs here afterwards. */
  run?: boolean;
  /** Allocations to submit afterwards. */
  schedule?: number;
}

/** The exit code: of the run with `run`. Throws 'already_complete' where nothing has failed. */
export async function rerunFailed(
  context: Context,
  given: readonly string[],
  { dryRun = false, run = false, schedule }: RerunFailedOptions,
): Promise<number> {
  if (run && schedule !== undefined) {
    throw new TorcError('usage', '--run and --schedule cannot be combined', 'Give only one of them.');
  }
  const { keys, intact } = await withConnection(context, async ({ api }) => {
    const { keys } = await chooseWorkflows(context, api, given);
    const request = { workflow_keys: keys, user: null, limit: keys.length, state: null, wait_seconds: 0 };
    const { workflows } = await api.call('status', request);
    return { keys, intact: workflows.filter(({ num_failed, num_lost }) => num_failed + num_lost === 0) };
  });
  const [only = '', ...others] = keys;
  if (intact.length > 0) {
    const names = intact.map(({ workflow_key }) => workflow_key).join(', ');
    throw new TorcError(
      'already_complete',
      `no job of workflow ${names} has failed`,
      `For canceled and unfinished jobs: ${context.torc} workflows restart ${intact[0]?.workflow_key} --dry-run`,
    );
  }
  const goesOn = run || schedule !== undefined;
  if (goesOn && others.length > 0) {
    throw new TorcError('usage', `${run ? '--run' : '--schedule'} takes one workflow`, `Choose one, such as ${only}.`);
  }
  await resetWorkflows({ ...context, workflowKey: null }, keys, { failedOnly: true, restart: true, dryRun, goesOn });
  const chosen = { ...context, workflowKey: only };
  if (schedule !== undefined) {
    await scheduleNodes(chosen, { count: schedule, jobPrefix: 'worker', server: true, dryRun });
  }
  return run && !dryRun ? await runJobs(chosen, only, {}) : 0;
}
