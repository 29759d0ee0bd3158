/** Places in the history of all workflows, in the order of commits: what is new since one. */
import type { Database } from '../database/database.ts';

/** Before the first event. */
const start = '0';

/** The place after everything that is stored: a list of events after it is empty. */
export function newestPlace(db: Database): string {
  const sql = `SELECT event_key, CASE type WHEN 'job_moves' THEN json_array_length(data) ELSE 0 END AS num_moves
    FROM events ORDER BY event_key DESC LIMIT 1`;
  const row = db.get<{ event_key: number; num_moves: number }>(sql);
  if (row === undefined) return start;
  return row.num_moves === 0 ? String(row.event_key) : `${row.event_key}.${row.num_moves}`;
}

/** Whether a place lies beyond another one. */
export function isBeyond(place: string, other: string): boolean {
  const [[key, move], [otherKey, otherMove]] = [parts(place), parts(other)];
  return key > otherKey || (key === otherKey && move > otherMove);
}

function parts(place: string): [key: number, move: number] {
  const [key = 0, move = 0] = place.split('.').map(Number);
  return [key, move];
}

/** All that have events, deleted ones among them, without a look at each event. */
const withEvents = `WITH RECURSIVE w (workflow_key) AS (SELECT min(workflow_key) FROM events UNION ALL
  SELECT (SELECT min(e.workflow_key) FROM events e WHERE e.workflow_key > w.workflow_key) FROM w
  WHERE w.workflow_key IS NOT NULL)`;

/** The workflows with events after a place; of those given, or of all. */
export function workflowsWithEventsAfter(
  db: Database,
  place: string,
  workflowKeys: readonly number[] | null,
): number[] {
  const [key, move] = parts(place);
  // a row of moves that was read in part
  const rest = db.get<{ workflow_key: number }>(
    `SELECT workflow_key FROM events WHERE event_key = ? AND type = 'job_moves' AND json_array_length(data) > ?`,
    key,
    move,
  );
  const given = workflowKeys === null ? [] : [JSON.stringify(workflowKeys)];
  const named = workflowKeys === null ? withEvents : 'WITH w (workflow_key) AS (SELECT value FROM json_each(?))';
  const sql = `${named} SELECT workflow_key FROM w WHERE workflow_key = ?
    OR EXISTS (SELECT 1 FROM events e WHERE e.workflow_key = w.workflow_key AND e.event_key > ?)`;
  return db.allRows<[number]>(sql, ...given, rest?.workflow_key ?? null, key).flat();
}
