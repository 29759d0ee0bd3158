/**
 * The reports that the server has not answered: for each attempt the latest. They go into every request until they are
 * answered, and into the spool when that takes too long.
 */
import type { ReportAnswer } from '../../api/contract.ts';
import type { SpooledReport } from '../../api/spool.ts';
import type { FinishedAttempt } from '../processes/job-runner.ts';
import { ageMs, type ExchangeRequest, finishedReport, reportBytes, spooledReport } from './reports.ts';

/** A start waits this long so that a short job's end can carry it. */
const startedNewsDelayMs = 100;

/** The server refuses requests over 16 MiB. A single report may be larger than this, but never larger than that. */
const reportsBytes = 8 * 1024 * 1024;

interface Report {
  kind: ReportAnswer['report'];
  attempt: number;
  madeAtMs: number;
  /** Later than `madeAtMs` where files were looked at in between. */
  notedAtMs: number;
  /** About its size in a request. */
  bytes: number;
  pid: number;
  logSlot: number | null;
  finished: FinishedAttempt | null;
  isSpooled: boolean;
  /** The last request that carried it; 0 for none. */
  carriedBy: number;
}

/** The reports in a request; `postponed` are the attempts whose reports had no room in it. */
export interface CarriedReports extends Pick<ExchangeRequest, 'started' | 'finished' | 'returned'> {
  postponed: number[];
}

export class UnansweredReports {
  readonly #reports = new Map<number, Report>();

  get size(): number {
    return this.#reports.size;
  }

  addStarted(attempt: number, pid: number, atMs: number, logSlot: number | null): void {
    this.#reports.set(attempt, { ...newReport('started', attempt, atMs), pid, logSlot });
  }

  /** The end carries the start, so a start that is still here is dropped. */
  addFinished(finished: FinishedAttempt, notedAtMs: number): void {
    const { attempt, endedAtMs } = finished;
    const bytes = reportBytes(finished);
    this.#append({ ...newReport('finished', attempt, endedAtMs), notedAtMs, bytes, finished });
  }

  addReturned(attempt: number, atMs: number): void {
    this.#append(newReport('returned', attempt, atMs));
  }

  #append(report: Report): void {
    this.#reports.delete(report.attempt);
    this.#reports.set(report.attempt, report);
  }

  /** Whether the report of an attempt says that it is over here. */
  isOver(attempt: number): boolean {
    const kind = this.#reports.get(attempt)?.kind;
    return kind === 'finished' || kind === 'returned';
  }

  /** An answer to an older report of the same attempt changes nothing. */
  answered({ attempt, report }: ReportAnswer): void {
    if (this.#reports.get(attempt)?.kind === report) this.#reports.delete(attempt);
  }

  /**
   * When a report should be sent that no request under way carries; 0 for at once, Infinity for none. Ends wait up to
   * `endsDelayMs` so that they travel together.
   */
  dueMs(endsDelayMs: number, isUnderWay: (seq: number) => boolean): number {
    let due = Number.POSITIVE_INFINITY;
    for (const report of this.#reports.values()) {
      if (isUnderWay(report.carriedBy)) continue;
      if (report.kind === 'returned' || (report.kind === 'finished' && endsDelayMs === 0)) return 0;
      due = Math.min(due, report.notedAtMs + (report.kind === 'started' ? startedNewsDelayMs : endsDelayMs));
    }
    return due;
  }

  /** Puts the reports into request `seq`, as many as have room. */
  carry(seq: number, nowMs: number, withYoungStarts: boolean): CarriedReports {
    const carried: CarriedReports = { started: [], finished: [], returned: [], postponed: [] };
    let bytes = 0;
    for (const report of this.#reports.values()) {
      const isYoungStart = report.kind === 'started' && nowMs < report.notedAtMs + startedNewsDelayMs;
      if (isYoungStart && !withYoungStarts) continue;
      if (bytes > 0 && report.bytes > 0 && bytes + report.bytes > reportsBytes) {
        carried.postponed.push(report.attempt);
        continue;
      }
      bytes += report.bytes;
      report.carriedBy = seq;
      if (report.finished !== null) carried.finished.push(finishedReport(report.finished, nowMs));
      else if (report.kind === 'returned') carried.returned.push(report.attempt);
      else carried.started.push(startedReport(report, nowMs));
    }
    return carried;
  }

  /** Ends and returns noted before `notedBeforeMs` that are not in the spool. */
  forSpool(workerId: string, notedBeforeMs: number, toServerTime: (atMs: number) => number): SpooledReport[] {
    const found: SpooledReport[] = [];
    for (const report of this.#reports.values()) {
      const { attempt, madeAtMs, notedAtMs, finished } = report;
      if (isUnspooled(report) && notedAtMs <= notedBeforeMs) {
        found.push(spooledReport(workerId, attempt, madeAtMs, finished, toServerTime));
      }
    }
    return found;
  }

  /** These reports are durable in the spool. */
  markSpooled(reports: readonly SpooledReport[]): void {
    for (const { attempt } of reports) {
      const report = this.#reports.get(attempt);
      if (report !== undefined) report.isSpooled = true;
    }
  }

  /** When the oldest end or return was noted that is not in the spool; null when there is none. They are in that order. */
  oldestUnspooledMs(): number | null {
    for (const report of this.#reports.values()) if (isUnspooled(report)) return report.notedAtMs;
    return null;
  }
}

function isUnspooled({ kind, isSpooled }: Report): boolean {
  return !isSpooled && kind !== 'started';
}

function newReport(kind: Report['kind'], attempt: number, madeAtMs: number): Report {
  const rest = { pid: 0, logSlot: null, finished: null, isSpooled: false, carriedBy: 0 };
  return { kind, attempt, madeAtMs, notedAtMs: madeAtMs, bytes: 0, ...rest };
}

function startedReport({ attempt, madeAtMs, pid, logSlot }: Report, nowMs: number): ExchangeRequest['started'][number] {
  const report = { attempt, age_ms: ageMs(nowMs, madeAtMs), pid };
  return logSlot === null ? report : { ...report, log_slot: logSlot };
}
