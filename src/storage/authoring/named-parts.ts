/** What a job says by name, looked up in its workflow; an unknown name is refused with the nearest one there is. */
import { TorcError } from '../../base/errors.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';

interface NamedKind {
  words: string;
  sql: string;
  /** What the hint says to type, behind `torc -k KEY`. */
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

/** Among how many names the one that was meant is looked for. */
const comparedNames = 10_000;

/** The key of the one with this name. Throws TorcError 'not_found'. */
export function keyOfName(tx: Transaction, workflowKey: number, kind: keyof typeof kinds, name: string): number {
  const { sql } = kinds[kind];
  const row = tx.db.get(`${sql} WHERE workflow_key = ? AND name = ?`, workflowKey, name);
  if (row === undefined) throw unknownName(tx, workflowKey, kind, name);
  return row.key as number;
}

/** The error about a name that nothing has, with the nearest that something has. */
export function unknownName(tx: Transaction, workflowKey: number, kind: keyof typeof kinds, name: string): TorcError {
  const { words, sql, command } = kinds[kind];
  const rows = tx.db.all(`${sql} WHERE workflow_key = ? AND name IS NOT NULL LIMIT ?`, workflowKey, comparedNames);
  const meant = didYouMean(
    name,
    rows.map((row) => row.name as string),
  );
  const message = `workflow ${workflowKey} has no ${words} ${quoted(name)}${meant}`;
  return new TorcError('not_found', message, `torc -k ${workflowKey} ${command(name)}`);
}
