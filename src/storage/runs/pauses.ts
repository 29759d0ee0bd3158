/** What a person holds back for a while: a whole workflow, or single jobs of it. Nothing that runs is stopped. */
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { holdJob, personsHold } from '../running/holds.ts';
import { moveJob, releaseHold } from '../running/transitions.ts';
import type { Workflow } from '../running/workflows.ts';

/** Lets no more jobs of a workflow start, or lets them start again. Returns whether that is new. */
export function setPaused(tx: Transaction, { workflowKey, pausedAt }: Workflow, isPaused: boolean): boolean {
  if (isPaused === (pausedAt !== null)) return false;
  tx.db.run('UPDATE workflows SET paused_at = ? WHERE workflow_key = ?', isPaused ? tx.now : null, workflowKey);
  tx.event({ workflowKey, type: isPaused ? 'workflow_paused' : 'workflow_resumed' });
  if (!isPaused) tx.tell({ kind: 'jobs_ready', workflowKey });
  return true;
}

/** Statuses in which holding a job back means something: it may be claimed one day, and is not now. */
const holdable: readonly JobStatus[] = ['uninitialized', 'blocked', 'ready', 'canceled', 'terminated'];

export function isHoldable(status: JobStatus): boolean {
  return holdable.includes(status);
}

export interface HeldChange {
  jobKey: number;
  name: string;
  oldStatus: JobStatus;
  newStatus: JobStatus;
}

interface JobRow {
  job_key: number;
  name: string;
  status: JobStatus;
}

/**
 * Holds jobs of a workflow back until they are released, or releases them. Returns those that change, in the order
 * given. Throws 'not_found' for a job of another workflow, and 'conflict' for one that runs or is done.
 */
export function setHeld(
  tx: Transaction,
  workflowKey: number,
  jobKeys: readonly number[],
  isHeld: boolean,
): HeldChange[] {
  const jobs = jobKeys.map((jobKey) => jobOf(tx, workflowKey, jobKey));
  const refused = isHeld ? jobs.filter(({ status }) => !isHoldable(status)) : [];
  if (refused.length > 0) throw cannotHold(refused);
  return jobs.flatMap((job): HeldChange[] => {
    const { job_key: jobKey, name, status: oldStatus } = job;
    const hold = personsHold(tx, jobKey);
    if (isHeld === (hold !== null)) return [];
    if (hold === null) holdBack(tx, workflowKey, job);
    else {
      releaseHold(tx, hold);
      tx.event({ workflowKey, type: 'job_released', jobKey });
    }
    return [{ jobKey, name, oldStatus, newStatus: jobOf(tx, workflowKey, jobKey).status }];
  });
}

function jobOf(tx: Transaction, workflowKey: number, jobKey: number): JobRow {
  const sql = 'SELECT job_key, name, status FROM jobs WHERE job_key = ? AND workflow_key = ?';
  const job = tx.db.get<JobRow>(sql, jobKey, workflowKey);
  if (job === undefined)
    throw new TorcError('not_found', `workflow ${workflowKey} has no job ${jobKey}`, 'torc jobs list');
  return job;
}

function holdBack(tx: Transaction, workflowKey: number, { job_key: jobKey, status }: JobRow): void {
  holdJob(tx, { jobKey, workflowKey }, 'person', null);
  tx.event({ workflowKey, type: 'job_held', jobKey });
  if (status === 'ready') moveJob(tx, { jobKey, workflowKey, status, failed: false }, { to: 'blocked', by: 'hold' });
}

/** Jobs that an error names. */
const mostNamed = 5;

function cannotHold(jobs: readonly JobRow[]): TorcError {
  const shown = jobs.slice(0, mostNamed).map(({ job_key, name, status }) => `${name} (job ${job_key}) is ${status}`);
  const more = jobs.length > mostNamed ? ` and ${jobs.length - mostNamed} more` : '';
  return new TorcError(
    'conflict',
    `jobs that run or are done cannot be held: ${shown.join(', ')}${more}`,
    'Hold the jobs that have not started: torc jobs list -f status=ready',
  );
}
