/** Looks up what a job refers to by name; refuses an unknown name with the nearest known one. */
import { TorcError } from '../../base/errors.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';

interface NamedKind {
  words: string;
  sql: string;
  /** What the hint tells to type after `torc -k KEY`. */
  command: (name: string) => string;
}

const kinds = {
  job: {
    words: 'job',
    sql: 'SELECT job_key AS key, name FROM jobs',
    command: () => 'jobs list',
  },
  file: {
    words: 'file',
    sql: 'SELECT file_key AS key, name FROM files',
    command: (name) => `files add ${quoted(name)} --path PATH`,
  },
  user_data: {
    words: 'user data',
    sql: 'SELECT user_data_key AS key, name FROM user_data',
    command: (name) => `user-data add ${quoted(name)}`,
  },
  resource_requirements: {
    words: 'resource requirements',
    sql: 'SELECT resource_requirements_key AS key, name FROM resource_requirements',
    command: () => 'resource-requirements list',
  },
  scheduler: {
    words: 'Slurm config',
    sql: 'SELECT slurm_config_key AS key, name FROM slurm_configs',
    command: () => 'hpc slurm list-configs',
  },
  failure_handler: {
    words: 'failure handler',
    sql: 'SELECT failure_handler_key AS key, name FROM failure_handlers',
    command: () => 'workflows export | jq .workflow.failure_handlers',
  },
} as const satisfies Record<string, NamedKind>;

/** How many names are compared to find the nearest one. */
const comparedNames = 10_000;

/** The key of what has this name. Throws TorcError 'not_found'. */
export function keyOfName(tx: Transaction, workflowKey: number, kind: keyof typeof kinds, name: string): number {
  const { sql } = kinds[kind];
  const row = tx.db.get<{ key: number }>(`${sql} WHERE workflow_key = ? AND name = ?`, workflowKey, name);
  if (row === undefined) throw unknownName(tx, workflowKey, kind, name);
  return row.key;
}

/** The error about an unknown name, with the nearest known one. */
export function unknownName(tx: Transaction, workflowKey: number, kind: keyof typeof kinds, name: string): TorcError {
  const { words, sql, command } = kinds[kind];
  const known = `${sql} WHERE workflow_key = ? AND name IS NOT NULL LIMIT ?`;
  const rows = tx.db.all<{ name: string }>(known, workflowKey, comparedNames);
  const meant = didYouMean(
    name,
    rows.map((row) => row.name),
  );
  const message = `workflow ${workflowKey} has no ${words} ${quoted(name)}${meant}`;
  return new TorcError('not_found', message, `torc -k ${workflowKey} ${command(name)}`);
}
