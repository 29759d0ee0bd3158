/** `torc reports timeline` and `utilization`: when attempts ran, and how busy the nodes were. */
import type { Api, ListRecord, Timeline, Utilization } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { counted, shellWord } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printReport } from '../output/report.ts';
import { type ReportOptions, reportFormat } from '../output/report-format.ts';
import { timelinePicture } from '../output/timeline-svg.ts';
import { timelineText, utilizationText } from '../output/timeline-text.ts';
import { utilizationPicture } from '../output/utilization-svg.ts';

export interface PeriodOptions extends ReportOptions {
  run?: number;
  from?: string;
  to?: string;
  bins?: number;
}

export interface TimelineOptions extends PeriodOptions {
  node?: string[];
  limit?: number;
  skip?: number;
}

/** The width of lines in a pipe. */
const usualWidth = 80;
/** Of a line of text, beside its marks. */
const besideMarks = 42;

export function periodIn({ run, from, to }: PeriodOptions) {
  return { run_id: run ?? null, from: from ?? null, to: to ?? null };
}

/** The workflow's name for the title. */
async function named(api: Api, workflow_key: string): Promise<string> {
  return `workflow ${workflow_key} (${(await api.call('workflow_show', { workflow_key })).name})`;
}

export async function reportTimeline(context: Context, key: string | null, options: TimelineOptions): Promise<void> {
  const format = reportFormat(context, options);
  const { terminal } = context;
  const columns = (terminal.isStdoutTerminal ? terminal.columns() : usualWidth) - besideMarks;
  const isText = format === 'text';
  const { timeline, name } = await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    const request = {
      ...{ workflow_key, ...periodIn(options), hostnames: options.node ?? null },
      ...{ max_workers: options.limit ?? 100, skip_workers: options.skip ?? 0 },
      max_spans: isText || options.bins !== undefined ? 0 : limits.timelineSpans,
      num_bins: options.bins ?? (isText ? Math.max(10, columns) : 200),
    };
    return { timeline: await api.call('timeline', request), name: await named(api, workflow_key) };
  });
  noteNodes(context, timeline, options);
  noteBins(context, timeline, options, isText);
  await printReport(context, options, {
    value: timeline,
    csv: () => csvOf(timeline),
    text: () => timelineText(context, timeline),
    picture: () => timelinePicture(name, timeline),
  });
}

/** A node without workers may only be misspelled. */
function noteNodes(context: Context, { workflow_key, num_workers, from }: Timeline, { node }: TimelineOptions): void {
  if (node === undefined || num_workers > 0 || from === null) return;
  const names = node.map((name) => shellWord(name)).join(' or ');
  note(
    context,
    `no worker of workflow ${workflow_key} ran on ${names} then: ${context.torc} compute-nodes list -k ${workflow_key}`,
  );
}

function noteBins(context: Context, { num_spans, bins }: Timeline, options: TimelineOptions, isText: boolean): void {
  if (isText || bins === null || options.bins !== undefined) return;
  const many = counted(num_spans, 'attempt');
  note(context, `${many} are counted by time: --from, --to, --node or --limit choose fewer, which are shown each`);
}

const spanColumns = [
  ...['compute_node_key', 'hostname', 'slot', 'job_key', 'job_name', 'run_id', 'attempt_id', 'started_at', 'ended_at'],
  ...['outcome', 'cause', 'return_code', 'num_cpus', 'num_gpus'],
] as const;
const binColumns = ['compute_node_key', 'hostname', 'start', 'running', 'failed'] as const;

function csvOf({ workers, spans, bins, from }: Timeline): { columns: readonly string[]; rows: ListRecord[] } {
  const hosts = new Map(workers.map(({ compute_node_key, hostname }) => [compute_node_key, hostname]));
  if (bins === null || from === null) {
    const rows = (spans ?? []).map((span) => ({ ...span, hostname: hosts.get(span.compute_node_key) }));
    return { columns: spanColumns, rows };
  }
  const rows = bins.workers.flatMap(({ compute_node_key, running, failed }) =>
    running.map((each, bin) => ({
      compute_node_key,
      hostname: hosts.get(compute_node_key),
      start: new Date(Date.parse(from) + bin * bins.bin_seconds * 1000).toISOString(),
      running: each,
      failed: failed[bin],
    })),
  );
  return { columns: binColumns, rows };
}

export async function reportUtilization(context: Context, key: string | null, options: PeriodOptions): Promise<void> {
  const isText = reportFormat(context, options) === 'text';
  const { reply, name } = await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    const num_bins = options.bins ?? (isText ? 20 : 200);
    const reply: Utilization = await api.call('utilization', { workflow_key, ...periodIn(options), num_bins });
    return { reply, name: await named(api, workflow_key) };
  });
  await printReport(context, options, {
    value: reply,
    csv: () => ({ columns: Object.keys({ start: null, ...reply.average }), rows: reply.bins }),
    text: () => utilizationText(context, reply),
    picture: () => utilizationPicture(name, reply),
  });
}
