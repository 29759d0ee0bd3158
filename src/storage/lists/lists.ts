/**
 * Rows of lists: filters, sorting and pages. Stored integers become keys as text, ISO 8601 instants and booleans only
 * here.
 */

import type { ListName, ListRecord, RecordOf, Reply, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { parseJson } from '../../base/exact-json.ts';
import { isPattern } from '../../model/pattern.ts';
import { attributeName, attributeNameRule } from '../../model/spec/attributes.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import { type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Database } from '../database/database.ts';
import type { Column, Kind, ListDefinition } from './columns.ts';
import { definitions } from './list-definitions.ts';
import { matches } from './named-rows.ts';

/** Columns whose filters may be patterns. */
const nameColumns: readonly string[] = ['name', 'job_name'];

/** One page of a list. Throws TorcError 'usage' for a column that the list does not have. */
export function readList(db: Database, request: Request<'list'>): Reply<'list'> {
  const definition = definitions[request.list];
  const conditions = [definition.where];
  const values: unknown[] = [];
  if (request.workflow_key !== null) {
    conditions.push(`${definition.workflow} = ?`);
    values.push(Number(request.workflow_key));
  }
  if (request.latest_only === true) {
    if (definition.latest === undefined) throw new TorcError('usage', `${request.list} have no latest ones to select`);
    conditions.push(definition.latest);
  }
  for (const filter of request.filters) {
    const column = findColumn(request.list, filter.column);
    if (filter.value === '') conditions.push(`${sqlOf(column)} IS NULL`);
    else if (column.matches !== undefined) {
      const { sql, values: given } = column.matches(filter.value);
      conditions.push(sql);
      values.push(...given);
    } else if (nameColumns.includes(column.name) && isPattern(filter.value)) {
      const { sql, values: given } = matches(filter.value, sqlOf(column));
      conditions.push(sql);
      values.push(...given);
    } else if ((column.kind === 'key' || column.values !== undefined) && filter.value.includes(',')) {
      conditions.push(`${sqlOf(column)} IN (SELECT value FROM json_each(?))`);
      values.push(JSON.stringify(filter.value.split(',').map((each) => storedValue(column, each))));
    } else {
      const value = storedValue(column, filter.value);
      const narrow = definition.narrow?.[column.name];
      conditions.push(`${sqlOf(column)} = ?`, ...(narrow === undefined ? [] : [narrow]));
      values.push(value, ...(narrow === undefined ? [] : [value]));
    }
  }
  if (request.after !== undefined) {
    if (definition.position === undefined) throw new TorcError('usage', `${request.list} cannot be read with a cursor`);
    const [key, position = 0] = request.after.split('.').map(Number);
    // the first condition lets SQLite start reading there
    conditions.push(`${definition.key} >= ?`, `(${definition.key} > ? OR ${definition.position} > ?)`);
    values.push(key, key, position);
  }
  const share = shareOfJobs(db, request);
  if (share === 0) return { records: [], more: false };
  // an index has the failed jobs alone; where they are many, they are found sooner in the order of the keys
  if (share < rareShare && request.filters.some(isFailed)) conditions.push('j.failed = 1');
  const sort = request.sort_by === null ? null : findColumn(request.list, request.sort_by);
  const order = orderOf(definition, sort && (sort.order ?? sqlOf(sort)), request.reverse ? 'DESC' : 'ASC');
  const page = `WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ? OFFSET ?`;
  const sql = `SELECT ${selected(definition)} FROM ${pageOf(definition, page, order, request)}`;
  const rows = db.allRows(sql, ...values, request.limit + 1, request.skip);
  return {
    records: rows.slice(0, request.limit).map((row) => render(definition.columns, row)),
    more: rows.length > request.limit,
  };
}

const rareShare = 0.05;

function isFailed({ column, value }: Request<'list'>['filters'][number]): boolean {
  return column === 'outcome' && value === 'failed';
}

/** How large a part of a workflow's jobs can match the filters, by the stored counts: 0 for none, 1 where they do not say. */
function shareOfJobs(db: Database, { list, workflow_key, filters }: Request<'list'>): number {
  if (list !== 'jobs' || workflow_key === null) return 1;
  const conditions = filters.flatMap((filter) => {
    if (isFailed(filter)) return 'failed = 1';
    if (filter.column === 'orphaned' && /^(true|1)$/.test(filter.value))
      return `status IN ('submitted', 'submitted_pending')`;
    const status = filter.column === 'status' ? jobStatuses.find((each) => each === filter.value) : undefined;
    return status === undefined ? [] : `status = '${status}'`;
  });
  if (conditions.length === 0) return 1;
  const counts = db.get<{ matching: number; total: number }>(
    `SELECT coalesce(sum(n) FILTER (WHERE ${conditions.join(' AND ')}), 0) AS matching, coalesce(sum(n), 0) AS total
     FROM job_counts WHERE workflow_key = ?`,
    Number(workflow_key),
  );
  return counts === undefined || counts.total === 0 ? 0 : counts.matching / counts.total;
}

/** The rows of a page are chosen first where that is possible, so that skipped rows compute neither columns nor unused joins. */
function pageOf(
  definition: ListDefinition,
  page: string,
  order: string,
  { filters, sort_by }: Request<'list'>,
): string {
  const { from, joins = '', key } = definition;
  if (definition.position === undefined) {
    return `${from} ${joins} WHERE ${key} IN (SELECT ${key} FROM ${from} ${joins} ${page}) ORDER BY ${order}`;
  }
  // filters and sorting need the columns
  if (filters.length > 0 || sort_by !== null) return `${from} ${joins} ${page}`;
  return `(SELECT * FROM ${from} ${page}) h ${joins} ORDER BY ${order}`;
}

/** The key breaks ties, so that pages neither repeat nor skip rows. */
function orderOf({ key, position }: ListDefinition, sort: string | null, direction: 'ASC' | 'DESC'): string {
  const terms = [sort, key, position].filter((term, index, all) => term != null && all.indexOf(term) === index);
  return terms.map((term) => `${term} ${direction}`).join(', ');
}

/**
 * The last `limit` rows that meet a condition of this layer, in the order of their keys; `R` is what the columns make.
 */
export function lastRecords<R extends ListRecord>(
  db: Database,
  definition: ListDefinition,
  condition: string,
  values: readonly unknown[],
  limit: number,
): R[] {
  const { from, joins = '', where } = definition;
  const order = orderOf(definition, null, 'DESC');
  return db
    .allRows(
      `SELECT ${selected(definition)} FROM ${from} ${joins} WHERE ${where} AND (${condition}) ORDER BY ${order} LIMIT ?`,
      ...values,
      limit,
    )
    .reverse()
    .map((row) => render(definition.columns, row) as R);
}

/** The record of one workflow, as the list of workflows shows it. */
export function workflowRecord(db: Database, workflowKey: number): RecordOf<'workflows'> | null {
  const request = { list: 'workflows', workflow_key: String(workflowKey), filters: [], sort_by: null } as const;
  const { records } = readList(db, { ...request, filters: [], reverse: false, limit: 1, skip: 0 });
  return (records[0] as RecordOf<'workflows'> | undefined) ?? null;
}

/** Jobs of a workflow by status, every status present. */
export function countsRecord(db: Database, workflowKey: number): Record<JobStatus, number> {
  const counts = Object.fromEntries(jobStatuses.map((status) => [status, 0])) as Record<JobStatus, number>;
  const sql = 'SELECT status, sum(n) AS n FROM job_counts WHERE workflow_key = ? GROUP BY status';
  for (const { status, n } of db.all<{ status: JobStatus; n: number }>(sql, workflowKey)) counts[status] = n;
  return counts;
}

function selected(definition: ListDefinition): string {
  return definition.columns.map((column) => `${sqlOf(column)} AS ${column.name}`).join(', ');
}

function sqlOf(column: Column): string {
  return column.sql ?? column.name;
}

function findColumn(list: ListName, name: string): Column {
  const { columns, attributes } = definitions[list];
  if (attributes !== undefined && name.startsWith(attributePrefix)) return attributeColumn(name, attributes);
  // headings in a table are shorter
  const headings = [name, `${name}_bytes`, `${name}_seconds`, `${name}_at`, `num_${name}`];
  const found = headings.flatMap((each) => columns.find((column) => column.name === each) ?? [])[0];
  if (found !== undefined) return found;
  const known = [
    ...columns.map((column) => column.name),
    ...(attributes === undefined ? [] : [`${attributePrefix}NAME`]),
  ];
  const message = `${list} have no column '${name}'${didYouMean(name, known)}`;
  throw new TorcError('usage', message, `Columns: ${known.join(', ')}`);
}

const attributePrefix = 'attribute.';

/** The column of one attribute. Its name is the only text of a request that becomes SQL: it cannot hold a quote. */
function attributeColumn(column: string, attributes: string): Column {
  const name = column.slice(attributePrefix.length);
  if (!attributeName.test(name)) throw new TorcError('usage', `${quoted(column)}: ${attributeNameRule}`);
  return { name: column, kind: 'text', sql: `(${attributes} ->> '$."${name}"')` };
}

function unknownWord({ name, otherWords = {} }: Column, values: readonly string[], value: string): TorcError {
  const lower = value.toLowerCase();
  const command = Object.hasOwn(otherWords, lower) ? otherWords[lower] : undefined;
  const hint = command === undefined ? `Possible values: ${values.join(', ')}.` : `To list these: ${command}`;
  const meant = command === undefined ? didYouMean(lower, values) : '';
  return new TorcError('usage', `${name} cannot be ${quoted(value)}${meant}`, hint);
}

/** A filter's text as the stored value, so that flags, numbers and ISO instants compare by their meaning. */
function storedValue(column: Column, value: string): unknown {
  if (column.values?.includes(value) === false) throw unknownWord(column, column.values, value);
  if (column.kind === 'text' || column.kind === 'json' || column.kind === 'texts') return value;
  if (column.kind === 'flag') {
    if (value === 'true' || value === '1') return 1;
    if (value === 'false' || value === '0') return 0;
    throw new TorcError('usage', `${column.name} must be true or false, not ${quoted(value)}`);
  }
  const number = column.kind === 'instant' ? Date.parse(value) : Number(value);
  if (Number.isNaN(number)) {
    throw new TorcError(
      'usage',
      `${column.name} must be ${column.kind === 'instant' ? 'a time in ISO 8601' : 'a number'}, not ${quoted(value)}`,
    );
  }
  return column.kind === 'seconds' ? Math.round(number * 1000) : number;
}

function render(shown: readonly Column[], row: readonly unknown[]): ListRecord {
  const record: ListRecord = {};
  for (const [index, { name, kind }] of shown.entries()) record[name] = rendered(kind, row[index]);
  return record;
}

function rendered(kind: Kind, value: unknown): unknown {
  if (value === null) return null;
  switch (kind) {
    case 'key':
      return String(value);
    case 'flag':
      return value === 1;
    case 'seconds':
      return Number(value) / 1000;
    case 'instant':
      return isoInstant(Number(value));
    case 'json':
    case 'texts':
      return parseJson(String(value));
    default:
      return value;
  }
}
