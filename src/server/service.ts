/**
 * The one service behind HTTPS and in process: every endpoint of the contract, over one database.
 *
 * Group commit: whatever waits when the loop comes round is served in one transaction and answered after it is
 * durable. A reply means that it is on disk.
 */
import type { Api, CallOptions, EndpointName, ExchangeReply, Reply, Request } from '../api/contract.ts';
import type { Clock } from '../base/clock.ts';
import { systemCode, TorcError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { fireJobActions } from '../storage/action-triggers.ts';
import type { Database } from '../storage/database.ts';
import { raiseEpoch, readEpoch } from '../storage/epoch.ts';
import { inTransaction, Transaction, TransactionLost } from '../storage/transaction.ts';
import { recordRunEnd } from '../storage/workflows.ts';
import { Contacts } from './contacts.ts';
import { Exchange, type ExchangeMember } from './exchange.ts';
import { type Handlers, handlers, type StepHandler } from './handlers.ts';
import { type Machine, systemMachine } from './machine.ts';
import type { checkedRequest } from './request-check.ts';

export interface ServiceInfo {
  version: string;
  directory: string;
  hostname: string;
  pid: number;
  user: string;
  log: Log;
}

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

export class Service implements Api {
  readonly db: Database;
  readonly clock: Clock;
  readonly info: ServiceInfo;
  readonly startedAt: number;
  readonly contacts: Contacts;
  /** Slurm, processes and files, as evidence is gathered from them. */
  machine: Machine;
  /** A worker that is silent for longer has lost contact. */
  leaseMs = 120_000;
  /** From 0 to below 1. */
  random: () => number = Math.random;
  readonly #exchange: Exchange;
  #writes: WriteMember[] = [];
  #exchanges: ExchangeMember[] = [];
  #isScheduled = false;
  #isClosed = false;
  #servesOthers = false;
  #check: typeof checkedRequest | null = null;
  #epoch: number;
  #lastContact: number;
  /** Called when an action has fired that is this process's to carry out, if it does. */
  onActionFired: (() => void) | null = null;
  /** Called by `server_stop`. */
  onStop: (() => void) | null = null;

  constructor(db: Database, clock: Clock, info: ServiceInfo) {
    this.db = db;
    this.clock = clock;
    this.info = info;
    this.startedAt = clock.now();
    this.#lastContact = clock.monotonic();
    this.machine = systemMachine(info.directory);
    this.contacts = new Contacts(clock, (workerId) => this.#exchange.isParked(workerId));
    this.#exchange = new Exchange(
      clock,
      () => this.#epoch,
      this.contacts,
      () => this.random(),
    );
    this.#epoch = readEpoch(db);
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Requests of idle workers that wait for work. */
  get numParked(): number {
    return this.#exchange.numParked;
  }

  /** Milliseconds since the last request. */
  get silentMs(): number {
    return this.#exchange.numParked > 0 ? 0 : this.clock.monotonic() - this.#lastContact;
  }

  /** Raises the epoch: called once by a process that begins to serve others. */
  beginEpoch(): number {
    this.#servesOthers = true;
    this.#epoch = inTransaction(this.db, this.clock.now(), raiseEpoch);
    return this.#epoch;
  }

  async call<N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions = {}): Promise<Reply<N>> {
    const handler = endpoint === 'exchange' ? null : (handlers as Handlers)[endpoint];
    // a short command need not wait for the schemas to load: this program itself made what it reads with
    const isTrusted = handler?.kind === 'read' && !this.#servesOthers;
    const check = isTrusted ? null : (this.#check ?? (await this.#loadCheck()));
    if (this.#isClosed) throw new TorcError('unreachable', 'the server is stopping', 'Try again in a moment.');
    this.#lastContact = this.clock.monotonic();
    const parsed = check === null ? request : check(endpoint, request);
    if (handler === null) return (await this.#callExchange(parsed as Request<'exchange'>, options)) as Reply<N>;
    if (handler.kind === 'read') return handler.run(this, parsed) as Reply<N>;
    if (handler.kind === 'steps') return (await this.#runSteps(handler as StepHandler<N>, parsed)) as Reply<N>;
    if (handler.kind === 'prepared') {
      return (await this.write(await handler.prepare(this, parsed))) as Reply<N>;
    }
    return (await this.write((tx) => handler.run(tx, parsed, this))) as Reply<N>;
  }

  async #loadCheck(): Promise<typeof checkedRequest> {
    this.#check = (await import('./request-check.ts')).checkedRequest;
    return this.#check;
  }

  /** Runs `work` as a member of the next transaction; resolves after it is durable. */
  write<T>(work: (tx: Transaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ run: work, resolve: resolve as (value: unknown) => void, reject, outcome: null });
      this.#schedule();
    });
  }

  /** Work that is cut into transactions of its own, so that others are served in between. */
  async #runSteps<N extends EndpointName>(handler: StepHandler<N>, request: Request<N>): Promise<Reply<N>> {
    const { step, reply } = await this.write((tx) => handler.begin(tx, request, this));
    if (step !== null) while (!(await this.write(step)));
    return reply;
  }

  #callExchange(request: Request<'exchange'>, options: CallOptions): Promise<ExchangeReply> {
    return new Promise((resolve, reject) => {
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
    const writes = this.#writes.splice(0, membersPerBatch);
    const exchanges = this.#takeExchanges();
    let parked: { workerId: string; reply: ExchangeReply }[] = [];
    let fenced: readonly string[] = [];
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
        runtimes = tx.runtimes;
      });
    } catch (error) {
      this.info.log.error({ err: error }, 'a transaction failed');
      // nothing of it is on disk: nobody is acknowledged
      for (const member of [...writes, ...exchanges]) member.reject(error);
      return;
    }
    this.#exchange.settle(exchanges, parked, runtimes);
    for (const workerId of fenced) this.#writeStopFile(workerId);
    if (hasFired) this.onActionFired?.();
    for (const { outcome, resolve, reject } of writes) {
      if (outcome === null) reject(new TorcError('bug', 'a write was not run'));
      else if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.value);
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

  /** One that could not be written is missed at the next look, and written then. */
  #writeStopFile(workerId: string): void {
    this.contacts.noteFenced(workerId);
    try {
      this.machine.writeStopFile(workerId);
    } catch (error) {
      this.info.log.warn({ err: error, worker_id: workerId }, 'the stop file of a worker could not be written');
    }
  }

  /** Ends parked requests, finishes what waits, closes the database. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#exchange.close();
    while (this.#writes.length + this.#exchanges.length > 0) this.#runBatch();
    this.#exchange.close();
    this.db.close();
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
    member.outcome = { error: explainConstraint(error) };
  }
}

function explainConstraint(error: unknown): unknown {
  const code = systemCode(error) ?? '';
  if (!code.startsWith('SQLITE_CONSTRAINT')) return error;
  const words = error instanceof Error ? error.message : code;
  return new TorcError('conflict', `the database refused it: ${words}`, null, { cause: error });
}
