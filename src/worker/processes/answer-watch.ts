/** Notices that a program that starts jobs hangs. */
import type { Clock } from '../../base/clock.ts';
import { isProcessAlive, isStuckInKernel } from '../../base/proc.ts';

/** What a program leaves unanswered from one look to the next will not come. */
const lookEveryMs = 60_000;

/** A job that the program was given. */
export interface Awaited {
  /** It waits for a place, so nothing has to be said yet. */
  isQueued: boolean;
  /** Null until the program has said that it runs. */
  pid: number | null;
  /** What had to be said at the last look. */
  owed: 'start' | 'end' | null;
}

/** Calls `hangs` once when the program, with this pid, has left a start or an end unsaid for a minute or two. Returns what cancels that. */
export function watchAnswers(
  clock: Clock,
  pid: number,
  jobs: { values(): Iterable<Awaited> },
  hangs: () => void,
): () => void {
  let cancel = clock.after(lookEveryMs, look);
  function look(): void {
    // a file system that does not answer is not the fault of the program
    const mayHang = !isStuckInKernel(pid);
    for (const job of jobs.values()) {
      const owed = mayHang ? owedFor(job) : null;
      if (owed !== null && owed === job.owed) {
        hangs();
        return;
      }
      job.owed = owed;
    }
    cancel = clock.after(lookEveryMs, look);
  }
  return () => cancel();
}

function owedFor({ isQueued, pid }: Awaited): Awaited['owed'] {
  if (pid === null) return isQueued ? null : 'start';
  return isProcessAlive(pid, null) ? null : 'end';
}
