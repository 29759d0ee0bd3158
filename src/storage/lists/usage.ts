/** What the jobs of a workflow have used against what they ask for, by the forms of their names; the cost grows with those. */
import type { Reply } from '../../api/contract.ts';
import { fitOf, quantile, readSketch, type Sketch } from '../../model/usage.ts';
import type { Transaction } from '../database/transaction.ts';
import { requirementsOf, type ShapeRow } from '../running/shapes.ts';

interface UsageRow extends ShapeRow {
  stem: string;
  num_oom: number;
  num_timeouts: number;
  memory: string;
  cpus: string;
  runtime: string;
}

const mebibyte = 1024 * 1024;

export function readUsage(tx: Transaction, workflowKey: number): Reply<'usage'> {
  const rows = tx.db.all<UsageRow>(
    `SELECT u.stem, u.num_oom, u.num_timeouts, u.memory, u.cpus, u.runtime, s.* FROM usage u
     JOIN shapes s ON s.shape_key = u.shape_key WHERE u.workflow_key = ? ORDER BY u.stem`,
    workflowKey,
  );
  return {
    usage: rows.map((row) => {
      const need = requirementsOf(row);
      const runtime = readSketch(row.runtime);
      return {
        stem: row.stem,
        num_attempts: runtime.n,
        num_oom: row.num_oom,
        num_timeouts: row.num_timeouts,
        memory_bytes: measureOf(readSketch(row.memory), need.isMemoryStated ? need.memoryBytes : null, 1, mebibyte),
        num_cpus: measureOf(readSketch(row.cpus), need.numCpus * 1000, 1000, 1000),
        runtime_seconds: measureOf(runtime, need.isRuntimeStated ? need.runtimeMs : null, 1000, 1000),
      };
    }),
  };
}

/** Values are shown in `scale`; proposals are whole multiples of `unit`. */
function measureOf(sketch: Sketch, requested: number | null, scale: number, unit: number) {
  const shown = (value: number | null): number | null => (value === null ? null : Math.round(value) / scale);
  return {
    requested: shown(requested),
    min: sketch.n === 0 ? null : shown(sketch.min),
    median: shown(quantile(sketch, 0.5)),
    p95: shown(quantile(sketch, 0.95)),
    max: sketch.n === 0 ? null : shown(sketch.max),
    ...shownFit(fitOf(sketch, requested, unit), shown),
  };
}

function shownFit({ proposed, finding }: ReturnType<typeof fitOf>, shown: (value: number | null) => number | null) {
  return { proposed: shown(proposed), finding };
}
