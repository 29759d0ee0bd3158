/**
 * Wraps the process runner: looks at a job's declared files before its process starts and after it has ended, and fails
 * a job that did not make what it declared. A job that declares nothing passes through unchanged.
 */
import type { Assignment } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf, systemCode } from '../../base/errors.ts';
import type { JobStdioPaths } from '../../base/paths.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import {
  type StopReason,
  spawnFailed,
  withoutInput,
  withoutOutput,
  withoutRecovery,
} from '../../model/decide/outcome.ts';
import type { AttemptEnd } from '../../model/job.ts';
import type {
  FinishedAttempt,
  GivenJob,
  JobRunner,
  RunnerEvents,
  Sample,
  StoppedJob,
} from '../processes/job-runner.ts';
import { dataPaths, recoveryPath } from '../processes/launch.ts';
import { shortageOf } from '../processes/spawner.ts';
import { DeclaredFiles } from './declared-files.ts';
import type { FileReader } from './file-reader.ts';
import { readUserData, type WrittenData } from './user-data.ts';
import type { TakenResult, ValueFiles } from './values.ts';

/** How long a file system may take to answer after a job's end. */
const readLimits = { longestMs: 30_000, hurriedMs: 200 };

interface FiledJob {
  assignment: Assignment;
  dataNames: readonly string[];
  dataPaths: readonly string[];
  /** The file in which its recovery script reports a failure; null without one. */
  recoveryPath: string | null;
  sampleEveryMs: number | null;
  output: JobStdioPaths | null;
  files: DeclaredFiles;
  isStarted: boolean;
  /** Fires when the job is stopped: then the wait for its files ends. */
  hurry: AbortController;
}

export interface FileCheckedRunnerDependencies {
  clock: Clock;
  files: FileReader;
  values: ValueFiles;
  workingDirectory: string;
  dataDirectory: string;
  /** Whether the folders of declared outputs are made before a job starts. */
  createsFolders(): boolean;
  /** What a start must wait for now, after which this is asked again; null for nothing. */
  beforeStart(): Promise<unknown> | null;
  /** Opens the runner that this one wraps. */
  openRunner(events: RunnerEvents): JobRunner;
}

export class FileCheckedRunner implements JobRunner {
  readonly #events: RunnerEvents;
  readonly #deps: FileCheckedRunnerDependencies;
  readonly #runner: JobRunner;
  readonly #jobs = new Map<number, FiledJob>();
  #isClosed = false;

  constructor(events: RunnerEvents, deps: FileCheckedRunnerDependencies) {
    this.#events = events;
    this.#deps = deps;
    this.#runner = deps.openRunner({
      ...events,
      ended: (finished) => this.#onEnded(finished),
      unstarted: (attempt, shortage) => this.#onUnstarted(attempt, shortage),
    });
  }

  start(assignment: Assignment, sampleEveryMs: number | null = null, output: JobStdioPaths | null = null): void {
    const { files = [], output_user_data: dataNames = [], attempt, recovery } = assignment;
    if (assignment.refusal !== undefined) {
      const end = withoutInput(assignment.refusal);
      queueMicrotask(() => this.#tellUnstarted(attempt, end));
      return;
    }
    if (this.#isPlain(assignment)) {
      this.#runner.start(assignment, sampleEveryMs, output);
      return;
    }
    const { files: reader, workingDirectory: directory, clock, dataDirectory } = this.#deps;
    const hurry = new AbortController();
    const job: FiledJob = {
      assignment,
      dataNames,
      dataPaths: dataPaths(assignment, dataDirectory),
      recoveryPath: recovery === undefined ? null : recoveryPath(assignment, dataDirectory),
      sampleEveryMs,
      output,
      files: new DeclaredFiles(files, {
        clock,
        hurry: hurry.signal,
        reader,
        directory,
      }),
      isStarted: false,
      hurry,
    };
    this.#jobs.set(attempt, job);
    void this.#begin(job);
  }

  /** Whether nothing has to be looked at or made before it starts. */
  #isPlain(assignment: Assignment): boolean {
    const { files = [], output_user_data: dataNames = [], recovery, refusal } = assignment;
    const hasNone = files.length + dataNames.length === 0 && recovery === undefined && refusal === undefined;
    return hasNone && !this.#deps.values.needsPreparation(assignment);
  }

  mayQueue(assignment: Assignment): boolean {
    return this.#isPlain(assignment) && this.#runner.mayQueue?.(assignment) === true;
  }

  queue(assignment: Assignment, sampleEveryMs: number | null = null, output: JobStdioPaths | null = null): void {
    this.#runner.queue?.(assignment, sampleEveryMs, output);
  }

  startQueued(job: GivenJob): void {
    this.#runner.startQueued?.(job);
  }

  withdraw(attempt: number): void {
    this.#runner.withdraw?.(attempt);
  }

  async #begin(job: FiledJob): Promise<void> {
    const { attempt } = job.assignment;
    const written = job.recoveryPath === null ? job.dataPaths : [...job.dataPaths, job.recoveryPath];
    try {
      if (written.length > 0) await this.#deps.files.makeRoom(written);
      await this.#deps.values.prepare(job.assignment);
    } catch (error) {
      return this.#fail(job, error);
    }
    await job.files.lookBefore(this.#deps.createsFolders());
    // the job may have been stopped meanwhile, and the file system may have stood still for long
    const isWanted = (): boolean => !this.#isClosed && this.#jobs.has(attempt);
    const obstacle = (): Promise<unknown> | null => (isWanted() ? this.#deps.beforeStart() : null);
    for (let wait = obstacle(); wait !== null; wait = obstacle()) await wait;
    if (!isWanted()) return;
    job.isStarted = true;
    this.#runner.start(job.assignment, job.sampleEveryMs, job.output);
    job.files.hashInputs();
  }

  #fail(job: FiledJob, error: unknown): void {
    const { attempt } = job.assignment;
    if (this.#isClosed || !this.#jobs.delete(attempt)) return;
    const code = systemCode(error);
    const message = messageOf(error);
    const shortage = shortageOf(code, message);
    if (shortage !== null) {
      this.#events.unstarted(attempt, shortage);
      return;
    }
    this.#tellUnstarted(attempt, spawnFailed(code, message));
  }

  /** An attempt ended without a process. */
  #tellUnstarted(attempt: number, end: AttemptEnd): void {
    if (this.#isClosed) return;
    const nothing = { peakMemoryBytes: null, averageMemoryBytes: null, cpuMs: null };
    this.#events.ended({ attempt, startedAtMs: null, endedAtMs: this.#deps.clock.monotonic(), end, ...nothing });
  }

  stop(jobs: readonly StoppedJob[], reason: StopReason): void {
    const started = jobs.filter(({ attempt }) => {
      const job = this.#jobs.get(attempt);
      job?.hurry.abort();
      if (job === undefined || job.isStarted) return true;
      this.#jobs.delete(attempt);
      queueMicrotask(() => {
        if (!this.#isClosed) this.#events.unstarted(attempt, null);
      });
      return false;
    });
    if (started.length > 0) this.#runner.stop(started, reason);
  }

  #onUnstarted(attempt: number, shortage: string | null): void {
    this.#jobs.get(attempt)?.hurry.abort();
    this.#jobs.delete(attempt);
    this.#events.unstarted(attempt, shortage);
  }

  #onEnded(finished: FinishedAttempt): void {
    const job = this.#jobs.get(finished.attempt);
    if (job !== undefined && finished.startedAtMs !== null) void this.#conclude(job, finished);
    else {
      this.#jobs.delete(finished.attempt);
      this.#events.ended(job === undefined ? withResult(finished, this.#deps.values.take(finished.attempt)) : finished);
    }
  }

  async #conclude(job: FiledJob, finished: FinishedAttempt): Promise<void> {
    const { attempt, end } = finished;
    const { files } = job;
    const isSuccess = end.returnCode === 0;
    const missing = await files.lookAtOutputs(isSuccess);
    const written = isSuccess ? await this.#readData(job) : { data: [], problems: [] };
    const isUnprepared = end.cause === 'exit_code' && (await this.#hasFailedRecovery(job));
    const states = await files.states();
    const result = await this.#takeResult(job);
    this.#jobs.delete(attempt);
    if (this.#isClosed) return;
    const problems = [...missing, ...written.problems, ...('problem' in result ? [result.problem] : [])];
    const hasFailed = isSuccess && problems.length > 0;
    const kept = isSuccess && !hasFailed ? files.untouchedOutputs() : null;
    this.#events.ended({
      ...finished,
      end: hasFailed
        ? withoutOutput(end, `it ended with 0 but ${problems.join(', and it ')}`)
        : isUnprepared
          ? withoutRecovery(end)
          : kept === null
            ? end
            : { ...end, detail: `it did not write ${kept}` },
      ...(states.length > 0 ? { files: states } : {}),
      ...(written.data.length > 0 && !hasFailed ? { userData: written.data } : {}),
      ...('value' in result && result.value !== undefined && isSuccess && !hasFailed ? { result: result.value } : {}),
    });
  }

  async #takeResult({ assignment, hurry }: FiledJob): Promise<TakenResult> {
    const budget = new TimeBudget(this.#deps.clock, hurry.signal, readLimits);
    const unread = { problem: 'wrote a result value that could not be read in time' };
    return await budget.waitFor(this.#deps.values.takePrepared(assignment), unread);
  }

  async #hasFailedRecovery({ recoveryPath: path, hurry }: FiledJob): Promise<boolean> {
    if (path === null) return false;
    const budget = new TimeBudget(this.#deps.clock, hurry.signal, readLimits);
    return await budget.waitFor(this.#deps.files.hasLink(path), false);
  }

  async #readData({ dataNames, dataPaths, hurry }: FiledJob): Promise<WrittenData> {
    if (dataNames.length === 0) return { data: [], problems: [] };
    const budget = new TimeBudget(this.#deps.clock, hurry.signal, readLimits);
    const unread = { data: [], problems: ['wrote user data that could not be read in time'] };
    return await budget.waitFor(readUserData(this.#deps.files, dataNames, dataPaths), unread);
  }

  takeSamples(minAgeMs: number): Sample[] {
    return this.#runner.takeSamples(minAgeMs);
  }

  close(): void {
    this.#isClosed = true;
    for (const job of this.#jobs.values()) job.hurry.abort();
    this.#runner.close();
  }
}

/** The end of an attempt with its result value, which counts only after a success; a bad one fails it. */
function withResult(finished: FinishedAttempt, result: TakenResult): FinishedAttempt {
  const { end } = finished;
  if (end.returnCode !== 0) return finished;
  if ('problem' in result) return { ...finished, end: withoutOutput(end, `it ended with 0 but ${result.problem}`) };
  return result.value === undefined ? finished : { ...finished, result: result.value };
}
