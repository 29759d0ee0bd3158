/**
 * When the attempts of a part of a workflow ran, so that parts outside of the time that somebody looks at are not read
 * again. Only of parts in which nothing changes any more: their attempts have ended for good, and new ones get larger keys.
 */
import type { Database } from '../database/database.ts';
import { endOfWorker } from './node-hours.ts';

/** The attempts with keys up to `last` ran within this time; in milliseconds. */
interface PartTimes {
  last: number;
  from: number;
  to: number;
}

/** Of so many workflows the times are kept: some 100 numbers for a million attempts. */
const mostWorkflows = 100;

/** By workflow, then by the key after which a part begins. */
const known = new WeakMap<Database, Map<number, Map<number, PartTimes>>>();

/** Null while it is not known. */
export function knownTimes(db: Database, workflowKey: number, after: number): PartTimes | null {
  return known.get(db)?.get(workflowKey)?.get(after) ?? null;
}

/** Learns when the attempts with keys from `first` to `last` ran, if nothing of that changes any more. */
export function learnTimes(
  db: Database,
  workflowKey: number,
  { after, first, last }: { after: number; first: number; last: number },
): void {
  const [newest = 0] = db.row<[number]>(`SELECT seq FROM sqlite_sequence WHERE name = 'attempts'`) ?? [];
  if (newest < last) return;
  const [numChanging, from, to] = db.row<[number, number | null, number | null]>(
    `SELECT total(is_live OR is_occupying OR coalesce(ended_at, ${endOfWorker}) IS NULL), min(started_at),
       max(coalesce(ended_at, ${endOfWorker}))
     FROM attempts a WHERE workflow_key = ? AND attempt_key BETWEEN ? AND ?`,
    workflowKey,
    first,
    last,
  ) ?? [1, null, null];
  if (numChanging > 0) return;
  const none = { from: Number.POSITIVE_INFINITY, to: Number.NEGATIVE_INFINITY };
  partsOf(db, workflowKey).set(after, from === null || to === null ? { last, ...none } : { last, from, to });
}

function partsOf(db: Database, workflowKey: number): Map<number, PartTimes> {
  const workflows = known.get(db) ?? new Map<number, Map<number, PartTimes>>();
  known.set(db, workflows);
  const parts = workflows.get(workflowKey) ?? new Map<number, PartTimes>();
  const [oldest] = workflows.keys();
  if (oldest !== undefined && workflows.size >= mostWorkflows && !workflows.has(workflowKey)) workflows.delete(oldest);
  workflows.set(workflowKey, parts);
  return parts;
}
