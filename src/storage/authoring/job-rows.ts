/** Rows of jobs as authoring reads them, and their one insert: with links to what a job waits for, reads and writes. */
import type { AddedJob } from '../../api/contract.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addJobAttributes } from './attributes.ts';

type StatedFields =
  | 'name'
  | 'command'
  | 'invocation_script'
  | 'priority'
  | 'cancel_on_blocking_job_failure'
  | 'supports_termination'
  | 'task_failure_is_success'
  | 'max_wait_ms'
  | 'attributes';

/** Keys of what a job names. */
export interface JobReferences {
  requirementsKey: number | null;
  shapeKey: number;
  failureHandlerKey: number | null;
}

/** What a request states about a job, and the keys of what it names. */
export interface NewJob {
  /** A reserved key, or null for the next one. */
  jobKey: number | null;
  workflowKey: number;
  stated: Pick<AddedJob, StatedFields>;
  references: JobReferences;
  inputFiles: Iterable<number>;
  outputFiles: Iterable<number>;
  inputUserData: Iterable<number>;
  outputUserData: Iterable<number>;
}

/** A stored job, as far as it can be changed. */
export interface JobRow {
  job_key: number;
  workflow_key: number;
  name: string;
  command: string;
  invocation_script: string | null;
  priority: number;
  cancel_on_blocking_job_failure: number;
  supports_termination: number;
  task_failure_is_success: number;
  max_wait_ms: number | null;
  status: JobStatus;
  attempt_key: number | null;
  shape_key: number;
  resource_requirements_key: number | null;
}

export function findJob(tx: Transaction, jobKey: number): JobRow | undefined {
  return tx.db.get<JobRow>('SELECT * FROM jobs WHERE job_key = ?', jobKey);
}

/**
 * Stores a job with its links to files and user data; a stored `jobKey` changes nothing. Its counters are those of a job
 * without upstreams. Returns the job's key.
 */
export function insertJob(tx: Transaction, job: NewJob): number {
  const { stated, references } = job;
  const { key } = tx.db.run(
    `INSERT INTO jobs (job_key, workflow_key, name, command, invocation_script, resource_requirements_key, shape_key,
       failure_handler_key, priority, cancel_on_blocking_job_failure, supports_termination,
       task_failure_is_success, max_wait_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (job_key) DO NOTHING`,
    job.jobKey,
    job.workflowKey,
    stated.name,
    stated.command,
    stated.invocation_script,
    references.requirementsKey,
    references.shapeKey,
    references.failureHandlerKey,
    stated.priority,
    stated.cancel_on_blocking_job_failure ? 1 : 0,
    stated.supports_termination ? 1 : 0,
    stated.task_failure_is_success === true ? 1 : 0,
    stated.max_wait_ms ?? null,
  );
  const jobKey = job.jobKey ?? key;
  addJobAttributes(tx, jobKey, stated.attributes);
  linkFiles(tx, jobKey, 0, job.inputFiles);
  linkFiles(tx, jobKey, 1, job.outputFiles);
  linkUserData(tx, jobKey, 0, job.inputUserData);
  linkUserData(tx, jobKey, 1, job.outputUserData);
  return jobKey;
}

function linkFiles(tx: Transaction, jobKey: number, isOutput: 0 | 1, fileKeys: Iterable<number>): void {
  const sql = 'INSERT OR IGNORE INTO job_files (job_key, file_key, is_output) VALUES (?, ?, ?)';
  for (const fileKey of fileKeys) tx.db.run(sql, jobKey, fileKey, isOutput);
}

function linkUserData(tx: Transaction, jobKey: number, isOutput: 0 | 1, userDataKeys: Iterable<number>): void {
  const sql = 'INSERT OR IGNORE INTO job_user_data (job_key, user_data_key, is_output) VALUES (?, ?, ?)';
  for (const userDataKey of userDataKeys) tx.db.run(sql, jobKey, userDataKey, isOutput);
}

/** Makes `downstream` wait for `upstream`, each a job's key or a barrier's with a minus sign. Counters stay as they are. */
export function addEdge(tx: Transaction, upstream: number, downstream: number): void {
  tx.db.run('INSERT OR IGNORE INTO edges (upstream, downstream) VALUES (?, ?)', upstream, downstream);
}
