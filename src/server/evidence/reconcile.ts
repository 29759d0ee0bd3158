/**
 * Checks what happened to workers and allocations while this process serves. It checks leases and local processes every
 * few seconds, and asks Slurm rarely, about everything at once, and only while something is open.
 *
 * It polls the outside world, where nothing announces a change, so it has its own timer on the monotonic clock instead
 * of due rows.
 */

import { type Applied, applyEvidence } from '../../storage/evidence/apply.ts';
import { type Evidence, secondLookMs } from '../../storage/evidence/evidence.ts';
import type { ServerContext } from '../context.ts';
import { gatherEvidence } from './gather.ts';
import { endLeftoverProcesses } from './leftover-processes.ts';

const tickMs = 5_000;
/** A tick that is this late shows that the process stood still. */
const stallMs = 5_000;
const slurmPauseMs = 60_000;
/**
 * While a worker is silent or a lost job waits for a further look, Slurm is asked sooner, but never more often than
 * this. That question replaces the next planned one, so doubts that stay add one question at most.
 */
const hurriedPauseMs = 30_000;
const longestPauseMs = 600_000;

export class Reconciler {
  readonly #context: ServerContext;
  #cancelTimer: () => void = () => {};
  #isClosed = false;
  #lastTickMs: number;
  #lastAskedMs = Number.NEGATIVE_INFINITY;
  #dueMs = Number.NEGATIVE_INFINITY;
  #pauseMs = slurmPauseMs;
  /** When an answer is wanted sooner than planned; null while none is. */
  #wantedMs: number | null = null;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#lastTickMs = context.clock.monotonic();
  }

  /** From now on silence counts; the first check comes a few seconds later. */
  start(): void {
    this.#context.lastHeard.beginServing();
    this.#lastTickMs = this.#context.clock.monotonic();
    this.#plan();
  }

  /** Ends at once; the result of a check in progress is dropped. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#cancelTimer = this.#context.clock.after(tickMs, () => {
      this.#noteStall();
      void this.#tick().finally(() => {
        this.#lastTickMs = this.#context.clock.monotonic();
        this.#plan();
      });
    });
  }

  #noteStall(): void {
    const lateMs = this.#context.clock.monotonic() - this.#lastTickMs - tickMs;
    if (lateMs > stallMs) this.#context.lastHeard.noteStall(lateMs);
  }

  async #tick(): Promise<void> {
    const { log } = this.#context.info;
    try {
      await endLeftoverProcesses(this.#context, null);
      const isSlurmDue = this.#isSlurmDue();
      const evidence = await gatherEvidence(this.#context, { workflowKey: null, isAsked: false, isSlurmDue });
      this.#planSlurm(evidence);
      if (!evidence.hasNews || this.#isClosed) return;
      const applied = await this.#context.write((tx) => applyEvidence(tx, evidence));
      this.#want(applied);
      if (applied.numLostContact + applied.numOrphaned + applied.numBack > 0) log.warn(applied, 'workers were lost');
    } catch (error) {
      // the database was closed meanwhile
      if (this.#isClosed) return;
      log.error({ err: error }, 'a check on workers failed; it will be repeated');
    }
  }

  #want({ numInDoubt, numUndecided }: Applied): void {
    const nowMs = this.#context.clock.monotonic();
    if (numInDoubt > 0) this.#wantedMs = nowMs;
    else if (numUndecided > 0) this.#wantedMs ??= nowMs + secondLookMs.slurm;
  }

  #isSlurmDue(): boolean {
    const nowMs = this.#context.clock.monotonic();
    const mayHurry = nowMs - this.#lastAskedMs >= hurriedPauseMs && this.#dueMs - nowMs <= this.#pauseMs;
    return nowMs >= this.#dueMs || (this.#wantedMs !== null && nowMs >= this.#wantedMs && mayHurry);
  }

  /** The pause doubles with each failure in a row, and is longest where Slurm's commands are missing. */
  #planSlurm({ slurmAnswer, problems }: Evidence): void {
    if (slurmAnswer === 'none') return;
    const nowMs = this.#context.clock.monotonic();
    this.#lastAskedMs = nowMs;
    this.#wantedMs = null;
    if (slurmAnswer === 'ok') this.#pauseMs = slurmPauseMs;
    else if (slurmAnswer === 'missing') this.#pauseMs = longestPauseMs;
    else this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    this.#dueMs = Math.max(nowMs, this.#dueMs) + this.#pauseMs;
    if (slurmAnswer === 'failed') this.#context.info.log.warn({ problems }, 'Slurm did not answer');
  }
}
