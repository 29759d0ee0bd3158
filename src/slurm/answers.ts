/** The answers of Slurm's commands: a failed query is not an empty answer; its message has Slurm's own words. */
import { TorcError } from '../base/errors.ts';
import { ownWords } from './replies.ts';
import type { RunResult } from './run.ts';

/** The result of a query. `reason` is a sentence with Slurm's own words. */
export type SlurmAnswer<T> = { kind: 'ok'; value: T } | { kind: 'failed'; reason: string; hint: string | null };

const notFoundHint =
  'Run this on a login node of the cluster, or load the module that puts the Slurm commands on your PATH.';

export const laterHint = 'Try again in a minute; `sinfo` shows whether Slurm answers.';

/** The value of an answer; throws TorcError `slurm` for a failed one. */
export function answered<T>(answer: SlurmAnswer<T>): T {
  if (answer.kind === 'ok') return answer.value;
  throw new TorcError('slurm', answer.reason, answer.hint ?? laterHint);
}

export function failure(command: string, result: RunResult): { kind: 'failed'; reason: string; hint: string | null } {
  if (result.kind === 'missing') {
    return { kind: 'failed', reason: `The command ${command} was not found on this machine.`, hint: notFoundHint };
  }
  if (result.kind === 'timeout') {
    return { kind: 'failed', reason: `${command} did not answer within ${result.seconds} seconds.`, hint: null };
  }
  const words = ownWords(result.stderr) ?? ownWords(result.stdout);
  const ending = result.exitCode === null ? 'was killed' : `ended with exit code ${result.exitCode}`;
  const reason = words === null ? `${command} ${ending}` : `${command}: ${words}`;
  return { kind: 'failed', reason: /[.!?]$/.test(reason) ? reason : `${reason}.`, hint: null };
}

export function isHarmless(stderr: string, harmless: RegExp | undefined): boolean {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  return harmless !== undefined && lines.length > 0 && lines.every((line) => harmless.test(line));
}
