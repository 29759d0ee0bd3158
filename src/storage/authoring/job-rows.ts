/** Rows of jobs as authoring reads them, and their one insert: with links to what a job waits for, reads and writes. */
import type { AddedJob } from '../../api/contract.ts';
import type { Launch } from '../../model/launch.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addJobLaunch, replaceJobLaunch } from '../running/launch.ts';
import { addJobAttributes } from './attributes.ts';
import { JobStems } from './job-stems.ts';

/** Columns with what a request states about a job, besides its name and what it names. */
const statedColumns = {
  command: (job: StatedJob) => job.command,
  identity: (job: StatedJob) => job.identity ?? null,
  invocation_script: (job: StatedJob) => job.invocation_script,
  priority: (job: StatedJob) => job.priority,
  cancel_on_blocking_job_failure: (job: StatedJob) => (job.cancel_on_blocking_job_failure ? 1 : 0),
  supports_termination: (job: StatedJob) => (job.supports_termination ? 1 : 0),
  task_failure_is_success: (job: StatedJob) => (job.task_failure_is_success === true ? 1 : 0),
  max_wait_ms: (job: StatedJob) => job.max_wait_ms ?? null,
} as const;

const statedNames = Object.keys(statedColumns).join(', ');
const statedPlaces = Object.keys(statedColumns)
  .map(() => '?')
  .join(', ');

function statedValues(job: StatedJob): (string | number | null)[] {
  return Object.values(statedColumns).map((read) => read(job));
}

/** What a request states about a job, besides its name and what it names. */
export type StatedJob = Pick<
  AddedJob,
  | 'command'
  | 'identity'
  | 'invocation_script'
  | 'priority'
  | 'cancel_on_blocking_job_failure'
  | 'supports_termination'
  | 'task_failure_is_success'
  | 'max_wait_ms'
  | 'attributes'
  | keyof Launch
>;

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
  stated: StatedJob & Pick<AddedJob, 'name'>;
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
  identity: string | null;
  invocation_script: string | null;
  priority: number;
  cancel_on_blocking_job_failure: number;
  supports_termination: number;
  task_failure_is_success: number;
  max_wait_ms: number | null;
  status: JobStatus;
  attempt_key: number | null;
  shape_key: number;
  stem_key: number | null;
  resource_requirements_key: number | null;
}

export function findJob(tx: Transaction, jobKey: number): JobRow | undefined {
  return tx.db.get<JobRow>('SELECT * FROM jobs WHERE job_key = ?', jobKey);
}

/**
 * Stores a job with its links to files and user data; a stored `jobKey` changes nothing. Its counters are those of a job
 * without upstreams; `stems` count it. Returns the job's key.
 */
export function insertJob(tx: Transaction, job: NewJob, stems: JobStems): number {
  const { stated, references } = job;
  const stemKey = stems.keyOf(stated.name);
  const { key, changes } = tx.db.run(
    `INSERT INTO jobs (job_key, workflow_key, name, stem_key, resource_requirements_key, shape_key, failure_handler_key,
       ${statedNames}) VALUES (?, ?, ?, ?, ?, ?, ?, ${statedPlaces}) ON CONFLICT (job_key) DO NOTHING`,
    job.jobKey,
    job.workflowKey,
    stated.name,
    stemKey,
    references.requirementsKey,
    references.shapeKey,
    references.failureHandlerKey,
    ...statedValues(stated),
  );
  if (changes > 0) stems.add(stemKey, references.shapeKey);
  const jobKey = job.jobKey ?? key;
  addJobAttributes(tx, jobKey, stated.attributes);
  addJobLaunch(tx, job.workflowKey, jobKey, stated);
  linkFiles(tx, jobKey, 0, job.inputFiles);
  linkFiles(tx, jobKey, 1, job.outputFiles);
  linkUserData(tx, jobKey, 0, job.inputUserData);
  linkUserData(tx, jobKey, 1, job.outputUserData);
  return jobKey;
}

/** Stores a single job as `insertJob` does. */
export function addJob(tx: Transaction, job: NewJob): number {
  const stems = new JobStems(tx, job.workflowKey);
  const jobKey = insertJob(tx, job, stems);
  stems.store();
  return jobKey;
}

/** Gives a job other settings; what it reads, writes and waits for stays. */
export function updateJob(tx: Transaction, jobKey: number, stated: StatedJob, references: JobReferences): void {
  tx.db.run(
    `UPDATE jobs SET (resource_requirements_key, shape_key, failure_handler_key, ${statedNames})
       = (?, ?, ?, ${statedPlaces}) WHERE job_key = ?`,
    references.requirementsKey,
    references.shapeKey,
    references.failureHandlerKey,
    ...statedValues(stated),
    jobKey,
  );
  replaceJobLaunch(tx, jobKey, stated);
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
