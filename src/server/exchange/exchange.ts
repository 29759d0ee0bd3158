/**
 * The exchange with workers: reports in, jobs and stops out, long-polled.
 *
 * A batch goes through three steps: the reports of all members, then (elsewhere) other writes, then claims, so that
 * work which a report sets free is given out in the same transaction, to members first and then to parked workers.
 * Memory (who is parked, the highest seq) changes only after the commit. Replies are level-triggered: they say what is
 * so, not what changed, so a lost one costs nothing.
 */
import type { ExchangeReply, ReportAnswer, Request } from '../../api/contract.ts';
import { limits, protocolVersion } from '../../api/limits.ts';
import { type Clock, isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { type Fact, factsOf } from '../../storage/database/facts.ts';
import { type Transaction, TransactionLost } from '../../storage/database/transaction.ts';
import { recordLost } from '../../storage/evidence/orphans.ts';
import { recordWorkerCommands } from '../../storage/running/actions.ts';
import { assignmentsAbove } from '../../storage/running/assignments.ts';
import {
  acknowledgedAttempts,
  fencedStops,
  isLive,
  isOccupied,
  occupyingAttempts,
  recordFinish,
  recordReturn,
  recordSamples,
  recordStart,
  stopsOf,
} from '../../storage/running/attempts.ts';
import { claimJobs } from '../../storage/running/claims.ts';
import {
  type ComputeNode,
  closeComputeNode,
  findComputeNode,
  recordHeartbeat,
} from '../../storage/running/compute-nodes.ts';
import { nextFall } from '../../storage/running/holds.ts';
import { getWorkflow, isWorkflowActive } from '../../storage/running/workflows.ts';
import type { LastHeard } from './last-heard.ts';
import { ShapeRuntimes } from './shape-runtimes.ts';
import { type WaitingRequest, WaitingWorkers } from './waiting-workers.ts';

/** A worker's heartbeat is stored at most this often; any exchange is contact all the same. */
const heartbeatEveryMs = 10_000;

/** No request is under way for so long: the seq of a worker that was silent since is not needed any more. */
const forgetAfterMs = 600_000;
const mostSilent = 1_000;

export interface ExchangeMember extends WaitingRequest {
  /** Found in the first step. */
  node: ComputeNode | null;
  answers: ReportAnswer[];
  /**
   * What the worker holds although nothing here says that it should: attempts of a database that was newer than the
   * backup in its place. It is to stop them.
   */
  unknownAttempts: number[];
  /** On the monotonic clock: when the next job that is held back can run; for a worker that has nothing. */
  heldUntilMs: number | null;
  /** Set in the last step; null parks the request. */
  reply: ExchangeReply | null;
  /** What went wrong with this member alone; its part of the transaction is undone. */
  failure: { error: unknown } | null;
}

export class Exchange {
  readonly #clock: Clock;
  readonly #epoch: () => number;
  readonly #lastHeard: LastHeard;
  readonly #waiting: WaitingWorkers<ExchangeMember>;
  readonly #lastSeq = new Map<string, { seq: number; atMs: number }>();
  /** How many workers may be in there before the silent ones are taken out. */
  #forgetAt = mostSilent;
  readonly #runtimes = new ShapeRuntimes();

  constructor(clock: Clock, epoch: () => number, lastHeard: LastHeard, random: () => number) {
    this.#clock = clock;
    this.#epoch = epoch;
    this.#lastHeard = lastHeard;
    this.#waiting = new WaitingWorkers(clock, random, (member, reply) => {
      lastHeard.note(member.request.worker_id);
      member.resolve(reply ?? this.#replyWithoutNews(member));
    });
  }

  get numParked(): number {
    return this.#waiting.size;
  }

  isParked(workerId: string): boolean {
    return this.#waiting.has(workerId);
  }

  /**
   * A request as a member of the next batch, or null when it was answered at once: an older seq changes nothing. A newer
   * request ends the parked one of the same worker with an empty reply.
   */
  admit(
    request: Request<'exchange'>,
    resolve: ExchangeMember['resolve'],
    reject: ExchangeMember['reject'],
  ): ExchangeMember | null {
    if (request.protocol !== protocolVersion) {
      reject(otherProtocol(request.protocol));
      return null;
    }
    this.#lastHeard.note(request.worker_id);
    const last = this.#lastSeq.get(request.worker_id);
    if (last !== undefined && request.seq <= last.seq) {
      resolve(this.#emptyReply(request.seq));
      return null;
    }
    if (!this.#waiting.has(request.worker_id) && this.#waiting.size >= limits.parkedRequests) {
      reject(new TorcError('unreachable', 'the server has too many waiting workers', 'It is tried again by itself.'));
      return null;
    }
    this.#lastSeq.set(request.worker_id, { seq: request.seq, atMs: this.#clock.monotonic() });
    if (this.#lastSeq.size > this.#forgetAt) this.#forgetSilent();
    this.#waiting.end(request.worker_id, null);
    const deadline = request.time_left_ms === null ? null : this.#clock.monotonic() + request.time_left_ms;
    return {
      request,
      deadline,
      resolve,
      reject,
      node: null,
      answers: [],
      unknownAttempts: [],
      heldUntilMs: null,
      reply: null,
      failure: null,
    };
  }

  #forgetSilent(): void {
    const before = this.#clock.monotonic() - forgetAfterMs;
    for (const [workerId, { atMs }] of this.#lastSeq) {
      if (atMs < before && !this.#waiting.has(workerId)) this.#lastSeq.delete(workerId);
    }
    this.#forgetAt = Math.max(mostSilent, 2 * this.#lastSeq.size);
  }

  /**
   * First step: what the worker reports. A report that fails is `rejected` and undoes nothing else: the reports of a
   * member share one savepoint, and only when one of them fails each is applied again in a savepoint of its own, which
   * costs 11 us each (of 60 us for a claim and its completion).
   */
  applyReports(tx: Transaction, member: ExchangeMember): void {
    alone(tx, member, () => this.#applyReports(tx, member, (_node, _report, apply) => apply()));
    if (member.failure === null) return;
    member.failure = null;
    member.answers = [];
    alone(tx, member, () =>
      this.#applyReports(tx, member, (node, report, apply) => applyAlone(tx, node, report, apply)),
    );
  }

  #applyReports(tx: Transaction, member: ExchangeMember, applyReport: ApplyReport): void {
    const { request } = member;
    const node = findComputeNode(tx, request.worker_id);
    member.node = node;
    if (node === null) return;
    const report = (kind: ReportAnswer['report'], attempt: number, apply: () => ReportAnswer['answer']): void => {
      const report = { attempt, report: kind };
      member.answers.push({ ...report, answer: applyReport(node, report, apply) });
    };
    for (const finished of request.finished) {
      report('finished', finished.attempt, () => recordFinish(tx, node, finished));
    }
    for (const attempt of request.returned) report('returned', attempt, () => recordReturn(tx, node, attempt));
    for (const started of request.started) report('started', started.attempt, () => recordStart(tx, node, started));
    const known = new Set([...request.held, ...member.answers.map((answer) => answer.attempt)]);
    const unknownAttempts = new Set(request.held);
    for (const attemptKey of acknowledgedAttempts(tx, node.computeNodeKey, request.ack)) {
      if (!known.has(attemptKey)) recordLost(tx, node, attemptKey);
      unknownAttempts.delete(attemptKey);
    }
    // normally there are none
    member.unknownAttempts = [...unknownAttempts].filter((attemptKey) => !isLive(tx, node.computeNodeKey, attemptKey));
    recordSamples(tx, node, request.samples);
    recordWorkerCommands(tx, node.computeNodeKey, request.actions ?? []);
    // either way: the clock may have been set back
    const isDue = Math.abs(tx.now - node.lastHeartbeatAt) >= heartbeatEveryMs;
    if (node.contactLostAt !== null || isDue) recordHeartbeat(tx, node);
    if (request.leaving) leave(tx, node, request.ack);
  }

  /** Last step for a member: claims for it and makes its reply; null when there is nothing to say yet. */
  answer(tx: Transaction, member: ExchangeMember): void {
    alone(tx, member, () => this.#answer(tx, member));
  }

  #answer(tx: Transaction, member: ExchangeMember): void {
    const { request, node } = member;
    if (node === null) {
      member.reply = { ...this.#emptyReply(request.seq), unknown_worker: true };
      return;
    }
    if (request.leaving) {
      member.reply = { ...this.#emptyReply(request.seq), reports: member.answers, leave: true };
      return;
    }
    const reply = this.#claimAndReply(tx, node, member);
    if (isWorthSending(reply)) member.reply = reply;
  }

  /**
   * Last step for workers that wait: those whom the facts from number `since` on concern get work, stops or leave. Members
   * of the batch that have no reply yet wait like the parked ones. Returns the replies to the parked ones.
   */
  answerWaiting(
    tx: Transaction,
    members: readonly ExchangeMember[],
    since: number,
  ): { workerId: string; reply: ExchangeReply }[] {
    const answered: { workerId: string; reply: ExchangeReply }[] = [];
    for (const waiting of this.#waiting.concerned(tx, since, members)) {
      const { member, node } = waiting;
      const reply = alone(tx, member, () => this.#claimAndReply(tx, node, member));
      if (reply === null || !isWorthSending(reply)) {
        // a parked one that failed stays parked; its next request tells the worker why
        if (waiting.isParked) member.failure = null;
        continue;
      }
      if (waiting.isParked) answered.push({ workerId: node.workerId, reply });
      else member.reply = reply;
    }
    return answered;
  }

  #claimAndReply(tx: Transaction, node: ComputeNode, member: ExchangeMember): ExchangeReply {
    const { request } = member;
    const current = findComputeNode(tx, node.workerId) ?? node;
    if (current.isActive && !request.draining) {
      const timeLeftMs = member.deadline === null ? null : member.deadline - this.#clock.monotonic();
      // only while its jobs end: what runs for long must not have others wait behind it
      const hasEnds = request.finished.length > 0;
      claimJobs(tx, current, timeLeftMs, hasEnds ? (shapeKey) => this.#runtimes.medianMs(shapeKey) : null);
    }
    if (request.held.length === 0) member.heldUntilMs = this.#whenHoldFalls(tx, node);
    return {
      ...this.#replyWithoutNews(member),
      jobs: current.isActive ? assignmentsAbove(tx, node.computeNodeKey, request.ack) : [],
      stop: current.isActive
        ? [...stopsOf(tx, node.computeNodeKey), ...member.unknownAttempts.map(stopUnknown)]
        : fencedStops(occupyingAttempts(tx, node.computeNodeKey), request.held),
      reports: member.answers,
      leave: this.#shouldLeave(tx, current),
    };
  }

  #whenHoldFalls(tx: Transaction, { workflowKey }: ComputeNode): number | null {
    const fallsAt = nextFall(tx, workflowKey);
    return fallsAt === null ? null : this.#clock.monotonic() + fallsAt - tx.now;
  }

  #replyWithoutNews({ request, heldUntilMs }: ExchangeMember): ExchangeReply {
    const reply = this.#emptyReply(request.seq);
    if (heldUntilMs === null) return reply;
    return { ...reply, hold_ms: Math.max(0, Math.round(heldUntilMs - this.#clock.monotonic())) };
  }

  #shouldLeave(tx: Transaction, node: ComputeNode): boolean {
    if (isOccupied(tx, node.computeNodeKey)) return false;
    if (!node.isActive) return true;
    tx.flushCounts();
    if (isWorkflowActive(tx, node.workflowKey)) return false;
    const { ignoreWorkflowCompletion, isStopping } = getWorkflow(tx, node.workflowKey);
    if (ignoreWorkflowCompletion || isStopping) return false;
    closeComputeNode(tx, node.computeNodeKey, 'nothing left to do', 'told_to_leave');
    return true;
  }

  /** Learns from what a transaction made true how long jobs take. */
  learn(facts: readonly Fact[]): void {
    for (const { shapeKey, runtimeMs } of factsOf(facts, 'attempt_ran')) this.#runtimes.note(shapeKey, runtimeMs);
  }

  /** After the commit: sends the replies, and parks the members that have none. */
  answerAll(members: readonly ExchangeMember[], parked: readonly { workerId: string; reply: ExchangeReply }[]): void {
    for (const { workerId, reply } of parked) this.#waiting.end(workerId, reply);
    for (const member of members) {
      if (member.failure !== null) member.reject(member.failure.error);
      else if (member.reply !== null) member.resolve(member.reply);
      else this.#park(member);
    }
  }

  /** Ends every parked request with an empty reply; the workers come back to whoever serves then. */
  close(): void {
    this.#waiting.endAll();
  }

  /** Forgets all that is known of workers' requests; those that wait get no answer. */
  drop(error: Error): void {
    this.#waiting.drop(error);
    this.#lastSeq.clear();
  }

  /** Forgets a parked request whose connection is gone. */
  abandon(member: ExchangeMember): void {
    this.#waiting.abandon(member);
  }

  #park(member: ExchangeMember): void {
    const { node } = member;
    if (node === null) return;
    const workerId = member.request.worker_id;
    if (this.#lastSeq.get(workerId)?.seq !== member.request.seq) {
      // a newer request of this worker came while this one was in the batch
      member.resolve(this.#emptyReply(member.request.seq));
      return;
    }
    this.#waiting.add(member, node);
  }

  #emptyReply(seq: number): ExchangeReply {
    return {
      seq,
      epoch: this.#epoch(),
      now: isoInstant(this.#clock.now()) as string,
      jobs: [],
      stop: [],
      reports: [],
      leave: false,
      unknown_worker: false,
    };
  }
}

/** That a worker speaks another protocol than this server. */
export function otherProtocol(protocol: number): TorcError {
  return new TorcError(
    'conflict',
    `the worker speaks protocol ${protocol}, the server ${protocolVersion}`,
    'Run the same version of torc on all nodes.',
  );
}

/** A worker says goodbye: what it was given and never saw is handed back, like any other report before the claims. */
function leave(tx: Transaction, node: ComputeNode, ack: number): void {
  for (const { attemptKey } of occupyingAttempts(tx, node.computeNodeKey)) {
    if (attemptKey > ack) recordReturn(tx, node, attemptKey);
  }
  closeComputeNode(tx, node.computeNodeKey, 'left', 'left');
}

/** Runs one member's part so that what goes wrong in it undoes and fails that member, not the whole batch; then null. */
function alone<T>(tx: Transaction, member: ExchangeMember, work: () => T): T | null {
  if (member.failure !== null) return null;
  try {
    return tx.savepoint(work);
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    member.failure = { error };
    return null;
  }
}

function stopUnknown(attempt: number): ExchangeReply['stop'][number] {
  return { attempt, reason: 'superseded' };
}

function isWorthSending(reply: ExchangeReply): boolean {
  return reply.jobs.length + reply.stop.length + reply.reports.length > 0 || reply.leave;
}

type Report = Pick<ReportAnswer, 'attempt' | 'report'>;
type ApplyReport = (node: ComputeNode, report: Report, apply: () => ReportAnswer['answer']) => ReportAnswer['answer'];

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
