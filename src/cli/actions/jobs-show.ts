/** `torc jobs show`: everything about one job. */
import type { JobShown, ListRecord } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';
import { amountsIn, amountsText } from '../../model/named-resources.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { chooseJob } from '../input/chosen-jobs.ts';
import { cutTable, printResult } from '../output/output.ts';
import { reasonHelp } from '../output/reason-help.ts';
import { cellText, factLines } from '../output/table.ts';
import { fieldLines, sentenceText } from '../output/text-columns.ts';
import { fitWidth } from '../output/width.ts';
import { diagnosisText } from '../plans/output.ts';

const attemptColumns = ['run_id', 'attempt_id', 'status', 'return_code', 'cause', 'start_time', 'end_time'] as const;
const placeColumns = ['peak_memory_bytes', 'hostname', 'slurm_job_id'] as const;
const eventColumns = ['timestamp', 'type', 'old_status', 'new_status', 'who', 'data'] as const;
const neighbourColumns = ['job_key', 'status', 'outcome', 'name'] as const;
/** At most this many rows of each kind are shown as text; JSON has all that the server sends. */
const shownRows = 20;
/** The data of an event takes at most this many terminal columns. */
const dataColumns = 100;

export async function showJob(context: Context, key: string): Promise<void> {
  const shown = await withConnection(context, async ({ api }) =>
    api.call('job_show', { job_key: await chooseJob(context, api, key) }),
  );
  await printResult(context, shown, () => jobText(context, shown));
}

function jobText(context: Context, shown: JobShown): string {
  const { job, diagnosis } = shown;
  const jobKey = String(job.job_key);
  const lost =
    diagnosis === null
      ? ''
      : `\nlost:\n${diagnosisText(context, { job_key: jobKey, job_name: String(job.name) }, diagnosis)}`;
  return [
    fieldLines(context, facts(context, shown)),
    lost,
    attemptsText(context, shown.attempts),
    section(context, 'waits for', neighbourColumns, shown.upstream, shown.num_upstream),
    section(context, 'downstream jobs', neighbourColumns, shown.downstream, shown.num_downstream),
    section(context, 'input files', ['name', 'path'], shown.input_files),
    section(context, 'output files', ['name', 'path'], shown.output_files),
    section(context, 'input user data', ['user_data_key', 'name'], shown.input_user_data),
    section(context, 'output user data', ['user_data_key', 'name'], shown.output_user_data),
    eventsText(context, shown.events),
  ].join('');
}

function facts(context: Context, { job, why, reasons, attempts, env, launch }: JobShown): [string, unknown][] {
  const subject = { workflow_key: String(job.workflow_key), job_key: String(job.job_key) };
  const all: [string, unknown][] = [
    ['job_key', job.job_key],
    ['name', job.name],
    ['workflow_key', job.workflow_key],
    ['status', job.status],
    ['why', why === null ? null : sentenceText(context, why)],
    ...reasonHelp(context, subject, reasons).map((command, at): [string, string] => [
      at === 0 ? 'help' : 'or',
      command,
    ]),
    ['outcome', job.outcome],
    ['return_code', job.return_code],
    ['cause', job.cause],
    ['command', job.command],
    ['invocation_script', job.invocation_script],
    ['resources', resources(job)],
    ['priority', job.priority],
    ['scheduler', job.scheduler],
    ['failure_handler', job.failure_handler],
    ['attributes', job.attributes],
    ['env', Object.keys(env).length === 0 ? null : env],
    ...Object.entries(launch),
    ['max_wait', job.max_wait_seconds === null ? null : formatDuration(Number(job.max_wait_seconds))],
    ['expires_at', job.expires_at],
    ['result', job.status === 'done' ? (attempts.at(-1)?.result ?? null) : null],
    ['num_retries', job.num_retries === 0 ? null : job.num_retries],
  ];
  return all.filter(([name, value]) => value !== null || name === 'return_code');
}

function resources(job: ListRecord): string {
  const parts = [counted(Number(job.num_cpus), 'CPU')];
  parts.push(
    job.is_memory_stated === false ? 'memory not stated' : `${formatMemory(Number(job.memory_bytes))} of memory`,
  );
  if (job.num_gpus !== 0) parts.push(counted(Number(job.num_gpus), 'GPU'));
  if (job.resources !== null) parts.push(amountsText(amountsIn(String(job.resources))));
  if (job.num_nodes !== 1) parts.push(`${job.num_nodes} nodes`);
  parts.push(
    job.is_runtime_stated === false ? 'runtime not stated' : `runtime ${formatDuration(Number(job.runtime_seconds))}`,
  );
  if (job.expected_runtime_seconds !== null)
    parts.push(`expected ${formatDuration(Number(job.expected_runtime_seconds))}`);
  return parts.join(', ');
}

function attemptsText(context: Context, attempts: readonly ListRecord[]): string {
  const newest = attempts.slice(-shownRows);
  const isInSteps = newest.some((attempt) => attempt.slurm_step_id !== null);
  const places = placeColumns.map((name) => (name === 'slurm_job_id' && isInSteps ? 'slurm_step_id' : name));
  const table = section(context, 'attempts', [...attemptColumns, ...places], newest, attempts.length, 'earlier');
  const last = newest.at(-1);
  if (last === undefined) return table;
  const details: [string, unknown][] = [
    ...newest.flatMap((attempt) => requestAfter(attempt, attempt === last)),
    ['detail', last.detail],
    ...outputOf(context, last),
  ];
  return table + factLines(details.filter(([, value]) => value !== null));
}

/** By how much the request grew after an attempt; after one that lacked memory and did not make it grow, what happened. */
function requestAfter({ attempt_id, cause, scaled, detail }: ListRecord, isLast: boolean): [string, unknown][] {
  if (scaled !== null) return [[`after ${attempt_id}`, (scaled as { why: string }).why]];
  return cause === 'oom' && !isLast ? [[`after ${attempt_id}`, detail]] : [];
}

function outputOf(context: Context, { job_key, log_kind, stdout_path, stderr_path }: ListRecord): [string, unknown][] {
  switch (log_kind) {
    case 'combined':
      return [['output', `${context.torc} jobs logs ${job_key} (in ${stdout_path})`]];
    case 'empty':
      return [['output', 'the job wrote nothing']];
    case 'none':
      return [['output', 'not kept (stdio: none)']];
    case 'removed':
      return [['output', 'not kept: the return code is 0 (stdio: on-failure)']];
    case 'pruned':
      return [['output', 'removed by torc server prune --logs']];
    default:
      return [
        ['stdout', stdout_path],
        ['stderr', stderr_path],
      ];
  }
}

function eventsText(context: Context, events: readonly ListRecord[]): string {
  const newest = events.slice(-shownRows).map((event) => {
    return { ...event, data: event.data === null ? null : fitWidth(cellText(event.data), dataColumns) };
  });
  return section(context, 'events', eventColumns, newest, events.length, 'earlier');
}

function section(
  context: Context,
  title: string,
  columns: readonly string[],
  records: readonly ListRecord[],
  total: number = records.length,
  left: 'more' | 'earlier' = 'more',
): string {
  if (records.length === 0) return '';
  const rows = left === 'more' ? records.slice(0, shownRows) : records;
  const more = total > rows.length ? ` (${left === 'more' ? 'first' : 'newest'} ${rows.length} of ${total})` : '';
  return `\n${title}${more}:\n${cutTable(context, columns, rows)}`;
}
