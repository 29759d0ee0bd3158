/** Machines and the processes of jobs on them: what really runs, whatever anybody believes. */
import { Host, type Timeline } from './clock.ts';
import type { Random } from './random.ts';

export interface JobExit {
  code: number | null;
  signal: number | null;
}

/** The process of one attempt. */
export interface JobProcess {
  pid: number;
  attempt: number;
  jobKey: string;
  workerId: string;
  machine: Machine;
  numCpus: number;
  isAlive: boolean;
  exit: JobExit | null;
  exited: (exit: JobExit) => void;
  cancelEnd: () => void;
}

/** A computer. */
export class Machine {
  readonly host: Host;
  readonly processes = new Set<JobProcess>();
  isUp = true;
  /** It reaches the network, Slurm's controller included. */
  isOnline = true;
  /** It reaches the file system that all share. */
  hasFiles = true;
  /** Nothing on it moves. */
  isFrozen = false;
  /** When something on it last could not have read the shared file system. */
  lastUnreadableMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, bootId: string) {
    this.host = new Host(name, bootId);
  }
}

export interface Launch {
  attempt: number;
  jobKey: string;
  workerId: string;
  machine: Machine;
  numCpus: number;
  /** How it ends by itself, and when. */
  runMs: number;
  code: number;
  exited: (exit: JobExit) => void;
}

/** A machine could not read the stop file for at most so long before two processes of a job may overlap. */
const gapMs = 90_000;

export class Machines {
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** Every process that there has ever been, by attempt. */
  readonly launched = new Map<number, JobProcess>();
  readonly #living = new Set<JobProcess>();
  /** Calls with each broken rule. */
  onBroken: (words: string) => void = () => {};
  /** Overlaps in the gap that is documented. */
  numGaps = 0;
  #pid = 1000;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  nextPid(): number {
    this.#pid += 1;
    return this.#pid;
  }

  launch({ runMs, code, ...given }: Launch): JobProcess {
    this.#checkLaunch(given.attempt, given.jobKey);
    const process: JobProcess = { ...given, pid: this.nextPid(), isAlive: true, exit: null, cancelEnd: () => {} };
    this.launched.set(given.attempt, process);
    this.#living.add(process);
    given.machine.processes.add(process);
    this.#endLater(process, runMs, code);
    return process;
  }

  #endLater(process: JobProcess, runMs: number, code: number): void {
    process.cancelEnd = this.#timeline.after(runMs, () => {
      // a frozen machine gets no further
      if (process.machine.isFrozen) this.#endLater(process, 1000, code);
      else this.end(process, { code, signal: null });
    });
  }

  #checkLaunch(attempt: number, jobKey: string): void {
    if (this.launched.has(attempt)) this.onBroken(`attempt ${attempt} was started twice`);
    for (const other of this.living) {
      if (other.jobKey !== jobKey || other.attempt === attempt) continue;
      if (this.#isInGap(other.machine)) this.numGaps += 1;
      else {
        const where = `on ${other.machine.host.name}`;
        this.onBroken(`job ${jobKey}: attempt ${attempt} starts while attempt ${other.attempt} runs ${where}`);
      }
    }
  }

  #isInGap(machine: Machine): boolean {
    const isUnreadable = machine.isFrozen || !machine.hasFiles;
    return isUnreadable || this.#timeline.nowMs - machine.lastUnreadableMs < gapMs;
  }

  get living(): ReadonlySet<JobProcess> {
    return this.#living;
  }

  /** SIGTERM, and SIGKILL after `graceMs`. */
  stop(process: JobProcess, graceMs: number): void {
    const { machine } = process;
    if (!process.isAlive) return;
    const heedsMs = this.#random.chance(0.7) ? this.#random.spread(1, 4000) : Number.POSITIVE_INFINITY;
    const signal = heedsMs < graceMs ? 15 : 9;
    this.#timeline.after(Math.min(heedsMs, graceMs), () => {
      if (machine.isFrozen) this.stop(process, 1000);
      else this.end(process, { code: null, signal });
    });
  }

  end(process: JobProcess, exit: JobExit): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    this.#living.delete(process);
    process.exit = exit;
    process.cancelEnd();
    process.machine.processes.delete(process);
    process.exited(exit);
  }

  /** Everything on the machine that matches dies at once. */
  killAll(machine: Machine, isMeant: (process: JobProcess) => boolean): void {
    for (const process of [...machine.processes]) {
      if (isMeant(process)) this.end(process, { code: null, signal: 9 });
    }
  }
}
