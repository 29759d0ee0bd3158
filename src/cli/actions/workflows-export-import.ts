/** `torc workflows export|import`. */

import type { Api, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText, parseJson, withPlainNumbers } from '../../base/exact-json.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { isExport, refuseOtherVersion } from '../../model/spec/export.ts';
import { quoted } from '../../model/spec/names.ts';
import type { JobStatus } from '../../model/status.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { exportLines, writePieces } from '../documents/export-document.ts';
import { readBytes } from '../documents/given-file.ts';
import { checkStorable, createWorkflow } from '../documents/send-workflow.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export interface ExportOptions {
  output?: string;
  results?: boolean;
  events?: boolean;
}

export async function exportWorkflow(context: Context, key: string | null, options: ExportOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    const workflow = await api.call('workflow_show', { workflow_key });
    const secrets = new Set<string>();
    const parts = { results: options.results === true, events: options.events === true, secrets };
    await writePieces(context, options.output ?? null, exportLines(api, workflow, parts));
    await noteSecretWebhooks(context, api, workflow_key);
    noteSecretVariables(context, [...secrets]);
    if (options.output !== undefined) note(context, `wrote workflow ${workflow_key} to ${options.output}`);
  });
}

/** The URL of a webhook lets anybody who knows it write there, and exports are passed on. */
async function noteSecretWebhooks(context: Context, api: Api, workflow_key: string): Promise<void> {
  const filters = [{ column: 'kind', value: 'webhook' }];
  const page = { sort_by: null, reverse: false, limit: limits.listPage, skip: 0 };
  const { records } = await api.call('list', { list: 'notifications', workflow_key, filters, ...page });
  if (records.length === 0) return;
  const [what, them] = records.length === 1 ? ['is', 'its URL is a secret'] : ['are', 'their URLs are secrets'];
  const remedy = 'write it into a private file and name that with webhook_file';
  note(context, `${counted(records.length, 'webhook')} ${what} left out, because ${them}: ${remedy}`, 'warning');
}

/** Without their values it would be another workflow. */
function noteSecretVariables(context: Context, names: readonly string[]): void {
  if (names.length === 0) return;
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ' ..' : '');
  const what = `${counted(names.length, 'environment variable')} that ${names.length === 1 ? 'looks like a secret' : 'look like secrets'}`;
  note(context, `the export contains the values of ${what}: ${shown}; keep it private`, 'warning');
}

type History = Request<'workflow_import_history'>;
type Finish = Request<'workflow_import_finish'>;

/** What an export may contain besides the workflow; the server checks each part. */
interface ExportDocument {
  workflow: unknown;
  run?: Pick<Finish, 'run_id' | 'is_canceled' | 'started_at' | 'ended_at'>;
  added_jobs?: NonNullable<History['added_jobs']>;
  job_statuses?: { job_name: string; status: JobStatus }[];
  results?: History['results'];
  events?: History['events'];
}

export async function importWorkflow(context: Context, file: string): Promise<void> {
  const document = readDocument(file);
  const { expandValue } = await import('../../model/expand/read.ts');
  const { workflow: read } = expandValue(document.workflow, { file: `${file}: workflow` });
  await checkStorable(read);
  const reply = await withConnection(
    context,
    async ({ api }) => {
      const workflow = await withoutTakenIdentity(context, api, read);
      const made = await createWorkflow(api, workflow);
      const { workflow_key } = made;
      try {
        const numbers = await addHistory(
          api,
          workflow_key,
          document,
          [...workflow.jobs].map(({ name }) => name),
        );
        return { name: workflow.name, ...made, ...numbers };
      } catch (error) {
        // no workflow is better than one with half a history
        await api.call('workflow_delete', { workflow_key, dry_run: false });
        throw error;
      }
    },
    { creates: true },
  );
  await printResult(context, reply, () => {
    const with_ = `${counted(reply.num_jobs, 'job')} and ${counted(reply.num_results, 'result')}`;
    const restart = `${context.torc} workflows restart ${reply.workflow_key}`;
    const left = isUnfinished(document) ? `  run what was not finished: ${restart}\n` : '';
    return `imported workflow ${reply.workflow_key} (${cellText(reply.name)}) with ${with_}\n${left}`;
  });
}

/** An import beside the workflow that was exported: that one keeps the identity. */
async function withoutTakenIdentity(context: Context, api: Api, workflow: ExpandedWorkflow): Promise<ExpandedWorkflow> {
  const { args, ...rest } = workflow;
  if (args === undefined) return workflow;
  const found = await api.call('workflow_find', { tool: workflow.tool ?? null, name: workflow.name, args });
  if (found.workflow_key === null) return workflow;
  note(context, `workflow ${found.workflow_key} keeps the identity (args ${quoted(args)}); the imported one has none`);
  return rest;
}

/** Whether the export was made in the middle of a run. */
function isUnfinished({ run, job_statuses = [] }: ExportDocument): boolean {
  return run !== undefined && run.run_id > 0 && job_statuses.some(({ status }) => !settledStatuses.has(status));
}

const settledStatuses: ReadonlySet<JobStatus> = new Set<JobStatus>(['done', 'canceled', 'terminated', 'disabled']);

function readDocument(file: string): ExportDocument {
  let value: unknown;
  try {
    value = withPlainNumbers(parseJson(readBytes(file, exportHint).toString('utf8')), isUserDocument);
  } catch (error) {
    if (error instanceof TorcError) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw new TorcError('invalid_spec', `${file} is not JSON: ${words}`, `${exportHint}`);
  }
  if (!isExport(value)) throw new TorcError('invalid_spec', `${file} is not an export of a workflow`, exportHint);
  refuseOtherVersion(value, file);
  for (const part of ['added_jobs', 'job_statuses', 'results', 'events']) {
    if (value[part] === undefined || Array.isArray(value[part])) continue;
    throw new TorcError('invalid_spec', `${file}: ${part} is not a list`, exportHint);
  }
  return value as unknown as ExportDocument;
}

/** Metadata and user data of the workflow, the data of events. */
function isUserDocument(key: string, depth: number): boolean {
  return (key === 'metadata' && depth === 1) || (key === 'data' && (depth === 2 || depth === 3));
}

const exportHint =
  'torc workflows export KEY --results -o FILE writes one; torc workflows create reads specifications.';

async function addHistory(
  api: Api,
  workflow_key: string,
  { run, added_jobs = [], job_statuses = [], results = [], events = [] }: ExportDocument,
  names: readonly string[],
): Promise<{ run_id: number; num_results: number; num_events: number }> {
  for (const page of pagesOf(added_jobs)) {
    await api.call('workflow_import_history', { workflow_key, results: [], events: [], added_jobs: page });
  }
  for (const page of pagesOf(results)) {
    await api.call('workflow_import_history', { workflow_key, results: page, events: [] });
  }
  for (const page of pagesOf(events)) {
    await api.call('workflow_import_history', { workflow_key, results: [], events: page });
  }
  const counts = { num_results: results.length, num_events: events.length };
  if (run === undefined || run.run_id === 0) return { run_id: 0, ...counts };
  const statuses = new Map(job_statuses.map(({ job_name, status }) => [job_name, status]));
  await api.call('workflow_import_finish', {
    workflow_key,
    ...run,
    job_statuses: names.map((name) => statuses.get(name) ?? 'uninitialized'),
  });
  return { run_id: run.run_id, ...counts };
}

/** Rows in requests that stay well below the limit of the server. */
function* pagesOf<T>(rows: readonly T[]): Generator<T[]> {
  let page: T[] = [];
  let characters = 0;
  for (const row of rows) {
    page.push(row);
    characters += jsonText(row).length;
    if (page.length < 2000 && characters < limits.bodyBytes / 8) continue;
    yield page;
    page = [];
    characters = 0;
  }
  if (page.length > 0) yield page;
}
