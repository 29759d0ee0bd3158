/** What a failed sbatch means: refused, or perhaps submitted although nothing says so. */
import { TorcError } from '../base/errors.ts';
import { failure, laterHint } from './answers.ts';
import { ownWords } from './replies.ts';
import type { RunResult } from './run.ts';

/** Whether a failed sbatch may have reached slurmctld. */
export function mayHaveSubmitted(result: RunResult): boolean {
  if (result.kind !== 'ended') return result.kind === 'timeout';
  if (result.exitCode === 0 || result.exitCode === null) return true;
  return /timed out|zero bytes|communication|unexpected message/i.test(result.stderr);
}

const unknownOutcome = new Error('the outcome of this submission is unknown');

/** Whether an error of `sbatch` leaves open whether the allocation exists: then it must be looked for, not given up. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof TorcError && error.cause === unknownOutcome;
}

function printed(result: RunResult): string {
  const words = result.kind === 'ended' ? ownWords(result.stdout) : null;
  return words === null ? 'it printed nothing' : JSON.stringify(words);
}

export function submitError(result: RunResult, jobName: string): TorcError {
  const failed = result.kind === 'ended' && result.exitCode === 0 ? null : failure('sbatch', result);
  if (mayHaveSubmitted(result)) {
    const reason =
      failed?.reason ?? `sbatch succeeded, but its output does not say which job it is: ${printed(result)}.`;
    return new TorcError(
      'slurm',
      `${reason} It is not known whether the allocation ${jobName} was submitted.`,
      `\`squeue --name=${jobName}\` shows whether it arrived; torc looks for it by that name as well.`,
      { cause: unknownOutcome },
    );
  }
  const isAway = result.kind === 'ended' && /unable to contact/i.test(result.stderr);
  const check =
    'Check account, partition and limits with `torc hpc slurm list-configs`, and change them with `modify-config`.';
  return new TorcError('slurm', failed?.reason ?? 'sbatch failed.', failed?.hint ?? (isAway ? laterHint : check));
}
