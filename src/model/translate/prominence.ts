/** A workflow or a job of PROMINENCE as a specification, with what has no counterpart. */
import type { z } from 'zod';
import { SweepReader } from '../expand/sweeps.ts';
import { isMapping } from '../spec/check.ts';
import { didYouMean, quoted } from '../spec/names.ts';
import type { Sweep } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { FactorySpec, FileSpec, RequirementsSpec, WorkflowSpec } from '../spec/spec.ts';
import { type ProminenceWorkflow, prominenceJob, prominenceWorkflow } from './prominence-format.ts';
import { attributesOf, noCounterpart, notifications, translateJob } from './prominence-jobs.ts';
import type { Replaced } from './shell-words.ts';
import { checked, Remarks, type Translation } from './translation.ts';

/** Null when findings were added. */
export function translateProminence(document: unknown, findings: Findings): Translation | null {
  const remarks = new Remarks();
  const isWorkflow = !isMapping(document) || document.jobs !== undefined || document.tasks === undefined;
  const from = { system: 'PROMINENCE', findings, remarks };
  const workflow = isWorkflow
    ? checked(prominenceWorkflow, document, from)
    : workflowOf(checked(prominenceJob, document, from));
  if (workflow === null) return null;
  checkReferences(workflow, findings);
  const spec = new WorkflowTranslator(workflow, document, isWorkflow, findings, remarks).spec();
  return findings.count > 0 ? null : remarks.of(spec);
}

/** A document of one job as a workflow of the same name. */
function workflowOf(job: z.infer<typeof prominenceJob> | null): ProminenceWorkflow | null {
  if (job === null) return null;
  const name = job.name ?? 'job';
  return { name, jobs: [{ ...job, name }] };
}

function checkReferences({ jobs, dependencies }: ProminenceWorkflow, findings: Findings): void {
  const names = new Set<string>();
  for (const [i, { name }] of jobs.entries()) {
    if (names.has(name)) findings.add(['jobs', i, 'name'], () => `a second job is called ${quoted(name)}`);
    names.add(name);
  }
  const refuse = (name: string, path: SpecPath, at: 'key' | 'value') => {
    if (!names.has(name)) findings.add(path, () => `there is no job ${quoted(name)}${didYouMean(name, names)}`, at);
  };
  for (const [parent, children] of Object.entries(dependencies ?? {})) {
    refuse(parent, ['dependencies', parent], 'key');
    for (const [i, child] of children.entries()) refuse(child, ['dependencies', parent, i], 'value');
  }
}

/** What PROMINENCE also replaces in commands. */
const jobVariables = { PROMINENCE_JOB_ID: 'TORC_JOB_KEY', PROMINENCE_WORKFLOW_ID: 'TORC_WORKFLOW_KEY' } as const;

class WorkflowTranslator {
  readonly #workflow: ProminenceWorkflow;
  /** Of the variables that PROMINENCE sets, those that the document mentions. */
  readonly #mentioned: ReadonlySet<string>;
  readonly #isWorkflow: boolean;
  readonly #findings: Findings;
  readonly #remarks: Remarks;
  readonly #factories: Pick<WorkflowSpec, 'factory' | 'factories'>;
  readonly #sweeps: SweepReader;

  constructor(
    workflow: ProminenceWorkflow,
    document: unknown,
    isWorkflow: boolean,
    findings: Findings,
    remarks: Remarks,
  ) {
    this.#workflow = workflow;
    this.#mentioned = new Set(JSON.stringify(document).match(/PROMINENCE_[A-Z_]+/g) ?? []);
    this.#isWorkflow = isWorkflow;
    this.#findings = findings;
    this.#remarks = remarks;
    this.#factories = factoriesOf(workflow);
    const jobs = workflow.jobs.map(({ name }) => ({ name, command: '-' }));
    this.#sweeps = new SweepReader({ name: '-', jobs, ...this.#factories }, findings);
  }

  spec(): WorkflowSpec {
    const { name, jobs, labels } = this.#workflow;
    const files = new Map<string, FileSpec>();
    const requirements = new Map<string, RequirementsSpec>();
    const upstream = this.#upstream();
    const translated = jobs.map((job, i) => {
      const path = this.#isWorkflow ? ['jobs', i] : [];
      const { sweep } = this.#sweeps.ofJob({ name: job.name, command: '-' }, path);
      const made = translateJob(job, {
        ...{ path, findings: this.#findings, remarks: this.#remarks },
        replaced: this.#replaced(sweep, path),
        numInstances: sweep?.count ?? null,
        exports: this.#exports(job, sweep),
        dependsOn: upstream.get(job.name) ?? [],
        maxRetries: this.#workflow.policies?.maximumRetries ?? null,
      });
      for (const file of made.files) files.set(file.name, file);
      if (made.requirements !== null) requirements.set(made.requirements.name, made.requirements);
      return made.job;
    });
    this.#tell();
    return {
      name: name == null || name === '' ? 'workflow' : name,
      ...attributesOf(labels, ['labels'], this.#remarks),
      ...(requirements.size === 0 ? {} : { resource_requirements: [...requirements.values()] }),
      ...(files.size === 0 ? {} : { files: [...files.values()] }),
      jobs: translated,
      ...this.#factories,
    };
  }

  /** For each child its parents: the other way around than in the document. */
  #upstream(): Map<string, string[]> {
    const upstream = new Map<string, string[]>();
    for (const [parent, children] of Object.entries(this.#workflow.dependencies ?? {})) {
      for (const child of new Set(children)) upstream.set(child, [...(upstream.get(child) ?? []), parent]);
    }
    return upstream;
  }

  #replaced(sweep: Sweep | null, path: SpecPath): Replaced {
    const parameters = (sweep?.parameters ?? []).filter(({ name }) => this.#isWritten(name));
    const unsafe = parameters.find(({ values }) => values.some((value) => !/^[\w\-+=:,./@%^]*$/.test(String(value))));
    if (unsafe !== undefined) {
      const what = `values of ${quoted(unsafe.name)} have spaces, quotes or other special characters: check the commands`;
      this.#remarks.differ(path, what);
    }
    return {
      parameters: sweep === null ? null : new Set(parameters.map(({ name }) => name)),
      isUnsafe: unsafe !== undefined,
      variables: new Map(Object.entries(jobVariables)),
    };
  }

  /** The index of an instance is torc's own. */
  #isWritten(parameter: string): boolean {
    const { factory, factories } = this.#factories;
    const all = [...(factories ?? []), ...(factory ? [factory] : [])];
    return all.some((each) => each.parameters?.some(({ name }) => name === parameter) === true);
  }

  #exports({ resources }: ProminenceWorkflow['jobs'][number], sweep: Sweep | null): string {
    const given = Object.entries({
      PROMINENCE_CPUS: String(resources?.cpus ?? 1),
      PROMINENCE_MEMORY: String(resources?.memory ?? 1),
      PROMINENCE_NODES: String(resources?.nodes ?? 1),
      PROMINENCE_CONTAINER_RUNTIME: 'singularity',
      PROMINENCE_JOB_ID: '"$TORC_JOB_KEY"',
      PROMINENCE_WORKFLOW_ID: '"$TORC_WORKFLOW_KEY"',
    }).filter(([name]) => this.#mentioned.has(name));
    const parameters = (sweep?.parameters ?? []).filter(({ name }) => this.#isWritten(name));
    const swept = parameters.map(({ name }) => [`PROMINENCE_PARAMETER_${name}`, `'\${${name}}'`] as const);
    const words = [...given, ...swept].map(([name, value]) => `${name}=${value}`);
    return words.length === 0 ? '' : `export ${words.join(' ')}`;
  }

  #tell(): void {
    const { policies, notifications: asked } = this.#workflow;
    const leaveOut = (key: string, message: string) => this.#remarks.leaveOut(['policies', key], message);
    if (policies?.placement != null) {
      leaveOut('placement', noCounterpart.placement);
    }
    if (policies?.maximumReruns != null) {
      leaveOut(
        'maximumReruns',
        'torc reruns no workflow by itself; jobs have max_retries, and torc rerun is a command',
      );
    }
    if (policies?.leaveInQueue != null) {
      this.#remarks.differ(['policies', 'leaveInQueue'], 'is not needed: torc keeps workflows until they are deleted');
    }
    if (asked != null) this.#remarks.leaveOut(['notifications'], notifications);
  }
}

function factoriesOf({ factory, factories }: ProminenceWorkflow): Pick<WorkflowSpec, 'factory' | 'factories'> {
  return {
    ...(factory == null ? {} : { factory: factoryOf(factory) }),
    ...(factories == null || factories.length === 0
      ? {}
      : {
          factories: factories.map((each) => ({
            ...(each.name == null ? {} : { name: each.name }),
            ...factoryOf(each),
          })),
        }),
  };
}

function factoryOf({
  type,
  jobs,
  parameters,
  parameterSets,
  number,
}: NonNullable<ProminenceWorkflow['factory']>): FactorySpec {
  const given = parameters ?? parameterSets;
  return {
    type,
    ...(jobs == null ? {} : { jobs }),
    ...(given == null ? {} : { parameters: given }),
    ...(number == null ? {} : { number }),
  };
}
