/** The output of jobs in workflows that ended long ago, a page of attempts at a time. */
import { combinedLogPath } from '../../base/paths.ts';
import type { Transaction } from '../database/transaction.ts';
import { columns, sqlOf } from './columns.ts';
import { type NamedPlace, placeColumns, placeOf } from './log-places.ts';

export interface LogsAfter {
  workflowKey: number;
  attemptKey: number;
}

export interface OldLog {
  attemptKey: number;
  outputDirectory: string;
  /** What it wrote is in these. */
  paths: string[];
  /** Of these and of what its worker's jobs share, the files of which nobody else in the workflow speaks. */
  counted: string[];
}

/** Attempts of one workflow, some of which may have logs; `next` is null after the last workflow. */
export interface OldLogs {
  workflow: { workflowKey: number; name: string } | null;
  logs: OldLog[];
  next: LogsAfter | null;
}

interface Row extends NamedPlace {
  attempt_key: number;
  output_directory: string | null;
  is_first: number;
}

/** How many attempts a page looks at. */
const pageSize = 500;

/** Whether a rerun, of which the last run has not ended before the instant, has taken over results of the workflow `w`. */
const isInheritedLater = `EXISTS (SELECT 1 FROM workflows c
  WHERE c.workflow_key > w.workflow_key AND c.parent_workflow_key IS NOT NULL AND c.phase <> 'deleting'
    AND NOT EXISTS (SELECT 1 FROM runs r
      WHERE r.workflow_key = c.workflow_key AND r.run_id = c.run_id AND r.ended_at < @before)
    AND EXISTS (SELECT 1 FROM attempts i WHERE i.workflow_key = c.workflow_key AND i.inherited_from IS NOT NULL
      AND CAST(i.inherited_from ->> '$.workflow_key' AS INTEGER) = w.workflow_key))`;

/** Of runs that have ended, without a worker that could still write, and without a later rerun that shows the same logs. */
export const oldWorkflowSql = `SELECT w.workflow_key AS workflowKey, w.name
  FROM workflows w JOIN runs l ON l.workflow_key = w.workflow_key AND l.run_id = w.run_id
  WHERE w.phase IN ('created', 'started') AND w.workflow_key >= @after AND l.ended_at < @before
    AND NOT ${isInheritedLater}
    AND NOT EXISTS (SELECT 1 FROM compute_nodes n WHERE n.workflow_key = w.workflow_key AND n.is_active = 1)
    AND NOT EXISTS (SELECT 1 FROM compute_nodes n JOIN attempts a ON a.compute_node_key = n.compute_node_key
      WHERE n.workflow_key = w.workflow_key AND a.is_occupying = 1)
  ORDER BY w.workflow_key LIMIT 1`;

const shown = [
  ...columns('key', ['job_key', 'CAST(a.job_key AS TEXT)']),
  ...columns('integer', ['attempt_key', 'a.attempt_key'], ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id']),
  ...placeColumns,
];

const logsSql = `SELECT ${shown.map((column) => `${sqlOf(column)} AS ${column.name}`).join(', ')},
    a.attempt_key = (SELECT min(f.attempt_key) FROM attempts f
      WHERE f.compute_node_key = a.compute_node_key AND f.is_occupying = 0) AS is_first
  FROM attempts a JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
  WHERE a.workflow_key = @workflow AND a.attempt_key > @after AND a.attempt_key <= @last AND a.inherited_from IS NULL
  ORDER BY a.attempt_key`;

const lastSql = `SELECT max(k) AS last, count(*) AS n FROM (SELECT attempt_key AS k FROM attempts
  WHERE workflow_key = ? AND attempt_key > ? ORDER BY attempt_key LIMIT ${pageSize})`;

/** The logs after a place, of the first workflow from there on whose last run ended before an instant. */
export function oldLogs(tx: Transaction, before: number, after: LogsAfter): OldLogs {
  const workflow = tx.db.get<{ workflowKey: number; name: string }>(oldWorkflowSql, {
    after: after.workflowKey,
    before,
  });
  if (workflow === undefined) return { workflow: null, logs: [], next: null };
  const { workflowKey } = workflow;
  const afterKey = workflowKey === after.workflowKey ? after.attemptKey : 0;
  const page = tx.db.get<{ last: number | null; n: number }>(lastSql, workflowKey, afterKey);
  const last = page?.last ?? 0;
  const rows = tx.db.all<Row>(logsSql, { workflow: workflowKey, after: afterKey, last });
  const logs = rows.flatMap((row) => logOf(row) ?? []);
  const isWhole = (page?.n ?? 0) < pageSize;
  const next = isWhole ? { workflowKey: workflowKey + 1, attemptKey: 0 } : { workflowKey, attemptKey: last };
  return { workflow, logs, next };
}

function logOf(row: Row): OldLog | null {
  const { attempt_key: attemptKey, output_directory: outputDirectory, worker_id: workerId } = row;
  if (outputDirectory === null) return null;
  const { kind, paths: both } = placeOf(row, outputDirectory);
  const paths = [...new Set([both?.stdoutPath, both?.stderrPath].filter((path) => typeof path === 'string'))];
  const shared = row.is_first === 1 && workerId !== null ? [combinedLogPath(outputDirectory, workerId)] : [];
  return { attemptKey, outputDirectory, paths, counted: kind === 'combined' ? shared : [...paths, ...shared] };
}

/** Notes that the output of these attempts is gone. */
export function noteLogsPruned(tx: Transaction, attemptKeys: readonly number[]): void {
  const sql = `UPDATE attempts SET log_kind = 'pruned' WHERE attempt_key IN (SELECT value FROM json_each(?))`;
  tx.db.run(sql, JSON.stringify(attemptKeys));
}
