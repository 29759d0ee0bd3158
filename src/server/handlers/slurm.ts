/** Slurm configs and allocations. */
import type { Reply, Request } from '../../api/contract.ts';
import { confirmAllocation, recordAllocations } from '../../storage/authoring/allocations.ts';
import { addSlurmConfig, modifySlurmConfig } from '../../storage/authoring/slurm-configs.ts';
import type { Transaction } from '../../storage/database/transaction.ts';

export function createSlurmConfig(tx: Transaction, request: Request<'slurm_config_add'>): Reply<'slurm_config_add'> {
  return { slurm_config_key: String(addSlurmConfig(tx, request)) };
}

export function changeSlurmConfig(
  tx: Transaction,
  request: Request<'slurm_config_modify'>,
): Reply<'slurm_config_modify'> {
  modifySlurmConfig(tx, request);
  return { slurm_config_key: request.slurm_config_key };
}

export function recordSubmissions(
  tx: Transaction,
  request: Request<'allocations_record'>,
): Reply<'allocations_record'> {
  return { allocation_keys: recordAllocations(tx, request).map(String) };
}

export function confirmSubmission(
  tx: Transaction,
  request: Request<'allocation_confirm'>,
): Reply<'allocation_confirm'> {
  confirmAllocation(tx, request);
  return { allocation_key: request.allocation_key };
}
