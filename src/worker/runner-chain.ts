/**
 * The runners that carry a job from its assignment to its report. Each wraps the next, and each has the form of a
 * JobRunner: starts and stops go inwards, events come outwards.
 *
 *     LoggedRunner        where the job's output goes and is kept (files/logged-runner.ts)
 *     FileCheckedRunner   its declared files and user data, before and after (files/file-checked-runner.ts)
 *     ProcessRunner       its processes (processes/process-runner.ts, or a simulator's own)
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { WorkerEffects } from './effects.ts';
import { FileCheckedRunner } from './files/file-checked-runner.ts';
import { LoggedRunner } from './files/logged-runner.ts';
import type { RunnerEvents } from './processes/job-runner.ts';

export interface RunnerChainDependencies {
  clock: Clock;
  log: Log;
  effects: WorkerEffects;
  outputDirectory: string;
  /** Whether the server has not stored the attempt's end, or not yet. */
  isEndOpen(attempt: number): boolean;
  /** What a start must wait for now, after which this is asked again; null for nothing. */
  beforeStart(): Promise<unknown> | null;
}

/** Opens the whole chain; the caller talks to its outermost runner. */
export function openRunnerChain(events: RunnerEvents, dependencies: RunnerChainDependencies): LoggedRunner {
  const { clock, log, effects, outputDirectory, isEndOpen, beforeStart } = dependencies;
  const { files, values, dataDirectory, logs: store, workerId, workingDirectory } = effects;
  const logged = new LoggedRunner(events, {
    clock,
    log,
    store,
    workerId,
    outputDirectory,
    isEndOpen,
    openRunner: (innerEvents) =>
      new FileCheckedRunner(innerEvents, {
        clock,
        files,
        values,
        workingDirectory,
        dataDirectory,
        beforeStart,
        createsFolders: () => logged.createsFolders,
        openRunner: (innermostEvents) => effects.openRunner(innermostEvents),
      }),
  });
  return logged;
}
