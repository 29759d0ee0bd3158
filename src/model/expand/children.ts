/**
 * Jobs for a workflow that is already stored: what they name outside of their own list is the workflow's, and is checked
 * when they are added.
 */
import { parseDuration } from '../../base/units.ts';
import type { Launch } from '../launch.ts';
import { attributesProblem } from '../spec/attributes.ts';
import { checkShape, isMapping } from '../spec/check.ts';
import { Findings, type SpecPath, type Where } from '../spec/problems.ts';
import type { JobSpec, WorkflowSpec } from '../spec/spec.ts';
import { withConstants } from './constants.ts';
import { specDefaults } from './defaults.ts';
import { type JobElement, jobElement, type ReferenceList } from './elements.ts';
import { Instances } from './instances.ts';
import { launchAt } from './job-launch.ts';
import { JobTemplates } from './job-templates.ts';
import { wordsOf } from './job-words.ts';
import { NameTable } from './name-table.ts';
import { readDocument, type SpecOptions } from './read.ts';
import { SweepReader } from './sweeps.ts';
import { type Template, textsAt } from './template.ts';

/** A job as it is added; names are the workflow's, or those of others in the list. */
export interface ChildJob extends Omit<Launch, 'env'> {
  name: string;
  command: string;
  identity?: string;
  invocation_script: string | null;
  resource_requirements: string | null;
  scheduler: string | null;
  labels?: string[];
  limits?: string[];
  failure_handler: string | null;
  priority: number;
  cancel_on_blocking_job_failure: boolean;
  supports_termination: boolean;
  task_failure_is_success?: boolean;
  hold?: boolean;
  max_wait_ms?: number;
  attributes?: Record<string, string>;
  env?: Record<string, string>;
  depends_on: string[];
  input_files: string[];
  output_files: string[];
  input_user_data: string[];
  output_user_data: string[];
}

/** The jobs in a text (or its bytes) of any syntax: a list of them, or a mapping with `jobs`. Throws SpecError. */
export function readChildren(source: string | Uint8Array, options: SpecOptions): ChildJob[] {
  const { document, text } = readDocument(source, options);
  return expandChildren(document.value, { ...options, where: document.where, text });
}

/** The same of a value; problems are named only by their path, unless `where` finds their places. Throws SpecError. */
export function expandChildren(
  value: unknown,
  { file, where = nowhere, text }: { file: string; where?: Where; text?: string },
): ChildJob[] {
  const findings = new Findings();
  const isList = Array.isArray(value);
  const document = isList ? { jobs: value, name: nameOfNone } : named(value);
  const spec = checkShape(withConstants(document, findings), findings);
  const jobs = spec === null ? [] : childrenOf(spec, findings);
  const places: Where = (given) =>
    where(isList ? given.map((place) => ({ ...place, path: place.path.slice(1) })) : given);
  findings.throwIfAny(file, places, { hint: childrenHint, ...(text === undefined ? {} : { text }) });
  return jobs;
}

const nowhere: Where = (places) => places.map(() => ({ line: 1, column: 1 }));
/** The list belongs to a workflow that has a name. */
const nameOfNone = 'children';
const childrenHint = 'torc jobs add-children --help shows an example.';

function named(value: unknown): unknown {
  return isMapping(value) && !Object.hasOwn(value, 'name') ? { ...value, name: nameOfNone } : value;
}

/** What says how the jobs of a list are made; everything else belongs to the workflow. */
const listKeys: readonly string[] = ['name', 'jobs', 'templates', 'parameters', 'variables', 'factory', 'factories'];

/** What only a specification can say about a job. */
const specKeys = {
  max_retries: 'name a failure_handler of the workflow instead',
  retry_delay: 'name a failure_handler of the workflow instead',
  retry_backoff: 'name a failure_handler of the workflow instead',
  depends_on_regexes: 'list the names in depends_on',
  input_file_regexes: 'list the names in input_files',
  output_file_regexes: 'list the names in output_files',
  input_user_data_regexes: 'list the names in input_user_data',
  output_user_data_regexes: 'list the names in output_user_data',
} as const satisfies Partial<Record<keyof JobSpec, string>>;

function childrenOf(spec: WorkflowSpec, findings: Findings): ChildJob[] {
  for (const key of Object.keys(spec)) {
    if (listKeys.includes(key)) continue;
    findings.add([key], () => 'belongs to the workflow, which is already stored', 'key');
  }
  for (const [i, job] of spec.jobs.entries()) refuseSpecKeys(job, ['jobs', i], findings);
  const parts = { sweeps: new SweepReader(spec, findings), templates: new JobTemplates(spec, findings) };
  const elements = spec.jobs.map((job, i) => jobElement(job, ['jobs', i], parts, findings));
  const jobs = new Instances(new NameTable('jobs', findings), elements);
  return findings.count > 0 ? [] : Array.from(jobs.table.names, (_, number) => childOf(jobs, number, findings));
}

function refuseSpecKeys(job: JobSpec, path: SpecPath, findings: Findings): void {
  for (const [key, instead] of Object.entries(specKeys)) {
    if (job[key as keyof typeof specKeys] == null) continue;
    findings.add([...path, key], () => `cannot be given to a job that is added; ${instead}`, 'key');
  }
}

function childOf(jobs: Instances<JobElement>, number: number, findings: Findings): ChildJob {
  const element = jobs.elementOf(number);
  const instance = jobs.instanceOf(number);
  const { spec } = element;
  const optional = (template: Template | null): string | null => template?.at(instance) ?? null;
  const identity = optional(element.open);
  const [labels, limits] = [
    wordsOf(element, 'labels', instance, findings),
    wordsOf(element, 'limits', instance, findings),
  ];
  const attributes = attributesOf(element, instance, findings);
  return {
    name: jobs.nameOf(number),
    command: element.command.at(instance),
    ...(identity === null ? {} : { identity }),
    invocation_script: optional(element.script),
    resource_requirements: optional(element.requirements),
    scheduler: optional(element.scheduler),
    ...(labels.length === 0 ? {} : { labels }),
    ...(limits.length === 0 ? {} : { limits }),
    failure_handler: optional(element.failureHandler),
    priority: spec.priority ?? specDefaults.priority,
    cancel_on_blocking_job_failure: spec.cancel_on_blocking_job_failure ?? specDefaults.cancelOnBlockingJobFailure,
    supports_termination: spec.supports_termination ?? specDefaults.supportsTermination,
    ...(spec.task_failure_is_success === true ? { task_failure_is_success: true } : {}),
    ...(spec.hold === true ? { hold: true } : {}),
    ...(spec.max_wait == null ? {} : { max_wait_ms: Math.max(1, Math.round(parseDuration(spec.max_wait) * 1000)) }),
    ...(attributes === null ? {} : { attributes }),
    ...launchOf(element, instance),
    depends_on: namesIn(jobs, number, (list) => list.to === 'jobs'),
    input_files: namesIn(jobs, number, (list) => list.to === 'files' && list.direction === 'input'),
    output_files: namesIn(jobs, number, (list) => list.to === 'files' && list.direction === 'output'),
    input_user_data: namesIn(jobs, number, (list) => list.to === 'userData' && list.direction === 'input'),
    output_user_data: namesIn(jobs, number, (list) => list.to === 'userData' && list.direction === 'output'),
  };
}

function launchOf(element: JobElement, instance: number): Omit<Launch, 'env'> & { env?: Record<string, string> } {
  const { env, ...others } = launchAt(element, instance, (text) => text) ?? {};
  return { ...others, ...(env === undefined ? {} : { env: { ...env } }) };
}

function attributesOf(
  { path, attributes }: JobElement,
  instance: number,
  findings: Findings,
): Record<string, string> | null {
  if (attributes.length === 0) return null;
  const texts = textsAt(attributes, instance);
  const problem = attributesProblem(texts);
  if (problem !== null) findings.addOnce([...path, 'attributes'], problem.message, () => problem.message);
  return texts;
}

/** Each name once, as written in the order of the list; a job with a sweep stands for all its instances. */
function namesIn(jobs: Instances<JobElement>, number: number, isMeant: (list: ReferenceList) => boolean): string[] {
  const found = new Set<string>();
  for (const instance of jobs.instancesOf(number)) {
    for (const list of jobs.elementOf(number).references.filter(isMeant)) {
      for (const template of list.templates) {
        const known = list.to === 'jobs' ? jobs.refer(template, instance) : null;
        if (known === null) found.add(template.at(instance));
        else for (const other of typeof known === 'number' ? [known] : known) found.add(jobs.nameOf(other));
      }
    }
  }
  return [...found];
}
