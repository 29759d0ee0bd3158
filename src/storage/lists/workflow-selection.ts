/** Workflows by what people type: keys, names, patterns, ranges, lists of these, the newest. */
import type { Selection } from '../../api/selection.ts';
import { TorcError } from '../../base/errors.ts';
import { isPattern } from '../../model/pattern.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Database } from '../database/database.ts';
import { bracketsNote, isKey, matches, type NamedRow, selection, suggestion } from './named-rows.ts';

const stored = `phase IN ('created', 'starting', 'started')`;

export function selectWorkflows(db: Database, words: readonly string[], user: string | null): Selection[] {
  const workflows = new Workflows(db, user);
  return words.map((word) => selectWord(workflows, word));
}

function selectWord(workflows: Workflows, word: string): Selection {
  if (word === 'last') return selection(word, 'last', workflows.newest());
  const whole = selectOne(workflows, word);
  if (whole !== null) return whole;
  const parts = word.split(',').filter((part) => part !== '');
  if (parts.length < 2) throw workflows.unknown(word);
  const rows = new Map<number, NamedRow>();
  for (const part of parts) {
    const found = part === 'last' ? workflows.newest() : rowsOf(selectOne(workflows, part));
    if (found.length === 0) throw workflows.unknown(part);
    for (const row of found) rows.set(row.key, row);
  }
  return selection(word, 'range', [...rows.values()]);
}

function rowsOf(found: Selection | null): NamedRow[] {
  return found === null ? [] : found.rows.map(({ key, name }) => ({ key: Number(key), name }));
}

/** A key, a name, a range or a pattern, in this order; null for none. */
function selectOne(workflows: Workflows, word: string): Selection | null {
  const tries: [Selection['by'], () => NamedRow[]][] = [
    ['key', () => (isKey(word) ? workflows.where('workflow_key = ?', [Number(word)]) : [])],
    ['name', () => workflows.named('name = ?', [word]).reverse()],
    ['range', () => workflows.between(word)],
    ['pattern', () => workflows.matching(word)],
  ];
  for (const [by, look] of tries) {
    const rows = look();
    if (rows.length > 0) return selection(word, by, rows);
  }
  return null;
}

/** The stored workflows; names and patterns mean those of one user, and archived ones only where no others match. */
class Workflows {
  readonly #db: Database;
  readonly #user: string | null;

  constructor(db: Database, user: string | null) {
    this.#db = db;
    this.#user = user;
  }

  where(condition: string, values: readonly unknown[], order = 'workflow_key'): NamedRow[] {
    const sql = `SELECT workflow_key AS key, name FROM workflows WHERE ${stored} AND ${condition} ORDER BY ${order}`;
    return this.#db.all<NamedRow>(sql, ...values);
  }

  newest(): NamedRow[] {
    const rows = this.where(`is_archived = 0 ${this.#owned()}`, this.#owner(), 'workflow_key DESC LIMIT 1');
    if (rows.length > 0) return rows;
    throw new TorcError('not_found', 'there is no workflow', 'torc workflows create SPEC');
  }

  named(condition: string, values: readonly unknown[]): NamedRow[] {
    for (const isArchived of [0, 1]) {
      const scope = `is_archived = ${isArchived} AND ${condition} ${this.#owned()}`;
      const rows = this.where(scope, [...values, ...this.#owner()]);
      if (rows.length > 0) return rows;
    }
    return [];
  }

  between(word: string): NamedRow[] {
    const [, first, last] = /^([1-9][0-9]{0,14})-([1-9][0-9]{0,14})$/.exec(word) ?? [];
    if (first === undefined) return [];
    return this.where('workflow_key BETWEEN ? AND ?', [Number(first), Number(last)]);
  }

  matching(word: string): NamedRow[] {
    if (!isPattern(word)) return [];
    const { sql, values } = matches(word);
    return this.named(sql, values);
  }

  unknown(word: string): TorcError {
    const what = isPattern(word)
      ? `no workflow has a name like ${quoted(word)}`
      : /^[0-9-]+$/.test(word)
        ? `there is no workflow ${word}`
        : `there is no workflow ${quoted(word)}${suggestion(this.#db, 'workflows', `${stored} ${this.#owned()}`, this.#owner(), word)}`;
    return new TorcError('not_found', `${what}${bracketsNote(word)}`, 'torc workflows list');
  }

  #owned(): string {
    return this.#user === null ? '' : 'AND user = ?';
  }

  #owner(): string[] {
    return this.#user === null ? [] : [this.#user];
  }
}
