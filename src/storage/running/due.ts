/**
 * The instants at which the server acts by itself, as rows: the timekeeper reads them, and nothing else waits for an
 * instant. A row is removed in the transaction that does its work, so that the work is neither lost nor done twice.
 */
import type { Transaction } from '../database/transaction.ts';

/**
 * `hold`: a hold ends. `firing`: scheduling nodes for a firing is tried again. `worker_commands`: commands of a worker
 * that has ended are given up. `stopping`: a restart that stops jobs has not been heard from. `run_timeout`: a run has
 * lasted too long. `cancel_rest`: the rest of a run with too many failures is canceled. `max_wait`: the first of the
 * ready jobs of a workflow has waited too long. `schedule`, `interval`: a schedule has its next instant. `message`: a
 * message is sent again. `digest`: a message about failed jobs grows no more. `waiting`: whether ready jobs have no
 * worker is looked at, to tell it. `autoscale`: an autoscaler looks whether to ask for nodes. `recover`: a
 * workflow recovers by itself, or asks for the nodes of its recovery. A subject has at most one row of a kind.
 */
export const dueKinds = [
  'hold',
  'firing',
  'worker_commands',
  'stopping',
  'run_timeout',
  'cancel_rest',
  'max_wait',
  'schedule',
  'interval',
  'message',
  'digest',
  'waiting',
  'autoscale',
  'recover',
] as const;
export type DueKind = (typeof dueKinds)[number];

export interface Due {
  dueKey: number;
  /** Milliseconds UTC. */
  dueAt: number;
  kind: DueKind;
  /** 0 for a schedule. */
  workflowKey: number;
  /** The key of the hold, the firing, the compute node, the schedule, the message or the workflow. */
  subjectKey: number;
}

type Subject = Pick<Due, 'kind' | 'subjectKey'>;

/** Adds a row, or replaces that of the same kind and subject. */
export function setDue(tx: Transaction, due: Omit<Due, 'dueKey'>): void {
  tx.db.run(
    'INSERT OR REPLACE INTO due (due_at, set_at, kind, workflow_key, subject_key) VALUES (?, ?, ?, ?, ?)',
    due.dueAt,
    tx.now,
    due.kind,
    due.workflowKey,
    due.subjectKey,
  );
  tx.tell({ kind: 'due_set', dueAt: due.dueAt });
}

/** When the row of this kind and subject is due; null without one. */
export function dueAtOf(tx: Transaction, { kind, subjectKey }: Subject): number | null {
  const sql = 'SELECT due_at AS at FROM due WHERE kind = ? AND subject_key = ?';
  return tx.db.get<{ at: number }>(sql, kind, subjectKey)?.at ?? null;
}

/** Removes the row of this kind and subject. */
export function removeDue(tx: Transaction, { kind, subjectKey }: Subject): void {
  tx.db.run('DELETE FROM due WHERE kind = ? AND subject_key = ?', kind, subjectKey);
}

/** What is due at the instant of the transaction, oldest first. */
export function dueNow(tx: Transaction, limit: number): Due[] {
  return tx.db
    .all<{ due_key: number; due_at: number; kind: DueKind; workflow_key: number; subject_key: number }>(
      `SELECT due_key, due_at, kind, workflow_key, subject_key FROM due
       WHERE due_at <= ? ORDER BY due_at, due_key LIMIT ?`,
      tx.now,
      limit,
    )
    .map((row) => ({
      dueKey: row.due_key,
      dueAt: row.due_at,
      kind: row.kind,
      workflowKey: row.workflow_key,
      subjectKey: row.subject_key,
    }));
}

/** Removes a row, for the work that follows in the same transaction. */
export function takeDue(tx: Transaction, dueKey: number): void {
  tx.db.run('DELETE FROM due WHERE due_key = ?', dueKey);
}

/** Postpones a row whose work failed by this many milliseconds. */
export function postponeDue(tx: Transaction, dueKey: number, delayMs: number): void {
  const dueAt = tx.now + delayMs;
  tx.db.run('UPDATE due SET due_at = ?, set_at = ? WHERE due_key = ?', dueAt, tx.now, dueKey);
  tx.db.run(
    `UPDATE holds SET until = ? WHERE hold_key = (SELECT subject_key FROM due WHERE due_key = ? AND kind = 'hold')`,
    dueAt,
    dueKey,
  );
}

/** The next instant at which something is due; null when nothing is. */
export function nextDueAt(tx: Transaction): number | null {
  return tx.db.get<{ at: number | null }>('SELECT min(due_at) AS at FROM due')?.at ?? null;
}

/** The key of the newest row ever added. */
export function lastDueKey(tx: Transaction): number {
  return tx.db.get<{ seq: number }>(`SELECT seq FROM sqlite_sequence WHERE name = 'due'`)?.seq ?? 0;
}

/**
 * The wall clock jumped by `jumpMs`: rows that measure a duration move along, up to the one with the key `lastKey`;
 * later rows were set by the new time.
 */
export function moveDurations(tx: Transaction, kinds: readonly DueKind[], jumpMs: number, lastKey: number): void {
  tx.db.run(
    `UPDATE due SET due_at = due_at + ?, set_at = set_at + ?
     WHERE due_key <= ? AND kind IN (SELECT value FROM json_each(?))`,
    jumpMs,
    jumpMs,
    lastKey,
    JSON.stringify(kinds),
  );
  followDue(tx);
}

/**
 * Restarts durations that were set at an instant in the future: the wall clock was set back while nobody saw it. So
 * none lasts longer than it should from now on. Returns how many there were.
 */
export function restartDurations(tx: Transaction, kinds: readonly DueKind[]): number {
  const { changes } = tx.db.run(
    `UPDATE due SET due_at = due_at - set_at + ?, set_at = ?
     WHERE set_at > ? AND kind IN (SELECT value FROM json_each(?))`,
    tx.now,
    tx.now,
    tx.now,
    JSON.stringify(kinds),
  );
  if (changes > 0) followDue(tx);
  return changes;
}

/** Whether anything was set at an instant in the future. */
export function hasDurationsToCome(tx: Transaction): boolean {
  return tx.db.get('SELECT 1 FROM due WHERE set_at > ? LIMIT 1', tx.now) !== undefined;
}

/** Gives holds and schedules with an interval the same instant as their rows. */
function followDue(tx: Transaction): void {
  tx.db.run(
    `UPDATE holds SET until = d.due_at FROM due d
     WHERE d.kind = 'hold' AND d.subject_key = holds.hold_key AND holds.until <> d.due_at`,
  );
  tx.db.run(
    `UPDATE schedules SET next_at = d.due_at FROM due d
     WHERE d.kind = 'interval' AND d.subject_key = schedules.schedule_key AND schedules.next_at <> d.due_at`,
  );
}
