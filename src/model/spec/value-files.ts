/** Values of parameters in files of their own: one value a line, or a table with a row for each instance. */
import { CsvError, parse } from 'csv-parse/sync';
import { parseJson, WrittenNumber } from '../../base/exact-json.ts';
import type { ReadText } from '../../base/text-files.ts';
import { quoted } from './names.ts';
import { mostInstances, ParameterProblem, type Value, wordOf } from './parameters.ts';

/** The columns of a table by name, all of the same length. */
export type Columns = ReadonlyMap<string, readonly Value[]>;

/** Reads each file once. */
export class ValueFiles {
  readonly #read: ReadText | null;
  readonly #lists = new Map<string, Value[]>();
  readonly #tables = new Map<string, Columns>();

  /** Null where no files can be read. */
  constructor(read: ReadText | null) {
    this.#read = read;
  }

  /** One value for each line that is not blank, as words of a list are read. Throws ParameterProblem. */
  list(path: string): Value[] {
    const known = this.#lists.get(path);
    if (known !== undefined) return known;
    const words = this.#text(path)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
    const values = refuseMany(words, path).map(wordOf);
    this.#lists.set(path, values);
    return values;
  }

  /** A table of CSV with a heading, of JSON (a list of objects) or of JSON lines, by its name. Throws ParameterProblem. */
  table(path: string): Columns {
    const known = this.#tables.get(path);
    if (known !== undefined) return known;
    const text = this.#text(path);
    const rows = path.toLowerCase().endsWith('.csv') ? csvRows(text, path) : jsonRows(text, path);
    const columns = columnsOf(refuseMany(rows, path), path);
    this.#tables.set(path, columns);
    return columns;
  }

  #text(path: string): string {
    if (this.#read === null) throw new ParameterProblem(`files of values such as ${quoted(path)} are not read here`);
    try {
      return this.#read(path).replace(/^\ufeff/, '');
    } catch (error) {
      throw new ParameterProblem(error instanceof Error ? error.message : String(error));
    }
  }
}

function refuseMany<T>(list: T[], path: string): T[] {
  if (list.length === 0) throw new ParameterProblem(`${quoted(path)} has no values`);
  if (list.length <= mostInstances) return list;
  throw new ParameterProblem(`${quoted(path)} has ${list.length} values; at most ${mostInstances} are allowed`);
}

type Row = ReadonlyMap<string, Value>;

function csvRows(text: string, path: string): Row[] {
  try {
    const [heading = [], ...lines] = parse(text, { skip_empty_lines: true, trim: true });
    const twice = heading.find((name, i) => heading.indexOf(name) !== i);
    if (twice !== undefined) throw new ParameterProblem(`${quoted(path)} has two columns called ${quoted(twice)}`);
    return lines.map((cells) => new Map(heading.map((name, i) => [name, wordOf(cells[i] ?? '')])));
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new ParameterProblem(`${quoted(path)}: ${error.message}`);
  }
}

/** A list of objects, or one object on each line. */
function jsonRows(text: string, path: string): Row[] {
  const isList = text.trimStart().startsWith('[');
  const lines = isList ? [] : text.split('\n').flatMap((line, i) => (line.trim() === '' ? [] : [{ line, i }]));
  const documents = isList
    ? parsed(text, quoted(path))
    : lines.map(({ line, i }) => parsed(line, `line ${i + 1} of ${quoted(path)}`));
  if (!Array.isArray(documents)) throw new ParameterProblem(`${quoted(path)} is not a list of objects`);
  return documents.map((document: unknown, i) => {
    const where = `row ${i + 1} of ${quoted(path)}`;
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      throw new ParameterProblem(`${where} is not an object with a value for each parameter`);
    }
    return new Map(Object.entries(document).map(([name, value]) => [name, cellOf(value, name, where)]));
  });
}

function parsed(text: string, what: string): unknown {
  try {
    return parseJson(text);
  } catch {
    throw new ParameterProblem(`${what} is not JSON; a table is .csv, .json or .jsonl`);
  }
}

function cellOf(value: unknown, name: string, where: string): Value {
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (value instanceof WrittenNumber) return Number(value.text);
  throw new ParameterProblem(`${quoted(name)} in ${where} is not a text, a number, true or false`);
}

/** Every row has the same names. */
function columnsOf(rows: readonly Row[], path: string): Columns {
  const columns = new Map<string, Value[]>([...(rows[0]?.keys() ?? [])].map((name) => [name, []]));
  for (const [i, row] of rows.entries()) {
    const extra = [...row.keys()].find((name) => !columns.has(name));
    if (extra !== undefined) {
      throw new ParameterProblem(
        `row ${i + 1} of ${quoted(path)} has ${quoted(extra)}, which the first one does not have`,
      );
    }
    for (const [name, values] of columns) {
      const value = row.get(name);
      if (value === undefined) throw new ParameterProblem(`row ${i + 1} of ${quoted(path)} has no ${quoted(name)}`);
      values.push(value);
    }
  }
  return columns;
}
