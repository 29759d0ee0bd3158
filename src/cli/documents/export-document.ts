/** An exported workflow: a specification that `create` reads, and beside it the results of the jobs. */

import type {
  Api,
  ExportedRequirements,
  ListName,
  ListRecord,
  Reply,
  Request,
  WorkflowShown,
} from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { type NewFile, newFile } from '../../base/trusted/shared.ts';
import { secretNames, shownEnvironment } from '../../model/launch.ts';
import { exportFormat, exportVersion } from '../../model/spec/export.ts';
import type { Context } from '../context/context.ts';
import { listPages } from '../input/list.ts';
import { cannotWrite } from '../output/written-file.ts';
import {
  actionSpec,
  type Dependence,
  dependenceOn,
  fallbackSchedulers,
  freeName,
  handlerSpec,
  jobSpec,
  notificationSpecs,
  plainRetrySpecs,
  requirementsSpec,
  schedulerSpec,
} from './export-spec-parts.ts';

const everything = { filter: [], excludeColumn: [] };

/** Jobs per page: each job takes several queries. */
const jobsPerPage = 2000;

/**
 * The document in pieces, with one job, result or event per line. `secrets` gets the names of variables that look like some,
 * `hidesSecrets` hides their values.
 */
export async function* exportLines(
  api: Api,
  workflow: WorkflowShown,
  parts: { results: boolean; events: boolean; secrets?: Set<string>; hidesSecrets?: boolean },
): AsyncGenerator<string> {
  const key = workflow.workflow_key;
  yield `{"format":"${exportFormat}","version":${exportVersion},\n"workflow":`;
  const secrets = parts.secrets ?? new Set<string>();
  const added: object[] = [];
  yield* specLines(api, key, parts.results, { secrets, added, hidesSecrets: parts.hidesSecrets ?? false });
  if (added.length > 0) yield* section('added_jobs', each(added));
  if (parts.results) {
    const { run_id, started_at, ended_at } = workflow;
    yield `,\n"run":${jsonText({ run_id, is_canceled: workflow.status === 'canceled', started_at, ended_at })}`;
    yield* section(
      'job_statuses',
      records(api, 'jobs', key, ({ name, status }) => ({ job_name: name, status })),
    );
    yield* section(
      'results',
      records(api, 'results', key, (row) => without(row, ['job_key', 'workflow_key', 'compute_node_key'])),
    );
  }
  if (parts.events) {
    const names = new Map<unknown, unknown>();
    for await (const page of listPages(api, 'jobs', key, everything)) {
      for (const { job_key, name } of page) names.set(job_key, name);
    }
    yield* section(
      'events',
      records(api, 'events', key, (row) => ({
        ...without(row, ['event_key', 'workflow_key', 'job_key']),
        job_name: names.get(row.job_key) ?? null,
      })),
    );
  }
  yield '\n}\n';
}

async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

async function* section(name: string, values: AsyncIterable<object>): AsyncGenerator<string> {
  yield `,\n"${name}":[`;
  let separator = '\n';
  for await (const value of values) {
    yield `${separator}${jsonText(value)}`;
    separator = ',\n';
  }
  yield ']';
}

async function* records<T extends object>(
  api: Api,
  list: ListName,
  key: string,
  pick: (row: ListRecord) => T,
): AsyncGenerator<T> {
  for await (const page of listPages(api, list, key, everything)) yield* page.map(pick);
}

function without(row: ListRecord, columns: readonly string[]): ListRecord {
  return Object.fromEntries(Object.entries(row).filter(([column]) => !columns.includes(column)));
}

/** What is noted on the way: the names of secrets, and who added jobs to the stored workflow. */
interface Noted {
  secrets: Set<string>;
  hidesSecrets: boolean;
  added: object[];
}

async function* specLines(
  api: Api,
  key: string,
  withResults: boolean,
  { secrets, added, hidesSecrets }: Noted,
): AsyncGenerator<string> {
  const [first] = await all(parts(api, key, 'head'));
  if (first?.head == null) throw new TorcError('bug', 'the server sent no workflow');
  const { workflow, resource_requirements: requirements, failure_handlers, sample_interval_seconds } = first.head;
  for (const name of secretNames(workflow.env ?? {})) secrets.add(name);
  if (hidesSecrets && workflow.env !== null) workflow.env = { ...shownEnvironment(workflow.env) };
  const taken = new Set(requirements.map(({ name }) => name));
  yield '{';
  for (const [field, value] of Object.entries(workflow)) {
    if (value !== null) yield `${jsonText(field)}:${jsonText(value)},\n`;
  }
  const barriers = await barrierNames(api, key);
  const plainRetries = plainRetrySpecs(failure_handlers);
  const written = new Set<string>();
  const own: ExportedRequirements[] = [];
  yield '"jobs":[';
  let separator = '\n';
  for await (const page of parts(api, key, 'jobs')) {
    for (const job of page.jobs) {
      for (const datum of job.output_user_data) written.add(datum);
      for (const name of secretNames(job.env ?? {})) secrets.add(name);
      if (hidesSecrets && job.env !== undefined) job.env = { ...shownEnvironment(job.env) };
      if (job.added !== undefined) added.push({ job_name: job.name, ...job.added });
      const requirementsName = job.own_requirements === null ? job.resource_requirements : freeName(job.name, taken);
      if (job.own_requirements !== null) own.push({ ...job.own_requirements, name: requirementsName });
      yield `${separator}${jsonText(jobSpec(job, requirementsName, barriers, plainRetries))}`;
      separator = ',\n';
    }
  }
  yield ']';
  yield* optional('resource_requirements', [...requirements, ...own].map(requirementsSpec));
  yield* optional('files', await all(records(api, 'files', key, ({ name, path }) => ({ name, path }))));
  // data that jobs wrote belong to their results
  const isGiven = written.size === 0 || withResults ? () => true : await givenData(api, key);
  const data = records(api, 'user_data', key, (row) => ({
    name: row.name,
    ...(row.data === null || (written.has(String(row.name)) && !isGiven(row)) ? {} : { data: row.data }),
    ...(row.is_ephemeral === true ? { is_ephemeral: true } : {}),
  }));
  yield* optional('user_data', await all(data));
  yield* optional('failure_handlers', failure_handlers.filter(({ name }) => !plainRetries.has(name)).map(handlerSpec));
  const configs = await all(records(api, 'slurm_configs', key, (row) => row));
  yield* optional('slurm_schedulers', configs.map(schedulerSpec));
  const fallbacks = fallbackSchedulers(configs);
  if (fallbacks.length > 0) yield `,\n"fallback_schedulers":${jsonText(fallbacks)}`;
  const { actions } = first.head;
  const jobsOf = actions.length === 0 ? new Map() : await actionJobs(api, key);
  yield* optional(
    'actions',
    actions.map((action) => actionSpec(action, jobsOf.get(action.action_key) ?? [])),
  );
  yield* optional('notifications', notificationSpecs(first.head.notifications));
  if (sample_interval_seconds !== null) {
    yield `,\n"resource_monitor":${jsonText({ enabled: true, granularity: 'time_series', sample_interval_seconds })}`;
  }
  yield '}';
}

/** Distinguishes data from the specification or a command from data that a job wrote: each change has its version. */
async function givenData(api: Api, key: string): Promise<(row: ListRecord) => boolean> {
  const modified = { ...everything, filter: [{ column: 'type', value: 'user_data_modified' }] };
  const byHand = new Set<string>();
  for await (const page of listPages(api, 'events', key, modified)) {
    for (const { data } of page) {
      const { name, version, is_changed } = data as Record<string, unknown>;
      if (is_changed === true) byHand.add(`${version} ${name}`);
    }
  }
  return ({ name, version }) => version === 0 || byHand.has(`${version} ${name}`);
}

function* optional(name: string, values: readonly object[]): Generator<string> {
  if (values.length > 0) yield `,\n"${name}":[\n${values.map((value) => jsonText(value)).join(',\n')}]`;
}

async function* parts(
  api: Api,
  workflow_key: string,
  part: Request<'workflow_export'>['part'],
): AsyncGenerator<Reply<'workflow_export'>> {
  const limit = part === 'jobs' ? jobsPerPage : limits.listPage;
  for (let skip = 0; ; skip += limit) {
    const page = await api.call('workflow_export', { workflow_key, part, limit, skip });
    yield page;
    if (!page.more) return;
  }
}

/** The names of the jobs of each action, by the action's key. */
async function actionJobs(api: Api, key: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for await (const page of parts(api, key, 'action_jobs')) {
    for (const { action_key, job_name } of page.action_jobs) {
      const known = found.get(action_key);
      if (known === undefined) found.set(action_key, [job_name]);
      else known.push(job_name);
    }
  }
  return found;
}

async function barrierNames(api: Api, key: string): Promise<Map<string, Dependence>> {
  const members = new Map<string, string[]>();
  for await (const page of parts(api, key, 'barriers')) {
    for (const { barrier_key, depends_on } of page.barriers) {
      const known = members.get(barrier_key);
      if (known === undefined) members.set(barrier_key, [depends_on]);
      else known.push(depends_on);
    }
  }
  if (members.size === 0) return new Map();
  const allNames = await all(records(api, 'jobs', key, ({ name }) => ({ name: String(name) })));
  const matches = new Map<string, number>();
  const count = (pattern: string): number => {
    const known = matches.get(pattern) ?? allNames.filter(({ name }) => new RegExp(pattern, 'u').test(name)).length;
    matches.set(pattern, known);
    return known;
  };
  return new Map([...members].map(([barrier, names]) => [barrier, dependenceOn(names, count)]));
}

/** Writes the pieces to a file, or to stdout; stops early when the reader is gone. */
export async function writePieces(context: Context, path: string | null, pieces: AsyncIterable<string>): Promise<void> {
  if (path === null) {
    for await (const text of batched(pieces)) if (!(await context.terminal.out(text))) return;
    return;
  }
  // the file appears under its name only when it is complete
  let file: NewFile | null = null;
  try {
    file = newFile(path);
    for await (const text of batched(pieces)) file.write(text);
    file.finish();
  } catch (error) {
    file?.discard();
    throw cannotWrite(path, error);
  }
}

/** The same text in fewer pieces. */
export async function* batched(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let text = '';
  for await (const piece of pieces) {
    text += piece;
    if (text.length < 65_536) continue;
    yield text;
    text = '';
  }
  yield text;
}
