/**
 * The output of one attempt of a job: in its own files, in files that the jobs of a worker take turns to use, or in the
 * combined file of its worker.
 *
 * Shared files hold the text of this attempt only until it ends. What was read from them counts only if the server,
 * asked afterwards, does not know of an end.
 */
import type { JobOutputs, ListRecord } from '../../api/contract.ts';
import { AttemptOutput, type Stream } from './attempt-output.ts';

const firstTailBytes = 64 * 1024;
/** More is never read to find the last lines. */
const tailBytes = 32 * 1024 * 1024;

/** What is known of a job and its attempts. */
export interface Outputs {
  job: Pick<JobOutputs['job'], 'status' | 'orphaned' | 'run_id' | 'attempt_id'>;
  attempts: readonly ListRecord[];
}

export class AttemptLog extends AttemptOutput {
  #shown: Outputs;
  readonly #show: () => Promise<Outputs>;

  /** `show` reads the job from the server again. */
  constructor(shown: Outputs, attempt: ListRecord, show: () => Promise<Outputs>) {
    super(attempt);
    this.#shown = shown;
    this.#show = show;
  }

  /** Reads the job from the server again. */
  async refresh(): Promise<void> {
    this.update(await this.#show());
  }

  /** Takes what was read from the server meanwhile. */
  update(shown: Outputs): void {
    this.#shown = shown;
    const { run_id, attempt_id } = this.attempt;
    const same = this.#shown.attempts.find((each) => each.run_id === run_id && each.attempt_id === attempt_id);
    this.attempt = same ?? this.attempt;
  }

  /** Whether nothing more will be written, as of the last refresh. */
  get hasEnded(): boolean {
    const { job } = this.#shown;
    const isNewest = job.run_id === this.attempt.run_id && job.attempt_id === this.attempt.attempt_id;
    const isClaimed = job.status === 'submitted' || job.status === 'submitted_pending';
    return !(isNewest && isClaimed && job.orphaned === false);
  }

  /** At most `mostBytes` from `offset` on, none at the end; null when the file does not exist, or not yet. */
  async read(stream: Stream, offset: number, mostBytes: number): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.readOnce(stream, offset, mostBytes);
      if (bytes === null || bytes.length === 0 || !(await this.hasMoved())) return bytes;
    }
  }

  /** At most `mostBytes` before the end; null when the file does not exist. */
  async readTail(stream: Stream, mostBytes: number): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.endNow(stream, mostBytes);
      if (!(await this.hasMoved())) return bytes;
    }
  }

  /** Where the last `numLines` lines begin, as far as the last `tailBytes` have them; 0 where there is nothing. */
  async tailOffset(stream: Stream, numLines: number): Promise<number> {
    for (;;) {
      const offset = this.tailStart(stream, numLines);
      if (!(await this.hasMoved())) return offset;
    }
  }

  /** As `tailOffset`, without looking whether the output has moved since. */
  tailStart(stream: Stream, numLines: number): number {
    for (let mostBytes = firstTailBytes; ; mostBytes *= 8) {
      let start = 0;
      const before = (size: number): number => {
        start = Math.max(0, size - mostBytes);
        return start;
      };
      const tail = this.readNow(stream, before, mostBytes);
      if (tail === null) return 0;
      const at = lastLines(tail, numLines);
      if (at > 0 || start === 0 || mostBytes >= tailBytes) return start + at;
    }
  }

  /** As `read`, without looking whether the output has moved since. */
  readOnce(stream: Stream, offset: number, mostBytes: number): Buffer | null {
    return this.readNow(stream, (size) => Math.min(offset, size), mostBytes);
  }

  get isShared(): boolean {
    return this.attempt.log_kind === 'slot';
  }

  /** Whether the last read is invalid because the output has moved since. */
  async hasMoved(): Promise<boolean> {
    if (!this.isShared) return false;
    await this.refresh();
    return !this.isShared;
  }
}

/** Where the last lines of a text begin; 0 when it has no more than these. */
function lastLines(text: Buffer, numLines: number): number {
  // a line break at the very end begins no line
  let at = text.length > 0 && text.at(-1) === 0x0a ? text.length - 1 : text.length;
  for (let left = numLines; left > 0; left -= 1) {
    if (at <= 0) return 0;
    const end = text.lastIndexOf(0x0a, at - 1);
    if (end < 0) return 0;
    at = end;
  }
  return numLines === 0 ? text.length : at + 1;
}
