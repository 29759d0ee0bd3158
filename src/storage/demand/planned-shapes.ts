/** What the waiting jobs of a workflow ask for, for planning. */
import { waitingStatuses } from '../../model/decide/demand.ts';
import { packedMs } from '../../model/job.ts';
import type { GroupInput, PlannedShape } from '../../model/plan/groups.ts';
import type { Transaction } from '../database/transaction.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { hasGaps, jobIntegers, keysOfBarriers, keysOfJobs, rangeOfJobs, readGraph } from '../running/job-graph.ts';
import { findShape } from '../running/shapes.ts';
import { jobCounts } from '../running/workflows.ts';
import { readByKind } from './waiting-by-kind.ts';

/** The jobs that wait, of those with these numbers; `keyOf` tells the key of a job by its number among all jobs. */
export interface PlannedJobs extends GroupInput<StoredShape> {
  keyOf: (number: number) => number;
  numWaiting: number;
}

type StoredShape = PlannedShape & { slurmConfigKey: number };

/**
 * Where few jobs are on edges, reads the keys of those of them that wait, and counts the others; else reads every job. Only
 * right after `flushCounts`.
 */
export function readPlannedJobs(tx: Transaction, workflowKey: number, usualRuntime: UsualRuntime): PlannedJobs {
  const range = rangeOfJobs(tx, workflowKey);
  const { ready, blocked, uninitialized } = jobCounts(tx, workflowKey);
  const numWaiting = ready + blocked + uninitialized;
  const shapes = new PlannedShapeList(tx, usualRuntime);
  if (uninitialized === 0 && !hasGaps(range)) {
    const numberOf = (shapeKey: number, priority: number) => shapes.numberOf(shapeKey, priority);
    const found = readByKind(tx, workflowKey, range, numberOf);
    if (found !== null && found.numFound === numWaiting) {
      const { keys, shapeOf, apart } = found;
      const graph = readGraph(tx, keys, keysOfBarriers(tx, workflowKey), (node) => found.counts(node));
      const own = { numberOf: (job: number) => (keys[job] as number) - range.first, apart };
      const keyOf = (number: number) => range.first + number;
      return { numJobs: keys.length, graph, shapeOf, shapes: shapes.all, ...own, numWaiting, keyOf };
    }
  }
  const keys = keysOfJobs(tx, workflowKey);
  return { ...readEach(tx, workflowKey, keys, shapes), numWaiting, keyOf: (number) => keys[number] as number };
}

/** Reads each job once. */
function readEach(tx: Transaction, workflowKey: number, keys: Float64Array, shapes: PlannedShapeList) {
  const shapeOf = new Int32Array(keys.length).fill(-1);
  for (const { first, numJobs, values } of jobIntegers(tx, workflowKey, keys, shapeIfWaiting)) {
    const [shapeKeys, priorities] = values;
    for (let job = first; job < first + numJobs; job++) {
      const shapeKey = shapeKeys[job - first] as number;
      if (shapeKey !== 0) shapeOf[job] = shapes.numberOf(shapeKey, priorities[job - first] as number);
    }
  }
  const graph = readGraph(tx, keys, keysOfBarriers(tx, workflowKey));
  return { numJobs: keys.length, graph, shapeOf, shapes: shapes.all };
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
