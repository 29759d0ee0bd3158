/** The jobs of a specification, sweeps written out: what each refers to, whom it waits for, and how it is stored. */
import { DataFlow, References } from './data-flow.ts';
import { specDefaults } from './expand-defaults.ts';
import { type Element, Instances, templateOf } from './expand-instances.ts';
import { PatternMatcher, PatternProblem } from './expand-patterns.ts';
import type { SweepReader } from './expand-sweeps.ts';
import { Template } from './expand-template.ts';
import type { ExpandedJob } from './expanded.ts';
import { NameTable } from './name-table.ts';
import { quoted } from './names.ts';
import type { Sweep } from './parameters.ts';
import type { JobSpec, WorkflowSpec } from './spec.ts';
import type { Findings, SpecPath } from './spec-problems.ts';
import { type Direction, substitute } from './variables.ts';

/** How many files and user data all jobs together may list. */
const mostUses = 20_000_000;

/** The keys by which a job refers to others, one by one and by patterns. */
const referenceKeys = [
  { key: 'depends_on', patterns: 'depends_on_regexes', to: 'jobs', direction: 'input' },
  { key: 'input_files', patterns: 'input_file_regexes', to: 'files', direction: 'input' },
  { key: 'output_files', patterns: 'output_file_regexes', to: 'files', direction: 'output' },
  { key: 'input_user_data', patterns: 'input_user_data_regexes', to: 'userData', direction: 'input' },
  { key: 'output_user_data', patterns: 'output_user_data_regexes', to: 'userData', direction: 'output' },
] as const;

interface ReferenceList {
  key: string;
  to: 'jobs' | 'files' | 'userData';
  direction: Direction;
  isPattern: boolean;
  templates: readonly Template[];
}

interface JobElement extends Element {
  spec: JobSpec;
  command: Template;
  script: Template | null;
  requirements: Template | null;
  failureHandler: Template | null;
  scheduler: Template | null;
  references: readonly ReferenceList[];
}

/** What one job refers to. */
class Uses {
  readonly jobs = { input: new References(), output: new References() };
  readonly files = { input: new References(), output: new References() };
  readonly userData = { input: new References(), output: new References() };
}

export interface JobTables {
  requirements: NameTable;
  failureHandlers: NameTable;
  schedulers: NameTable;
}

export class JobExpansion {
  readonly jobs: Instances<JobElement>;
  readonly matcher: PatternMatcher;
  readonly files: readonly { name: string; path: string }[];
  readonly #findings: Findings;
  readonly #tables: JobTables;
  readonly #fileFlow: DataFlow;
  readonly #dataFlow: DataFlow;
  /** Only the first time that a job is looked at, what is wrong with it is told. */
  #isReporting = true;
  numJobsWithScheduler = 0;

  constructor(spec: WorkflowSpec, sweeps: SweepReader, tables: JobTables, findings: Findings) {
    this.#findings = findings;
    this.#tables = tables;
    const { files, instances } = expandFiles(spec, sweeps, findings);
    this.files = files;
    const elements = spec.jobs.map((job, i) => jobElement(job, ['jobs', i], sweeps, findings));
    this.jobs = new Instances(new NameTable('jobs', findings), elements);
    this.matcher = new PatternMatcher(this.jobs.table.names);
    this.#fileFlow = new DataFlow(instances, this.jobs, findings);
    this.#dataFlow = new DataFlow(userDataInstances(spec, findings), this.jobs, findings);
    this.#check();
  }

  /** Looks at every job once, so that all findings are made and every output has its producer. */
  #check(): void {
    let numUses = 0;
    for (let number = 0; number < this.jobs.length; number++) {
      const { uses } = this.#resolve(number);
      numUses += uses.files.input.size + uses.files.output.size + uses.userData.input.size + uses.userData.output.size;
      if (numUses > mostUses) {
        const message = `the jobs up to this one list more than ${mostUses} files and user data; at most so many are allowed`;
        this.#findings.add(this.jobs.elementOf(number).path, () => message);
        break;
      }
      this.#fileFlow.claimOutputs(uses.files.output.list(), number);
      this.#dataFlow.claimOutputs(uses.userData.output.list(), number);
      if (this.jobs.elementOf(number).scheduler !== null) this.numJobsWithScheduler += 1;
    }
    this.#isReporting = false;
  }

  /** The jobs as they are stored, made one at a time. */
  *expanded(): Generator<ExpandedJob> {
    for (let number = 0; number < this.jobs.length; number++) {
      const { spec } = this.jobs.elementOf(number);
      const { command, invocationScript, uses } = this.#resolve(number);
      yield {
        name: this.jobs.nameOf(number),
        command,
        invocationScript,
        requirements: this.#tableNumber(number, 'requirements', 'resource_requirements'),
        failureHandler: this.#tableNumber(number, 'failureHandlers', 'failure_handler'),
        scheduler: this.#tableNumber(number, 'schedulers', 'scheduler'),
        priority: spec.priority ?? specDefaults.priority,
        cancelOnBlockingJobFailure: spec.cancel_on_blocking_job_failure ?? specDefaults.cancelOnBlockingJobFailure,
        supportsTermination: spec.supports_termination ?? specDefaults.supportsTermination,
        inputFiles: uses.files.input.list(),
        outputFiles: uses.files.output.list(),
        inputUserData: uses.userData.input.list(),
        outputUserData: uses.userData.output.list(),
      };
    }
  }

  /** Calls `waitFor` with each job, or list of jobs, that a job waits for; itself among those it names is a finding. */
  eachUpstream(number: number, waitFor: (upstream: number | readonly number[]) => void): void {
    const { uses } = this.#resolve(number);
    for (const upstream of uses.jobs.input.numbers) {
      if (upstream !== number) waitFor(upstream);
      else this.#refuseItself(number);
    }
    for (const group of uses.jobs.input.groups) waitFor(group);
    this.#fileFlow.eachProducer(uses.files.input, number, waitFor);
    this.#dataFlow.eachProducer(uses.userData.input, number, waitFor);
  }

  #refuseItself(number: number): void {
    const name = this.jobs.nameOf(number);
    this.#findings.addOnce(this.placeOfUpstream(number, name), () => `the job ${quoted(name)} depends on itself`);
  }

  /** Where a job says that it waits for another one; the job itself when it says so in another way. */
  placeOfUpstream(number: number, upstream: string): SpecPath {
    const { path, spec } = this.jobs.elementOf(number);
    const k = spec.depends_on?.indexOf(upstream) ?? -1;
    return k < 0 ? path : [...path, 'depends_on', k];
  }

  /** The texts and references of a job. */
  #resolve(number: number): { command: string; invocationScript: string | null; uses: Uses } {
    const element = this.jobs.elementOf(number);
    const first = this.jobs.instanceOf(number);
    const uses = new Uses();
    for (const list of element.references) {
      if (!this.jobs.isMerged(number)) this.#refer(element, list, first, uses);
      else for (const instance of this.jobs.instancesOf(number)) this.#refer(element, list, instance, uses);
    }
    const substituted = (template: Template, key: string) => {
      return this.#substituted(template.at(first), () => [...element.path, key], uses);
    };
    const command = substituted(element.command, 'command');
    const invocationScript = element.script === null ? null : substituted(element.script, 'invocation_script');
    if (this.#isReporting) {
      this.#tableNumber(number, 'requirements', 'resource_requirements');
      this.#tableNumber(number, 'failureHandlers', 'failure_handler');
      this.#tableNumber(number, 'schedulers', 'scheduler');
    }
    return { command, invocationScript, uses };
  }

  #tableNumber(number: number, table: keyof JobTables, key: string): number | null {
    const element = this.jobs.elementOf(number);
    const template = {
      requirements: element.requirements,
      failureHandlers: element.failureHandler,
      schedulers: element.scheduler,
    }[table];
    if (template === null) return null;
    const name = template.at(this.jobs.instanceOf(number));
    const found = this.#tables[table].numberOf(name);
    if (found === undefined && this.#isReporting) this.#tables[table].refuseUnknown(name, [...element.path, key]);
    return found ?? null;
  }

  #refer(element: JobElement, list: ReferenceList, instance: number, uses: Uses): void {
    const { key, to, direction, isPattern, templates } = list;
    const target = to === 'jobs' ? this.jobs : this.#flow(to).data;
    const references = uses[to][direction];
    for (let k = 0; k < templates.length; k++) {
      const template = templates[k] as Template;
      if (isPattern) {
        this.#match(template.at(instance), list, references, () => [...element.path, key, k]);
        continue;
      }
      const found = target.refer(template, instance);
      if (found !== null) references.add(found);
      else if (this.#isReporting) target.table.refuseUnknown(template.at(instance), [...element.path, key, k]);
    }
  }

  #match(pattern: string, list: ReferenceList, references: References, path: () => SpecPath): void {
    const { to, direction } = list;
    const matcher = to === 'jobs' ? this.matcher : this.#flow(to).matcher;
    try {
      const found = matcher.matching(pattern);
      if (found.length > 0) references.add(found);
      else if (this.#isReporting && direction === 'input') {
        const label = (to === 'jobs' ? this.jobs : this.#flow(to).data).table.label;
        this.#findings.addOnce(path(), () => `no ${label} has a name that matches ${quoted(pattern)}`);
      }
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error;
      if (this.#isReporting) this.#findings.addOnce(path(), () => error.message);
    }
  }

  #flow(to: 'files' | 'userData'): DataFlow {
    return to === 'files' ? this.#fileFlow : this.#dataFlow;
  }

  #substituted(text: string, path: () => SpecPath, uses: Uses): string {
    const use = (to: 'files' | 'userData', direction: Direction, name: string): number | null => {
      const { table } = this.#flow(to).data;
      const number = table.numberOf(name);
      if (number !== undefined) uses[to][direction].add(number);
      else if (this.#isReporting) table.refuseUnknown(name, path());
      return number ?? null;
    };
    return substitute(text, {
      file: (direction, name) => {
        const number = use('files', direction, name);
        return number === null ? null : (this.files[number]?.path ?? null);
      },
      userData: (direction, name) => use('userData', direction, name),
      refuse: (message) => {
        if (this.#isReporting) this.#findings.addOnce(path(), () => message);
      },
    });
  }
}

function jobElement(spec: JobSpec, path: SpecPath, sweeps: SweepReader, findings: Findings): JobElement {
  const { sweep, isFactory } = sweeps.ofJob(spec, path);
  const of = (key: string, text: string) => templateOf(text, sweep, isFactory, [...path, key], findings);
  const optional = (key: string, text: string | null | undefined) => (text == null ? null : of(key, text));
  const command = of('command', spec.command);
  const script = optional('invocation_script', spec.invocation_script);
  const requirements = optional('resource_requirements', spec.resource_requirements);
  const failureHandler = optional('failure_handler', spec.failure_handler);
  const scheduler = optional('scheduler', spec.scheduler);
  const all = { command, invocation_script: script, resource_requirements: requirements, failureHandler, scheduler };
  const identity = Object.entries(all).flatMap(([key, template]) => {
    return template === null || template.isConstant ? [] : [{ key, template }];
  });
  return {
    path,
    spec,
    writtenName: spec.name,
    name: nameTemplate(spec.name, sweep, isFactory, path, findings),
    sweep,
    identity,
    command,
    script,
    requirements,
    failureHandler,
    scheduler,
    references: referencesOf(spec, sweep, isFactory, path, findings),
  };
}

/** The instances of a factory get their number behind the name, when nothing in the name tells them apart. */
function nameTemplate(
  name: string,
  sweep: Sweep | null,
  isFactory: boolean,
  path: SpecPath,
  findings: Findings,
): Template {
  const template = templateOf(name, sweep, isFactory, [...path, 'name'], findings);
  if (!isFactory || sweep === null || !template.isConstant) return template;
  return Template.of(`${name}_{index}`, sweep);
}

function referencesOf(
  spec: JobSpec,
  sweep: Sweep | null,
  isFactory: boolean,
  path: SpecPath,
  findings: Findings,
): ReferenceList[] {
  return referenceKeys.flatMap(({ key, patterns, to, direction }) =>
    [key, patterns].flatMap((listKey) => {
      const texts = spec[listKey] ?? [];
      if (texts.length === 0) return [];
      const templates = texts.map((text, k) => templateOf(text, sweep, isFactory, [...path, listKey, k], findings));
      return [{ key: listKey, to, direction, isPattern: listKey === patterns, templates }];
    }),
  );
}

function expandFiles(
  spec: WorkflowSpec,
  sweeps: SweepReader,
  findings: Findings,
): { files: { name: string; path: string }[]; instances: Instances<Element> } {
  const elements = (spec.files ?? []).map((file, i) => {
    const path = ['files', i];
    const sweep = sweeps.ofFile(file, path);
    const name = templateOf(file.name, sweep, false, [...path, 'name'], findings);
    const filePath = templateOf(file.path, sweep, false, [...path, 'path'], findings);
    return { path, writtenName: file.name, name, sweep, filePath, identity: [{ key: 'path', template: filePath }] };
  });
  const instances = new Instances(new NameTable('files', findings), elements);
  const files = instances.table.names.map((name, number) => {
    return { name, path: instances.elementOf(number).filePath.at(instances.instanceOf(number)) };
  });
  return { files, instances };
}

function userDataInstances(spec: WorkflowSpec, findings: Findings): Instances<Element> {
  const elements = (spec.user_data ?? []).map(({ name }, i) => {
    const path = ['user_data', i];
    return { path, writtenName: name, name: Template.of(name, null), sweep: null, identity: [] };
  });
  return new Instances(new NameTable('user_data', findings), elements);
}
