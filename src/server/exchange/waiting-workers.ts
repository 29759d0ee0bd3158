/**
 * Requests of workers for which there is nothing to say yet. Each waits for the end of its long poll, or for a commit
 * that concerns its worker. A thousand busy workers wait like that, so a commit must not cost something for each.
 */
import type { ExchangeReply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Clock } from '../../base/clock.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { claimableShapes, couldTakeAny, type Vacancy, vacancyOf } from '../../storage/running/claims.ts';
import type { ComputeNode } from '../../storage/running/compute-nodes.ts';
import type { Shape } from '../../storage/running/shapes.ts';
import { isWorkflowActive } from '../../storage/running/workflows.ts';

/** A worker's request, as far as waiting needs it. */
export interface WaitingRequest {
  request: Request<'exchange'>;
  /** On the monotonic clock: the worker's latest end, or null. */
  deadline: number | null;
  resolve: (reply: ExchangeReply) => void;
  reject: (error: unknown) => void;
}

interface Parked<Waiting extends WaitingRequest> {
  member: Waiting;
  node: ComputeNode;
  /** Found when it is first needed. It holds until the worker's next request: nobody else frees what its jobs occupy. */
  vacancy: Vacancy | null;
  cancelTimer: () => void;
}

export class ParkedWorkers<Waiting extends WaitingRequest> {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Ends a request: with the reply, or without news. */
  readonly #answer: (member: Waiting, reply: ExchangeReply | null) => void;
  readonly #parked = new Map<string, Parked<Waiting>>();

  constructor(clock: Clock, random: () => number, answer: (member: Waiting, reply: ExchangeReply | null) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#answer = answer;
  }

  get size(): number {
    return this.#parked.size;
  }

  has(workerId: string): boolean {
    return this.#parked.has(workerId);
  }

  add(member: Waiting, node: ComputeNode): void {
    const workerId = member.request.worker_id;
    // spread, so that a thousand workers do not come back in the same instant
    const pollMs = limits.longPollSeconds * 1000 * (0.8 + 0.4 * this.#random());
    const cancelTimer = this.#clock.after(pollMs, () => this.end(workerId, null));
    this.#parked.set(workerId, { member, node, vacancy: null, cancelTimer });
  }

  /** Answers the request of a worker, if one waits; null: without news. */
  end(workerId: string, reply: ExchangeReply | null): void {
    const parked = this.#parked.get(workerId);
    if (parked === undefined) return;
    this.#parked.delete(workerId);
    parked.cancelTimer();
    this.#answer(parked.member, reply);
  }

  /** Answers all without news; the workers come back to whoever serves then. */
  endAll(): void {
    for (const workerId of [...this.#parked.keys()]) this.end(workerId, null);
  }

  /** Forgets a request whose connection is gone. */
  abandon(member: Waiting): void {
    const workerId = member.request.worker_id;
    if (this.#parked.get(workerId)?.member === member) this.end(workerId, null);
  }

  /** All get an error instead of an answer. */
  drop(error: Error): void {
    for (const { member, cancelTimer } of this.#parked.values()) {
      cancelTimer();
      member.reject(error);
    }
    this.#parked.clear();
  }

  /**
   * Those for which the transaction has news: a ready job that they could take, a stop, or the end of their workflow.
   * Whoever walks through them gives each its jobs before the next. A closer look costs 0.1 ms for each, this one 1 us.
   */
  *concerned(tx: Transaction): Generator<{ member: Waiting; node: ComputeNode }> {
    if (this.#parked.size === 0 || tx.readied.size + tx.settled.size + tx.stopping.size === 0) return;
    tx.flushCounts();
    const ended = new Set([...tx.settled].filter((workflowKey) => !isWorkflowActive(tx, workflowKey)));
    const ready = new Map([...tx.readied].map((workflowKey) => [workflowKey, claimableShapes(tx, workflowKey)]));
    for (const parked of this.#parked.values()) {
      const { workflowKey, computeNodeKey } = parked.node;
      const couldTake = this.#couldTake(tx, parked, ready.get(workflowKey) ?? []);
      if (!couldTake && !ended.has(workflowKey) && !tx.stopping.has(computeNodeKey)) continue;
      yield parked;
      // what it took may have been the last of its shape
      if (couldTake) ready.set(workflowKey, claimableShapes(tx, workflowKey));
    }
  }

  #couldTake(tx: Transaction, parked: Parked<Waiting>, shapes: readonly Shape[]): boolean {
    const { member, node } = parked;
    if (shapes.length === 0 || member.request.draining) return false;
    parked.vacancy ??= vacancyOf(tx, node);
    const timeLeftMs = member.deadline === null ? null : member.deadline - this.#clock.monotonic();
    return couldTakeAny(parked.vacancy, timeLeftMs, shapes);
  }
}
