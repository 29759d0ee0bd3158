/** Where the output of one attempt is, by what the server has said of it, and what can be read there now. */
import { closeSync, readSync } from 'node:fs';
import type { ListRecord } from '../../api/contract.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { readLogMember } from '../../base/log-member.ts';
import { type OpenFile, openRegularFile } from '../../base/trusted/shared.ts';
import { isMapping } from '../../model/spec/check.ts';
import { cellText } from './table.ts';

export type Stream = 'stdout' | 'stderr';

const withoutText: Readonly<Record<string, string>> = {
  none: 'the output of this job was not kept (stdio: none)',
  removed: 'the return code is 0, and only the output of failed jobs is kept (stdio: on-failure)',
  pruned: 'its output was removed by torc server prune --logs',
  unknown: 'the worker of this attempt did not report where its output is',
};

export class AttemptOutput {
  attempt: ListRecord;
  #member: { stdout: Buffer; stderr: Buffer } | null = null;

  constructor(attempt: ListRecord) {
    this.attempt = attempt;
  }

  /** Why there is nothing to read; null when there may be something. */
  get whyNothing(): string | null {
    const { cause, inherited_from: from, log_kind } = this.attempt;
    if (cause === 'marked') return 'no process ran: the job was marked as done';
    if (cause === 'max_wait') return 'no process ran: the job was ready for longer than its max_wait';
    if (isMapping(from)) {
      return `the result is inherited from job ${from.job_key} of workflow ${from.workflow_key}: torc jobs logs ${from.job_key}`;
    }
    return withoutText[String(log_kind)] ?? null;
  }

  get isEmpty(): boolean {
    return this.attempt.log_kind === 'empty';
  }

  heading(stream: Stream): string {
    const path = cellText(this.attempt[`${stream}_path`]);
    return this.attempt.log_kind === 'combined' ? `==> ${path} (${stream}) <==` : `==> ${path} <==`;
  }

  missing(stream: Stream): string {
    if (this.whyNothing === null && this.attempt[`${stream}_path`] === null) {
      return `no ${stream}: it is not kept apart (stdio per-job, no-stdout or no-stderr)`;
    }
    const path = cellText(this.attempt[`${stream}_path`]);
    return `no ${stream}: ${this.whyNothing ?? `${path} is not on this host; it was written on ${cellText(this.attempt.hostname)}`}`;
  }

  /** At most `mostBytes` before the end; null when the file does not exist. */
  endNow(stream: Stream, mostBytes: number): Buffer | null {
    return this.readNow(stream, (size) => Math.max(0, size - mostBytes), mostBytes);
  }

  /** At most `mostBytes` from where `from` says; null when the file does not exist, or not yet. */
  readNow(stream: Stream, from: (sizeBytes: number) => number, mostBytes: number): Buffer | null {
    if (this.isEmpty) return Buffer.alloc(0);
    const path = this.attempt[`${stream}_path`];
    if (typeof path !== 'string') return null;
    const opened = openFile(path);
    if (opened === null) return null;
    const { file, size } = opened;
    try {
      if (this.attempt.log_kind !== 'combined') {
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
    const { job_key, run_id, attempt_id, log_offset, log_length } = this.attempt;
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

/** Whether a file is not there, or not yet. ESTALE: another host has removed it since this one opened it or its folder. */
export function isAbsence(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ESTALE'].includes(systemCode(error) ?? '');
}

/** Null when the file does not exist, or not yet. */
function openFile(path: string): OpenFile | null {
  try {
    return openRegularFile(path);
  } catch (error) {
    if (isAbsence(error)) return null;
    throw new TorcError('not_found', `cannot read ${path}: ${systemCode(error)}`, null, { cause: error });
  }
}

function readPart(file: number, offset: number, mostBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(mostBytes);
  let length = 0;
  while (length < mostBytes) {
    const got = readSync(file, bytes, length, mostBytes - length, offset + length);
    if (got === 0) break;
    length += got;
  }
  return bytes.subarray(0, length);
}
