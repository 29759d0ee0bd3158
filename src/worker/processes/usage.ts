/** What one job used: peak and time-weighted average of its memory, and its processor time. */

const firstSampleMs = 50;
const longestIntervalMs = 1_000;
/** A job above half of its limit is measured this often, to stop it before the node suffers. */
const closeIntervalMs = 125;

export interface UsageTotals {
  peakMemoryBytes: number | null;
  averageMemoryBytes: number | null;
  cpuMs: number | null;
}

/**
 * Whether the server should know at once how much memory a job uses now. When the node's memory runs out, the worker may
 * die with the job a moment later, and the last sample is then the only evidence. Jobs within their request, or small
 * compared with the node, are not news.
 */
export function isGrowthNews(
  memory: { peakBytes: number; sampledBytes: number },
  requestedBytes: number,
  capacityBytes: number,
): boolean {
  const { peakBytes, sampledBytes } = memory;
  return peakBytes >= Math.max(requestedBytes, capacityBytes / 16, 1) && peakBytes >= sampledBytes * 1.5;
}

export class UsageMeter {
  #lastAtMs: number | null = null;
  #latestBytes = 0;
  #peakBytes = 0;
  #byteMs = 0;
  #spanMs = 0;
  #cpuMs = 0;

  get latest(): { memoryBytes: number; cpuMs: number } | null {
    return this.#lastAtMs === null ? null : { memoryBytes: this.#latestBytes, cpuMs: this.#cpuMs };
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Adds one measurement, which counts until the next one. Processor time only grows. */
  add(atMs: number, memoryBytes: number, cpuMs: number): void {
    if (this.#lastAtMs !== null) {
      const sinceMs = Math.max(0, atMs - this.#lastAtMs);
      this.#byteMs += this.#latestBytes * sinceMs;
      this.#spanMs += sinceMs;
    }
    this.#lastAtMs = atMs;
    this.#latestBytes = memoryBytes;
    this.#peakBytes = Math.max(this.#peakBytes, memoryBytes);
    this.#cpuMs = Math.max(this.#cpuMs, cpuMs);
  }

  /** The totals; memory is null when no measurement found a process. `endCpuMs` is the kernel's own account. */
  totals(endAtMs: number, endCpuMs: number | null): UsageTotals {
    if (this.#lastAtMs === null || this.#peakBytes === 0) {
      const cpuMs = this.#lastAtMs === null ? endCpuMs : Math.max(this.#cpuMs, endCpuMs ?? 0);
      return { peakMemoryBytes: null, averageMemoryBytes: null, cpuMs: cpuMs === null ? null : Math.round(cpuMs) };
    }
    const tailMs = Math.max(0, endAtMs - this.#lastAtMs);
    const spanMs = this.#spanMs + tailMs;
    const byteMs = this.#byteMs + this.#latestBytes * tailMs;
    return {
      peakMemoryBytes: this.#peakBytes,
      averageMemoryBytes: Math.round(spanMs === 0 ? this.#latestBytes : byteMs / spanMs),
      cpuMs: Math.round(Math.max(this.#cpuMs, endCpuMs ?? 0)),
    };
  }

  /** When to measure next: soon after the start, then less and less often, but often near the limit. */
  nextLookMs(startedAtMs: number, nowMs: number, limitBytes: number | null): number {
    if (this.#lastAtMs === null) return Math.max(nowMs, startedAtMs + firstSampleMs);
    const usualMs = Math.min(longestIntervalMs, Math.max(firstSampleMs, nowMs - startedAtMs));
    const isClose = limitBytes !== null && this.#latestBytes > limitBytes / 2;
    return nowMs + (isClose ? Math.min(usualMs, closeIntervalMs) : usualMs);
  }
}
