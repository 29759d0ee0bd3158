/** `torc workflows export --ro-crate`: a run as an RO-Crate, for archives and other tools. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Api, ListName, ListRecord, WorkflowShown } from '../../api/contract.ts';
import type { RecordOf } from '../../api/records.ts';
import { isoInstant } from '../../base/clock.ts';
import { jsonText } from '../../base/exact-json.ts';
import { withoutSecrets } from '../../base/masking.ts';
import { counted } from '../../base/text.ts';
import { formatMemory } from '../../base/units.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { exportLines } from '../documents/export-document.ts';
import { knownSecrets } from '../documents/known-secrets.ts';
import * as crate from '../documents/ro-crate.ts';
import { refuseUsed, writeCrateFiles } from '../documents/ro-crate-files.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { startProgress } from '../output/progress.ts';

export interface CrateOptions {
  roCrate: string;
  /** False with `--no-hashes`. */
  hashes?: boolean;
}

interface Work {
  context: Context;
  api: Api;
  workflow: WorkflowShown;
  withHashes: boolean;
  clean: (text: string) => string;
}

export async function exportCrate(context: Context, key: string | null, options: CrateOptions): Promise<void> {
  const path = resolve(options.roCrate);
  refuseUsed(path);
  const known = knownSecrets(context);
  const clean = (text: string): string => withoutSecrets(text, known);
  const made = await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key, 'reads');
    const workflow = await api.call('workflow_show', { workflow_key });
    return await write(path, { context, api, workflow, withHashes: options.hashes !== false, clean });
  });
  await printResult(context, { workflow_key: made.workflow_key, path, ...made.counts }, () => {
    const { num_runs, num_attempts, num_files } = made.counts;
    return `wrote ${path}: ${counted(num_runs, 'run')}, ${counted(num_attempts, 'attempt')}, ${counted(num_files, 'file')}\n`;
  });
  note(context, 'passwords, tokens and the like are replaced by ***; look into it before you pass it on');
}

async function write(path: string, work: Work) {
  const digest = createHash('sha256');
  const specification = { bytes: 0, sha256: '' };
  async function* specificationPieces(): AsyncGenerator<string> {
    for await (const text of specificationText(work)) {
      digest.update(text);
      specification.bytes += Buffer.byteLength(text);
      yield text;
    }
    specification.sha256 = digest.digest('hex');
  }
  const counts = { num_runs: 0, num_attempts: 0, num_files: 0 };
  await writeCrateFiles(work.context, path, [
    { name: crate.specificationFile, pieces: specificationPieces },
    // the entities are made while they are written: only their ids are kept
    { name: crate.metadataFile, pieces: () => metadataLines(metadata(work, specification, counts)) },
  ]);
  return { workflow_key: work.workflow.workflow_key, counts };
}

async function* specificationText({ api, workflow, clean }: Work): AsyncGenerator<string> {
  for await (const piece of exportLines(api, workflow, { results: false, events: false, hidesSecrets: true })) {
    yield clean(piece);
  }
}

async function* metadataLines(entities: AsyncIterable<crate.Entity>): AsyncGenerator<string> {
  yield `{"@context":${JSON.stringify(crate.crateContext)},\n"@graph":[`;
  let separator = '\n';
  for await (const entity of entities) {
    yield separator + jsonText(entity);
    separator = ',\n';
  }
  yield '\n]}\n';
}

interface Counts {
  num_runs: number;
  num_attempts: number;
  num_files: number;
}

async function* metadata(
  work: Work,
  specification: { bytes: number; sha256: string },
  counts: Counts,
): AsyncGenerator<crate.Entity> {
  const { api, context, clean } = work;
  const workflow = { ...work.workflow, name: clean(work.workflow.name) };
  const { workflow_key: key, user } = workflow;
  const { version: served } = await api.call('server_info', {});
  yield crate.descriptor();
  const files = new Map<string, string>();
  const ids: string[] = [];
  for await (const { name, found, isNew } of foundFiles(work)) {
    files.set(name, found.id);
    if (!isNew) continue;
    ids.push(found.id);
    yield crate.file(clean(name), found);
  }
  counts.num_files = ids.length;
  const uses = new Map<string, Use>();
  const written = new Set<string>();
  for await (const { name, use } of jobFiles(api, key, files)) {
    if (use.inputs.length + use.outputs.length > 0) uses.set(name, use);
    for (const id of use.outputs) written.add(id);
  }
  const jobs: string[] = [];
  for await (const { job_key, name, command } of rowsOf(api, 'jobs', key)) {
    jobs.push(String(job_key));
    yield crate.jobInstrument(job_key, clean(String(name)), clean(String(command)));
    yield crate.step(job_key, clean(String(name)));
  }
  const runs: RecordOf<'runs'>[] = [];
  for await (const run of rowsOf(api, 'runs', key)) runs.push(run as RecordOf<'runs'>);
  for (const who of new Set([user, ...runs.map((run) => run.who ?? user)])) yield crate.person(who);
  const inputs = ids.filter((id) => !written.has(id));
  const actions: string[] = [];
  for (const run of runs) {
    const outputs = run === runs.at(-1) ? ids.filter((id) => written.has(id)) : [];
    actions.push(crate.runId(run));
    yield crate.runAction(workflow, run, { inputs, outputs });
  }
  counts.num_runs = runs.length;
  const stepRuns: StepRuns = new Map();
  for await (const result of rowsOf(api, 'results', key)) {
    // a result that a person gave, or that is inherited, is no action of this workflow
    if (result.start_time === null) continue;
    counts.num_attempts += 1;
    actions.push(crate.attemptId(result));
    addTo(stepRuns, result);
    const use = uses.get(String(result.job_name)) ?? noFiles;
    yield crate.attemptAction({ ...result, job_name: clean(String(result.job_name)) }, { user, ...use });
  }
  const haveRun = new Set<string>();
  for (const run of runs) {
    const own = [...(stepRuns.get(run.run_id)?.values() ?? [])];
    for (const stepRun of own) {
      haveRun.add(stepRun.job_key);
      yield crate.stepAction(stepRun);
    }
    if (own.length > 0) yield crate.engineAction(workflow, run, own);
  }
  const ran = jobs.filter((job) => haveRun.has(job));
  yield crate.specification(workflow, specification, { jobs, ran });
  const hasAttempts = ran.length > 0;
  yield* crate.surroundings(served, hasAttempts);
  const madeAt = isoInstant(context.clock.now());
  const described = workflow.description === null ? null : clean(workflow.description);
  yield crate.root({ ...workflow, description: described }, { files: ids, actions, hasAttempts, madeAt });
}

/** By run, then by job. */
type StepRuns = Map<unknown, Map<string, crate.StepRun>>;

function addTo(stepRuns: StepRuns, result: ListRecord): void {
  const { run_id, attempt_id } = result;
  const job_key = String(result.job_key);
  const ofRun = stepRuns.get(run_id) ?? new Map<string, crate.StepRun>();
  stepRuns.set(run_id, ofRun);
  const stepRun = ofRun.get(job_key) ?? { job_key, run_id, attempts: [], last: 0, isSuccess: false };
  ofRun.set(job_key, stepRun);
  stepRun.attempts.push(crate.attemptId(result));
  if (Number(attempt_id) < stepRun.last) return;
  stepRun.last = Number(attempt_id);
  stepRun.isSuccess = crate.isSuccess(result);
}

interface Use {
  inputs: string[];
  outputs: string[];
}
const noFiles: Use = { inputs: [], outputs: [] };

async function* rowsOf(api: Api, list: ListName, key: string): AsyncGenerator<ListRecord> {
  for await (const page of listPages(api, list, key, { filter: [], excludeColumn: [] })) yield* page;
}

/** What jobs read and write, by their names, as ids. */
async function* jobFiles(api: Api, workflow_key: string, files: ReadonlyMap<string, string>) {
  if (files.size === 0) return;
  const limit = 2000;
  const ids = (names: readonly string[]): string[] => names.flatMap((name) => files.get(name) ?? []);
  for (let skip = 0; ; skip += limit) {
    const page = await api.call('workflow_export', { workflow_key, part: 'jobs', limit, skip });
    for (const { name, input_files, output_files } of page.jobs) {
      yield { name, use: { inputs: ids(input_files), outputs: ids(output_files) } satisfies Use };
    }
    if (!page.more) return;
  }
}

/** The declared files as they are now; those of one path have one id. */
async function* foundFiles({ context, api, workflow, withHashes }: Work) {
  const base = workflow.base_directory ?? process.cwd();
  const progress = startProgress(context);
  const seen = new Map<string, crate.FileFound>();
  let bytes = 0;
  for await (const { name, path } of rowsOf(api, 'files', workflow.workflow_key)) {
    const place = resolve(base, String(path));
    const before = seen.get(place);
    const found = before ?? (await lookAt(place, withHashes));
    seen.set(place, found);
    bytes += before === undefined ? (found.bytes ?? 0) : 0;
    progress.update(`read ${counted(seen.size, 'file')}, ${formatMemory(bytes)}`);
    yield { name: String(name), found, isNew: before === undefined };
  }
  progress.clear();
}

async function lookAt(path: string, withHashes: boolean): Promise<crate.FileFound> {
  const nothing = { isDirectory: false, bytes: null, sha256: null, modifiedAt: null };
  try {
    const stats = await stat(path);
    const isDirectory = stats.isDirectory();
    const id = pathToFileURL(isDirectory && !path.endsWith('/') ? `${path}/` : path).href;
    const modifiedAt = isoInstant(Math.floor(stats.mtimeMs));
    if (!stats.isFile()) return { ...nothing, id, isDirectory, modifiedAt };
    const sha256 = withHashes ? await hashOf(path) : null;
    return { id, isDirectory, bytes: stats.size, sha256, modifiedAt };
  } catch {
    return { ...nothing, id: pathToFileURL(path).href };
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}
