/** What the jobs of a workflow have used against what they ask for, by the forms of their names; the cost grows with those. */
import type { Reply } from '../../api/contract.ts';
import { type FitRule, fitOf, fitRules, quantile, readSketch, type Sketch } from '../../model/usage.ts';
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
        memory_bytes: measureOf(readSketch(row.memory), fitRules.memory, {
          requested: need.isMemoryStated ? need.memoryBytes : null,
          scale: 1,
          hasRunOut: row.num_oom > 0,
        }),
        num_cpus: measureOf(readSketch(row.cpus), fitRules.cpus, {
          requested: need.numCpus * 1000,
          scale: 1000,
          hasRunOut: false,
        }),
        runtime_seconds: measureOf(runtime, fitRules.runtime, {
          requested: need.isRuntimeStated ? need.runtimeMs : null,
          scale: 1000,
          hasRunOut: row.num_timeouts > 0,
        }),
      };
    }),
  };
}

/** Values are shown in `scale`. */
function measureOf(
  sketch: Sketch,
  rule: FitRule,
  { requested, scale, hasRunOut }: { requested: number | null; scale: number; hasRunOut: boolean },
) {
  const shown = (value: number | null): number | null => (value === null ? null : Math.round(value) / scale);
  return {
    requested: shown(requested),
    min: sketch.n === 0 ? null : shown(sketch.min),
    median: shown(quantile(sketch, 0.5)),
    p95: shown(quantile(sketch, 0.95)),
    max: sketch.n === 0 ? null : shown(sketch.max),
    ...shownFit(fitOf(sketch, requested, rule, hasRunOut), shown),
  };
}

function shownFit({ proposed, finding }: ReturnType<typeof fitOf>, shown: (value: number | null) => number | null) {
  return { proposed: shown(proposed), finding };
}
