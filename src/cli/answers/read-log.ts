/** Pieces of what attempts wrote: for a page that follows it, and for who reads only its end. */
import type { Api, JobOutputs, ListRecord } from '../../api/contract.ts';
import type { LogPiece, LogRequest } from '../../api/dash.ts';
import { TorcError } from '../../base/errors.ts';
import { AttemptLog } from '../output/attempt-log.ts';
import type { Stream } from '../output/attempt-output.ts';

const pieceBytes = 256 * 1024;
const firstLines = 1000;

/** Throws TorcError 'not_found' for an attempt that does not exist. */
export async function readLog(api: Api, request: LogRequest): Promise<LogPiece> {
  const { job_key, run_id, attempt_id, stream } = request;
  const log = await openLog(api, job_key, { run_id, attempt_id });
  const nothing = (missing: string): LogPiece => {
    return { text: '', offset: 0, next_offset: 0, has_ended: log.hasEnded, missing };
  };
  if (log.whyNothing !== null) return nothing(log.whyNothing);
  // whether it has ended is known before it is read: nothing is missing after the last piece
  const { hasEnded } = log;
  const offset = request.offset ?? (await log.tailOffset(stream, firstLines));
  const bytes = await log.read(stream, offset, pieceBytes);
  if (bytes === null) return nothing(log.missing(stream));
  const length = wholeCharacters(bytes);
  const text = bytes.subarray(0, length).toString('utf8');
  return {
    text,
    offset,
    next_offset: offset + length,
    has_ended: hasEnded && bytes.length < pieceBytes,
    missing: null,
  };
}

export interface LogTail {
  run_id: number;
  attempt_id: number;
  text: string;
  /** Nothing more is going to be written. */
  has_ended: boolean;
  /** Why there is nothing; null where there is something, or is going to be. */
  missing: string | null;
}

/** The last lines, `tailBytes` at most. `attempt`: null for the last one. Throws TorcError 'not_found' where there is none. */
export async function readTail(
  api: Api,
  job_key: string,
  attempt: AttemptName | null,
  stream: Stream,
  numLines: number,
  tailBytes: number,
): Promise<LogTail> {
  const log = await openLog(api, job_key, attempt);
  const { hasEnded: has_ended, whyNothing } = log;
  const [run_id, attempt_id] = [Number(log.attempt.run_id), Number(log.attempt.attempt_id)];
  const nothing = (missing: string): LogTail => ({ run_id, attempt_id, text: '', has_ended, missing });
  if (whyNothing !== null) return nothing(whyNothing);
  let offset = await log.tailOffset(stream, numLines);
  let tail = Buffer.alloc(0);
  for (;;) {
    const bytes = await log.read(stream, offset, pieceBytes);
    if (bytes === null) return nothing(log.missing(stream));
    offset += bytes.length;
    tail = Buffer.concat([tail, bytes]).subarray(-tailBytes);
    if (bytes.length < pieceBytes) break;
  }
  return { run_id, attempt_id, text: tail.toString('utf8'), has_ended, missing: null };
}

export interface AttemptName {
  run_id: number;
  attempt_id: number;
}

async function openLog(api: Api, job_key: string, attempt: AttemptName | null): Promise<AttemptLog> {
  const show = async (): Promise<JobOutputs> => {
    const ask = { workflow_key: null, job_keys: [job_key], all_attempts: true, after: null, limit: 1 };
    const [job] = (await api.call('jobs_outputs', ask)).jobs;
    if (job === undefined) throw new TorcError('not_found', `there is no job ${job_key}`);
    return job;
  };
  const shown = await show();
  const isMeant = (each: ListRecord): boolean =>
    attempt === null || (each.run_id === attempt.run_id && each.attempt_id === attempt.attempt_id);
  const found = shown.attempts.findLast(isMeant);
  if (found !== undefined) return new AttemptLog(shown, found, show);
  if (attempt === null) throw new TorcError('not_found', `job ${job_key} has not run yet`);
  const { run_id, attempt_id } = attempt;
  throw new TorcError('not_found', `job ${job_key} has no attempt ${attempt_id} in run ${run_id}`);
}

/** The length without a character at the end of which only the first bytes are there. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length - 1); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf8 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
