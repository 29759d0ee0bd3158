/** One job as the process runner knows it, from its start to its end. */
import type { Assignment } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { MemoryUser } from '../../model/decide/out-of-memory.ts';
import { classifyEnd, type StopReason } from '../../model/decide/outcome.ts';
import type { FinishedAttempt, Sample, StoppedJob } from './job-runner.ts';
import { seriesPath } from './launch.ts';
import type { OomVerdict } from './oom-watch.ts';
import type { ProcessEnd, QueuedProcess, SpawnRequest } from './spawner.ts';
import { TimeSeries } from './time-series.ts';
import { UsageMeter, type UsageTotals } from './usage.ts';

export interface RunningJob {
  attempt: number;
  assignment: Assignment;
  stderrPath: string;
  /** srun is its main process. */
  isStep: boolean;
  /** srun was killed, because Slurm's daemon of the step has died and nobody else could end it. */
  isAbandoned: boolean;
  /** Null until it has really been started. */
  pid: number | null;
  startedAtMs: number;
  memoryLimitBytes: number | null;
  meter: UsageMeter;
  sampleEveryMs: number | null;
  series: TimeSeries | null;
  /** While it may wait for a place. */
  queued: QueuedProcess | null;
  /** Asked to stop before it was started. */
  earlyStop: (Omit<StoppedJob, 'attempt'> & { reason: StopReason }) | null;
  stop: { reason: StopReason; killAtMs: number } | null;
  exit: (ProcessEnd & { atMs: number }) | null;
  firstKillMs: number | null;
  /** Some of its processes survived SIGKILL. */
  hasLeftovers: boolean;
  /** When the latest sample was taken, and the peak in it. */
  sampledAtMs: number;
  sampledPeakBytes: number;
  cancelRuntimeLimit: () => void;
}

/** A job whose process is about to be started. */
export function newRunningJob(
  assignment: Assignment,
  { stderrPath, step }: SpawnRequest,
  nowMs: number,
  sampleEveryMs: number | null,
): RunningJob {
  return {
    attempt: assignment.attempt,
    assignment,
    stderrPath,
    isStep: step !== undefined,
    isAbandoned: false,
    pid: null,
    startedAtMs: nowMs,
    memoryLimitBytes: assignment.memory_limit_bytes,
    meter: new UsageMeter(),
    sampleEveryMs,
    series: null,
    queued: null,
    earlyStop: null,
    stop: null,
    exit: null,
    firstKillMs: null,
    hasLeftovers: false,
    sampledAtMs: Number.NEGATIVE_INFINITY,
    sampledPeakBytes: 0,
    cancelRuntimeLimit: () => {},
  };
}

/** Begins to write down what a job uses, if its worker does that. */
export function openSeries(job: RunningJob, outputDirectory: string, { clock, log }: { clock: Clock; log: Log }): void {
  const { assignment, startedAtMs, sampleEveryMs: everyMs } = job;
  if (everyMs === null) return;
  const path = seriesPath(assignment, outputDirectory);
  job.series = new TimeSeries({ outputDirectory, path, startedAtMs, everyMs, clock, log });
}

/** The end of a job whose process has exited. */
export function finishedAttempt(
  job: RunningJob,
  exit: { exitCode: number | null; signal: number | null; largestBytes: number | null; atMs: number },
  totals: UsageTotals,
  verdict: OomVerdict,
): FinishedAttempt {
  const { attempt, assignment, startedAtMs, hasLeftovers } = job;
  // it may have grown much since the last look
  const { peakMemoryBytes } = verdict.isOomVictim ? memoryUser(job, exit.largestBytes) : totals;
  const end = classifyEnd({
    exitCode: exit.exitCode,
    signal: exit.signal,
    stopped: job.stop?.reason ?? null,
    ...verdict,
    peakMemoryBytes,
    memoryLimitBytes: job.memoryLimitBytes,
    runtimeLimitMs: assignment.runtime_limit_ms,
  });
  return {
    attempt,
    startedAtMs,
    endedAtMs: exit.atMs,
    end,
    ...totals,
    peakMemoryBytes,
    ...(hasLeftovers ? { hasLeftovers } : {}),
    ...(job.exit?.step == null ? {} : { slurmStep: job.exit.step }),
  };
}

/** What a job has of the worker's memory; `largestBytes` is what the kernel says of its largest process. */
export function memoryUser(
  job: Pick<RunningJob, 'attempt' | 'assignment' | 'meter' | 'memoryLimitBytes'>,
  largestBytes: number | null = null,
): MemoryUser {
  const { attempt, assignment, meter, memoryLimitBytes } = job;
  const peakBytes = Math.max(meter.peakBytes, largestBytes ?? 0);
  return {
    attempt,
    jobName: assignment.job_name,
    peakMemoryBytes: peakBytes === 0 ? null : peakBytes,
    requestedMemoryBytes: assignment.memory_bytes,
    isMemoryStated: memoryLimitBytes !== null,
  };
}

/** Takes the latest sample of a job; null before the first look at it. */
export function takeSample(job: RunningJob, nowMs: number): Sample | null {
  const { latest, peakBytes } = job.meter;
  if (latest === null) return null;
  job.sampledAtMs = nowMs;
  job.sampledPeakBytes = peakBytes;
  return {
    attempt: job.attempt,
    memory_bytes: Math.round(latest.memoryBytes),
    peak_memory_bytes: Math.round(peakBytes),
    cpu_ms: Math.round(latest.cpuMs),
  };
}
