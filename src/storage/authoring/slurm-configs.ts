/** Slurm configs: what sbatch is asked for. */
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { labelSet, problemOfGivenLabels } from '../../model/labels.ts';
import { resourceSet } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow } from '../running/workflows.ts';

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
  'labels',
  'also_unlabelled',
  'fallback_order',
  'resources',
] as const;

type Changes = Request<'slurm_config_modify'>['changes'];

/** What the columns hold. Throws TorcError 'usage' for labels that cannot be given. */
function storedValue(fields: Changes, column: (typeof configColumns)[number]): string | number | null {
  if (column === 'also_unlabelled') return fields.also_unlabelled === true ? 1 : 0;
  if (column === 'resources') return resourceSet(fields.resources ?? {});
  if (column !== 'labels') return fields[column] ?? null;
  const { labels = [] } = fields;
  const problem = problemOfGivenLabels(labels);
  if (problem !== null) throw new TorcError('usage', problem, 'Leave it out; jobs may ask for it.');
  return labelSet(labels);
}

/** Stores a Slurm config; its name is unique within the workflow. */
export function addSlurmConfig(tx: Transaction, request: Request<'slurm_config_add'>): number {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(tx, workflowKey);
  const key = storeSlurmConfig(tx, workflowKey, request);
  tx.event({ workflowKey, type: 'slurm_config_added', data: { slurm_config_key: String(key), name: request.name } });
  return key;
}

/** Stores a Slurm config of a workflow that may still be under creation. */
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
    ...configColumns.map((column) => storedValue(config, column)),
  );
  return key;
}

/** Gives a stored Slurm config with this name these values; the fields that change, or null when there is none. */
export function slurmConfigChanges(
  tx: Transaction,
  workflowKey: number,
  config: Request<'workflow_create_begin'>['slurm_configs'][number],
): ChangedField[] | null {
  const sql = 'SELECT * FROM slurm_configs WHERE workflow_key = ? AND name = ?';
  const row = tx.db.get(sql, workflowKey, config.name);
  if (row === undefined) return null;
  const changed = configColumns.filter((column) => row[column] !== storedValue(config, column));
  for (const column of changed) {
    const update = `UPDATE slurm_configs SET ${column} = ? WHERE slurm_config_key = ?`;
    tx.db.run(update, storedValue(config, column), row.slurm_config_key);
  }
  return changed.map((field) => ({ field, old_value: row[field], new_value: storedValue(config, field) }));
}

/** Changes the given fields of a Slurm config. */
export function modifySlurmConfig(tx: Transaction, request: Request<'slurm_config_modify'>): void {
  const configKey = Number(request.slurm_config_key);
  const config = tx.db.get<{ workflow_key: number; name: string }>(
    'SELECT workflow_key, name FROM slurm_configs WHERE slurm_config_key = ?',
    configKey,
  );
  if (config === undefined) {
    throw new TorcError('not_found', `there is no Slurm config ${configKey}`, 'torc hpc slurm list-configs');
  }
  const workflowKey = config.workflow_key;
  const { changes } = request;
  if (changes.name !== undefined) refuseTakenName(tx, workflowKey, changes.name, configKey);
  if (changes.name !== undefined) renameInActions(tx, workflowKey, config.name, changes.name);
  const changed = configColumns.filter((column) => changes[column] !== undefined);
  if (changed.length === 0) return;
  tx.db.run(
    `UPDATE slurm_configs SET ${changed.map((column) => `${column} = ?`).join(', ')} WHERE slurm_config_key = ?`,
    ...changed.map((column) => storedValue(changes, column)),
    configKey,
  );
  tx.event({ workflowKey, type: 'slurm_config_modified', data: { slurm_config_key: String(configKey), ...changes } });
}

/** Actions refer to Slurm configs by name. */
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
  const taken = tx.db.get<{ key: number }>(
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

/** A Slurm config as a row of its columns, for a script; null when there is none. */
export function findSlurmConfig(
  tx: Transaction,
  slurmConfigKey: number,
): Record<string, string | number | null> | null {
  const sql = 'SELECT * FROM slurm_configs WHERE slurm_config_key = ?';
  return tx.db.get<Record<string, string | number | null>>(sql, slurmConfigKey) ?? null;
}
