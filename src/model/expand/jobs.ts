/** The jobs of a specification, sweeps written out: what each refers to, what it waits for, and how it is stored. */

import { parseDuration } from '../../base/units.ts';
import type { ExpandedJob, ExpandedWorkflow } from '../expanded.ts';
import type { Launch } from '../launch.ts';
import { quoted } from '../spec/names.ts';
import { PatternProblem } from '../spec/pattern-syntax.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec } from '../spec/spec.ts';
import { hasValueVariables } from '../spec/values.ts';
import { DataFlow } from './data-flow.ts';
import { specDefaults } from './defaults.ts';
import {
  commandKey,
  expandFiles,
  type JobElement,
  jobElement,
  type NamedFile,
  type ReferenceList,
} from './elements.ts';
import { type PathPlace, sameFiles } from './file-paths.ts';
import { Instances } from './instances.ts';
import { launchAt } from './job-launch.ts';
import { JobTemplates } from './job-templates.ts';
import { attributesAt, checkTexts } from './job-texts.ts';
import { wordsOf } from './job-words.ts';
import { NameTable } from './name-table.ts';
import { PatternMatcher } from './patterns.ts';
import { PlainRetries } from './plain-retries.ts';
import type { SweepReader } from './sweeps.ts';
import type { Template } from './template.ts';
import { expandUserData } from './user-data.ts';
import { Uses } from './uses.ts';
import { type Direction, substitute } from './variables.ts';

/** The texts and references of one job. */
interface ResolvedJob {
  command: string;
  identity: string | null;
  invocationScript: string | null;
  launch: Launch | null;
  uses: Uses;
}

/** How many files and user data all jobs together may list. */
const mostUses = 20_000_000;

type Target = ReferenceList['to'];

export interface JobTables {
  requirements: NameTable;
  failureHandlers: NameTable;
  schedulers: NameTable;
}

export class JobExpansion {
  readonly jobs: Instances<JobElement>;
  readonly matcher: PatternMatcher;
  readonly files: readonly NamedFile[];
  readonly userData: ExpandedWorkflow['userData'];
  readonly plainRetries: PlainRetries;
  /** Numbers of the jobs with variables such as `${result.NAME}` in what they run. */
  readonly withValues: number[] = [];
  readonly #findings: Findings;
  readonly #tables: JobTables;
  readonly #fileFlow: DataFlow;
  readonly #dataFlow: DataFlow;
  /** Problems of a job are reported only the first time that it is visited. */
  #isReporting = true;
  numJobsWithScheduler = 0;
  /** 0 for a job that names no other job and reads nothing. */
  readonly #mayWait: Uint8Array;

  constructor(spec: CheckedSpec, sweeps: SweepReader, tables: JobTables, place: PathPlace | null, findings: Findings) {
    this.#findings = findings;
    this.#tables = tables;
    const { files, instances } = expandFiles(spec, sweeps, place, findings);
    this.files = files;
    this.plainRetries = new PlainRetries(spec.jobs, tables.failureHandlers, findings);
    const templates = new JobTemplates(spec, findings);
    const elements = spec.jobs.map((job, i) => jobElement(job, ['jobs', i], { sweeps, templates }, findings));
    this.jobs = new Instances(new NameTable('jobs', findings), elements);
    this.matcher = new PatternMatcher(this.jobs.table.names);
    const same = sameFiles(files, place?.directory ?? null);
    this.#fileFlow = new DataFlow(instances, this.jobs, findings, same);
    const data = expandUserData(spec, sweeps, findings);
    this.userData = data.userData;
    this.#dataFlow = new DataFlow(data.instances, this.jobs, findings);
    this.#mayWait = new Uint8Array(this.jobs.length).fill(1);
    this.#check();
  }

  /** Visits every job once, so that all findings are made and every output has its producer. */
  #check(): void {
    let numUses = 0;
    for (let number = 0; number < this.jobs.length; number++) {
      const { uses } = this.#resolve(number);
      for (const direction of ['input', 'output'] as const) {
        numUses += uses.of('files', direction).size + uses.of('userData', direction).size;
      }
      if (numUses > mostUses) {
        const message = `the jobs up to this one list more than ${mostUses} files and user data, which is the limit`;
        this.#findings.add(this.jobs.elementOf(number).path, () => message);
        break;
      }
      this.#fileFlow.claimOutputs(uses.of('files', 'output').list(), number);
      this.#dataFlow.claimOutputs(uses.of('userData', 'output').list(), number);
      this.#fileFlow.noteInputs(uses.of('files', 'input'), number);
      this.#dataFlow.noteInputs(uses.of('userData', 'input'), number);
      const isAlone = (['jobs', 'files', 'userData'] as const).every((to) => uses.of(to, 'input').size === 0);
      if (isAlone) this.#mayWait[number] = 0;
      const { scheduler, command, script } = this.jobs.elementOf(number);
      if (scheduler !== null) this.numJobsWithScheduler += 1;
      if (hasValueVariables(command.written) || hasValueVariables(script?.written ?? '')) this.withValues.push(number);
    }
    this.#isReporting = false;
  }

  /** The jobs as they are stored, made one at a time. */
  *expanded(): Generator<ExpandedJob> {
    for (let number = 0; number < this.jobs.length; number++) {
      const element = this.jobs.elementOf(number);
      const { spec } = element;
      const labels = this.#words(number, 'labels');
      const limits = this.#words(number, 'limits');
      const { command, identity, invocationScript, launch, uses } = this.#resolve(number);
      const attributes = attributesAt(element, this.jobs.instanceOf(number));
      yield {
        name: this.jobs.nameOf(number),
        command,
        ...(identity === null ? {} : { identity }),
        invocationScript,
        requirements: this.#tableNumber(number, 'requirements', 'resource_requirements'),
        failureHandler:
          this.plainRetries.numberOf(spec) ?? this.#tableNumber(number, 'failureHandlers', 'failure_handler'),
        scheduler: this.#tableNumber(number, 'schedulers', 'scheduler'),
        ...(labels.length === 0 ? {} : { labels }),
        ...(limits.length === 0 ? {} : { limits }),
        priority: spec.priority ?? specDefaults.priority,
        cancelOnBlockingJobFailure: spec.cancel_on_blocking_job_failure ?? specDefaults.cancelOnBlockingJobFailure,
        supportsTermination: spec.supports_termination ?? specDefaults.supportsTermination,
        ...(spec.task_failure_is_success === true ? { taskFailureIsSuccess: true } : {}),
        ...(spec.hold === true ? { isHeld: true } : {}),
        ...(spec.max_wait == null ? {} : { maxWaitMs: Math.max(1, Math.round(parseDuration(spec.max_wait) * 1000)) }),
        ...(attributes === null ? {} : { attributes }),
        ...(launch === null ? {} : { launch }),
        inputFiles: uses.of('files', 'input').list(),
        outputFiles: uses.of('files', 'output').list(),
        inputUserData: uses.of('userData', 'input').list(),
        outputUserData: uses.of('userData', 'output').list(),
      };
    }
  }

  /** Calls `waitFor` with each job, or list of jobs, that a job waits for; a job that names itself is a finding. */
  eachUpstream(number: number, waitFor: (upstream: number | readonly number[]) => void): void {
    if (this.#mayWait[number] === 0) return;
    const { uses } = this.#resolve(number);
    for (const upstream of uses.of('jobs', 'input').all) {
      if (upstream !== number) waitFor(upstream);
      else this.#refuseItself(number);
    }
    this.#fileFlow.eachProducer(uses.of('files', 'input'), number, waitFor);
    this.#dataFlow.eachProducer(uses.of('userData', 'input'), number, waitFor);
  }

  #refuseItself(number: number): void {
    const name = this.jobs.nameOf(number);
    this.#findings.addOnce(this.placeOfUpstream(number, name), name, () => `the job ${quoted(name)} depends on itself`);
  }

  /** The place of the name by which a job waits for another one; the job itself when there is none. */
  placeOfUpstream(number: number, upstream: string): SpecPath {
    const { path, spec } = this.jobs.elementOf(number);
    const k = spec.depends_on?.indexOf(upstream) ?? -1;
    return k < 0 ? path : [...path, 'depends_on', k];
  }

  #resolve(number: number): ResolvedJob {
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
    const command = substituted(element.command, commandKey(element.spec));
    const identity = element.open === null ? null : substituted(element.open, commandKey(element.spec));
    const invocationScript = element.script === null ? null : substituted(element.script, 'invocation_script');
    if (this.#isReporting) {
      this.#tableNumber(number, 'requirements', 'resource_requirements');
      this.#tableNumber(number, 'failureHandlers', 'failure_handler');
      this.#tableNumber(number, 'schedulers', 'scheduler');
      checkTexts(element, first, this.#findings);
      this.#words(number, 'labels');
      this.#words(number, 'limits');
    }
    const launch = launchAt(element, first, (text) => this.#substituted(text, () => [...element.path, 'stdin'], uses));
    return { command, identity, invocationScript, launch, uses };
  }

  #words(number: number, kind: 'labels' | 'limits'): string[] {
    const findings = this.#isReporting ? this.#findings : null;
    return wordsOf(this.jobs.elementOf(number), kind, this.jobs.instanceOf(number), findings);
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
    for (let k = 0; k < templates.length; k++) {
      const template = templates[k] as Template;
      if (isPattern) {
        this.#match(template.at(instance), list, uses, () => [...element.path, key, k]);
        continue;
      }
      const found = target.refer(template, instance);
      if (found !== null) uses.add(to, direction, this.#known(to, found));
      else if (this.#isReporting) target.table.refuseUnknown(template.at(instance), [...element.path, key, k]);
    }
  }

  #match(pattern: string, list: ReferenceList, uses: Uses, path: () => SpecPath): void {
    const { to, direction } = list;
    const matcher = to === 'jobs' ? this.matcher : this.#flow(to).matcher;
    try {
      const found = matcher.matching(pattern);
      if (found.length > 0) uses.add(to, direction, this.#known(to, found));
      else if (this.#isReporting) {
        const label = (to === 'jobs' ? this.jobs : this.#flow(to).data).table.label;
        this.#findings.addOnce(path(), pattern, () => `no ${label} has a name that matches ${quoted(pattern)}`);
      }
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error;
      if (this.#isReporting) this.#findings.addOnce(path(), error.message, () => error.message);
    }
  }

  /** Files and user data under the first of their names. */
  #known(to: Target, found: number | readonly number[]): number | readonly number[] {
    return to === 'jobs' ? found : this.#flow(to).known(found);
  }

  /** Files and user data that jobs read and none writes, each with the name of the first job that reads it. */
  get fromOutside(): ExpandedWorkflow['fromOutside'] {
    const of = (flow: DataFlow) => ({ [Symbol.iterator]: () => this.#named(flow.fromOutside()) });
    return { files: of(this.#fileFlow), userData: of(this.#dataFlow) };
  }

  *#named(found: Iterable<{ number: number; reader: number }>): Generator<{ number: number; reader: string }> {
    for (const { number, reader } of found) yield { number, reader: this.jobs.nameOf(reader) };
  }

  #flow(to: 'files' | 'userData'): DataFlow {
    return to === 'files' ? this.#fileFlow : this.#dataFlow;
  }

  #substituted(text: string, path: () => SpecPath, uses: Uses): string {
    const use = (to: 'files' | 'userData', direction: Direction, name: string): number | null => {
      const { table } = this.#flow(to).data;
      const number = table.numberOf(name);
      if (number !== undefined) uses.add(to, direction, this.#known(to, number));
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
        if (this.#isReporting) this.#findings.addOnce(path(), message, () => message);
      },
    });
  }
}
