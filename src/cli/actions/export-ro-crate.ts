/** `torc workflows export --ro-crate`: a run as an RO-Crate, for archives and other tools. */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Api, ListRecord, WorkflowShown } from '../../api/contract.ts';
import type { RecordOf } from '../../api/records.ts';
import { isoInstant } from '../../base/clock.ts';
import { jsonText } from '../../base/exact-json.ts';
import { withoutSecrets } from '../../base/masking.ts';
import { counted } from '../../base/text.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { exportLines } from '../documents/export-document.ts';
import { knownSecrets } from '../documents/known-secrets.ts';
import * as crate from '../documents/ro-crate.ts';
import { refuseUsed, writeCrateFiles } from '../documents/ro-crate-files.ts';
import { declarations, foundFiles, rowsOf } from '../documents/ro-crate-found.ts';
import {
  fileParameter,
  fileParameterId,
  userData,
  userDataId,
  userDataParameterId,
} from '../documents/ro-crate-parameters.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';

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
  const declared = await declarations(api, key);
  const { writtenFiles: written, writtenUserData } = declared;
  const files = new Map<string, string>();
  const inputs: string[] = [];
  const outputs: string[] = [];
  const parameters: string[] = [];
  for await (const each of foundFiles(work, { withHashes: work.withHashes, written })) {
    const { name, found, isInput } = each;
    files.set(name, found.id);
    if (!each.isNew) continue;
    (isInput ? inputs : outputs).push(found.id);
    if (isInput) {
      parameters.push(fileParameterId(each.key));
      yield fileParameter(each.key, clean(name), found);
    }
    yield crate.file(clean(name), found, isInput ? fileParameterId(each.key) : null);
  }
  const filesFound = [...inputs, ...outputs];
  counts.num_files = filesFound.length;
  const data = new Map<unknown, string>();
  for await (const { user_data_key, name, data: value } of rowsOf(api, 'user_data', key)) {
    if (value === null || writtenUserData.has(String(name))) continue;
    data.set(name, userDataId(user_data_key));
    inputs.push(userDataId(user_data_key));
    parameters.push(userDataParameterId(user_data_key));
    yield* userData(user_data_key, clean(String(name)), value, clean);
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
  const actions: string[] = [];
  for (const run of runs) {
    actions.push(crate.runId(run));
    yield crate.runAction(workflow, run, { inputs, outputs: run === runs.at(-1) ? outputs : [] });
  }
  counts.num_runs = runs.length;
  const stepRuns: StepRuns = new Map();
  for await (const result of rowsOf(api, 'results', key)) {
    // a result that a person gave, or that is inherited, is no action of this workflow
    if (result.start_time === null) continue;
    counts.num_attempts += 1;
    actions.push(crate.attemptId(result));
    addTo(stepRuns, result);
    const used = declared.ofJobs.get(String(result.job_name));
    yield crate.attemptAction(
      { ...result, job_name: clean(String(result.job_name)) },
      {
        user,
        inputs: [...idsOf(used?.input_files, files), ...idsOf(used?.input_user_data, data)],
        outputs: idsOf(used?.output_files, files),
      },
    );
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
  yield crate.specification(workflow, specification, { jobs, ran, parameters });
  const hasAttempts = ran.length > 0;
  yield* crate.surroundings(served, hasAttempts);
  const madeAt = isoInstant(context.clock.now());
  const described = workflow.description === null ? null : clean(workflow.description);
  yield crate.root({ ...workflow, description: described }, { files: filesFound, actions, hasAttempts, madeAt });
}

/** Of those names that are in the crate. */
function idsOf(names: readonly string[] = [], ids: ReadonlyMap<unknown, string>): string[] {
  return names.flatMap((name) => ids.get(name) ?? []);
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
