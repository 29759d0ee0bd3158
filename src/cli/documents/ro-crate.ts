/**
 * A run as a Workflow Run Crate 0.5 (https://w3id.org/ro/wfrun/workflow/0.5): the entities of its metadata, one at a time.
 * Actions are runs and attempts, instruments the specification and the commands of jobs, data entities the declared files.
 */
import type { ListRecord, WorkflowShown } from '../../api/contract.ts';
import type { RecordOf } from '../../api/records.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';

export type Entity = Record<string, unknown>;

export const crateContext = ['https://w3id.org/ro/crate/1.1/context', 'https://w3id.org/ro/terms/workflow-run/context'];
export const metadataFile = 'ro-crate-metadata.json';
export const specificationFile = 'workflow.json';

const profiles = [
  ['https://w3id.org/ro/wfrun/process/0.5', 'Process Run Crate', '0.5'],
  ['https://w3id.org/ro/wfrun/workflow/0.5', 'Workflow Run Crate', '0.5'],
  ['https://w3id.org/workflowhub/workflow-ro-crate/1.0', 'Workflow RO-Crate', '1.0'],
] as const;

export function ref(id: string): { '@id': string } {
  return { '@id': id };
}

/** One value by itself, several as a list; nothing for none. */
function refs(name: string, ids: readonly string[]): Entity {
  if (ids.length === 0) return {};
  return { [name]: ids.length === 1 ? ref(ids[0] ?? '') : ids.map(ref) };
}

/** The profile wants an offset. */
export function crateInstant(iso: string): string {
  return iso.replace(/Z$/, '+00:00');
}

function times(start: unknown, end: unknown): Entity {
  return {
    ...(typeof start === 'string' ? { startTime: crateInstant(start) } : {}),
    ...(typeof end === 'string' ? { endTime: crateInstant(end) } : {}),
  };
}

const completed = { actionStatus: 'http://schema.org/CompletedActionStatus' };

function failed(error: string): Entity {
  return { actionStatus: 'http://schema.org/FailedActionStatus', error };
}

export function personId(user: string): string {
  return `#user-${encodeURIComponent(user)}`;
}

export function person(user: string): Entity {
  return { '@id': personId(user), '@type': 'Person', name: user };
}

export function descriptor(): Entity {
  return {
    '@id': metadataFile,
    '@type': 'CreativeWork',
    about: ref('./'),
    conformsTo: [ref('https://w3id.org/ro/crate/1.1'), ref('https://w3id.org/workflowhub/workflow-ro-crate/1.0')],
  };
}

export function root(
  workflow: WorkflowShown,
  { files, actions, madeAt }: { files: readonly string[]; actions: readonly string[]; madeAt: string },
): Entity {
  const { name, description, user, num_jobs, status, attributes, project } = workflow;
  const words = [
    ...(project === null ? [] : [project]),
    ...Object.entries(attributes ?? {}).map((each) => each.join('=')),
  ];
  return {
    '@id': './',
    '@type': 'Dataset',
    name,
    description: description ?? `A run of the torc workflow ${name} with ${num_jobs} jobs (${status}).`,
    datePublished: crateInstant(madeAt),
    license: 'No license is stated.',
    author: ref(personId(user)),
    ...(words.length === 0 ? {} : { keywords: words.join(', ') }),
    conformsTo: profiles.map(([id]) => ref(id)),
    mainEntity: ref(specificationFile),
    hasPart: [specificationFile, ...files].map(ref),
    ...refs('mentions', actions),
  };
}

/** What does not depend on the run. */
export function* surroundings(version: string): Generator<Entity> {
  for (const [id, name, number] of profiles) yield { '@id': id, '@type': 'CreativeWork', name, version: number };
  yield { '@id': '#torc', '@type': 'SoftwareApplication', name: 'torc', softwareVersion: version };
  yield { '@id': '#torc-specification', '@type': 'ComputerLanguage', name: 'torc workflow specification', version };
}

export function specification(
  { name, created_at }: WorkflowShown,
  { bytes, sha256 }: { bytes: number; sha256: string },
): Entity {
  return {
    '@id': specificationFile,
    '@type': ['File', 'SoftwareSourceCode', 'ComputationalWorkflow'],
    name,
    description: 'The specification, as torc workflows export writes it.',
    programmingLanguage: ref('#torc-specification'),
    encodingFormat: 'application/json',
    version: sha256.slice(0, 12),
    softwareRequirements: ref('#torc'),
    dateCreated: crateInstant(created_at),
    contentSize: String(bytes),
    sha256,
  };
}

/** What is at a declared path now. */
export interface FileFound {
  id: string;
  isDirectory: boolean;
  bytes: number | null;
  sha256: string | null;
  modifiedAt: string | null;
}

export function file(name: string, { id, isDirectory, bytes, sha256, modifiedAt }: FileFound): Entity {
  const isMissing = bytes === null && !isDirectory;
  return {
    '@id': id,
    '@type': isDirectory ? 'Dataset' : 'File',
    name,
    ...(isMissing ? { description: 'It could not be read when the crate was made.' } : {}),
    ...(bytes === null ? {} : { contentSize: String(bytes) }),
    ...(sha256 === null ? {} : { sha256 }),
    ...(modifiedAt === null ? {} : { dateModified: crateInstant(modifiedAt) }),
  };
}

export function runId({ run_id }: Pick<RecordOf<'runs'>, 'run_id'>): string {
  return `#run-${run_id}`;
}

/** A run of the workflow: `outputs` are known of the last one. */
export function runAction(
  workflow: WorkflowShown,
  run: RecordOf<'runs'>,
  { inputs, outputs }: { inputs: readonly string[]; outputs: readonly string[] },
): Entity {
  const { run_id, how, who, status, started_at, ended_at } = run;
  const isOver = ended_at !== null;
  return {
    '@id': runId(run),
    '@type': 'CreateAction',
    name: `run ${run_id} of ${workflow.name}`,
    description: `${how}${status === null ? '' : `, ${status}`}`,
    instrument: ref(specificationFile),
    agent: ref(personId(who ?? workflow.user)),
    ...times(started_at, ended_at),
    ...(!isOver ? {} : status === 'done' ? completed : failed(`The run ended as ${status ?? 'unknown'}.`)),
    ...refs('object', inputs),
    ...refs('result', outputs),
  };
}

export function jobId(jobKey: unknown): string {
  return `#job-${jobKey}`;
}

/** The command of a job, as what its attempts run. */
export function jobInstrument(jobKey: unknown, name: string, command: string): Entity {
  return { '@id': jobId(jobKey), '@type': 'SoftwareApplication', name, description: command };
}

export function attemptId({ job_key, run_id, attempt_id }: ListRecord): string {
  return `#attempt-${job_key}-${run_id}-${attempt_id}`;
}

/** A row of the list of results of which a process ran. */
export function attemptAction(
  result: ListRecord,
  { user, inputs, outputs }: { user: string; inputs: readonly string[]; outputs: readonly string[] },
): Entity {
  const { job_key, job_name, run_id, attempt_id, outcome, cause, return_code, start_time, end_time } = result;
  const { hostname, slurm_job_id, exec_time_seconds, peak_memory_bytes } = result;
  const code = return_code === null ? [] : [`return code ${return_code}`];
  const how = [...code, ...(hostname === null ? [] : [`on ${hostname}`])];
  if (slurm_job_id !== null) how.push(`Slurm job ${slurm_job_id}`);
  if (typeof exec_time_seconds === 'number') how.push(formatDuration(exec_time_seconds));
  if (typeof peak_memory_bytes === 'number') how.push(`${formatMemory(peak_memory_bytes)} at peak`);
  const isSuccess = outcome === 'success' || outcome === 'forgiven';
  return {
    '@id': attemptId(result),
    '@type': 'CreateAction',
    name: `${job_name}: run ${run_id}, attempt ${attempt_id}`,
    description: `${outcome}: ${how.join(', ')}`,
    instrument: ref(jobId(job_key)),
    agent: ref(personId(user)),
    ...times(start_time, end_time),
    ...(isSuccess ? completed : failed([cause, ...code].join(', '))),
    ...refs('object', inputs),
    ...(isSuccess ? refs('result', outputs) : {}),
  };
}
