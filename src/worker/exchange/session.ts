/**
 * What a worker knows about its conversation with the server, and nothing else: no clock, no transport, no processes. It
 * makes requests and reads replies; the simulator drives it unchanged.
 *
 * Replies are level-triggered, so a lost one costs nothing: the next one says the same again. Reports are repeated in
 * every request until the server has answered them.
 */
import type { ActionReport, Assignment, ExchangeReply } from '../../api/contract.ts';
import { protocolVersion } from '../../api/limits.ts';
import type { SpooledReport } from '../../api/spool.ts';
import type { FinishedAttempt, Sample } from '../processes/job-runner.ts';
import type { ExchangeRequest } from './reports.ts';
import { UnansweredReports } from './unanswered-reports.ts';

/** Memory that grows fast is reported at once, but not more often than this. */
const growthNewsEveryMs = 500;

/** What the worker says of itself in a request. */
export interface RequestFacts {
  nowMs: number;
  timeLeftMs: number | null;
  draining: boolean;
  leaving: boolean;
  samples: Sample[];
  /** Null for what the worker said when it said hello. */
  mostJobs: number | null;
  /** Whether it carries starts that the ends of their jobs may soon make needless. */
  withYoungStarts: boolean;
}

/** What a reply brought that was not known before. */
export interface Taken {
  /** Attempts to run, each given exactly once. */
  jobs: Assignment[];
  /** Attempts that this worker has and should end, each named exactly once. */
  stop: ExchangeReply['stop'];
  /** How many reports the server has answered, including those that a later report has replaced. */
  numAnswered: number;
  leave: boolean;
  /** Until a job that is held back can run; null when nothing is known of one. */
  holdMs: number | null;
  unknownWorker: boolean;
  /** The reply answers a request that said `leaving`. */
  wasLeaving: boolean;
  /** The reply answers a request that asked for jobs. */
  wasOffer: boolean;
}

/** `stale`: a newer reply was taken already, or the request was given up. `old_epoch`: an outdated server spoke. */
export type Received = { taken: Taken } | { dropped: 'stale' | 'old_epoch' };

interface Outstanding {
  sentAtMs: number;
  carriesReports: boolean;
  leaving: boolean;
  draining: boolean;
}

export class Session {
  readonly workerId: string;
  #epoch = 0;
  /** The identity of the database that has greeted this worker; null for none, or one that told nothing. */
  #database: number | null = null;
  #ack = 0;
  #seq = 0;
  readonly #held = new Set<number>();
  readonly #reports = new UnansweredReports();
  /** Commands that were run, by their firing. */
  readonly #actions = new Map<number, { report: ActionReport; carriedBy: number }>();
  /** Ends that the server could not store. */
  readonly #rejected = new Set<number>();
  readonly #outstanding = new Map<number, Outstanding>();
  /** Stops that came before their attempt: if it still comes, it is not run. */
  readonly #stoppedUnseen = new Set<number>();
  readonly #toldToStop = new Set<number>();
  #answeredMs = Number.NEGATIVE_INFINITY;
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

  /** When the newest request was sent that was answered: whatever the server gave, it gave later. */
  get answeredMs(): number {
    return this.#answeredMs;
  }

  isHeld(attempt: number): boolean {
    return this.#held.has(attempt);
  }

  /** Takes in the epoch of a greeting; false when it is older than one already seen. */
  acceptEpoch(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  /** The database that has greeted this worker; no other one is worked for. */
  noteDatabase(identity: number | undefined): void {
    this.#database ??= identity ?? null;
  }

  /** The field that names the database in requests. */
  get database(): { database?: number } {
    return this.#database === null ? {} : { database: this.#database };
  }

  // ---------------------------------------------------------------- what is reported

  /** The process of a held attempt runs. */
  noteStarted(attempt: number, pid: number, atMs: number, logSlot: number | null = null): void {
    this.#reports.addStarted(attempt, pid, atMs, logSlot);
  }

  /** A held attempt has ended, and all of its processes are gone. */
  noteFinished(finished: FinishedAttempt, notedAtMs = finished.endedAtMs): void {
    this.#letGo(finished.attempt);
    this.#reports.addFinished(finished, notedAtMs);
  }

  /** An attempt goes back: no process was ever started for it. */
  noteReturned(attempt: number, atMs: number): void {
    this.#letGo(attempt);
    this.#reports.addReturned(attempt, atMs);
  }

  #letGo(attempt: number): void {
    this.#held.delete(attempt);
    this.#toldToStop.delete(attempt);
  }

  /** The commands of an action were run. */
  noteCommands(report: ActionReport): void {
    this.#actions.set(report.firing, { report, carriedBy: 0 });
  }

  /** The samples contain something that the server should know soon. */
  noteGrowth(nowMs: number): void {
    this.#samplesDueMs = Math.min(this.#samplesDueMs, Math.max(nowMs, this.#samplesSentMs + growthNewsEveryMs));
  }

  /** Whether the server has not stored the end of an attempt that has ended here. */
  isEndOpen(attempt: number): boolean {
    return this.#reports.isOver(attempt) || this.#rejected.has(attempt);
  }

  // ---------------------------------------------------------------- requests

  /**
   * When news should be sent, on the worker's clock; 0 for at once, Infinity for none. Ends wait up to `endsDelayMs` so
   * that they travel together.
   */
  newsDueMs(endsDelayMs = 0): number {
    for (const { carriedBy } of this.#actions.values()) if (!this.#outstanding.has(carriedBy)) return 0;
    const reportsDueMs = this.#reports.dueMs(endsDelayMs, (seq) => this.#outstanding.has(seq));
    return Math.min(this.#samplesDueMs, reportsDueMs);
  }

  /**
   * The next request: one snapshot of what is held and what is unanswered. Attempts whose ends have no room in it count
   * as held until the next one.
   */
  nextRequest(facts: RequestFacts): ExchangeRequest {
    this.#seq += 1;
    const { nowMs } = facts;
    this.#samplesDueMs = Number.POSITIVE_INFINITY;
    this.#samplesSentMs = nowMs;
    const { started, finished, returned, postponed } = this.#reports.carry(this.#seq, nowMs, facts.withYoungStarts);
    const carriesReports = started.length + finished.length + returned.length > 0;
    const held = [...this.#held, ...postponed];
    for (const action of this.#actions.values()) action.carriedBy = this.#seq;
    const actions = [...this.#actions.values()].map(({ report }) => report);
    const leaving = facts.leaving && held.length === 0;
    this.#outstanding.set(this.#seq, { sentAtMs: nowMs, carriesReports, leaving, draining: facts.draining });
    return {
      protocol: protocolVersion,
      ...this.database,
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
      ...(facts.mostJobs === null ? {} : { max_parallel_jobs: facts.mostJobs }),
    };
  }

  /** The request got no reply and never will. Its reports go into the next one, which has a number of its own. */
  fail(seq: number): void {
    this.#outstanding.delete(seq);
  }

  // ---------------------------------------------------------------- replies

  /** Reads the reply to request `seq`, received at `nowMs`. */
  receive(seq: number, reply: ExchangeReply, nowMs: number): Received {
    const request = this.#outstanding.get(seq);
    this.#outstanding.delete(seq);
    if (!this.acceptEpoch(reply.epoch)) return { dropped: 'old_epoch' };
    if (request === undefined || reply.seq !== seq) return { dropped: 'stale' };
    this.#answeredMs = Math.max(this.#answeredMs, request.sentAtMs);
    // this reply also contains what an older request claimed, so the older replies are not waited for
    for (const older of this.#outstanding.keys()) if (older < seq) this.#outstanding.delete(older);
    for (const answer of reply.reports) {
      this.#reports.answered(answer);
      if (answer.report === 'finished' && answer.answer === 'rejected') this.#rejected.add(answer.attempt);
    }
    for (const [firing, { carriedBy }] of this.#actions) if (carriedBy === seq) this.#actions.delete(firing);
    const stop = this.#takeStops(reply.stop, nowMs);
    const jobs = this.#takeJobs(reply.jobs);
    const { leave, unknown_worker: unknownWorker } = reply;
    const numAnswered = reply.reports.length;
    const holdMs = reply.hold_ms ?? null;
    const { leaving: wasLeaving, draining } = request;
    const wasOffer = !draining && !unknownWorker;
    return { taken: { jobs, stop, numAnswered, leave, holdMs, unknownWorker, wasLeaving, wasOffer } };
  }

  #takeStops(stops: ExchangeReply['stop'], nowMs: number): ExchangeReply['stop'] {
    return stops.filter(({ attempt }) => {
      if (this.#held.has(attempt)) {
        const isNew = !this.#toldToStop.has(attempt);
        this.#toldToStop.add(attempt);
        return isNew;
      }
      if (!this.#reports.isOver(attempt)) this.noteReturned(attempt, nowMs);
      if (attempt > this.#ack) this.#stoppedUnseen.add(attempt);
      return false;
    });
  }

  #takeJobs(jobs: readonly Assignment[]): Assignment[] {
    const fresh = jobs.filter(({ attempt }) => attempt > this.#ack);
    for (const { attempt } of fresh) this.#ack = Math.max(this.#ack, attempt);
    const wanted = fresh.filter(({ attempt }) => !this.#stoppedUnseen.has(attempt));
    for (const { attempt } of wanted) this.#held.add(attempt);
    for (const attempt of this.#stoppedUnseen) if (attempt <= this.#ack) this.#stoppedUnseen.delete(attempt);
    return wanted;
  }

  // ---------------------------------------------------------------- the spool

  /** Ends and returns noted before `notedBeforeMs` that are neither answered nor spooled. */
  reportsForSpool(notedBeforeMs: number, toServerTime: (atMs: number) => number): SpooledReport[] {
    return this.#reports.forSpool(this.workerId, notedBeforeMs, toServerTime);
  }

  /** These reports are durable in the spool. */
  noteSpooled(reports: readonly SpooledReport[]): void {
    this.#reports.markSpooled(reports);
  }

  /** When the oldest report was noted that is neither answered nor spooled; null when there is none. */
  oldestUnspooledMs(): number | null {
    return this.#reports.oldestUnspooledMs();
  }
}
