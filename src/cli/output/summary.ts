/** The summary of a run: as numbers for programs, and as text. */
import type { Api, WorkflowShown } from '../../api/contract.ts';
import { exitCodes } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { StdioMode } from '../../model/expanded.ts';
import type { Context } from '../context/context.ts';
import { type Failures, failureColumns, failuresText, failuresValue, readFailures } from './failures.ts';
import { colored } from './output.ts';
import { cellText, factLines } from './table.ts';

/** So many logs can be read one after the other. */
const fewJobs = 20;

export interface Summary {
  workflow_key: string;
  name: string;
  run_id: number;
  status: WorkflowShown['status'];
  num_jobs: number;
  num_done: number;
  num_failed: number;
  num_canceled: number;
  num_terminated: number;
  /** Jobs that were lost with their worker and do not come back by themselves. */
  num_lost: number;
  /** Jobs that have neither ended nor been canceled or lost. */
  num_unfinished: number;
  /** Jobs that ended while this command ran; the others above had ended before. */
  num_ended_here: number;
  /** Failed actions of this run; the workflow continues without them. */
  num_failed_actions: number;
  /** What ended the run before all its jobs have run. */
  cut_off_by: WorkflowShown['cut_off_by'];
  elapsed_seconds: number;
  jobs_per_second: number;
  output_directory: string;
  /** Where the output of jobs goes. */
  stdio: StdioMode;
}

/** How many jobs have been run to an end. */
export function numEnded({ num_done, counts }: WorkflowShown): number {
  return num_done + counts.terminated;
}

/** `numEndedBefore`: the ended jobs when the command began. */
export function summaryOf(
  workflow: WorkflowShown,
  elapsedSeconds: number,
  outputDirectory: string,
  numEndedBefore: number,
): Summary {
  const { counts } = workflow;
  const elapsed = Math.round(elapsedSeconds * 1000) / 1000;
  const numEndedHere = Math.max(0, numEnded(workflow) - numEndedBefore);
  const unfinished = ['uninitialized', 'blocked', 'ready', 'submitted_pending', 'submitted'] as const;
  return {
    workflow_key: workflow.workflow_key,
    name: workflow.name,
    run_id: workflow.run_id,
    status: workflow.status,
    num_jobs: workflow.num_jobs,
    num_done: workflow.num_done,
    num_failed: workflow.num_failed,
    num_canceled: workflow.num_canceled,
    num_terminated: counts.terminated,
    num_lost: workflow.num_lost,
    num_unfinished: unfinished.reduce((sum, status) => sum + counts[status], -workflow.num_lost),
    num_ended_here: numEndedHere,
    num_failed_actions: workflow.num_failed_actions,
    cut_off_by: workflow.cut_off_by,
    elapsed_seconds: elapsed,
    jobs_per_second: elapsed === 0 ? 0 : Math.round((numEndedHere / elapsed) * 100) / 100,
    output_directory: outputDirectory,
    stdio: workflow.stdio,
  };
}

/** 0 when every job succeeded; 8 after the timeout of the workflow; else 1. */
export function exitCodeOf(summary: Summary): number {
  if (summary.status === 'done') return 0;
  return summary.status === 'timeout' ? exitCodes.timeout : exitCodes.jobs_failed;
}

/** What failed or was lost in the workflow of the summary. */
export async function summaryFailures(context: Context, api: Api, summary: Summary): Promise<Failures> {
  if (summary.num_failed + summary.num_lost === 0) return { groups: [] };
  const { failures } = await api.call('workflow_status', { workflow_key: summary.workflow_key });
  return readFailures(context, api, failures);
}

/** The summary for programs, with how jobs failed, and the first of them. */
export function summaryValue(summary: Summary, failures: Failures): object {
  return { ...summary, ...failuresValue(failures) };
}

/** The summary as text: jobs by status, the first failed jobs with their stderr, and commands that show more. */
export function summaryText(context: Context, summary: Summary, failures: Failures): string {
  const facts = factLines([
    ['jobs', summary.num_jobs],
    ['done', doneText(summary)],
    ...others(summary),
    ...cutOffLine(summary),
    ['elapsed', `${formatDuration(summary.elapsed_seconds)} (${summary.jobs_per_second} jobs/s)`],
    ['output', summary.output_directory],
    ...actionsWarning(context, summary),
  ]);
  const status = colored(context, summary.status);
  const columns = failureColumns(context);
  const head = `workflow ${summary.workflow_key} (${cellText(summary.name)}), run ${summary.run_id}: ${status}\n`;
  return `${head}${facts}${failuresText(context, summary.workflow_key, failures, columns)}${furtherText(context, summary)}`;
}

/** What ended the run before all its jobs have run. */
function cutOffLine({ cut_off_by }: Summary): [string, string][] {
  switch (cut_off_by) {
    case 'max_failures':
      return [['ended early', 'too many failures (max_failures); what had not started is canceled']];
    case 'timeout':
      return [['ended early', 'the timeout of the run is over; what had not started stays as it is']];
    default:
      return [];
  }
}

function doneText({ num_done: done, num_failed: failed, num_terminated, num_ended_here: here }: Summary): string {
  const ends = failed === 0 ? String(done) : `${done - failed} succeeded, ${failed} failed`;
  return here === done + num_terminated ? ends : `${ends} (${here} of them now)`;
}

function actionsWarning(context: Context, summary: Summary): [string, string][] {
  const { num_failed_actions: count, workflow_key: key } = summary;
  if (count === 0) return [];
  return [['warning', `${counted(count, 'action')} failed: ${context.torc} actions list ${key}`]];
}

function others(summary: Summary): [string, number][] {
  const counts: [string, number][] = [
    ['canceled', summary.num_canceled],
    ['terminated', summary.num_terminated],
    ['lost', summary.num_lost],
    ['unfinished', summary.num_unfinished],
  ];
  return counts.filter(([, count]) => count > 0);
}

function furtherText(context: Context, summary: Summary): string {
  const key = summary.workflow_key;
  const jobs = summary.num_failed > 0 ? ' --failed' : '';
  const again = `
to run the stopped jobs again:
  ${context.torc} workflows restart ${key}
  ${context.torc} jobs run ${key}
`;
  const failed = `
to run the failed jobs again, with all downstream jobs:
  ${context.torc} rerun-failed ${key} --run
`;
  const waiting = `
ready jobs wait for a worker:
  ${context.torc} jobs run ${key}
  ${context.torc} -k ${key} hpc slurm schedule-nodes -n 1
`;
  const lost = `
why jobs were lost:
  ${context.torc} jobs diagnose -k ${key}
`;
  const paused = `
it is paused, or jobs of it are held; to continue:
  ${context.torc} workflows resume ${key}
  ${context.torc} jobs list -k ${key} -f held=true
`;
  const cutOff = `
to continue where the run ended:
  ${context.torc} workflows restart ${key}
  ${context.torc} jobs run ${key}
`;
  const { num_failed, num_terminated, num_lost, status, cut_off_by } = summary;
  const isCutOff = cut_off_by !== null && num_terminated === 0;
  return `${num_failed > 0 && !isCutOff ? failed : ''}${num_terminated > 0 ? again : ''}${isCutOff ? cutOff : ''}${status === 'waiting' ? waiting : ''}${status === 'paused' ? paused : ''}${num_lost > 0 ? lost : ''}
see also:
  ${context.torc} results list -k ${key}
  ${context.torc} jobs list -k ${key}${jobs}
  ${context.torc} ${summary.num_jobs <= fewJobs ? `logs '*' -k ${key}` : `events list -k ${key}`}
`;
}
