/**
 * Workers' requests as nearly all of them are. The schema takes them as they are, so they need not be parsed by it, which
 * would make everything in them once more.
 */
import { reportedCauses } from '../../model/status.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Whether the schema of the exchange takes a request and changes nothing in it; of others only the schema knows. */
export function isUsual(request: unknown): boolean {
  if (!isObject(request)) return false;
  const { worker_id, seq, epoch, ack, held, started, finished, returned, samples, time_left_ms } = request;
  return (
    hasOnly(request, requestFields, ['database']) &&
    Number.isSafeInteger(request.protocol) &&
    isMissingOr(isCount, request.database) &&
    typeof worker_id === 'string' &&
    isCount(seq) &&
    isCount(epoch) &&
    isCount(ack) &&
    (time_left_ms === null || Number.isFinite(time_left_ms)) &&
    typeof request.draining === 'boolean' &&
    typeof request.leaving === 'boolean' &&
    isList(isAttempt, held) &&
    isList(isStart, started) &&
    isList(isEnd, finished) &&
    isList(isAttempt, returned) &&
    isList(isSample, samples)
  );
}

const requestFields = 13;
const startFields = 3;
const sampleFields = 4;
const endFields = 13;

function isStart(report: unknown): boolean {
  if (!isObject(report) || !hasOnly(report, startFields, ['log_slot'])) return false;
  const { attempt, age_ms, pid, log_slot } = report;
  return isAttempt(attempt) && isAge(age_ms) && isAttempt(pid) && isMissingOr(isCount, log_slot);
}

function isSample(sample: unknown): boolean {
  if (!isObject(sample) || !hasOnly(sample, sampleFields, [])) return false;
  const { attempt, memory_bytes, peak_memory_bytes, cpu_ms } = sample;
  return isAttempt(attempt) && isCount(memory_bytes) && isCount(peak_memory_bytes) && isCount(cpu_ms);
}

const statuses: ReadonlySet<unknown> = new Set(['done', 'canceled', 'terminated']);
const causes: ReadonlySet<unknown> = new Set(reportedCauses);

function isEnd(report: unknown): boolean {
  if (!isObject(report) || !hasOnly(report, endFields, ['log'])) return false;
  const { return_code, exit_code, signal, log, start_age_ms } = report;
  return (
    isAttempt(report.attempt) &&
    (start_age_ms === null || isAge(start_age_ms)) &&
    isAge(report.age_ms) &&
    statuses.has(report.status) &&
    (return_code === null || (isCount(return_code) && return_code <= 255)) &&
    causes.has(report.cause) &&
    (exit_code === null || Number.isSafeInteger(exit_code)) &&
    (signal === null || Number.isSafeInteger(signal)) &&
    report.detail === null &&
    isAge(report.exec_ms) &&
    isCountOrNull(report.peak_memory_bytes) &&
    isCountOrNull(report.average_memory_bytes) &&
    isCountOrNull(report.cpu_ms) &&
    isMissingOr(isPlace, log)
  );
}

/** Where the output of most jobs is, when the workflow does not say it. */
function isPlace(place: unknown): boolean {
  if (!isObject(place)) return false;
  const { kind } = place;
  if (kind === 'slot') return hasOnly(place, 2, []) && isCount(place.slot);
  if (kind === 'combined') return hasOnly(place, 3, []) && isCount(place.offset) && isCount(place.length);
  return kind === 'empty' && hasOnly(place, 1, []);
}

/** Whether it has as many fields, besides those that it may have; that each is the right one follows from its value. */
function hasOnly(given: Fields, number: number, optional: readonly string[]): boolean {
  let left = number;
  for (const _ in given) left -= 1;
  for (const field of optional) if (given[field] !== undefined) left += 1;
  return left === 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isList(isElement: (element: unknown) => boolean, value: unknown): boolean {
  return Array.isArray(value) && value.every(isElement);
}

function isMissingOr(test: (value: unknown) => boolean, value: unknown): boolean {
  return value === undefined || test(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAttempt(value: unknown): boolean {
  return isCount(value) && value > 0;
}

function isCountOrNull(value: unknown): boolean {
  return value === null || isCount(value);
}

function isAge(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}
