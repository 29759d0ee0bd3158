/** Resource requirements in the words of a specification. */
import type { ExportedRequirements } from '../../api/contract.ts';
import { defaultRequirements } from '../../model/job.ts';
import { amountsIn } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import { fromDataOf } from '../running/needs-from-data.ts';
import { readShape } from '../running/shapes.ts';

export interface RequirementsRow {
  /** Null for those of a single job. */
  resource_requirements_key: number | null;
  name: string | null;
  shape_key: number;
}

/** Without limits, memory is for packing only. */
export function requirementsOf(
  tx: Transaction,
  row: RequirementsRow,
  isUnlimited: () => boolean,
): ExportedRequirements {
  const need = readShape(tx, row.shape_key);
  const hasMemory = need.isMemoryStated || (need.memoryBytes !== defaultRequirements.memoryBytes && isUnlimited());
  const from_data = row.resource_requirements_key === null ? null : fromDataOf(tx, row.resource_requirements_key);
  return {
    name: row.name,
    num_cpus: need.numCpus,
    memory_bytes: hasMemory ? need.memoryBytes : null,
    num_gpus: need.gpuThousandths / 1000,
    num_nodes: need.numNodes,
    runtime_seconds: need.isRuntimeStated ? need.runtimeMs / 1000 : null,
    ...(from_data === null ? {} : { from_data }),
    ...(need.expectedMs === undefined ? {} : { expected_runtime_seconds: need.expectedMs / 1000 }),
    ...(need.resources === undefined ? {} : { resources: amountsIn(need.resources) }),
  };
}

/** Whether memory is stated for packing only: a specification says that of all requirements or of none. */
export function hasUnlimitedMemory(tx: Transaction, workflowKey: number): boolean {
  const { unlimited = 0, limited = 0 } =
    tx.db.get<{ unlimited: number; limited: number }>(
      `SELECT count(*) FILTER (WHERE s.is_memory_stated = 0 AND s.memory_bytes <> ?) AS unlimited,
         count(*) FILTER (WHERE s.is_memory_stated = 1) AS limited
       FROM resource_requirements r JOIN shapes s ON s.shape_key = r.shape_key
       WHERE r.workflow_key = ? AND r.name IS NOT NULL`,
      defaultRequirements.memoryBytes,
      workflowKey,
    ) ?? {};
  return unlimited > 0 && limited === 0;
}
