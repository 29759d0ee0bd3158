/** The report of a workflow as one page. */
import type {
  AllocationUsage,
  Reply,
  StatusLine,
  Timeline,
  UsageRow,
  Utilization,
  WorkflowShown,
} from '../../api/contract.ts';
import type { RecordOf } from '../../api/records.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import type { GroupedGraph } from '../../model/graph/grouped-graph.ts';
import type { FailureRow } from './failures-svg.ts';
import { graphSvg } from './graph-svg.ts';
import { type Cell, facts, page, type Section, table } from './html.ts';
import { resourcesPicture, type ShownMeasure } from './resources-svg.ts';
import { escaped, inlineSvg, type Picture } from './svg.ts';
import { timelinePicture } from './timeline-svg.ts';
import { utilizationPicture } from './utilization-svg.ts';

export interface FailureShown extends FailureRow {
  lines: readonly string[];
}

/** Everything that the page shows; texts without secrets. */
export interface ReportData {
  workflow: WorkflowShown;
  line: StatusLine;
  runs: readonly RecordOf<'runs'>[];
  timeline: Timeline;
  utilization: Utilization;
  failures: readonly FailureShown[];
  numFailures: number;
  usage: readonly UsageRow[];
  hours: Reply<'usage_hours'>;
  graph: GroupedGraph;
  specification: { text: string; isWhole: boolean; sha256: string };
  server: { version: string; hostname: string; directory: string };
  /** Of the program that makes the report. */
  version: string;
  user: string;
  madeAt: string;
}

export function htmlReport(data: ReportData, measures: readonly ShownMeasure[]): string {
  const { workflow, madeAt, user, version } = data;
  const { name, workflow_key, description, status, run_id } = workflow;
  const about = [`workflow ${workflow_key}`, `run ${run_id}`, status, description ?? ''].filter((part) => part !== '');
  const head = `<h1>${escaped(name)}</h1><p class="note">${escaped(about.join(' · '))}</p>`;
  const sections: Section[] = [
    { id: 'summary', title: 'Summary', content: summary(data) },
    { id: 'timeline', title: 'Timeline', content: timelineSection(data) },
    { id: 'utilization', title: 'Utilization', content: chart(utilizationPicture(named(data), data.utilization)) },
    { id: 'failures', title: 'Failures', content: failures(data) },
    { id: 'resources', title: 'Requests and use', content: resources(data, measures) },
    { id: 'usage', title: 'Node-hours', content: nodeHours(data) },
    { id: 'graph', title: 'Graph', content: `<div class="paper">${graphSvg(name, data.graph)}</div>` },
    { id: 'provenance', title: 'Provenance', content: provenance(data) },
  ];
  return page(`${name}: report`, head, sections, `Made by ${user} with torc ${version} at ${shownInstant(madeAt)}.`);
}

/** On a narrow screen it scrolls: its words would be too small to read. */
function chart(picture: Picture): string {
  return `<div class="chart">${inlineSvg(picture)}</div>`;
}

function named({ workflow }: ReportData): string {
  return `workflow ${workflow.workflow_key} (${workflow.name})`;
}

function shownInstant(iso: string | null): string | null {
  return iso === null ? null : `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

function percent(share: number | null): string | null {
  return share === null ? null : `${Math.round(share * 100)} %`;
}

function hours(value: number): string {
  return value === 0 ? '0' : value < 1 ? String(Number(value.toPrecision(2))) : String(Math.round(value * 100) / 100);
}

function summary({ workflow, line, hours: { total }, timeline, madeAt }: ReportData): string {
  const { num_jobs, num_done, num_failed, num_canceled, num_terminated, started_at, ended_at } = workflow;
  const tookMs = started_at === null ? null : Date.parse(ended_at ?? madeAt) - Date.parse(started_at);
  const numLeft = line.num_ready + line.num_blocked + line.num_uninitialized;
  const counts = [
    ['success', 'succeeded', num_done - num_failed],
    ['failed', 'failed', num_failed],
    ['canceled', 'canceled', num_canceled],
    ['terminated', 'terminated', num_terminated],
    ['lost', 'lost', line.num_lost],
    ['running', 'running', line.num_running],
    ['had', 'waiting', numLeft],
  ] as const;
  const shown = counts.filter(([, word, count]) => count > 0 || word === 'succeeded' || word === 'failed');
  const cards: [Cell, string][] = [
    [num_jobs, num_jobs === 1 ? 'job' : 'jobs'],
    ...shown.map(([, word, count]): [Cell, string] => [count, word]),
    [timeline.num_spans, timeline.num_workers > timeline.workers.length ? 'attempts on the workers shown' : 'attempts'],
    ...(tookMs === null
      ? []
      : [[formatDuration(tookMs / 1000), ended_at === null ? 'so far' : 'in the last run'] as [Cell, string]]),
    [hours(total.node_hours), 'node-hours'],
    [hours(total.cpu_hours), 'CPU-hours'],
    ...(total.efficiency === null ? [] : [[percent(total.efficiency), 'of the CPU time used'] as [Cell, string]]),
  ];
  const bar = shown
    .filter(([, , count]) => count > 0)
    .map(([kind, word, count]) => {
      const share = ((count / Math.max(1, num_jobs)) * 100).toFixed(2);
      const title = `${count} ${word}`;
      return `<svg width="${share}%" height="14" role="img"><title>${title}</title><rect class="${kind}" width="100%" height="100%"/></svg>`;
    });
  const held = line.held_back.map(({ text }) => `<li>${escaped(text)}</li>`);
  return [
    `<div class="bar">${bar.join('')}</div>`,
    `<div class="cards">${cards.map(([value, word]) => `<div class="card"><b>${escaped(String(value))}</b><span>${escaped(word)}</span></div>`).join('')}</div>`,
    held.length === 0 ? '' : `<p>Held back:</p><ul>${held.join('')}</ul>`,
  ].join('\n');
}

function timelineSection(data: ReportData): string {
  const { timeline } = data;
  const note =
    timeline.bins === null
      ? ''
      : `<p class="note">${counted(timeline.num_spans, 'attempt')}, shown as how many ran at once on each worker.</p>`;
  return note + chart(timelinePicture(named(data), timeline));
}

function failures({ failures: groups, numFailures }: ReportData): string {
  if (groups.length === 0) return '<p>No failed jobs.</p>';
  const rows = table<FailureShown>(
    [
      { head: 'Jobs', cell: ({ count }) => count, isNumeric: true },
      { head: 'Cause', cell: ({ cause }) => cause ?? 'lost' },
      { head: 'Code', cell: ({ return_codes }) => return_codes },
      { head: 'Message', cell: messageCell },
      { head: 'For example', cell: exampleCell },
      { head: 'Advice', cell: ({ advice }) => advice },
    ],
    groups,
    50,
  );
  return `<p>${counted(numFailures, 'failed job')} in ${counted(groups.length, 'group')}.</p>${rows}`;
}

function exampleCell({ job_name, job_key }: FailureShown): Cell {
  return { html: `<span class="name">${escaped(job_name)} (${job_key})</span>` };
}

function messageCell({ message, lines }: FailureShown): Cell {
  const last = lines.map((line) => escaped(line)).join('\n');
  const more = lines.length === 0 ? '' : `<details><summary>last lines</summary><pre>${last}</pre></details>`;
  return { html: `<code>${escaped(message)}</code>${more}` };
}

function resources(data: ReportData, measures: readonly ShownMeasure[]): string {
  const { usage } = data;
  if (usage.length === 0) return '<p>No job has been measured yet.</p>';
  const rows = usage.flatMap((row) => measures.map((measure) => ({ row, measure, use: row[measure.field] })));
  const words = { under_half: 'less than half used', exceeded: 'too small' } as const;
  const value =
    (field: 'requested' | 'median' | 'p95' | 'max' | 'proposed') =>
    ({ use, measure }: (typeof rows)[number]): Cell => {
      const found = use[field];
      return found === null ? null : measure.text(found);
    };
  const fields = ['requested', 'median', 'p95', 'max', 'proposed'] as const;
  const all = table(
    [
      { head: 'Jobs', cell: ({ row }: (typeof rows)[number]) => row.stem },
      { head: 'Attempts', cell: ({ row }) => row.num_attempts, isNumeric: true },
      { head: 'Measure', cell: ({ measure }) => measure.word },
      ...fields.map((field) => ({ head: field, cell: value(field), isNumeric: true })),
      { head: 'Finding', cell: ({ use }) => (use.finding === null ? null : words[use.finding]) },
    ],
    rows,
    300,
  );
  const picture = chart(resourcesPicture(named(data), usage, measures));
  return `${picture}<details><summary>as a table</summary>${all}</details>`;
}

function nodeHours({ hours: { allocations, total } }: ReportData): string {
  const numbers: { head: string; field: 'node_hours' | 'cpu_hours' | 'job_cpu_hours' | 'used_cpu_hours' }[] = [
    { head: 'Node-hours', field: 'node_hours' },
    { head: 'CPU-hours', field: 'cpu_hours' },
    { head: 'in jobs', field: 'job_cpu_hours' },
    { head: 'used', field: 'used_cpu_hours' },
  ];
  const rows: (AllocationUsage | null)[] = [...allocations.slice(0, 200), null];
  const left = allocations.length - 200;
  return (
    table<AllocationUsage | null>(
      [
        { head: 'Where', cell: (row) => (row === null ? 'total' : (row.slurm_job_id ?? row.hostname)) },
        { head: 'Nodes', cell: (row) => row?.num_nodes, isNumeric: true },
        { head: 'Attempts', cell: (row) => (row ?? total).num_attempts, isNumeric: true },
        ...numbers.map(({ head, field }) => ({
          head,
          cell: (row: AllocationUsage | null) => hours((row ?? total)[field]),
          isNumeric: true,
        })),
        { head: 'idle', cell: (row) => percent((row ?? total).idle_share), isNumeric: true },
        { head: 'Started', cell: (row) => shownInstant(row?.started_at ?? null) },
      ],
      rows,
      201,
    ) + (left > 0 ? `<p class="note">The total includes ${left} more that are not listed.</p>` : '')
  );
}

function provenance({ workflow, runs, timeline, specification, server, version, user }: ReportData): string {
  const hosts = [...new Set(timeline.workers.map(({ hostname }) => hostname))];
  const shownHosts =
    hosts.length > 20 ? `${hosts.slice(0, 20).join(', ')} and ${hosts.length - 20} more` : hosts.join(', ');
  const known = facts([
    ['workflow', `${workflow.workflow_key} (${workflow.name})`],
    ['owner', workflow.user],
    ['project', workflow.project],
    ['tool and args', workflow.args === null ? null : `${workflow.tool}: ${workflow.args}`],
    ['rerun of', workflow.parent_workflow_key],
    ['created', shownInstant(workflow.created_at)],
    ['started', shownInstant(workflow.started_at)],
    ['ended', shownInstant(workflow.ended_at)],
    ['torc', server.version === version ? version : `${server.version} (server), ${version} (report)`],
    ['server', `${server.hostname}:${server.directory}`],
    ['base directory', workflow.base_directory],
    ['nodes', shownHosts],
    ['specification, SHA-256', specification.sha256],
    ['attributes', jsonOrNull(workflow.attributes)],
    ['metadata', jsonOrNull(workflow.metadata)],
    ['report by', user],
  ]);
  const env = Object.entries(workflow.env);
  const variables = env.length === 0 ? '' : `<h3>Environment of every job</h3>${facts(env)}`;
  const listed = table<RecordOf<'runs'>>(
    [
      { head: 'Run', cell: ({ run_id }) => run_id, isNumeric: true },
      { head: 'How', cell: ({ how }) => how },
      { head: 'Who', cell: ({ who }) => who },
      { head: 'Status', cell: ({ status }) => status },
      { head: 'Jobs', cell: ({ num_jobs }) => num_jobs, isNumeric: true },
      { head: 'Done', cell: ({ num_done }) => num_done, isNumeric: true },
      { head: 'of which failed', cell: ({ num_failed }) => num_failed, isNumeric: true },
      { head: 'Canceled', cell: ({ num_canceled }) => num_canceled, isNumeric: true },
      { head: 'Started', cell: ({ started_at }) => shownInstant(started_at) },
      {
        head: 'Took',
        cell: ({ elapsed_seconds }) => (elapsed_seconds === null ? null : formatDuration(elapsed_seconds)),
      },
    ],
    runs,
  );
  const cut = specification.isWhole ? '' : '<p class="note">Only its beginning is shown.</p>';
  return `${known}${variables}<h3>Runs</h3>${listed}
<details><summary>specification</summary>${cut}<pre>${escaped(specification.text).replaceAll('⏎', '\n')}</pre></details>`;
}

function jsonOrNull(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
