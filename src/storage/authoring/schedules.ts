/** Schedules as rows: made, paused, deleted, and with the alarm for their next instant. */
import { TorcError } from '../../base/errors.ts';
import type { CatchUpRule, OverlapRule, TickOrigin, TickState } from '../../model/decide/schedule.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { SpecSyntax } from '../../model/spec/source.ts';
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from '../running/due.ts';

/** What each workflow of a schedule is made of. */
export interface StoredSpecification {
  text: string;
  file: string;
  syntax: SpecSyntax | null;
  working_directory: string;
  output_directory: string;
  home: string;
  variables: Record<string, string>;
}

/** Instants in milliseconds UTC. */
export interface Schedule {
  scheduleKey: number;
  name: string;
  user: string;
  cron: string | null;
  everyMs: number | null;
  /** Of a generator: this many items make a workflow, or those that have waited this long. */
  mostItems: number | null;
  longestWaitMs: number | null;
  timeZone: string;
  overlap: OverlapRule;
  catchUp: CatchUpRule;
  mostCaughtUp: number;
  specification: StoredSpecification;
  isPaused: boolean;
  nextAt: number | null;
  numRuns: number;
  createdAt: number;
}

export type NewSchedule = Omit<Schedule, 'scheduleKey' | 'numRuns' | 'createdAt'>;

interface ScheduleRow {
  schedule_key: number;
  name: string;
  user: string;
  cron: string | null;
  every_ms: number | null;
  most_items: number | null;
  longest_wait_ms: number | null;
  time_zone: string;
  overlap: OverlapRule;
  catch_up: CatchUpRule;
  most_caught_up: number;
  specification: string;
  is_paused: number;
  next_at: number | null;
  num_runs: number;
  created_at: number;
}

function scheduleOf(row: ScheduleRow): Schedule {
  return {
    scheduleKey: row.schedule_key,
    name: row.name,
    user: row.user,
    cron: row.cron,
    everyMs: row.every_ms,
    mostItems: row.most_items,
    longestWaitMs: row.longest_wait_ms,
    timeZone: row.time_zone,
    overlap: row.overlap,
    catchUp: row.catch_up,
    mostCaughtUp: row.most_caught_up,
    specification: JSON.parse(row.specification) as StoredSpecification,
    isPaused: row.is_paused === 1,
    nextAt: row.next_at,
    numRuns: row.num_runs,
    createdAt: row.created_at,
  };
}

/** Throws TorcError 'conflict' when there is one of that name. */
export function addSchedule(tx: Transaction, schedule: NewSchedule): Schedule {
  if (findSchedule(tx, schedule.name) !== null) {
    throw new TorcError(
      'conflict',
      `there is already a schedule ${quoted(schedule.name)}`,
      `See torc schedules show ${schedule.name}; torc schedules delete ${schedule.name} makes room for another one.`,
    );
  }
  tx.db.run(
    `INSERT INTO schedules (name, user, cron, every_ms, most_items, longest_wait_ms, time_zone, overlap, catch_up, most_caught_up, specification,
       is_paused, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    schedule.name,
    schedule.user,
    schedule.cron,
    schedule.everyMs,
    schedule.mostItems,
    schedule.longestWaitMs,
    schedule.timeZone,
    schedule.overlap,
    schedule.catchUp,
    schedule.mostCaughtUp,
    JSON.stringify(schedule.specification),
    schedule.isPaused ? 1 : 0,
    tx.now,
  );
  const added = getSchedule(tx, schedule.name);
  setNextInstant(tx, added, schedule.nextAt);
  return getSchedule(tx, schedule.name);
}

export function findSchedule(tx: Transaction, name: string): Schedule | null {
  const row = tx.db.get<ScheduleRow>('SELECT * FROM schedules WHERE name = ?', name);
  return row === undefined ? null : scheduleOf(row);
}

/** Throws TorcError 'not_found'. */
export function getSchedule(tx: Transaction, name: string): Schedule {
  const found = findSchedule(tx, name);
  if (found !== null) return found;
  const known = tx.db.all<{ name: string }>('SELECT name FROM schedules').map((row) => row.name);
  throw new TorcError(
    'not_found',
    `there is no schedule ${quoted(name)}${didYouMean(name, known)}`,
    'torc schedules list',
  );
}

export function scheduleByKey(tx: Transaction, scheduleKey: number): Schedule | null {
  const row = tx.db.get<ScheduleRow>('SELECT * FROM schedules WHERE schedule_key = ?', scheduleKey);
  return row === undefined ? null : scheduleOf(row);
}

/** By name. */
export function allSchedules(tx: Transaction): Schedule[] {
  return tx.db.all<ScheduleRow>('SELECT * FROM schedules ORDER BY name').map(scheduleOf);
}

/** Schedules whose next instant has come. */
export function dueSchedules(tx: Transaction): Schedule[] {
  const sql = 'SELECT * FROM schedules WHERE next_at <= ? ORDER BY next_at, schedule_key';
  return tx.db.all<ScheduleRow>(sql, tx.now).map(scheduleOf);
}

/** Schedules with something that waits for the end of a workflow. */
export function queuedSchedules(tx: Transaction): Schedule[] {
  const sql = `SELECT * FROM schedules WHERE schedule_key IN (SELECT schedule_key FROM ticks WHERE state = 'queued')
    ORDER BY schedule_key`;
  return tx.db.all<ScheduleRow>(sql).map(scheduleOf);
}

/** The next instant, and the alarm for it; null for none. */
export function setNextInstant(
  tx: Transaction,
  schedule: Pick<Schedule, 'scheduleKey' | 'cron'>,
  at: number | null,
): void {
  const { scheduleKey } = schedule;
  tx.db.run('UPDATE schedules SET next_at = ? WHERE schedule_key = ?', at, scheduleKey);
  setAlarm(tx, schedule, at);
}

function setAlarm(
  tx: Transaction,
  { scheduleKey, cron }: Pick<Schedule, 'scheduleKey' | 'cron'>,
  at: number | null,
): void {
  const due = { kind: cron === null ? 'interval' : 'schedule', subjectKey: scheduleKey } as const;
  if (at === null) removeDue(tx, due);
  else setDue(tx, { ...due, dueAt: at, workflowKey: 0 });
}

/** The alarm rings in whatever process has the database; one that makes no workflows leaves the instant to the next. */
export function restoreAlarms(tx: Transaction): void {
  const silent = tx.db.all<{ schedule_key: number; cron: string | null; next_at: number }>(
    `SELECT schedule_key, cron, next_at FROM schedules WHERE next_at IS NOT NULL AND NOT EXISTS (
       SELECT 1 FROM due WHERE kind IN ('schedule', 'interval') AND subject_key = schedule_key)`,
  );
  for (const row of silent) setAlarm(tx, { scheduleKey: row.schedule_key, cron: row.cron }, row.next_at);
}

/** Whether an instant has come, or has no alarm. */
export function hasDueSchedule(tx: Transaction): boolean {
  const sql = `SELECT 1 FROM schedules WHERE next_at <= ? OR (next_at IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM due WHERE kind IN ('schedule', 'interval') AND subject_key = schedule_key)) LIMIT 1`;
  return tx.db.get(sql, tx.now) !== undefined;
}

/** How many schedules have an instant to come. */
export function countActiveSchedules(tx: Transaction): number {
  const sql = 'SELECT count(*) AS n FROM schedules WHERE next_at IS NOT NULL';
  return tx.db.get<{ n: number }>(sql)?.n ?? 0;
}

export function setSchedulePaused(tx: Transaction, schedule: Schedule, isPaused: boolean, nextAt: number | null): void {
  tx.db.run('UPDATE schedules SET is_paused = ? WHERE schedule_key = ?', isPaused ? 1 : 0, schedule.scheduleKey);
  setNextInstant(tx, schedule, nextAt);
}

/** Stores what may change of a schedule, with its next instant. */
export function changeSchedule(tx: Transaction, before: Schedule, after: Schedule): void {
  // a cron expression and an interval have alarms of different kinds
  setNextInstant(tx, before, null);
  tx.db.run(
    `UPDATE schedules SET cron = ?, every_ms = ?, time_zone = ?, overlap = ?, catch_up = ?, most_caught_up = ?,
       specification = ? WHERE schedule_key = ?`,
    after.cron,
    after.everyMs,
    after.timeZone,
    after.overlap,
    after.catchUp,
    after.mostCaughtUp,
    JSON.stringify(after.specification),
    after.scheduleKey,
  );
  setNextInstant(tx, after, after.nextAt);
}

/** Deletes a schedule; returns its workflows that have not ended, which go on. */
export function deleteSchedule(tx: Transaction, schedule: Schedule): number[] {
  const { scheduleKey } = schedule;
  const goingOn = tx.db.all<{ workflow_key: number }>(
    `SELECT w.workflow_key FROM ticks t JOIN workflows w ON w.workflow_key = t.workflow_key
     WHERE t.schedule_key = ? AND t.state = 'started' AND w.phase = 'started' AND w.ended_at IS NULL
     ORDER BY w.workflow_key`,
    scheduleKey,
  );
  setNextInstant(tx, schedule, null);
  tx.db.run('DELETE FROM items WHERE schedule_key = ?', scheduleKey);
  tx.db.run('DELETE FROM ticks WHERE schedule_key = ?', scheduleKey);
  tx.db.run('DELETE FROM schedules WHERE schedule_key = ?', scheduleKey);
  return goingOn.map((row) => row.workflow_key);
}

export interface TickRow {
  scheduled_at: number;
  last_at: number;
  num_instants: number | null;
  origin: TickOrigin;
  state: TickState;
  run: number | null;
  workflow_key: number | null;
  reason: string | null;
}

/** The latest first. */
export function latestTicks(tx: Transaction, scheduleKey: number, limit: number): TickRow[] {
  return tx.db.all<TickRow>(
    `SELECT scheduled_at, last_at, num_instants, origin, state, run, workflow_key, reason FROM ticks
     WHERE schedule_key = ? ORDER BY tick_key DESC LIMIT ?`,
    scheduleKey,
    limit,
  );
}
