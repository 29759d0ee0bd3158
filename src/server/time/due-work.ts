/**
 * What is done when an instant has come, by the kind of its row. The work runs in the transaction that takes the row, and
 * is told how late it is in milliseconds: no server may have run for days.
 */

import type { Transaction } from '../../storage/database/transaction.ts';
import { failWorkerCommands, retryFiring } from '../../storage/running/actions.ts';
import { type Due, type DueKind, dueKinds } from '../../storage/running/due.ts';
import { releaseHold } from '../../storage/running/transitions.ts';

export interface DueWork {
  /** A `duration` moves along when the wall clock is set; an `instant` of the calendar stays where it is. */
  measures: 'duration' | 'instant';
  run: (tx: Transaction, due: Due, lateMs: number) => void;
}

export const dueWork: Readonly<Record<DueKind, DueWork>> = {
  // late: the job has waited longer than its rule asks for, and is ready now
  hold: { measures: 'duration', run: (tx, { subjectKey }) => releaseHold(tx, subjectKey) },
  // late: Slurm is asked once, however many tries would have been due meanwhile
  firing: { measures: 'duration', run: (tx, { subjectKey }) => retryFiring(tx, subjectKey) },
  // late: a worker that still wanted to report its commands has had no server for it; what it says later is dropped
  worker_commands: { measures: 'duration', run: (tx, { subjectKey }) => failWorkerCommands(tx, subjectKey) },
};

/** The kinds that follow the wall clock when it is set. */
export const durationKinds: readonly DueKind[] = dueKinds.filter((kind) => dueWork[kind].measures === 'duration');
