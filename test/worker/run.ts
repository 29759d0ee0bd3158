/** Runs a real worker with real processes against the server in memory. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { jobStdioPaths } from '../../src/base/paths.ts';
import type { StopSignal, StopSource } from '../../src/worker/effects.ts';
import type { WorkerExit, WorkerOptions } from '../../src/worker/options.ts';
import type { Spawner } from '../../src/worker/processes/spawner.ts';
import { systemEffects } from '../../src/worker/system-effects.ts';
import { runWorker } from '../../src/worker/worker.ts';
import { FakeServer } from './fake-server.ts';

export interface TestWorker {
  server: FakeServer;
  exit: Promise<WorkerExit>;
  workerId: string;
  directory: string;
  signal(signal: StopSignal): void;
  stdout(attempt: number): string;
  stderr(attempt: number): string;
  /** Processes that carry the worker's id in their environment. */
  processes(): number[];
}

/** Starts a worker; everything it leaves is removed after the test. */
export function startWorker(
  server = new FakeServer(),
  options: Partial<WorkerOptions> = {},
  log: Log = silentLog,
  spawner?: Spawner,
): TestWorker {
  const directory = mkdtempSync(join(tmpdir(), 'torc-worker-test-'));
  const listeners = new Set<(signal: StopSignal) => void>();
  const signals: StopSource = {
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const all: WorkerOptions = {
    directory,
    workflowKey: '7',
    outputDirectory: join(directory, 'output'),
    capacity: { nodeNames: ['here'], numCpus: 64, memoryBytes: 2 ** 40, numGpus: 0, gpuIds: [] },
    maxParallelJobs: null,
    deadlineMs: null,
    walltimeSeconds: null,
    waitForNewJobsSeconds: null,
    identity: { hostname: 'here', cluster: null, slurmJobId: null, restartCount: 0, allocationKey: null },
    ...options,
  };
  const effects = systemEffects(all, { clock: systemClock, log, ...(spawner === undefined ? {} : { spawner }) });
  const exit = runWorker(all, { api: server, clock: systemClock, log, signals, effects });
  const processes = (): number[] => processesOf(effects.workerId);
  onTestFinished(async () => {
    for (const listener of listeners) listener('terminate');
    await exit.catch(() => {});
    for (const pid of processes()) kill(pid);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const output = (attempt: number): { stdoutPath: string; stderrPath: string } => {
    const given = server.attempts.get(attempt)?.assignment;
    if (given === undefined) throw new Error(`no attempt ${attempt}`);
    const name = { jobKey: given.job_key, runId: given.run_id, attemptId: given.attempt_id };
    return jobStdioPaths(all.outputDirectory, name);
  };
  return {
    server,
    exit,
    workerId: effects.workerId,
    directory,
    signal: (signal) => {
      for (const listener of listeners) listener(signal);
    },
    stdout: (attempt) => readFileSync(output(attempt).stdoutPath, 'utf8'),
    stderr: (attempt) => readFileSync(output(attempt).stderrPath, 'utf8'),
    processes,
  };
}

/** Kills the process, unless it has just ended. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it is gone, as intended
  }
}

function processesOf(workerId: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const environ = readFileSync(`/proc/${name}/environ`, 'latin1');
      return environ.includes(`TORC_WORKER_ID=${workerId}`) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Resolves as soon as `condition` holds; the test's own time limit ends the wait if it never does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
