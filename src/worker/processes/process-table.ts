/**
 * Finds the processes of each job. A process belongs to a job when it is in the job's session or group, when its parent
 * belongs to the job, or when its environment has the job's variables. The last finds processes that have made their
 * own session and whose parent has ended.
 *
 * A scan looks only at processes that it has not seen before: one of a job has the job's environment from the start, or
 * before its fork server says that it has begun.
 */
import { lastPidReader, listPids, type ProcessStat, readEnviron, readStat } from '../../base/proc.ts';
import { sendSignal } from './send-signal.ts';

/** A process whose environment stays empty for this long is not about to run another program, but foreign. */
const longestEmptyMs = 500;
/** After this long without a scan, process ids may have been reused. */
const memoryMs = 2_000;
/** How often at most a launcher is told to end. */
const toldAgainMs = 1_000;
/** How often at least everything is scanned. */
const longestUnscannedMs = 1_000;
/** The main processes that were started last: so many are remembered. */
const mostLateLeaders = 64;

export interface JobIdentity {
  workerId: string;
  /** Distinguishes our jobs from processes of another allocation that inherited our variables. */
  slurmJobId: string | null;
  /** Whether jobs may be steps of the allocation: Slurm's own daemon becomes their processes. */
  hasSteps?: boolean;
}

interface Known {
  generation: number;
  attempt: number | null;
}

interface TrackedJob {
  sinceMs: number;
  /** 0 until it is known. */
  leader: number;
  /** Its number may have been reused since. */
  isLeaderReaped: boolean;
  /** The leader's group only launches the job: srun. */
  isLauncher: boolean;
  launcherToldMs: number;
  members: Map<number, ProcessStat>;
  /** Processor time of members that ended without being reaped by another member. */
  departedTicks: number;
}

export interface JobUsage {
  residentPages: number;
  /** Of the largest member. */
  largestPages: number;
  ticks: number;
  /** Living members, without zombies. */
  pids: number[];
  /** The same without those that only launch the job. */
  ownPids: number[];
}

export class ProcessTable {
  readonly #root: string;
  readonly #hasSteps: boolean;
  readonly #marks: { worker: string; slurmJob: string };
  readonly #jobs = new Map<number, TrackedJob>();
  readonly #leaders = new Map<number, number>();
  /** When their jobs were given; also of jobs that are over. */
  readonly #lateLeaders = new Map<number, number>();
  readonly #lastPid: () => number | null;
  readonly #known = new Map<number, Known>();
  /** When those with an empty environment were first seen. */
  #emptySinceMs = new Map<number, number>();
  /** One of them may become a process of a job. */
  #isUnsure = false;
  readonly #ownStartTime: number;
  #generation = 0;
  #lastScanMs = Number.NEGATIVE_INFINITY;

  constructor(identity: JobIdentity, root = '/proc', lastPid = lastPidReader(root)) {
    this.#root = root;
    this.#lastPid = lastPid;
    this.#hasSteps = identity.hasSteps ?? false;
    this.#marks = {
      worker: `\0TORC_WORKER_ID=${identity.workerId}\0`,
      slurmJob: identity.slurmJobId === null ? '' : `\0SLURM_JOB_ID=${identity.slurmJobId}\0`,
    };
    this.#ownStartTime = readStat(root, process.pid)?.startTime ?? 0;
  }

  /** Follows a job that is about to be started. */
  track(attempt: number, nowMs: number): void {
    if (this.#jobs.size === 0 && nowMs - this.#lastScanMs > memoryMs) this.#known.clear();
    this.#jobs.set(attempt, {
      sinceMs: nowMs,
      leader: 0,
      isLeaderReaped: false,
      isLauncher: false,
      launcherToldMs: Number.NEGATIVE_INFINITY,
      members: new Map(),
      departedTicks: 0,
    });
  }

  /** The main process of a job has been started; it leads a session and group of its own. */
  lead(attempt: number, leader: number, isLauncher = false): void {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return;
    job.leader = leader;
    job.isLauncher = isLauncher;
    this.#leaders.set(leader, attempt);
    this.#known.delete(leader);
    this.#lateLeaders.delete(leader);
    this.#lateLeaders.set(leader, job.sinceMs);
    const [oldest = 0] = this.#lateLeaders.keys();
    if (this.#lateLeaders.size > mostLateLeaders) this.#lateLeaders.delete(oldest);
  }

  untrack(attempt: number): void {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return;
    for (const pid of job.members.keys()) this.#known.delete(pid);
    this.#leaders.delete(job.leader);
    this.#jobs.delete(attempt);
  }

  /**
   * Scans, unless the main processes of these jobs have ended and all that was started after them on this node are main
   * processes of jobs too: then these have no others. False when it is not known yet of some process whose it is.
   */
  scanFor(jobs: readonly { attempt: number }[], nowMs: number): boolean {
    const isLate = nowMs - this.#lastScanMs >= longestUnscannedMs;
    const last = isLate ? null : this.#lastPid();
    if (last !== null && jobs.every(({ attempt }) => this.#startedNothing(attempt, last, nowMs))) return true;
    this.scan(nowMs);
    return !this.#isUnsure;
  }

  /** Numbers are given in order. They begin again after the largest, but not within the time of a short job. */
  #startedNothing(attempt: number, last: number, nowMs: number): boolean {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return true;
    if (!job.isLeaderReaped || job.isLauncher || job.leader === 0 || job.members.size > 0) return false;
    if (nowMs - job.sinceMs >= memoryMs || last < job.leader || last - job.leader > mostLateLeaders) return false;
    for (let pid = job.leader + 1; pid <= last; pid++) if (!this.#wasLately(pid, nowMs)) return false;
    return true;
  }

  /** Whether it was the main process of a job; one of long ago says nothing about who has the number now. */
  #wasLately(pid: number, nowMs: number): boolean {
    return nowMs - (this.#lateLeaders.get(pid) ?? Number.NEGATIVE_INFINITY) < memoryMs;
  }

  /** Looks for new processes of all jobs and drops those that have gone. */
  scan(nowMs: number): void {
    this.#lastScanMs = nowMs;
    this.#generation += 1;
    const fresh: number[] = [];
    for (const pid of listPids(this.#root)) {
      const known = this.#known.get(pid);
      if (known === undefined) fresh.push(pid);
      else known.generation = this.#generation;
    }
    for (const [pid, known] of this.#known) {
      if (known.generation === this.#generation) continue;
      this.#known.delete(pid);
      if (known.attempt !== null) this.#depart(known.attempt, pid);
    }
    const emptyBefore = this.#emptySinceMs;
    this.#emptySinceMs = new Map();
    this.#isUnsure = false;
    for (const pid of fresh) this.#classify(pid, emptyBefore.get(pid) ?? nowMs);
  }

  #classify(pid: number, emptySinceMs: number): void {
    const stat = readStat(this.#root, pid);
    if (stat === null) return;
    const attempt = this.#ownerOf(stat, emptySinceMs);
    if (attempt === undefined) return;
    this.#known.set(pid, { generation: this.#generation, attempt });
    if (attempt !== null) this.#jobs.get(attempt)?.members.set(pid, stat);
  }

  /** The attempt, null for a foreign process, undefined when it is not known yet. */
  #ownerOf(stat: ProcessStat, emptySinceMs: number): number | null | undefined {
    const bySession = this.#ledBy(stat.pid) ?? this.#leaders.get(stat.session) ?? this.#leaders.get(stat.group);
    const owner = bySession ?? this.#known.get(stat.parent)?.attempt ?? null;
    if (owner !== null && this.#jobs.has(owner)) return owner;
    const kthreadd = 2;
    if (stat.parent === kthreadd || stat.startTime < this.#ownStartTime) return null;
    const environ = readEnviron(this.#root, stat.pid);
    // a process of Slurm's daemon may be about to become one of a job
    if (environ === null && !this.#hasSteps) return null;
    if (environ !== null && environ.length > 1) return this.#attemptIn(environ);
    if (this.#lastScanMs - emptySinceMs >= longestEmptyMs) return null;
    this.#emptySinceMs.set(stat.pid, emptySinceMs);
    if (environ !== null && stat.isAlive) this.#isUnsure = true;
    return undefined;
  }

  /** A leader that was just forked looks like its starter: it has no session and none of the job's variables yet. */
  #ledBy(pid: number): number | undefined {
    const attempt = this.#leaders.get(pid);
    return attempt !== undefined && this.#jobs.get(attempt)?.isLeaderReaped === false ? attempt : undefined;
  }

  #attemptIn(environ: string): number | null {
    const { worker, slurmJob } = this.#marks;
    if (!environ.includes(worker)) return null;
    if (slurmJob === '' ? environ.includes('\0SLURM_JOB_ID=') : !environ.includes(slurmJob)) return null;
    const attempt = Number(/\0TORC_ATTEMPT_KEY=(\d+)\0/.exec(environ)?.[1]);
    return this.#jobs.has(attempt) ? attempt : null;
  }

  /** Reads all known processes of a job again. */
  measure(attempt: number): JobUsage {
    const usage: JobUsage = { residentPages: 0, largestPages: 0, ticks: 0, pids: [], ownPids: [] };
    const job = this.#jobs.get(attempt);
    if (job === undefined) return usage;
    for (const [pid, before] of [...job.members]) {
      const stat = readStat(this.#root, pid);
      if (stat === null || stat.startTime !== before.startTime) {
        this.#known.delete(pid);
        this.#depart(attempt, pid);
        continue;
      }
      job.members.set(pid, stat);
      usage.ticks += stat.ownTicks + stat.childTicks;
      if (!stat.isAlive) continue;
      usage.pids.push(pid);
      if (job.isLauncher && stat.group === job.leader) continue;
      usage.residentPages += stat.residentPages;
      usage.largestPages = Math.max(usage.largestPages, stat.residentPages);
      usage.ownPids.push(pid);
    }
    usage.ticks += job.departedTicks;
    return usage;
  }

  /** Processor time of members that no other member has reaped. */
  departedTicks(attempt: number): number {
    return this.#jobs.get(attempt)?.departedTicks ?? 0;
  }

  /**
   * The main process was reaped, and its processor time is known from the kernel. One whose end is unknown may still run,
   * when what started it has ended.
   */
  leaderReaped(attempt: number): void {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return;
    job.isLeaderReaped = true;
    job.members.delete(job.leader);
    this.#known.delete(job.leader);
  }

  /** What starts jobs has ended, perhaps without a word on one that had looked foreign before it began. */
  lookAgain(): void {
    for (const [pid, { attempt }] of this.#known) if (attempt === null) this.#known.delete(pid);
  }

  #depart(attempt: number, pid: number): void {
    const job = this.#jobs.get(attempt);
    const last = job?.members.get(pid);
    if (job === undefined || last === undefined) return;
    job.members.delete(pid);
    const isWaitedFor = job.members.has(last.parent) || pid === job.leader;
    if (!isWaitedFor) job.departedTicks += last.ownTicks + last.childTicks;
  }

  /**
   * Signals every living member as last measured: the group at once, members outside it one by one. What launches the
   * job ends by itself when they have; `isForced` kills it too.
   */
  signal(attempt: number, signal: NodeJS.Signals, isLeaderReaped: boolean, isForced = false): void {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return;
    let isGroupThere = !isLeaderReaped && job.leader !== 0;
    let hasOthers = false;
    for (const [pid, member] of job.members) {
      // the number may belong to another process now
      if (!member.isAlive || readStat(this.#root, pid)?.startTime !== member.startTime) continue;
      if (member.group === job.leader) {
        isGroupThere = true;
      } else {
        hasOthers = true;
        sendSignal(pid, signal);
      }
    }
    if (!isGroupThere) return;
    if (!job.isLauncher || isForced) sendSignal(-job.leader, signal);
    else if (signal === 'SIGKILL' || (signal !== 'SIGCONT' && !hasOthers)) this.#endLauncher(job);
  }

  /** srun kills its step and ends, or gives up a step that has not started; it asks Slurm each time. */
  #endLauncher(job: TrackedJob): void {
    if (this.#lastScanMs - job.launcherToldMs < toldAgainMs) return;
    job.launcherToldMs = this.#lastScanMs;
    sendSignal(-job.leader, 'SIGTERM');
  }
}
