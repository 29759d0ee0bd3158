/** How fast the jobs of a run end, from its history: the ends of the last while, which the newest rows of moves hold. */
import type { Transaction } from '../database/transaction.ts';

/** So many ends are enough to judge by. */
const enoughEnds = 100;
const pageRows = 100;
/** Older rows are not looked at, however few of them tell of an end. */
const mostRows = 2_000;

interface Row {
  event_key: number;
  at: number;
  type: string;
  num_ends: number;
}

/**
 * Ends of attempts in a second: those since the start of the run, at most about the last hundred, by the time that has
 * passed since they began to come. Null before the first end.
 */
export function recentPace(tx: Transaction, workflowKey: number, startedAt: number): number | null {
  let numEnds = 0;
  let below = Number.MAX_SAFE_INTEGER;
  for (let seen = 0; seen < mostRows; seen += pageRows) {
    const rows = page(tx, workflowKey, below);
    for (const { event_key, at, type, num_ends } of rows) {
      below = event_key;
      if (at < startedAt) return paceOf(numEnds, tx.now - startedAt);
      // what the oldest row tells happened before the time that counts
      if (numEnds >= enoughEnds && type === 'job_moves') return paceOf(numEnds, tx.now - at);
      numEnds += num_ends;
    }
    if (rows.length < pageRows) break;
  }
  return paceOf(numEnds, tx.now - startedAt);
}

function paceOf(numEnds: number, elapsedMs: number): number | null {
  return numEnds === 0 ? null : numEnds / (Math.max(1, elapsedMs) / 1000);
}

function page(tx: Transaction, workflowKey: number, below: number): Row[] {
  return tx.db.all<Row>(
    `SELECT e.event_key, e.at, e.type, CASE e.type WHEN 'job_moves'
       THEN (SELECT count(*) FROM json_each(e.data) m WHERE substr(m.value, -1) IN ('f', 'u')) ELSE 0 END AS num_ends
     FROM events e WHERE e.workflow_key = ? AND e.event_key < ? ORDER BY e.event_key DESC LIMIT ?`,
    workflowKey,
    below,
    pageRows,
  );
}
