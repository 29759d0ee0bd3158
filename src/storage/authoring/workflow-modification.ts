/** Changes the description and settings of a workflow; its jobs stay as they are. */

import { isDeepStrictEqual } from 'node:util';
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText, parseJson } from '../../base/exact-json.ts';
import { counted } from '../../base/text.ts';
import { environmentDifferences, environmentProblem } from '../../model/launch.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActiveComputeNodes } from '../running/active-compute-nodes.ts';
import { readEnvironment, storedEnvironment } from '../running/launch.ts';
import { maxConcurrentChanged } from '../running/limits.ts';
import { recountFailures, setRunTimeout } from '../running/run-limits.ts';
import { getWorkflow } from '../running/workflows.ts';
import { changedAttributes, readAttributes, storedAttributes } from './attributes.ts';
import { setRecovery } from './recovery-settings.ts';
import { takeIdentity } from './workflow-identity.ts';

type Changes = Request<'workflow_modify'>['changes'];
type FieldName = Exclude<keyof Changes, 'attributes' | 'env' | 'recovery'>;

/** The column of a field, and how its value is stored and read. */
interface Field {
  column: string;
  stored(value: unknown): unknown;
  read(stored: unknown): unknown;
}

const same = (value: unknown): unknown => value;

function plain(column: string): Field {
  return { column, stored: same, read: same };
}

function flag(column: string): Field {
  return { column, stored: (value) => (value === true ? 1 : 0), read: (stored) => stored === 1 };
}

function milliseconds(column: string, unit: number): Field {
  return { column, stored: (value) => Number(value) * unit, read: (stored) => Number(stored) / unit };
}

const fields: Readonly<Record<FieldName, Field>> = {
  name: plain('name'),
  description: plain('description'),
  project: plain('project'),
  metadata: {
    column: 'metadata',
    stored: (value) => (value === null ? null : jsonText(value)),
    read: (stored) => (stored === null ? null : parseJson(String(stored))),
  },
  is_archived: flag('is_archived'),
  expiration_buffer_seconds: milliseconds('expiration_buffer_ms', 1000),
  wait_for_new_jobs_seconds: milliseconds('wait_for_new_jobs_ms', 1000),
  ignore_workflow_completion: flag('ignore_workflow_completion'),
  wait_for_healthy_database_minutes: milliseconds('wait_for_healthy_database_ms', 60_000),
  stdio: plain('stdio'),
  pin: flag('pin'),
  execution: plain('execution'),
  max_losses: plain('max_losses'),
  max_dynamic_jobs: plain('max_dynamic_jobs'),
  max_failures: plain('max_failures'),
  max_concurrent_jobs: plain('max_concurrent_jobs'),
  timeout_seconds: {
    column: 'timeout_ms',
    stored: (value) => (value === null ? null : Math.round(Number(value) * 1000)),
    read: (stored) => (stored === null ? null : Number(stored) / 1000),
  },
  base_directory: plain('base_directory'),
  termination_signal: plain('termination_signal'),
  sigterm_lead_seconds: milliseconds('sigterm_lead_ms', 1000),
  create_output_folders: flag('create_output_folders'),
};

/**
 * Returns the fields that change. Running workers keep the settings that they started with; while there are any, another
 * base directory is refused with 'conflict'.
 */
export function modifyWorkflow(
  tx: Transaction,
  request: Request<'workflow_modify'>,
): { name: string; changes: ChangedField[] } {
  const { workflowKey, name } = getWorkflow(tx, Number(request.workflow_key));
  const row = tx.db.get('SELECT * FROM workflows WHERE workflow_key = ?', workflowKey) ?? {};
  const { attributes, env, recovery, ...others } = request.changes;
  const changes: ChangedField[] = [];
  for (const [key, value] of Object.entries(others)) {
    const field = fields[key as FieldName];
    const before = field.read(row[field.column]);
    if (value === undefined || isDeepStrictEqual(before, value)) continue;
    if (key === 'base_directory') refuseWorkers(tx, workflowKey);
    changes.push({ field: key, old_value: before, new_value: value });
    tx.db.run(`UPDATE workflows SET ${field.column} = ? WHERE workflow_key = ?`, field.stored(value), workflowKey);
  }
  if (attributes !== undefined) changes.push(...modifyAttributes(tx, workflowKey, row.attributes, attributes));
  if (env !== undefined) changes.push(...modifyEnvironment(tx, workflowKey, row.env, env));
  if (recovery !== undefined) changes.push(...setRecovery(tx, workflowKey, recovery));
  if (changes.length > 0) tx.event({ workflowKey, type: 'workflow_modified', data: { changes } });
  if (changes.some(({ field }) => field === 'name')) takeIdentity(tx, workflowKey);
  if (changes.some(({ field }) => field === 'max_failures')) recountFailures(tx, workflowKey);
  if (changes.some(({ field }) => field === 'max_concurrent_jobs')) maxConcurrentChanged(tx, workflowKey);
  if (changes.some(({ field }) => field === 'timeout_seconds')) setRunTimeout(tx, workflowKey);
  return { name: request.changes.name ?? name, changes };
}

function modifyAttributes(
  tx: Transaction,
  workflowKey: number,
  stored: unknown,
  changes: NonNullable<Changes['attributes']>,
): ChangedField[] {
  const { fields, after } = changedAttributes(readAttributes(stored === null ? null : String(stored)), changes);
  if (fields.length === 0) return fields;
  tx.db.run('UPDATE workflows SET attributes = ? WHERE workflow_key = ?', storedAttributes(after), workflowKey);
  return fields;
}

/** Jobs that start from now on get them. */
function modifyEnvironment(
  tx: Transaction,
  workflowKey: number,
  stored: unknown,
  changes: NonNullable<Changes['env']>,
): ChangedField[] {
  const before = readEnvironment(stored === null ? null : String(stored));
  const named = Object.entries({ ...before, ...changes });
  const after = Object.fromEntries(named.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
  const problem = environmentProblem(after);
  if (problem !== null) throw new TorcError('usage', `workflow ${workflowKey} then ${problem}`);
  const fields = environmentDifferences(before, after);
  if (fields.length > 0) {
    tx.db.run('UPDATE workflows SET env = ? WHERE workflow_key = ?', storedEnvironment(after), workflowKey);
  }
  return fields;
}

/** Files of one workflow would be looked for in two directories. */
function refuseWorkers(tx: Transaction, workflowKey: number): void {
  const numWorkers = countActiveComputeNodes(tx, workflowKey);
  if (numWorkers === 0) return;
  throw new TorcError(
    'conflict',
    `workflow ${workflowKey} has ${counted(numWorkers, 'active worker')}, which started in its current base directory`,
    'Change it once they have ended.',
  );
}
