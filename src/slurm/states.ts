/** Every job state that Slurm prints, what it means for an allocation, and why jobs that were left in it ended. */
import type { Cause } from '../model/status.ts';

/**
 * What a state means for the allocation: it has not started; its processes may run; it has ended but processes may
 * still live; it is over; or this version of torc does not know the word, and the allocation counts as alive.
 */
export type SlurmPhase = 'pending' | 'running' | 'ending' | 'final' | 'unknown';

export interface SlurmState {
  /** Slurm's own long word, in capitals; an unknown one as it was printed. */
  name: string;
  phase: SlurmPhase;
  /** In a final state: why attempts ended whose worker never reported an end; else null. */
  cause: Cause | null;
  /** Who canceled it, as Slurm names them (a user id), when the text says so. */
  canceledBy: string | null;
}

interface KnownState {
  name: string;
  code: string;
  phase: SlurmPhase;
  cause: Cause | null;
}

function state(name: string, code: string, phase: SlurmPhase, cause: Cause | null = null): KnownState {
  return { name, code, phase, cause };
}

/** Source: slurmctld's job state names and compact codes, 18.08 to 25.05. */
export const knownStates: readonly KnownState[] = [
  state('PENDING', 'PD', 'pending'),
  state('CONFIGURING', 'CF', 'pending'),
  state('REQUEUED', 'RQ', 'pending'),
  state('REQUEUE_FED', 'RF', 'pending'),
  state('REQUEUE_HOLD', 'RH', 'pending'),
  state('RESV_DEL_HOLD', 'RD', 'pending'),
  state('SPECIAL_EXIT', 'SE', 'pending'),
  // a federated job whose sibling started on another cluster: it is over here and alive there
  state('REVOKED', 'RV', 'pending'),
  state('POWER_UP_NODE', 'PU', 'pending'),
  state('LAUNCH_FAILED', 'LF', 'pending'),
  state('RECONFIG_FAIL', 'RC', 'pending'),
  state('EXPEDITING', 'EX', 'pending'),
  state('RUNNING', 'R', 'running'),
  state('RESIZING', 'RS', 'running'),
  state('SIGNALING', 'SI', 'running'),
  state('SUSPENDED', 'S', 'running'),
  state('STOPPED', 'ST', 'running'),
  state('COMPLETING', 'CG', 'ending'),
  state('STAGE_OUT', 'SO', 'ending'),
  state('UPDATE_DB', 'UD', 'ending'),
  state('COMPLETED', 'CD', 'final', 'worker_lost'),
  state('FAILED', 'F', 'final', 'worker_lost'),
  state('CANCELLED', 'CA', 'final', 'canceled'),
  state('TIMEOUT', 'TO', 'final', 'walltime'),
  state('DEADLINE', 'DL', 'final', 'walltime'),
  state('OUT_OF_MEMORY', 'OOM', 'final', 'oom'),
  state('PREEMPTED', 'PR', 'final', 'preempted'),
  state('NODE_FAIL', 'NF', 'final', 'node_failure'),
  state('BOOT_FAIL', 'BF', 'final', 'node_failure'),
];

const byWord = new Map(knownStates.flatMap((known) => [[known.name, known] as const, [known.code, known] as const]));

/** A word cut to a column's width ends in `+`; it is recognized when only one state begins with it. */
function ofCutWord(word: string): KnownState | null {
  if (!word.endsWith('+') || word.length < 4) return null;
  const start = word.slice(0, -1);
  const candidates = knownStates.filter((known) => known.name.startsWith(start));
  return candidates.length === 1 ? (candidates[0] ?? null) : null;
}

/**
 * A state as Slurm prints it: a long word, a compact code, `CANCELLED by UID`, a word cut short with `+`. Never
 * throws: an unknown word keeps its own name and gets the phase `unknown`.
 */
export function parseState(text: string): SlurmState {
  const shown = text.trim();
  const words = shown.split(/\s+/);
  const word = (words[0] ?? '').toUpperCase();
  const known = byWord.get(word) ?? byWord.get(word.replace(/\+$/, '')) ?? ofCutWord(word);
  if (known === null || known === undefined) {
    return { name: shown === '' ? 'UNKNOWN' : shown, phase: 'unknown', cause: null, canceledBy: null };
  }
  const canceledBy = known.name === 'CANCELLED' && words[1] === 'by' ? (words[2] ?? null) : null;
  return { name: known.name, phase: known.phase, cause: known.cause, canceledBy };
}

/**
 * Whether Slurm does nothing more with the allocation. Its processes may live on: until squeue no longer shows it as
 * COMPLETING, and after NODE_FAIL until the node is back.
 */
export function isFinal(slurmState: SlurmState): boolean {
  return slurmState.phase === 'final';
}
