/** Columns of a list as data, from which filters, sorting and rendering follow. */
import { typedLabels } from '../../model/labels.ts';
import type { OtherWords } from './status-words.ts';

export type Kind = 'text' | 'key' | 'integer' | 'seconds' | 'instant' | 'flag' | 'json' | 'texts';

export interface Column {
  name: string;
  kind: Kind;
  /** SQL expression; the column's name by default. */
  sql?: string;
  /** What rows are sorted by, where that is not the expression. */
  order?: string;
  /** The possible values of a text column with fixed words. */
  values?: readonly string[];
  /** Words that others use, with the command that lists such rows. */
  otherWords?: OtherWords;
  /** The condition for a filter, where that is not equality. Throws TorcError 'usage'. */
  matches?(value: string): Condition;
  /**
   * A query for the keys of all rows of a workflow that may have one of these stored values, by an index or a table that
   * is read faster than the list; null where there is none. Other rows may be among them.
   */
  find?(workflowKey: number, values: readonly unknown[]): Condition | null;
}

/** SQL with its values. */
export interface Condition {
  sql: string;
  values: readonly unknown[];
}

export interface ListDefinition {
  columns: readonly Column[];
  from: string;
  /** What only the columns need, joined to `from`: one row for each. Without it `from` has all. */
  joins?: string;
  /** The condition that every row meets. */
  where: string;
  /** The condition of each job's newest row, in a list that has several for each. */
  latest?: string;
  /** The column that filters by workflow, and the one that orders by default. */
  workflow: string;
  key: string;
  /** Orders the rows of one key when the key is not unique. */
  position?: string;
  /** The JSON object of a row's attributes, which are columns named `attribute.NAME`. */
  attributes?: string;
  /** A condition that finds the rows of a column's value by an index; added when a request filters by that column. */
  narrow?: Readonly<Record<string, string>>;
}

export function sqlOf(column: Column): string {
  return column.sql ?? column.name;
}

/** Columns of one kind: names, or names with their SQL expressions. */
export function columns(kind: Kind, ...names: (string | [name: string, sql: string])[]): Column[] {
  return names.map((name) => (typeof name === 'string' ? { name, kind } : { name: name[0], kind, sql: name[1] }));
}

export function limitsColumn(sql: string): Column {
  return { ...labelsColumn(sql), name: 'limits' };
}

/** A set of labels; a filter finds the sets that contain all that it names. */
export function labelsColumn(sql: string): Column {
  return {
    name: 'labels',
    kind: 'text',
    sql: `nullif(${sql}, '')`,
    matches(value) {
      const labels = typedLabels(value);
      const contains = `instr(',' || ${sql} || ',', ',' || ? || ',') > 0`;
      return { sql: labels.map(() => contains).join(' AND '), values: labels };
    },
  };
}

/** The same columns, with `find` for those named. */
export function findable(columns: readonly Column[], found: Readonly<Record<string, Column['find']>>): Column[] {
  return columns.map((column) => {
    const find = found[column.name];
    return find === undefined ? column : { ...column, find };
  });
}

/** A text that is one of `values`. */
export function word(values: readonly string[], name: string, sql: string = name, otherWords: OtherWords = {}): Column {
  return { name, kind: 'text', sql, values, otherWords };
}
