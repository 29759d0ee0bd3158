/** A clock that a test moves, and a machine whose Slurm, processes and files the test defines. */
import type { SpooledReport } from '../../src/api/spool.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Machine } from '../../src/server/context.ts';
import type { SlurmAnswer } from '../../src/slurm/answers.ts';
import type { QueueQuestion, SlurmCommands } from '../../src/slurm/commands.ts';
import type { AccountedJob, Parsed, QueuedJob, ShownJob } from '../../src/slurm/parse.ts';
import { parseState } from '../../src/slurm/states.ts';

export class FakeClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  #offsetMs = 0;
  #timers: { at: number; call: () => void }[] = [];

  now(): number {
    return this.#nowMs + this.#offsetMs;
  }
  monotonic(): number {
    return this.#nowMs;
  }
  after(delayMs: number, call: () => void): () => void {
    const timer = { at: this.#nowMs + delayMs, call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on by this much, making the planned calls in order and letting their consequences happen. */
  async advance(byMs: number): Promise<void> {
    const end = this.#nowMs + byMs;
    for (;;) {
      await settled();
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.at);
      next.call();
    }
    this.#nowMs = end;
    await settled();
  }

  /** Sets the wall clock, as a person or NTP would. */
  set(byMs: number): void {
    this.#offsetMs += byMs;
  }

  /** Stands still for this long: nothing is called, as in a stopped process. */
  stall(byMs: number): void {
    this.#nowMs += byMs;
  }
}

/** Waits until everything that was started has gone as far as it can without the clock. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}

function ok<T>(records: T[]): SlurmAnswer<Parsed<T>> {
  return { kind: 'ok', value: { records, numUnparsed: 0 } };
}

/** Slurm as a table of jobs; every question is counted. */
export class FakeSlurm implements SlurmCommands {
  queue: QueuedJob[] = [];
  accounts: AccountedJob[] = [];
  queueFailure: { reason: string; hint: string | null } | null = null;
  accountingFailure: string | null = null;
  /** What slurmctld says of single jobs; null where it has its queue's word. */
  jobs: Map<string, QueuedJob> | null = null;
  /** When each question was asked, by the clock. */
  readonly calls: { at: number; command: 'squeue' | 'sacct' | 'scontrol'; ids: number }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async squeue({ ids = [], names = [] }: QueueQuestion): Promise<SlurmAnswer<Parsed<QueuedJob>>> {
    this.calls.push({ at: this.#clock.monotonic(), command: 'squeue', ids: ids.length });
    if (this.queueFailure !== null) return { kind: 'failed', ...this.queueFailure };
    return ok(this.queue.filter((job) => ids.includes(job.slurmJobId) || names.includes(job.name)));
  }
  async sacct(ids: readonly string[]): Promise<SlurmAnswer<Parsed<AccountedJob>>> {
    this.calls.push({ at: this.#clock.monotonic(), command: 'sacct', ids: ids.length });
    if (this.accountingFailure !== null) return { kind: 'failed', reason: this.accountingFailure, hint: null };
    return ok(this.accounts.filter((job) => ids.includes(job.slurmJobId)));
  }
  sbatch(): Promise<never> {
    throw new Error('not asked for');
  }
  scancel(): Promise<never> {
    throw new Error('not asked for');
  }
  async scontrolShowJob(id: string): Promise<SlurmAnswer<ShownJob | null>> {
    this.calls.push({ at: this.#clock.monotonic(), command: 'scontrol', ids: 1 });
    const job = (this.jobs ?? new Map(this.queue.map((each) => [each.slurmJobId, each]))).get(id);
    return { kind: 'ok', value: job === undefined ? null : { ...job, exit: null, batchHost: null, fields: new Map() } };
  }
  sinfo(): Promise<never> {
    throw new Error('not asked for');
  }
}

export function queued(slurmJobId: string, name: string, state: string, fields: Partial<QueuedJob> = {}): QueuedJob {
  return {
    slurmJobId,
    name,
    state: parseState(state),
    arrayTask: null,
    reason: null,
    restartCount: 0,
    submitTimeMs: null,
    startTimeMs: null,
    endTimeMs: null,
    timeLimitSeconds: null,
    numNodes: 1,
    nodeList: null,
    partition: null,
    ...fields,
  };
}

export function accounted(
  slurmJobId: string,
  name: string,
  state: string,
  fields: Partial<AccountedJob> = {},
): AccountedJob {
  return {
    slurmJobId,
    name,
    state: parseState(state),
    arrayTask: null,
    step: null,
    cluster: 'lab',
    exit: { exitCode: 0, signal: 0 },
    derivedExit: null,
    submitTimeMs: null,
    startTimeMs: 1000,
    endTimeMs: 2000,
    timeLimitSeconds: null,
    numNodes: 1,
    nodeList: null,
    requestedMemory: null,
    maxRssBytes: null,
    reason: null,
    ...fields,
  };
}

export interface FakeMachine extends Machine {
  slurm: FakeSlurm;
  alive: Set<number>;
  leftoverProcesses: Map<string, number[]>;
  files: Map<string, string>;
  spools: Map<string, SpooledReport[]>;
  stopFiles: Set<string>;
}

export function fakeMachine(clock: Clock): FakeMachine {
  const alive = new Set<number>();
  const leftoverProcesses = new Map<string, number[]>();
  const files = new Map<string, string>();
  const spools = new Map<string, SpooledReport[]>();
  const stopFiles = new Set<string>();
  return {
    slurm: new FakeSlurm(clock),
    hostname: 'here',
    bootId: 'boot',
    alive,
    leftoverProcesses,
    files,
    spools,
    stopFiles,
    isProcessAlive: (pid) => alive.has(pid),
    processesOf: (workerId) => leftoverProcesses.get(workerId) ?? [],
    signal: (pids) => {
      for (const [workerId, left] of leftoverProcesses) {
        leftoverProcesses.set(
          workerId,
          left.filter((pid) => !pids.includes(pid)),
        );
      }
    },
    slurmOutput: (name) => files.get(name) ?? null,
    readSpool: (workerId) => ({ reports: spools.get(workerId) ?? [], numDamaged: 0 }),
    spooledWorkers: () => [...spools.keys()],
    removeSpool: (workerId) => void spools.delete(workerId),
    hasStopFile: (workerId) => stopFiles.has(workerId),
    writeStopFile: (workerId) => void stopFiles.add(workerId),
    userName: (uid) => (uid === '1000' ? 'alice' : null),
  };
}
