/** How one workflow stands: all that a person needs to know of it at a time, and what to type next. */
import type { ServerLack, StatusLine, WorkflowStatusReply } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { Context } from '../context/context.ts';
import { scalingStateText } from './autoscaler-text.ts';
import { type Failures, failuresText } from './failures.ts';
import { withLocalInstants } from './local-time.ts';
import { reasonHelp } from './reason-help.ts';
import { bar, type Look } from './status-table.ts';
import { factLines } from './table.ts';
import type { UnheardWorker } from './unreached.ts';
import { fitWidth } from './width.ts';

const widestBar = 60;
const mostHeldBack = 5;
const mostHosts = 4;
const mostUnheard = 3;

type Fact = [name: string, value: string | number];

export interface PageParts {
  page: WorkflowStatusReply;
  failures: Failures;
  /** Milliseconds UTC. */
  now: number;
  /** Workers of which the server has not heard. */
  unheard: readonly UnheardWorker[];
  /** Whether it is being watched already. */
  isWatched?: boolean;
}

/** The parts of a page, each of which ends its last line; empty where there is nothing to say. */
export interface Sections {
  head: string;
  /** That the server can store nothing. */
  cannotWrite: string;
  facts: string;
  heldBack: string;
  /** Workers that the server has not heard of. */
  unheard: string;
  failures: string;
  next: string;
}

export function statusPage(context: Pick<Context, 'torc'>, parts: PageParts, look: Look): string {
  return Object.values(statusSections(context, parts, look)).join('');
}

/** In the order of the page. */
export function statusSections(
  context: Pick<Context, 'torc'>,
  { page, failures, now, unheard, isWatched = false }: PageParts,
  look: Look,
): Sections {
  const { workflow, is_served, cannot_write } = page;
  const facts: Fact[] = [
    ...countFacts(workflow),
    ...timeFacts(workflow, now),
    ...workerFacts(page, is_served),
    ...allocationFacts(page),
    ...autoscalerFacts(page),
  ];
  return {
    head: headLines(workflow, look),
    cannotWrite: cannot_write === null ? '' : `${cannotWriteLines(context, cannot_write, now).join('\n  ')}\n`,
    facts: factLines(facts),
    heldBack: heldBackText(context, workflow, { ...look, now }),
    unheard: unheardText(unheard, look),
    failures: failuresText(context, workflow.workflow_key, failures, look.columns),
    next: isWatched && !workflow.has_ended ? '' : nextText(context, workflow, failures),
  };
}

/** That the server can store nothing: since when and why; what that means and what helps. */
export function cannotWriteLines({ torc }: Pick<Context, 'torc'>, lack: ServerLack, now: number): [string, string] {
  const what = withLocalInstants(`the server has not been able to write since ${lack.since}`, now);
  return [
    visible(`${what}: ${lack.message}`),
    `running jobs go on, and their results wait; what to do: ${torc} doctor`,
  ];
}

/** The name, the state, a bar. */
function headLines(line: StatusLine, { columns, hasColor }: Look): string {
  const { workflow_key, name, run_id, status, is_paused, num_jobs, num_done } = line;
  const paused = is_paused && status === 'uninitialized' ? ', paused' : '';
  const head = `workflow ${workflow_key} (${visible(name)}), run ${run_id}: ${status}${paused}`;
  if (num_jobs === 0) return `${fitWidth(head, columns)}\n`;
  const done = `${num_done} of ${num_jobs} done`;
  const width = Math.max(10, Math.min(widestBar, columns - done.length - 4));
  return `${fitWidth(head, columns)}\n${bar(line, width, hasColor)}  ${done}\n`;
}

function countFacts(line: StatusLine): Fact[] {
  const counts: Fact[] = [
    ['failed', line.num_failed],
    ['canceled', line.num_canceled],
    ['terminated', line.num_terminated],
    ['lost', line.num_lost],
    ['running', line.num_running],
    ['ready', line.num_ready],
    ['blocked', line.num_blocked],
    ['uninitialized', line.num_uninitialized],
    ['disabled', line.num_disabled],
  ];
  return [['succeeded', line.num_done - line.num_failed], ...counts.filter(([, count]) => Number(count) > 0)];
}

function timeFacts(line: StatusLine, now: number): Fact[] {
  const { started_at, ended_at, has_ended, jobs_per_second, eta_seconds } = line;
  if (started_at === null) return [];
  const end = has_ended && ended_at !== null ? Date.parse(ended_at) : now;
  const elapsed: Fact = ['elapsed', formatDuration((end - Date.parse(started_at)) / 1000)];
  if (has_ended) return [elapsed];
  if (line.recovers_at !== null) {
    const seconds = Math.round((Date.parse(line.recovers_at) - now) / 1000);
    return [elapsed, ['recovers', seconds <= 0 ? 'now' : `in ${formatDuration(seconds)}`]];
  }
  const left = eta_seconds === null ? 'not known' : `about ${formatDuration(eta_seconds)}`;
  return [elapsed, ['left', jobs_per_second === null ? left : `${left} (${paceText(jobs_per_second)})`]];
}

/** `3.1 jobs/s`, `12 jobs/h`: with a unit in which it is at least 1. */
export function paceText(perSecond: number): string {
  const [value, unit] =
    perSecond >= 1 ? [perSecond, 's'] : perSecond * 60 >= 1 ? [perSecond * 60, 'min'] : [perSecond * 3600, 'h'];
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} jobs/${unit}`;
}

function workerFacts({ workers, workflow }: WorkflowStatusReply, isServed: boolean): Fact[] {
  const { num_active_workers: count } = workflow;
  if (count === 0) return workflow.has_ended ? [] : [['workers', 'none']];
  const hosts = [...new Set(workers.map(({ hostname }) => visible(hostname)))];
  const more = hosts.length > mostHosts ? ` and ${hosts.length - mostHosts} more` : '';
  const where = `${hosts.slice(0, mostHosts).join(', ')}${more}`;
  const silent = workers.filter(({ is_silent }) => is_silent).length;
  const notes = [
    ...(isServed ? [] : ['no server answers them']),
    ...(isServed && silent > 0 ? [`${silent} not responding`] : []),
  ];
  return [['workers', `${count} on ${where}${notes.length === 0 ? '' : `; ${notes.join(', ')}`}`]];
}

const allocationWords = { recorded: 'being submitted', submitted: 'queued' } as const;

function allocationFacts({ allocations }: WorkflowStatusReply): Fact[] {
  if (allocations.length === 0) return [];
  const parts = allocations.flatMap(({ status, num_allocations, slurm_reason, num_without_worker: started }) => {
    const word = status === 'recorded' || status === 'submitted' ? allocationWords[status] : status;
    const why = status === 'submitted' && slurm_reason !== null && slurm_reason !== 'None' ? ` (${slurm_reason})` : '';
    return [
      ...(num_allocations > started ? [`${num_allocations - started} ${word}${why}`] : []),
      ...(started > 0 ? [`${started} started without a worker yet`] : []),
    ];
  });
  return [['allocations', parts.join(', ')]];
}

function autoscalerFacts({ autoscaler, workflow }: WorkflowStatusReply): Fact[] {
  return autoscaler === null || workflow.has_ended ? [] : [['autoscaler', scalingStateText(autoscaler)]];
}

/** What keeps jobs from running, each with the command that helps. */
function heldBackText(
  { torc }: Pick<Context, 'torc'>,
  line: StatusLine,
  { columns, now }: Look & { now: number },
): string {
  const { held_back, workflow_key } = line;
  if (held_back.length === 0) return '';
  const lines = held_back
    .slice(0, mostHeldBack)
    .flatMap(({ reason, text }) => [
      fitWidth(`  ${visible(withLocalInstants(text, now))}`, columns),
      ...reasonHelp({ torc }, { workflow_key, job_key: 'JOB' }, [reason]).map((command) => `    ${command}`),
    ]);
  const more = held_back.length > mostHeldBack ? [`  .. and ${held_back.length - mostHeldBack} more reasons`] : [];
  return `\nheld back:\n${[...lines, ...more].join('\n')}\n`;
}

function unheardText(workers: readonly UnheardWorker[], { columns }: Look): string {
  if (workers.length === 0) return '';
  const lines = workers
    .slice(0, mostUnheard)
    .flatMap(({ text, help }) => [fitWidth(`  ${visible(text)}`, columns), ...help.map((command) => `    ${command}`)]);
  const more = workers.length > mostUnheard ? [`  .. and ${workers.length - mostUnheard} more workers`] : [];
  return `\nnot heard from:\n${[...lines, ...more].join('\n')}\n`;
}

function nextText({ torc }: Pick<Context, 'torc'>, line: StatusLine, failures: Failures): string {
  const commands = nextCommands(torc, line, failures);
  return commands.length === 0 ? '' : `\nnext:\n${commands.map((command) => `  ${command}\n`).join('')}`;
}

/** What helps most, first. */
export function nextCommands(torc: string, line: StatusLine, { groups }: Failures): string[] {
  const { workflow_key: key, has_ended, num_failed, num_lost, num_terminated, cut_off_by, num_running } = line;
  if (!has_ended) return num_running > 0 ? [`${torc} watch ${key}`] : [];
  const isForMore = groups.some(({ cause }) => cause === 'oom' || cause === 'job_timeout');
  const restarts = num_terminated > 0 || cut_off_by !== null || line.status === 'canceled';
  return [
    ...(num_lost > 0 ? [`${torc} jobs diagnose -k ${key}`] : []),
    ...(isForMore ? [`${torc} recover ${key} --dry-run`] : []),
    ...(num_failed > 0 ? [`${torc} rerun-failed ${key} --dry-run`] : []),
    ...(restarts || (num_lost > 0 && num_failed === 0) ? [`${torc} workflows restart ${key} --dry-run`] : []),
    ...(num_failed + num_lost === 0 && !restarts ? [`${torc} results list -k ${key}`] : []),
  ];
}
