/** `torc workflows restart`: starts the next run, or with `--dry-run` prints its plan. */
import type { Api, RestartPlan } from '../../api/contract.ts';
import { exitCodes, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { asksForNodes, needsServer, startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { textTable } from '../output/output.ts';
import { type PlanOptions, type PlanRequest, planAndApply } from '../plans/apply.ts';
import { confirmRestart, noteLostFiles } from '../plans/file-warnings.ts';
import { changesText, keptText, lostJobsText, type NextStep, nextCommands, printPlan } from '../plans/output.ts';
import { givenUpText, takenOverText } from '../plans/resume-output.ts';
import { type StopOptions, whileStopped } from './workflows-stop-running.ts';

export interface RestartOptions extends PlanOptions, StopOptions {
  ignoreMissingData?: boolean;
  onlyUninitialized?: boolean;
  keepRunning?: boolean;
  stopRunning?: boolean;
}

/** A running job that the restart stops first. */
type StoppedJob = {
  job_key: unknown;
  job_name: unknown;
  status: unknown;
};

/** The exit code: 7 when there is nothing left to run. */
export async function restartWorkflow(context: Context, key: string | null, options: RestartOptions): Promise<number> {
  refuseExclusive(options);
  let exitCode = 0;
  const isServerMissing = await withConnection(
    context,
    async (connection) => {
      const workflowKey = await chooseWorkflow(context, connection.api, key);
      const restarted = await restartStored(context, connection.api, workflowKey, options);
      exitCode = exitCodeOf(restarted.plan);
      await printRestart(context, restarted);
      return options.dryRun !== true && (await needsServer(connection, workflowKey, false));
    },
    // workers can stop their jobs only when a server answers them
    { serves: options.stopRunning === true && options.dryRun !== true },
  );
  if (isServerMissing) await startOwnServer(context);
  return exitCode;
}

export interface Restarted {
  plan: RestartPlan;
  /** The jobs that were stopped first; null when none were to be stopped. */
  stopped: readonly StoppedJob[] | null;
  isAutoscaled: boolean;
}

/** Restarts a stored workflow, or plans that, after stopping what runs if that is wanted; nothing is printed. */
export async function restartStored(
  context: Context,
  api: Api,
  workflowKey: string,
  options: RestartOptions & Pick<RestartChoices, 'resume'>,
): Promise<Restarted> {
  const dryRun = options.dryRun ?? false;
  const isAutoscaled = await asksForNodes(api, workflowKey);
  if (options.stopRunning !== true) {
    if (!dryRun && context.mayAsk) await confirmRestart(context, api, restartRequest(workflowKey, options));
    return { plan: await planRestart(context, api, workflowKey, options, dryRun), stopped: null, isAutoscaled };
  }
  const stopped = await runningJobs(api, workflowKey);
  const assumed = { ...options, assumeStopped: true };
  // errors of the restart are found before anything is stopped
  if (!dryRun) await confirmRestart(context, api, restartRequest(workflowKey, assumed));
  const plan = dryRun
    ? await planRestart(context, api, workflowKey, assumed, true)
    : await whileStopped(context, api, workflowKey, options, (force) =>
        planRestart(context, api, workflowKey, { ...options, force }, false),
      );
  return { plan, stopped, isAutoscaled };
}

export async function printRestart(context: Context, restarted: Restarted): Promise<void> {
  const { changes } = restarted.plan;
  await printPlan(context, restartedValue(restarted), changes, () => restartedText(context, restarted));
}

/** For programs. */
export function restartedValue({ plan, stopped }: Restarted): object {
  return stopped === null ? plan : { ...plan, stopped };
}

/** For people. */
export function restartedText(context: Context, { plan, stopped, isAutoscaled }: Restarted): string {
  return (
    stoppedText(context, stopped ?? [], plan.dry_run) + restartText(context, plan, isAutoscaled ? 'follow' : 'run')
  );
}

/** A run that goes on without a restart is no error, so that commands that follow a restart go on too. */
export function exitCodeOf(plan: RestartPlan): number {
  return plan.begins_run || countWaiting(plan) > 0 ? 0 : exitCodes.already_complete;
}

function countWaiting({ num_ready, num_running, num_blocked }: RestartPlan): number {
  return num_ready + num_running + num_blocked;
}

function refuseExclusive(options: RestartOptions): void {
  const given = (['onlyUninitialized', 'keepRunning', 'stopRunning'] as const).filter((name) => options[name] === true);
  if (given.length < 2) return;
  const words = {
    onlyUninitialized: '--only-uninitialized',
    keepRunning: '--keep-running',
    stopRunning: '--stop-running',
  };
  throw new TorcError(
    'usage',
    `${given.map((name) => words[name]).join(' and ')} cannot be combined`,
    'torc workflows restart --help',
  );
}

type RestartChoices = Partial<RestartOptions> & {
  assumeStopped?: boolean;
  afterReset?: PlanRequest<'jobs_reset'>['which'];
  resume?: PlanRequest<'workflow_restart'>['resume'];
};

/** The request of a restart with these options. */
export function restartRequest(workflowKey: string, options: RestartChoices): PlanRequest<'workflow_restart'> {
  return {
    workflow_key: workflowKey,
    ignore_missing_data: options.ignoreMissingData ?? false,
    only_uninitialized: options.onlyUninitialized ?? false,
    keep_running: options.keepRunning ?? false,
    force: options.force ?? false,
    assume_stopped: options.assumeStopped ?? false,
    ...(options.afterReset === undefined ? {} : { after_reset: options.afterReset }),
    ...(options.resume === undefined ? {} : { resume: options.resume }),
    working_directory: process.cwd(),
  };
}

/** The plan of a restart, applied unless `dryRun`. */
export async function planRestart(
  context: Context,
  api: Api,
  workflowKey: string,
  options: RestartChoices,
  dryRun: boolean,
): Promise<RestartPlan> {
  const request = restartRequest(workflowKey, options);
  const plan = await planAndApply(context, api, 'workflow_restart', request, dryRun);
  noteLostFiles(context, plan);
  return plan;
}

/** Filters that together find the jobs that workers have. */
const runningFilters = ['submitted_pending', 'submitted'].map((status) => [
  { column: 'status', value: status },
  { column: 'orphaned', value: 'false' },
]);

/** Whether workers have jobs of the workflow; a restart without more options then fails. */
export async function hasRunningJobs(api: Api, workflowKey: string): Promise<boolean> {
  const page = { sort_by: null, reverse: false, limit: 1, skip: 0 };
  for (const filters of runningFilters) {
    const { records } = await api.call('list', { list: 'jobs', workflow_key: workflowKey, filters, ...page });
    if (records.length > 0) return true;
  }
  return false;
}

async function runningJobs(api: Api, workflowKey: string): Promise<StoppedJob[]> {
  const jobs: StoppedJob[] = [];
  for (const filter of runningFilters) {
    for await (const records of listPages(api, 'jobs', workflowKey, { filter, excludeColumn: [] })) {
      for (const job of records) jobs.push({ job_key: job.job_key, job_name: job.name, status: job.status });
    }
  }
  return jobs;
}

function stoppedText(context: Context, stopped: readonly StoppedJob[], dryRun: boolean): string {
  if (stopped.length === 0) return '';
  const table = textTable(context, ['job_key', 'status', 'job_name'], stopped);
  return `${dryRun ? 'running jobs that would be stopped first' : 'running jobs that were stopped first'}:\n${table}\n`;
}

/** The plan of a restart as text. */
export function restartText(context: Context, plan: RestartPlan, next: NextStep): string {
  const { workflow_key: key, dry_run, run_id } = plan;
  const kept = keptText(context, key, plan.kept, plan.num_kept);
  const cleared =
    plan.cleared_user_data.length === 0 ? '' : `\nephemeral user data cleared: ${plan.cleared_user_data.join(', ')}\n`;
  const jobs = jobsWords(plan);
  const pause = plan.ends_pause ? `${dry_run ? 'the pause would end' : 'the pause has ended'}\n` : '';
  const also = `${pause}${takenOverText(context, plan)}${givenUpText(plan)}`;
  const paused = plan.is_paused
    ? `workflow ${key} is paused: no job starts before  ${context.torc} workflows resume ${key}\n`
    : '';
  if (!plan.begins_run) return `${also}${unchangedText(context, plan, next)}${paused}${kept}`;
  const told = `${also}${changesText(context, plan)}${lostJobsText(context, plan.changes)}${cleared}${kept}`;
  // after a timeout jobs are ready as they were
  const changes = told === '' ? '' : `${told}\n`;
  if (dry_run) return `${changes}${paused}dry run: run ${run_id} would start with ${jobs}; nothing was changed\n`;
  return `${changes}started run ${run_id} of workflow ${key}: ${jobs}\n${nextCommands(context, key, next)}${paused}`;
}

/** Why no run begins, and what to type instead. */
function unchangedText(context: Context, plan: RestartPlan, next: NextStep): string {
  const { workflow_key: key, run_id, dry_run } = plan;
  if (countWaiting(plan) === 0)
    return `nothing left to run in workflow ${key}: no run ${dry_run ? 'would begin' : 'begins'}\n`;
  const commands = plan.num_ready > 0 && !dry_run ? nextCommands(context, key, next) : '';
  return `nothing to restart in workflow ${key}: run ${run_id} goes on, ${jobsWords(plan)}\n${commands}`;
}

function jobsWords(plan: RestartPlan): string {
  const running = plan.num_running === 0 ? '' : `, ${plan.num_running} still running`;
  return `${counted(plan.num_ready, 'job')} ready, ${plan.num_blocked} blocked${running}`;
}
