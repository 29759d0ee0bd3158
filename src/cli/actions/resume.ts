/** `--resume` of `torc run`, `torc submit` and `torc workflows create`: continues the workflow that is created again. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { exitCodes, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { namedDifferences } from '../../model/decide/job-outline.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { type Comparison, compareWorkflow } from '../documents/compare-workflow.ts';
import { shownName } from '../documents/given-file.ts';
import type { ResumeOptions } from '../input/options.ts';
import { shown } from '../plans/apply.ts';
import { differencesText, takenOverLines } from '../plans/resume-output.ts';
import { exitCodeOf, type Restarted, type RestartOptions, restartStored } from './workflows-restart.ts';

/** Throws 'usage' for options that only `--resume` gives a meaning, and for a resume without an identity. */
export function checkResume(options: ResumeOptions, { args }: ExpandedWorkflow): void {
  const { resume, keepRunning, stopRunning, resumeTimeout, forceCleanup } = options;
  refuseBoth(options);
  if (resume === true) {
    if (args !== undefined) return;
    const hint = 'Add args to the specification, or --args: they make it the same workflow again.';
    throw new TorcError('usage', '--resume needs a workflow with args', hint);
  }
  const given = [
    ...(keepRunning === true ? ['--keep-running'] : []),
    ...(stopRunning === true ? ['--stop-running'] : []),
    ...(resumeTimeout === undefined ? [] : ['--resume-timeout']),
    ...(forceCleanup === true ? ['--force-cleanup'] : []),
  ];
  if (given.length > 0) throw new TorcError('usage', `${given[0]} can be used only with --resume`);
}

/** Running jobs either continue or are stopped. */
export function refuseBoth({ keepRunning, stopRunning }: ResumeOptions): void {
  if (keepRunning !== true || stopRunning !== true) return;
  throw new TorcError('usage', '--keep-running and --stop-running cannot be combined', 'Give only one of them.');
}

/** The options of a restart that a resume means. */
export function restartOptions(context: Context, options: ResumeOptions, command: string): RestartOptions {
  const { keepRunning, stopRunning, ignoreMissingData, forceCleanup, dryRun } = options;
  return {
    keepRunning: keepRunning ?? false,
    stopRunning: stopRunning ?? false,
    ignoreMissingData: ignoreMissingData ?? false,
    dryRun: dryRun ?? false,
    force: forceCleanup ?? false,
    timeout: options.resumeTimeout ?? defaultTimeoutSeconds,
    forced: `${context.torc} ${command} --stop-running --force-cleanup`,
  };
}

const defaultTimeoutSeconds = 300;

export interface Recreated {
  /** As typed. */
  spec: string;
  workflow: ExpandedWorkflow;
}

/**
 * Continues the stored workflow with the identity of a specification, or plans that; null when there is none. Throws
 * 'conflict' when its jobs are others, with the differences, and 'already_complete' when all are done.
 */
export async function resumeRecreated(
  context: Context,
  { api }: Pick<Connection, 'api'>,
  { spec, workflow }: Recreated,
  options: ResumeOptions & { command: string },
): Promise<Restarted | null> {
  const { args, tool = null, name } = workflow;
  if (args === undefined) return null;
  const found = await api.call('workflow_find', { tool, name, args });
  const { workflow_key: key, status, base_directory: base } = found;
  if (key === null) return null;
  const comparing = compareWorkflow(api, key, workflow);
  const comparison = await shown(context, `comparing ${spec} with workflow ${key}`, comparing);
  refuseDifferences(context, spec, key, comparison);
  if (status === 'done') {
    const { num_jobs: numJobs, jobs } = comparison.takeOver;
    throw alreadyComplete(context, key, name, { numJobs, numOthers: jobs.length });
  }
  if (base !== null && base !== process.cwd()) {
    note(context, `workflow ${key} runs in ${base}, where it was created`);
  }
  const restart = restartOptions(context, options, `${options.command} ${spec} --resume`);
  return restartStored(context, api, key, { ...restart, resume: { take_over: comparison.takeOver } });
}

/** Continues a stored workflow by its key, or plans that; null when it has not started. Throws as `resumeRecreated`. */
export async function continueStored(
  context: Context,
  { api }: Pick<Connection, 'api'>,
  key: string,
  options: ResumeOptions & { command: string },
): Promise<Restarted | null> {
  const { status, run_id } = await showIncomplete(context, api, key);
  if (run_id === 0 && status !== 'canceled') return null;
  const restart = restartOptions(context, options, `${options.command} ${key}`);
  return restartStored(context, api, key, { ...restart, resume: {} });
}

/** A workflow with something left to run; throws 'already_complete' for one without. */
export async function showIncomplete(context: Context, api: Api, key: string): Promise<WorkflowShown> {
  const workflow = await api.call('workflow_show', { workflow_key: key });
  const { name, status, num_jobs: numJobs } = workflow;
  if (status === 'done') throw alreadyComplete(context, key, name, { numJobs, numOthers: 0 });
  return workflow;
}

function refuseDifferences({ torc }: Context, spec: string, key: string, { differences }: Comparison): void {
  const { numAdded, numRemoved, numChanged } = differences;
  if (numAdded + numRemoved + numChanged === 0) return;
  throw new TorcError(
    'conflict',
    `the jobs of ${shownName(spec)} differ from those of workflow ${key}: ${differencesText(differences)}`,
    `Other --args make a new workflow; ${torc} workflows export ${key} shows the stored one.`,
  );
}

function alreadyComplete(
  { torc }: Context,
  key: string,
  name: string,
  { numJobs, numOthers }: { numJobs: number; numOthers: number },
): TorcError {
  const others = numOthers === 0 ? '' : `; other settings of ${counted(numOthers, 'job')} were not taken over`;
  return new TorcError(
    'already_complete',
    `workflow ${key} (${quoted(name)}) is already complete: ${counted(numJobs, 'job')} done${others}`,
    `Other --args make a new workflow; ${torc} clone ${key} runs all of it again; ${torc} workflows restart ${key} looks for changed inputs.`,
  );
}

/** What a resume would do; null when it would create a workflow, also where there is no database yet. */
export async function planRecreated(
  context: Context,
  recreated: Recreated,
  options: ResumeOptions & { command: string },
): Promise<Restarted | null> {
  let isConnected = false;
  try {
    return await withConnection(context, (connection) => {
      isConnected = true;
      return resumeRecreated(context, connection, recreated, options);
    });
  } catch (error) {
    if (!isConnected && error instanceof TorcError && error.code === 'not_found') return null;
    throw error;
  }
}

/** Says what a resume did, for commands that print something else as their result. Throws when nothing is left to run. */
export function noteResumed(context: Context, { plan, stopped }: Restarted): void {
  const { workflow_key: key, run_id, num_ready, num_blocked, num_running, num_given_up } = plan;
  for (const line of takenOverLines(plan).slice(0, namedDifferences)) note(context, line);
  if (stopped !== null && stopped.length > 0) note(context, `stopped ${counted(stopped.length, 'running job')} first`);
  if (num_given_up > 0) note(context, `treated ${counted(num_given_up, 'job')} of silent workers as dead`);
  if (exitCodeOf(plan) === exitCodes.already_complete) {
    throw new TorcError(
      'already_complete',
      `nothing is left to run in workflow ${key}`,
      `${context.torc} workflows show ${key}`,
    );
  }
  const running = num_running === 0 ? '' : `, ${num_running} still running`;
  const jobs = `${counted(num_ready, 'job')} ready, ${num_blocked} blocked${running}`;
  note(context, `workflow ${key} ${plan.begins_run ? 'resumed with' : 'goes on in'} run ${run_id}: ${jobs}`);
}
