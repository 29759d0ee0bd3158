/** A worker's request as a member of the batch that serves it. */
import type { ExchangeReply, ReportAnswer, Request } from '../../api/contract.ts';
import { type Transaction, TransactionLost } from '../../storage/database/transaction.ts';
import type { ComputeNode } from '../../storage/running/compute-nodes.ts';
import type { WaitingRequest } from './waiting-workers.ts';

export interface ExchangeMember extends WaitingRequest {
  /** On the monotonic clock. */
  arrivedAt: number;
  /** Found in the first step. */
  node: ComputeNode | null;
  answers: ReportAnswer[];
  /**
   * Attempts that the worker holds and this database does not know, because it is a backup that replaced a newer one.
   * The worker must stop them.
   */
  unknownAttempts: number[];
  /** On the monotonic clock: when the next held job can run; for a worker without jobs. */
  heldUntilMs: number | null;
  /** Set in the last step; null parks the request. */
  reply: ExchangeReply | null;
  /** What went wrong with only this member; its part of the transaction is undone. */
  failure: { error: unknown } | null;
}

export function newMember(
  request: Request<'exchange'>,
  waiting: Pick<ExchangeMember, 'arrivedAt' | 'deadline' | 'resolve' | 'reject'>,
): ExchangeMember {
  return {
    request,
    ...waiting,
    node: null,
    answers: [],
    unknownAttempts: [],
    heldUntilMs: null,
    reply: null,
    failure: null,
  };
}

/**
 * Runs one member's part. An error in it undoes and fails that member, not the whole batch; the result is then null.
 */
export function alone<T>(tx: Transaction, member: ExchangeMember, work: () => T): T | null {
  if (member.failure !== null) return null;
  try {
    return tx.savepoint(work);
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    member.failure = { error };
    return null;
  }
}
