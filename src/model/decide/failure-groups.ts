/** Failed jobs grouped by how they ended and by what is the same in what they wrote. */
import type { LogEnd } from './failure-signature.ts';
import { signatureOf } from './failure-signature.ts';

/** How a job failed, and the end of what it wrote. */
export interface Failure extends LogEnd {
  jobKey: string;
  runId: number;
  attemptId: number;
  cause: string | null;
  returnCode: number | null;
  /** What the attempt had. */
  memoryBytes: number;
  /** Why the end of its output could not be read; null when it was. */
  unread: string | null;
}

export interface FailureGroup {
  cause: string | null;
  /** In the order in which they were found. */
  returnCodes: number[];
  /** What their last lines have in common; empty when they wrote nothing, or when nothing could be read. */
  pattern: string;
  unread: string | null;
  count: number;
  /** The first one. */
  example: Failure;
  lines: string[];
  /** At most `mostKeys`. */
  jobKeys: string[];
}

const mostKeys = 1000;

export class FailureGroups {
  readonly #groups = new Map<string, FailureGroup>();

  add(failure: Failure): void {
    const { pattern, lines } = signatureOf(failure);
    const { cause, unread, returnCode, jobKey } = failure;
    // what was written decides; only the code where nothing was
    const id = `${cause} ${pattern === '' ? returnCode : ''} ${unread === null} ${pattern}`;
    const group = this.#groups.get(id);
    if (group === undefined) {
      const returnCodes = returnCode === null ? [] : [returnCode];
      const made = { cause, returnCodes, pattern, unread, count: 1, example: failure, lines, jobKeys: [jobKey] };
      this.#groups.set(id, made);
      return;
    }
    group.count += 1;
    if (returnCode !== null && !group.returnCodes.includes(returnCode)) group.returnCodes.push(returnCode);
    if (group.jobKeys.length < mostKeys) group.jobKeys.push(jobKey);
  }

  /** The largest first; of equal ones the one that was found first. */
  all(): FailureGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count);
  }
}
