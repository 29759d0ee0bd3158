/** The list of workflows, with the status and the counts that follow from their jobs. */
import { stdioModes, terminationSignals } from '../../../model/expanded.ts';
import { executions } from '../../../model/launch.ts';
import { cutOffs, workflowStatuses } from '../../../model/status.ts';
import { hasHeldJobSql } from '../../running/holds.ts';
import { hasHadWorkersSql, hasWorkersSql } from '../../running/presence.ts';
import { type Column, columns, type ListDefinition, word } from '../columns.ts';

export const countColumns: Column[] = [
  ...columns('integer', [
    'num_jobs',
    '(SELECT coalesce(sum(n), 0) FROM job_counts c WHERE c.workflow_key = w.workflow_key)',
  ]),
  ...['done', 'failed', 'canceled', 'terminated', 'ready', 'submitted', 'blocked'].map(
    (status): Column => ({
      name: `num_${status === 'submitted' ? 'running' : status}`,
      kind: 'integer',
      sql: `(SELECT coalesce(sum(n), 0) FROM job_counts c WHERE c.workflow_key = w.workflow_key AND ${countCondition(status)})`,
    }),
  ),
];

function countCondition(status: string): string {
  if (status === 'failed') return 'c.failed = 1';
  if (status === 'submitted') return `c.status IN ('submitted', 'submitted_pending')`;
  return `c.status = '${status}'`;
}

const anyActive = `EXISTS (SELECT 1 FROM job_counts c WHERE c.workflow_key = w.workflow_key AND c.n > 0 AND c.status IN`;

const numLeft = `(SELECT count(*) FROM orphans o WHERE o.workflow_key = w.workflow_key AND o.is_left = 1)`;
const hasBegun = `(${anyActive} ('done', 'terminated')) OR ${numLeft} > 0)`;

const hasTimedHold = `EXISTS (SELECT 1 FROM due d WHERE d.workflow_key = w.workflow_key AND d.kind = 'hold')`;

/** The decision of the model's `workflowStatus` as an expression; a test compares the two. */
export const workflowStatusSql = `CASE
  WHEN w.run_id = 0 THEN CASE w.is_canceled WHEN 1 THEN 'canceled' ELSE 'uninitialized' END
  WHEN (SELECT coalesce(sum(c.n), 0) FROM job_counts c WHERE c.workflow_key = w.workflow_key
    AND c.status IN ('submitted', 'submitted_pending')) > ${numLeft} THEN 'running'
  WHEN w.is_canceled = 1 THEN 'canceled'
  WHEN w.has_timed_out = 1 THEN 'timeout'
  WHEN w.is_stopping = 1 AND w.ended_at IS NULL THEN 'running'
  WHEN w.paused_at IS NOT NULL AND (${anyActive} ('ready')) OR ${hasTimedHold}) THEN 'paused'
  WHEN ${anyActive} ('ready')) THEN CASE
    WHEN NOT ${hasWorkersSql('w')} AND (${hasBegun} OR ${hasHadWorkersSql('w')}) THEN 'waiting'
    WHEN ${hasBegun} THEN 'running' ELSE 'ready' END
  WHEN ${hasTimedHold} THEN 'running'
  WHEN ${hasHeldJobSql('w')} THEN 'paused'
  WHEN ${numLeft} > 0 OR ${anyActive} ('terminated', 'canceled')) OR EXISTS (SELECT 1 FROM job_counts c
    WHERE c.workflow_key = w.workflow_key AND c.n > 0 AND c.failed = 1) THEN 'failed'
  WHEN ${anyActive} ('uninitialized')) THEN 'uninitialized'
  WHEN ${anyActive} ('blocked')) THEN 'running'
  ELSE 'done' END`;

const cutOffBy = `CASE WHEN w.has_timed_out = 1 THEN 'timeout' WHEN w.has_failed_out = 1 THEN 'max_failures' END`;

export const workflows: ListDefinition = {
  columns: [
    ...columns('key', ['workflow_key', 'w.workflow_key']),
    ...columns(
      'text',
      ['name', 'w.name'],
      ['tool', 'coalesce(w.tool, w.name)'],
      ['args', 'w.args'],
      ['user', 'w.user'],
    ),
    ...columns('text', ['description', 'w.description'], ['project', 'w.project']),
    ...columns('texts', ['attributes', 'w.attributes']),
    ...columns('key', ['parent_workflow_key', 'w.parent_workflow_key']),
    ...columns('integer', ['run_id', 'w.run_id']),
    word(workflowStatuses, 'status', workflowStatusSql),
    ...countColumns,
    ...columns('flag', ['is_paused', 'w.paused_at IS NOT NULL'], ['is_archived', 'w.is_archived']),
    word(stdioModes, 'stdio', 'w.stdio'),
    ...columns('flag', ['pin', 'w.pin']),
    word(executions, 'execution', 'w.execution'),
    ...columns('integer', ['max_losses', 'w.max_losses'], ['max_failures', 'w.max_failures']),
    ...columns('integer', ['max_concurrent_jobs', 'w.max_concurrent_jobs'], ['max_dynamic_jobs', 'w.max_dynamic_jobs']),
    ...columns('seconds', ['timeout_seconds', 'w.timeout_ms'], ['sigterm_lead_seconds', 'w.sigterm_lead_ms']),
    word(terminationSignals, 'termination_signal', 'w.termination_signal'),
    word(cutOffs, 'cut_off_by', cutOffBy),
    ...columns('text', ['base_directory', 'w.base_directory']),
    ...columns('instant', ['created_at', 'w.created_at'], ['started_at', 'w.started_at'], ['ended_at', 'w.ended_at']),
    ...columns('json', ['metadata', 'w.metadata']),
  ],
  from: 'workflows w',
  where: `w.phase IN ('created', 'starting', 'started')`,
  workflow: 'w.workflow_key',
  key: 'w.workflow_key',
  attributes: 'w.attributes',
};
