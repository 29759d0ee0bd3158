/** `torc workflows show|show-status`: one workflow as facts. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { jobStatuses } from '../../model/status.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { scalingStateText, settingsText } from '../output/autoscaler-text.ts';
import { findObstacles, obstacleLines } from '../output/obstacles.ts';
import { printResult } from '../output/output.ts';
import { recoveryWords } from '../output/recovery-words.ts';
import { factLines } from '../output/table.ts';
import { fieldLines } from '../output/text-columns.ts';
import { unsentLines } from '../output/unsent-notifications.ts';

async function read(context: Context, api: Api, key: string | null): Promise<WorkflowShown> {
  return api.call('workflow_show', { workflow_key: await chooseWorkflow(context, api, key, 'reads') });
}

/** Everything about one workflow. */
export async function showWorkflow(context: Context, key: string | null): Promise<void> {
  const workflow = await withConnection(context, ({ api }) => read(context, api, key));
  const { counts: _, env, autoscaler, recovery, ...facts } = workflow;
  const variables: [string, unknown][] = Object.keys(env).length === 0 ? [] : [['env', env]];
  await printResult(context, workflow, () =>
    fieldLines(context, [
      ...Object.entries(facts),
      ...variables,
      ...(autoscaler === null ? [] : ([['autoscaler', settingsText(autoscaler)]] as [string, string][])),
      ...(recovery === null ? [] : ([['recovery', recoveryText(recovery)]] as [string, string][])),
      ...nextLines(context, workflow),
    ]),
  );
}

/** `1 of at most 3 recoveries, memory x1.5, runtime x1.5`. */
function recoveryText(recovery: NonNullable<WorkflowShown['recovery']>): string {
  const { num_recoveries, next_at } = recovery;
  const next = next_at === null ? '' : `, the next one at ${next_at}`;
  return `${num_recoveries} of ${recoveryWords(recovery)}${next}`;
}

/** The progress of a workflow: the jobs by status, one status per line. */
export async function showStatus(context: Context, key: string | null): Promise<void> {
  const { workflow, obstacles, is_served } = await withConnection(context, async ({ api, kind }) => {
    const workflow = await read(context, api, key);
    const hasReady = (workflow.counts.ready ?? 0) > 0;
    const obstacles = hasReady ? await findObstacles(api, workflow.workflow_key) : [];
    return { workflow, obstacles, is_served: kind === 'remote' };
  });
  const { workflow_key, name, status, run_id, num_jobs, num_done, num_failed, num_canceled, ...rest } = workflow;
  const { cut_off_by, counts, num_active_workers, num_lost, num_open_actions, num_failed_actions } = rest;
  const { num_open_notifications, num_late_notifications, num_failed_notifications, notification_error } = rest;
  const { autoscaler, recovery } = rest;
  const head = { workflow_key, name, status, run_id, num_jobs, num_done, num_failed, num_canceled };
  const more = {
    cut_off_by,
    num_active_workers,
    is_served,
    num_lost,
    num_open_actions,
    num_failed_actions,
    num_open_notifications,
    num_late_notifications,
    num_failed_notifications,
    notification_error,
    counts,
    obstacles,
    autoscaler,
    recovery,
  };
  const value = { ...head, ...more };
  const workers = is_served || num_active_workers === 0 ? num_active_workers : `${num_active_workers} without a server`;
  await printResult(context, value, () =>
    factLines([
      ['workflow_key', workflow_key],
      ['name', name],
      ['status', status],
      ['run_id', run_id],
      ['workers', workers],
      ['jobs', num_jobs],
      ...jobStatuses.map((each): [string, unknown] => [each, counts[each] ?? 0]),
      ['failed', num_failed],
      ...obstacleLines(context, workflow_key, obstacles).map((line): [string, unknown] => ['warning', line]),
      ...actionLines(context, workflow_key, num_open_actions, num_failed_actions),
      ...notificationLines(context, workflow, is_served),
      ...nextLines(context, workflow),
    ]),
  );
}

/** What to type for ready jobs without a worker, and for lost jobs. */
function nextLines(
  context: Context,
  { workflow_key: key, status, is_paused, num_lost, cut_off_by, max_failures, autoscaler }: WorkflowShown,
): [string, string][] {
  const lines: [string, string][] = autoscaler === null ? [] : [['nodes', scalingStateText(autoscaler)]];
  if (num_lost > 0) lines.push(['lost', `${num_lost}: ${context.torc} jobs diagnose -k ${key}`]);
  if (cut_off_by === 'timeout') lines.push(['timeout', `to continue: ${context.torc} workflows restart ${key}`]);
  if (cut_off_by === 'max_failures') {
    const limit = max_failures === null ? '' : ` of ${max_failures}`;
    lines.push([
      'ended early',
      `at the limit${limit} (max_failures); to continue: ${context.torc} workflows restart ${key}`,
    ]);
  }
  if (is_paused) lines.push(['paused', `to continue: ${context.torc} workflows resume ${key}`]);
  else if (status === 'paused')
    lines.push([
      'held',
      `to continue: ${context.torc} jobs release $(${context.torc} -F json jobs list -k ${key} -f held=true | jq -r '.jobs[].job_key')`,
    ]);
  if (status === 'waiting' && autoscaler === null) {
    lines.push(
      ['run here', `${context.torc} jobs run ${key}`],
      ['on Slurm', `${context.torc} -k ${key} hpc slurm schedule-nodes -n 1`],
    );
  }
  return lines;
}

/** Actions get a line only when some are pending or failed. */
function actionLines(context: Context, key: string, numOpen: number, numFailed: number): [string, unknown][] {
  const lines: [string, unknown][] = [];
  if (numOpen > 0) lines.push(['actions', `${numOpen} pending`]);
  const where = `${context.torc} actions list ${key}`;
  if (numFailed > 0) lines.push(['warning', `${counted(numFailed, 'action')} failed: ${where}`]);
  return lines;
}

/** Notifications get a line only when some are not sent. */
function notificationLines(context: Context, workflow: WorkflowShown, isServed: boolean): [string, unknown][] {
  const { num_open_notifications: numOpen } = workflow;
  const waits = isServed ? 'being sent' : `waiting for a server that sends them: ${context.torc} server start`;
  return [
    ...(numOpen > 0 ? [['notifications', `${numOpen} ${waits}`] as [string, unknown]] : []),
    ...unsentLines(context, workflow).map((line): [string, unknown] => ['warning', line]),
  ];
}
