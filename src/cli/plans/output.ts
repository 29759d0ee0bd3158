/** How plans are printed: the changes, the lost jobs, what stays unchanged; the same in a dry run. */

import type { DiagnosedJob, KeptJob, Plan, PlannedChange } from '../../api/contract.ts';
import { jsonText } from '../../base/exact-json.ts';
import { formatMemory } from '../../base/units.ts';
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import type { Context } from '../context/context.ts';
import { csvLine } from '../output/csv.ts';
import { textTable } from '../output/output.ts';
import { cellText } from '../output/table.ts';
import { instantText, sentenceText } from '../output/text-columns.ts';

/** An allocation in a plan: what is done with which Slurm job. */
export interface PlannedAllocation {
  action: 'submit' | 'cancel';
  name: string | null;
  script: string | null;
  slurm_job_id: string | null;
}

const changeColumns = ['job_key', 'old_status', 'new_status', 'job_name', 'reason'] as const;
const keptColumns = ['job_key', 'status', 'job_name', 'reason'] as const;

/** At most this many changes are shown as text; JSON and CSV have all. */
const shownChanges = 10_000;

/** At most this many lost jobs are explained below a plan; `torc jobs diagnose` explains them all. */
const shownLost = 20;

/** The changes as a table, with the number of changes that are not shown. */
export function changesText(context: Context, plan: Pick<Plan, 'changes' | 'num_changes'>): string {
  if (plan.changes.length === 0) return '';
  const shown = plan.changes.slice(0, shownChanges).map((change) => ({ ...change }));
  return textTable(context, changeColumns, shown) + moreLine(plan.num_changes - shown.length);
}

function moreLine(left: number): string {
  return left > 0 ? `.. and ${left} more\n` : '';
}

/** Why jobs have no result and what helps, for changes with a diagnosis. */
export function lostJobsText(context: Context, changes: readonly PlannedChange[]): string {
  const lost = changes.flatMap(({ job_key, job_name, diagnosis }) =>
    diagnosis === null ? [] : [{ job_key, job_name, diagnosis }],
  );
  if (lost.length === 0) return '';
  // the job that used too much memory explains more than its victims
  const isVictim = ({ diagnosis }: (typeof lost)[number]): number => (diagnosis.role === 'victim' ? 1 : 0);
  const shown = lost.toSorted((a, b) => isVictim(a) - isVictim(b)).slice(0, shownLost);
  const blocks = shown.map((job) => diagnosisText(context, job, job.diagnosis));
  return `\nlost jobs:\n${blocks.join('')}${moreLine(lost.length - shown.length)}`;
}

/** One job's diagnosis as an indented block. */
export function diagnosisText(
  context: Context,
  job: Pick<DiagnosedJob, 'job_key' | 'job_name'>,
  diagnosis: Diagnosis,
): string {
  const facts = diagnosisFacts(context, job.job_key, diagnosis).map(([name, value]) => `    ${name}: ${value}\n`);
  return `  job ${job.job_key} (${cellText(job.job_name)}): ${processWords[diagnosis.process]}, ${causeWords(diagnosis)}
    ${sentenceText(context, diagnosis.explanation)}
${facts.join('')}`;
}

const processWords: Readonly<Record<Diagnosis['process'], string>> = {
  gone: 'its process is gone',
  lost_contact: 'lost contact: its worker is silent',
  running: 'it is running',
};

function causeWords(diagnosis: Diagnosis): string {
  return diagnosis.cause === null ? 'unknown cause' : `cause ${diagnosis.cause}`;
}

function diagnosisFacts(context: Context, jobKey: string, diagnosis: Diagnosis): [name: string, value: string][] {
  const facts: [string, string][] = [];
  const { slurm_job_id, slurm_state, slurm_reason, hostname, suggested_memory_bytes } = diagnosis;
  if (slurm_job_id !== null) {
    const words = [slurm_job_id, slurm_state ?? 'state unknown', slurm_reason ?? ''].filter((word) => word !== '');
    facts.push(['Slurm job', words.map(cellText).join(', ')]);
  }
  if (hostname !== null) facts.push(['node', nodeWords(context, diagnosis)]);
  const memory = memoryWords(diagnosis);
  if (memory !== null) facts.push(['memory', memory]);
  if (diagnosis.role === 'culprit') {
    const most = diagnosis.requested_memory_bytes === null ? 'used the most memory' : 'exceeded its request the most';
    facts.push(['culprit', `this job ${most}`]);
  }
  if (diagnosis.role === 'victim' && diagnosis.culprit_job_key !== null) {
    facts.push([
      'culprit',
      `job ${diagnosis.culprit_job_key} (${cellText(diagnosis.culprit_job_name)}) on the same node`,
    ]);
  }
  if (suggested_memory_bytes !== null) {
    facts.push([
      'suggestion',
      `${context.torc} jobs modify ${jobKey} --memory ${memoryOption(suggested_memory_bytes)}`,
    ]);
  }
  for (const sentence of diagnosis.unknown) facts.push(['unknown', cellText(sentence)]);
  return facts;
}

function nodeWords(context: Context, { hostname, last_heartbeat }: Diagnosis): string {
  const heard = last_heartbeat === null ? '' : `, last heard from at ${instantText(context, last_heartbeat)}`;
  return `${cellText(hostname)}${heard}`;
}

function memoryWords(diagnosis: Diagnosis): string | null {
  const { peak_memory_bytes: peak, requested_memory_bytes: requested, node_memory_bytes: node } = diagnosis;
  const parts: string[] = [];
  if (peak !== null) parts.push(`${formatMemory(peak)} at peak`);
  if (requested !== null || peak !== null) {
    parts.push(requested === null ? 'no request stated' : `${formatMemory(requested)} requested`);
  }
  if (node !== null) parts.push(`the node has ${formatMemory(node)}`);
  return parts.length === 0 ? null : parts.join(', ');
}

/** An amount of memory as an option value, rounded up. */
export function memoryOption(bytes: number): string {
  const megabytes = Math.ceil(bytes / 1024 ** 2);
  return megabytes % 1024 === 0 ? `${megabytes / 1024}g` : `${megabytes}m`;
}

/** A reason that ends in the command that helps. */
const helpful = /(: )torc (?=jobs reset-status \d+$)/;

/** Jobs that stay unchanged although one may expect otherwise, and the command that changes them. */
export function keptText(context: Context, workflowKey: string, kept: readonly KeptJob[], numKept: number): string {
  if (kept.length === 0) return '';
  const wouldRerun = kept.some(({ status }) => status === 'canceled' || status === 'done');
  const command = `${context.torc} workflows reset-status ${workflowKey} --failed-only --restart`;
  const help = wouldRerun ? `to rerun failed jobs and all downstream jobs: ${command}\n` : '';
  return `${unchangedText(context, kept, numKept)}${help}`;
}

/** Jobs that stay unchanged, as a table; `kept` are the first of them. */
export function unchangedText(context: Context, kept: readonly KeptJob[], numKept: number): string {
  if (kept.length === 0) return '';
  const rows = kept.map((job) => ({
    ...job,
    reason: job.reason.replace(helpful, `$1${context.torc.replaceAll('$', '$$$$')} `),
  }));
  return `\nunchanged:\n${textTable(context, keptColumns, rows)}${moreLine(numKept - kept.length)}`;
}

/** What is left to type once jobs are ready: what runs them, what shows how they go, or nothing, as the command goes on itself. */
export type NextStep = 'run' | 'follow' | 'none';

/** The next commands once jobs are ready. */
export function nextCommands(context: Context, workflowKey: string, next: NextStep): string {
  if (next === 'none') return '';
  if (next === 'follow') return `  follow it:  ${context.torc} watch ${workflowKey}\n`;
  return `  run here:   ${context.torc} jobs run ${workflowKey}
  on Slurm:   ${context.torc} -k ${workflowKey} hpc slurm schedule-nodes -n 1
`;
}

/** Prints a plan: the value as JSON, its changes as CSV, or text. */
export async function printPlan(context: Context, value: object, changes: Plan['changes'], text: () => string) {
  if (context.format === 'json') await context.terminal.out(`${jsonText(value)}\n`);
  else if (context.format === 'csv') await printCsv(context, changeFields, changes);
  else await context.terminal.out(text(), 'colors');
}

const changeFields = ['job_key', 'job_name', 'old_status', 'new_status', 'reason', 'diagnosis'] as const;

/** Records as CSV with a header. */
export async function printCsv<T extends object>(
  context: Context,
  fields: readonly (keyof T & string)[],
  records: readonly T[],
): Promise<void> {
  await context.terminal.out(csvLine(fields));
  for (const record of records) {
    if (!(await context.terminal.out(csvLine(fields.map((field) => record[field]))))) return;
  }
}
