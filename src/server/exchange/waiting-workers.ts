/**
 * Parked requests: workers for which there is nothing to say yet. Each waits for the end of its long poll, or for a
 * commit that concerns its worker. A thousand busy workers can wait like that, so the cost of a commit must not grow
 * with them.
 */
import type { ExchangeReply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Clock } from '../../base/clock.ts';
import { factsOf, workflowsOf } from '../../storage/database/facts.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { type Claimable, claimable, couldTakeAny, type Vacancy, vacancyOf } from '../../storage/running/claims.ts';
import { type ComputeNode, limitedNode } from '../../storage/running/compute-nodes.ts';
import { isWorkflowActive } from '../../storage/running/workflows.ts';

/** What waiting needs to know about a worker's request. */
export interface WaitingRequest {
  request: Request<'exchange'>;
  /** On the monotonic clock: the worker's latest end, or null. */
  deadline: number | null;
  resolve: (reply: ExchangeReply) => void;
  reject: (error: unknown) => void;
}

/** A member of the batch that is being served. */
type Unanswered<Waiting extends WaitingRequest> = Waiting & {
  node: ComputeNode | null;
  reply: ExchangeReply | null;
  failure: unknown;
};

interface Concerned<Waiting extends WaitingRequest> {
  member: Waiting;
  node: ComputeNode;
  /** Whether it has waited since an earlier batch. */
  isParked: boolean;
  /** Computed when first needed. Valid until the worker's next request: nobody else frees what its jobs occupy. */
  vacancy: Vacancy | null;
}

interface Parked<Waiting extends WaitingRequest> extends Concerned<Waiting> {
  cancelTimer: () => void;
}

export class WaitingWorkers<Waiting extends WaitingRequest> {
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
    this.#parked.set(workerId, { member, node, isParked: true, vacancy: null, cancelTimer });
  }

  /** Answers the parked request of a worker, if there is one; null: without news. */
  end(workerId: string, reply: ExchangeReply | null): void {
    const parked = this.#parked.get(workerId);
    if (parked === undefined) return;
    this.#parked.delete(workerId);
    parked.cancelTimer();
    this.#answer(parked.member, reply);
  }

  /** Answers all without news; the workers then ask the next server. */
  endAll(): void {
    for (const workerId of [...this.#parked.keys()]) this.end(workerId, null);
  }

  /** Forgets a request whose connection is gone. */
  abandon(member: Waiting): void {
    const workerId = member.request.worker_id;
    if (this.#parked.get(workerId)?.member === member) this.end(workerId, null);
  }

  /** Answers all with an error. */
  drop(error: Error): void {
    for (const { member, cancelTimer } of this.#parked.values()) {
      cancelTimer();
      member.reject(error);
    }
    this.#parked.clear();
  }

  /**
   * The waiting workers that the facts from number `since` on concern: a ready job that they could take, a stop, or the
   * end of their workflow. `members` of the batch without a reply wait too. Each gets its jobs before the next is
   * considered. Checking a shape is cheap; serving a worker that is concerned is not.
   */
  *concerned(tx: Transaction, since: number, members: readonly Unanswered<Waiting>[]): Generator<Concerned<Waiting>> {
    const facts = tx.facts.slice(since);
    const [readied, settled] = [workflowsOf(facts, 'jobs_ready'), workflowsOf(facts, 'jobs_settled')];
    const stopping = new Set(factsOf(facts, 'worker_stopping').map((fact) => fact.computeNodeKey));
    const isLimitFreed = factsOf(facts, 'limit_freed').length > 0;
    if (!isLimitFreed && readied.size + settled.size + stopping.size === 0) return;
    const waiters = this.#waiting(members);
    // a slot that is free may be for a job of any workflow
    if (isLimitFreed) for (const { node } of waiters) readied.add(node.workflowKey);
    const ended = new Set([...settled].filter((workflowKey) => !isWorkflowActive(tx, workflowKey)));
    const ready = new Map([...readied].map((workflowKey) => [workflowKey, claimable(tx, workflowKey)]));
    for (const waiting of waiters) {
      const { workflowKey, computeNodeKey } = waiting.node;
      const couldTake = this.#couldTake(tx, waiting, ready.get(workflowKey));
      if (!couldTake && !ended.has(workflowKey) && !stopping.has(computeNodeKey)) continue;
      yield waiting;
      // it may have taken the last job of its shape
      if (couldTake) ready.set(workflowKey, claimable(tx, workflowKey));
    }
  }

  #waiting(members: readonly Unanswered<Waiting>[]): Concerned<Waiting>[] {
    const waiting: Concerned<Waiting>[] = [];
    for (const member of members) {
      const { node, reply, failure } = member;
      if (node !== null && reply === null && failure === null) {
        waiting.push({ member, node, isParked: false, vacancy: null });
      }
    }
    for (const parked of this.#parked.values()) waiting.push(parked);
    return waiting;
  }

  #couldTake(tx: Transaction, parked: Concerned<Waiting>, ready: Claimable | undefined): boolean {
    const { member, node } = parked;
    if (ready === undefined || ready.ready === null || member.request.draining) return false;
    parked.vacancy ??= vacancyOf(tx, limitedNode(node, member.request));
    const timeLeftMs = member.deadline === null ? null : member.deadline - this.#clock.monotonic();
    return couldTakeAny(parked.vacancy, timeLeftMs, ready);
  }
}
