/** The instants of schedules as rows: how each went, until its workflow has started. */
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { mostQueued, type OverlapRule, type TickOrigin, type TickState } from '../../model/decide/schedule.ts';
import type { Transaction } from '../database/transaction.ts';
import { dropItems, forgetOldItems } from './items.ts';

/** What is known of a tick; `at` in milliseconds UTC. */
export interface Tick {
  tickKey: number;
  scheduleKey: number;
  at: number;
  state: TickState;
  run: number | null;
  workflowKey: number | null;
}

/** So many rows of a schedule are kept, besides those of workflows that go on. */
const mostKept = 1000;

/** The workflow of a tick that has not ended; to be canceled counts as ended unless the next one replaces it. */
const liveSql = `t.state IN ('pending', 'created') OR (t.state = 'started' AND EXISTS (
  SELECT 1 FROM workflows w WHERE w.workflow_key = t.workflow_key AND w.phase = 'started' AND w.ended_at IS NULL
    AND (w.is_canceled = 0 OR s.overlap = 'replace')))`;

export interface LiveTick {
  state: TickState;
  workflowKey: number | null;
  isCanceled: boolean;
}

/** The oldest workflow of a schedule that has not ended, or the tick whose workflow is being made. */
export function liveTick(tx: Transaction, scheduleKey: number): LiveTick | null {
  const row = tx.db.get<{ state: TickState; workflow_key: number | null; is_canceled: number }>(
    `SELECT t.state, t.workflow_key,
       coalesce((SELECT is_canceled FROM workflows w WHERE w.workflow_key = t.workflow_key), 0) AS is_canceled
     FROM ticks t JOIN schedules s ON s.schedule_key = t.schedule_key
     WHERE t.schedule_key = ? AND (${liveSql}) ORDER BY t.tick_key LIMIT 1`,
    scheduleKey,
  );
  if (row === undefined) return null;
  return { state: row.state, workflowKey: row.workflow_key, isCanceled: row.is_canceled === 1 };
}

function liveWords({ workflowKey }: LiveTick): string {
  return workflowKey === null
    ? 'the previous workflow was still being created'
    : `workflow ${workflowKey} had not ended`;
}

interface Admission {
  scheduleKey: number;
  overlap: OverlapRule;
  at: number;
  origin: TickOrigin;
}

/** Notes an instant as the overlap rule says; returns what becomes of it. */
export function admitTick(tx: Transaction, { scheduleKey, overlap, at, origin }: Admission): TickState {
  const tick = { scheduleKey, at, origin };
  if (overlap === 'allow') return addTick(tx, { ...tick, state: 'pending' });
  if (overlap === 'skip') {
    const live = liveTick(tx, scheduleKey);
    if (live === null) return addTick(tx, { ...tick, state: 'pending' });
    return addTick(tx, { ...tick, state: 'skipped', reason: liveWords(live) });
  }
  if (overlap === 'replace') {
    tx.db.run(
      `UPDATE ticks SET state = 'skipped', reason = ? WHERE schedule_key = ? AND state = 'queued'`,
      `the instant ${isoInstant(at)} came before it could start`,
      scheduleKey,
    );
  } else if (origin !== 'items' && countQueued(tx, scheduleKey) >= mostQueued) {
    return addTick(tx, { ...tick, state: 'skipped', reason: `${mostQueued} instants were already waiting` });
  }
  addTick(tx, { ...tick, state: 'queued' });
  return promoteTick(tx, scheduleKey) ? 'pending' : 'queued';
}

interface NewTick {
  scheduleKey: number;
  at: number;
  origin: TickOrigin;
  state: TickState;
  reason?: string;
}

function addTick(tx: Transaction, { scheduleKey, at, origin, state, reason = '' }: NewTick): TickState {
  tx.db.run(
    `INSERT INTO ticks (schedule_key, scheduled_at, last_at, num_instants, origin, state, reason, noted_at)
     VALUES (?, ?, ?, 1, ?, ?, nullif(?, ''), ?)`,
    scheduleKey,
    at,
    at,
    origin,
    state,
    reason,
    tx.now,
  );
  if (state === 'pending') numberRuns(tx, scheduleKey);
  return state;
}

/** Notes instants that are left out, as one row. */
export function addMissed(
  tx: Transaction,
  scheduleKey: number,
  { first, last, count }: { first: number; last: number; count: number | null },
): void {
  tx.db.run(
    `INSERT INTO ticks (schedule_key, scheduled_at, last_at, num_instants, origin, state, reason, noted_at)
     VALUES (?, ?, ?, ?, 'late', 'missed', 'no server was running at that time', ?)`,
    scheduleKey,
    first,
    last,
    count,
    tx.now,
  );
}

/** Gives ticks whose workflow will be made their numbers. */
function numberRuns(tx: Transaction, scheduleKey: number): void {
  tx.db.run('UPDATE schedules SET num_runs = num_runs + 1 WHERE schedule_key = ?', scheduleKey);
  tx.db.run(
    `UPDATE ticks SET run = (SELECT num_runs FROM schedules s WHERE s.schedule_key = ticks.schedule_key)
     WHERE schedule_key = ? AND state = 'pending' AND run IS NULL`,
    scheduleKey,
  );
}

/** The first queued tick of a schedule is next when nothing of it goes on. */
export function promoteTick(tx: Transaction, scheduleKey: number): boolean {
  if (liveTick(tx, scheduleKey) !== null) return false;
  const { changes } = tx.db.run(
    `UPDATE ticks SET state = 'pending' WHERE tick_key =
       (SELECT min(tick_key) FROM ticks WHERE schedule_key = ? AND state = 'queued')`,
    scheduleKey,
  );
  if (changes > 0) numberRuns(tx, scheduleKey);
  return changes > 0;
}

export function countQueued(tx: Transaction, scheduleKey: number): number {
  const sql = `SELECT count(*) AS n FROM ticks WHERE schedule_key = ? AND state = 'queued'`;
  return tx.db.get<{ n: number }>(sql, scheduleKey)?.n ?? 0;
}

/** Ticks whose workflow is to be made or started, in order; of one schedule or of all. */
export function ticksToCarryOut(tx: Transaction): Tick[] {
  const sql = `SELECT tick_key, schedule_key, scheduled_at, state, run, workflow_key FROM ticks
    WHERE state IN ('pending', 'created') ORDER BY tick_key`;
  return tx.db
    .all<{
      tick_key: number;
      schedule_key: number;
      scheduled_at: number;
      state: TickState;
      run: number | null;
      workflow_key: number | null;
    }>(sql)
    .map((row) => ({
      tickKey: row.tick_key,
      scheduleKey: row.schedule_key,
      at: row.scheduled_at,
      state: row.state,
      run: row.run,
      workflowKey: row.workflow_key,
    }));
}

/** Whether anything waits for a server: ticks, or workflows to be replaced. */
export function hasOpenTicks(tx: Transaction): boolean {
  const sql = `SELECT 1 FROM ticks WHERE state IN ('queued', 'pending', 'created') LIMIT 1`;
  return tx.db.get(sql) !== undefined;
}

/** The workflow of a tick is stored. Throws TorcError 'conflict' when its schedule was deleted meanwhile. */
export function noteCreated(tx: Transaction, tickKey: number, workflowKey: number): void {
  const { changes } = tx.db.run(
    `UPDATE ticks SET state = 'created', workflow_key = ? WHERE tick_key = ? AND state = 'pending'`,
    workflowKey,
    tickKey,
  );
  if (changes === 0) throw new TorcError('conflict', 'the schedule was deleted while its workflow was created');
}

export function noteStarted(tx: Transaction, { tickKey, scheduleKey }: Tick): void {
  tx.db.run(`UPDATE ticks SET state = 'started' WHERE tick_key = ? AND state = 'created'`, tickKey);
  dropItems(tx, tickKey);
  trimTicks(tx, scheduleKey);
}

/** No workflow of this tick runs; the schedule goes on. */
export function noteFailed(tx: Transaction, { tickKey, scheduleKey }: Tick, reason: string): void {
  const sql = `UPDATE ticks SET state = 'failed', reason = ? WHERE tick_key = ? AND state IN ('pending', 'created')`;
  tx.db.run(sql, reason, tickKey);
  tx.tell({ kind: 'schedule_due', scheduleKey });
}

/** Removes the oldest rows that say nothing about the present. */
export function trimTicks(tx: Transaction, scheduleKey: number): void {
  const { changes } = tx.db.run(
    `DELETE FROM ticks WHERE tick_key IN (
       SELECT t.tick_key FROM ticks t JOIN schedules s ON s.schedule_key = t.schedule_key
       WHERE t.schedule_key = ? AND t.tick_key < (SELECT tick_key FROM ticks WHERE schedule_key = ?
           ORDER BY tick_key DESC LIMIT 1 OFFSET ?) AND t.state <> 'queued' AND NOT (${liveSql}))`,
    scheduleKey,
    scheduleKey,
    mostKept,
  );
  if (changes > 0) forgetOldItems(tx, scheduleKey);
}

/** A workflow is deleted: its tick says so, and what waits for its end goes on. */
export function forgetWorkflowOfTick(tx: Transaction, workflowKey: number): void {
  const sql = 'SELECT schedule_key FROM ticks WHERE workflow_key = ?';
  const tick = tx.db.get<{ schedule_key: number }>(sql, workflowKey);
  if (tick === undefined) return;
  tx.db.run('UPDATE ticks SET workflow_key = NULL WHERE workflow_key = ?', workflowKey);
  tx.tell({ kind: 'schedule_due', scheduleKey: tick.schedule_key });
}
