/**
 * A job that cannot write its output fails, and cannot write why: what it says goes to the same full file system. So the
 * worker looks whether its output directory takes anything.
 */
import type { Clock } from '../../base/clock.ts';
import { fullWords } from '../../base/full-disk.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import { writeProblemLater } from '../../base/trusted/write-problem.ts';
import type { AttemptEnd } from '../../model/job.ts';
import type { RunnerEvents } from '../processes/job-runner.ts';

/** Jobs that fail within this time of a look share it. */
const lookMs = 2_000;
const limits = { longestMs: 1_000, hurriedMs: 1_000 };

/** Adds the reason to the ends of jobs that failed by themselves while nothing can be written into the folder. */
export function withFullOutput(events: RunnerEvents, clock: Clock, folder: string): RunnerEvents {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let found: Promise<string | null> = Promise.resolve(null);
  const look = (): Promise<string | null> => {
    if (clock.monotonic() - lookedAtMs >= lookMs) {
      lookedAtMs = clock.monotonic();
      const budget = new TimeBudget(clock, new AbortController().signal, limits);
      found = budget.waitFor(writeProblemLater(folder), null);
    }
    return found;
  };
  return {
    ...events,
    ended(finished) {
      if (!failedByItself(finished.end)) events.ended(finished);
      else void look().then((code) => events.ended({ ...finished, end: explained(finished.end, code, folder) }));
    },
  };
}

function failedByItself({ cause, detail }: AttemptEnd): boolean {
  return cause === 'exit_code' && detail === null;
}

function explained(end: AttemptEnd, code: string | null, folder: string): AttemptEnd {
  const full = fullWords(code, folder);
  return full === null ? end : { ...end, detail: `at its end ${full.problem}` };
}
