/**
 * The service, reached over HTTPS or in process: every endpoint of the contract, over a database that this process
 * owns. The facts of a transaction go to the subscribers after COMMIT.
 */
import { channel } from 'node:diagnostics_channel';
import type { CallOptions, EndpointName, ExchangeReply, Reply, Request } from '../api/contract.ts';
import type { Clock } from '../base/clock.ts';
import { asTorcError, TorcError } from '../base/errors.ts';
import type { Database } from '../storage/database/database.ts';
import { raiseEpoch, readEpoch } from '../storage/database/epoch.ts';
import { type Fact, factsOf } from '../storage/database/facts.ts';
import { inTransaction, isIoError, Transaction } from '../storage/database/transaction.ts';
import { Batches } from './batches.ts';
import type { Machine, ServerContext, ServiceInfo, Subscriber } from './context.ts';
import { settleLeftoverProcesses } from './evidence/leftover-processes.ts';
import { systemMachine } from './evidence/machine.ts';
import { writeStopFiles } from './evidence/stop-files.ts';
import { Exchange } from './exchange/exchange.ts';
import { LastHeard } from './exchange/last-heard.ts';
import { refuseOtherDatabase } from './exchange/other-database.ts';
import { highestEpoch, noteEpoch, seenEpoch } from './owner/epoch-file.ts';
import { type Ownership, takenBy } from './owner/ownership.ts';
import { beingReopened, Reopening } from './owner/reopening.ts';
import type { checkedRequest } from './request-check.ts';
import { isRead, Requests } from './requests.ts';
import { Space } from './space.ts';

/** Every reply, for tests that compare replies with the contract. */
const replies = channel('torc:reply');

export class Service implements ServerContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly info: ServiceInfo;
  readonly startedAt: number;
  readonly lastHeard: LastHeard;
  readonly claimSeconds: ServerContext['claimSeconds'];
  readonly space: Space;
  /** Slurm, processes and files: the sources of evidence. */
  machine: Machine;
  /** After this long without a request, contact with a worker counts as lost. */
  leaseMs = 120_000;
  /** From 0 to below 1. */
  random: () => number = Math.random;
  /** Resolves when another process has taken over the database: this one gives no more answers and must end. */
  readonly lost: Promise<TorcError>;
  readonly #ownership: Ownership;
  readonly #reopening: Reopening;
  #tellLost: (error: TorcError) => void = () => {};
  #loss: TorcError | null = null;
  readonly #exchange: Exchange;
  readonly #batches: Batches;
  readonly #requests: Requests;
  readonly #subscribers = new Set<Subscriber>();
  #leftoverProcessesSettled: Promise<void> = Promise.resolve();
  #isClosed = false;
  #servesOthers = false;
  #check: typeof checkedRequest | null = null;
  #epoch: number;
  #lastContact: number;
  /** Called by `server_stop`. */
  onStop: (() => void) | null = null;
  /** Tells a person that the server directory is gone, or is back. */
  onAway: (text: string) => void = () => {};
  /** Publishes a new token and refuses the previous one after the grace time; set while this process serves. */
  onRotateToken: ((graceSeconds: number) => void) | null = null;

  constructor(db: Database, clock: Clock, info: ServiceInfo, ownership: Ownership) {
    this.db = db;
    this.clock = clock;
    this.info = info;
    this.startedAt = clock.now();
    this.#lastContact = clock.monotonic();
    this.machine = systemMachine(info.directory);
    this.lastHeard = new LastHeard(clock, (workerId) => this.#exchange.isParked(workerId));
    const epoch = (): number => this.#epoch;
    const random = (): number => this.random();
    this.#exchange = new Exchange(clock, epoch, this.lastHeard, random);
    this.claimSeconds = this.#exchange.claimSeconds;
    this.space = new Space(this);
    this.#batches = new Batches({
      begin: (work) => this.#begin(work),
      exchange: this.#exchange,
      whyUnconfirmed: () => this.#whyUnconfirmed(),
      commitLater: () => void clock.after(5_000, () => db.isOpen && this.write(() => {}).catch(() => {})),
      failed: (error) => {
        info.log.error({ err: error }, 'a transaction failed');
        if (isIoError(error)) this.startAfresh();
      },
      noteSpace: (error) => this.space.note(error),
      publish: (facts) => this.#publish(facts),
    });
    this.subscribe((facts) => this.#exchange.learn(facts));
    this.subscribe((facts) => writeStopFiles(this, facts));
    this.subscribe((facts) => this.#settleLeftoverProcesses(facts));
    this.#epoch = readEpoch(db);
    this.#requests = new Requests(this);
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
    this.#ownership = ownership;
    this.#reopening = new Reopening(db, clock, info.log);
    ownership.watch({ lost: (why) => this.#lose(why), away: (text) => this.onAway(text) });
  }

  readonly usualRuntimeMs = (shapeKey: number): number | null => this.#exchange.usualRuntimeMs(shapeKey);

  get epoch(): number {
    return this.#epoch;
  }

  /** Requests of idle workers that wait for work. */
  get numParked(): number {
    return this.#exchange.numParked;
  }

  /** Requests that wait for the next transactions. */
  get numQueued(): number {
    return this.#batches.size;
  }

  /** Milliseconds since the last request. */
  get silentMs(): number {
    return this.#exchange.numParked > 0 ? 0 : this.clock.monotonic() - this.#lastContact;
  }

  /** Whether another process has taken over the database. */
  get isLost(): boolean {
    return this.#loss !== null;
  }

  /** Raises the epoch: called once by a process that begins to serve others. */
  beginEpoch(): number {
    if (this.#loss !== null) throw this.#loss;
    this.#servesOthers = true;
    const epoch = inTransaction(this.db, this.clock.now(), (tx) => raiseEpoch(tx, seenEpoch(this.info.directory)));
    const problem = this.#whyUnconfirmed();
    if (problem !== null) throw problem;
    noteEpoch(this.info.directory, epoch);
    this.#epoch = epoch;
    return epoch;
  }

  async call<N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions = {}): Promise<Reply<N>> {
    // short commands do not wait for the schemas to load: this program made the request itself
    const isTrusted = isRead(endpoint) && !this.#servesOthers;
    const check = isTrusted ? null : (this.#check ?? (await this.#loadCheck()));
    if (this.#loss !== null) throw this.#loss;
    if (this.#isClosed) throw new TorcError('unreachable', 'the server is stopping', 'Try again in a moment.');
    this.#lastContact = this.clock.monotonic();
    if (!this.#reopening.isUsable) this.startAfresh();
    if (this.isLost) throw await this.lost;
    this.#reopening.refuseUnusable();
    const parsed = check === null ? request : check(endpoint, request);
    const reply =
      endpoint === 'exchange'
        ? ((await this.#callExchange(parsed as Request<'exchange'>, options)) as Reply<N>)
        : await this.#requests.call(endpoint, parsed, options);
    if (replies.hasSubscribers) replies.publish({ endpoint, request: parsed, reply });
    return reply;
  }

  async #loadCheck(): Promise<typeof checkedRequest> {
    this.#check = (await import('./request-check.ts')).checkedRequest;
    return this.#check;
  }

  /** Runs `work` as a member of the next transaction; resolves after it is durable. */
  write<T>(work: (tx: Transaction) => T): Promise<T> {
    if (this.#loss !== null) return Promise.reject(this.#loss);
    return this.#batches.write(work);
  }

  /**
   * From now on `subscriber` gets the facts of each transaction, once, after COMMIT and before anybody is answered.
   * Returns a function that ends this.
   */
  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  #publish(facts: readonly Fact[]): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(facts);
      } catch (error) {
        this.info.log.error({ err: error }, 'a subscriber failed');
      }
    }
  }

  async #callExchange(request: Request<'exchange'>, options: CallOptions): Promise<ExchangeReply> {
    refuseOtherDatabase(request, this.info);
    if (request.epoch > this.#epoch) throw this.#outdatedBy(request.epoch);
    return await new Promise((resolve, reject) => {
      const member = this.#exchange.admit(request, resolve, reject);
      if (member === null) return;
      options.signal?.addEventListener('abort', () => this.#exchange.abandon(member), { once: true });
      this.#batches.addExchange(member);
    });
  }

  #begin(work: (tx: Transaction) => void): void {
    // another host may have the directory under its new name
    const problem = this.#ownership.isAway ? this.#whyUnconfirmed() : null;
    if (problem !== null) throw problem;
    this.#reopening.refuseUnusable();
    inTransaction(this.db, this.clock.now(), work);
  }

  /** Why even a successful COMMIT does not count: the directory has another owner. Null when this process owns it. */
  #whyUnconfirmed(): TorcError | null {
    try {
      if (!this.#ownership.isKept()) this.#lose(takenBy(this.info.directory));
      return this.#loss;
    } catch (error) {
      const words = `cannot see whether this process still owns ${this.info.directory}: ${asTorcError(error).message}`;
      this.info.log.error({ err: error }, 'the directory does not answer');
      return new TorcError('unreachable', words, 'Check the current state, then try again.');
    }
  }

  /**
   * A worker has spoken with a later server, so this one stops, even if the file system still shows an old
   * `holder.json`. The next server of this directory gets a higher epoch than the later one. An impossible epoch stops
   * no server.
   */
  #outdatedBy(epoch: number): TorcError {
    const { directory } = this.info;
    const what = `a worker has seen a later server (epoch ${epoch}) than this one (epoch ${this.#epoch})`;
    if (epoch > highestEpoch) return new TorcError('usage', `${what}, which is impossible`);
    try {
      noteEpoch(directory, epoch);
    } catch (error) {
      this.info.log.warn({ err: error }, 'the epoch of a later server could not be recorded');
    }
    const error = new TorcError('busy', `${what}, which has stopped`, 'torc server start');
    this.#lose(error);
    return error;
  }

  /**
   * Ends without further replies: clients repeat unconfirmed requests to the new owner of the database. The connection
   * stays open, because closing it would write into the new owner's files.
   */
  #lose(error: TorcError): void {
    if (this.#loss !== null) return;
    this.#loss = error;
    this.info.log.error({ epoch: this.#epoch }, error.message);
    this.#ownership.release();
    this.#batches.rejectAll(error);
    this.#exchange.drop(error);
    this.#tellLost(error);
  }

  /**
   * Drops what is in memory and opens the database again, because an I/O error makes memory unreliable. If that fails, a
   * later request tries again. A database of another owner is left alone: the takeover may have caused the error.
   */
  startAfresh(): void {
    this.#reopening.try(() => {
      const problem = this.#whyUnconfirmed();
      if (!this.isLost) this.#exchange.drop(beingReopened());
      return problem;
    });
  }

  #settleLeftoverProcesses(facts: readonly Fact[]): void {
    const computeNodeKeys = new Set(factsOf(facts, 'worker_stopping').map((fact) => fact.computeNodeKey));
    if (computeNodeKeys.size === 0) return;
    const settle = async (): Promise<void> => {
      try {
        if (!this.isLost && !this.#isClosed) await settleLeftoverProcesses(this, computeNodeKeys);
      } catch (error) {
        this.info.log.warn({ err: error }, 'processes of workers that are gone could not be ended yet');
      }
    };
    this.#leftoverProcessesSettled = this.#leftoverProcessesSettled.then(settle);
  }

  /** Ends parked requests, serves the waiting ones, closes the database. */
  async close(): Promise<void> {
    await this.#leftoverProcessesSettled;
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.isLost) return;
    this.#exchange.close();
    this.#batches.finish();
    this.#exchange.close();
    this.db.close();
    this.#ownership.release();
  }

  /** Reading outside of a transaction; nothing may be written through it. */
  get view(): Transaction {
    return new Transaction(this.db, this.clock.now());
  }
}
