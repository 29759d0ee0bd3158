/**
 * A Slurm cluster: allocations wait, start workers on machines, end in every possible way, are requeued, and lose
 * contact with machines. Its commands print text that is late, cut, garbled, empty, or missing; people rename its jobs.
 */
import { type SlurmCommands, systemSlurm } from '../../src/slurm/commands.ts';
import type { RunResult } from '../../src/slurm/run.ts';
import { type Process, trueInstant } from './clock.ts';
import type { Machine } from './machines.ts';
import type { SimWorker } from './worker.ts';
import type { World } from './world.ts';

interface Start {
  startMs: number;
  /** Null while it runs. */
  endMs: number | null;
  state: string;
  machines: Machine[];
  worker: SimWorker | null;
}

export interface Allocation {
  id: string;
  /** As it was submitted, and as Slurm shows it. */
  name: string;
  shownName: string;
  key: string;
  numMachines: number;
  walltimeMs: number;
  submitMs: number;
  /** Slurm's word. */
  state: string;
  starts: Start[];
  /** When it was over for good. */
  endedMs: number | null;
  /** Until when squeue leaves it out although it exists, and from when it may do so again. */
  hiddenUntilMs: number;
  shownUntilMs: number;
  /** Until when no list has it at all. */
  missedUntilMs: number;
  /** Submitted by an autoscaler: it is not requeued. */
  isAutoscaled: boolean;
  /** The allocation after whose end it starts. */
  after: string | null;
  /** What each of its machines must have; 0 and null for anything. */
  minCpus: number;
  memoryBytes: number | null;
}

type Asked = Partial<Pick<Allocation, 'isAutoscaled' | 'after' | 'minCpus' | 'memoryBytes'>>;

/** How long squeue shows allocations that have ended. */
const minJobAgeMs = 300_000;
const killWaitMs = 30_000;
/** How long at most a job is missing from squeue by mistake. */
const longestAbsenceMs = 45_000;

export interface SlurmFaults {
  failure: number;
  lateness: number;
  garbling: number;
  /** How often an allocation is missing from lists for minutes, or gets another name. */
  missing: number;
}

export class Slurm {
  faults: SlurmFaults = { failure: 0, lateness: 0, garbling: 0, missing: 0 };
  hasAccounting = true;
  accountingLagMs = 0;
  /** An allocation of an autoscaler was missing from every list for long, or had another name. */
  hasMisled = false;
  /** How long from the start on it refuses what is submitted with sbatch. */
  refusedForMs = 0;
  readonly allocations: Allocation[] = [];
  readonly #world: World;
  /** Machines that Slurm counts as down, until they are back. */
  readonly #down = new Set<Machine>();

  constructor(world: World) {
    this.#world = world;
  }

  // ---------------------------------------------------------------- the life of an allocation

  submit(
    name: string,
    key: string,
    numMachines: number,
    walltimeMs: number,
    { isAutoscaled = false, after = null, minCpus = 0, memoryBytes = null }: Asked = {},
  ): string {
    const { timeline, random } = this.#world;
    const id = String(100 + this.allocations.length);
    const never = { hiddenUntilMs: 0, shownUntilMs: 0, missedUntilMs: 0 };
    const fresh = { submitMs: timeline.nowMs, state: 'PENDING', starts: [], endedMs: null, ...never };
    const allocation: Allocation = {
      id,
      name,
      shownName: name,
      key,
      numMachines,
      walltimeMs,
      ...fresh,
      ...{ isAutoscaled, after, minCpus, memoryBytes },
    };
    this.allocations.push(allocation);
    if (random.chance(this.faults.missing)) {
      this.hasMisled ||= isAutoscaled;
      timeline.after(random.spread(100, 100_000), () => {
        allocation.missedUntilMs = timeline.nowMs + random.spread(60_000, 600_000);
      });
    }
    if (random.chance(this.faults.missing)) {
      this.hasMisled ||= isAutoscaled;
      timeline.after(random.spread(1_000, 200_000), () => {
        allocation.shownName = `urgent ${id}`;
      });
    }
    // without the part of the name that depends on the directory of the database
    this.#world.note(`slurm: ${id} (${name.replace(/_[0-9a-f]{8,12}$/, '')}) is submitted`);
    this.#startSoon();
    return id;
  }

  #startSoon(): void {
    const { timeline, random } = this.#world;
    timeline.after(random.spread(200, 8000), () => {
      for (const allocation of this.allocations) if (allocation.state === 'PENDING') this.#tryStart(allocation);
    });
  }

  #tryStart(allocation: Allocation): void {
    const { nodes, timeline } = this.#world;
    const before = this.allocations.find(({ id }) => id === allocation.after);
    if (before !== undefined && before.endedMs === null) return;
    const isBusy = (machine: Machine) =>
      this.allocations.some((other) => runningStart(other)?.machines.includes(machine));
    const isLarge = ({ size }: Machine) =>
      size.numCpus >= allocation.minCpus && size.memoryBytes >= (allocation.memoryBytes ?? 0);
    const free = nodes.filter(
      (machine) => machine.isUp && machine.isOnline && !this.#down.has(machine) && !isBusy(machine) && isLarge(machine),
    );
    if (free.length < allocation.numMachines) return;
    const machines = free.slice(0, allocation.numMachines);
    const { nowMs } = timeline;
    const start: Start = { startMs: nowMs, endMs: null, state: 'RUNNING', machines, worker: null };
    allocation.starts.push(start);
    allocation.state = 'RUNNING';
    const { walltimeMs, id, key, memoryBytes } = allocation;
    this.#world.note(`slurm: ${id} starts on ${machines.map(({ host }) => host.name).join(' ')}`);
    const endMs = trueInstant(timeline) + walltimeMs;
    const restartCount = allocation.starts.length - 1;
    const slurm = { jobId: id, restartCount, allocationKey: key, endMs, walltimeMs, memoryBytes };
    start.worker = this.#world.addWorker({ machines, slurm }, () => this.#scriptEnds(allocation, start));
    timeline.after(walltimeMs, () => {
      if (start.endMs === null && allocation.state === 'RUNNING') this.end(allocation, 'TIMEOUT');
    });
  }

  /** The worker's process is gone: slurmd ends the rest, and the controller learns of it when it can. */
  #scriptEnds(allocation: Allocation, start: Start): void {
    const { timeline, random } = this.#world;
    timeline.after(random.spread(50, 2000), () => {
      this.#sweep(start);
      if (start.endMs !== null || allocation.state === 'COMPLETING') return;
      if (!isReachable(start)) return;
      const exit = start.worker?.exit ?? null;
      this.#finish(allocation, start, exit !== null && !('failed' in exit) ? 'COMPLETED' : 'FAILED', false);
    });
  }

  /** Kills what is left of a start on its machines. */
  #sweep(start: Start): void {
    start.worker?.kill();
    const id = start.worker?.id;
    for (const machine of start.machines) {
      this.#world.machines.killAll(machine, (process) => process.workerId === id);
    }
  }

  /** Ends a running allocation as Slurm does: SIGTERM, KillWait, SIGKILL; then it is over or waits again. */
  end(allocation: Allocation, state: string, isRequeued = false): void {
    const { timeline, random } = this.#world;
    const start = runningStart(allocation);
    if (allocation.state === 'PENDING') this.#over(allocation, state);
    if (start === null || allocation.state !== 'RUNNING') return;
    this.#world.note(`slurm: ${allocation.id} is ended (${state}${isRequeued ? ', requeued' : ''})`);
    allocation.state = 'COMPLETING';
    if (isReachable(start)) start.worker?.signal('terminate');
    const kill = (): void => {
      if (start.endMs !== null) return;
      // it waits for a machine out of reach, until that counts as down
      if (!isReachable(start)) return void timeline.after(5000, kill);
      this.#sweep(start);
      timeline.after(random.spread(50, 3000), () => {
        if (start.endMs === null) this.#finish(allocation, start, state, isRequeued);
      });
    };
    const wait = (): void => {
      const isOver = start.worker?.process.isAlive === false;
      if (isOver || timeline.nowMs >= killAtMs) kill();
      else timeline.after(1000, wait);
    };
    const killAtMs = timeline.nowMs + random.int(5000, killWaitMs);
    wait();
  }

  /** The kernel kills the worker of an allocation and all of its jobs at once. */
  runOutOfMemory(allocation: Allocation): void {
    const start = runningStart(allocation);
    if (start === null || allocation.state !== 'RUNNING' || !isReachable(start)) return;
    this.#world.note(`slurm: ${allocation.id} runs out of memory`);
    allocation.state = 'COMPLETING';
    this.#sweep(start);
    this.#finish(allocation, start, 'OUT_OF_MEMORY', false);
  }

  #finish(allocation: Allocation, start: Start, state: string, isRequeued: boolean): void {
    start.endMs = this.#world.timeline.nowMs;
    start.state = state;
    this.#world.note(`slurm: start ${allocation.starts.length - 1} of ${allocation.id} has ended: ${state}`);
    if (isRequeued && !allocation.isAutoscaled) allocation.state = 'PENDING';
    else this.#over(allocation, state);
    this.#startSoon();
  }

  #over(allocation: Allocation, state: string): void {
    allocation.state = state;
    allocation.endedMs = this.#world.timeline.nowMs;
  }

  /** A machine does not answer: after a while it counts as down, with everything that runs there. */
  noticeSilence(machine: Machine): void {
    const { timeline, random } = this.#world;
    timeline.after(random.int(10_000, 60_000), () => {
      if (machine.isUp && machine.isOnline && !machine.isFrozen) return;
      this.#down.add(machine);
      for (const allocation of this.allocations) {
        const start = runningStart(allocation);
        if (!start?.machines.includes(machine)) continue;
        this.#finish(allocation, start, 'NODE_FAIL', random.chance(0.6));
        // on the machines that it still reaches
        for (const other of start.machines) if (other !== machine) this.noticeReturn(other);
      }
    });
  }

  /** A machine answers again: processes that should be gone are killed. */
  noticeReturn(machine: Machine): void {
    const { timeline, random } = this.#world;
    timeline.after(random.spread(50, 3000), () => {
      if (!machine.isUp || !machine.isOnline || machine.isFrozen) return;
      this.#down.delete(machine);
      for (const allocation of this.allocations) {
        for (const start of allocation.starts) {
          if (!start.machines.includes(machine)) continue;
          if (start.endMs !== null) this.#sweep(start);
          // its processes were lost while nobody could see it
          else if (start.worker?.process.isAlive === false) this.#scriptEnds(allocation, start);
        }
      }
      this.#startSoon();
    });
  }

  get running(): Allocation[] {
    return this.allocations.filter((allocation) => allocation.state === 'RUNNING');
  }

  get open(): Allocation[] {
    return this.allocations.filter((allocation) => allocation.endedMs === null);
  }

  // ---------------------------------------------------------------- what its commands print

  commands(asker: Process): SlurmCommands {
    return systemSlurm({}, (command, args, { input = '' }) => {
      const { random } = this.#world;
      const isLate = random.chance(this.faults.lateness);
      const delayMs = isLate ? random.spread(5000, 110_000) : random.spread(20, 1500);
      const result = this.#answer(command, args, delayMs, input ?? '');
      return new Promise<RunResult>((resolve) => {
        asker.clock.after(Math.min(delayMs, 100_000), () => resolve(result));
      });
    });
  }

  #answer(command: string, args: readonly string[], delayMs: number, input: string): RunResult {
    const failed = { kind: 'ended', exitCode: 1, stdout: '', stderr: `${command}: error: Unable to contact` } as const;
    const { random } = this.#world;
    const timeout = { kind: 'timeout', seconds: 100, stdout: '', stderr: '' } as const;
    // whether its answer comes back or not
    if (command === 'sbatch') {
      if (this.#world.timeline.nowMs < this.refusedForMs) return failed;
      if (random.chance(this.faults.failure)) return delayMs > 100_000 ? timeout : failed;
      const id = this.#sbatch(input);
      return delayMs > 100_000 ? timeout : { ...failed, exitCode: 0, stdout: `${id}\n`, stderr: '' };
    }
    if (delayMs > 100_000) return timeout;
    if (random.chance(this.faults.failure)) return failed;
    if (command === 'scancel') {
      this.#scancel(args);
      return { ...failed, exitCode: 0, stderr: '' };
    }
    if (command === 'squeue') return { ...failed, exitCode: 0, stdout: this.#squeue(), stderr: '' };
    if (command === 'scontrol') return { ...failed, ...this.#scontrol(args.at(-1) ?? '') };
    if (command !== 'sacct' || !this.hasAccounting) return failed;
    return { ...failed, exitCode: 0, stdout: this.#sacct(), stderr: '' };
  }

  #sbatch(script: string): string {
    const find = (pattern: RegExp): string => pattern.exec(script)?.[1] ?? '';
    const [hours = 0, minutes = 0, seconds = 0] = find(/--time=([0-9:]+)/)
      .split(':')
      .map(Number);
    const walltimeMs = (hours * 3600 + minutes * 60 + seconds) * 1000;
    const after = find(/--dependency=afterany:([0-9]+)/);
    const memory = find(/--mem=([0-9]+)M/);
    return this.submit(
      find(/--job-name=(\S+)/),
      find(/--allocation (\S+)/),
      Number(find(/--nodes=([0-9]+)/)),
      walltimeMs,
      {
        isAutoscaled: script.includes('--no-requeue'),
        after: after === '' ? null : after,
        minCpus: Number(find(/--mincpus=([0-9]+)/)),
        memoryBytes: memory === '' ? null : Number(memory) * 1024 ** 2,
      },
    );
  }

  #scancel(args: readonly string[]): void {
    for (const allocation of this.allocations) {
      if (args.includes(allocation.id) && allocation.state === 'PENDING') this.end(allocation, 'CANCELLED');
    }
  }

  #squeue(): string {
    const { random } = this.#world;
    const isEmpty = random.chance(this.faults.garbling);
    const lines: string[] = [];
    for (const allocation of this.allocations) {
      if (this.#isForgotten(allocation) || this.#isMissed(allocation)) continue;
      const line = this.#queueLine(allocation);
      const isOdd = isEmpty || random.chance(this.faults.garbling);
      if (!isOdd) lines.push(line);
      else if (this.#mayHide(allocation)) lines.push(random.chance(0.5) ? '' : line.slice(0, random.int(0, 12)));
      else lines.push(line.replace(/RUNNING|PENDING|COMPLETING/, 'REVIVING'));
    }
    if (random.chance(this.faults.garbling)) lines.unshift('squeue: warning: |||');
    return lines.join('\n');
  }

  #isForgotten({ endedMs }: Allocation): boolean {
    return endedMs !== null && this.#world.timeline.nowMs - endedMs > minJobAgeMs;
  }

  /** Every list lacks it, for longer than torc waits before it believes that a job is absent. */
  #isMissed({ missedUntilMs }: Allocation): boolean {
    return this.faults.missing > 0 && this.#world.timeline.nowMs < missedUntilMs;
  }

  #scontrol(id: string): Pick<Extract<RunResult, { kind: 'ended' }>, 'exitCode' | 'stdout' | 'stderr'> {
    const allocation = this.allocations.find((one) => one.id === id && !this.#isForgotten(one));
    if (allocation === undefined) {
      return { exitCode: 1, stdout: '', stderr: 'slurm_load_jobs error: Invalid job id specified' };
    }
    const { shownName, state, submitMs } = allocation;
    const lines = [
      `JobId=${id} JobName=${shownName}`,
      `   JobState=${state} Reason=None Dependency=(null)`,
      `   Requeue=1 Restarts=${numRestarts(allocation)} BatchFlag=1 Reboot=0 ExitCode=0:0`,
      `   SubmitTime=${this.#instant(submitMs)}`,
    ];
    return { exitCode: 0, stdout: `${lines.join('\n')}\n\n`, stderr: '' };
  }

  /** An allocation is missing by mistake for a moment only, and not again soon. */
  #mayHide(allocation: Allocation): boolean {
    const { nowMs } = this.#world.timeline;
    if (nowMs > allocation.shownUntilMs) {
      allocation.hiddenUntilMs = nowMs + longestAbsenceMs;
      allocation.shownUntilMs = nowMs + 4 * longestAbsenceMs;
    }
    return nowMs <= allocation.hiddenUntilMs;
  }

  #queueLine(allocation: Allocation): string {
    const { id, state, shownName: name, numMachines, walltimeMs, submitMs } = allocation;
    const start = allocation.starts.at(-1);
    const restarts = numRestarts(allocation);
    const isOn = start !== undefined && state !== 'PENDING';
    const endMs = isOn ? (start.endMs ?? start.startMs + walltimeMs) : null;
    const hosts = isOn ? start.machines.map(({ host }) => host.name).join(',') : '';
    const times = [this.#instant(submitMs), this.#instant(isOn ? start.startMs : null), this.#instant(endMs)];
    const limit = `${Math.floor(walltimeMs / 60_000)}:00`;
    return `${[id, id, state, restarts, ...times, limit, 'None', numMachines, hosts, 'batch', name].join('|')}|`;
  }

  #sacct(): string {
    const { nowMs } = this.#world.timeline;
    const listed = this.allocations.filter((allocation) => !this.#isMissed(allocation));
    const lines = listed.flatMap((allocation) =>
      // later queries never report what happened earlier
      allocation.starts
        .filter(({ startMs }) => nowMs - startMs >= this.accountingLagMs)
        .map((start) => {
          const isKnown = start.endMs !== null && nowMs - start.endMs >= this.accountingLagMs;
          const state = isKnown ? start.state : 'RUNNING';
          const hosts = start.machines.map(({ host }) => host.name).join(',');
          const end = isKnown ? this.#instant(start.endMs) : 'Unknown';
          const times = [this.#instant(allocation.submitMs), this.#instant(start.startMs), end];
          const exit = state === 'FAILED' ? '1:0' : '0:0';
          const size = [allocation.numMachines, hosts, '1G', ''];
          return [
            allocation.id,
            allocation.id,
            'lab',
            state,
            exit,
            '0:0',
            ...times,
            '01:00:00',
            ...size,
            'None',
            allocation.shownName,
          ].join('|');
        }),
    );
    const { random } = this.#world;
    return lines.filter(() => !random.chance(this.faults.garbling)).join('\n');
  }

  #instant(ms: number | null): string {
    if (ms === null) return 'N/A';
    const { timeline } = this.#world;
    return new Date(trueInstant(timeline) - timeline.nowMs + ms).toISOString().slice(0, 19);
  }
}

function numRestarts({ starts, state }: Allocation): number {
  return Math.max(0, starts.length - (state === 'PENDING' ? 0 : 1));
}

function runningStart(allocation: Allocation): Start | null {
  const start = allocation.starts.at(-1);
  return start !== undefined && start.endMs === null ? start : null;
}

function isReachable(start: Start): boolean {
  return start.machines.every((machine) => machine.isUp && machine.isOnline && !machine.isFrozen);
}
