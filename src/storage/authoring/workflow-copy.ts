/** A copy of a workflow, in one transaction and with a few statements, whatever its size. */
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActionJobs } from '../running/actions.ts';
import { forgetLimits } from '../running/limits.ts';
import { type CopiedTable, copiedTables } from './copied-tables.ts';
import { reserveKeys } from './reserved-keys.ts';

export interface CopyRequest {
  source: number;
  /** Null for the name of the source. */
  name: string | null;
  user: string;
  /**
   * The keys of the jobs that start anew; the others are `done` with the result of the source, or `disabled`. Every job
   * downstream of a fresh one is fresh. `all` for a clone, which inherits nothing.
   */
  fresh: readonly number[] | 'all';
}

export interface Copy {
  workflowKey: number;
  numJobs: number;
  numInherited: number;
  numFiles: number;
  numUserData: number;
}

/** The tables whose keys move, with the named parameter of the distance. */
const keyTables = {
  jobs: ['jobs', 'job_key'],
  files: ['files', 'file_key'],
  userData: ['user_data', 'user_data_key'],
  barriers: ['barriers', 'barrier_key'],
  slurmConfigs: ['slurm_configs', 'slurm_config_key'],
  handlers: ['failure_handlers', 'failure_handler_key'],
  shapes: ['shapes', 'shape_key'],
  stems: ['stems', 'stem_key'],
  requirements: ['resource_requirements', 'resource_requirements_key'],
  actions: ['actions', 'action_key'],
} as const;

/** Stores a copy of a workflow as a new one that has not started. */
export function copyWorkflow(tx: Transaction, { source, name, user, fresh }: CopyRequest): Copy {
  const target = reserveKeys(tx, 'workflows', 1);
  const distances = Object.entries(keyTables).map(([parameter, [table, key]]) => {
    const sql = `SELECT min(${key}) AS first, max(${key}) AS last FROM ${table} WHERE workflow_key = ?`;
    return [parameter, distanceOf(tx, table, sql, source)];
  });
  const values = {
    ...Object.fromEntries(distances),
    attempts: fresh === 'all' ? 0 : distanceOf(tx, 'attempts', newestAttempts, source),
    source,
    target,
    name,
    user,
    parent: fresh === 'all' ? null : source,
    fresh: fresh === 'all' ? null : JSON.stringify(fresh),
    now: tx.now,
  };
  for (const table of copiedTables) tx.db.run(insertion(table), values);
  forgetLimits(tx);
  countActionJobs(tx, target);
  const counts = countJobs(tx, target);
  const copy = {
    workflowKey: target,
    numJobs: Object.values(counts).reduce((sum, n) => sum + n, 0),
    numInherited: counts.done ?? 0,
    numFiles: count(tx, 'SELECT count(*) AS n FROM files WHERE workflow_key = ?', target),
    numUserData: count(tx, 'SELECT count(*) AS n FROM user_data WHERE workflow_key = ?', target),
  };
  const origin = { [fresh === 'all' ? 'cloned_from' : 'rerun_of']: String(source) };
  const data = { num_jobs: copy.numJobs, num_inherited: copy.numInherited, ...origin };
  tx.event({ workflowKey: target, type: 'workflow_created', data });
  return copy;
}

const newestAttempts = `SELECT min(attempt_key) AS first, max(attempt_key) AS last FROM jobs
  WHERE workflow_key = ? AND status = 'done'`;

/** How far the keys of a table move: behind all keys that it ever had. Gaps between keys stay. */
function distanceOf(tx: Transaction, table: string, sql: string, workflowKey: number): number {
  const row = tx.db.get<{ first: number | null; last: number | null }>(sql, workflowKey);
  if (row === undefined || row.first === null || row.last === null) return 0;
  return reserveKeys(tx, table, row.last - row.first + 1) - row.first;
}

function insertion({ table, from, same, made }: CopiedTable): string {
  const columns = [...same, ...Object.keys(made)];
  const values = [...same.map((name) => `t.${name}`), ...Object.values(made)];
  return `INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM ${from}`;
}

function countJobs(tx: Transaction, workflowKey: number): Partial<Record<JobStatus, number>> {
  const sql = 'SELECT status, count(*) AS n FROM jobs WHERE workflow_key = ? GROUP BY status';
  const rows = tx.db.all<{ status: JobStatus; n: number }>(sql, workflowKey);
  for (const { status, n } of rows) tx.count(workflowKey, status, false, n);
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

function count(tx: Transaction, sql: string, workflowKey: number): number {
  return tx.db.get<{ n: number }>(sql, workflowKey)?.n ?? 0;
}
