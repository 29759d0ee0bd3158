/**
 * The one service behind HTTPS and in process: every endpoint of the contract, over one database.
 *
 * Group commit: whatever waits when the loop comes round is served in one transaction and answered after it is
 * durable. A reply means that it is on disk.
 */
import type { CallOptions, EndpointName, ExchangeReply, Reply, Request } from '../api/contract.ts';
import type { Clock } from '../base/clock.ts';
import { asTorcError, TorcError } from '../base/errors.ts';
import type { Database } from '../storage/database/database.ts';
import { raiseEpoch, readEpoch } from '../storage/database/epoch.ts';
import { inTransaction, isIoError, Transaction, TransactionLost } from '../storage/database/transaction.ts';
import { fireJobActions } from '../storage/running/action-triggers.ts';
import { recordRunEnd } from '../storage/running/workflows.ts';
import type { Machine, ServerContext, ServiceInfo } from './context.ts';
import { settleLeftoverProcesses } from './evidence/leftover-processes.ts';
import { systemMachine } from './evidence/machine.ts';
import { Exchange, type ExchangeMember } from './exchange/exchange.ts';
import { LastHeard } from './exchange/last-heard.ts';
import { highestEpoch, noteEpoch, seenEpoch } from './owner/epoch-file.ts';
import { type Ownership, takenBy } from './owner/ownership.ts';
import type { checkedRequest } from './request-check.ts';
import { explainMember, isRead, Requests } from './requests.ts';

interface WriteMember {
  run: (tx: Transaction) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  outcome: { value: unknown } | { error: unknown } | null;
}

/** Writes taken into one transaction at most, so that a full queue does not make one huge one that others wait for. */
const membersPerBatch = 256;
/** Reports of workers in it, beyond which no further worker's are taken in; 50 us each with the claim that follows. */
const reportsPerBatch = 1000;

export class Service implements ServerContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly info: ServiceInfo;
  readonly startedAt: number;
  readonly lastHeard: LastHeard;
  /** Slurm, processes and files, as evidence is gathered from them. */
  machine: Machine;
  /** A worker that is silent for longer has lost contact. */
  leaseMs = 120_000;
  /** From 0 to below 1. */
  random: () => number = Math.random;
  /** Resolves when another process has taken over the database: nobody is answered any more, and this one must end. */
  readonly lost: Promise<TorcError>;
  readonly #ownership: Ownership;
  #tellLost: (error: TorcError) => void = () => {};
  #loss: TorcError | null = null;
  readonly #exchange: Exchange;
  #writes: WriteMember[] = [];
  #exchanges: ExchangeMember[] = [];
  readonly #requests: Requests;
  #isScheduled = false;
  #leftoverProcessesSettled: Promise<void> = Promise.resolve();
  #isClosed = false;
  #servesOthers = false;
  #check: typeof checkedRequest | null = null;
  #epoch: number;
  #lastContact: number;
  /** Called when an action has fired that is this process's to carry out, if it does. */
  onActionFired: (() => void) | null = null;
  /** Called by `server_stop`. */
  onStop: (() => void) | null = null;
  /** Makes another token, publishes it, and refuses the one before it after so long; set by what serves. */
  onRotateToken: ((graceSeconds: number) => void) | null = null;

  constructor(db: Database, clock: Clock, info: ServiceInfo, ownership: Ownership) {
    this.db = db;
    this.clock = clock;
    this.info = info;
    this.startedAt = clock.now();
    this.#lastContact = clock.monotonic();
    this.machine = systemMachine(info.directory);
    this.lastHeard = new LastHeard(clock, (workerId) => this.#exchange.isParked(workerId));
    this.#exchange = new Exchange(
      clock,
      () => this.#epoch,
      this.lastHeard,
      () => this.random(),
    );
    this.#epoch = readEpoch(db);
    this.#requests = new Requests(this);
    this.lost = new Promise((resolve) => {
      this.#tellLost = resolve;
    });
    this.#ownership = ownership;
    ownership.watch(() => this.#lose(takenBy(info.directory)));
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Requests of idle workers that wait for work. */
  get numParked(): number {
    return this.#exchange.numParked;
  }

  /** Requests that wait for the next transactions. */
  get numQueued(): number {
    return this.#writes.length + this.#exchanges.length;
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
    const { directory } = this.info;
    this.#servesOthers = true;
    const epoch = inTransaction(this.db, this.clock.now(), (tx) => raiseEpoch(tx, seenEpoch(directory)));
    const problem = this.#whyUnconfirmed();
    if (problem !== null) throw problem;
    noteEpoch(directory, epoch);
    this.#epoch = epoch;
    return epoch;
  }

  async call<N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions = {}): Promise<Reply<N>> {
    // a short command need not wait for the schemas to load: this program itself made what it reads with
    const isTrusted = isRead(endpoint) && !this.#servesOthers;
    const check = isTrusted ? null : (this.#check ?? (await this.#loadCheck()));
    if (this.#loss !== null) throw this.#loss;
    if (this.#isClosed) throw new TorcError('unreachable', 'the server is stopping', 'Try again in a moment.');
    this.#lastContact = this.clock.monotonic();
    if (!this.db.isOpen) this.startAfresh();
    if (this.isLost) throw await this.lost;
    const parsed = check === null ? request : check(endpoint, request);
    if (endpoint === 'exchange') {
      return (await this.#callExchange(parsed as Request<'exchange'>, options)) as Reply<N>;
    }
    return await this.#requests.call(endpoint, parsed, options.idempotencyKey ?? null);
  }

  async #loadCheck(): Promise<typeof checkedRequest> {
    this.#check = (await import('./request-check.ts')).checkedRequest;
    return this.#check;
  }

  /** Runs `work` as a member of the next transaction; resolves after it is durable. */
  write<T>(work: (tx: Transaction) => T): Promise<T> {
    if (this.#loss !== null) return Promise.reject(this.#loss);
    return new Promise((resolve, reject) => {
      this.#writes.push({ run: work, resolve: resolve as (value: unknown) => void, reject, outcome: null });
      this.#schedule();
    });
  }

  async #callExchange(request: Request<'exchange'>, options: CallOptions): Promise<ExchangeReply> {
    if (request.epoch > this.#epoch) throw this.#outdatedBy(request.epoch);
    return await new Promise((resolve, reject) => {
      const member = this.#exchange.admit(request, resolve, reject);
      if (member === null) return;
      options.signal?.addEventListener('abort', () => this.#exchange.abandon(member), { once: true });
      this.#exchanges.push(member);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#runBatch();
      if (this.#writes.length + this.#exchanges.length > 0) this.#schedule();
    });
  }

  #runBatch(): void {
    if (this.isLost) return;
    const writes = this.#writes.splice(0, membersPerBatch);
    const exchanges = this.#takeExchanges();
    let parked: { workerId: string; reply: ExchangeReply }[] = [];
    let fenced: readonly string[] = [];
    let stopping: ReadonlySet<number> = new Set();
    let runtimes: readonly [number, number][] = [];
    let hasFired = false;
    try {
      inTransaction(this.db, this.clock.now(), (tx) => {
        for (const member of exchanges) this.#exchange.applyReports(tx, member);
        for (const member of writes) runMember(tx, member);
        tx.flushCounts();
        fireJobActions(tx);
        for (const workflowKey of tx.settled) recordRunEnd(tx, workflowKey);
        for (const member of exchanges) this.#exchange.answer(tx, member);
        parked = this.#exchange.answerParked(tx);
        // a worker that leaves may have handed back jobs that were canceled
        fireJobActions(tx);
        hasFired = tx.hasFired;
        fenced = [...tx.fenced];
        stopping = new Set(tx.stopping);
        runtimes = tx.runtimes;
      });
    } catch (error) {
      this.info.log.error({ err: error }, 'a transaction failed');
      if (isIoError(error)) this.startAfresh();
      // nobody is acknowledged
      for (const member of [...writes, ...exchanges]) member.reject(error);
      return;
    }
    const problem = this.#whyUnconfirmed();
    if (problem !== null) {
      // what is in memory stays as it was, and what is repeated finds what is stored
      for (const member of [...writes, ...exchanges]) member.reject(problem);
      return;
    }
    this.#exchange.settle(exchanges, parked, runtimes);
    for (const workerId of fenced) this.#writeStopFile(workerId);
    if (hasFired) this.onActionFired?.();
    if (stopping.size > 0) this.#settleLeftoverProcesses(stopping);
    for (const { outcome, resolve, reject } of writes) {
      if (outcome === null) reject(new TorcError('bug', 'a write was not run'));
      else if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.value);
    }
  }

  /** Why nothing counts as stored, also a COMMIT that went well: the directory has another owner. Null when it has not. */
  #whyUnconfirmed(): TorcError | null {
    try {
      if (!this.#ownership.isKept()) this.#lose(takenBy(this.info.directory));
      return this.#loss;
    } catch (error) {
      const words = `cannot see whether this process still owns ${this.info.directory}: ${asTorcError(error).message}`;
      this.info.log.error({ err: error }, 'the directory does not answer');
      return new TorcError('unreachable', words, 'Look how things stand, then try again.');
    }
  }

  /**
   * A worker has spoken with a later server than this one, which stops: also where the file system shows this process an
   * old `holder.json`. The next server of this directory gets above that one. What cannot be an epoch stops nobody.
   */
  #outdatedBy(epoch: number): TorcError {
    const { directory } = this.info;
    const what = `a worker knows a later server (epoch ${epoch}) than this one (epoch ${this.#epoch})`;
    if (epoch > highestEpoch) return new TorcError('usage', `${what}, which cannot be`);
    try {
      noteEpoch(directory, epoch);
    } catch (error) {
      this.info.log.warn({ err: error }, 'the epoch of a later server could not be noted');
    }
    const error = new TorcError('busy', `${what}, which has stopped`, 'torc server start');
    this.#lose(error);
    return error;
  }

  /**
   * Ends without another word: what was not confirmed is said again to whoever owns the database now. The connection is
   * left as it is, because closing it would write into the files of that one.
   */
  #lose(error: TorcError): void {
    if (this.#loss !== null) return;
    this.#loss = error;
    this.info.log.error({ epoch: this.#epoch }, error.message);
    this.#ownership.release();
    for (const member of [...this.#writes.splice(0), ...this.#exchanges.splice(0)]) member.reject(error);
    this.#exchange.drop(error);
    this.#tellLost(error);
  }

  /**
   * Drops what is in memory and opens the database again: after an I/O error nothing of it can be believed. When it cannot
   * be opened, the next request tries again. One that another owner has put in its place is left alone: it may be just
   * that which made the error.
   */
  startAfresh(): void {
    this.#whyUnconfirmed();
    if (this.#loss !== null) return;
    this.#exchange.drop(new TorcError('unreachable', 'the database is opened again', 'Try again in a moment.'));
    try {
      this.db.reopen();
      this.info.log.warn({}, 'the database was opened again after an I/O error');
    } catch (error) {
      this.info.log.error({ err: error }, 'the database cannot be opened again');
    }
  }

  #takeExchanges(): ExchangeMember[] {
    let [numMembers, numReports] = [0, 0];
    for (const { request } of this.#exchanges.slice(0, membersPerBatch)) {
      if (numReports >= reportsPerBatch) break;
      numMembers += 1;
      numReports += request.finished.length + request.started.length + request.returned.length;
    }
    return this.#exchanges.splice(0, numMembers);
  }

  #settleLeftoverProcesses(computeNodeKeys: ReadonlySet<number>): void {
    const settle = async (): Promise<void> => {
      try {
        if (!this.isLost && !this.#isClosed) await settleLeftoverProcesses(this, computeNodeKeys);
      } catch (error) {
        this.info.log.warn(
          { err: error },
          'processes of workers that are gone could not be ended; a server tries again',
        );
      }
    };
    this.#leftoverProcessesSettled = this.#leftoverProcessesSettled.then(settle);
  }

  /** One that could not be written is missed at the next look, and written then. */
  #writeStopFile(workerId: string): void {
    this.lastHeard.noteFenced(workerId);
    try {
      this.machine.writeStopFile(workerId);
    } catch (error) {
      this.info.log.warn({ err: error, worker_id: workerId }, 'the stop file of a worker could not be written');
    }
  }

  /** Ends parked requests, finishes what waits, closes the database. */
  async close(): Promise<void> {
    await this.#leftoverProcessesSettled;
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.isLost) return;
    this.#exchange.close();
    while (this.#writes.length + this.#exchanges.length > 0) this.#runBatch();
    this.#exchange.close();
    this.db.close();
    this.#ownership.release();
  }

  /** A transaction-like view for reading outside of one; nothing may be written through it. */
  get view(): Transaction {
    return new Transaction(this.db, this.clock.now());
  }
}

function runMember(tx: Transaction, member: WriteMember): void {
  try {
    member.outcome = { value: tx.savepoint(() => member.run(tx)) };
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    member.outcome = { error: explainMember(error) };
  }
}
