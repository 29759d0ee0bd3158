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

export function requirementsOf(tx: Transaction, row: RequirementsRow): ExportedRequirements {
  const need = readShape(tx, row.shape_key);
  const from_data = row.resource_requirements_key === null ? null : fromDataOf(tx, row.resource_requirements_key);
  return {
    name: row.name,
    num_cpus: need.numCpus,
    memory_bytes: need.isMemoryStated || need.memoryBytes !== defaultRequirements.memoryBytes ? need.memoryBytes : null,
    num_gpus: need.gpuThousandths / 1000,
    num_nodes: need.numNodes,
    runtime_seconds: need.isRuntimeStated ? need.runtimeMs / 1000 : null,
    ...(from_data === null ? {} : { from_data }),
    ...(need.expectedMs === undefined ? {} : { expected_runtime_seconds: need.expectedMs / 1000 }),
    ...(need.resources === undefined ? {} : { resources: amountsIn(need.resources) }),
  };
}

/** Whether there is memory that was stated for packing only. */
export function hasUnlimitedMemory(tx: Transaction, workflowKey: number): boolean {
  const sql = 'SELECT 1 FROM shapes WHERE workflow_key = ? AND is_memory_stated = 0 AND memory_bytes <> ? LIMIT 1';
  return tx.db.get(sql, workflowKey, defaultRequirements.memoryBytes) !== undefined;
}
