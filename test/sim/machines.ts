/** Machines and the processes of jobs on them: what really runs, whatever the server believes. */
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

export interface MachineSize {
  numCpus: number;
  memoryBytes: number;
}

export const usualSize: MachineSize = { numCpus: 4, memoryBytes: 1024 ** 3 };

/** A computer. */
export class Machine {
  readonly host: Host;
  readonly size: MachineSize;
  readonly processes = new Set<JobProcess>();
  isUp = true;
  /** Whether it reaches the network, including Slurm's controller. */
  isOnline = true;
  /** Whether it reaches the shared file system. */
  hasFiles = true;
  /** Whether nothing on it makes progress. */
  isFrozen = false;
  /** When a process on it last could not read the shared file system. */
  lastUnreadableMs = Number.NEGATIVE_INFINITY;
  /** When it last lacked the shared file system. */
  lastWithoutFilesMs = Number.NEGATIVE_INFINITY;
  /** When it last continued after it had stood still. */
  lastThawedMs = Number.NEGATIVE_INFINITY;

  constructor(name: string, bootId: string, size = usualSize) {
    this.host = new Host(name, bootId);
    this.size = size;
  }
}

export interface Launch {
  attempt: number;
  jobKey: string;
  workerId: string;
  machine: Machine;
  numCpus: number;
  /** When its worker looked for the last time whether it may start. */
  begunMs: number;
  /** How and when it ends by itself. */
  runMs: number;
  code: number;
  exited: (exit: JobExit) => void;
}

/** Two processes of a job may overlap if a machine could not read the stop file at most this long before. */
const gapMs = 90_000;
/** A look for the stop file that could not read it counts for this long. */
const blindMs = 20_000;

export class Machines {
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** Every process ever started, by attempt. */
  readonly launched = new Map<number, JobProcess>();
  readonly #living = new Set<JobProcess>();
  /** Called with each broken rule. */
  onBroken: (words: string) => void = () => {};
  /** Overlaps in the documented gap. */
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

  launch({ runMs, code, begunMs, ...given }: Launch): JobProcess {
    this.#checkLaunch(given, begunMs);
    const process: JobProcess = { ...given, pid: this.nextPid(), isAlive: true, exit: null, cancelEnd: () => {} };
    this.launched.set(given.attempt, process);
    this.#living.add(process);
    given.machine.processes.add(process);
    this.#endLater(process, runMs, code);
    return process;
  }

  #endLater(process: JobProcess, runMs: number, code: number): void {
    process.cancelEnd = this.#timeline.after(runMs, () => {
      // a frozen machine makes no progress
      if (process.machine.isFrozen) this.#endLater(process, 1000, code);
      else this.end(process, { code, signal: null });
    });
  }

  #checkLaunch({ attempt, jobKey, machine }: Pick<Launch, 'attempt' | 'jobKey' | 'machine'>, begunMs: number): void {
    if (this.launched.has(attempt)) this.onBroken(`attempt ${attempt} was started twice`);
    for (const other of this.living) {
      if (other.jobKey !== jobKey || other.attempt === attempt) continue;
      if (this.#isInGap(other.machine) || this.#isLate(machine, begunMs)) this.numGaps += 1;
      else {
        const where = `on ${other.machine.host.name}`;
        this.onBroken(`job ${jobKey}: attempt ${attempt} starts while attempt ${other.attempt} runs ${where}`);
      }
    }
  }

  /** The job of this process runs again by itself. */
  checkGone(process: JobProcess): void {
    if (!process.isAlive) return;
    if (this.#isInGap(process.machine)) this.numGaps += 1;
    else this.onBroken(`job ${process.jobKey} came back while its attempt ${process.attempt} runs`);
  }

  #isInGap(machine: Machine): boolean {
    const isUnreadable = machine.isFrozen || !machine.hasFiles;
    return isUnreadable || this.#timeline.nowMs - machine.lastUnreadableMs < gapMs;
  }

  /**
   * The new process may be the old attempt. Its worker looks for its stop file before it starts what it was given long
   * ago, but it cannot see one without the files, and its machine can stand still between the look and the start.
   */
  #isLate(machine: Machine, begunMs: number): boolean {
    const isBlind = !machine.hasFiles || this.#timeline.nowMs - machine.lastWithoutFilesMs < blindMs;
    return isBlind || machine.lastThawedMs > begunMs;
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

  /** Every matching process on the machine dies at once. */
  killAll(machine: Machine, isMeant: (process: JobProcess) => boolean): void {
    for (const process of [...machine.processes]) {
      if (isMeant(process)) this.end(process, { code: null, signal: 9 });
    }
  }
}
