/** What a runner of jobs does and what it reports: the process runner has this form, and so has every wrapper around it. */
import type { Assignment, FileState, LogPlace, Request } from '../../api/contract.ts';
import type { Json } from '../../base/exact-json.ts';
import type { JobStdioPaths } from '../../base/paths.ts';
import type { StopReason } from '../../model/decide/outcome.ts';
import type { TerminationSignal } from '../../model/expanded.ts';
import type { AttemptEnd } from '../../model/job.ts';

type ExchangeRequest = Request<'exchange'>;

/** What a running job uses, as it is sent. */
export type Sample = ExchangeRequest['samples'][number];

/** A job with what the worker itself gives it. */
export interface GivenJob extends Assignment {
  /** The CPUs that it has for itself, in ascending order; missing where they are not known. */
  cpus?: readonly number[] | undefined;
  /** Numbers of its units of each named resource; missing for a job that asks for none. */
  units?: Readonly<Record<string, readonly number[]>>;
}

/** How a job ended; instants on the worker's monotonic clock. */
export interface FinishedAttempt {
  attempt: number;
  /** Null when no process was ever started. */
  startedAtMs: number | null;
  endedAtMs: number;
  end: AttemptEnd;
  peakMemoryBytes: number | null;
  averageMemoryBytes: number | null;
  cpuMs: number | null;
  /** Declared files; missing for a job without any. */
  files?: FileState[];
  /** What the job wrote for its output user data. */
  userData?: NonNullable<ExchangeRequest['finished'][number]['user_data']>;
  /** Its result value; missing when it left none. */
  result?: Json;
  /** Where its output is, when that does not follow from the workflow's settings. */
  log?: LogPlace;
  /** The number of its step of Slurm; missing where it was none. */
  slurmStep?: string;
  /** Some of its processes could not be killed: they may still write. */
  hasLeftovers?: boolean;
}

/** `started` may be called from within `start`; the others never from within one of the runner's own methods. */
export interface RunnerEvents {
  /**
   * The process of the job runs; the instant is on the worker's monotonic clock. `logSlot` numbers the files that it
   * writes to, where one job after another uses the same ones.
   */
  started(attempt: number, pid: number, startedAtMs: number, logSlot?: number | null): void;
  /** A queued job gets the place of the attempt `before`, for which `freed` follows; then its own start follows. */
  placed(attempt: number, before: number): void;
  /** The main process is gone and nothing is left in its group: what it occupied can be used again. */
  freed(attempt: number): void;
  /** The job has ended and all of its processes are gone. */
  ended(finished: FinishedAttempt): void;
  /**
   * The job has no process, and none will be started: it was stopped or taken back before it had one, or the node lacked
   * what `shortage` says.
   */
  unstarted(attempt: number, shortage: string | null): void;
  /** The job's memory has grown so much that its sample should be sent at once. */
  grown(attempt: number): void;
}

export interface StoppedJob {
  attempt: number;
  graceMs: number;
  signal?: TerminationSignal;
}

/** Runs jobs as processes, samples them, enforces their limits, stops them. */
export interface JobRunner {
  /**
   * Begins to start a job; an event follows when it runs or could not be started. With `sampleEveryMs`, its usage is
   * written to a file at that interval. Without `output`, it writes to files of its own.
   */
  start(job: Assignment, sampleEveryMs?: number | null, output?: JobStdioPaths | null): void;
  /** Whether the job can be queued now; missing where no job ever can. */
  mayQueue?(job: GivenJob): boolean;
  /**
   * Like `start`, in the place of the next job that ends and had the same one (`placeOf`), without this process having to
   * do anything in between.
   */
  queue?(job: GivenJob, sampleEveryMs?: number | null, output?: JobStdioPaths | null): void;
  /** Starts a queued job at once, because there is room. */
  startQueued?(job: GivenJob): void;
  /** Takes a queued job back: `unstarted` follows, unless it has a place already and starts. */
  withdraw?(attempt: number): void;
  /**
   * A signal (SIGTERM unless the job says otherwise), then SIGKILL after `graceMs`, to all processes of the jobs. A job
   * that is already being stopped keeps its first reason and gets the shorter of the two times.
   */
  stop(jobs: readonly StoppedJob[], reason: StopReason): void;
  /** The latest sample of each running job that has grown, or whose sample was last taken `minAgeMs` ago or earlier. */
  takeSamples(minAgeMs: number): Sample[];
  /** Ends all timers; running processes are left alone. */
  close(): void;
}
