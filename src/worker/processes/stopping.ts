/** How one job is stopped: before it has a process, with a signal, and at once. */
import type { StopReason } from '../../model/decide/outcome.ts';
import type { StoppedJob } from './job-runner.ts';
import type { ProcessTable } from './process-table.ts';
import type { RunningJob } from './running-job.ts';

/** So long after its processes were killed, what launches a job in a step of Slurm is killed too. */
const launcherGraceMs = 10_000;

/** It has no process yet: it is stopped as soon as it has one, unless it can be taken back. */
export function stopEarly(job: RunningJob, { graceMs, signal = 'SIGTERM' }: StoppedJob, reason: StopReason): void {
  const { earlyStop } = job;
  job.earlyStop = {
    signal: earlyStop?.signal ?? signal,
    reason: earlyStop?.reason ?? reason,
    graceMs: Math.min(earlyStop?.graceMs ?? graceMs, graceMs),
  };
  job.queued?.withdraw();
}

/** Begins to stop a job whose process is `pid`, after a scan of the table; or has it killed earlier. */
export function stopProcess(
  table: ProcessTable,
  job: RunningJob,
  pid: number,
  { reason, killAtMs, signal }: NonNullable<RunningJob['stop']> & { signal: NodeJS.Signals },
  nowMs: number,
): void {
  if (job.stop !== null) {
    job.stop.killAtMs = Math.min(job.stop.killAtMs, killAtMs);
    return;
  }
  // it has ended by itself, and the event is on its way
  if (!table.measure(job.attempt).pids.includes(pid)) return;
  job.stop = { reason, killAtMs };
  if (killAtMs <= nowMs) {
    killJob(table, job, nowMs);
  } else {
    table.signal(job.attempt, signal, false);
    // a suspended job could not react to it
    table.signal(job.attempt, 'SIGCONT', false);
  }
}

/** Kills all processes of a job. */
export function killJob(table: ProcessTable, job: RunningJob, nowMs: number): void {
  job.firstKillMs ??= nowMs;
  table.measure(job.attempt);
  table.signal(job.attempt, 'SIGKILL', job.exit !== null, nowMs - job.firstKillMs > launcherGraceMs);
}
