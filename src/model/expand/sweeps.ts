/** Which sweep a job or file is for: from its own parameters, those it shares with others, or a factory. */
import type { ReadText } from '../../base/text-files.ts';
import { didYouMean, quoted } from '../spec/names.ts';
import {
  decimalsOf,
  mostInstances,
  ParameterProblem,
  productOf,
  productOfRows,
  rangeValues,
  readValues,
  type Sweep,
  type Value,
  zipOf,
} from '../spec/parameters.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { CheckedSpec, FactorySpec, FileSpec, JobSpec, ParameterSpec, UserDataSpec } from '../spec/spec.ts';
import { type Columns, ValueFiles } from '../spec/value-files.ts';

/** The name of the parameter that numbers the instances of a factory, from 0. */
export const factoryIndex = 'index';

/** How many values all parameters of a specification may have together. */
const mostValues = 5 * mostInstances;

const parameterName = /^[A-Za-z_][A-Za-z0-9_-]*$/;

const sweepKeys = ['parameter_mode', 'parameters', 'parameters_file', 'use_parameters', 'use_parameters_file'] as const;

/** Makes sweeps from parts of a specification, and adds problems to the findings. */
export class SweepReader {
  readonly #findings: Findings;
  readonly #files: ValueFiles;
  readonly #sharedFile: string | null;
  readonly #shared: ReadonlyMap<string, readonly Value[] | null>;
  /** Factories at the top of the specification, by job; null is the one for all jobs. */
  readonly #factories = new Map<string | null, { factory: FactorySpec; path: SpecPath }>();
  #numValues = 0;
  readonly #sweepsOfFactories = new Map<FactorySpec, Sweep | null>();

  constructor(spec: CheckedSpec, findings: Findings, files: ReadText | null = null) {
    this.#findings = findings;
    this.#files = new ValueFiles(files);
    this.#sharedFile = spec.parameters_file ?? null;
    this.#shared = this.#values(spec.parameters ?? {}, ['parameters']);
    const atTop = (spec.factories ?? []).map((factory, i) => ({
      factory: factory as FactorySpec,
      path: ['factories', i],
    }));
    if (spec.factory) atTop.unshift({ factory: spec.factory, path: ['factory'] });
    if (atTop.length === 0) return;
    const jobs = new Set(Array.from(spec.jobs, ({ name }) => name));
    for (const { factory, path } of atTop) this.#addFactory(factory, path, jobs);
  }

  #addFactory(factory: FactorySpec, path: SpecPath, jobs: ReadonlySet<string>): void {
    const named = factory.jobs ?? [null];
    for (const [k, name] of named.entries()) {
      const place = name === null ? path : [...path, 'jobs', k];
      if (name !== null && !jobs.has(name)) {
        this.#findings.add(place, () => `there is no job ${quoted(name)}${didYouMean(name, jobs)}`);
      } else if (this.#factories.has(name)) {
        this.#findings.add(place, () => 'a second factory for the same jobs');
      } else this.#factories.set(name, { factory, path });
    }
  }

  /** The sweep of a file; null when it has none. */
  ofFile(file: FileSpec, path: SpecPath): Sweep | null {
    return this.#ofParameters(file, path);
  }

  /** The sweep of user data; null when it has none. */
  ofUserData(userData: UserDataSpec, path: SpecPath): Sweep | null {
    return this.#ofParameters(userData, path);
  }

  /** The sweep of a job, and whether a factory makes it. */
  ofJob(job: JobSpec, path: SpecPath): { sweep: Sweep | null; isFactory: boolean } {
    const hasFile = job.parameters_file != null || job.use_parameters_file === true;
    const hasOwn = hasFile || Object.keys(job.parameters ?? {}).length > 0 || (job.use_parameters ?? []).length > 0;
    const own = job.factory ? { factory: job.factory, path: [...path, 'factory'] } : undefined;
    const found = own ?? this.#factories.get(job.name) ?? (hasOwn ? undefined : this.#factories.get(null));
    if (found === undefined) return { sweep: this.#ofParameters(job, path), isFactory: false };
    if (hasOwn) {
      this.#findings.add(path, () => `the job ${quoted(job.name)} has parameters and a factory; use only one of them`);
      return { sweep: null, isFactory: false };
    }
    const { factory, path: place } = found;
    const known = this.#sweepsOfFactories.get(factory);
    const sweep = known !== undefined ? known : this.#guarded(place, () => this.#ofFactory(factory, place));
    this.#sweepsOfFactories.set(factory, sweep);
    return { sweep, isFactory: true };
  }

  #ofParameters(element: JobSpec | FileSpec | UserDataSpec, path: SpecPath): Sweep | null {
    if (sweepKeys.every((key) => element[key] == null)) return null;
    const values = this.#values(element.parameters ?? {}, [...path, 'parameters']);
    for (const [k, name] of (element.use_parameters ?? []).entries()) {
      const shared = this.#shared.get(name);
      if (shared === undefined) {
        const meant = () => didYouMean(name, this.#shared.keys());
        this.#findings.add([...path, 'use_parameters', k], () => {
          return `there is no parameter ${quoted(name)} in the parameters of the workflow${meant()}`;
        });
        values.set(name, null);
      } else if (!values.has(name)) values.set(name, shared);
    }
    const tables = this.#tablesOf(element, path);
    if (tables === null || (values.size === 0 && tables.length === 0)) return null;
    if ([...values.values()].includes(null)) return null;
    const known = values as Map<string, readonly Value[]>;
    for (const name of tables.flatMap((table) => [...table.keys()])) {
      if (!known.has(name) && tables.filter((table) => table.has(name)).length === 1) continue;
      this.#findings.addOnce([...path, 'parameters_file'], name, () => `${quoted(name)} is given twice`);
      return null;
    }
    const place = sweepKeys.find((key) => element[key] != null) ?? 'parameters';
    return this.#guarded([...path, place], () => {
      if (element.parameter_mode === 'zip') return zipOf(new Map([...tables, known].flatMap((group) => [...group])));
      return productOfRows([...tables, ...[...known].map((parameter) => new Map([parameter]))]);
    });
  }

  /** The rows of its own file, and of that of the workflow; null when one cannot be read. */
  #tablesOf(element: JobSpec | FileSpec | UserDataSpec, path: SpecPath): Columns[] | null {
    const { parameters_file: own, use_parameters_file: usesShared } = element;
    const tables: (Columns | null)[] = [];
    if (own != null) tables.push(this.#table(own, [...path, 'parameters_file']));
    if (usesShared === true && this.#sharedFile !== null) {
      tables.push(this.#table(this.#sharedFile, ['parameters_file']));
    } else if (usesShared === true) {
      this.#findings.add([...path, 'use_parameters_file'], () => 'the workflow has no parameters_file');
      return null;
    }
    const read = tables.filter((table) => table !== null);
    return read.length === tables.length ? read : null;
  }

  #table(file: string, place: SpecPath): Columns | null {
    return this.#guarded(place, () => {
      const table = this.#files.table(file);
      const wrong = [...table.keys()].find((name) => !parameterName.test(name));
      if (wrong === undefined) return table;
      throw new ParameterProblem(
        `${quoted(file)} has a column ${quoted(wrong)}, which cannot be the name of a parameter`,
      );
    });
  }

  #values(written: Readonly<Record<string, ParameterSpec>>, path: SpecPath): Map<string, readonly Value[] | null> {
    const values = new Map<string, readonly Value[] | null>();
    for (const [name, value] of Object.entries(written)) {
      const place = [...path, name];
      if (parameterName.test(name))
        values.set(
          name,
          this.#guarded(place, () => this.#counted(() => readValues(value, this.#files))),
        );
      else {
        values.set(name, null);
        this.#findings.add(
          place,
          () => `the parameter name ${quoted(name)} is not a letter or _ followed by letters, digits, _ and -`,
          'key',
        );
      }
    }
    return values;
  }

  #ofFactory(factory: FactorySpec, path: SpecPath): Sweep | null {
    const values = new Map<string, Value[]>();
    for (const [k, parameter] of (factory.parameters ?? []).entries()) {
      const place = [...path, 'parameters', k];
      if (values.has(parameter.name)) {
        this.#findings.add([...place, 'name'], () => `the parameter ${quoted(parameter.name)} appears twice`);
      }
      const read = this.#guarded(place, () => this.#counted(() => factoryValues(factory.type, parameter)));
      if (read === null) return null;
      values.set(parameter.name, read);
    }
    if (factory.type === 'repeat') {
      if (!factory.number) throw new ParameterProblem('repeat needs a number of copies, such as number: 3');
      if (factory.number > mostInstances) throw new ParameterProblem(`at most ${mostInstances} copies are allowed`);
      values.set(factoryIndex, rangeValues(0, factory.number - 1, 1, 0));
      return productOf(values);
    }
    if (values.size === 0) throw new ParameterProblem('has no parameters');
    const sweep = factory.type === 'zip' ? zipOf(values) : productOf(values);
    if (values.has(factoryIndex)) return sweep;
    const numbers = { name: factoryIndex, values: rangeValues(0, sweep.count - 1, 1, 0), stride: 1 };
    return { ...sweep, parameters: [...sweep.parameters, numbers] };
  }

  #counted(read: () => Value[]): Value[] {
    const values = this.#numValues > mostValues ? [] : read();
    this.#numValues += values.length;
    if (this.#numValues <= mostValues) return values;
    throw new ParameterProblem(
      `with this, the parameters have more than ${mostValues} values in total; use_parameters shares them`,
    );
  }

  #guarded<T>(path: SpecPath, read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ParameterProblem)) throw error;
      this.#findings.addOnce(path, error.message, () => error.message);
      return null;
    }
  }
}

type FactoryParameter = NonNullable<FactorySpec['parameters']>[number];

function factoryValues(type: FactorySpec['type'], parameter: FactoryParameter): Value[] {
  const { start, end, step, number, values } = parameter;
  if (type === 'zip') {
    if (!values) throw new ParameterProblem('a parameter of zip needs a list of values');
    return readValues(values);
  }
  if (
    typeof start !== 'number' ||
    typeof end !== 'number' ||
    (typeof step === 'number') === (typeof number === 'number')
  ) {
    throw new ParameterProblem('a parameter of a sweep needs start and end, and either step or number');
  }
  if (typeof step === 'number') return rangeValues(start, end, step, Math.max(decimalsOf(start), decimalsOf(step)));
  return spaced(start, end, number ?? 1);
}

/** This many values at equal distances, both ends included; rounding to twelve digits keeps thirds free of noise. */
function spaced(start: number, end: number, number: number): number[] {
  if (number > mostInstances) throw new ParameterProblem(`at most ${mostInstances} values are allowed`);
  if (number === 1) return [start];
  return Array.from({ length: number }, (_, i) => Number((start + ((end - start) * i) / (number - 1)).toPrecision(12)));
}
