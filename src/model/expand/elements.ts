/** Jobs, files and user data as they are written, with their sweeps, ready to be instantiated. */

import type { Sweep } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec, JobSpec } from '../spec/spec.ts';
import { expandPath, type PathPlace, PathProblem } from './file-paths.ts';
import { type Element, Instances, templateOf } from './instances.ts';
import { type LaunchElement, launchElement, launchIdentity } from './job-launch.ts';
import { stepsCommand } from './job-steps.ts';
import type { JobTemplates } from './job-templates.ts';
import { NameTable } from './name-table.ts';
import type { SweepReader } from './sweeps.ts';
import { Template } from './template.ts';
import type { Direction } from './variables.ts';

/** The keys by which a job refers to others, one by one and by patterns. */
const referenceKeys = [
  { key: 'depends_on', isPattern: false, to: 'jobs', direction: 'input' },
  { key: 'depends_on_regexes', isPattern: true, to: 'jobs', direction: 'input' },
  { key: 'input_files', isPattern: false, to: 'files', direction: 'input' },
  { key: 'input_file_regexes', isPattern: true, to: 'files', direction: 'input' },
  { key: 'output_files', isPattern: false, to: 'files', direction: 'output' },
  { key: 'output_file_regexes', isPattern: true, to: 'files', direction: 'output' },
  { key: 'input_user_data', isPattern: false, to: 'userData', direction: 'input' },
  { key: 'input_user_data_regexes', isPattern: true, to: 'userData', direction: 'input' },
  { key: 'output_user_data', isPattern: false, to: 'userData', direction: 'output' },
  { key: 'output_user_data_regexes', isPattern: true, to: 'userData', direction: 'output' },
] as const;

/** What one key of a job refers to. */
export interface ReferenceList {
  key: string;
  to: 'jobs' | 'files' | 'userData';
  direction: Direction;
  isPattern: boolean;
  templates: readonly Template[];
}

export interface JobElement extends Element, LaunchElement {
  spec: JobSpec;
  command: Template;
  /** The command with its op args left open; null when it has none. */
  open: Template | null;
  script: Template | null;
  requirements: Template | null;
  failureHandler: Template | null;
  scheduler: Template | null;
  attributes: readonly { name: string; template: Template }[];
  labels: readonly Template[];
  limits: readonly Template[];
  references: readonly ReferenceList[];
}

export function jobElement(
  spec: JobSpec,
  path: SpecPath,
  { sweeps, templates }: { sweeps: SweepReader; templates: JobTemplates },
  findings: Findings,
): JobElement {
  const { sweep, isFactory } = sweeps.ofJob(spec, path);
  const of = (key: string, text: string, by = sweep) => {
    return by === null ? Template.of(text, null) : templateOf(text, by, isFactory, [...path, key], findings);
  };
  const optional = (key: string, text: string | null | undefined) => (text == null ? null : of(key, text));
  const written = templates.of(spec, sweep, path);
  const text = written?.command ?? commandOf(spec);
  const command = of(commandKey(spec), text);
  const open = written?.open ? of('template', written.open.text, without(sweep, written.open.names)) : null;
  const script = optional('invocation_script', spec.invocation_script);
  const requirements = optional('resource_requirements', spec.resource_requirements);
  const failureHandler = optional('failure_handler', spec.failure_handler);
  const scheduler = optional('scheduler', spec.scheduler);
  const attributes = attributesOf(spec, of);
  const launch = launchElement(spec, of);
  const labels = spec.labels == null ? none : spec.labels.map((label) => of('labels', label));
  const limits = limitsOf(spec, of);
  // only instances of a sweep can share a name
  const identity = () => ({
    command,
    invocation_script: script,
    resource_requirements: requirements,
    failureHandler,
    scheduler,
    ...Object.fromEntries(attributes.map(({ name, template }) => [`attribute ${name}`, template])),
    ...launchIdentity(launch),
    ...Object.fromEntries(labels.map((label, k) => [`labels[${k}]`, label])),
    ...Object.fromEntries(limits.map((limit, k) => [`limits[${k}]`, limit])),
  });
  const references = referencesOf(spec, sweep, isFactory, path, findings);
  return {
    path,
    spec,
    numCharacters: charactersOf(spec, text, references),
    writtenName: spec.name,
    name: nameTemplate(spec.name, sweep, isFactory, path, findings),
    sweep,
    identity: sweep === null ? none : changing(identity()),
    command,
    open: open ?? optional('identity', spec.identity),
    script,
    requirements,
    failureHandler,
    scheduler,
    attributes,
    ...launch,
    labels,
    limits,
    references,
  };
}

/** Most jobs list nothing of a kind; a million of them share one empty list. */
const none: readonly never[] = [];

type TemplateOf = (key: string, text: string) => Template;

function attributesOf({ attributes }: JobSpec, of: TemplateOf): JobElement['attributes'] {
  if (attributes == null) return none;
  return Object.entries(attributes).map(([name, value]) => ({ name, template: of('attributes', String(value)) }));
}

function limitsOf({ limit, limits }: JobSpec, of: TemplateOf): readonly Template[] {
  if (limit == null && limits == null) return none;
  return [...(limit == null ? [] : [of('limit', limit)]), ...(limits ?? []).map((name) => of('limits', name))];
}

/** The key that says what a job runs. */
export function commandKey({ steps, template }: JobSpec): 'command' | 'steps' | 'template' {
  if (template != null) return 'template';
  return steps == null ? 'command' : 'steps';
}

/** A sweep without some of its parameters, which stay as they are written. */
function without(sweep: Sweep | null, names: readonly string[]): Sweep | null {
  return sweep === null ? null : { ...sweep, parameters: sweep.parameters.filter(({ name }) => !names.includes(name)) };
}

function commandOf({ command, steps }: JobSpec): string {
  return steps == null ? (command ?? '') : stepsCommand(steps);
}

function charactersOf(spec: JobSpec, command: string, references: readonly ReferenceList[]): number {
  let characters = spec.name.length + command.length + (spec.invocation_script?.length ?? 0);
  for (const { templates } of references) for (const { written } of templates) characters += written.length;
  for (const texts of [spec.attributes, spec.env]) {
    if (texts == null) continue;
    for (const [name, value] of Object.entries(texts)) characters += name.length + String(value).length;
  }
  return characters;
}

function changing(templates: Readonly<Record<string, Template | null>>): Element['identity'] {
  return Object.entries(templates).flatMap(([key, template]) => {
    return template === null || template.isConstant ? [] : [{ key, template }];
  });
}

/** The instances of a factory get their number after the name, when nothing in the name tells them apart. */
function nameTemplate(
  name: string,
  sweep: Sweep | null,
  isFactory: boolean,
  path: SpecPath,
  findings: Findings,
): Template {
  if (sweep === null) return Template.of(name, null);
  const template = templateOf(name, sweep, isFactory, [...path, 'name'], findings);
  if (!isFactory || !template.isConstant) return template;
  return Template.of(`${name}_{index}`, sweep);
}

function referencesOf(
  spec: JobSpec,
  sweep: Sweep | null,
  isFactory: boolean,
  path: SpecPath,
  findings: Findings,
): readonly ReferenceList[] {
  if (referenceKeys.every(({ key }) => spec[key] == null)) return none;
  const references: ReferenceList[] = [];
  for (const { key, isPattern, to, direction } of referenceKeys) {
    const texts = spec[key];
    if (!texts || texts.length === 0) continue;
    const templates = texts.map((text, k) => {
      return sweep === null ? Template.of(text, null) : templateOf(text, sweep, isFactory, [...path, key, k], findings);
    });
    references.push({ key, to, direction, isPattern, templates });
  }
  return references;
}

/** A file with its path as a shell in the place of its creation would expand it; `written` when that changed it. */
export interface NamedFile {
  name: string;
  path: string;
  written?: string;
}

export function expandFiles(
  spec: CheckedSpec,
  sweeps: SweepReader,
  place: PathPlace | null,
  findings: Findings,
): { files: NamedFile[]; instances: Instances<Element> } {
  const elements = (spec.files ?? []).map((file, i) => {
    const path = ['files', i];
    const sweep = sweeps.ofFile(file, path);
    const name = templateOf(file.name, sweep, false, [...path, 'name'], findings);
    const filePath = templateOf(file.path, sweep, false, [...path, 'path'], findings);
    const numCharacters = file.name.length + file.path.length;
    const identity = [{ key: 'path', template: filePath }];
    return { path, writtenName: file.name, name, sweep, numCharacters, filePath, identity };
  });
  const instances = new Instances(new NameTable('files', findings), elements);
  const files = Array.from(instances.table.names, (name, number): NamedFile => {
    const element = instances.elementOf(number);
    const written = element.filePath.at(instances.instanceOf(number));
    const path = expandedPath(written, place, (message) => {
      findings.addOnce([...element.path, 'path'], message, () => message);
    });
    return path === written ? { name, path } : { name, path, written };
  });
  return { files, instances };
}

function expandedPath(written: string, place: PathPlace | null, refuse: (message: string) => void): string {
  try {
    return expandPath(written, place);
  } catch (error) {
    if (!(error instanceof PathProblem)) throw error;
    refuse(error.message);
    return written;
  }
}
