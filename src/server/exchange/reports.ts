/** What workers report: attempts that started and ended, what they hold, that they leave. */
import type { ReportAnswer } from '../../api/contract.ts';
import { type Transaction, TransactionLost } from '../../storage/database/transaction.ts';
import { recordLost } from '../../storage/evidence/orphans.ts';
import { recordWorkerCommands } from '../../storage/running/actions.ts';
import {
  acknowledgedAttempts,
  isLive,
  recordFinish,
  recordReturn,
  recordSamples,
  recordStart,
} from '../../storage/running/attempts.ts';
import {
  type ComputeNode,
  closeComputeNode,
  findComputeNode,
  recordHeartbeat,
} from '../../storage/running/compute-nodes.ts';
import { EndsTogether } from '../../storage/running/ends-together.ts';
import { occupyingAttempts } from '../../storage/running/stops.ts';
import { alone, type ExchangeMember } from './members.ts';

/** A worker's heartbeat is stored at most this often; in memory every exchange counts as contact. */
const heartbeatEveryMs = 10_000;

/**
 * Applies what the worker reports. A report that fails is `rejected` and undoes nothing else: the reports of a member
 * share one savepoint, and only if one of them fails is each applied again in a savepoint of its own, which is slower.
 */
export function applyReports(tx: Transaction, member: ExchangeMember): void {
  alone(tx, member, () => applyAll(tx, member, false));
  if (member.failure === null) return;
  member.failure = null;
  member.answers = [];
  alone(tx, member, () => applyAll(tx, member, true));
}

function applyAll(tx: Transaction, member: ExchangeMember, isEachAlone: boolean): void {
  const { request } = member;
  const node = findComputeNode(tx, request.worker_id);
  member.node = node;
  if (node === null) return;
  const report = (kind: ReportAnswer['report'], attempt: number, apply: () => ReportAnswer['answer']): void => {
    const answer = isEachAlone ? applyAlone(tx, node, { attempt, report: kind }, apply) : apply();
    member.answers.push({ attempt, report: kind, answer });
  };
  const ended = request.finished.map(({ attempt }) => attempt);
  const ends = isEachAlone ? null : EndsTogether.of(tx, node, ended);
  for (const finished of request.finished) {
    report('finished', finished.attempt, () => recordFinish(tx, node, finished, ends));
  }
  ends?.settle();
  for (const attempt of request.returned) report('returned', attempt, () => recordReturn(tx, node, attempt));
  for (const started of request.started) report('started', started.attempt, () => recordStart(tx, node, started));
  const unknownAttempts = new Set(request.held);
  const acknowledged = acknowledgedAttempts(tx, node.computeNodeKey, request.ack);
  // after the ends of all that it held there is none
  const known = acknowledged.length === 0 ? unknownAttempts : attemptsKnownTo(member);
  for (const attemptKey of acknowledged) {
    if (!known.has(attemptKey)) recordLost(tx, node, attemptKey);
    unknownAttempts.delete(attemptKey);
  }
  // normally there is none
  member.unknownAttempts = [...unknownAttempts].filter((attemptKey) => !isLive(tx, node.computeNodeKey, attemptKey));
  recordSamples(tx, node, request.samples);
  recordWorkerCommands(tx, node.computeNodeKey, request.actions ?? []);
  // either way: the clock may have been set back
  const isDue = Math.abs(tx.now - node.lastHeartbeatAt) >= heartbeatEveryMs;
  if (node.contactLostAt !== null || isDue) recordHeartbeat(tx, node);
  if (request.leaving) leave(tx, node, request.ack);
}

/** Those that a worker holds or reports on. */
function attemptsKnownTo({ request, answers }: ExchangeMember): Set<number> {
  return new Set([...request.held, ...answers.map(({ attempt }) => attempt)]);
}

/** A worker leaves: jobs that it was given and never saw are handed back, like any other report, before the claims. */
function leave(tx: Transaction, node: ComputeNode, ack: number): void {
  for (const { attemptKey } of occupyingAttempts(tx, node.computeNodeKey)) {
    if (attemptKey > ack) recordReturn(tx, node, attemptKey);
  }
  closeComputeNode(tx, node.computeNodeKey, 'left', 'left');
}

type Report = Pick<ReportAnswer, 'attempt' | 'report'>;

function applyAlone(
  tx: Transaction,
  node: ComputeNode,
  report: Report,
  apply: () => ReportAnswer['answer'],
): ReportAnswer['answer'] {
  try {
    return tx.savepoint(apply);
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    const message = error instanceof Error ? error.message : String(error);
    tx.event({ workflowKey: node.workflowKey, type: 'report_rejected', data: { ...report, message } });
    return 'rejected';
  }
}
