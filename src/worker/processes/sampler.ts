/**
 * Measures the memory and processor time of running jobs: one timer and one scan for all jobs that are due. Without
 * jobs it does nothing.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
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
  /** srun is its main process. */
  isStep: boolean;
  /** srun was killed, because Slurm's daemon of the step has died and nobody else could end it. */
  isAbandoned: boolean;
}

/** So long after everything else of its step is gone, srun does not end by itself: Slurm's daemon of the step has died. */
const abandonedMs = 60_000;

/**
 * Jobs of several processes are weighed: the sum of what is resident counts what they share several times. Weighing walks
 * the page tables of each, so it is done one job at a time, with a pause of so many times its length, and only for jobs
 * above this size.
 */
const weighing = { fromBytes: 64 * 1024 * 1024, everyMs: 1_000, pauseTimes: 20 };

interface Entry {
  job: SampledJob;
  dueMs: number;
  isConfirming: boolean;
  /** When it was last weighed: with how many processes, and which part of the sum was its own. */
  weighed: { atMs: number; numPids: number; part: number } | null;
  /** Whether processes of its step have been seen, and when a look first found that they are gone. */
  hasStepRun: boolean;
  stepGoneMs: number | null;
}

export interface SamplerDependencies {
  clock: Clock;
  log: Log;
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
  #isWeighing = false;
  #nextWeighingMs = 0;

  constructor(deps: SamplerDependencies) {
    this.#deps = deps;
  }

  add(job: SampledJob): void {
    const dueMs = job.meter.nextLookMs(job.startedAtMs, this.#deps.clock.monotonic(), job.memoryLimitBytes);
    const unseen = { isConfirming: false, weighed: null, hasStepRun: false, stepGoneMs: null };
    this.#entries.set(job.attempt, { job, dueMs, ...unseen });
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

  /** Looks at all jobs as soon as possible. */
  lookSoon(): void {
    const nowMs = this.#deps.clock.monotonic();
    for (const entry of this.#entries.values()) entry.dueMs = Math.min(entry.dueMs, nowMs);
    if (this.#entries.size > 0) this.#arm(nowMs);
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
    const bytes = this.#estimate(entry, usage);
    const isOver = this.#mayBeOver(entry, usage, bytes, nowMs);
    if (isOver) void this.#confirm(entry, usage);
    else this.#add(job, nowMs, bytes, usage);
    if (!isOver && this.#shouldWeigh(entry, usage, nowMs)) void this.#weigh(entry, usage, nowMs);
    if (job.isStep) this.#watchStep(entry, usage, nowMs);
    entry.dueMs = job.meter.nextLookMs(job.startedAtMs, nowMs, job.memoryLimitBytes);
  }

  /** Without the daemon of its step srun would wait until the allocation ends. */
  #watchStep(entry: Entry, { ownPids }: JobUsage, nowMs: number): void {
    const { job } = entry;
    if (ownPids.length > 0) {
      entry.hasStepRun = true;
      entry.stepGoneMs = null;
      return;
    }
    // not since it was last seen: this process may have been stopped since then, as srun was
    if (entry.hasStepRun) entry.stepGoneMs ??= nowMs;
    if (entry.stepGoneMs === null || nowMs - entry.stepGoneMs <= abandonedMs) return;
    if (!job.isAbandoned) {
      const message = 'Slurm does not say that the step of a job has ended: srun is killed';
      this.#deps.log.warn({ attempt: job.attempt }, message);
    }
    job.isAbandoned = true;
    this.#deps.table.signal(job.attempt, 'SIGKILL', false, true);
  }

  /** The memory of a job by what was resident now and shared when it was weighed; until then, what it has at least. */
  #estimate({ weighed, job }: Entry, { residentPages, largestPages, ownPids: pids }: JobUsage): number {
    const { pageBytes } = this.#deps.units;
    const bytes = residentPages * pageBytes;
    if (pids.length < 2 || bytes < weighing.fromBytes) return bytes;
    const estimate = Math.round(bytes * (weighed?.part ?? 0));
    const isFresh = weighed?.numPids === pids.length;
    const known = isFresh ? estimate : Math.min(estimate, job.meter.latest?.memoryBytes ?? 0);
    return Math.max(largestPages * pageBytes, known);
  }

  #mayBeOver({ weighed, job }: Entry, usage: JobUsage, bytes: number, nowMs: number): boolean {
    const { memoryLimitBytes: limit } = job;
    if (limit === null || usage.residentPages * this.#deps.units.pageBytes <= limit) return false;
    const isFresh = weighed?.numPids === usage.ownPids.length && nowMs < weighed.atMs + weighing.everyMs;
    return !isFresh || bytes > limit;
  }

  #shouldWeigh({ weighed, isConfirming }: Entry, { residentPages, ownPids: pids }: JobUsage, nowMs: number): boolean {
    const isLarge = residentPages * this.#deps.units.pageBytes >= weighing.fromBytes;
    const isDue = weighed === null || weighed.numPids !== pids.length || nowMs >= weighed.atMs + weighing.everyMs;
    return pids.length > 1 && isLarge && isDue && !isConfirming && !this.#isWeighing && nowMs >= this.#nextWeighingMs;
  }

  async #weigh(entry: Entry, usage: JobUsage, beganMs: number): Promise<void> {
    this.#isWeighing = true;
    const { clock, units } = this.#deps;
    const { job } = entry;
    const sizes = await this.#readOwn(usage.ownPids);
    const nowMs = clock.monotonic();
    this.#isWeighing = false;
    this.#nextWeighingMs = nowMs + (nowMs - beganMs) * weighing.pauseTimes;
    if (!this.#entries.has(job.attempt)) return;
    const bytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    // one that has ended, or may not be read, leaves only the sum
    const isWhole = sizes.every((size) => size !== null);
    this.#noteWeight(entry, usage, nowMs, isWhole ? bytes : usage.residentPages * units.pageBytes);
    if (isWhole) this.#add(job, nowMs, bytes, usage);
  }

  #noteWeight(entry: Entry, { residentPages, ownPids: pids }: JobUsage, atMs: number, bytes: number): void {
    const part = Math.min(1, bytes / (residentPages * this.#deps.units.pageBytes));
    entry.weighed = { atMs, numPids: pids.length, part };
  }

  #readOwn(pids: readonly number[]): Promise<(number | null)[]> {
    return Promise.all(pids.map((pid) => readProportionalBytes(this.#deps.procRoot ?? '/proc', pid)));
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
    const ownBytes = await this.#ownBytes(usage.ownPids);
    entry.isConfirming = false;
    if (!this.#entries.has(job.attempt)) return;
    const bytes = ownBytes ?? table.measure(job.attempt).residentPages * units.pageBytes;
    this.#noteWeight(entry, usage, clock.monotonic(), bytes);
    this.#add(job, clock.monotonic(), bytes, usage);
    if (job.memoryLimitBytes !== null && bytes > job.memoryLimitBytes) overMemory(job.attempt);
  }

  /**
   * The processes' own memory with their shares of shared pages; null when the kernel does not say. It is read twice,
   * and the smaller value counts: when a process ends in between, the shares of the others grow by what it was counted
   * for.
   */
  async #ownBytes(pids: readonly number[]): Promise<number | null> {
    const before = await this.#readOwn(pids);
    if (before.every((size) => size === null)) return null;
    const after = await this.#readOwn(pids);
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
