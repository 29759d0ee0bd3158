/** What jobs use of what they ask for, as bars: as SVG. */
import type { UsageRow } from '../../api/contract.ts';
import { label, legend, type Picture, pixels } from './svg.ts';

const width = 1100;
const left = 300;
const barWidth = 480;
const rowHeight = 20;
const mostStems = 60;

export interface ShownMeasure {
  field: 'memory_bytes' | 'num_cpus' | 'runtime_seconds';
  word: string;
  text: (value: number) => string;
}

/** For each kind of jobs and each measure: the request, the 95th percentile, the most, and what is proposed. */
export function resourcesPicture(name: string, usage: readonly UsageRow[], measures: readonly ShownMeasure[]): Picture {
  const title = `What jobs of ${name} used of what they asked for`;
  if (usage.length === 0) {
    return { title, width, height: 50, content: label('No job has been measured yet.', { x: 16, y: 30 }) };
  }
  let y = 40;
  const parts = usage.slice(0, mostStems).map((row) => {
    const head = label(`${shortened(row.stem)} (${row.num_attempts})`, { x: 12, y: y + 12 });
    const lines = measures.map((measure) => {
      const line = measureLine(row[measure.field], measure, y);
      y += rowHeight;
      return line;
    });
    y += 8;
    return head + lines.join('');
  });
  const hidden = usage.length - mostStems;
  if (hidden > 0) parts.push(label(`and ${hidden} more kinds of jobs`, { x: 12, y: y + 12, className: 'faint' }));
  const head = legend(
    [
      ['had', 'requested'],
      ['given', 'most used'],
      ['used', '95 % used less'],
      ['failed', 'proposed'],
    ],
    left,
    16,
  );
  return { title, width, height: y + (hidden > 0 ? 24 : 6), content: head + parts.join('') };
}

function shortened(text: string): string {
  const letters = [...text];
  return letters.length > 36 ? `${letters.slice(0, 35).join('')}…` : text;
}

function measureLine(row: UsageRow['memory_bytes'], { word, text }: ShownMeasure, y: number): string {
  const { requested, max, p95, proposed, finding } = row;
  const most = Math.max(requested ?? 0, max ?? 0, proposed ?? 0, Number.MIN_VALUE);
  const bar = (className: string, value: number | null, height: number): string =>
    value === null
      ? ''
      : `<rect class="${className}" x="${left}" y="${pixels(y + 8 - height / 2)}" width="${pixels((value / most) * barWidth)}" height="${height}"/>`;
  const mark =
    proposed === null || finding === null
      ? ''
      : `<rect class="failed" x="${pixels(left + (proposed / most) * barWidth - 1)}" y="${y}" width="2" height="16"/>`;
  const says = [
    max === null ? 'not measured' : `${text(max)} used`,
    requested === null ? 'nothing requested' : `${text(requested)} requested`,
    ...(finding === null || proposed === null ? [] : [`${text(proposed)} proposed`]),
  ].join(', ');
  return [
    label(word, { x: left - 8, y: y + 12, anchor: 'end', className: 'faint' }),
    bar('had', requested, 16),
    bar('given', max, 10),
    bar('used', p95, 4),
    mark,
    label(says, { x: left + barWidth + 10, y: y + 12, className: 'faint' }),
  ].join('');
}
