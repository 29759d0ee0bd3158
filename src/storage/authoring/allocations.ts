/** Allocations: the Slurm jobs that torc submits, recorded before sbatch is called. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow, isWorkflowActive } from '../running/workflows.ts';

/** Records allocations before they are submitted, so that a crash in between leaves no unknown one. */
export function recordAllocations(tx: Transaction, request: Request<'allocations_record'>): number[] {
  const workflowKey = Number(request.workflow_key);
  const workflow = getWorkflow(tx, workflowKey);
  if (workflow.phase !== 'started' || workflow.isCanceled) {
    const hint = `torc workflows ${workflow.isCanceled ? 'restart' : 'start'} ${workflowKey}`;
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} ${workflow.isCanceled ? 'is canceled' : 'has not started'}`,
      hint,
    );
  }
  if (!isWorkflowActive(tx, workflowKey)) {
    throw new TorcError(
      'already_complete',
      `workflow ${workflowKey} has nothing left to run`,
      `torc workflows show-status ${workflowKey}`,
    );
  }
  return request.allocations.map((allocation) => {
    refuseTaken(tx, allocation.name);
    const { key } = tx.db.run(
      `INSERT INTO allocations (workflow_key, slurm_config_key, name, status, num_nodes, one_worker_per_node, script_path,
         output_directory, min_cpus, min_memory_bytes, min_gpus, created_at)
       VALUES (?, ?, ?, 'recorded', ?, ?, ?, ?, ?, ?, ?, ?)`,
      workflowKey,
      Number(request.slurm_config_key),
      allocation.name,
      allocation.num_nodes,
      allocation.one_worker_per_node ? 1 : 0,
      allocation.script_path,
      allocation.output_directory,
      allocation.minimum?.num_cpus ?? null,
      allocation.minimum?.memory_bytes ?? null,
      allocation.minimum?.num_gpus ?? null,
      tx.now,
    );
    tx.tell({ kind: 'allocation_changed', workflowKey, allocationKey: key });
    return key;
  });
}

function refuseTaken(tx: Transaction, name: string): void {
  if (tx.db.get('SELECT 1 FROM allocations WHERE name = ?', name) === undefined) return;
  throw new TorcError(
    'conflict',
    `the allocation ${name} is already recorded: another command is scheduling nodes for this workflow right now`,
    'See torc hpc slurm allocations, then schedule the rest.',
  );
}

/** Whether it is not known yet of an allocation of the workflow whether Slurm has it. */
export function hasUnconfirmed(tx: Transaction, workflowKey: number): boolean {
  const sql = `SELECT 1 FROM allocations WHERE workflow_key = ? AND status = 'recorded' LIMIT 1`;
  return tx.db.get(sql, workflowKey) !== undefined;
}

/** Why Slurm refused an allocation, and how many of its workflow it has refused since the run began; null when it did not. */
export function refusalOf(tx: Transaction, allocationKey: number): { why: string; numRefused: number } | null {
  const row = tx.db.get<{ why: string | null; numRefused: number }>(
    `SELECT a.error AS why, (SELECT count(*) FROM allocations o JOIN workflows w USING (workflow_key)
       WHERE o.workflow_key = a.workflow_key AND o.status = 'refused' AND o.created_at >= w.started_at) AS numRefused
     FROM allocations a WHERE a.allocation_key = ? AND a.status = 'refused'`,
    allocationKey,
  );
  return row === undefined ? null : { why: row.why ?? '', numRefused: Math.max(1, row.numRefused) };
}

/** Stores sbatch's answer for a recorded allocation. */
export function confirmAllocation(tx: Transaction, request: Request<'allocation_confirm'>): void {
  const allocationKey = Number(request.allocation_key);
  const row = tx.db.get<{ workflow_key: number; name: string }>(
    `UPDATE allocations SET slurm_job_id = ?, cluster = coalesce(?, cluster), error = ?, submitted_at = ?,
       status = CASE WHEN status NOT IN ('recorded', 'refused') THEN status WHEN ? IS NULL THEN 'refused' ELSE 'submitted' END
     WHERE allocation_key = ? RETURNING workflow_key, name`,
    request.slurm_job_id,
    request.cluster,
    request.error,
    tx.now,
    request.slurm_job_id,
    allocationKey,
  );
  if (row === undefined) throw new TorcError('not_found', `there is no allocation ${allocationKey}`);
  tx.tell({ kind: 'allocation_changed', workflowKey: row.workflow_key, allocationKey });
  tx.event({
    workflowKey: row.workflow_key,
    type: request.slurm_job_id === null ? 'allocation_refused' : 'allocation_submitted',
    data: {
      allocation_key: String(allocationKey),
      name: row.name,
      slurm_job_id: request.slurm_job_id,
      error: request.error,
    },
  });
}

/** Slurm jobs of a workflow that may still wait or run. */
export function openSlurmJobIds(tx: Transaction, workflowKey: number): string[] {
  return tx.db
    .all<{ slurm_job_id: string }>(
      `SELECT slurm_job_id FROM allocations
       WHERE workflow_key = ? AND status IN ('submitted', 'running') AND slurm_job_id IS NOT NULL`,
      workflowKey,
    )
    .map((row) => row.slurm_job_id);
}

/** How many allocations of any workflow may still wait or run. */
export function countOpenAllocations(tx: Transaction): number {
  const sql = `SELECT count(*) AS n FROM allocations WHERE status IN ('recorded', 'submitted', 'running')`;
  return tx.db.get<{ n: number }>(sql)?.n ?? 0;
}
