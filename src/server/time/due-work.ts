/**
 * The work of each kind of due row. It runs in the transaction that removes the row; when no server was running, it may
 * run days late.
 */

import type { Transaction } from '../../storage/database/transaction.ts';
import { failWorkerCommands, retryFiring } from '../../storage/running/actions.ts';
import { type Due, type DueKind, dueKinds } from '../../storage/running/due.ts';
import { expireJobs } from '../../storage/running/max-wait.ts';
import { closeDigest, retryMessage } from '../../storage/running/outbox.ts';
import { announceRecovery } from '../../storage/running/recoveries.ts';
import { timeOutRun } from '../../storage/running/run-limits.ts';
import { releaseHold } from '../../storage/running/transitions.ts';
import { cancelRest } from '../../storage/runs/cancel-rest.ts';
import { tellWaiting } from '../../storage/runs/messages.ts';
import { setStopping } from '../../storage/runs/runs.ts';

export interface DueWork {
  /** A `duration` moves along when the wall clock is set; an `instant` of the calendar stays where it is. */
  measures: 'duration' | 'instant';
  run: (tx: Transaction, due: Due, lateMs: number) => void;
}

export const dueWork: Readonly<Record<DueKind, DueWork>> = {
  // late: the job has waited longer than its rule requires, and is ready now
  hold: { measures: 'duration', run: (tx, { subjectKey }) => releaseHold(tx, subjectKey) },
  // late: Slurm is asked once, however many retries would have been due meanwhile
  firing: { measures: 'duration', run: (tx, { subjectKey }) => retryFiring(tx, subjectKey) },
  // late: a worker may have had no server to report to; a report that arrives after this is dropped
  worker_commands: { measures: 'duration', run: (tx, { subjectKey }) => failWorkerCommands(tx, subjectKey) },
  // late: the restart has been gone for longer
  stopping: { measures: 'duration', run: (tx, { subjectKey }) => void setStopping(tx, subjectKey, false) },
  // late: the run has lasted longer, because nobody could end it
  run_timeout: { measures: 'duration', run: (tx, { subjectKey }) => timeOutRun(tx, subjectKey) },
  // late: a job that no server could give out has waited all the same
  max_wait: { measures: 'duration', run: (tx, { subjectKey }) => expireJobs(tx, subjectKey) },
  // late: the message is sent once, however many tries would have been due meanwhile
  message: { measures: 'duration', run: (tx, { subjectKey }) => retryMessage(tx, subjectKey) },
  // late: no job has failed meanwhile
  digest: { measures: 'duration', run: (tx, { subjectKey }) => closeDigest(tx, subjectKey) },
  // late: the jobs have waited for longer
  waiting: { measures: 'duration', run: (tx, { subjectKey }) => tellWaiting(tx, subjectKey) },
  // late: nothing of the run has started meanwhile
  cancel_rest: { measures: 'duration', run: (tx, { subjectKey }) => cancelRest(tx, subjectKey) },
  // late: nodes were not asked for meanwhile; a server looks at every workflow with an autoscaler when it starts
  autoscale: {
    measures: 'duration',
    run: (tx, { workflowKey }) => tx.tell({ kind: 'autoscale_due', workflowKey }),
  },
  // late: the jobs have waited for longer; only a server recovers, and whoever takes the row leaves it for one
  recover: { measures: 'duration', run: (tx, { workflowKey }) => announceRecovery(tx, workflowKey) },
  // late: only a server makes workflows, and its schedules say what becomes of the instants that have passed
  schedule: {
    measures: 'instant',
    run: (tx, { subjectKey }) => tx.tell({ kind: 'schedule_due', scheduleKey: subjectKey }),
  },
  interval: {
    measures: 'duration',
    run: (tx, { subjectKey }) => tx.tell({ kind: 'schedule_due', scheduleKey: subjectKey }),
  },
};

/** The kinds that move along when the wall clock is set. */
export const durationKinds: readonly DueKind[] = dueKinds.filter((kind) => dueWork[kind].measures === 'duration');
