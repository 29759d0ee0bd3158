/**
 * Decides where jobs write, by the workflow's `stdio`. With combined logs a job writes to files that other jobs have used
 * before it. When it has ended, and before its end is reported, its output is moved into the worker's one file.
 *
 * A reader must never take the output of another attempt for this one's. So the files of an attempt are reused only
 * after the server has stored its end: until then their content is the attempt's own.
 */
import type { Assignment, LogPlace } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { type JobStdioPaths, slotPaths } from '../../base/paths.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import type { StopReason } from '../../model/decide/outcome.ts';
import { type StdioMode, type StdioOutput, stdioParts } from '../../model/launch.ts';
import type {
  FinishedAttempt,
  GivenJob,
  JobRunner,
  RunnerEvents,
  Sample,
  StoppedJob,
} from '../processes/job-runner.ts';
import { attemptName, stdioPaths } from '../processes/launch.ts';
import type { LogStore } from './log-store.ts';

/** How long a file system may take to answer after a job's end. */
const collectLimits = { longestMs: 30_000, hurriedMs: 500 };

/** Files that are not removed within this time stay. */
const tidyLimits = { longestMs: 2_000, hurriedMs: 2_000 };

const discarded = '/dev/null';

/** The files of an attempt, as far as something is kept. */
function keptPaths(output: StdioOutput, { stdoutPath, stderrPath }: JobStdioPaths): JobStdioPaths {
  switch (output) {
    case 'none':
      return { stdoutPath: discarded, stderrPath: discarded };
    case 'per-job':
      return { stdoutPath, stderrPath: discarded, isJoined: true };
    case 'no-stdout':
      return { stdoutPath: discarded, stderrPath };
    case 'no-stderr':
      return { stdoutPath, stderrPath: discarded };
    default:
      return { stdoutPath, stderrPath };
  }
}

interface LoggedJob {
  assignment: Assignment;
  paths: JobStdioPaths;
  /** Null when the files are the job's own. */
  slot: number | null;
  /** What the job itself states; null when the worker's setting says it. */
  own: LogPlace | null;
  /** Its files are removed when it succeeds. */
  isForFailures: boolean;
  /** Fires when the job is stopped: then its end does not wait for its output. */
  hurry: AbortController;
}

export interface LoggedRunnerDependencies {
  clock: Clock;
  log: Log;
  store: LogStore;
  workerId: string;
  outputDirectory: string;
  /** Whether the server has not stored the attempt's end. */
  isEndOpen(attempt: number): boolean;
  openRunner(events: RunnerEvents): JobRunner;
}

export class LoggedRunner implements JobRunner {
  readonly #events: RunnerEvents;
  readonly #deps: LoggedRunnerDependencies;
  readonly #runner: JobRunner;
  readonly #jobs = new Map<number, LoggedJob>();
  /** Empty files, with the attempt that used them last. */
  readonly #freeSlots: { slot: number; attempt: number }[] = [];
  #numSlots = 0;
  #mode: StdioMode = 'files';
  #createsFolders = true;
  #isClosed = false;

  constructor(events: RunnerEvents, deps: LoggedRunnerDependencies) {
    this.#events = events;
    this.#deps = deps;
    this.#runner = deps.openRunner({
      ...events,
      started: (attempt, pid, atMs) => events.started(attempt, pid, atMs, this.#jobs.get(attempt)?.slot ?? null),
      ended: (finished) => this.#onEnded(finished),
      unstarted: (attempt, shortage) => this.#onUnstarted(attempt, shortage),
    });
  }

  /** What the workflow's `stdio` is, and whether folders of outputs are made, for the jobs that begin from now on. */
  configure(mode: StdioMode, createsFolders: boolean): void {
    this.#mode = mode;
    this.#createsFolders = createsFolders;
  }

  get createsFolders(): boolean {
    return this.#createsFolders;
  }

  start(assignment: Assignment, sampleEveryMs: number | null = null): void {
    this.#runner.start(assignment, sampleEveryMs, this.#outputOf(assignment));
  }

  mayQueue(assignment: Assignment): boolean {
    return this.#runner.mayQueue?.(assignment) === true;
  }

  queue(assignment: Assignment, sampleEveryMs: number | null = null): void {
    this.#runner.queue?.(assignment, sampleEveryMs, this.#outputOf(assignment));
  }

  startQueued(job: GivenJob): void {
    this.#runner.startQueued?.(job);
  }

  withdraw(attempt: number): void {
    this.#runner.withdraw?.(attempt);
  }

  /** Null for the job's own files, which stay. */
  #outputOf(assignment: Assignment): JobStdioPaths | null {
    const { output, isForFailures } = stdioParts(assignment.stdio ?? this.#mode);
    const own = assignment.stdio === undefined || output === 'combined' ? null : { kind: output };
    if (output === 'files' && !isForFailures && own === null) return null;
    const slot = output === 'combined' ? this.#takeSlot() : null;
    const files = slot === null ? stdioPaths(assignment, this.#deps.outputDirectory) : this.#pathsOf(slot);
    const paths = keptPaths(output, files);
    this.#jobs.set(assignment.attempt, { assignment, paths, slot, own, isForFailures, hurry: new AbortController() });
    return paths;
  }

  #pathsOf(slot: number): JobStdioPaths {
    return slotPaths(this.#deps.outputDirectory, this.#deps.workerId, slot);
  }

  #takeSlot(): number {
    const at = this.#freeSlots.findIndex(({ attempt }) => !this.#deps.isEndOpen(attempt));
    const [free] = at < 0 ? [] : this.#freeSlots.splice(at, 1);
    if (free !== undefined) return free.slot;
    this.#numSlots += 1;
    return this.#numSlots;
  }

  #onUnstarted(attempt: number, shortage: string | null): void {
    this.#release(attempt, this.#jobs.get(attempt)?.slot ?? null);
    this.#events.unstarted(attempt, shortage);
  }

  #release(attempt: number, slot: number | null): void {
    this.#jobs.delete(attempt);
    if (slot !== null) this.#freeSlots.push({ slot, attempt });
  }

  #onEnded(finished: FinishedAttempt): void {
    const job = this.#jobs.get(finished.attempt);
    if (job === undefined) this.#events.ended(finished);
    else if (job.slot !== null) void this.#collect(job, job.slot, finished);
    else if (job.isForFailures && finished.end.returnCode === 0) void this.#remove(job, finished);
    else this.#tell(finished, job.own);
  }

  #tell(finished: FinishedAttempt, log: LogPlace | null, freedSlot: number | null = null): void {
    if (this.#isClosed) return;
    this.#events.ended(log === null ? finished : { ...finished, log });
    // only now: before the end is reported, nothing shows that it waits for an answer
    this.#release(finished.attempt, freedSlot);
  }

  async #collect(job: LoggedJob, slot: number, finished: FinishedAttempt): Promise<void> {
    let isAbandoned = finished.hasLeftovers === true;
    const output = { name: attemptName(job.assignment), paths: job.paths, isAbandoned: () => isAbandoned };
    const collected = isAbandoned ? null : await this.#wait(job, this.#deps.store.collect(output));
    isAbandoned = collected === null;
    if (collected === null) this.#tell(finished, { kind: 'slot', slot });
    else this.#tell(finished, collected, slot);
  }

  async #remove(job: LoggedJob, finished: FinishedAttempt): Promise<void> {
    const removed = this.#deps.store.remove(job.paths).then(() => true);
    const isRemoved = (await this.#wait(job, removed)) === true;
    this.#tell(finished, isRemoved ? { kind: 'removed' } : job.own);
  }

  /** Null when the work fails or takes too long: then the output stays where it is. */
  async #wait<T>({ assignment, hurry }: LoggedJob, work: Promise<T>): Promise<T | null> {
    const { clock, log } = this.#deps;
    const budget = new TimeBudget(clock, hurry.signal, collectLimits);
    const settled = work.catch((error: unknown) => {
      log.warn({ attempt: assignment.attempt, why: messageOf(error) }, 'the output of a job stays in its own files');
      return null;
    });
    return await budget.waitFor(settled, null);
  }

  stop(jobs: readonly StoppedJob[], reason: StopReason): void {
    for (const { attempt } of jobs) this.#jobs.get(attempt)?.hurry.abort();
    this.#runner.stop(jobs, reason);
  }

  takeSamples(minAgeMs: number): Sample[] {
    return this.#runner.takeSamples(minAgeMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#runner.close();
  }

  /** After `close`: removes the files that are no longer used. */
  async tidy(): Promise<void> {
    if (this.#numSlots === 0) return;
    const files = this.#freeSlots.map(({ slot }) => this.#pathsOf(slot));
    const budget = new TimeBudget(this.#deps.clock, new AbortController().signal, tidyLimits);
    await budget.waitFor(this.#deps.store.tidy(files), undefined);
  }
}
