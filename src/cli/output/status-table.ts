/** How workflows stand, a line for each: pure text. */
import type { StatusLine } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { shortReason } from '../../model/decide/group-reason-text.ts';
import { type TextColumn, TextTable } from './table.ts';
import { displayWidth, fitWidth } from './width.ts';

export interface Look {
  /** Of the terminal; infinite in a pipe. */
  columns: number;
  hasColor: boolean;
}

const barWidth = 12;
const leastStateWidth = 12;
const longestName = 40;

/** What each part of a bar is drawn with, and its colour. */
const parts = [
  ['#', 32],
  ['x', 31],
  ['>', 36],
  ['.', 0],
] as const;

/** Jobs by how they stand, as a bar shows them. */
export type BarCounts = Pick<
  StatusLine,
  | 'num_jobs'
  | 'num_done'
  | 'num_failed'
  | 'num_canceled'
  | 'num_terminated'
  | 'num_lost'
  | 'num_running'
  | 'num_disabled'
>;

/** `####x>>.....`: succeeded, failed or never run, running, the rest. What there is at all has at least one character. */
export function bar(line: BarCounts, width: number, hasColor: boolean): string {
  const { num_jobs, num_done, num_failed, num_canceled, num_terminated, num_lost, num_running, num_disabled } = line;
  const bad = num_failed + num_canceled + num_terminated + num_lost;
  const good = num_done - num_failed + num_disabled;
  const counts = [good, bad, num_running, num_jobs - good - bad - num_running];
  const widths = counts.map((count) => (count > 0 ? Math.max(1, Math.floor((count / num_jobs) * width)) : 0));
  const rest = width - widths.reduce((sum, each) => sum + each, 0);
  const largest = num_jobs === 0 ? counts.length - 1 : counts.indexOf(Math.max(...counts));
  widths[largest] = Math.max(0, (widths[largest] ?? 0) + rest);
  return widths.map((count, at) => painted(parts[at]?.[0].repeat(count) ?? '', parts[at]?.[1] ?? 0, hasColor)).join('');
}

function painted(text: string, color: number, hasColor: boolean): string {
  return hasColor && color !== 0 && text !== '' ? `\x1b[${color}m${text}\x1b[0m` : text;
}

/** `running`, `no worker`: what it does, or what it waits for first of all. */
export function stateText({ status, held_back, num_running }: StatusLine): string {
  const first = held_back[0];
  if (first === undefined) return status;
  if (num_running > 0) return `${status}, ${shortReason(first.reason)}`;
  return shortReason(first.reason);
}

export function leftText({ eta_seconds }: StatusLine): string {
  return eta_seconds === null ? '-' : formatDuration(eta_seconds);
}

/** A table with the name first after the key; the last column is cut where the terminal ends, numbers that do not fit are left out. */
export function statusTable(lines: readonly StatusLine[], { columns, hasColor }: Look): string {
  const nameWidth = Math.max(8, Math.min(longestName, columns - 68));
  const cell = (header: string, text: (line: StatusLine) => string, isNumeric = false): TextColumn => ({
    header,
    cell: (record) => text(record as unknown as StatusLine),
    isNumeric,
  });
  let before = [
    cell('key', ({ workflow_key }) => workflow_key, true),
    cell('name', ({ name }) => fitWidth(visible(name), nameWidth)),
    cell('progress', (line) => bar(line, barWidth, hasColor)),
    cell('done', ({ num_done, num_jobs }) => `${num_done}/${num_jobs}`, true),
    cell('failed', ({ num_failed }) => String(num_failed), true),
    cell('running', ({ num_running }) => String(num_running), true),
    cell('ready', ({ num_ready }) => String(num_ready), true),
    cell('left', leftText, true),
  ];
  const widthOf = ({ header, cell: text }: TextColumn): number =>
    Math.max(...lines.map((line) => displayWidth(text(line as never))), header.length) + 2;
  const roomAfter = (shown: readonly TextColumn[]): number =>
    columns - shown.reduce((sum, column) => sum + widthOf(column), 0);
  // wide numbers push the least important ones off a narrow terminal, before the state
  for (const header of ['left', 'ready', 'running']) {
    if (roomAfter(before) >= leastStateWidth) break;
    before = before.filter((column) => column.header !== header);
  }
  const room = Math.max(leastStateWidth, roomAfter(before));
  const state = cell('state', (line) => fitWidth(visible(stateText(line)), room));
  const paint = (header: string, text: string): string =>
    header === 'failed' && Number(text) > 0 ? painted(text, 31, hasColor) : text;
  return new TextTable([...before, state], paint).lines(lines as unknown as Record<string, unknown>[]);
}
