/** What the waiting jobs of a workflow ask for, for planning. */
import { waitingStatuses } from '../../model/decide/demand.ts';
import { packedMs } from '../../model/job.ts';
import type { GroupInput, JobsApart, PlannedShape } from '../../model/plan/groups.ts';
import type { Integers } from '../database/integers.ts';
import type { Transaction } from '../database/transaction.ts';
import type { UsualRuntime } from '../running/claims.ts';
import {
  hasGaps,
  jobIntegers,
  type KeyRange,
  keysFrom,
  keysOfBarriers,
  keysOfJobs,
  rangeOfJobs,
  readGraph,
} from '../running/job-graph.ts';
import { findShape } from '../running/shapes.ts';
import { jobCounts } from '../running/workflows.ts';

/** The jobs that wait, of those with these numbers; `keyOf` tells the key of a job by its number among all jobs. */
export interface PlannedJobs extends GroupInput<StoredShape> {
  keyOf: (number: number) => number;
  numWaiting: number;
}

type StoredShape = PlannedShape & { slurmConfigKey: number };

/**
 * Reads the jobs on edges once, and counts those of the others that are ready or held; reads every job where many are on
 * edges or have not been started. Only right after `flushCounts`.
 */
export function readPlannedJobs(tx: Transaction, workflowKey: number, usualRuntime: UsualRuntime): PlannedJobs {
  const range = rangeOfJobs(tx, workflowKey);
  const { ready, blocked, uninitialized } = jobCounts(tx, workflowKey);
  const numWaiting = ready + blocked + uninitialized;
  const shapes = new PlannedShapeList(tx, usualRuntime);
  const onEdges = uninitialized > 0 || hasGaps(range) ? null : extentsOfEdges(tx, range);
  if (onEdges !== null && sizeOf(onEdges) < range.count / 2) {
    const apart = jobsApart(tx, workflowKey, { onEdges, first: range.first, shapes });
    const jobs = readJobs(tx, workflowKey, onEdges.map(keysIn), shapes);
    const numFound = apart.reduce((sum, { numJobs }) => sum + numJobs, jobs.numFound);
    const numberOf = (job: number) => (jobs.keys[job] as number) - range.first;
    if (numFound === numWaiting) {
      return { ...jobs, apart, numWaiting, numberOf, keyOf: (number) => range.first + number };
    }
  }
  const keys = keysOfJobs(tx, workflowKey);
  return { ...readJobs(tx, workflowKey, [keys], shapes), numWaiting, keyOf: (number) => keys[number] as number };
}

type Extent = readonly [first: number, last: number];

const keysIn = ([first, last]: Extent): Float64Array => keysFrom(first, last);

function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Keys between which all jobs lie that wait for others or for which others wait. */
function extentsOfEdges(tx: Transaction, { first, last }: KeyRange): Extent[] {
  const extents = ['upstream', 'downstream'].flatMap((side): Extent[] => {
    const [from, to] = tx.db.row<[number | null, number | null]>(
      `SELECT (SELECT min(${side}) FROM edges WHERE ${side} BETWEEN @first AND @last),
         (SELECT max(${side}) FROM edges WHERE ${side} BETWEEN @first AND @last)`,
      { first, last },
    ) ?? [null, null];
    return from === null || to === null ? [] : [[from, to]];
  });
  const [low, high] = extents.toSorted((a, b) => a[0] - b[0]);
  if (low === undefined || high === undefined || low[1] < high[0]) return extents.toSorted((a, b) => a[0] - b[0]);
  return [[low[0], Math.max(low[1], high[1])]];
}

/** Jobs on no edge that are ready, from their index, or held. */
function jobsApart(
  tx: Transaction,
  workflowKey: number,
  { onEdges, first, shapes }: { onEdges: readonly Extent[]; first: number; shapes: PlannedShapeList },
): JobsApart[] {
  const isApart = onEdges.map(([from, to]) => `AND j.job_key NOT BETWEEN ${from} AND ${to}`).join(' ');
  const rows = ['ready', 'held'].flatMap((which) =>
    tx.db.allRows<[shapeKey: number, priority: number, numJobs: number, firstKey: number]>(
      `SELECT j.shape_key, j.priority, count(*), min(j.job_key) ${
        which === 'ready'
          ? "FROM jobs j WHERE j.status = 'ready'"
          : `FROM (SELECT DISTINCT job_key FROM holds WHERE workflow_key = @key) h
             CROSS JOIN jobs j ON j.job_key = h.job_key WHERE j.status = 'blocked'`
      } AND j.workflow_key = @key ${isApart} GROUP BY j.shape_key, j.priority`,
      { key: workflowKey },
    ),
  );
  return rows.map(([shapeKey, priority, numJobs, firstKey]) => {
    return { shape: shapes.numberOf(shapeKey, priority), numJobs, firstJob: firstKey - first };
  });
}

/** Reads each job of these ranges of keys once. */
function readJobs(tx: Transaction, workflowKey: number, ranges: readonly Float64Array[], shapes: PlannedShapeList) {
  const keys = joined(ranges);
  const shapeOf = new Int32Array(keys.length).fill(-1);
  let [before, numFound] = [0, 0];
  for (const range of ranges) {
    for (const { first, numJobs, values } of jobIntegers(tx, workflowKey, range, shapeIfWaiting)) {
      numFound += addShapes(shapeOf.subarray(before + first, before + first + numJobs), values, shapes);
    }
    before += range.length;
  }
  const graph = readGraph(tx, keys, keysOfBarriers(tx, workflowKey));
  return { numJobs: keys.length, graph, shapeOf, shapes: shapes.all, keys, numFound };
}

/** Notes the shapes of the jobs of a part that wait; returns how many these are. */
function addShapes(
  shapeOf: Int32Array,
  [shapeKeys, priorities]: readonly [Integers, Integers],
  shapes: PlannedShapeList,
): number {
  let numFound = 0;
  for (let job = 0; job < shapeOf.length; job++) {
    const shapeKey = shapeKeys.next();
    const priority = priorities.next();
    if (shapeKey === 0) continue;
    shapeOf[job] = shapes.numberOf(shapeKey, priority);
    numFound += 1;
  }
  return numFound;
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

/** Zero for a job that does not wait. */
const shapeIfWaiting = [
  `CASE WHEN j.status IN (${waitingStatuses.map((status) => `'${status}'`).join()}) THEN j.shape_key ELSE 0 END`,
  'j.priority',
] as const;

/** What jobs of a shape and priority are planned as, numbered as they are found. */
class PlannedShapeList {
  readonly all: StoredShape[] = [];
  readonly #tx: Transaction;
  readonly #usualRuntime: UsualRuntime;
  readonly #numbers = new Map<number, Map<number, number>>();

  constructor(tx: Transaction, usualRuntime: UsualRuntime) {
    this.#tx = tx;
    this.#usualRuntime = usualRuntime;
  }

  numberOf(shapeKey: number, priority: number): number {
    let numbers = this.#numbers.get(shapeKey);
    if (numbers === undefined) {
      numbers = new Map();
      this.#numbers.set(shapeKey, numbers);
    }
    let number = numbers.get(priority);
    if (number === undefined) {
      number = this.all.push(plannedShape(this.#tx, shapeKey, priority, this.#usualRuntime)) - 1;
      numbers.set(priority, number);
    }
    return number;
  }
}

function plannedShape(tx: Transaction, shapeKey: number, priority: number, usualRuntime: UsualRuntime) {
  const { need, sortRank, supportsTermination, labels, slurmConfigKey } = findShape(tx, shapeKey);
  const usualMs = usualRuntime(shapeKey);
  return {
    need,
    runtimeMs: usualMs ?? packedMs(need),
    isRuntimeKnown: usualMs !== null || need.isRuntimeStated || need.expectedMs !== undefined,
    priority,
    sortRank,
    supportsTermination,
    labels,
    slurmConfigKey,
  };
}

/** The names of jobs by their keys. */
export function namesOfJobs(tx: Transaction, keys: readonly number[]): string[] {
  return keys.map((key) => tx.db.get<{ name: string }>('SELECT name FROM jobs WHERE job_key = ?', key)?.name ?? '');
}
