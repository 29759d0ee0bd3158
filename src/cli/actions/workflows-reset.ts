/** `torc workflows reset-status`: sets jobs and everything downstream to uninitialized. */
import type { Api, Plan, RestartPlan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { asksForNodes, needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflows } from '../input/workflow-key.ts';
import { type PlanOptions, planAndApply, refuseEarly } from '../plans/apply.ts';
import { askAboutWorkflows } from '../plans/chosen-workflows.ts';
import { confirmRestart } from '../plans/file-warnings.ts';
import { changesText, lostJobsText, type NextStep, printPlan } from '../plans/output.ts';
import { hasRunningJobs, planRestart, restartRequest, restartText } from './workflows-restart.ts';

export interface ResetWorkflowOptions extends PlanOptions {
  failedOnly?: boolean;
  partial?: boolean;
  restart?: boolean;
  /** The caller goes on with the jobs: no next command is printed. */
  goesOn?: boolean;
}

/** A reset, and the restart after it with `--restart`. */
type Reset = Plan & { restart?: RestartPlan };

export async function resetWorkflows(
  context: Context,
  keys: readonly string[],
  options: ResetWorkflowOptions,
): Promise<void> {
  if (options.failedOnly === true && options.partial === true) {
    throw new TorcError('usage', '--failed-only and --partial cannot be combined', 'Give only one of them.');
  }
  const isServerMissing = await withConnection(context, async (connection) => {
    const { api } = connection;
    const chosen = await chooseWorkflows(context, api, keys);
    await askAboutWorkflows(context, api, chosen, 'reset', options);
    const workflowKeys = chosen.keys;
    // all are checked before the first one changes; an error of the restart stops the reset as well
    for (const key of workflowKeys) await refuseReset(context, api, key, options);
    const resets: Reset[] = [];
    for (const key of workflowKeys) resets.push(await resetWorkflow(context, api, key, options));
    const next = options.restart === true ? [] : await Promise.all(workflowKeys.map((key) => nextRestart(api, key)));
    const scaled = await Promise.all(workflowKeys.map((key) => asksForNodes(api, key)));
    const [only] = resets;
    await printPlan(
      context,
      resets.length === 1 && only !== undefined ? only : { plans: resets },
      resets.flatMap((reset) => reset.changes),
      () =>
        resets
          .map((reset, at) =>
            resetText(context, reset, next[at], options.goesOn === true ? 'none' : scaled[at] ? 'follow' : 'run'),
          )
          .join('\n'),
    );
    if (options.restart !== true || options.dryRun === true) return false;
    const missing = await Promise.all(workflowKeys.map((key) => needsServer(connection, key, false)));
    return missing.includes(true);
  });
  if (isServerMissing) await startOwnServer(context);
}

async function refuseReset(context: Context, api: Api, key: string, options: ResetWorkflowOptions): Promise<void> {
  const request = requestOf(key, options);
  await refuseEarly(api, 'jobs_reset', request);
  if (options.restart !== true) return;
  const restart = restartRequest(key, { afterReset: request.which });
  if (options.dryRun === true) await refuseEarly(api, 'workflow_restart', restart);
  else await confirmRestart(context, api, restart);
}

async function resetWorkflow(context: Context, api: Api, key: string, options: ResetWorkflowOptions): Promise<Reset> {
  const dryRun = options.dryRun ?? false;
  const request = requestOf(key, options);
  const plan = await planAndApply(context, api, 'jobs_reset', request, dryRun);
  if (options.restart !== true) return plan;
  const choices = dryRun ? { afterReset: request.which } : {};
  return { ...plan, restart: await planRestart(context, api, key, choices, dryRun) };
}

function requestOf(key: string, options: ResetWorkflowOptions) {
  const which = options.failedOnly === true ? 'failed' : options.partial === true ? 'unfinished' : 'all';
  return { workflow_key: key, which } as const;
}

function resetText(context: Context, reset: Reset, next: string | undefined, afterRestart: NextStep): string {
  if (reset.restart === undefined) return resetPlanText(context, reset, next);
  return `${resetPlanText(context, reset)}\n${restartText(context, reset.restart, afterRestart)}`;
}

/** The next command after a reset, without the program's name. */
export async function nextRestart(api: Api, workflowKey: string): Promise<string> {
  const others = (await hasRunningJobs(api, workflowKey)) ? ' --only-uninitialized' : '';
  return `workflows restart ${workflowKey}${others}`;
}

/** The plan of a reset as text, with the next command if given. */
export function resetPlanText(context: Context, plan: Plan, next?: string): string {
  const { workflow_key: key, num_changes, dry_run } = plan;
  if (num_changes === 0) return `nothing to reset in workflow ${key}\n`;
  const changes = `${changesText(context, plan)}${lostJobsText(context, plan.changes)}\n`;
  const what = `${counted(num_changes, 'job')} of workflow ${key}`;
  if (dry_run) return `${changes}dry run: ${what} would be reset; nothing was changed\n`;
  return `${changes}reset ${what}\n${next === undefined ? '' : `  next:       ${context.torc} ${next}\n`}`;
}
