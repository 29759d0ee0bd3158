/**
 * Removes what earlier runs have left behind: events, and attempts that have a later result. Nothing of the last run of a
 * workflow is touched, nothing while a run goes on, and the newest result of each job stays, whatever run it is of.
 */
import { isoInstant } from '../../base/clock.ts';
import type { Transaction } from '../database/transaction.ts';
import { summedAttempts } from '../database/worker-times.ts';

export interface PrunedCounts {
  workflowKey: number;
  name: string;
  numEvents: number;
  numAttempts: number;
}

/** A workflow of which something may be removed: what ended before `cut`, in runs below `runId`. */
interface Scope {
  workflowKey: number;
  name: string;
  runId: number;
  cut: number;
}

const scopeSql = `SELECT w.workflow_key AS workflowKey, w.name, w.run_id AS runId, min(?, l.started_at) AS cut
  FROM workflows w JOIN runs l ON l.workflow_key = w.workflow_key AND l.run_id = w.run_id
  WHERE w.phase IN ('created', 'started') AND w.run_id > 1 AND l.started_at IS NOT NULL AND l.ended_at IS NOT NULL`;

/** Attempts `a` that a later result has replaced. Of those that are kept, lists and plans read the newest. */
const replaced = `a.workflow_key = :workflowKey AND a.run_id < :runId AND a.ended_at < :cut
  AND a.is_live = 0 AND a.is_occupying = 0
  AND EXISTS (SELECT 1 FROM attempts later WHERE later.workflow_key = a.workflow_key AND later.job_key = a.job_key
    AND later.attempt_key > a.attempt_key AND later.cause IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = a.job_key AND a.attempt_key IN (j.attempt_key, j.recovery_attempt_key))
  AND NOT EXISTS (SELECT 1 FROM orphans o WHERE o.attempt_key = a.attempt_key)`;

/** Events `e` without those that something else reads: where a workflow comes from, who marked a job, why one is canceled. */
const unneeded = `e.workflow_key = :workflowKey AND e.at < :cut
  AND e.type NOT IN ('workflow_created', 'workflow_deleted', 'workflow_pruned', 'job_marked_done')
  AND NOT (e.new_status IS 'canceled'
    AND EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = e.job_key AND j.status = 'canceled')
    AND NOT EXISTS (SELECT 1 FROM events later WHERE later.job_key = e.job_key AND later.event_key > e.event_key
      AND later.new_status = 'canceled'))`;

/** `step`: how many rows one transaction looks at; an event can be the moves of 200 attempts. */
const parts = {
  attempts: { table: 'attempts a', key: 'a.attempt_key', workflow: 'a.workflow_key', where: replaced, step: 2_000 },
  events: { table: 'events e', key: 'e.event_key', workflow: 'e.workflow_key', where: unneeded, step: 100 },
} as const;
type Part = keyof typeof parts;

/**
 * What would be removed, by workflow; only those of which something would be. `attempts`: these as well as events; every
 * event of such an attempt is one that is removed.
 */
export function planPrune(tx: Transaction, before: number, attempts: boolean): PrunedCounts[] {
  const count = (part: Part, scope: Scope): number => {
    const { table, where } = parts[part];
    return tx.db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${where}`, valuesOf(scope))?.n ?? 0;
  };
  return tx.db.all<Scope>(`${scopeSql} ORDER BY 1`, before).flatMap((scope) => {
    const numEvents = count('events', scope);
    const numAttempts = attempts ? count('attempts', scope) : 0;
    const { workflowKey, name } = scope;
    return numEvents + numAttempts === 0 ? [] : [{ workflowKey, name, numEvents, numAttempts }];
  });
}

function valuesOf({ workflowKey, runId, cut }: Scope): Record<string, number> {
  return { workflowKey, runId, cut };
}

/**
 * The steps of the removal; each returns whether it was the last one. A workflow that has begun another run by its turn is
 * left alone.
 */
export function pruneSteps(
  counts: readonly PrunedCounts[],
  before: number,
  attempts: boolean,
): (tx: Transaction) => boolean {
  const wanted: Part[] = attempts ? ['events', 'attempts'] : ['events'];
  const work = counts.flatMap((each) => wanted.map((part) => ({ ...each, part })));
  let after = 0;
  return (tx) => {
    const [now] = work;
    if (now === undefined) return true;
    const scope = tx.db.get<Scope>(`${scopeSql} AND w.workflow_key = ?`, before, now.workflowKey);
    if (scope !== undefined && now.part === 'events' && after === 0) recordPrune(tx, scope, now, before);
    const last = scope === undefined ? null : pruneChunk(tx, now.part, scope, after);
    after = last ?? 0;
    if (last === null) work.shift();
    return work.length === 0;
  };
}

/** Looks at the rows after a key; returns the last key that it looked at, null when there are no more. */
function pruneChunk(tx: Transaction, part: Part, scope: Scope, after: number): number | null {
  const { table, key, workflow, where, step } = parts[part];
  const chunk = `SELECT ${key} AS k FROM ${table} WHERE ${workflow} = ? AND ${key} > ? ORDER BY ${key} LIMIT ${step}`;
  const found = tx.db.get<{ last: number | null }>(`SELECT max(k) AS last FROM (${chunk})`, scope.workflowKey, after);
  const last = found?.last ?? null;
  if (last === null) return null;
  const values = { ...valuesOf(scope), after, last };
  const gone = `FROM ${table} WHERE ${key} > :after AND ${key} <= :last AND ${where}`;
  if (part === 'events') forgetMoves(tx, values);
  else forgetTimes(tx, gone, values);
  tx.db.run(`DELETE FROM ${part} WHERE ${key.slice(2)} IN (SELECT ${key} ${gone})`, values);
  return last;
}

/** The sums of the workers no longer count them. */
function forgetTimes(tx: Transaction, gone: string, values: Record<string, number>): void {
  tx.db.run(
    `UPDATE worker_times AS t SET num_attempts = t.num_attempts - s.num_attempts, had_ms = t.had_ms - s.had_ms,
       used_ms = t.used_ms - s.used_ms
     FROM (SELECT ${summedAttempts} ${gone} AND a.started_at IS NOT NULL GROUP BY a.compute_node_key) s
     WHERE t.compute_node_key = s.compute_node_key`,
    values,
  );
}

/** Attempts that stay no longer name the rows of their moves. */
function forgetMoves(tx: Transaction, values: Record<string, number>): void {
  const kept = (column: string): string =>
    `${column} = CASE WHEN ${column} IN (SELECT event_key FROM gone) THEN NULL ELSE ${column} END`;
  tx.db.run(
    `WITH gone AS MATERIALIZED (SELECT e.event_key, e.data FROM events e
       WHERE e.type = 'job_moves' AND e.event_key > :after AND e.event_key <= :last AND ${unneeded})
     UPDATE attempts SET ${kept('claim_event')}, ${kept('start_event')}, ${kept('end_event')}
     WHERE attempt_key IN (SELECT CAST(m.value AS INTEGER) FROM gone, json_each(gone.data) m)`,
    values,
  );
}

/** Who removed what is kept, and each run says that it has lost something. */
function recordPrune(tx: Transaction, { workflowKey, runId, cut }: Scope, counts: PrunedCounts, before: number): void {
  const { numEvents: num_events, numAttempts: num_attempts } = counts;
  tx.event({ workflowKey, type: 'workflow_pruned', data: { before: isoInstant(before), num_events, num_attempts } });
  const sql = `UPDATE runs SET pruned_at = ? WHERE workflow_key = ? AND run_id < ? AND started_at < ?`;
  tx.db.run(sql, tx.now, workflowKey, runId, cut);
}
