/**
 * A run as a Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/provenance/0.5): the entities of its metadata, one at a time.
 * Actions are runs and attempts, instruments the specification and the commands of jobs, data entities the declared files;
 * steps are the jobs.
 */
import type { ListRecord, WorkflowShown } from '../../api/contract.ts';
import type { RecordOf } from '../../api/records.ts';
import { counted } from '../../base/text.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';

export type Entity = Record<string, unknown>;

export const crateContext = ['https://w3id.org/ro/crate/1.1/context', 'https://w3id.org/ro/terms/workflow-run/context'];
export const metadataFile = 'ro-crate-metadata.json';
export const specificationFile = 'workflow.json';

const workflowProfile = ['https://w3id.org/workflowhub/workflow-ro-crate/1.0', 'Workflow RO-Crate', '1.0'] as const;
const runProfiles = [
  ['https://w3id.org/ro/wfrun/process/0.5', 'Process Run Crate', '0.5'],
  ['https://w3id.org/ro/wfrun/workflow/0.5', 'Workflow Run Crate', '0.5'],
  ['https://w3id.org/ro/wfrun/provenance/0.5', 'Provenance Run Crate', '0.5'],
] as const;

/** Those of runs want that something ran. */
function profilesOf(hasAttempts: boolean) {
  return hasAttempts ? [...runProfiles, workflowProfile] : [workflowProfile];
}

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
const notCompleted = { actionStatus: 'http://schema.org/FailedActionStatus' };

function failed(error: string): Entity {
  return { ...notCompleted, error };
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
    conformsTo: [ref('https://w3id.org/ro/crate/1.1'), ref(workflowProfile[0])],
  };
}

export function root(
  workflow: WorkflowShown,
  {
    files,
    actions,
    hasAttempts,
    madeAt,
  }: { files: readonly string[]; actions: readonly string[]; hasAttempts: boolean; madeAt: string },
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
    description: description ?? `A run of the torc workflow ${name} with ${counted(num_jobs, 'job')} (${status}).`,
    datePublished: crateInstant(madeAt),
    license: 'No license is stated.',
    author: ref(personId(user)),
    ...(words.length === 0 ? {} : { keywords: words.join(', ') }),
    conformsTo: profilesOf(hasAttempts).map(([id]) => ref(id)),
    mainEntity: ref(specificationFile),
    hasPart: [specificationFile, ...files].map(ref),
    ...refs('mentions', actions),
  };
}

/** The profiles and torc itself. */
export function* surroundings(version: string, hasAttempts: boolean): Generator<Entity> {
  for (const [id, name, number] of profilesOf(hasAttempts))
    yield { '@id': id, '@type': 'CreativeWork', name, version: number };
  yield { '@id': '#torc', '@type': 'SoftwareApplication', name: 'torc', softwareVersion: version };
  yield { '@id': '#torc-specification', '@type': 'ComputerLanguage', name: 'torc workflow specification', version };
}

/** With the keys of all jobs, those that ran, and the ids of parameters. */
export function specification(
  { name, created_at }: WorkflowShown,
  { bytes, sha256 }: { bytes: number; sha256: string },
  { jobs, ran, parameters }: { jobs: readonly string[]; ran: readonly string[]; parameters: readonly string[] },
): Entity {
  const types = ['File', 'SoftwareSourceCode', 'ComputationalWorkflow'];
  return {
    '@id': specificationFile,
    '@type': jobs.length === 0 ? types : [...types, 'HowTo'],
    name,
    description: 'The specification, as torc workflows export writes it.',
    programmingLanguage: ref('#torc-specification'),
    encodingFormat: 'application/json',
    version: sha256.slice(0, 12),
    softwareRequirements: ref('#torc'),
    dateCreated: crateInstant(created_at),
    contentSize: String(bytes),
    sha256,
    ...refs('input', parameters),
    ...refs('hasPart', ran.map(jobId)),
    ...refs('step', jobs.map(stepId)),
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

/** Of an input with its parameter. */
export function file(name: string, found: FileFound, parameter: string | null): Entity {
  const { id, isDirectory, bytes, sha256, modifiedAt } = found;
  const isMissing = bytes === null && !isDirectory;
  return {
    '@id': id,
    '@type': isDirectory ? 'Dataset' : 'File',
    name,
    ...(isMissing ? { description: 'It could not be read when the crate was made.' } : {}),
    ...(bytes === null ? {} : { contentSize: String(bytes) }),
    ...(sha256 === null ? {} : { sha256 }),
    ...(modifiedAt === null ? {} : { dateModified: crateInstant(modifiedAt) }),
    ...(parameter === null ? {} : { exampleOfWork: ref(parameter) }),
  };
}

export function runId({ run_id }: Pick<RecordOf<'runs'>, 'run_id'>): string {
  return `#run-${run_id}`;
}

function statusOf({ status, ended_at }: RecordOf<'runs'>): Entity {
  if (ended_at === null) return {};
  return status === 'done' ? completed : failed(`The run ended as ${status ?? 'unknown'}.`);
}

/** A run of the workflow: `outputs` are known of the last one. */
export function runAction(
  workflow: WorkflowShown,
  run: RecordOf<'runs'>,
  { inputs, outputs }: { inputs: readonly string[]; outputs: readonly string[] },
): Entity {
  const { run_id, how, who, status, started_at, ended_at } = run;
  return {
    '@id': runId(run),
    '@type': 'CreateAction',
    name: `run ${run_id} of ${workflow.name}`,
    description: `${how}${status === null ? '' : `, ${status}`}`,
    instrument: ref(specificationFile),
    agent: ref(personId(who ?? workflow.user)),
    ...times(started_at, ended_at),
    ...statusOf(run),
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

function stepId(jobKey: unknown): string {
  return `#step-${jobKey}`;
}

/** A job as a step of the workflow. */
export function step(jobKey: unknown, name: string): Entity {
  return { '@id': stepId(jobKey), '@type': 'HowToStep', name, workExample: ref(jobId(jobKey)) };
}

/** A job in one run, with its attempts there. */
export interface StepRun {
  job_key: string;
  run_id: unknown;
  attempts: string[];
  /** The number of the last attempt, and how that ended. */
  last: number;
  isSuccess: boolean;
}

function stepRunId({ job_key, run_id }: StepRun): string {
  return `${stepId(job_key)}-run-${run_id}`;
}

export function stepAction(stepRun: StepRun): Entity {
  return {
    '@id': stepRunId(stepRun),
    '@type': 'ControlAction',
    instrument: ref(stepId(stepRun.job_key)),
    ...refs('object', stepRun.attempts),
    ...(stepRun.isSuccess ? completed : notCompleted),
  };
}

/** What torc did in a run: it made the jobs run. */
export function engineAction(workflow: WorkflowShown, run: RecordOf<'runs'>, stepRuns: readonly StepRun[]): Entity {
  return {
    '@id': `#engine-run-${run.run_id}`,
    '@type': 'OrganizeAction',
    name: `torc in run ${run.run_id} of ${workflow.name}`,
    instrument: ref('#torc'),
    agent: ref(personId(run.who ?? workflow.user)),
    ...refs('object', stepRuns.map(stepRunId)),
    result: ref(runId(run)),
    ...statusOf(run),
  };
}

export function isSuccess({ outcome }: ListRecord): boolean {
  return outcome === 'success' || outcome === 'forgiven';
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
  const isDone = isSuccess(result);
  return {
    '@id': attemptId(result),
    '@type': 'CreateAction',
    name: `${job_name}: run ${run_id}, attempt ${attempt_id}`,
    description: `${outcome}: ${how.join(', ')}`,
    instrument: ref(jobId(job_key)),
    agent: ref(personId(user)),
    ...times(start_time, end_time),
    ...(isDone ? completed : failed([cause, ...code].join(', '))),
    ...refs('object', inputs),
    ...(isDone ? refs('result', outputs) : {}),
  };
}
