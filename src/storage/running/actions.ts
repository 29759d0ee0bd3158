/** Actions as they are stored, and their firings from the claim to the result. */
import type { ActionReport, Request, WorkerCommands } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { ExpandedAction } from '../../model/expanded.ts';
import type { Transaction } from '../database/transaction.ts';
import { noteFiring, openCommands } from './action-triggers.ts';
import { removeDue, setDue } from './due.ts';

/** What an action does, as it is stored; its trigger has columns of its own. */
export interface ActionDefinition {
  commands: string[];
  /** Name of a Slurm config of the workflow. */
  scheduler: string | null;
  num_allocations: number;
  start_one_worker_per_node: boolean;
  max_parallel_jobs: number | null;
}

/** Stores the actions of a new workflow; the jobs that they wait for arrive with the jobs. */
export function storeActions(
  tx: Transaction,
  workflowKey: number,
  { working_directory, output_directory, list }: NonNullable<Request<'workflow_create_begin'>['actions']>,
): void {
  for (const { trigger_type, action_type, persistent, ...definition } of list) {
    tx.db.run(
      `INSERT INTO actions (workflow_key, trigger_type, action_type, is_persistent, definition, working_directory,
         output_directory) VALUES (?, ?, ?, ?, ?, ?, ?)`,
      workflowKey,
      trigger_type,
      action_type,
      persistent ? 1 : 0,
      JSON.stringify(definition satisfies ActionDefinition),
      working_directory,
      output_directory,
    );
  }
}

/** Adds jobs, by their keys, to actions of a workflow that is being created, by their numbers from 0. */
export function addActionJobs(tx: Transaction, workflowKey: number, pairs: readonly [number, number][]): void {
  if (pairs.length === 0) return;
  const actions = tx.db.all('SELECT action_key FROM actions WHERE workflow_key = ? ORDER BY action_key', workflowKey);
  for (const [index, jobKey] of pairs) {
    const action = actions[index];
    if (action === undefined) throw new TorcError('usage', `action ${index} is beyond the announced number`);
    tx.db.run('INSERT OR IGNORE INTO action_jobs (job_key, action_key) VALUES (?, ?)', jobKey, action.action_key);
  }
}

/** Counts the jobs of the actions of a workflow that is complete now, and those that have not reached what is waited for. */
export function countActionJobs(tx: Transaction, workflowKey: number): void {
  tx.db.run(
    `UPDATE actions SET (num_jobs, num_unmet) = (SELECT count(*), coalesce(sum(CASE actions.trigger_type
         WHEN 'on_jobs_ready' THEN j.status IN ('uninitialized', 'blocked')
         ELSE j.status NOT IN ('done', 'canceled', 'disabled') END), 0)
       FROM action_jobs aj JOIN jobs j ON j.job_key = aj.job_key WHERE aj.action_key = actions.action_key)
     WHERE workflow_key = ?`,
    workflowKey,
  );
}

export interface Firing extends ActionDefinition {
  firingKey: number;
  actionKey: number;
  workflowKey: number;
  runId: number;
  actionType: ExpandedAction['actionType'];
  workingDirectory: string;
  outputDirectory: string;
  /** Whether another process started its commands before. */
  hasBegun: boolean;
  numAttempts: number;
}

interface FiringRow {
  firing_key: number;
  action_key: number;
  workflow_key: number;
  run_id: number;
  action_type: ExpandedAction['actionType'];
  definition: string;
  working_directory: string;
  output_directory: string;
  began_at: number | null;
  num_attempts: number;
}

/**
 * Claims the oldest firing that the server has to carry out: a pending one, or one that a server of an older epoch had
 * claimed and did not postpone. Null when there is none.
 */
export function claimFiring(tx: Transaction, epoch: number): Firing | null {
  const row = tx.db.get<FiringRow>(
    `SELECT f.*, a.action_type, a.definition, coalesce(w.base_directory, a.working_directory) AS working_directory,
       a.output_directory
     FROM action_firings f JOIN actions a ON a.action_key = f.action_key
       JOIN workflows w ON w.workflow_key = a.workflow_key
     WHERE f.state IN ('pending', 'claimed') AND (f.state = 'pending' OR f.epoch < ?)
       AND NOT EXISTS (SELECT 1 FROM due d WHERE d.kind = 'firing' AND d.subject_key = f.firing_key)
     ORDER BY f.firing_key LIMIT 1`,
    epoch,
  );
  if (row === undefined) return null;
  tx.db.run(
    `UPDATE action_firings SET state = 'claimed', epoch = ?, num_attempts = num_attempts + 1 WHERE firing_key = ?`,
    epoch,
    row.firing_key,
  );
  return {
    ...(JSON.parse(row.definition) as ActionDefinition),
    firingKey: row.firing_key,
    actionKey: row.action_key,
    workflowKey: row.workflow_key,
    runId: row.run_id,
    actionType: row.action_type,
    workingDirectory: row.working_directory,
    outputDirectory: row.output_directory,
    hasBegun: row.began_at !== null,
    numAttempts: row.num_attempts + 1,
  };
}

/** Postpones a firing by this many milliseconds; the server of that time tries it again. */
export function putOffFiring(tx: Transaction, { firingKey, workflowKey }: Firing, delayMs: number): void {
  setDue(tx, { kind: 'firing', dueAt: tx.now + delayMs, workflowKey, subjectKey: firingKey });
}

/** The time of a postponed firing has come. */
export function retryFiring(tx: Transaction, firingKey: number): void {
  const firing = tx.db.get<{ workflow_key: number; action_key: number }>(
    `UPDATE action_firings SET state = 'pending' WHERE firing_key = ? AND state = 'claimed'
     RETURNING workflow_key, action_key`,
    firingKey,
  );
  if (firing === undefined) return;
  tx.tell({ kind: 'action_fired', workflowKey: firing.workflow_key, actionKey: firing.action_key });
}

/** From now on its commands may have run, so they are never run again. */
export function recordFiringBegun(tx: Transaction, firingKey: number): void {
  tx.db.run('UPDATE action_firings SET began_at = ? WHERE firing_key = ?', tx.now, firingKey);
}

/** Records the end of a firing; an error of null means success. A firing that is gone or has ended stays as it is. */
export function recordFiringEnd(tx: Transaction, firingKey: number, result: object, error: string | null): void {
  const { changes } = tx.db.run(
    `UPDATE action_firings SET state = CASE WHEN ? IS NULL THEN 'done' ELSE 'failed' END, ended_at = ?, result = ?,
       error = ? WHERE firing_key = ? AND state IN ('pending', 'claimed', 'reserved')`,
    error,
    tx.now,
    JSON.stringify(result),
    error,
    firingKey,
  );
  if (changes === 0) return;
  noteFiring(tx, firingKey, error === null ? 'action_done' : 'action_failed', error === null ? {} : { error });
}

/** The commands that a worker runs at its start and before it leaves. */
export function workerCommands(tx: Transaction, computeNodeKey: number): WorkerCommands[] {
  return tx.db
    .all<{ firing_key: number; state: string; run_id: number; action_key: number; definition: string }>(
      `SELECT f.firing_key, f.state, f.run_id, f.action_key, a.definition
       FROM action_firings f JOIN actions a ON a.action_key = f.action_key
       WHERE f.compute_node_key = ? AND f.state IN ('claimed', 'reserved') AND a.action_type = 'run_commands'
       ORDER BY f.firing_key`,
      computeNodeKey,
    )
    .map((row) => ({
      firing: row.firing_key,
      action_key: String(row.action_key),
      run_id: row.run_id,
      when: row.state === 'reserved' ? 'complete' : 'start',
      commands: (JSON.parse(row.definition) as ActionDefinition).commands,
    }));
}

/** What a worker reports of the commands that it ran; a repeated report changes nothing. */
export function recordWorkerCommands(tx: Transaction, computeNodeKey: number, reports: readonly ActionReport[]): void {
  for (const { firing, return_codes, output_path, error } of reports) {
    const row = tx.db.get(
      'SELECT state FROM action_firings WHERE firing_key = ? AND compute_node_key = ?',
      firing,
      computeNodeKey,
    );
    if (row === undefined) continue;
    if (row.state === 'reserved') {
      tx.db.run('UPDATE action_firings SET fired_at = ? WHERE firing_key = ?', tx.now, firing);
      noteFiring(tx, firing, 'action_fired', {});
    }
    recordFiringEnd(tx, firing, { return_codes, output_path }, error);
  }
  if (reports.length === 0 || tx.db.get(openCommands, computeNodeKey) !== undefined) return;
  removeDue(tx, { kind: 'worker_commands', subjectKey: computeNodeKey });
}

/** Gives up on the commands of a worker that ended long ago and has not reported their result. */
export function failWorkerCommands(tx: Transaction, computeNodeKey: number): void {
  const open = [...tx.db.rows<[number]>(openCommands, computeNodeKey)];
  for (const [firingKey] of open) {
    recordFiringEnd(tx, firingKey, {}, 'interrupted: the worker ended before it reported the result');
  }
}

/** Firings that a server still has to carry out or is carrying out, of one workflow or of all. */
export function countOpenFirings(tx: Transaction, workflowKey: number | null): number {
  const row = tx.db.get<{ n: number }>(
    `SELECT count(*) AS n FROM action_firings
     WHERE state IN ('pending', 'claimed') AND (state = 'pending' OR epoch IS NOT NULL) AND (? IS NULL OR workflow_key = ?)`,
    workflowKey,
    workflowKey,
  );
  return row?.n ?? 0;
}

/** How many firings failed in the current run of a workflow. */
export function countFailedFirings(tx: Transaction, workflowKey: number): number {
  const row = tx.db.get<{ n: number }>(
    `SELECT count(*) AS n FROM action_firings f JOIN workflows w ON w.workflow_key = f.workflow_key
     WHERE f.workflow_key = ? AND f.run_id = w.run_id AND f.state = 'failed'`,
    workflowKey,
  );
  return row?.n ?? 0;
}
