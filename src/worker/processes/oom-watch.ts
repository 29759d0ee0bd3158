/**
 * Decides whether a job that died by SIGKILL was killed by the kernel's out-of-memory killer. The kernel counts its kills
 * for all jobs of the worker together, so jobs that die at nearly the same time are judged together.
 */
import type { Clock } from '../../base/clock.ts';
import { type OomCandidate, oomVictims } from '../../model/decide/outcome.ts';

/** Deaths within this time are judged together. */
const gatherMs = 100;
/** A kill without a dead job within this time hit a process whose job went on without it. */
const unclaimedMs = 1_500;

interface Suspect extends OomCandidate {
  verdict: (isOomVictim: boolean) => void;
}

export class OomWatch {
  readonly #clock: Clock;
  readonly #readCount: () => number | null;
  #lastCount: number | null;
  #unclaimed: { atMs: number; numKills: number }[] = [];
  #suspects: Suspect[] = [];
  #cancelTimer: () => void = () => {};

  constructor(clock: Clock, readCount: () => number | null) {
    this.#clock = clock;
    this.#readCount = readCount;
    this.#lastCount = readCount();
  }

  /** Notes kills as they happen, so that an old one does not explain a later death. */
  look(): void {
    const nowMs = this.#clock.monotonic();
    this.#unclaimed = this.#unclaimed.filter((kill) => nowMs - kill.atMs <= unclaimedMs);
    const count = this.#readCount();
    if (count !== null && this.#lastCount !== null && count > this.#lastCount) {
      this.#unclaimed.push({ atMs: nowMs, numKills: count - this.#lastCount });
    }
    this.#lastCount = count;
  }

  /** A job died by a SIGKILL that torc did not send. The verdict follows a moment later. */
  suspect(suspect: Suspect): void {
    this.#suspects.push(suspect);
    if (this.#suspects.length === 1) this.#cancelTimer = this.#clock.after(gatherMs, () => this.#judge());
  }

  #judge(): void {
    this.look();
    const suspects = this.#suspects.splice(0);
    const numKills = this.#unclaimed.reduce((sum, kill) => sum + kill.numKills, 0);
    const victims = oomVictims(numKills, suspects);
    const numLeft = numKills - victims.size;
    const atMs = this.#unclaimed[0]?.atMs ?? 0;
    this.#unclaimed = numLeft > 0 ? [{ atMs, numKills: numLeft }] : [];
    for (const { attempt, verdict } of suspects) verdict(victims.has(attempt));
  }

  close(): void {
    this.#cancelTimer();
  }
}
