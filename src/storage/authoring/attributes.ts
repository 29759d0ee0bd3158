/** Attributes of stored workflows and jobs: a JSON object each, or nothing. */
import type { ChangedField } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Attributes } from '../../model/expanded.ts';
import { mostAttributes } from '../../model/spec/attributes.ts';
import type { Transaction } from '../database/transaction.ts';

export type AttributeChanges = Readonly<Record<string, string | null>>;

/** As a new row has them: null for none. */
export function storedAttributes(attributes: Attributes | undefined): string | null {
  return attributes === undefined || Object.keys(attributes).length === 0 ? null : JSON.stringify(attributes);
}

/** Attributes of a new job; a job that is already stored keeps its own. */
export function addJobAttributes(tx: Transaction, jobKey: number, attributes: Attributes | undefined): void {
  const stored = storedAttributes(attributes);
  if (stored === null) return;
  tx.db.run('INSERT OR IGNORE INTO job_attributes (job_key, attributes) VALUES (?, ?)', jobKey, stored);
}

export function readAttributes(stored: string | null | undefined): Attributes {
  return stored == null ? {} : (JSON.parse(stored) as Attributes);
}

export function jobAttributes(tx: Transaction, jobKey: number): Attributes {
  const sql = 'SELECT attributes FROM job_attributes WHERE job_key = ?';
  return readAttributes(tx.db.get<{ attributes: string }>(sql, jobKey)?.attributes);
}

/** What changes, and the attributes after it. Throws TorcError 'usage' when they become too many. */
export function changedAttributes(
  before: Attributes,
  changes: AttributeChanges,
): { fields: ChangedField[]; after: Attributes } {
  const after: Record<string, string> = { ...before };
  const fields: ChangedField[] = [];
  for (const [name, value] of Object.entries(changes)) {
    const old = Object.hasOwn(before, name) ? (before[name] ?? null) : null;
    if (old === value) continue;
    fields.push({ field: `attribute.${name}`, old_value: old, new_value: value });
    if (value === null) delete after[name];
    else after[name] = value;
  }
  const number = Object.keys(after).length;
  if (number > mostAttributes) {
    throw new TorcError(
      'usage',
      `there would be ${number} attributes; at most ${mostAttributes} are allowed`,
      'Remove some with --attribute NAME=',
    );
  }
  return { fields, after };
}

/** Replaces the attributes of a job. */
export function storeJobAttributes(tx: Transaction, jobKey: number, attributes: Attributes): void {
  tx.db.run('DELETE FROM job_attributes WHERE job_key = ?', jobKey);
  addJobAttributes(tx, jobKey, attributes);
}
