/**
 * What a worker knows of its talk with the server, and nothing else: no clock, no transport, no processes. Requests are
 * made from it and replies are read into it; the simulator drives it as it is.
 *
 * Replies are level-triggered, so a lost one costs nothing: what it would have said is said again. Reports are repeated
 * in every request until the server has answered them.
 */
import type { ActionReport, Assignment, ExchangeReply, ReportAnswer, Request } from '../../api/contract.ts';
import type { SpooledReport } from '../../api/spool.ts';
import type { FinishedAttempt, Sample } from '../processes/job-runner.ts';
import { ageMs, finishedReport, reportBytes, spooledReport } from './reports.ts';

export type ExchangeRequest = Request<'exchange'>;

/** The protocol that this worker speaks; the server refuses another one. */
export const workerProtocol = 1;

/** A start waits this long for company, because a short job's end carries its start along. */
const startedNewsDelayMs = 100;

/** Memory that grows fast is told of at once, but the server is not asked for this more often. */
const growthNewsEveryMs = 500;

/** The server refuses requests over 16 MiB; one report alone may be larger than this, but never than that. */
const reportsBytes = 8 * 1024 * 1024;

/** What the worker says of itself in a request. */
export interface RequestFacts {
  nowMs: number;
  timeLeftMs: number | null;
  draining: boolean;
  leaving: boolean;
  samples: Sample[];
}

/** What a reply brought that was not known before. */
export interface Taken {
  /** Attempts to run, each given exactly once. */
  jobs: Assignment[];
  /** Attempts that this worker has and should end, each told exactly once. */
  stop: ExchangeReply['stop'];
  /** How many reports the server has answered, also such as have been overtaken meanwhile. */
  numAnswered: number;
  leave: boolean;
  unknownWorker: boolean;
  /** The reply answers a request that said `leaving`. */
  wasLeaving: boolean;
}

/** `stale`: a newer reply was taken already, or the request was given up. `old_epoch`: an outdated server spoke. */
export type Received = { taken: Taken } | { dropped: 'stale' | 'old_epoch' };

interface Outstanding {
  sentAtMs: number;
  carriesReports: boolean;
  leaving: boolean;
}

interface Report {
  kind: ReportAnswer['report'];
  attempt: number;
  madeAtMs: number;
  /** Later than `madeAtMs` where something had to be looked at in between. */
  notedAtMs: number;
  /** About its room in a request. */
  bytes: number;
  pid: number;
  logSlot: number | null;
  finished: FinishedAttempt | null;
  isSpooled: boolean;
  /** The last request that carried it; 0 for none. */
  carriedBy: number;
}

export class Session {
  readonly workerId: string;
  #epoch = 0;
  #ack = 0;
  #seq = 0;
  readonly #held = new Set<number>();
  /** By attempt: what it has last to tell. */
  readonly #reports = new Map<number, Report>();
  /** Commands that were run, by their firing. */
  readonly #actions = new Map<number, { report: ActionReport; carriedBy: number }>();
  /** Ends that the server could not store. */
  readonly #rejected = new Set<number>();
  readonly #outstanding = new Map<number, Outstanding>();
  /** Stops that came before their attempt: if it still comes, it is not run. */
  readonly #stoppedUnseen = new Set<number>();
  readonly #toldToStop = new Set<number>();
  #samplesDueMs = Number.POSITIVE_INFINITY;
  #samplesSentMs = Number.NEGATIVE_INFINITY;

  constructor(workerId: string) {
    this.workerId = workerId;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get numHeld(): number {
    return this.#held.size;
  }

  get numUnanswered(): number {
    return this.#reports.size + this.#actions.size;
  }

  get outstanding(): readonly Outstanding[] {
    return [...this.#outstanding.values()];
  }

  isHeld(attempt: number): boolean {
    return this.#held.has(attempt);
  }

  /** Takes the epoch of a greeting; false when it is older than one already seen. */
  acceptEpoch(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  /** The process of a held attempt runs. */
  noteStarted(attempt: number, pid: number, atMs: number, logSlot: number | null = null): void {
    this.#reports.set(attempt, { ...newReport('started', attempt, atMs), pid, logSlot });
  }

  /** A held attempt has ended and nothing of it is left. Its end carries its start, so that one goes unsaid. */
  noteFinished(finished: FinishedAttempt, notedAtMs = finished.endedAtMs): void {
    const { attempt, endedAtMs } = finished;
    this.#letGo(attempt);
    const bytes = reportBytes(finished);
    this.#reports.set(attempt, { ...newReport('finished', attempt, endedAtMs), notedAtMs, bytes, finished });
  }

  /** An attempt goes back: no process was ever started for it. */
  noteReturned(attempt: number, atMs: number): void {
    this.#letGo(attempt);
    this.#reports.set(attempt, newReport('returned', attempt, atMs));
  }

  /** The commands of an action were run. */
  noteCommands(report: ActionReport): void {
    this.#actions.set(report.firing, { report, carriedBy: 0 });
  }

  /** The samples hold something that the server should know soon. */
  noteGrowth(nowMs: number): void {
    this.#samplesDueMs = Math.min(this.#samplesDueMs, Math.max(nowMs, this.#samplesSentMs + growthNewsEveryMs));
  }

  #letGo(attempt: number): void {
    this.#held.delete(attempt);
    this.#toldToStop.delete(attempt);
    // what comes now goes to the end of the line
    this.#reports.delete(attempt);
  }

  /**
   * When something unsaid should be sent, on the worker's clock; 0 for at once, Infinity when all is said. Ends wait up to
   * `patienceMs` for company.
   */
  newsDueMs(patienceMs = 0): number {
    let due = this.#samplesDueMs;
    for (const { carriedBy } of this.#actions.values()) if (!this.#outstanding.has(carriedBy)) return 0;
    for (const report of this.#reports.values()) {
      if (this.#outstanding.has(report.carriedBy)) continue;
      if (report.kind === 'returned' || (report.kind === 'finished' && patienceMs === 0)) return 0;
      due = Math.min(due, report.notedAtMs + (report.kind === 'started' ? startedNewsDelayMs : patienceMs));
    }
    return due;
  }

  /**
   * The next request: one snapshot of what is held and what is unanswered. Ends that find no room in it count as held
   * until the next one.
   */
  nextRequest(facts: RequestFacts): ExchangeRequest {
    this.#seq += 1;
    const { nowMs } = facts;
    this.#samplesDueMs = Number.POSITIVE_INFINITY;
    this.#samplesSentMs = nowMs;
    const held = [...this.#held];
    let bytes = 0;
    const started: ExchangeRequest['started'] = [];
    const finished: ExchangeRequest['finished'] = [];
    const returned: ExchangeRequest['returned'] = [];
    for (const report of this.#reports.values()) {
      if (bytes > 0 && report.bytes > 0 && bytes + report.bytes > reportsBytes) {
        held.push(report.attempt);
        continue;
      }
      bytes += report.bytes;
      report.carriedBy = this.#seq;
      if (report.finished !== null) finished.push(finishedReport(report.finished, nowMs));
      else if (report.kind === 'returned') returned.push(report.attempt);
      else started.push(startedReport(report, nowMs));
    }
    for (const action of this.#actions.values()) action.carriedBy = this.#seq;
    const actions = [...this.#actions.values()].map(({ report }) => report);
    const carriesReports = this.#reports.size > 0;
    const leaving = facts.leaving && held.length === 0;
    this.#outstanding.set(this.#seq, { sentAtMs: nowMs, carriesReports, leaving });
    return {
      protocol: workerProtocol,
      worker_id: this.workerId,
      seq: this.#seq,
      epoch: this.#epoch,
      ack: this.#ack,
      held,
      started,
      finished,
      returned,
      samples: facts.samples,
      time_left_ms: facts.timeLeftMs === null ? null : Math.max(0, Math.floor(facts.timeLeftMs)),
      draining: facts.draining,
      leaving,
      ...(actions.length === 0 ? {} : { actions }),
    };
  }

  /** The request got no reply and never will. Its reports go into the next one, which has a number of its own. */
  fail(seq: number): void {
    this.#outstanding.delete(seq);
  }

  /** Reads the reply to request `seq`, received at `nowMs`. */
  receive(seq: number, reply: ExchangeReply, nowMs: number): Received {
    const request = this.#outstanding.get(seq);
    this.#outstanding.delete(seq);
    if (!this.acceptEpoch(reply.epoch)) return { dropped: 'old_epoch' };
    if (request === undefined || reply.seq !== seq) return { dropped: 'stale' };
    // Whatever an older request claimed is in this reply too, so the older replies are not waited for.
    for (const older of this.#outstanding.keys()) if (older < seq) this.#outstanding.delete(older);
    for (const { report, attempt, answer } of reply.reports) {
      if (this.#reports.get(attempt)?.kind === report) this.#reports.delete(attempt);
      if (report === 'finished' && answer === 'rejected') this.#rejected.add(attempt);
    }
    for (const [firing, { carriedBy }] of this.#actions) if (carriedBy === seq) this.#actions.delete(firing);
    const stop = this.#takeStops(reply.stop, nowMs);
    const jobs = this.#takeJobs(reply.jobs);
    const { leave, unknown_worker: unknownWorker } = reply;
    const numAnswered = reply.reports.length;
    return { taken: { jobs, stop, numAnswered, leave, unknownWorker, wasLeaving: request.leaving } };
  }

  #takeStops(stops: ExchangeReply['stop'], nowMs: number): ExchangeReply['stop'] {
    return stops.filter(({ attempt }) => {
      if (this.#held.has(attempt)) {
        const isNew = !this.#toldToStop.has(attempt);
        this.#toldToStop.add(attempt);
        return isNew;
      }
      if (!this.#isReported(attempt)) this.noteReturned(attempt, nowMs);
      if (attempt > this.#ack) this.#stoppedUnseen.add(attempt);
      return false;
    });
  }

  /** Whether the end of an attempt that has ended here is not stored by the server, or not yet. */
  isEndOpen(attempt: number): boolean {
    return this.#isReported(attempt) || this.#rejected.has(attempt);
  }

  #isReported(attempt: number): boolean {
    const kind = this.#reports.get(attempt)?.kind;
    return kind === 'finished' || kind === 'returned';
  }

  #takeJobs(jobs: readonly Assignment[]): Assignment[] {
    const fresh = jobs.filter(({ attempt }) => attempt > this.#ack);
    for (const { attempt } of fresh) this.#ack = Math.max(this.#ack, attempt);
    const wanted = fresh.filter(({ attempt }) => !this.#stoppedUnseen.has(attempt));
    for (const { attempt } of wanted) this.#held.add(attempt);
    for (const attempt of this.#stoppedUnseen) if (attempt <= this.#ack) this.#stoppedUnseen.delete(attempt);
    return wanted;
  }

  /** Ends and returns noted before `notedBeforeMs` that are neither answered nor spooled; they count as spooled now. */
  takeForSpool(notedBeforeMs: number, toServerTime: (atMs: number) => number): SpooledReport[] {
    const taken: SpooledReport[] = [];
    for (const report of this.#reports.values()) {
      if (report.isSpooled || report.kind === 'started' || report.notedAtMs > notedBeforeMs) continue;
      report.isSpooled = true;
      const { attempt, madeAtMs, finished } = report;
      taken.push(spooledReport(this.workerId, attempt, madeAtMs, finished, toServerTime));
    }
    return taken;
  }

  /** When the oldest report was noted that is neither answered nor spooled; null when there is none. */
  oldestUnspooledMs(): number | null {
    let oldest: number | null = null;
    for (const report of this.#reports.values()) {
      if (report.isSpooled || report.kind === 'started') continue;
      oldest = oldest === null ? report.notedAtMs : Math.min(oldest, report.notedAtMs);
    }
    return oldest;
  }
}

function newReport(kind: Report['kind'], attempt: number, madeAtMs: number): Report {
  const rest = { pid: 0, logSlot: null, finished: null, isSpooled: false, carriedBy: 0 };
  return { kind, attempt, madeAtMs, notedAtMs: madeAtMs, bytes: 0, ...rest };
}

function startedReport({ attempt, madeAtMs, pid, logSlot }: Report, nowMs: number): ExchangeRequest['started'][number] {
  const report = { attempt, age_ms: ageMs(nowMs, madeAtMs), pid };
  return logSlot === null ? report : { ...report, log_slot: logSlot };
}
