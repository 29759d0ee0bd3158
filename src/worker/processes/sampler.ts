/**
 * Measures the memory and processor time of running jobs: one timer and one scan for all jobs that are due. Without
 * jobs it does nothing.
 */
import type { Clock } from '../../base/clock.ts';
import { readProportionalBytes, type SystemUnits } from '../../base/proc.ts';
import type { JobUsage, ProcessTable } from './process-table.ts';
import type { UsageMeter } from './usage.ts';

/** Jobs due within this time are measured together. */
const togetherMs = 25;
/** Each sample is followed by a pause of this many times its length: with very many processes samples become rarer. */
const pause = { times: 20, longestMs: 250 };

export interface SampledJob {
  attempt: number;
  startedAtMs: number;
  memoryLimitBytes: number | null;
  meter: UsageMeter;
}

interface Entry {
  job: SampledJob;
  dueMs: number;
  isConfirming: boolean;
}

export interface SamplerDependencies {
  clock: Clock;
  table: ProcessTable;
  units: SystemUnits;
  /** The job uses more than its limit; called until it has been removed. */
  overMemory: (attempt: number) => void;
  /** The job's meter has a new value. */
  measured: (attempt: number) => void;
  /** Called at each look, for whichever jobs. */
  looked: () => void;
  procRoot?: string;
}

export class Sampler {
  readonly #deps: SamplerDependencies;
  readonly #entries = new Map<number, Entry>();
  #timerDueMs = Number.POSITIVE_INFINITY;
  #cancelTimer: () => void = () => {};
  #lastCostMs = 0;

  constructor(deps: SamplerDependencies) {
    this.#deps = deps;
  }

  add(job: SampledJob): void {
    const dueMs = job.meter.nextLookMs(job.startedAtMs, this.#deps.clock.monotonic(), job.memoryLimitBytes);
    this.#entries.set(job.attempt, { job, dueMs, isConfirming: false });
    this.#arm(dueMs);
  }

  remove(attempt: number): void {
    this.#entries.delete(attempt);
    if (this.#entries.size === 0) this.close();
  }

  close(): void {
    this.#cancelTimer();
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#cancelTimer();
    this.#timerDueMs = dueMs;
    const waitMs = Math.max(0, dueMs - this.#deps.clock.monotonic());
    this.#cancelTimer = this.#deps.clock.after(waitMs, () => this.#tick());
  }

  #tick(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    const { clock, table } = this.#deps;
    const beganMs = clock.monotonic();
    const due = [...this.#entries.values()].filter((entry) => entry.dueMs <= beganMs + togetherMs);
    if (due.length > 0) {
      table.scan(beganMs);
      for (const entry of due) this.#measure(entry, beganMs);
      this.#deps.looked();
      this.#lastCostMs = clock.monotonic() - beganMs;
    }
    const earliestMs = beganMs + Math.min(pause.longestMs, this.#lastCostMs * pause.times);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) nextMs = Math.min(nextMs, entry.dueMs);
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(Math.max(nextMs, earliestMs));
  }

  #measure(entry: Entry, nowMs: number): void {
    const { job } = entry;
    const usage = this.#deps.table.measure(job.attempt);
    const bytes = usage.residentPages * this.#deps.units.pageBytes;
    const isOver = job.memoryLimitBytes !== null && bytes > job.memoryLimitBytes;
    if (isOver) void this.#confirm(entry, usage);
    else this.#add(job, nowMs, bytes, usage);
    entry.dueMs = job.meter.nextLookMs(job.startedAtMs, nowMs, job.memoryLimitBytes);
  }

  /**
   * Resident memory counts a shared page once for each process, and includes pages of mapped files that the kernel can
   * drop at any time. A job is stopped only for memory that is really its own.
   */
  async #confirm(entry: Entry, usage: JobUsage): Promise<void> {
    if (entry.isConfirming) return;
    entry.isConfirming = true;
    const { table, units, clock, overMemory } = this.#deps;
    const { job } = entry;
    const ownBytes = await this.#ownBytes(usage.pids);
    entry.isConfirming = false;
    if (!this.#entries.has(job.attempt)) return;
    const bytes = ownBytes ?? table.measure(job.attempt).residentPages * units.pageBytes;
    this.#add(job, clock.monotonic(), bytes, usage);
    if (job.memoryLimitBytes !== null && bytes > job.memoryLimitBytes) overMemory(job.attempt);
  }

  /**
   * The processes' own memory with their shares of shared pages; null when the kernel does not say. It is read twice,
   * and the smaller value counts: when a process ends in between, the shares of the others grow by what it was counted
   * for.
   */
  async #ownBytes(pids: readonly number[]): Promise<number | null> {
    const read = () => Promise.all(pids.map((pid) => readProportionalBytes(this.#deps.procRoot ?? '/proc', pid)));
    const before = await read();
    if (before.every((size) => size === null)) return null;
    const after = await read();
    return before.reduce<number>((sum, size, index) => sum + Math.min(size ?? 0, after[index] ?? 0), 0);
  }

  #add(job: SampledJob, nowMs: number, bytes: number, usage: JobUsage): void {
    job.meter.add(nowMs, bytes, this.cpuMs(usage.ticks));
    this.#deps.measured(job.attempt);
  }

  cpuMs(ticks: number): number {
    return (ticks * 1000) / this.#deps.units.ticksPerSecond;
  }
}
