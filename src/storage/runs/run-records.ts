/** The record that each run leaves: who began it and how, and what it had come to at its end, which stays as it is. */
import type { RunOrigin } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { findWorkflow, statusOf } from '../running/workflows.ts';

/** Records a run that begins now. The first run of a copy is a rerun or a clone, and its source is recorded with it. */
export function recordRun(
  tx: Transaction,
  workflowKey: number,
  runId: number,
  how: RunOrigin,
  startedAt: number | null = tx.now,
): void {
  const copy = how === 'start' ? copiedFrom(tx, workflowKey) : null;
  tx.db.run(
    `INSERT INTO runs (workflow_key, run_id, how, source_workflow_key, who, started_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    workflowKey,
    runId,
    copy?.how ?? how,
    copy?.source ?? null,
    tx.who,
    startedAt,
  );
}

/** Where the jobs of a workflow come from; null for one that was created from a specification. */
function copiedFrom(tx: Transaction, workflowKey: number): { how: 'rerun' | 'clone'; source: number } | null {
  const row = tx.db.get<{ rerun_of: string | null; cloned_from: string | null }>(
    `SELECT data ->> 'rerun_of' AS rerun_of, data ->> 'cloned_from' AS cloned_from FROM events
     WHERE workflow_key = ? AND type = 'workflow_created' ORDER BY event_key LIMIT 1`,
    workflowKey,
  );
  if (row?.rerun_of != null) return { how: 'rerun', source: Number(row.rerun_of) };
  return row?.cloned_from != null ? { how: 'clone', source: Number(row.cloned_from) } : null;
}

/**
 * Records what the present run has come to, at its end or because the next one begins; a later call replaces all but the
 * instant. Only right after `flushCounts`.
 */
export function recordRunEnd(tx: Transaction, workflowKey: number, end: { status?: string; at?: number } = {}): void {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow === null) return;
  tx.db.run(
    `UPDATE runs SET ended_at = coalesce(ended_at, ?), status = ?, (num_jobs, num_done, num_failed, num_canceled) = (
       SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE status = 'done'), 0),
         coalesce(sum(n) FILTER (WHERE failed = 1), 0), coalesce(sum(n) FILTER (WHERE status = 'canceled'), 0)
       FROM job_counts WHERE workflow_key = ?)
     WHERE workflow_key = ? AND run_id = ?`,
    end.at ?? tx.now,
    end.status ?? statusOf(tx, workflow),
    workflowKey,
    workflowKey,
    workflow.runId,
  );
}

/** The present run goes on after all. */
export function reopenRun(tx: Transaction, workflowKey: number): void {
  tx.db.run(
    `UPDATE runs SET ended_at = NULL, status = NULL
     WHERE workflow_key = ? AND run_id = (SELECT run_id FROM workflows WHERE workflow_key = ?)`,
    workflowKey,
    workflowKey,
  );
}
