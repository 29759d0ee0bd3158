/** `torc logs bundle`: what a colleague needs to help, in one file, without secrets. */
import { accessSync, constants, existsSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { dirname, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Api, ListName, WorkflowShown } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { withoutSecrets } from '../../base/masking.ts';
import { counted } from '../../base/text.ts';
import { writeOwnNewFile } from '../../base/trusted/shared.ts';
import { formatMemory } from '../../base/units.ts';
import { version } from '../../base/version.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { exportLines } from '../documents/export-document.ts';
import { knownSecrets } from '../documents/known-secrets.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { readOutputs } from '../output/job-outputs.ts';
import type { LogEnds } from '../output/log-ends.ts';
import { printResult } from '../output/output.ts';
import { cannotWrite } from '../output/written-file.ts';
import { doctorFindings } from './doctor.ts';
import { analyze, jsonOf, textOf } from './logs-analyze.ts';

export interface BundleOptions {
  output?: string;
  dryRun?: boolean;
}

/** What is in it at most, so that it can be sent by mail. */
const mostRows = 5_000;
const mostLogs = 200;
const mostLogBytes = 8 * 1024;
const mostSpecBytes = 4 * 1024 * 1024;

interface Entry {
  name: string;
  text: string;
}

export async function bundleLogs(context: Context, key: string | null, options: BundleOptions): Promise<void> {
  const findings = await doctorFindings(context);
  const { path, folder, workflow_key, entries } = await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, key, 'reads');
    const workflow = await api.call('workflow_show', { workflow_key: workflowKey });
    const folder = `torc-${workflowKey}-${workflow.name.replace(/[^\w.-]+/g, '_').slice(0, 40)}`;
    const path = resolve(options.output ?? `${folder}.tar.gz`);
    refuseUnwritable(path);
    return { path, folder, workflow_key: workflowKey, entries: await collect(context, api, workflow) };
  });
  const facts = { torc: version(), node: process.version, system: release(), hostname: hostname(), checks: findings };
  entries.push({ name: 'doctor.json', text: `${JSON.stringify(facts, null, 2)}\n` });
  const known = knownSecrets(context);
  const clean = entries.map((entry) => ({ name: `${folder}/${entry.name}`, text: withoutSecrets(entry.text, known) }));
  const files = clean.map((entry) => ({ name: entry.name, bytes: Buffer.byteLength(entry.text) }));
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const isDryRun = options.dryRun === true;
  if (context.format === 'text') {
    note(context, `${counted(files.length, 'file')}, ${formatMemory(total)}, secrets replaced by ***:`);
    for (const { name: file, bytes } of shortened(files)) note(context, `  ${file} (${formatMemory(bytes)})`);
  }
  if (!isDryRun) await writeArchive(path, clean);
  await printResult(context, { dry_run: isDryRun, workflow_key, path, files }, () =>
    isDryRun ? '' : `wrote ${path}; look into it before you send it\n`,
  );
}

function shortened(files: readonly { name: string; bytes: number }[]): { name: string; bytes: number }[] {
  const logs = files.filter(({ name }) => name.includes('/logs/'));
  const others = files.filter((file) => !logs.includes(file));
  if (logs.length === 0) return others;
  const bytes = logs.reduce((sum, file) => sum + file.bytes, 0);
  return [...others, { name: `logs of ${counted(logs.length, 'failed job')}`, bytes }];
}

/** Before anything is collected, which may take long. */
function refuseUnwritable(path: string): void {
  if (existsSync(path)) {
    throw new TorcError('conflict', `${path} already exists`, 'Choose another file with -o/--output.');
  }
  try {
    accessSync(`${dirname(path)}/.`, constants.W_OK);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

async function collect(context: Context, api: Api, workflow: WorkflowShown): Promise<Entry[]> {
  const { workflow_key } = workflow;
  const entries: Entry[] = [{ name: 'workflow.json', text: `${JSON.stringify(workflow, null, 2)}\n` }];
  entries.push({ name: 'specification.json', text: await specificationOf(api, workflow) });
  for (const list of ['runs', 'results', 'events', 'allocations', 'compute_nodes', 'actions'] as const) {
    entries.push({ name: `${list}.jsonl`, text: await newestRows(api, list, workflow_key) });
  }
  const first: LogEnds[] = [];
  const analysis = await analyze(context, api, workflow_key, mostRows, (ends) => {
    first.push(...ends.slice(0, mostLogs - first.length));
  });
  entries.push({ name: 'failures.txt', text: textOf(analysis) });
  entries.push({ name: 'failures.json', text: `${JSON.stringify(jsonOf(analysis), null, 2)}\n` });
  return [...entries, ...(await logsOf(api, first))];
}

async function specificationOf(api: Api, workflow: Parameters<typeof exportLines>[1]): Promise<string> {
  let text = '';
  for await (const piece of exportLines(api, workflow, { results: false, events: false, hidesSecrets: true })) {
    text += piece;
    if (text.length > mostSpecBytes) return `${text.slice(0, mostSpecBytes)}\n.. cut off here\n`;
  }
  return text;
}

/** The newest first, a line for each. */
async function newestRows(api: Api, list: ListName, workflowKey: string): Promise<string> {
  const options = { filter: [], excludeColumn: [], reverseSort: true, limit: mostRows };
  const lines: string[] = [];
  for await (const page of listPages(api, list, workflowKey, options)) {
    for (const record of page) lines.push(`${JSON.stringify(record)}\n`);
  }
  return lines.join('');
}

async function logsOf(api: Api, ends: readonly LogEnds[]): Promise<Entry[]> {
  const keys = ends.map(({ shown }) => shown.job_key);
  const jobs = new Map((await readOutputs(api, keys, false)).map(({ job }) => [job.job_key, job]));
  return ends.map((end) => logOf(end, jobs.get(end.shown.job_key)?.command ?? ''));
}

function logOf({ shown: { job_key, job_name, attempt }, stdout, stderr, unread }: LogEnds, command: string): Entry {
  const part = (title: string, bytes: Buffer): string =>
    `==> the end of ${title} <==\n${bytes.subarray(-mostLogBytes).toString('utf8')}\n`;
  const text = unread === null ? part('stdout', stdout) + part('stderr', stderr) : `${unread}\n`;
  const name = `job_${job_key}_run_${attempt?.run_id ?? 0}_attempt_${attempt?.attempt_id ?? 0}`;
  return { name: `logs/${name}.txt`, text: `job ${job_key} (${job_name}): ${command}\n${text}` };
}

async function writeArchive(path: string, entries: readonly Entry[]): Promise<void> {
  const { packTar } = await import('modern-tar');
  const files = entries.map(({ name, text }) => {
    const body = Buffer.from(text);
    return { header: { name, size: body.length, type: 'file' as const, mode: 0o600 }, body };
  });
  const packed = await promisify(gzip)(await packTar(files));
  try {
    writeOwnNewFile(path, packed);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}
