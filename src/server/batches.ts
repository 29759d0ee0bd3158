/**
 * Group commit: all requests that wait at the next turn of the event loop are served in one transaction and answered
 * after it is durable. A reply means that the change is on disk.
 */
import type { ExchangeReply } from '../api/contract.ts';
import { TorcError } from '../base/errors.ts';
import { type Fact, factsOf } from '../storage/database/facts.ts';
import { type Transaction, TransactionLost } from '../storage/database/transaction.ts';
import { conclude } from '../storage/runs/conclude.ts';
import type { Exchange } from './exchange/exchange.ts';
import type { ExchangeMember } from './exchange/members.ts';
import { applyReports } from './exchange/reports.ts';
import { explainMember } from './requests.ts';

interface WriteMember {
  run: (tx: Transaction) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  outcome: { value: unknown } | { error: unknown } | null;
}

/** The most writes in one transaction, so that a full queue does not make a huge one that others wait for. */
const membersPerBatch = 256;
/** A batch with this many reports takes no further worker's request. */
const reportsPerBatch = 1000;

export interface BatchesDependencies {
  /** Runs `work` in one durable transaction. */
  begin: (work: (tx: Transaction) => void) => void;
  exchange: Exchange;
  /** Why nothing counts as stored although COMMIT succeeded, or null. */
  whyUnconfirmed: () => TorcError | null;
  /** Commits again in a while, be it nothing: facts wait for a transaction that is confirmed. */
  commitLater: () => void;
  failed: (error: unknown) => void;
  /** Called with why a transaction failed, and with null after one that was stored. */
  noteSpace: (error: unknown) => void;
  publish: (facts: readonly Fact[]) => void;
}

export class Batches {
  readonly #deps: BatchesDependencies;
  #writes: WriteMember[] = [];
  #exchanges: ExchangeMember[] = [];
  #isScheduled = false;
  /** Facts of transactions that may be stored and were not confirmed. */
  #untold: Fact[] = [];

  constructor(deps: BatchesDependencies) {
    this.#deps = deps;
  }

  /** Requests that wait for the next transactions. */
  get size(): number {
    return this.#writes.length + this.#exchanges.length;
  }

  /** Runs `work` as a member of the next transaction; resolves after it is durable. */
  write<T>(work: (tx: Transaction) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ run: work, resolve: resolve as (value: unknown) => void, reject, outcome: null });
      this.#schedule();
    });
  }

  addExchange(member: ExchangeMember): void {
    this.#exchanges.push(member);
    this.#schedule();
  }

  /** Serves everything that waits, immediately. */
  finish(): void {
    while (this.size > 0) this.#run();
  }

  rejectAll(error: TorcError): void {
    for (const member of [...this.#writes.splice(0), ...this.#exchanges.splice(0)]) member.reject(error);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#run();
      if (this.size > 0) this.#schedule();
    });
  }

  #run(): void {
    if (this.size === 0) return;
    const { exchange } = this.#deps;
    const writes = this.#writes.splice(0, membersPerBatch);
    const exchanges = this.#takeExchanges();
    let parked: { workerId: string; reply: ExchangeReply }[] = [];
    let facts: readonly Fact[] = [];
    let numWritten = (): number => 0;
    try {
      this.#deps.begin((tx) => {
        const before = tx.db.numChanges;
        numWritten = () => tx.db.numChanges - before;
        parked = apply(tx, exchange, exchanges, writes);
        facts = tx.facts;
      });
    } catch (error) {
      this.#deps.failed(error);
      this.#deps.noteSpace(error);
      // an I/O error may come after the transaction was stored; these facts only trigger a check
      this.#untold.push(...factsOf(facts, 'due_set'), ...factsOf(facts, 'action_fired'));
      if (this.#untold.length > 0) this.#deps.commitLater();
      // no request is acknowledged
      for (const member of [...writes, ...exchanges]) member.reject(error);
      return;
    }
    const problem = this.#deps.whyUnconfirmed();
    if (problem !== null) {
      // memory stays as it was; repeated requests find what is stored, and make nothing true a second time
      this.#untold.push(...facts);
      this.#deps.commitLater();
      for (const member of [...writes, ...exchanges]) member.reject(problem);
      return;
    }
    // what changed nothing needed no space
    if (numWritten() > 0) this.#deps.noteSpace(null);
    this.#deps.publish([...this.#untold.splice(0), ...facts]);
    exchange.answerAll(exchanges, parked);
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
}

/** Serves a batch in order: reports of all workers, other writes, claims; returns the replies to parked requests. */
function apply(
  tx: Transaction,
  exchange: Exchange,
  exchanges: readonly ExchangeMember[],
  writes: readonly WriteMember[],
): { workerId: string; reply: ExchangeReply }[] {
  for (const member of exchanges) applyReports(tx, member);
  for (const member of writes) {
    // what a member reads is what stands before it
    tx.flushCounts();
    runMember(tx, member);
  }
  tx.flushCounts();
  // of a worker that is answered twice the later reply says everything
  const parked = new Map<string, { workerId: string; reply: ExchangeReply }>();
  const giveOut = (members: readonly ExchangeMember[], since: number): void => {
    for (const answered of exchange.answerWaiting(tx, members, since)) parked.set(answered.workerId, answered);
  };
  // a slot of several workflows goes to the worker that waits for it, not to the one whose job has left it
  if (factsOf(tx.facts, 'limit_freed').length > 0) giveOut([], 0);
  for (const member of exchanges) exchange.answer(tx, member);
  conclude(tx, (since) => giveOut(exchanges, since));
  return [...parked.values()];
}

function runMember(tx: Transaction, member: WriteMember): void {
  try {
    member.outcome = { value: tx.savepoint(() => member.run(tx)) };
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    member.outcome = { error: explainMember(error) };
  }
}
