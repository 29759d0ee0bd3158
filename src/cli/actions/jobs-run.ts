/** `torc jobs run`: runs a started workflow on this machine. */

import type { Api, WorkflowShown } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { exitCodes, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { startDirectory } from '../input/base-directory.ts';
import { chosenOutput } from '../input/output-directory.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { findObstacles, numObstructed, obstacleLines } from '../output/obstacles.ts';
import { printResult } from '../output/output.ts';
import { followRun } from '../output/run-progress.ts';
import { numEnded, type Summary, summaryFailures, summaryOf, summaryText, summaryValue } from '../output/summary.ts';
import { unsentLines } from '../output/unsent-notifications.ts';
import {
  spawnWorker,
  type WorkerChild,
  type WorkerCommandOptions,
  type WorkerResult,
} from '../workers/local-worker.ts';
import { handleStops } from '../workers/stop-stages.ts';
import { hasAllocation } from './await-run.ts';

const lookEveryMs = 1000;
const actionsEveryMs = 100;
/** What no time will change. */
const unfit = ['larger_than_any_worker', 'no_worker_with_resources', 'no_worker_with_labels'] as const;

/**
 * Runs jobs until no job is left that fits on this machine. Returns 1 when jobs failed or fit no worker, 8 after the timeout of
 * the run.
 */
export async function runJobs(context: Context, key: string | null, options: WorkerCommandOptions): Promise<number> {
  return withConnection(
    context,
    async ({ api }) => {
      const workflowKey = await chooseWorkflow(context, api, key);
      const workflow = await requireStarted(api, workflowKey, `${context.torc} workflows start ${workflowKey}`);
      const directory = await startDirectory(context, workflow);
      const output = chosenOutput(context, options.output);
      const run = { ...options, output, directory };
      const { summary, worker, leavesUnfit } = await runLocally(context, api, workflowKey, run);
      const failed = await summaryFailures(context, api, summary);
      const value = { ...summaryValue(summary, failed), worker };
      await printResult(context, value, () => summaryText(context, summary, failed));
      // the worker's own count includes failures that were retried
      if (summary.status === 'timeout') return exitCodes.timeout;
      const hasFailed = summary.num_failed > 0 || ['failed', 'canceled'].includes(summary.status);
      // a worker with labels is meant to leave jobs to others
      return hasFailed || (leavesUnfit && !hasLabels(options)) ? exitCodes.jobs_failed : 0;
    },
    { serves: true, runsActions: true },
  );
}

function hasLabels({ label = [] }: WorkerCommandOptions): boolean {
  return label.length > 0;
}

/** A workflow that has started; throws TorcError 'conflict' with this hint for one that has not. */
export async function requireStarted(api: Api, workflowKey: string, hint: string): Promise<WorkflowShown> {
  const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
  if (workflow.run_id > 0) return workflow;
  throw new TorcError('conflict', `workflow ${workflowKey} has not started`, hint);
}

export interface LocalRun {
  summary: Summary;
  worker: WorkerResult;
  /** Jobs are left that fit no worker; that was said. */
  leavesUnfit: boolean;
}

/**
 * Runs a worker in a directory, or here, as a child of this process until it ends, and shows progress. An interrupt lets it
 * finish its jobs, a second one stops them; it is then thrown as TorcError 'interrupted'.
 */
export async function runLocally(
  context: Context,
  api: Api,
  workflowKey: string,
  options: WorkerCommandOptions & { output: string; directory: string | null },
): Promise<LocalRun> {
  const numEndedBefore = numEnded(await api.call('workflow_show', { workflow_key: workflowKey }));
  const startedAt = context.clock.monotonic();
  const child = spawnWorker(context, workflowKey, options, options.directory);
  const stages = handleStops(context, workflowKey, child);
  const stopFollowing = followRun(context, api, workflowKey);
  const over = new AbortController();
  try {
    if (options.waitForNewJobs === undefined && !hasLabels(options)) {
      // a failed request says nothing about the run
      letGoWhenUnfit(context, api, workflowKey, child, over.signal).catch(() => {});
    }
    const worker = await child.result;
    over.abort();
    await stages.settled();
    const isAsked = () => stages.isDraining() || stages.isStopped();
    const isEnough = () => isAsked() || options.waitForNewJobs === undefined;
    await lastLook(context, api, workflowKey, isEnough);
    const workflow = await actionsEnded(context, api, workflowKey, () => stages.isStopped());
    const isInterrupted = stages.isStopped() || (stages.isDraining() && !runsOut(workflow));
    const leavesUnfit = !isInterrupted && (await noteLeftJobs(context, api, workflow));
    for (const line of unsentLines(context, workflow)) note(context, line, 'warning');
    const summary = summaryOf(workflow, (context.clock.monotonic() - startedAt) / 1000, options.output, numEndedBefore);
    if (isInterrupted) throw interrupted(context, summary);
    return { summary, worker, leavesUnfit };
  } finally {
    over.abort();
    await stopFollowing();
    stages.close();
  }
}

/**
 * Lets the worker go, instead of waiting for new jobs, once no other worker is there or will come and every job that is left fits
 * none.
 */
async function letGoWhenUnfit(
  context: Context,
  api: Api,
  workflowKey: string,
  child: WorkerChild,
  over: AbortSignal,
): Promise<void> {
  for (;;) {
    await delay(context.clock, lookEveryMs, over);
    if (over.aborted) return;
    const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
    // a worker that is just starting does not hear it, so it may be repeated
    if ((await isStuck(api, workflow)) && !over.aborted) child.drain();
  }
}

/** Whether only jobs are left that fit no worker, and nobody but one worker is there to run them. */
async function isStuck(api: Api, workflow: WorkflowShown): Promise<boolean> {
  const { workflow_key: key, counts, num_ready, num_active_workers, num_open_actions, autoscaler } = workflow;
  const numTaken = (counts.submitted ?? 0) + (counts.submitted_pending ?? 0);
  if (num_ready === 0 || numTaken > 0 || num_active_workers !== 1 || num_open_actions > 0 || autoscaler !== null)
    return false;
  return (await numObstructed(api, key, unfit)) >= num_ready && !(await hasAllocation(api, key));
}

/** Whether the run has ended by itself: the jobs that were let finish were the last ones. */
function runsOut({ status }: WorkflowShown): boolean {
  return status === 'done' || status === 'failed' || status === 'timeout';
}

/** The workflow once its other workers, if any, have ended as well. */
async function lastLook(
  context: Context,
  api: Api,
  workflowKey: string,
  isEnough: () => boolean,
): Promise<WorkflowShown> {
  for (;;) {
    const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
    const isWorkedOn = workflow.status === 'running' && workflow.num_active_workers > 0;
    if (!isWorkedOn || isEnough()) return workflow;
    await delay(context.clock, lookEveryMs);
  }
}

/** The workflow once its actions are done and its messages are sent; at the end of a run this process does both. */
async function actionsEnded(
  context: Context,
  api: Api,
  workflowKey: string,
  isEnough: () => boolean,
): Promise<WorkflowShown> {
  for (let isTold = false; ; isTold = true) {
    const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
    const { num_open_actions: actions, num_open_notifications: messages } = workflow;
    if (actions + messages === 0 || isEnough()) return workflow;
    const what = actions > 0 ? counted(actions, 'action') : counted(messages, 'notification');
    if (!isTold) note(context, `waiting for ${what}`, 'debug');
    await delay(context.clock, actionsEveryMs);
  }
}

/** Ready jobs that nobody runs: why, or if only time keeps them from running here, that. Returns whether they fit no worker. */
async function noteLeftJobs(context: Context, api: Api, workflow: WorkflowShown): Promise<boolean> {
  const { workflow_key: key, counts, num_active_workers, status } = workflow;
  const numReady = counts.ready ?? 0;
  if (numReady === 0 || status === 'timeout' || num_active_workers > 0) return false;
  const obstacles = await findObstacles(api, key, unfit);
  for (const line of obstacleLines(context, key, obstacles)) note(context, line, 'warning');
  if (obstacles.length > 0) return true;
  const left = numReady === 1 ? '1 ready job is' : `${numReady} ready jobs are`;
  note(context, `${left} left: ${context.torc} jobs list -k ${key} -f status=ready`, 'warning');
  return false;
}

function interrupted(context: Context, summary: Summary): TorcError {
  const { workflow_key: key, num_jobs, num_done, num_terminated, num_unfinished } = summary;
  const run = `${context.torc} jobs run ${key}`;
  const unrun = num_unfinished > 0 ? `To continue: ${run}` : `${context.torc} jobs list -k ${key}`;
  return new TorcError(
    'interrupted',
    `interrupted: ${num_done} of ${counted(num_jobs, 'job')} done, ${num_terminated} stopped, ${num_unfinished} not finished`,
    num_terminated > 0 ? `To continue with all of them: ${context.torc} workflows restart ${key} && ${run}` : unrun,
  );
}
