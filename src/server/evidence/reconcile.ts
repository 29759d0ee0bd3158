/**
 * Keeps looking, while this process serves, for what became of workers and allocations. Leases and local processes are
 * looked at every few seconds; Slurm is asked rarely, about everything at once, and only while something is open.
 *
 * It polls the outside world, where nothing announces a change: that is no instant at which the server acts, so it has a
 * timer of its own on the monotonic clock and no due rows.
 */

import { applyEvidence } from '../../storage/evidence/apply.ts';
import type { Evidence } from '../../storage/evidence/facts.ts';
import type { ServerContext } from '../context.ts';
import { gatherEvidence } from './gather.ts';
import { endLeftoverProcesses } from './leftover-processes.ts';

const tickMs = 5_000;
/** A tick that comes later than this shows that the process stood still. */
const stallMs = 5_000;
const slurmPauseMs = 60_000;
/**
 * After a worker has fallen silent Slurm is asked sooner, but never more often than this. That look counts for the next
 * one that was planned: workers that keep falling silent do not make more calls, but for one look.
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
  #isHurried = false;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#lastTickMs = context.clock.monotonic();
  }

  /** From here on silence counts; the first look is taken after the first few seconds. */
  start(): void {
    this.#context.lastHeard.beginServing();
    this.#lastTickMs = this.#context.clock.monotonic();
    this.#plan();
  }

  /** Asks Slurm sooner than planned, because something may have happened. */
  kick(): void {
    this.#isHurried = true;
  }

  /** Ends at once; what a look that is under way still finds out is dropped. */
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
      if (applied.numLostContact > 0) this.kick();
      if (applied.numLostContact + applied.numOrphaned + applied.numRequeued > 0)
        log.warn(applied, 'workers were lost');
    } catch (error) {
      // the database was closed meanwhile
      if (this.#isClosed) return;
      log.error({ err: error }, 'looking after workers failed; it is tried again');
    }
  }

  #isSlurmDue(): boolean {
    const nowMs = this.#context.clock.monotonic();
    const mayHurry = nowMs - this.#lastAskedMs >= hurriedPauseMs && this.#dueMs - nowMs <= this.#pauseMs;
    return nowMs >= this.#dueMs || (this.#isHurried && mayHurry);
  }

  /** The pause doubles with each failure in a row; without Slurm's commands there is nothing to hurry for. */
  #planSlurm({ slurmAnswer, problems }: Evidence): void {
    if (slurmAnswer === 'none') return;
    const nowMs = this.#context.clock.monotonic();
    this.#lastAskedMs = nowMs;
    this.#isHurried = false;
    if (slurmAnswer === 'ok') this.#pauseMs = slurmPauseMs;
    else if (slurmAnswer === 'missing') this.#pauseMs = longestPauseMs;
    else this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
    this.#dueMs = Math.max(nowMs, this.#dueMs) + this.#pauseMs;
    if (slurmAnswer === 'failed') this.#context.info.log.warn({ problems }, 'Slurm did not answer');
  }
}
