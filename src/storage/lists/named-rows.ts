/** What choosing rows by their names is made of: conditions that an index narrows, and suggestions. */
import type { Selectable, Selection } from '../../api/selection.ts';
import { globOf, prefixOf } from '../../model/pattern.ts';
import { nearestName, quoted } from '../../model/spec/names.ts';
import type { Database } from '../database/database.ts';

export interface NamedRow {
  key: number;
  name: string;
}

export function selection(word: string, by: Selection['by'], rows: readonly NamedRow[]): Selection {
  return { word, by, rows: rows.map(({ key, name }) => ({ key: String(key), name })) };
}

export function isKey(word: string): boolean {
  return /^[1-9][0-9]{0,15}$/.test(word);
}

/** The condition for names that match, which an index over names narrows to those with its prefix. */
export function matches(pattern: string, name = 'name'): { sql: string; values: string[] } {
  const prefix = prefixOf(pattern);
  const sql = `${name} GLOB ? AND ${name} >= ? AND ${name} < ?`;
  return { sql, values: [globOf(pattern), prefix, afterAll(prefix)] };
}

/** Greater than every text with this prefix. */
function afterAll(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}

/** A name is looked for among this many that begin alike, then among as many others. */
const comparedNames = 2000;
/** .. and these are chosen from so many. */
/** For a word in brackets that a shell would expand: what is special in a pattern. */
export function bracketsNote(word: string): string {
  return /\[.*\]/.test(word) ? '; brackets have no special meaning here, only * and ?' : '';
}

const readNames = 20_000;

/** The words "; did you mean X?" with a name from a table, or nothing. */
export function suggestion(
  db: Database,
  table: Selectable,
  scope: string,
  values: readonly unknown[],
  word: string,
): string {
  const slips = Math.max(1, Math.floor(word.length / 3));
  const near = (condition: string, ...more: unknown[]): string[] =>
    db
      .all<{ name: string }>(
        `SELECT name FROM (SELECT name FROM ${table} WHERE ${scope} ${condition} LIMIT ${readNames})
         WHERE length(name) BETWEEN ? AND ? LIMIT ${comparedNames}`,
        ...values,
        ...more,
        word.length - slips,
        word.length + slips,
      )
      .map(({ name }) => name);
  const prefix = word.slice(0, Math.ceil(word.length / 2));
  const alike = near('AND name >= ? AND name < ?', prefix, afterAll(prefix));
  const found = nearestName(word, alike) ?? nearestName(word, near(''));
  return found === null ? '' : `; did you mean ${quoted(found)}?`;
}
