/** What the waiting jobs of a workflow ask for, for planning. */
import { waitingStatuses } from '../../model/decide/demand.ts';
import { packedMs } from '../../model/job.ts';
import type { PlannedShape } from '../../model/plan/groups.ts';
import type { Transaction } from '../database/transaction.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { jobTexts } from '../running/job-graph.ts';
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
  keys: Float64Array,
  usualRuntime: UsualRuntime,
): PlannedShapes {
  const shapeOf = new Int32Array(keys.length).fill(-1);
  const shapes: PlannedShapes['shapes'] = [];
  const numbers = new Map<string, number>();
  for (const { first, text } of jobTexts(tx, workflowKey, keys, shapeIfWaiting)) {
    // the last one is empty
    for (const [index, id] of text.split('\0').entries()) {
      if (id === '') continue;
      let number = numbers.get(id);
      if (number === undefined) {
        const [shapeKey = 0, priority = 0] = id.split(' ').map(Number);
        number = shapes.push(plannedShape(tx, shapeKey, priority, usualRuntime)) - 1;
        numbers.set(id, number);
      }
      shapeOf[first + index] = number;
    }
  }
  return { shapeOf, shapes };
}

const shapeIfWaiting = `CASE WHEN j.status IN (${waitingStatuses.map((status) => `'${status}'`).join()})
  THEN j.shape_key || ' ' || j.priority ELSE '' END`;

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
