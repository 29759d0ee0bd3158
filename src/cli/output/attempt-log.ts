/**
 * The output of one attempt of a job: in its own files, in files that the jobs of a worker take turns to use, or in the
 * combined file of its worker.
 *
 * Shared files hold the text of this attempt only until it ends. What was read from them counts only if the server,
 * asked afterwards, does not know of an end.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import type { JobOutputs, ListRecord } from '../../api/contract.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { readLogMember } from '../../base/log-member.ts';
import { openRegularFile } from '../../base/trusted/shared.ts';
import { isMapping } from '../../model/spec/check.ts';
import { cellText } from './table.ts';

export type Stream = 'stdout' | 'stderr';

const firstTailBytes = 64 * 1024;
/** More is never read to find the last lines. */
const tailBytes = 32 * 1024 * 1024;

const withoutText: Readonly<Record<string, string>> = {
  none: 'the output of this job was not kept (stdio: none)',
  removed: 'the return code is 0, and only the output of failed jobs is kept (stdio: on-failure)',
  pruned: 'its output was removed by torc server prune --logs',
  unknown: 'the worker of this attempt did not report where its output is',
};

/** What is known of a job and its attempts. */
export interface Outputs {
  job: Pick<JobOutputs['job'], 'status' | 'orphaned' | 'run_id' | 'attempt_id'>;
  attempts: readonly ListRecord[];
}

export class AttemptLog {
  #shown: Outputs;
  #attempt: ListRecord;
  readonly #show: () => Promise<Outputs>;
  #member: { stdout: Buffer; stderr: Buffer } | null = null;

  /** `show` reads the job from the server again. */
  constructor(shown: Outputs, attempt: ListRecord, show: () => Promise<Outputs>) {
    this.#shown = shown;
    this.#attempt = attempt;
    this.#show = show;
  }

  get attempt(): ListRecord {
    return this.#attempt;
  }

  /** Reads the job from the server again. */
  async refresh(): Promise<void> {
    this.update(await this.#show());
  }

  /** Takes what was read from the server meanwhile. */
  update(shown: Outputs): void {
    this.#shown = shown;
    const { run_id, attempt_id } = this.#attempt;
    const same = this.#shown.attempts.find((each) => each.run_id === run_id && each.attempt_id === attempt_id);
    this.#attempt = same ?? this.#attempt;
  }

  /** Whether nothing more will be written, as of the last refresh. */
  get hasEnded(): boolean {
    const { job } = this.#shown;
    const isNewest = job.run_id === this.#attempt.run_id && job.attempt_id === this.#attempt.attempt_id;
    const isClaimed = job.status === 'submitted' || job.status === 'submitted_pending';
    return !(isNewest && isClaimed && job.orphaned === false);
  }

  /** Why there is nothing to read; null when there may be something. */
  get whyNothing(): string | null {
    const { cause, inherited_from: from } = this.#attempt;
    if (cause === 'marked') return 'no process ran: the job was marked as done';
    if (isMapping(from)) {
      return `the result is inherited from job ${from.job_key} of workflow ${from.workflow_key}: torc jobs logs ${from.job_key}`;
    }
    return withoutText[String(this.#attempt.log_kind)] ?? null;
  }

  get isEmpty(): boolean {
    return this.#attempt.log_kind === 'empty';
  }

  heading(stream: Stream): string {
    const path = cellText(this.#attempt[`${stream}_path`]);
    return this.#attempt.log_kind === 'combined' ? `==> ${path} (${stream}) <==` : `==> ${path} <==`;
  }

  missing(stream: Stream): string {
    if (this.whyNothing === null && this.#attempt[`${stream}_path`] === null) {
      return `no ${stream}: it is not kept apart (stdio per-job, no-stdout or no-stderr)`;
    }
    const path = cellText(this.#attempt[`${stream}_path`]);
    return `no ${stream}: ${this.whyNothing ?? `${path} is not on this host; it was written on ${cellText(this.#attempt.hostname)}`}`;
  }

  /** At most `mostBytes` from `offset` on, none at the end; null when the file does not exist, or not yet. */
  async read(stream: Stream, offset: number, mostBytes: number): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.#readNow(stream, (size) => Math.min(offset, size), mostBytes);
      if (bytes === null || bytes.length === 0 || !(await this.hasMoved())) return bytes;
    }
  }

  /** At most `mostBytes` before the end; null when the file does not exist. */
  async readTail(stream: Stream, mostBytes: number): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.#readNow(stream, (size) => Math.max(0, size - mostBytes), mostBytes);
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
      const tail = this.#readNow(stream, before, mostBytes);
      if (tail === null) return 0;
      const at = lastLines(tail, numLines);
      if (at > 0 || start === 0 || mostBytes >= tailBytes) return start + at;
    }
  }

  /** As `read`, without looking whether the output has moved since. */
  readOnce(stream: Stream, offset: number, mostBytes: number): Buffer | null {
    return this.#readNow(stream, (size) => Math.min(offset, size), mostBytes);
  }

  get isShared(): boolean {
    return this.#attempt.log_kind === 'slot';
  }

  /** Whether the last read is invalid because the output has moved since. */
  async hasMoved(): Promise<boolean> {
    if (this.#attempt.log_kind !== 'slot') return false;
    await this.refresh();
    return this.#attempt.log_kind !== 'slot';
  }

  #readNow(stream: Stream, from: (sizeBytes: number) => number, mostBytes: number): Buffer | null {
    if (this.isEmpty) return Buffer.alloc(0);
    const path = this.#attempt[`${stream}_path`];
    if (typeof path !== 'string') return null;
    const file = openFile(path);
    if (file === null) return null;
    try {
      if (this.#attempt.log_kind !== 'combined') {
        const { size } = fstatSync(file);
        const start = from(size);
        return readPart(file, start, Math.min(mostBytes, size - start));
      }
      this.#member ??= this.#readMember(file, path);
      const text = this.#member[stream];
      const start = from(text.length);
      return text.subarray(start, start + mostBytes);
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    } finally {
      closeSync(file);
    }
  }

  #readMember(file: number, path: string): { stdout: Buffer; stderr: Buffer } {
    const { job_key, run_id, attempt_id, log_offset, log_length } = this.#attempt;
    const packed = readPart(file, Number(log_offset), Number(log_length));
    const name = { jobKey: String(job_key), runId: Number(run_id), attemptId: Number(attempt_id) };
    const member = readLogMember(packed, name);
    if (member !== null) return member;
    throw new TorcError(
      'not_found',
      `the output of this attempt is missing from ${path}`,
      'Try again: a network file system may show it some seconds later. Otherwise the file was changed.',
    );
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

/** Whether a file is not there, or not yet. ESTALE: another host has removed it since this one opened it or its folder. */
export function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ESTALE'].includes(systemCode(error) ?? '');
}

/** Null when the file does not exist, or not yet. */
function openFile(path: string): number | null {
  try {
    return openRegularFile(path);
  } catch (error) {
    if (isAbsence(error)) return null;
    throw new TorcError('not_found', `cannot read ${path}: ${systemCode(error)}`, null, { cause: error });
  }
}

function readPart(file: number, offset: number, mostBytes: number): Buffer {
  const bytes = Buffer.alloc(mostBytes);
  let length = 0;
  while (length < mostBytes) {
    const got = readSync(file, bytes, length, mostBytes - length, offset + length);
    if (got === 0) break;
    length += got;
  }
  return bytes.subarray(0, length);
}
