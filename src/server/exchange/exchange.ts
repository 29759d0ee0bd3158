/**
 * The exchange with workers, a long poll: reports come in, jobs and stops go out.
 *
 * A batch has three steps: the reports of all members, then (elsewhere) other writes, then claims. So jobs that a
 * report makes ready are given out in the same transaction, to members first and then to parked workers. The highest
 * seq of a worker is noted when its request arrives; the set of parked requests changes only after the commit. Replies
 * are level-triggered: they state the present situation, not changes, so a lost one does no harm.
 */
import type { ExchangeReply, Request } from '../../api/contract.ts';
import { limits, protocolVersion } from '../../api/limits.ts';
import { type Clock, isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { Histogram } from '../../base/histogram.ts';
import { type Fact, factsOf } from '../../storage/database/facts.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { assignmentsAbove } from '../../storage/running/assignments.ts';
import { idleMsOf, isKept } from '../../storage/running/autoscalers.ts';
import { claimJobs, waitsForLimit } from '../../storage/running/claims.ts';
import {
  type ComputeNode,
  closeComputeNode,
  findComputeNode,
  limitedNode,
} from '../../storage/running/compute-nodes.ts';
import { nextFall } from '../../storage/running/holds.ts';
import { hasUndecided } from '../../storage/running/losses.ts';
import {
  fencedStops,
  isOccupied,
  occupyingAttempts,
  stopsOf,
  type WorkerWithJobs,
  workersWithJobs,
} from '../../storage/running/stops.ts';
import { findWorkflow, getWorkflow, isWorkflowActive } from '../../storage/running/workflows.ts';
import type { LastHeard } from './last-heard.ts';
import { alone, type ExchangeMember, newMember } from './members.ts';
import { otherProtocol } from './other-protocol.ts';
import { Sequences } from './sequences.ts';
import { ShapeRuntimes } from './shape-runtimes.ts';
import { WaitingWorkers } from './waiting-workers.ts';

/** Longer than a worker waits for a reply and then asks again. */
const suspiciousMs = 45_000;
/** A worker that has been silent for longer, and of which nothing more was learned, is nothing to wait for. */
const hopelessMs = 900_000;
/** How long into a pause idle workers stay; then they leave as they do whenever there is no work. */
const pauseMs = 600_000;
/** How long idle workers stay at a time while a worker may have lost its jobs; they ask again before. */
const lossMs = 60_000;

/** How long idle workers stay at a time while only a limit keeps jobs back that they could take. */
const limitMs = 60_000;
/** Seconds; a durable transaction takes a few milliseconds on a local disk. */
const claimBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** How long idle workers stay at a time that belong to the minimum of an autoscaler. */
const keptMs = 60_000;

export class Exchange {
  readonly #clock: Clock;
  readonly #epoch: () => number;
  readonly #lastHeard: LastHeard;
  readonly #waiting: WaitingWorkers<ExchangeMember>;
  readonly #sequences: Sequences;
  readonly #runtimes = new ShapeRuntimes();
  /** Of requests that got jobs and were not parked. */
  readonly claimSeconds = new Histogram(claimBounds);

  constructor(clock: Clock, epoch: () => number, lastHeard: LastHeard, random: () => number) {
    this.#clock = clock;
    this.#epoch = epoch;
    this.#lastHeard = lastHeard;
    this.#sequences = new Sequences(clock, (workerId) => this.isParked(workerId));
    this.#waiting = new WaitingWorkers(clock, random, (member, reply) => {
      lastHeard.note(member.request.worker_id);
      member.resolve(reply ?? this.#replyWithoutNews(member));
    });
  }

  /** How long jobs of a shape have taken lately; null while that is unknown. */
  readonly usualRuntimeMs = (shapeKey: number): number | null => this.#runtimes.medianMs(shapeKey);

  get numParked(): number {
    return this.#waiting.size;
  }

  isParked(workerId: string): boolean {
    return this.#waiting.has(workerId);
  }

  /**
   * A request as a member of the next batch, or null when it was answered at once: a request with an older seq changes
   * nothing. A newer request ends the parked one of the same worker with an empty reply.
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
    if (!this.#sequences.isNew(request)) {
      resolve(this.#emptyReply(request.seq));
      return null;
    }
    if (!this.#waiting.has(request.worker_id) && this.#waiting.size >= limits.parkedRequests) {
      reject(
        new TorcError('unreachable', 'the server has too many waiting workers', 'The worker tries again by itself.'),
      );
      return null;
    }
    this.#sequences.note(request);
    this.#waiting.end(request.worker_id, null);
    const arrivedAt = this.#clock.monotonic();
    const deadline = request.time_left_ms === null ? null : arrivedAt + request.time_left_ms;
    return newMember(request, { arrivedAt, deadline, resolve, reject });
  }

  /** Last step for a member: claims jobs for it and makes its reply; null when there is nothing to say yet. */
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
   * Last step for waiting workers: those that the facts from number `since` on concern get jobs or stops, or are told
   * to leave. Members of the batch without a reply wait like the parked ones. Returns the replies to the parked ones.
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
        // a parked one that failed stays parked; the answer to its next request says why
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
      // only while its jobs keep ending: no job may queue behind one that runs for long
      const hasEnds = request.finished.length > 0;
      claimJobs(tx, limitedNode(current, request), timeLeftMs, hasEnds ? this.usualRuntimeMs : null);
    }
    const jobs = current.isActive ? assignmentsAbove(tx, current, request.ack) : [];
    const isIdle = request.held.length + jobs.length === 0;
    member.heldUntilMs = isIdle ? this.#whenJobsMayCome(tx, node) : null;
    return {
      ...this.#replyWithoutNews(member),
      jobs,
      stop: current.isActive
        ? [...stopsOf(tx, node.computeNodeKey), ...member.unknownAttempts.map(stopUnknown)]
        : fencedStops(occupyingAttempts(tx, node.computeNodeKey), request.held),
      reports: member.answers,
      leave: this.#shouldLeave(tx, current),
    };
  }

  /**
   * When a job that nobody can claim now may be there: a hold ends, another worker turns out to have lost it, a limit has
   * room again, a person resumes a workflow that was paused, or the minimum of an autoscaler keeps the worker.
   */
  #whenJobsMayCome(tx: Transaction, node: ComputeNode): number | null {
    const { workflowKey } = node;
    // an autoscaler asks for another node when jobs have come
    if (idleMsOf(tx, node.allocationKey) !== null) return isKept(tx, node) ? this.#clock.monotonic() + keptMs : null;
    const fallsAt = nextFall(tx, workflowKey);
    const delaysMs = fallsAt === null ? [] : [fallsAt - tx.now];
    // its workflow may have been deleted
    const pausedAt = findWorkflow(tx, workflowKey)?.pausedAt ?? null;
    // never longer, even when the clock of the host was set back
    const pauseLeftMs = pausedAt === null ? 0 : Math.min(pauseMs, pausedAt + pauseMs - tx.now);
    if (pauseLeftMs > 0) delaysMs.push(pauseLeftMs);
    if (waitsForLimit(tx, node)) delaysMs.push(limitMs);
    const mayBeLost = () => workersWithJobs(tx, workflowKey).some((worker) => this.#mayBeLost(worker));
    // asked once for all idle workers of a batch: those that it gives jobs to are not silent
    const isLoss = () => tx.remembered(`lost workers of ${workflowKey}`, mayBeLost);
    if (hasUndecided(tx, workflowKey) || isLoss()) delaysMs.push(lossMs);
    return delaysMs.length === 0 ? null : this.#clock.monotonic() + Math.max(...delaysMs);
  }

  #mayBeLost({ workerId, lastHeartbeatAt, isActive }: WorkerWithJobs): boolean {
    const silentMs = this.#lastHeard.silentMs(workerId, lastHeartbeatAt);
    return silentMs < hopelessMs && (!isActive || silentMs > suspiciousMs);
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

  /** Learns from the facts of a transaction how long jobs take. */
  learn(facts: readonly Fact[]): void {
    for (const { shapeKey, runtimeMs } of factsOf(facts, 'attempt_ran')) this.#runtimes.note(shapeKey, runtimeMs);
  }

  /** After the commit: sends the replies and parks the members without one. */
  answerAll(members: readonly ExchangeMember[], parked: readonly { workerId: string; reply: ExchangeReply }[]): void {
    const now = this.#clock.monotonic();
    for (const { workerId, reply } of parked) this.#waiting.end(workerId, reply);
    for (const member of members) {
      if (member.failure !== null) member.reject(member.failure.error);
      else if (member.reply !== null) {
        if (member.reply.jobs.length > 0) this.claimSeconds.note((now - member.arrivedAt) / 1000);
        member.resolve(member.reply);
      } else this.#park(member);
    }
  }

  /** Ends every parked request with an empty reply; the workers then ask the next server. */
  close(): void {
    this.#waiting.endAll();
  }

  /** Forgets everything about workers' requests; waiting ones get an error. */
  drop(error: Error): void {
    this.#waiting.drop(error);
    this.#sequences.clear();
  }

  /** Forgets a parked request whose connection is gone. */
  abandon(member: ExchangeMember): void {
    this.#waiting.abandon(member);
  }

  #park(member: ExchangeMember): void {
    const { node } = member;
    if (node === null) return;
    if (!this.#sequences.isNewest(member.request)) {
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
      now: isoInstant(this.#clock.now()),
      jobs: [],
      stop: [],
      reports: [],
      leave: false,
      unknown_worker: false,
    };
  }
}

function stopUnknown(attempt: number): ExchangeReply['stop'][number] {
  return { attempt, reason: 'superseded' };
}

function isWorthSending(reply: ExchangeReply): boolean {
  return reply.jobs.length + reply.stop.length + reply.reports.length > 0 || reply.leave;
}
