/** When attempts ran and how busy nodes were, in a terminal or a pipe. */
import type { Timeline, Utilization } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Context } from '../context/context.ts';
import { textTable } from './output.ts';
import { cellText } from './table.ts';
import { instantText } from './text-columns.ts';

/** How busy a worker is, from nothing to all of its CPUs. */
const shades = ' .:-=+*#%@';
const nothing = 'Nothing has run yet.\n';

/** A line for each allocation and worker, with a character for each bin of time. */
export function timelineText(context: Context, timeline: Timeline): string {
  const { from, to, bins, workers, num_workers, num_spans } = timeline;
  if (from === null || to === null) return nothing;
  const numColumns = Math.max(1, ...(bins?.workers.map(({ running }) => running.length) ?? []));
  const lengthMs = Math.max(1, Date.parse(to) - Date.parse(from));
  const period = { from: Date.parse(from), lengthMs, numColumns };
  const names = [...timeline.allocations.map(allocationName), ...workers.map(({ hostname }) => cellText(hostname))];
  const wide = Math.min(22, Math.max(8, ...names.map((name) => name.length)));
  const line = (name: string, marks: string, rest: string): string =>
    `${name.slice(0, wide).padEnd(wide)} |${marks}|${rest}`.trimEnd();
  const lines = timeline.allocations.slice(-20).map((allocation) => {
    return line(allocationName(allocation), allocationMarks(allocation, to, period), '');
  });
  for (const [index, worker] of workers.entries()) {
    const row = bins?.workers[index];
    const failed = row?.failed.reduce((sum, each) => sum + each, 0) ?? 0;
    const marks = row === undefined ? '' : workerMarks(worker, row, to, period);
    lines.push(line(cellText(worker.hostname), marks, ` ${worker.num_spans}`));
    if (row !== undefined && failed > 0) lines.push(line('  failed', row.failed.map(digit).join(''), ` ${failed}`));
  }
  const span = `${instantText(context, from)} to ${instantText(context, to)}`;
  const left = num_workers - workers.length;
  return [
    `${counted(num_spans, 'attempt')} of ${counted(workers.length, 'worker')}, ${span}`,
    `each column is ${columnText(lengthMs / numColumns)}; ~ waiting, _ idle, . to @ jobs for each CPU`,
    ...lines,
    ...(left > 0 ? [`${counted(left, 'more worker')}: --limit, --skip or --node chooses others`] : []),
    '',
  ].join('\n');
}

function columnText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : formatDuration(ms / 1000);
}

/** How many, as one character: `+` for more than 9. */
function digit(count: number): string {
  return count === 0 ? ' ' : count > 9 ? '+' : String(count);
}

interface Columns {
  from: number;
  lengthMs: number;
  numColumns: number;
}

/** Where an instant falls, from 0 to the number of columns. */
function columnOf({ from, lengthMs, numColumns }: Columns, iso: string): number {
  return ((Date.parse(iso) - from) / lengthMs) * numColumns;
}

function allocationName({ slurm_job_id, name }: Timeline['allocations'][number]): string {
  return `job ${cellText(slurm_job_id ?? name)}`;
}

function allocationMarks(
  { submitted_at, started_at, ended_at }: Timeline['allocations'][number],
  to: string,
  columns: Columns,
): string {
  const end = columnOf(columns, ended_at ?? to);
  const start = started_at === null ? end : columnOf(columns, started_at);
  const begin = columnOf(columns, submitted_at);
  const mark = (column: number): string => {
    if (column + 1 <= begin || column >= end) return ' ';
    return column + 0.5 < start ? '~' : '_';
  };
  return Array.from({ length: columns.numColumns }, (_, column) => mark(column)).join('');
}

function workerMarks(
  { num_cpus, num_nodes, started_at, ended_at }: Timeline['workers'][number],
  { running }: { running: number[] },
  to: string,
  columns: Columns,
): string {
  const most = Math.max(num_cpus * num_nodes, ...running);
  const [begin, end] = [columnOf(columns, started_at), columnOf(columns, ended_at ?? to)];
  const marks = running.map((count, column) => {
    if (count > 0) return shades[Math.max(1, Math.ceil((count / most) * (shades.length - 1)))] ?? '@';
    return column + 1 > begin && column < end ? '_' : ' ';
  });
  return marks.join('');
}

export function utilizationText(context: Context, { bins, average, num_attempts, bin_seconds }: Utilization): string {
  if (average === null || bin_seconds === null) return nothing;
  const hasGpus = average.num_gpus > 0 || average.job_gpus > 0;
  const columns = ['start', 'running', 'cpus', 'in_jobs', 'used', 'memory', 'asked', 'in_use'];
  const rows = [...bins, { start: 'average', ...average }].map((bin) => ({
    start: bin.start === 'average' ? 'average' : clockOf(context, bin.start),
    running: rounded(bin.num_running),
    cpus: rounded(bin.num_cpus),
    in_jobs: rounded(bin.job_cpus),
    used: bin.used_cpus === null ? null : rounded(bin.used_cpus),
    memory: formatMemory(bin.memory_bytes),
    asked: formatMemory(bin.job_memory_bytes),
    in_use: bin.used_memory_bytes === null ? null : formatMemory(bin.used_memory_bytes),
    gpus: rounded(bin.num_gpus),
    in_gpus: rounded(bin.job_gpus),
  }));
  const table = textTable(context, hasGpus ? [...columns, 'gpus', 'in_gpus'] : columns, rows);
  const share =
    average.num_cpus === 0 ? '' : `; jobs had ${Math.round((average.job_cpus / average.num_cpus) * 100)} % of the CPUs`;
  return `${counted(num_attempts, 'attempt')}, each row is ${columnText(bin_seconds * 1000)}${share}\n${table}`;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}

/** On a terminal local time without how long ago it was. */
function clockOf(context: Context, iso: string): string {
  if (!context.terminal.isStdoutTerminal) return cellText(iso);
  const at = new Date(iso);
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
