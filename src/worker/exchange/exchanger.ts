/**
 * Keeps the conversation with the server going: greets it, keeps one request parked there, sends a newer one as soon as
 * there is something to report, and waits longer after each failure. The session knows what to say, and the worker
 * what follows from the answers.
 */
import type { Api, HelloReply, Reply, Request } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ExchangeRequest } from './reports.ts';
import type { RequestFacts, Session, Taken } from './session.ts';

/** The server holds an idle request for about 25 s. */
const parkedTimeoutMs = 45_000;
/** Requests with reports are answered as soon as these are on disk. */
const promptTimeoutMs = 15_000;
/** A request with reports that is unanswered for this long no longer delays the next one. */
const slowAnswerMs = 1_000;
const shortestRetryMs = 100;
const longestRetryMs = 3_000;
const hurriedRetryMs = 400;
/** After replies without news that come faster than this, requests slow down. */
const fastReplyMs = 50;
const longestPaceMs = 1_000;
/** After a reply with jobs a request without news waits this long: the end of a short job then travels in it. */
const parkAfterJobsMs = 10;

export interface ExchangerEvents {
  /** What to say in the next request. */
  facts(): Omit<RequestFacts, 'nowMs'>;
  /** How long ends may wait so that they travel together. */
  endsDelayMs(): number;
  hello(): Request<'worker_hello'>;
  greeted(reply: HelloReply): void;
  /** The server will never take this worker: a later process has its place (null), or repeating it would not help. */
  refused(error: TorcError | null): void;
  /** The server speaks another protocol or has another database. Requests continue, in case the right one comes back. */
  incompatible(error: TorcError): void;
  taken(taken: Taken): void;
  /** Contact was lost or restored. */
  contactChanged(): void;
}

export interface ExchangerDependencies {
  api: Api;
  clock: Clock;
  log: Log;
  random: () => number;
}

/**
 * Whether the server has answered since its greeting what it has to do. It answers at once only if there is something; a
 * later request makes it answer in any case.
 */
export type Offer = 'unknown' | 'asked' | 'known';

/** Codes of a server that is not the one of this worker. */
const strange = new Set(['incompatible', 'other_database']);
const hopeless = new Set(['not_found', 'usage', 'invalid_spec']);
const outdated = (): TorcError => new TorcError('unreachable', 'an outdated server answered');

export class Exchanger {
  readonly #session: Session;
  readonly #events: ExchangerEvents;
  readonly #deps: ExchangerDependencies;
  readonly #calls = new Set<AbortController>();
  #state: 'new' | 'greeting' | 'greeted' | 'closed' = 'new';
  #numFailures = 0;
  #lostSinceMs: number | null = null;
  #lastContactMs: number;
  #serverOffsetMs: number;
  #notBeforeMs = 0;
  #paceMs = 0;
  #pacedUntilMs = 0;
  #mustSend = false;
  #offer: Offer = 'unknown';
  #timeoutMs = Number.POSITIVE_INFINITY;
  #isPumpQueued = false;
  #cancelTimer: () => void = () => {};

  constructor(session: Session, events: ExchangerEvents, deps: ExchangerDependencies) {
    this.#session = session;
    this.#events = events;
    this.#deps = deps;
    this.#lastContactMs = deps.clock.monotonic();
    this.#serverOffsetMs = deps.clock.now() - this.#lastContactMs;
  }

  /** When contact with the server was lost; null while there is contact. */
  get lostSinceMs(): number | null {
    return this.#lostSinceMs;
  }

  get lastContactMs(): number {
    return this.#lastContactMs;
  }

  get offer(): Offer {
    return this.#offer;
  }

  /** Makes the server answer whether there is anything to do. */
  ask(): void {
    this.#offer = 'asked';
    this.sendNow();
  }

  /** An instant of the worker's monotonic clock as milliseconds since 1970 on the server's clock, as far as known. */
  readonly toServerTime = (atMs: number): number => atMs + this.#serverOffsetMs;

  /** There may be something to send. It is checked after the current work, so that news travels together. */
  poke(): void {
    if (this.#isPumpQueued || this.#state === 'closed') return;
    this.#isPumpQueued = true;
    queueMicrotask(() => {
      this.#isPumpQueued = false;
      this.#pump();
    });
  }

  /** Sends a request regardless of others under way, because the worker's own state has changed. */
  sendNow(): void {
    this.#mustSend = true;
    this.poke();
  }

  /** From now on no request waits longer than this, and failed ones are repeated soon. */
  hurry(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.sendNow();
  }

  close(): void {
    this.#state = 'closed';
    this.#cancelTimer();
    for (const call of this.#calls) call.abort();
  }

  #pump(): void {
    if (this.#state === 'closed' || this.#state === 'greeting') return;
    const nowMs = this.#deps.clock.monotonic();
    const dueMs = this.#state === 'new' ? this.#notBeforeMs : this.#nextSendMs();
    this.#cancelTimer();
    if (dueMs > nowMs) {
      if (dueMs < Number.POSITIVE_INFINITY) {
        this.#cancelTimer = this.#deps.clock.after(dueMs - nowMs, () => this.#pump());
      }
      return;
    }
    if (this.#state === 'new') void this.#greet();
    else void this.#exchange(nowMs);
  }

  /** At most one parked request and a newer one are under way; a third only when the worker's state has changed. */
  #nextSendMs(): number {
    if (this.#mustSend) return this.#timeoutMs < Number.POSITIVE_INFINITY ? 0 : this.#notBeforeMs;
    const [first, second] = this.#session.outstanding;
    const endsDelayMs = this.#events.endsDelayMs();
    const newsDueMs = this.#session.newsDueMs(endsDelayMs);
    // news does not wait for the pace; without news a request is parked at the server, unless there will be some soon
    const parkMs = Math.max(this.#pacedUntilMs, endsDelayMs === 0 ? 0 : this.#lastContactMs + endsDelayMs);
    if (first === undefined) return Math.max(this.#notBeforeMs, Math.min(parkMs, newsDueMs));
    if (second !== undefined) return Number.POSITIVE_INFINITY;
    const earliestMs = first.carriesReports ? first.sentAtMs + slowAnswerMs : 0;
    return Math.max(this.#notBeforeMs, earliestMs, newsDueMs);
  }

  async #greet(): Promise<void> {
    this.#state = 'greeting';
    try {
      const hello = { ...this.#events.hello(), ...this.#session.database };
      const reply = await this.#call('worker_hello', hello, promptTimeoutMs);
      if (this.#isClosed()) return;
      this.#state = 'new';
      if (!this.#session.acceptEpoch(reply.epoch)) return this.#failed(outdated());
      this.#session.noteDatabase(reply.database);
      this.#reached();
      this.#state = 'greeted';
      this.#offer = 'unknown';
      if (reply.answer === 'gone') this.#events.refused(null);
      else this.#events.greeted(reply);
    } catch (error) {
      if (this.#isClosed()) return;
      this.#state = 'new';
      const known = asTorcError(error);
      if (hopeless.has(known.code)) return this.#events.refused(known);
      this.#failed(known);
    }
    this.poke();
  }

  async #call<N extends 'worker_hello' | 'exchange'>(
    endpoint: N,
    request: Request<N>,
    timeoutMs: number,
  ): Promise<Reply<N>> {
    const abort = new AbortController();
    this.#calls.add(abort);
    try {
      const options = { signal: abort.signal, timeoutMs: Math.min(timeoutMs, this.#timeoutMs) };
      return await this.#deps.api.call(endpoint, request, options);
    } finally {
      this.#calls.delete(abort);
    }
  }

  /** A method because the state may change during a call. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #exchange(nowMs: number): Promise<void> {
    this.#mustSend = false;
    const request = this.#session.nextRequest({ nowMs, ...this.#events.facts() });
    this.poke();
    try {
      const reply = await this.#call(
        'exchange',
        request,
        carriesReports(request) || request.leaving ? promptTimeoutMs : parkedTimeoutMs,
      );
      if (this.#isClosed()) return;
      this.#receive(request, reply, nowMs);
    } catch (error) {
      if (this.#isClosed()) return;
      this.#session.fail(request.seq);
      this.#failed(asTorcError(error));
    }
    this.poke();
  }

  #receive(request: ExchangeRequest, reply: Parameters<Session['receive']>[1], sentAtMs: number): void {
    const nowMs = this.#deps.clock.monotonic();
    const received = this.#session.receive(request.seq, reply, nowMs);
    if ('dropped' in received) {
      if (received.dropped === 'old_epoch') this.#failed(outdated());
      return;
    }
    const serverNowMs = Date.parse(reply.now);
    if (Number.isFinite(serverNowMs)) this.#serverOffsetMs = serverNowMs - nowMs;
    this.#reached();
    const { taken } = received;
    if (taken.wasOffer) this.#offer = 'known';
    this.#pace(taken, nowMs, sentAtMs, carriesReports(request));
    if (taken.unknownWorker) {
      this.#deps.log.warn({}, 'the server does not know this worker: registering again');
      this.#state = 'new';
    }
    this.#events.taken(taken);
  }

  /** A server that answers at once with nothing new must not be asked in a tight loop. */
  #pace(taken: Taken, nowMs: number, sentAtMs: number, hadReports: boolean): void {
    const hasNews = taken.jobs.length + taken.stop.length + taken.numAnswered > 0;
    if (hasNews || nowMs - sentAtMs >= fastReplyMs || this.#session.outstanding.length > 0) {
      this.#paceMs = 0;
      this.#pacedUntilMs = taken.jobs.length > 0 ? nowMs + parkAfterJobsMs : 0;
      return;
    }
    this.#paceMs = Math.min(longestPaceMs, Math.max(fastReplyMs, this.#paceMs * 2));
    this.#pacedUntilMs = nowMs + this.#paceMs;
    // reports that the server does not answer would count as news for ever
    if (hadReports) this.#notBeforeMs = this.#pacedUntilMs;
  }

  #reached(): void {
    this.#lastContactMs = this.#deps.clock.monotonic();
    this.#numFailures = 0;
    this.#notBeforeMs = 0;
    if (this.#lostSinceMs === null) return;
    this.#deps.log.info({ lost_ms: Math.round(this.#lastContactMs - this.#lostSinceMs) }, 'the server is back');
    this.#lostSinceMs = null;
    this.#events.contactChanged();
  }

  #failed(error: TorcError): void {
    const nowMs = this.#deps.clock.monotonic();
    this.#numFailures += 1;
    if (this.#offer === 'asked') this.#offer = 'unknown';
    const longestMs = this.#timeoutMs < Number.POSITIVE_INFINITY ? hurriedRetryMs : longestRetryMs;
    const ceilingMs = Math.min(longestMs, 2 * shortestRetryMs * 2 ** Math.min(this.#numFailures, 10));
    this.#notBeforeMs = nowMs + shortestRetryMs + this.#deps.random() * (ceilingMs - shortestRetryMs);
    const wasReachable = this.#lostSinceMs === null;
    this.#lostSinceMs ??= nowMs;
    if (wasReachable) {
      this.#deps.log.warn(
        { reason: error.message },
        'the server does not answer; jobs continue, and the worker keeps trying',
      );
      this.#events.contactChanged();
    }
    if (strange.has(error.code)) this.#events.incompatible(error);
  }
}

function carriesReports({ started, finished, returned }: ExchangeRequest): boolean {
  return started.length + finished.length + returned.length > 0;
}
