/** Slurm configs and allocations: what sbatch is asked for, and the Slurm jobs that torc submitted. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow, isWorkflowActive } from '../running/workflows.ts';

const configColumns = [
  'name',
  'account',
  'partition',
  'qos',
  'walltime_seconds',
  'num_nodes',
  'ntasks_per_node',
  'mem',
  'tmp',
  'gres',
  'extra',
] as const;

/** Stores a Slurm config; its name is unique within the workflow. */
export function addSlurmConfig(tx: Transaction, request: Request<'slurm_config_add'>): number {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(tx, workflowKey);
  const key = storeSlurmConfig(tx, workflowKey, request);
  tx.event({ workflowKey, type: 'slurm_config_added', data: { slurm_config_key: String(key), name: request.name } });
  return key;
}

/** Stores one Slurm config of a workflow that may still be invisible. */
export function storeSlurmConfig(
  tx: Transaction,
  workflowKey: number,
  config: Request<'workflow_create_begin'>['slurm_configs'][number],
): number {
  refuseTakenName(tx, workflowKey, config.name, null);
  const { key } = tx.db.run(
    `INSERT INTO slurm_configs (workflow_key, ${configColumns.join(', ')})
     VALUES (?, ${configColumns.map(() => '?').join(', ')})`,
    workflowKey,
    ...configColumns.map((column) => config[column]),
  );
  return key;
}

/** Changes the given fields of a Slurm config. */
export function modifySlurmConfig(tx: Transaction, request: Request<'slurm_config_modify'>): void {
  const configKey = Number(request.slurm_config_key);
  const config = tx.db.get('SELECT workflow_key, name FROM slurm_configs WHERE slurm_config_key = ?', configKey);
  if (config === undefined) {
    throw new TorcError('not_found', `there is no Slurm config ${configKey}`, 'torc hpc slurm list-configs');
  }
  const workflowKey = config.workflow_key as number;
  const { changes } = request;
  if (changes.name !== undefined) refuseTakenName(tx, workflowKey, changes.name, configKey);
  if (changes.name !== undefined) renameInActions(tx, workflowKey, config.name as string, changes.name);
  const changed = configColumns.filter((column) => changes[column] !== undefined);
  if (changed.length === 0) return;
  tx.db.run(
    `UPDATE slurm_configs SET ${changed.map((column) => `${column} = ?`).join(', ')} WHERE slurm_config_key = ?`,
    ...changed.map((column) => changes[column]),
    configKey,
  );
  tx.event({ workflowKey, type: 'slurm_config_modified', data: { slurm_config_key: String(configKey), ...changes } });
}

/** Actions name the config that they schedule nodes with. */
function renameInActions(tx: Transaction, workflowKey: number, before: string, after: string): void {
  tx.db.run(
    `UPDATE actions SET definition = json_set(definition, '$.scheduler', ?)
     WHERE workflow_key = ? AND json_extract(definition, '$.scheduler') = ?`,
    after,
    workflowKey,
    before,
  );
}

function refuseTakenName(tx: Transaction, workflowKey: number, name: string, except: number | null): void {
  const taken = tx.db.get(
    'SELECT slurm_config_key AS key FROM slurm_configs WHERE workflow_key = ? AND name = ?',
    workflowKey,
    name,
  );
  if (taken !== undefined && taken.key !== except) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} already has a Slurm config '${name}' (key ${taken.key})`,
      `torc hpc slurm modify-config ${taken.key}`,
    );
  }
}

/** Records allocations that are about to be submitted, so that a crash in between leaves none unknown. */
export function recordAllocations(tx: Transaction, request: Request<'allocations_record'>): number[] {
  const workflowKey = Number(request.workflow_key);
  const workflow = getWorkflow(tx, workflowKey);
  if (workflow.phase !== 'started' || workflow.isCanceled) {
    const hint = workflow.isCanceled ? 'Create it again.' : `torc workflows start ${workflowKey}`;
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} ${workflow.isCanceled ? 'is canceled' : 'is not started'}`,
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
    const { key } = tx.db.run(
      `INSERT INTO allocations (workflow_key, slurm_config_key, name, status, num_nodes, one_worker_per_node, script_path,
         output_directory, created_at) VALUES (?, ?, ?, 'recorded', ?, ?, ?, ?, ?)`,
      workflowKey,
      Number(request.slurm_config_key),
      allocation.name,
      allocation.num_nodes,
      allocation.one_worker_per_node ? 1 : 0,
      allocation.script_path,
      allocation.output_directory,
      tx.now,
    );
    return key;
  });
}

/** Notes what sbatch answered for a recorded allocation. */
export function confirmAllocation(tx: Transaction, request: Request<'allocation_confirm'>): void {
  const allocationKey = Number(request.allocation_key);
  const row = tx.db.get(
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
  tx.event({
    workflowKey: row.workflow_key as number,
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
    .all(
      `SELECT slurm_job_id FROM allocations
       WHERE workflow_key = ? AND status IN ('submitted', 'running') AND slurm_job_id IS NOT NULL`,
      workflowKey,
    )
    .map((row) => row.slurm_job_id as string);
}

/** How many allocations of any workflow may still wait or run. */
export function countOpenAllocations(tx: Transaction): number {
  const row = tx.db.get(`SELECT count(*) AS n FROM allocations WHERE status IN ('recorded', 'submitted', 'running')`);
  return row?.n as number;
}
