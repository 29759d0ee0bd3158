/** Why one job does not run, or ended as it did: each reason with the commands that help. */
import type { JobShown, ListRecord } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { Reason } from '../../model/decide/reason.ts';
import { reasonText } from '../../model/decide/reason-text.ts';
import type { Context } from '../context/context.ts';
import { withLocalInstants } from './local-time.ts';
import { reasonHelp } from './reason-help.ts';
import { type UnreachedWorker, unreachedText } from './unreached.ts';
import { localTime } from './watch-lines.ts';

export interface Why {
  job_key: string;
  job_name: string;
  workflow_key: string;
  status: string;
  outcome: string | null;
  return_code: number | null;
  cause: string | null;
  /** Of the last attempt. */
  run_id: number | null;
  attempt_id: number | null;
  start_time: string | null;
  end_time: string | null;
  exec_time_seconds: number | null;
  hostname: string | null;
  slurm_job_id: string | null;
  detail: string | null;
  reasons: { reason: Reason; text: string; help: string[] }[];
  /** Of its workflow, while it waits. */
  unreached_workers: UnreachedWorker[];
}

export function whyOf(
  context: Pick<Context, 'torc'>,
  { job, reasons, attempts }: JobShown,
  unreached: readonly UnreachedWorker[] = [],
): Why {
  const last: ListRecord = attempts.at(-1) ?? {};
  const isCurrent = job.status !== 'ready' && job.status !== 'blocked' && job.status !== 'uninitialized';
  const text = (value: unknown): string | null => (isCurrent && typeof value === 'string' ? value : null);
  const number = (value: unknown): number | null => (isCurrent && typeof value === 'number' ? value : null);
  const subject = { workflow_key: String(job.workflow_key), job_key: String(job.job_key) };
  return {
    ...{ job_key: subject.job_key, job_name: job.name, workflow_key: subject.workflow_key },
    ...{ status: job.status, outcome: job.outcome, return_code: job.return_code, cause: job.cause },
    run_id: number(last.run_id),
    attempt_id: number(last.attempt_id),
    start_time: text(last.start_time),
    end_time: text(last.end_time),
    exec_time_seconds: number(last.exec_time_seconds),
    hostname: text(last.hostname),
    slurm_job_id: text(last.slurm_job_id),
    detail: text(last.detail),
    reasons: reasons.map((reason) => {
      return { reason, text: reasonText(reason, job.cause), help: reasonHelp(context, subject, [reason]) };
    }),
    unreached_workers: isCurrent ? [] : unreached.filter(({ workflow_key }) => workflow_key === subject.workflow_key),
  };
}

/** `tail`: the last lines of stderr of a job that failed. */
export function whyText(why: Why, tail: readonly string[], now: number): string {
  const head = `job ${why.job_key} (${visible(why.job_name)}) of workflow ${why.workflow_key}: ${stateWords(why)}`;
  const lines = [
    ...attemptLines(why, now),
    ...tail.map((line) => `  | ${line}`),
    ...why.reasons.flatMap(({ text, help }) => [withLocalInstants(text, now), ...help.map(indent)]),
    ...why.unreached_workers.map(unreachedText),
  ].map(visible);
  return `${head}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}

function indent(command: string): string {
  return `  ${command}`;
}

function stateWords({ status, outcome }: Why): string {
  if (status === 'submitted') return 'running';
  if (status === 'submitted_pending') return 'taken by a worker';
  return outcome !== null && outcome !== status ? `${status} (${outcome})` : status;
}

/** Where and when the last attempt ran. */
function attemptLines(why: Why, now: number): string[] {
  const { status, start_time, end_time, exec_time_seconds, hostname, slurm_job_id, attempt_id, detail } = why;
  if (start_time === null) return detail === null ? [] : [detail];
  const node = hostname === null ? '' : ` on ${hostname}`;
  const place = slurm_job_id === null ? node : `${node} (Slurm job ${slurm_job_id})`;
  const attempt = `attempt ${attempt_id}`;
  if (status === 'submitted') {
    const since = (now - Date.parse(start_time)) / 1000;
    return [
      `It has been running since ${localTime(Date.parse(start_time))} (${formatDuration(since)})${place}, ${attempt}.`,
    ];
  }
  if (end_time === null) return [];
  const took = exec_time_seconds === null ? '' : ` after ${formatDuration(exec_time_seconds)}`;
  const ended = `It ended at ${localTime(Date.parse(end_time))}${took}${place}, ${attempt}.`;
  return detail === null ? [ended] : [ended, detail];
}
