/**
 * Texts with `{i}`, `{i:03d}`, `{lr:.4f}` in them. Only names of the sweep's own parameters count; every other brace,
 * and every `${..}`, belongs to the shell and stays.
 */
import { quoted } from '../spec/names.ts';
import {
  ParameterProblem,
  plainText,
  type Sweep,
  type SweptParameter,
  type Value,
  valueAt,
} from '../spec/parameters.ts';

const placeholder = /\$?\{([A-Za-z_][A-Za-z0-9_-]*)(?::([^{}]*))?\}/g;

/** Factories are written with `$frame` and `${frame}`. */
const factoryPlaceholder = /\$?\{([A-Za-z_][A-Za-z0-9_-]*)(?::([^{}]*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)/g;

/** The names in braces that a text would replace if they were parameters of its sweep. */
export function parametersIn(text: string): Set<string> {
  const matches = text.includes('{') ? [...text.matchAll(placeholder)] : [];
  return new Set(matches.flatMap(([raw, name = '']) => (raw.startsWith('$') ? [] : [name])));
}

interface Part {
  /** As it is written. */
  raw: string;
  /** Null for text that is the same in every instance. */
  parameter: SweptParameter | null;
  format: (value: Value) => string;
}

const noParts: readonly Part[] = [];

export class Template {
  readonly written: string;
  readonly #parts: readonly Part[];

  private constructor(written: string, parts: readonly Part[]) {
    this.written = written;
    this.#parts = parts;
  }

  /** The template of a text; throws ParameterProblem for a format that does not fit the values. */
  static of(written: string, sweep: Sweep | null, isFactory = false): Template {
    if (sweep === null || !/[{$]/.test(written)) return new Template(written, noParts);
    const parts: Part[] = [];
    let end = 0;
    for (const match of written.matchAll(isFactory ? factoryPlaceholder : placeholder)) {
      const [raw, braced, format, bare] = match;
      const name = braced ?? bare;
      const parameter = sweep.parameters.find((candidate) => candidate.name === name);
      if (parameter === undefined || (raw.startsWith('$') && !isFactory)) continue;
      if (match.index > end) parts.push(constant(written.slice(end, match.index)));
      parts.push({ raw, parameter, format: checkedFormat(format ?? '', raw, parameter) });
      end = match.index + raw.length;
    }
    if (end === 0) return new Template(written, noParts);
    if (end < written.length) parts.push(constant(written.slice(end)));
    return new Template(written, parts);
  }

  /** Whether every instance has the same text. */
  get isConstant(): boolean {
    return this.#parts.length === 0;
  }

  /** Names of the parameters in it. */
  get parameters(): string[] {
    return this.#parts.flatMap(({ parameter }) => (parameter === null ? [] : [parameter.name]));
  }

  /** The text of an instance. */
  at(instance: number): string {
    if (this.#parts.length === 0) return this.written;
    let text = '';
    for (const { raw, parameter, format } of this.#parts) {
      text += parameter === null ? raw : format(valueAt(parameter, instance));
    }
    return text;
  }

  /** The text of an instance in which only some parameters have been replaced. */
  partlyAt(instance: number, replaced: ReadonlySet<string>): string {
    if (this.#parts.length === 0) return this.written;
    return this.#parts
      .map(({ raw, parameter, format }) => {
        return parameter === null || !replaced.has(parameter.name) ? raw : format(valueAt(parameter, instance));
      })
      .join('');
  }
}

/** The texts of an instance by name. */
export function textsAt(
  named: readonly { name: string; template: Template }[],
  instance: number,
): Record<string, string> {
  if (named.length === 0) return {};
  return Object.fromEntries(named.map(({ name, template }) => [name, template.at(instance)]));
}

function constant(raw: string): Part {
  return { raw, parameter: null, format: String };
}

/** The first value that is not a number, and the first that is not a whole number, of the lists seen so far. */
const misfits = new WeakMap<readonly Value[], { number: Value | undefined; integer: Value | undefined }>();

function misfitOf(values: readonly Value[], isForIntegers: boolean): Value | undefined {
  const known = misfits.get(values) ?? {
    number: values.find((value) => typeof value !== 'number'),
    integer: values.find((value) => !Number.isInteger(value)),
  };
  misfits.set(values, known);
  return isForIntegers ? known.integer : known.number;
}

const formatPattern = /^(0?)([0-9]{0,3})(?:\.([0-9]{1,2}))?([dfes]?)$/;

/** The function of a format such as `03d`, `.4f`, `8.3f`, `.2e` or `s`, which fits every value of the parameter. */
function checkedFormat(format: string, raw: string, { name, values }: SweptParameter): (value: Value) => string {
  const match = formatPattern.exec(format);
  if (match === null) {
    throw new ParameterProblem(`found ${quoted(raw)}; formats look like {${name}:03d}, {${name}:.4f} and {${name}}`);
  }
  const [, zero = '', widthText = '', precision, kind = ''] = match;
  const style = kind === '' && precision !== undefined ? 'f' : kind;
  if (style !== '' && style !== 's') {
    const misfit = misfitOf(values, style === 'd');
    if (misfit !== undefined) {
      const wanted = style === 'd' ? 'whole numbers' : 'numbers';
      throw new ParameterProblem(
        `the format of ${quoted(raw)} is for ${wanted}, and ${quoted(name)} can be ${quoted(String(misfit))}`,
      );
    }
  }
  const width = Number(widthText);
  const digits = Number(precision ?? 6);
  return (value) => {
    const isNumber = typeof value === 'number';
    const text =
      isNumber && style === 'f'
        ? value.toFixed(digits)
        : isNumber && style === 'e'
          ? value.toExponential(digits)
          : plainText(value);
    if (text.length >= width) return text;
    if (zero === '') return isNumber ? text.padStart(width) : text.padEnd(width);
    return text.startsWith('-') ? `-${text.slice(1).padStart(width - 1, '0')}` : text.padStart(width, '0');
  };
}
