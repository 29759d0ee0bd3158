/** What a person holds back for a while: a whole workflow, or single jobs of it. Nothing that runs is stopped. */
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addPersonsHolds, removePersonsHolds } from '../running/holds.ts';
import { jobsListed, moveIdleJobs } from '../running/idle-moves.ts';
import type { Workflow } from '../running/workflows.ts';
import { chosenRows, type KeptRows, leaveOut, type Page, readChosen } from './chosen.ts';

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

/**
 * Holds jobs of a workflow back until they are released, without those that run or are done, or releases them. Returns how
 * many change, and a page of those in the order given. Throws 'not_found' for a job of another workflow, and 'conflict'
 * when all that are to be held run or are done.
 */
export function setHeld(
  tx: Transaction,
  workflowKey: number,
  jobKeys: readonly number[],
  { isHeld, skip, limit }: Page & { isHeld: boolean },
): { numChanges: number; changes: HeldChange[]; kept: KeptRows } {
  const typed = readChosen(tx, workflowKey, jobKeys);
  const chosen = leaveOut(tx, typed, (status) => isHeld && !isHoldable(status), cannotHold);
  const changing = tx.db.column<number>(
    `SELECT k.value FROM json_each(?) k WHERE ? =
       EXISTS (SELECT 1 FROM holds h WHERE h.job_key = k.value AND h.kind = 'person') ORDER BY k.key`,
    chosen.keys,
    isHeld ? 0 : 1,
  );
  const shown = JSON.stringify(changing.slice(skip, skip + limit));
  const before = chosenRows(tx, shown);
  if (isHeld) holdAll(tx, workflowKey, changing);
  else release(tx, workflowKey, changing);
  const after = chosenRows(tx, shown);
  const changes = before.map(({ jobKey, name, status: oldStatus }, index): HeldChange => {
    return { jobKey, name, oldStatus, newStatus: after[index]?.status ?? oldStatus };
  });
  return { numChanges: changing.length, changes, kept: chosen.kept };
}

/** Holds one job that nobody holds; returns its status. */
export function hold(tx: Transaction, workflowKey: number, jobKey: number): JobStatus | null {
  holdAll(tx, workflowKey, [jobKey]);
  return chosenRows(tx, JSON.stringify([jobKey]))[0]?.status ?? null;
}

function holdAll(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): void {
  addPersonsHolds(tx, workflowKey, jobKeys);
  noteEach(tx, workflowKey, jobKeys, 'job_held');
  const ready = withStatus(tx, jobKeys, `j.status = 'ready'`);
  moveIdleJobs(tx, workflowKey, ready, { to: 'blocked', by: 'hold' });
}

function release(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): void {
  removePersonsHolds(tx, jobKeys);
  const free = withStatus(tx, jobKeys, `j.status = 'blocked' AND j.num_blockers = 0`);
  moveIdleJobs(tx, workflowKey, free, { to: 'ready', by: 'unblock' });
  // what the others still wait for may need a person
  if (free.length < jobKeys.length) tx.tell({ kind: 'jobs_settled', workflowKey });
  noteEach(tx, workflowKey, jobKeys, 'job_released');
}

function withStatus(tx: Transaction, jobKeys: readonly number[], condition: string): number[] {
  const sql = `SELECT j.job_key FROM ${jobsListed} WHERE ${condition} ORDER BY k.key`;
  return tx.db.column<number>(sql, JSON.stringify(jobKeys));
}

function noteEach(tx: Transaction, workflowKey: number, jobKeys: readonly number[], type: string): void {
  const sql = 'SELECT value, ?, NULL, NULL, NULL FROM json_each(?) ORDER BY key';
  tx.events(workflowKey, sql, type, JSON.stringify(jobKeys));
}

function cannotHold(jobs: string): TorcError {
  return new TorcError(
    'conflict',
    `jobs that run or are done cannot be held: ${jobs}`,
    'Hold the jobs that have not started: torc jobs list -f status=ready',
  );
}
