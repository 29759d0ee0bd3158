/**
 * What sets actions off. A firing is written in the transaction of its event, so neither exists without the other. A
 * unique index makes sure that an action fires once in a run, and a persistent one once for each event.
 *
 * Triggers about jobs are counters: how many of the action's jobs have not yet reached what it waits for. Moves change
 * them at once, but whether an action fires is decided at the end of the transaction, because a restart moves jobs one
 * after the other and is still one event.
 */
import type { ExpandedAction } from '../../model/expanded.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { setDue } from './due.ts';

type TriggerType = ExpandedAction['triggerType'];
type JobTrigger = Extract<TriggerType, 'on_jobs_ready' | 'on_jobs_complete'>;

interface FiringAction {
  actionKey: number;
  workflowKey: number;
  triggerType: TriggerType;
  actionType: ExpandedAction['actionType'];
  isPersistent: boolean;
}

const actionColumns = 'action_key, workflow_key, trigger_type, action_type, is_persistent';

interface ActionRow {
  action_key: number;
  workflow_key: number;
  trigger_type: TriggerType;
  action_type: ExpandedAction['actionType'];
  is_persistent: number;
}

function actionOf(row: ActionRow): FiringAction {
  return {
    actionKey: row.action_key,
    workflowKey: row.workflow_key,
    triggerType: row.trigger_type,
    actionType: row.action_type,
    isPersistent: row.is_persistent === 1,
  };
}

/** Whether a job has reached what an action waits for: ready or later, or its end. `terminated` is not an end. */
function isMet(trigger: JobTrigger, status: JobStatus): boolean {
  if (trigger === 'on_jobs_ready') return status !== 'uninitialized' && status !== 'blocked';
  return status === 'done' || status === 'canceled' || status === 'disabled';
}

const jobTriggers = ['on_jobs_ready', 'on_jobs_complete'] as const;

/** Counts a job's move in the actions that wait for this job. */
export function countActionJob(
  tx: Transaction,
  job: { jobKey: number; workflowKey: number; status: JobStatus },
  to: JobStatus,
): void {
  // an action did not fire for ready jobs while they were all canceled; one that runs after all decides again
  const runsAfterAll = (job.status === 'canceled' || job.status === 'disabled') && to === 'ready';
  const concerned = jobTriggers.filter(
    (trigger) => isMet(trigger, job.status) !== isMet(trigger, to) || (trigger === 'on_jobs_ready' && runsAfterAll),
  );
  if (concerned.length === 0 || !hasJobActions(tx, job.workflowKey)) return;
  for (const row of tx.db.all<{ action_key: number; trigger_type: JobTrigger }>(
    `SELECT a.action_key, a.trigger_type FROM action_jobs aj JOIN actions a ON a.action_key = aj.action_key
     WHERE aj.job_key = ?`,
    job.jobKey,
  )) {
    const trigger = row.trigger_type;
    if (!concerned.includes(trigger)) continue;
    const change = Number(isMet(trigger, job.status)) - Number(isMet(trigger, to));
    if (change !== 0)
      tx.db.run('UPDATE actions SET num_unmet = num_unmet + ? WHERE action_key = ?', change, row.action_key);
    if (change <= 0) tx.tell({ kind: 'action_advanced', actionKey: row.action_key });
  }
}

/** The same for jobs of one workflow that move together. */
export function countActionJobs(
  tx: Transaction,
  workflowKey: number,
  jobs: readonly { jobKey: number; status: JobStatus }[],
  to: JobStatus,
): void {
  if (!hasJobActions(tx, workflowKey)) return;
  for (const { jobKey, status } of jobs) countActionJob(tx, { jobKey, workflowKey, status }, to);
}

/** Removes a job that is about to be deleted from the actions that wait for it. */
export function forgetActionJob(tx: Transaction, jobKey: number, status: JobStatus): void {
  const met = jobTriggers.filter((trigger) => isMet(trigger, status));
  tx.db.run(
    `UPDATE actions SET num_jobs = num_jobs - 1,
       num_unmet = num_unmet - (trigger_type NOT IN (SELECT value FROM json_each(?)))
     WHERE action_key IN (SELECT action_key FROM action_jobs WHERE job_key = ?)`,
    JSON.stringify(met),
    jobKey,
  );
  tx.db.run('DELETE FROM action_jobs WHERE job_key = ?', jobKey);
}

function hasJobActions(tx: Transaction, workflowKey: number): boolean {
  return tx.remembered(`job actions of ${workflowKey}`, () => {
    const row = tx.db.get('SELECT 1 FROM actions WHERE workflow_key = ? AND num_jobs > 0 LIMIT 1', workflowKey);
    return row !== undefined;
  });
}

/**
 * Checks, at the beginning of a run, the actions whose jobs are ready by then: a start makes them ready in several
 * transactions, and a restart may not have changed them at all.
 */
export function noteReadyActions(tx: Transaction, workflowKey: number): void {
  const rows = tx.db.all<{ action_key: number }>(
    `SELECT action_key FROM actions a WHERE workflow_key = ? AND trigger_type = 'on_jobs_ready' AND num_unmet = 0
       AND EXISTS (SELECT 1 FROM action_jobs aj JOIN jobs j ON j.job_key = aj.job_key
         WHERE aj.action_key = a.action_key AND j.status = 'ready')`,
    workflowKey,
  );
  for (const row of rows) tx.tell({ kind: 'action_advanced', actionKey: row.action_key });
}

/** Fires those of the actions whose last job has reached what they wait for. */
export function fireJobActions(tx: Transaction, actionKeys: Iterable<number>): void {
  for (const actionKey of actionKeys) {
    const row = tx.db.get<ActionRow>(
      `SELECT ${actionColumns} FROM actions a WHERE action_key = ? AND num_unmet = 0 AND num_jobs > 0
         AND (SELECT phase FROM workflows w WHERE w.workflow_key = a.workflow_key) = 'started'`,
      actionKey,
    );
    if (row === undefined) continue;
    const action = actionOf(row);
    if (action.triggerType === 'on_jobs_ready' && !hasJobThatRuns(tx, actionKey)) continue;
    fire(tx, action, { state: 'pending' });
  }
}

/** Jobs that were all canceled or disabled will never be ready. */
function hasJobThatRuns(tx: Transaction, actionKey: number): boolean {
  const row = tx.db.get(
    `SELECT 1 FROM action_jobs aj JOIN jobs j ON j.job_key = aj.job_key
     WHERE aj.action_key = ? AND j.status NOT IN ('canceled', 'disabled') LIMIT 1`,
    actionKey,
  );
  return row !== undefined;
}

/** Fires the actions that wait for this event of the workflow itself. */
export function fireWorkflowActions(
  tx: Transaction,
  workflowKey: number,
  trigger: 'on_workflow_start' | 'on_workflow_complete',
): void {
  for (const action of actionsOf(tx, workflowKey, trigger)) fire(tx, action, { state: 'pending' });
}

/**
 * A worker has joined: the actions that wait for that fire. The worker runs their commands itself. Commands for its end
 * are reserved for it, and fire when it reports that it ran them.
 */
export function fireWorkerStart(tx: Transaction, node: { computeNodeKey: number; workflowKey: number }): void {
  const { computeNodeKey, workflowKey } = node;
  for (const action of actionsOf(tx, workflowKey, 'on_worker_start')) {
    fire(tx, action, { state: action.actionType === 'run_commands' ? 'claimed' : 'pending', computeNodeKey });
  }
  for (const action of actionsOf(tx, workflowKey, 'on_worker_complete')) {
    if (action.actionType === 'run_commands') fire(tx, action, { state: 'reserved', computeNodeKey });
  }
}

/** A worker has ten minutes for its commands; after its end it has this long to report their result. */
const commandsPatienceMs = 15 * 60_000;

/** Firings whose worker has not reported the result of the commands yet. */
export const openCommands = `SELECT f.firing_key FROM action_firings f JOIN actions a ON a.action_key = f.action_key
  WHERE f.compute_node_key = ? AND f.state IN ('claimed', 'reserved') AND a.action_type = 'run_commands'`;

/** Why a worker's record was closed: the worker left, it was told to leave, or it was given up. */
export type WorkerEnd = 'left' | 'told_to_leave' | 'given_up';

/** A worker's record is closed. Commands that were reserved for it and did not run are free for another worker. */
export function fireWorkerEnd(
  tx: Transaction,
  node: { computeNodeKey: number; workflowKey: number },
  end: WorkerEnd,
): void {
  const { computeNodeKey, workflowKey } = node;
  if (end !== 'told_to_leave') {
    tx.db.run(`DELETE FROM action_firings WHERE compute_node_key = ? AND state = 'reserved'`, computeNodeKey);
  }
  if (tx.db.get(openCommands, computeNodeKey) !== undefined) {
    setDue(tx, {
      kind: 'worker_commands',
      dueAt: tx.now + commandsPatienceMs,
      workflowKey,
      subjectKey: computeNodeKey,
    });
  }
  if (end === 'given_up') return;
  for (const action of actionsOf(tx, workflowKey, 'on_worker_complete')) {
    if (action.actionType === 'schedule_nodes') fire(tx, action, { state: 'pending', computeNodeKey });
  }
}

function actionsOf(tx: Transaction, workflowKey: number, trigger: TriggerType): FiringAction[] {
  return tx.db
    .all<ActionRow>(
      `SELECT ${actionColumns} FROM actions WHERE workflow_key = ? AND trigger_type = ? ORDER BY action_key`,
      workflowKey,
      trigger,
    )
    .map(actionOf);
}

interface NewFiring {
  state: 'reserved' | 'pending' | 'claimed';
  computeNodeKey?: number;
}

function fire(tx: Transaction, action: FiringAction, { state, computeNodeKey }: NewFiring): void {
  const { actionKey, workflowKey, isPersistent } = action;
  const { changes, key } = tx.db.run(
    `INSERT OR IGNORE INTO action_firings
       (action_key, workflow_key, run_id, occurrence, state, compute_node_key, fired_at)
     SELECT ?, w.workflow_key, w.run_id,
       1 + CASE ? WHEN 1 THEN (SELECT coalesce(max(f.occurrence), 0) FROM action_firings f
         WHERE f.action_key = ? AND f.run_id = w.run_id) ELSE 0 END, ?, ?, ?
     FROM workflows w WHERE w.workflow_key = ?`,
    actionKey,
    isPersistent ? 1 : 0,
    actionKey,
    state,
    computeNodeKey ?? null,
    tx.now,
    workflowKey,
  );
  if (changes === 0) return;
  if (state === 'pending') tx.tell({ kind: 'action_fired', workflowKey, actionKey });
  if (state !== 'reserved') noteFiring(tx, key, 'action_fired', {});
}

/** Writes the event of a firing. */
export function noteFiring(
  tx: Transaction,
  firingKey: number,
  type: 'action_fired' | 'action_done' | 'action_failed',
  more: object,
): void {
  const row = tx.db.get<{ workflow_key: number; action_key: number; [fact: string]: unknown }>(
    `SELECT f.workflow_key, f.action_key, f.run_id, f.occurrence, a.trigger_type, a.action_type
     FROM action_firings f JOIN actions a ON a.action_key = f.action_key WHERE f.firing_key = ?`,
    firingKey,
  );
  if (row === undefined) return;
  const { workflow_key: workflowKey, action_key: actionKey, ...facts } = row;
  const data = { action_key: String(actionKey), firing_key: String(firingKey), ...facts, ...more };
  tx.event({ workflowKey, type, data });
}
