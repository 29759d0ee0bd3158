/** What the waiting jobs of a workflow ask for, for planning. */
import { waitingStatuses } from '../../model/decide/demand.ts';
import { packedMs } from '../../model/job.ts';
import type { PlannedShape } from '../../model/plan/groups.ts';
import type { Transaction } from '../database/transaction.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { findShape } from '../running/shapes.ts';

export interface PlannedShapes {
  /** By number of the job in the order of keys: an index of `shapes`; -1 for one that does not wait. */
  shapeOf: Int32Array;
  shapes: (PlannedShape & { slurmConfigKey: number })[];
}

/** Reads every job once. */
export function readPlannedShapes(
  tx: Transaction,
  workflowKey: number,
  numJobs: number,
  usualRuntime: UsualRuntime,
): PlannedShapes {
  const shapeOf = new Int32Array(numJobs).fill(-1);
  const shapes: PlannedShapes['shapes'] = [];
  const numbers = new Map<string, number>();
  const waits: ReadonlySet<string> = new Set(waitingStatuses);
  let job = 0;
  for (const [status, shapeKey, priority] of tx.db.rows<[string, number, number]>(
    'SELECT status, shape_key, priority FROM jobs WHERE workflow_key = ? ORDER BY job_key',
    workflowKey,
  )) {
    if (waits.has(status)) {
      const id = `${shapeKey} ${priority}`;
      const number = numbers.get(id) ?? shapes.push(plannedShape(tx, shapeKey, priority, usualRuntime)) - 1;
      numbers.set(id, number);
      shapeOf[job] = number;
    }
    job += 1;
  }
  return { shapeOf, shapes };
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
