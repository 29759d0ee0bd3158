/** `torc reports html`: everything about a workflow on one page, to be mailed. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Api, Timeline, WorkflowShown } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { RecordOf } from '../../api/records.ts';
import { isoInstant } from '../../base/clock.ts';
import { withoutSecrets } from '../../base/masking.ts';
import { version } from '../../base/version.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { exportLines } from '../documents/export-document.ts';
import { knownSecrets } from '../documents/known-secrets.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { htmlReport, type ReportData } from '../output/html-report.ts';
import { printResult } from '../output/output.ts';
import { writeReport } from '../output/report.ts';
import { analyze, mostJobs } from './logs-analyze.ts';
import { failureRows } from './reports-failures.ts';
import { measures } from './resource-use.ts';

export interface HtmlOptions {
  output?: string;
}

const mostWorkers = 200;
const numBins = 240;
const mostSpecBytes = 256 * 1024;
const mostRuns = 1000;

export async function reportHtml(context: Context, key: string | null, options: HtmlOptions): Promise<void> {
  const data = await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    return await collect(context, api, workflow_key);
  });
  const { workflow_key, name } = data.workflow;
  const path = resolve(options.output ?? `torc-${workflow_key}-${name.replace(/[^\w.-]+/g, '_').slice(0, 40)}.html`);
  const text = htmlReport(data, measures);
  writeReport(context, path, text);
  const bytes = Buffer.byteLength(text);
  await printResult(context, { workflow_key, path, bytes }, () => '');
}

async function collect(context: Context, api: Api, workflow_key: string): Promise<ReportData> {
  const known = knownSecrets(context);
  const clean = (text: string): string => withoutSecrets(text, known);
  const whole = { workflow_key, run_id: null, from: null, to: null, num_bins: numBins };
  const all = { hostnames: null, max_workers: mostWorkers, skip_workers: 0, max_spans: limits.timelineSpans };
  const workflow = await api.call('workflow_show', { workflow_key });
  const analysis = await analyze(context, api, workflow_key, mostJobs);
  const server = await api.call('server_info', {});
  return {
    workflow: cleanWorkflow(workflow, clean),
    line: (await api.call('workflow_status', { workflow_key })).workflow,
    runs: await readRuns(api, workflow_key),
    timeline: cleanTimeline(await api.call('timeline', { ...whole, ...all }), clean),
    utilization: await api.call('utilization', whole),
    failures: failureRows(analysis).map((row, index) => ({
      ...row,
      message: clean(row.message),
      job_name: clean(row.job_name),
      lines: (analysis.groups[index]?.group.lines ?? []).map(clean),
    })),
    numFailures: analysis.numFailures,
    usage: (await api.call('usage', { workflow_key })).usage,
    hours: await api.call('usage_hours', { workflow_key }),
    graph: await api.call('workflow_graph', { workflow_key }),
    specification: await specificationOf(api, workflow, clean),
    server: { version: server.version, hostname: server.hostname, directory: context.directory },
    version: version(),
    user: context.user,
    madeAt: isoInstant(context.clock.now()),
  };
}

/** The server hides values whose names say that they are secrets; other texts may contain some. */
function cleanWorkflow(workflow: WorkflowShown, clean: (text: string) => string): WorkflowShown {
  const env = Object.entries(workflow.env).map(([name, value]) => [name, clean(value)]);
  const { name, description, args, metadata } = workflow;
  return {
    ...workflow,
    name: clean(name),
    description: description === null ? null : clean(description),
    args: args === null ? null : clean(args),
    env: Object.fromEntries(env),
    metadata: metadata === null ? null : clean(JSON.stringify(metadata)),
  };
}

function cleanTimeline(timeline: Timeline, clean: (text: string) => string): Timeline {
  const spans = timeline.spans?.map((span) => {
    return { ...span, job_name: span.job_name === null ? null : clean(span.job_name) };
  });
  return { ...timeline, spans: spans ?? null };
}

async function readRuns(api: Api, workflowKey: string): Promise<RecordOf<'runs'>[]> {
  const runs: RecordOf<'runs'>[] = [];
  const options = { filter: [], excludeColumn: [], limit: mostRuns };
  for await (const page of listPages(api, 'runs', workflowKey, options)) {
    runs.push(...(page as unknown as RecordOf<'runs'>[]));
  }
  return runs;
}

/** Its beginning as text, and the checksum of all of it as `torc workflows export` writes it with secrets replaced. */
async function specificationOf(
  api: Api,
  workflow: WorkflowShown,
  clean: (text: string) => string,
): Promise<ReportData['specification']> {
  const hash = createHash('sha256');
  let text = '';
  let isWhole = true;
  for await (const piece of exportLines(api, workflow, { results: false, events: false, hidesSecrets: true })) {
    hash.update(piece);
    if (text.length < mostSpecBytes) text += piece;
    else isWhole = false;
  }
  return { text: clean(text), isWhole, sha256: hash.digest('hex') };
}
