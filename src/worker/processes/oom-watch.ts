/**
 * Decides whether a job that died by SIGKILL was killed by the kernel's out-of-memory killer. The kernel counts its kills
 * for all jobs of the worker together, so jobs that die at nearly the same time are judged together.
 */
import type { Clock } from '../../base/clock.ts';
import { type MemoryUser, oomVictims, takerOfMemory, takesMemory } from '../../model/decide/out-of-memory.ts';

/** Deaths within this time are judged together. */
const gatherMs = 100;
/**
 * A kill without a dead job within this time hit a process whose job went on without it. What is killed dies late where
 * memory is short.
 */
const unclaimedMs = 10_000;

export interface OomVerdict {
  isOomVictim: boolean;
  /** The name of the job that had taken the memory, when it was another one. */
  memoryTakenBy: string | null;
}

interface EndedJob extends MemoryUser {
  /** Of a step, whose memory is its own, Slurm says whether the kernel killed it. */
  isVictim?: boolean | undefined;
  verdict: (verdict: OomVerdict) => void;
}

/** The jobs that run now, and the memory that all of them share. */
export interface WorkerMemory {
  users: () => MemoryUser[];
  capacityBytes: number;
}

export class OomWatch {
  readonly #clock: Clock;
  readonly #readCount: () => number | null;
  #lastCount: number | null;
  #unclaimed: { atMs: number; numKills: number }[] = [];
  #suspects: EndedJob[] = [];
  /** Jobs that ended a moment ago and had taken memory from others. */
  #takers: { atMs: number; user: MemoryUser }[] = [];
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
    this.#takers = this.#takers.filter(({ atMs }) => nowMs - atMs <= unclaimedMs);
    const count = this.#readCount();
    if (count !== null && this.#lastCount !== null && count > this.#lastCount) {
      this.#unclaimed.push({ atMs: nowMs, numKills: count - this.#lastCount });
    }
    this.#lastCount = count;
  }

  /** A job ended. A verdict on a suspect, which died by a SIGKILL that torc did not send, follows a moment later. */
  ended(job: EndedJob, isSuspect: boolean, memory: WorkerMemory): void {
    if (takesMemory(job, memory.capacityBytes)) this.#takers.push({ atMs: this.#clock.monotonic(), user: job });
    if (job.isVictim !== undefined || !isSuspect) {
      job.verdict({ isOomVictim: job.isVictim === true, memoryTakenBy: null });
      return;
    }
    this.#suspects.push(job);
    if (this.#suspects.length === 1) this.#cancelTimer = this.#clock.after(gatherMs, () => this.#judge(memory));
  }

  #judge({ users, capacityBytes }: WorkerMemory): void {
    this.look();
    const suspects = this.#suspects.splice(0);
    const numKills = this.#unclaimed.reduce((sum, kill) => sum + kill.numKills, 0);
    const victims = oomVictims(numKills, suspects);
    const numLeft = numKills - victims.size;
    const atMs = this.#unclaimed[0]?.atMs ?? 0;
    this.#unclaimed = numLeft > 0 ? [{ atMs, numKills: numLeft }] : [];
    const others = victims.size === 0 ? [] : [...users(), ...this.#takers.map(({ user }) => user)];
    for (const suspect of suspects) {
      const isOomVictim = victims.has(suspect.attempt);
      const taker = isOomVictim ? takerOfMemory(suspect, others, capacityBytes) : null;
      suspect.verdict({ isOomVictim, memoryTakenBy: taker?.jobName ?? null });
    }
  }

  close(): void {
    this.#cancelTimer();
  }
}
