/**
 * The waiting jobs of a large workflow by shape and priority, where few of its jobs are on edges: ready ones from their index,
 * where those on no edge are only counted, and blocked ones from where jobs wait for others.
 */
import { type JobsApart, mostPlannedGroups } from '../../model/plan/groups.ts';
import { integersIn } from '../database/integers.ts';
import type { Transaction } from '../database/transaction.ts';
import { type KeyRange, keysFrom, numbering } from '../running/job-graph.ts';

/** The number of a shape with a priority. */
type NumberOf = (shapeKey: number, priority: number) => number;
type Extent = readonly [first: number, last: number];

/** `range`: of jobs without gaps. Null where many are on edges, or of too many kinds to plan with. */
export function readByKind(
  tx: Transaction,
  workflowKey: number,
  range: KeyRange,
  numberOf: NumberOf,
): WaitingByKind | null {
  const downstream = extentOf(tx, 'downstream', range);
  const onEdges = withoutOverlap(extentOf(tx, 'upstream', range), downstream);
  const size = onEdges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const kinds = size < range.count / 2 ? readyKinds(tx, workflowKey) : null;
  if (kinds === null) return null;
  const jobs = new WaitingByKind(onEdges, downstream, range.first);
  for (const [shapeKey, priority] of kinds) {
    const shape = numberOf(shapeKey, priority);
    const kind = [workflowKey, shapeKey, priority];
    for (const extent of onEdges)
      jobs.addAll(shape, tx.db.column<string | null>(readyKeys, ...kind, ...extent)[0] ?? null);
    for (const extent of between(onEdges, range)) {
      const [numJobs, firstKey] = tx.db.row<[number, number]>(readyCount, ...kind, ...extent) ?? [0, 0];
      if (numJobs > 0) jobs.addApart(shape, numJobs, firstKey);
    }
  }
  for (const [shapeKey, priority, keys] of tx.db.allRows<[number, number, string]>(
    heldKeys,
    workflowKey,
    ...downstream,
  ))
    jobs.addAll(numberOf(shapeKey, priority), keys);
  addBlocked(tx, workflowKey, downstream, (key, shapeKey, priority) => jobs.add(numberOf(shapeKey, priority), key));
  return jobs;
}

const ofKind = `FROM jobs WHERE workflow_key = ? AND status = 'ready' AND shape_key = ? AND priority = ?
  AND job_key BETWEEN ? AND ?`;
const readyKeys = `SELECT group_concat(job_key) ${ofKind}`;
const readyCount = `SELECT count(*), min(job_key) ${ofKind}`;

/** Blocked jobs that wait for no other. */
const heldKeys = `SELECT j.shape_key, j.priority, group_concat(j.job_key)
  FROM (SELECT DISTINCT job_key FROM holds WHERE workflow_key = ?) h CROSS JOIN jobs j ON j.job_key = h.job_key
  WHERE j.status = 'blocked' AND j.job_key NOT BETWEEN ? AND ? GROUP BY j.shape_key, j.priority`;

/** Shapes with their priorities, a step in the index for each; null for too many. */
function readyKinds(tx: Transaction, workflowKey: number): [shapeKey: number, priority: number][] | null {
  const sql = (after: string) => `SELECT shape_key, priority FROM jobs WHERE workflow_key = ? AND status = 'ready'
    AND ${after} ORDER BY shape_key, priority DESC LIMIT 1`;
  const kinds: [number, number][] = [];
  let next = tx.db.row<[number, number]>(sql('shape_key > ?'), workflowKey, 0);
  while (next !== undefined && kinds.length <= mostPlannedGroups) {
    kinds.push(next);
    next =
      tx.db.row(sql('shape_key = ? AND priority < ?'), workflowKey, ...next) ??
      tx.db.row(sql('shape_key > ?'), workflowKey, next[0]);
  }
  return kinds.length > mostPlannedGroups ? null : kinds;
}

/** Jobs that are looked at for a text: their values in it are far faster to read than a row for each. */
const jobsPerText = 10_000;

/** The plus keeps SQLite from looking up each job in the index of the workflow. */
const blockedJobs = `SELECT group_concat(job_key), group_concat(shape_key), group_concat(priority) FROM jobs
  WHERE +workflow_key = ? AND job_key BETWEEN ? AND ? AND status = 'blocked'`;

function addBlocked(
  tx: Transaction,
  workflowKey: number,
  [first, last]: Extent,
  add: (key: number, shapeKey: number, priority: number) => void,
): void {
  for (let from = first; from <= last; from += jobsPerText) {
    const to = Math.min(last, from + jobsPerText - 1);
    const texts = tx.db.row<(string | null)[]>(blockedJobs, workflowKey, from, to);
    const [keys = [], shapeKeys = [], priorities = []] = (texts ?? []).map(integersIn);
    for (let place = 0; place < keys.length; place++) {
      add(keys[place] as number, shapeKeys[place] as number, priorities[place] as number);
    }
  }
}

/** Keys between which all jobs lie that are on this side of an edge; the last is before the first where there are none. */
function extentOf(tx: Transaction, side: 'upstream' | 'downstream', { first, last }: KeyRange): Extent {
  const [from, to] = tx.db.row<[number | null, number | null]>(
    `SELECT (SELECT min(${side}) FROM edges WHERE ${side} BETWEEN @first AND @last),
       (SELECT max(${side}) FROM edges WHERE ${side} BETWEEN @first AND @last)`,
    { first, last },
  ) ?? [null, null];
  return [from ?? 0, to ?? -1];
}

/** Those that are not empty, in order; as one where they overlap. */
function withoutOverlap(...extents: Extent[]): Extent[] {
  const [low, high] = extents.filter(([first, last]) => first <= last).sort((a, b) => a[0] - b[0]);
  if (low === undefined || high === undefined) return low === undefined ? [] : [low];
  return low[1] < high[0] ? [low, high] : [[low[0], Math.max(low[1], high[1])]];
}

/** The rest of the range. */
function between(extents: readonly Extent[], { first, last }: KeyRange): Extent[] {
  const ends = [...extents.map(([from]) => from - 1), last];
  return [first, ...extents.map(([, to]) => to + 1)].map((from, index) => [from, ends[index] as number]);
}

export class WaitingByKind {
  /** Of the jobs between the first and the last on edges. */
  readonly keys: Float64Array;
  /** By job of these; -1 for one that does not wait. */
  readonly shapeOf: Int32Array;
  /** The others that wait. */
  readonly apart: JobsApart[] = [];
  numFound = 0;
  readonly #downstream: Extent;
  readonly #firstKey: number;
  readonly #placeOf: (key: number) => number | undefined;

  constructor(onEdges: readonly Extent[], downstream: Extent, firstKey: number) {
    this.keys = joined(onEdges.map((extent) => keysFrom(...extent)));
    this.shapeOf = new Int32Array(this.keys.length).fill(-1);
    this.#downstream = downstream;
    this.#firstKey = firstKey;
    this.#placeOf = numbering(this.keys);
  }

  add(shape: number, key: number): void {
    const place = this.#placeOf(key);
    if (place === undefined) this.addApart(shape, 1, key);
    else {
      this.shapeOf[place] = shape;
      this.numFound += 1;
    }
  }

  addAll(shape: number, keys: string | null): void {
    for (const key of integersIn(keys)) this.add(shape, key);
  }

  /** Whether an edge from a node says anything: a job that neither waits nor has waited for another leaves nothing to wait for. */
  counts(node: number): boolean {
    const key = this.keys[node];
    if (key === undefined || this.shapeOf[node] !== -1) return true;
    return key >= this.#downstream[0] && key <= this.#downstream[1];
  }

  addApart(shape: number, numJobs: number, firstKey: number): void {
    const before = this.apart.at(-1);
    const firstJob = firstKey - this.#firstKey;
    if (before?.shape === shape) {
      before.numJobs += numJobs;
      before.firstJob = Math.min(before.firstJob, firstJob);
    } else this.apart.push({ shape, numJobs, firstJob });
    this.numFound += numJobs;
  }
}

function joined(ranges: readonly Float64Array[]): Float64Array {
  const keys = new Float64Array(ranges.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const range of ranges) {
    keys.set(range, at);
    at += range.length;
  }
  return keys;
}
