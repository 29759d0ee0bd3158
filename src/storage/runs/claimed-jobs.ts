/** Claimed jobs with what is known about their processes, and what plans say about single jobs. */
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { liveAttemptsSql } from '../running/attempt-sets.ts';

/** A claimed job and what is known about its process. */
export interface ClaimedJob {
  jobKey: number;
  jobName: string;
  status: JobStatus;
  attemptKey: number;
  runId: number;
  attemptId: number;
  process: Diagnosis['process'];
  /** Whether it was asked to end. */
  isEnding: boolean;
  hostname: string;
  slurmJobId: string | null;
  lastHeartbeatAt: number;
  diagnosis: Diagnosis | null;
}

/** The claimed jobs of a workflow, in stored order. */
export function claimedJobs(tx: Transaction, workflowKey: number): ClaimedJob[] {
  return tx.db
    .all<ClaimedRow>(
      `SELECT j.job_key, j.name, j.status, a.attempt_key, a.run_id, a.attempt_id, a.is_occupying, a.stop_reason, a.diagnosis, n.hostname, n.slurm_job_id,
         n.is_active, n.contact_lost_at, n.last_heartbeat_at
       FROM (${liveAttemptsSql('a.attempt_key')}) live CROSS JOIN attempts a ON a.attempt_key = live.attempt_key
       CROSS JOIN jobs j ON j.job_key = a.job_key
       CROSS JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key ORDER BY j.job_key`,
      workflowKey,
      workflowKey,
    )
    .map((row) => ({
      jobKey: row.job_key,
      jobName: row.name,
      status: row.status,
      attemptKey: row.attempt_key,
      runId: row.run_id,
      attemptId: row.attempt_id,
      process: processOf(row),
      isEnding: row.stop_reason !== null,
      hostname: row.hostname,
      slurmJobId: row.slurm_job_id,
      lastHeartbeatAt: row.last_heartbeat_at,
      diagnosis: parsedDiagnosis(row.diagnosis),
    }));
}

interface ClaimedRow {
  job_key: number;
  name: string;
  status: JobStatus;
  attempt_key: number;
  run_id: number;
  attempt_id: number;
  is_occupying: number;
  stop_reason: string | null;
  diagnosis: string | null;
  hostname: string;
  slurm_job_id: string | null;
  is_active: number;
  contact_lost_at: number | null;
  last_heartbeat_at: number;
}

function parsedDiagnosis(json: string | null): Diagnosis | null {
  return json === null ? null : (JSON.parse(json) as Diagnosis);
}

function processOf(row: ClaimedRow): Diagnosis['process'] {
  if (row.is_occupying === 0) return 'gone';
  return row.is_active === 0 || row.contact_lost_at !== null ? 'lost_contact' : 'running';
}

/** What a change of a plan says about a job beyond its number. */
export interface JobLabel {
  name: string;
  returnCode: number | null;
  cause: string | null;
  /** What its worker said about its end beyond the cause. */
  detail: string | null;
  diagnosis: Diagnosis | null;
}

interface LabelRow {
  job_key: number;
  name: string;
  return_code: number | null;
  cause: string | null;
  detail: string | null;
  lost_cause: string | null;
  diagnosis: string | null;
  is_live: number | null;
}

/** Names and newest ends of some jobs, by key. */
export function jobLabels(tx: Transaction, jobKeys: readonly number[]): Map<number, JobLabel> {
  const rows = tx.db.all<LabelRow>(
    `SELECT j.job_key, j.name, a.return_code, a.cause, a.detail, a.lost_cause, a.diagnosis, a.is_live FROM jobs j
     LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.job_key IN (SELECT value FROM json_each(?))`,
    JSON.stringify(jobKeys),
  );
  return new Map(
    rows.map((row) => [
      row.job_key,
      {
        name: row.name,
        returnCode: row.return_code,
        detail: row.detail,
        cause: row.is_live === 1 ? row.lost_cause : row.cause,
        diagnosis: row.is_live === 1 ? parsedDiagnosis(row.diagnosis) : null,
      },
    ]),
  );
}
