/** How far each stage of a workflow is, similar jobs together: pure text. */
import type { Reply } from '../../api/contract.ts';
import { visible } from '../../base/text.ts';
import { fitted } from './fit.ts';
import { type BarCounts, bar, type Look } from './status-table.ts';
import { type TextColumn, TextTable } from './table.ts';

export type Stage = Reply<'workflow_graph'>['groups'][number];

const barWidth = { narrow: 16, wide: 30 };
/** From here on there is room for a wide bar. */
const wideColumns = 120;

/** Groups that have jobs, in the order of their stages. */
export function stagesOf(groups: readonly Stage[]): Stage[] {
  return groups.filter(({ num_jobs }) => num_jobs > 0).toSorted((a, b) => a.stage - b.stage);
}

/** The header, then a line for each; without colours all have the width of their texts. */
export function stageLines(stages: readonly Stage[], { columns, hasColor }: Look): string[] {
  const width = columns >= wideColumns ? barWidth.wide : barWidth.narrow;
  const cell = (header: string, text: (stage: Stage, counts: BarCounts) => string): TextColumn => ({
    header,
    cell: (record) => text(record as unknown as Stage, barCounts(record as unknown as Stage)),
    isNumeric: header !== 'jobs named' && header !== 'progress',
    isText: header === 'jobs named',
  });
  const shown = [
    cell('stage', ({ stage }) => String(stage)),
    cell('jobs named', ({ label }) => visible(label)),
    cell('progress', (_, counts) => bar(counts, width, hasColor)),
    cell('done', (_, { num_done, num_jobs }) => `${num_done}/${num_jobs}`),
    cell('failed', (_, { num_failed }) => String(num_failed)),
    cell('running', (_, { num_running }) => String(num_running)),
  ];
  const records = stages as unknown as Record<string, unknown>[];
  return new TextTable(fitted(shown, records, columns).columns).lines(records).trimEnd().split('\n');
}

/** In the words of a workflow's line, whose `num_done` includes the failed ones. */
function barCounts({ num_jobs, counts }: Stage): BarCounts {
  const of = (...words: string[]): number => words.reduce((sum, word) => sum + (counts[word] ?? 0), 0);
  return {
    num_jobs,
    num_done: of('done', 'failed'),
    num_failed: of('failed'),
    num_canceled: of('canceled'),
    num_terminated: of('terminated'),
    num_lost: 0,
    num_running: of('submitted', 'submitted_pending'),
    num_disabled: of('disabled'),
  };
}
