/** What is known about a workflow: its row, its counts, its status. */
import { TorcError } from '../../base/errors.ts';
import type { StdioMode, TerminationSignal } from '../../model/expanded.ts';
import {
  activeStatuses,
  type JobCounts,
  type JobStatus,
  noJobs,
  type WorkflowStatus,
  workflowStatus,
} from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { hasHeldJob, hasTimedHold } from './holds.ts';
import { countLeft } from './losses.ts';
import { hasHadWorkersSql, hasWorkersSql } from './presence.ts';

export interface Workflow {
  workflowKey: number;
  name: string;
  phase: string;
  runId: number;
  isCanceled: boolean;
  hasTimedOut: boolean;
  /** The run has as many failures as it may have. */
  hasFailedOut: boolean;
  /** Whether a started run has ended. */
  hasEnded: boolean;
  /** Claims are held back while a restart stops what runs. */
  isStopping: boolean;
  /** Since when a person lets no more jobs start (milliseconds UTC); null while they may. */
  pausedAt: number | null;
  firstJobKey: number;
  firstFileKey: number;
  firstUserDataKey: number;
  firstBarrierKey: number;
  numSpecJobs: number;
  numSpecFiles: number;
  numSpecUserData: number;
  numBarriers: number;
  expirationBufferMs: number;
  waitForNewJobsMs: number;
  ignoreWorkflowCompletion: boolean;
  waitForHealthyDatabaseMs: number;
  sampleIntervalMs: number | null;
  stdio: StdioMode;
  terminationSignal: TerminationSignal;
  sigtermLeadMs: number;
  createOutputFolders: boolean;
  /** Where relative paths start and jobs run; null until a worker has started where none was given. */
  baseDirectory: string | null;
}

/** A visible workflow; throws TorcError 'not_found'. */
export function getWorkflow(tx: Transaction, workflowKey: number): Workflow {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow === null || workflow.phase === 'creating' || workflow.phase === 'deleting') {
    throw new TorcError('not_found', `there is no workflow ${workflowKey}`, 'torc workflows list');
  }
  return workflow;
}

interface WorkflowRow {
  name: string;
  phase: string;
  run_id: number;
  is_canceled: number;
  has_timed_out: number;
  has_failed_out: number;
  ended_at: number | null;
  is_stopping: number;
  paused_at: number | null;
  first_job_key: number;
  first_file_key: number;
  first_user_data_key: number;
  first_barrier_key: number;
  num_spec_jobs: number;
  num_spec_files: number;
  num_spec_user_data: number;
  num_barriers: number;
  expiration_buffer_ms: number;
  wait_for_new_jobs_ms: number;
  ignore_workflow_completion: number;
  wait_for_healthy_database_ms: number;
  sample_interval_ms: number | null;
  termination_signal: TerminationSignal;
  sigterm_lead_ms: number;
  create_output_folders: number;
  stdio: StdioMode;
  base_directory: string | null;
}

/** A workflow in any phase, or null. */
export function findWorkflow(tx: Transaction, workflowKey: number): Workflow | null {
  const row = tx.db.get<WorkflowRow>('SELECT * FROM workflows WHERE workflow_key = ?', workflowKey);
  if (row === undefined) return null;
  return {
    workflowKey,
    name: row.name,
    phase: row.phase,
    runId: row.run_id,
    isCanceled: row.is_canceled === 1,
    hasTimedOut: row.has_timed_out === 1,
    hasFailedOut: row.has_failed_out === 1,
    hasEnded: row.phase === 'started' && row.ended_at !== null,
    isStopping: row.is_stopping === 1,
    pausedAt: row.paused_at,
    firstJobKey: row.first_job_key,
    firstFileKey: row.first_file_key,
    firstUserDataKey: row.first_user_data_key,
    firstBarrierKey: row.first_barrier_key,
    numSpecJobs: row.num_spec_jobs,
    numSpecFiles: row.num_spec_files,
    numSpecUserData: row.num_spec_user_data,
    numBarriers: row.num_barriers,
    expirationBufferMs: row.expiration_buffer_ms,
    waitForNewJobsMs: row.wait_for_new_jobs_ms,
    ignoreWorkflowCompletion: row.ignore_workflow_completion === 1,
    waitForHealthyDatabaseMs: row.wait_for_healthy_database_ms,
    sampleIntervalMs: row.sample_interval_ms,
    stdio: row.stdio,
    terminationSignal: row.termination_signal,
    sigtermLeadMs: row.sigterm_lead_ms,
    createOutputFolders: row.create_output_folders === 1,
    baseDirectory: row.base_directory,
  };
}

/** A workflow that was created without a base directory gets that of its first worker. */
export function settleBaseDirectory(tx: Transaction, workflow: Workflow, directory: string | null): void {
  if (workflow.baseDirectory !== null || directory === null) return;
  const sql = 'UPDATE workflows SET base_directory = ? WHERE workflow_key = ?';
  tx.db.run(sql, directory, workflow.workflowKey);
}

/** Job counts by status; only right after `flushCounts`. */
export function jobCounts(tx: Transaction, workflowKey: number): JobCounts {
  const counts = noJobs();
  const sql = 'SELECT status, failed, n FROM job_counts WHERE workflow_key = ?';
  for (const row of tx.db.all<{ status: JobStatus; failed: number; n: number }>(sql, workflowKey)) {
    counts[row.status] += row.n;
    if (row.failed === 1) counts.failed += row.n;
  }
  return counts;
}

/** Only right after `flushCounts`. */
export function statusOf(tx: Transaction, workflow: Workflow): WorkflowStatus {
  const { workflowKey } = workflow;
  const workers = tx.db.get<{ present: number; past: number }>(
    `SELECT ${hasWorkersSql('w')} AS present, ${hasHadWorkersSql('w')} AS past FROM workflows w WHERE workflow_key = ?`,
    workflowKey,
  );
  return workflowStatus({
    runId: workflow.runId,
    isCanceled: workflow.isCanceled,
    hasTimedOut: workflow.hasTimedOut,
    isPaused: workflow.pausedAt !== null,
    isBeingStopped: workflow.isStopping && !workflow.hasEnded,
    counts: jobCounts(tx, workflowKey),
    numLeft: countLeft(tx, workflowKey),
    hasTimedHold: hasTimedHold(tx, workflowKey),
    hasHeldJob: hasHeldJob(tx, workflowKey),
    hasWorkers: workers?.present === 1,
    hasHadWorkers: workers?.past === 1,
  });
}

/** A token for the state that plans are made from: it changes with every event of the workflow, even of the same transaction. */
export function stateToken(tx: Transaction, workflowKey: number): string {
  tx.endMoves(workflowKey);
  const sql = 'SELECT max(event_key) AS n FROM events WHERE workflow_key = ?';
  return String(tx.db.get<{ n: number | null }>(sql, workflowKey)?.n ?? 0);
}

const activeJobs = `SELECT coalesce(sum(n), 0) AS active, coalesce(sum(n) FILTER (WHERE status <> 'ready'), 0) AS claimed,
    (SELECT has_timed_out FROM workflows WHERE workflow_key = ?) AS has_timed_out
  FROM job_counts WHERE workflow_key = ? AND status IN (${activeStatuses.map((status) => `'${status}'`).join(', ')})`;

/**
 * Whether this workflow can still have work for a worker; a hold counts, whether it ends by itself or a person ends it, a
 * lost job that does not come back by itself does not. After the timeout of the run only running jobs count. Only right after `flushCounts`.
 */
export function isWorkflowActive(tx: Transaction, workflowKey: number): boolean {
  const counts = tx.db.get<{ active: number; claimed: number; has_timed_out: number }>(
    activeJobs,
    workflowKey,
    workflowKey,
  );
  const hasTimedOut = counts?.has_timed_out === 1;
  const numActive = (hasTimedOut ? counts.claimed : counts?.active) ?? 0;
  if (numActive > 0 && numActive > countLeft(tx, workflowKey)) return true;
  if (hasTimedOut) return false;
  return hasTimedHold(tx, workflowKey) || hasHeldJob(tx, workflowKey);
}

/** Jobs of a workflow in some statuses, in stored order. */
export function jobsInStatuses(
  tx: Transaction,
  workflowKey: number,
  statuses: readonly JobStatus[],
  limit: number,
): { jobKey: number; name: string; status: JobStatus; numBlockers: number }[] {
  return tx.db
    .all<{ job_key: number; name: string; status: JobStatus; num_blockers: number }>(
      `SELECT job_key, name, status, num_blockers FROM jobs
       WHERE workflow_key = ? AND status IN (SELECT value FROM json_each(?)) ORDER BY job_key LIMIT ?`,
      workflowKey,
      JSON.stringify(statuses),
      limit,
    )
    .map((row) => ({
      jobKey: row.job_key,
      name: row.name,
      status: row.status,
      numBlockers: row.num_blockers,
    }));
}
