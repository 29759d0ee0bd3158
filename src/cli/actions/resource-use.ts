/** `torc reports resources`: what jobs use; `torc workflows correct-resources`: requests that follow it. */
import type { Api, ListRecord, Reply, Request, UsageRow } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';
import { stemOf } from '../../model/usage.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult, textTable } from '../output/output.ts';
import { printReport } from '../output/report.ts';
import type { ReportOptions } from '../output/report-format.ts';
import { correctionCommand } from '../output/resource-corrections.ts';
import { resourcesPicture, type ShownMeasure } from '../output/resources-svg.ts';
import { jobChangesText, noteRunning } from './jobs-modify.ts';

type Field = ShownMeasure['field'];

export const measures: readonly ShownMeasure[] = [
  { field: 'memory_bytes', word: 'memory', text: formatMemory },
  { field: 'num_cpus', word: 'cpus', text: (value) => String(Math.round(value * 100) / 100) },
  { field: 'runtime_seconds', word: 'runtime', text: formatDuration },
];

const findingWords = { under_half: 'less than half used', exceeded: 'too small' } as const;

export async function reportResources(context: Context, given: string | null, options: ReportOptions): Promise<void> {
  const { key, reply } = await withConnection(context, async ({ api }) => {
    const key = await chooseWorkflow(context, api, given, 'reads');
    return { key, reply: await api.call('usage', { workflow_key: key }) };
  });
  const { usage } = reply;
  await printReport(context, options, {
    value: reply,
    csv: () => ({ columns: csvFields, rows: usage.flatMap(csvRows) }),
    text: () => reportText(context, key, usage),
    picture: () => resourcesPicture(`workflow ${key}`, usage, measures),
  });
}

const rowFields = ['stem', 'num_attempts', 'num_oom', 'num_timeouts', 'measure'] as const;
const valueFields = ['requested', 'requested_min', 'min', 'median', 'p95', 'max', 'proposed', 'finding'] as const;
const csvFields = [...rowFields, ...valueFields];

function csvRows({ stem, num_attempts, num_oom, num_timeouts, ...values }: UsageRow) {
  return measures.map(({ field: measure }) => ({
    stem,
    num_attempts,
    num_oom,
    num_timeouts,
    measure,
    ...values[measure],
  }));
}

function reportText(context: Context, key: string, usage: readonly UsageRow[]): string {
  if (usage.length === 0) return `no job of workflow ${key} has been measured yet\n`;
  const rows = usage.flatMap((row) => measures.map((measure) => measureRow(row, measure)));
  const columns = ['jobs', 'attempts', 'measure', 'requested', 'max', 'proposed', 'finding', 'p95', 'median'];
  const table = textTable(context, columns, rows);
  const command = correctionCommand(context.torc, key, usage);
  return command === null ? table : `${table}\nto change the jobs that are still to run: ${command}\n`;
}

function measureRow(row: UsageRow, { field, word, text }: ShownMeasure): ListRecord {
  const { requested, requested_min: least, median, p95, max, proposed, finding } = row[field];
  const shown = (value: number | null): string | null => (value === null ? null : text(value));
  return {
    jobs: row.stem,
    attempts: row.num_attempts,
    measure: word,
    requested: least === requested ? shown(requested) : `${shown(least)}..${shown(requested)}`,
    median: shown(median),
    p95: shown(p95),
    max: shown(max),
    proposed: shown(proposed),
    finding: finding === null ? null : findingWords[finding],
  };
}

export interface CorrectOptions {
  onlyUp?: boolean;
  onlyDown?: boolean;
  dryRun?: boolean;
}

/** Jobs that have not run, or run again after a restart. */
const stillToRun = 'uninitialized,blocked,ready,canceled,terminated';

type Changes = Request<'jobs_modify'>['changes'];

/** Changes requests of memory and runtime where the report has a finding; a job that asks for enough by now stays. */
export async function correctResources(context: Context, given: string | null, options: CorrectOptions): Promise<void> {
  const { onlyUp = false, onlyDown = false, dryRun = false } = options;
  if (onlyUp && onlyDown) {
    throw new TorcError('usage', '--only-up and --only-down cannot be combined', 'Give only one of them.');
  }
  const reply = await withConnection(context, async ({ api }) => {
    const key = await chooseWorkflow(context, api, given, 'changes');
    const { usage } = await api.call('usage', { workflow_key: key });
    const wanted = usage.filter(({ memory_bytes, runtime_seconds }) => {
      return [memory_bytes, runtime_seconds].some((measure) => proposedFor(measure, { onlyUp, onlyDown }) !== null);
    });
    if (wanted.length === 0) return { dry_run: dryRun, jobs: [], running: [] };
    const corrections = await correctionsOf(api, key, wanted, { onlyUp, onlyDown });
    return await modifyAll(api, await onlyStated(api, corrections), dryRun);
  });
  noteRunning(context, reply.running);
  await printResult(context, reply, () => jobChangesText(context, reply));
}

/** The jobs that get the same changes, by these as JSON. */
type Corrections = Map<string, string[]>;

async function correctionsOf(
  api: Api,
  key: string,
  usage: readonly UsageRow[],
  options: CorrectOptions,
): Promise<Corrections> {
  const byStem = new Map(usage.map((row) => [row.stem, row]));
  const jobs: Corrections = new Map();
  const filter = [{ column: 'status', value: stillToRun }];
  for await (const page of listPages(api, 'jobs', key, { filter, excludeColumn: [] })) {
    for (const job of page) {
      const row = byStem.get(stemOf(String(job.name)));
      const changes = row === undefined ? {} : correctionOf(row, job, options);
      addCorrection(jobs, changes, String(job.job_key));
    }
  }
  return jobs;
}

function addCorrection(corrections: Corrections, changes: Changes, jobKey: string): void {
  if (Object.keys(changes).length === 0) return;
  const same = JSON.stringify(changes);
  const keys = corrections.get(same);
  if (keys === undefined) corrections.set(same, [jobKey]);
  else keys.push(jobKey);
}

/** A job that states nothing has no limit, and gets none: only the server tells it from one that states the default. */
async function onlyStated(api: Api, corrections: Corrections): Promise<Corrections> {
  const stated: Corrections = new Map();
  for (const [same, keys] of corrections) {
    const { jobs, running } = await modifyAll(api, new Map([[same, keys]]), true);
    for (const key of running) addCorrection(stated, JSON.parse(same), key);
    for (const { job_key, changes } of jobs) {
      const { memory_bytes, runtime_ms } = JSON.parse(same) as Changes;
      const isNew = (field: Field): boolean => changes.some((each) => each.field === field && each.old_value === null);
      const own = {
        ...(memory_bytes === undefined || isNew('memory_bytes') ? {} : { memory_bytes }),
        ...(runtime_ms === undefined || isNew('runtime_seconds') ? {} : { runtime_ms }),
      };
      addCorrection(stated, own, job_key);
    }
  }
  return stated;
}

/** Where there is a finding, what jobs get. */
function proposedFor(
  { finding, proposed }: UsageRow['memory_bytes'],
  { onlyUp, onlyDown }: CorrectOptions,
): number | null {
  return finding === null || (finding === 'exceeded' ? onlyDown : onlyUp) === true ? null : proposed;
}

/** What changes for a job. */
function correctionOf(row: UsageRow, job: ListRecord, options: CorrectOptions): Changes {
  const next = (field: 'memory_bytes' | 'runtime_seconds'): number | null => {
    const [proposed, now] = [proposedFor(row[field], options), job[field]];
    if (proposed === null || typeof now !== 'number') return null;
    // a job may not be stopped before it is expected to end
    const expected = field === 'runtime_seconds' ? Number(job.expected_runtime_seconds ?? 0) : 0;
    const value = Math.max(proposed, expected);
    return (row[field].finding === 'exceeded' ? now < value : now > value) ? value : null;
  };
  const [memory, runtime] = [next('memory_bytes'), next('runtime_seconds')];
  return {
    ...(memory === null ? {} : { memory_bytes: memory }),
    ...(runtime === null ? {} : { runtime_ms: Math.round(runtime * 1000) }),
  };
}

async function modifyAll(api: Api, corrections: Corrections, dry_run: boolean): Promise<Reply<'jobs_modify'>> {
  const all: Reply<'jobs_modify'> = { dry_run, jobs: [], running: [] };
  for (const [same, keys] of corrections) {
    const changes = JSON.parse(same) as Changes;
    for (let at = 0; at < keys.length; at += limits.createChunk) {
      const job_keys = keys.slice(at, at + limits.createChunk);
      const { jobs, running } = await api.call('jobs_modify', { job_keys, dry_run, changes });
      for (const job of jobs) all.jobs.push(job);
      for (const job of running) all.running.push(job);
    }
  }
  return all;
}
