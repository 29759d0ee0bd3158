/** How fast the jobs of a run end, from its history: the ends of the last while, which the newest rows of moves hold. */
import type { Transaction } from '../database/transaction.ts';

/** So many ends are enough to judge by. */
const enoughEnds = 100;
const pageRows = 100;
/** The newest rows usually tell of enough ends. */
const firstRows = 4;
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
  for (let [seen, most] = [0, firstRows]; seen < mostRows; seen += most, most = pageRows) {
    const rows = page(tx, workflowKey, below, most);
    for (const { event_key, at, type, num_ends } of rows) {
      below = event_key;
      if (at < startedAt) return paceOf(numEnds, tx.now - startedAt);
      // what the oldest row tells happened before the time that counts
      if (numEnds >= enoughEnds && type === 'job_moves') return paceOf(numEnds, tx.now - at);
      numEnds += num_ends;
    }
    if (rows.length < most) break;
  }
  return paceOf(numEnds, tx.now - startedAt);
}

function paceOf(numEnds: number, elapsedMs: number): number | null {
  return numEnds === 0 ? null : numEnds / (Math.max(1, elapsedMs) / 1000);
}

/** An entry such as "17f" is an end; letters are looked for in the text, at a tenth of the cost of parsing it. */
const numEndsSql = `(2 * length(e.data) - length(replace(e.data, 'f"', '')) - length(replace(e.data, 'u"', ''))) / 2`;

function page(tx: Transaction, workflowKey: number, below: number, most: number): Row[] {
  return tx.db.all<Row>(
    `SELECT e.event_key, e.at, e.type, CASE e.type WHEN 'job_moves' THEN ${numEndsSql} ELSE 0 END AS num_ends
     FROM events e WHERE e.workflow_key = ? AND e.event_key < ? ORDER BY e.event_key DESC LIMIT ?`,
    workflowKey,
    below,
    most,
  );
}
