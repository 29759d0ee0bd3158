/**
 * When each worker was last heard from, in memory on a clock that never jumps; leases restart when a server begins to
 * serve.
 */
import type { Clock } from '../../base/clock.ts';
import type { WorkerSilence } from '../context.ts';

export class LastHeard implements WorkerSilence {
  readonly #clock: Clock;
  readonly #heard = new Map<string, number>();
  readonly #fenced = new Map<string, number>();
  readonly #parked: (workerId: string) => boolean;
  /** The time during which this process stood still counts against no worker. */
  #stalledMs = 0;
  #servingSince: number | null = null;

  constructor(clock: Clock, isParked: (workerId: string) => boolean) {
    this.#clock = clock;
    this.#parked = isParked;
  }

  #now(): number {
    return this.#clock.monotonic() - this.#stalledMs;
  }

  /** From now on silence is counted here; before, only the stored heartbeat is known. */
  beginServing(): void {
    this.#servingSince = this.#now();
  }

  get isServing(): boolean {
    return this.#servingSince !== null || this.#heard.size > 0;
  }

  note(workerId: string): void {
    this.#heard.set(workerId, this.#now());
  }

  forget(workerId: string): void {
    this.#heard.delete(workerId);
  }

  /** Notes that the file that tells a worker to stop has just been written. */
  noteFenced(workerId: string): void {
    this.#fenced.set(workerId, this.#now());
  }

  /**
   * For how long a worker has been able to read that file; `fencedAt` counts only if this process neither wrote it nor
   * serves.
   */
  fencedMs(workerId: string, fencedAt: number): number {
    const since = this.#fenced.get(workerId) ?? this.#servingSince;
    return Math.max(0, since === null ? this.#clock.now() - fencedAt : this.#now() - since);
  }

  noteStall(stalledMs: number): void {
    this.#stalledMs += stalledMs;
  }

  /** How long a worker has been silent; a waiting request counts as contact. */
  silentMs(workerId: string, lastHeartbeatAt: number): number {
    if (this.#parked(workerId)) return 0;
    const heard = this.#heard.get(workerId);
    if (this.#servingSince === null && heard === undefined) {
      return Math.max(0, this.#clock.now() - lastHeartbeatAt);
    }
    return Math.max(0, this.#now() - Math.max(heard ?? 0, this.#servingSince ?? 0));
  }
}
