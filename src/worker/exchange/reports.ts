/** A job's end in its three forms: the worker's own, on the wire, in the spool. */

import type { Request } from '../../api/contract.ts';
import type { FinishedReport, SpooledReport } from '../../api/spool.ts';
import { jsonText } from '../../base/exact-json.ts';
import type { FinishedAttempt } from '../processes/job-runner.ts';

export type ExchangeRequest = Request<'exchange'>;

/** How long ago something happened, for the wire: whole milliseconds, never negative. */
export function ageMs(nowMs: number, atMs: number): number {
  return Math.max(0, Math.round(nowMs - atMs));
}

const plainReportBytes = 1024;
const fileStateBytes = 256;

/** The approximate size of the report in a request. */
export function reportBytes({ files = [], userData = [], result }: FinishedAttempt): number {
  const data = [...userData, ...(result === undefined ? [] : [result])];
  const dataBytes = data.length === 0 ? 0 : Buffer.byteLength(jsonText(data));
  return plainReportBytes + files.length * fileStateBytes + dataBytes;
}

function body(finished: FinishedAttempt): Omit<FinishedReport, 'attempt' | 'start_age_ms' | 'age_ms'> {
  const { end, startedAtMs, endedAtMs, files, userData, result, log, slurmStep } = finished;
  return {
    status: end.status,
    return_code: end.returnCode,
    cause: end.cause,
    exit_code: end.exitCode,
    signal: end.signal,
    detail: end.detail,
    exec_ms: startedAtMs === null ? 0 : ageMs(endedAtMs, startedAtMs),
    peak_memory_bytes: finished.peakMemoryBytes,
    average_memory_bytes: finished.averageMemoryBytes,
    cpu_ms: finished.cpuMs,
    ...(files === undefined ? {} : { files }),
    ...(userData === undefined ? {} : { user_data: userData }),
    ...(result === undefined ? {} : { result }),
    ...(log === undefined ? {} : { log }),
    ...(slurmStep === undefined ? {} : { slurm_step: slurmStep }),
  };
}

/** The end in the form in which it is sent at `nowMs`. */
export function finishedReport(finished: FinishedAttempt, nowMs: number): FinishedReport {
  const { attempt, startedAtMs, endedAtMs } = finished;
  return {
    attempt,
    start_age_ms: startedAtMs === null ? null : ageMs(nowMs, startedAtMs),
    age_ms: ageMs(nowMs, endedAtMs),
    ...body(finished),
  };
}

/** The end of an attempt at `madeAtMs` in the form in which it is spooled; null when it goes back unstarted. */
export function spooledReport(
  workerId: string,
  attempt: number,
  madeAtMs: number,
  finished: FinishedAttempt | null,
  toServerTime: (atMs: number) => number,
): SpooledReport {
  const startedAtMs = finished?.startedAtMs ?? null;
  return {
    worker_id: workerId,
    attempt,
    finished: finished === null ? null : body(finished),
    started_at_ms: startedAtMs === null ? null : Math.round(toServerTime(startedAtMs)),
    ended_at_ms: Math.round(toServerTime(madeAtMs)),
  };
}
