/** Commands that jobs share: each job gives the values, and op args do not tell it apart when its workflow is created again. */
import { didYouMean, quoted } from '../spec/names.ts';
import { ParameterProblem, type Sweep, type Value } from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec, JobSpec, TemplateSpec } from '../spec/spec.ts';
import { NameTable } from './name-table.ts';
import { parametersIn, Template } from './template.ts';

/** The command of a job as it is written, with parameters of its sweep still in it. */
export interface WrittenCommand {
  command: string;
  /** With the op args left open, and their names, which no parameter replaces; null when there are none. */
  open: { text: string; names: readonly string[] } | null;
}

interface CheckedTemplate {
  name: string;
  command: string;
  keyArgs: readonly string[];
  opArgs: readonly string[];
}

export class JobTemplates {
  readonly #findings: Findings;
  readonly #table: NameTable;
  readonly #templates: CheckedTemplate[];

  constructor(spec: CheckedSpec, findings: Findings) {
    this.#findings = findings;
    this.#table = NameTable.of('templates', spec, findings);
    this.#templates = (spec.templates ?? []).map((template, i) => this.#checked(template, ['templates', i]));
  }

  /** Args are in the command, each once a key arg or an op arg. */
  #checked({ name, command, key_args, op_args }: TemplateSpec, path: SpecPath): CheckedTemplate {
    const [keyArgs, opArgs] = [key_args ?? [], op_args ?? []];
    const inCommand = parametersIn(command);
    for (const [key, args] of Object.entries({ key_args: keyArgs, op_args: opArgs })) {
      for (const [k, arg] of args.entries()) {
        if (inCommand.has(arg)) continue;
        const meant = didYouMean(arg, inCommand);
        this.#findings.add([...path, key, k], () => `the command does not contain {${arg}}${meant}`);
      }
    }
    for (const [k, arg] of opArgs.entries()) {
      if (!keyArgs.includes(arg)) continue;
      this.#findings.add([...path, 'op_args', k], () => `${quoted(arg)} is already a key arg`);
    }
    return { name, command, keyArgs, opArgs };
  }

  /** The command that the template of a job makes with its args; null for a job without a template. */
  of(job: JobSpec, sweep: Sweep | null, path: SpecPath): WrittenCommand | null {
    if (job.template == null) return null;
    const number = this.#table.numberOf(job.template);
    const template = number === undefined ? undefined : this.#templates[number];
    if (template === undefined) {
      this.#table.refuseUnknown(job.template, [...path, 'template']);
      return { command: '', open: null };
    }
    const values = this.#valuesOf(job, template, sweep, path);
    const { command, keyArgs, opArgs } = template;
    const keys = new Map([...values].filter(([name]) => keyArgs.includes(name)));
    const written = this.#filled(command, values, path);
    if (opArgs.length === 0) return { command: written, open: null };
    return { command: written, open: { text: this.#filled(command, keys, path), names: opArgs } };
  }

  /** What the job gives; a parameter of its sweep gives the arg of the same name that it does not. */
  #valuesOf(
    { args }: JobSpec,
    { name, keyArgs, opArgs }: CheckedTemplate,
    sweep: Sweep | null,
    path: SpecPath,
  ): Map<string, Value> {
    const given = new Map(Object.entries(args ?? {}));
    const known = [...keyArgs, ...opArgs];
    for (const arg of given.keys()) {
      if (known.includes(arg)) continue;
      const meant = didYouMean(arg, known);
      this.#findings.add(
        [...path, 'args', arg],
        () => `template ${quoted(name)} has no arg ${quoted(arg)}${meant}`,
        'key',
      );
    }
    const swept = sweep?.parameters.map((parameter) => parameter.name) ?? [];
    const missing = known.filter((arg) => !given.has(arg) && !swept.includes(arg));
    if (missing.length > 0) {
      const words = missing.map(quoted).join(', ');
      const place = args == null ? 'template' : 'args';
      this.#findings.add(
        [...path, place],
        () => `template ${quoted(name)} needs values of ${words}: args: {${missing[0]}: ..}`,
      );
    }
    for (const [arg, value] of given) {
      const open = keyArgs.includes(arg) ? opArgs.find((op) => parametersIn(String(value)).has(op)) : undefined;
      if (open === undefined) continue;
      this.#findings.add([...path, 'args', arg], () => `a key arg cannot contain {${open}}, which is an op arg`);
    }
    return new Map([...given].map(([arg, value]) => [arg, typeof value === 'number' ? value : String(value)]));
  }

  #filled(command: string, values: ReadonlyMap<string, Value>, path: SpecPath): string {
    const parameters = [...values].map(([name, value]) => ({ name, values: [value], stride: 1 }));
    try {
      return Template.of(command, { parameters, count: 1 }).at(0);
    } catch (error) {
      if (!(error instanceof ParameterProblem)) throw error;
      this.#findings.addOnce([...path, 'args'], error.message, () => error.message);
      return command;
    }
  }
}
