/** The list of runs: the present one with the counts and the status of its workflow, earlier ones with those of their end. */
import { runOrigins, runStatuses } from '../../../model/status.ts';
import { columns, type ListDefinition, word } from '../columns.ts';
import { countColumns, workflowStatusSql } from './workflows.ts';

const isOpen = '(r.run_id = w.run_id AND r.ended_at IS NULL)';

const counts = countColumns
  .filter(({ name }) => ['num_jobs', 'num_done', 'num_failed', 'num_canceled'].includes(name))
  .map((column) => ({ ...column, sql: `CASE WHEN ${isOpen} THEN ${column.sql} ELSE r.${column.name} END` }));

export const runs: ListDefinition = {
  columns: [
    ...columns('key', ['workflow_key', 'r.workflow_key']),
    ...columns('integer', ['run_id', 'r.run_id']),
    word(runOrigins, 'how', 'r.how'),
    ...columns('text', ['who', 'r.who']),
    ...columns('key', ['source_workflow_key', 'r.source_workflow_key']),
    word(runStatuses, 'status', `CASE WHEN ${isOpen} THEN ${workflowStatusSql} ELSE r.status END`),
    ...counts,
    ...columns('instant', ['started_at', 'r.started_at'], ['ended_at', 'r.ended_at'], ['pruned_at', 'r.pruned_at']),
    ...columns('seconds', ['elapsed_seconds', 'r.ended_at - r.started_at']),
  ],
  from: 'runs r JOIN workflows w ON w.workflow_key = r.workflow_key',
  where: `w.phase IN ('created', 'starting', 'started')`,
  workflow: 'r.workflow_key',
  key: 'r.run_key',
};
