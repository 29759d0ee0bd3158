/** Which rows of a list are meant: its workflow, filters and cursor as SQL. */
import type { ListName, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { isPattern } from '../../model/pattern.ts';
import { attributeName, attributeNameRule } from '../../model/spec/attributes.ts';
import { didYouMean, nearestName, quoted } from '../../model/spec/names.ts';
import { type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Database } from '../database/database.ts';
import { hasGaps, rangeOfJobs } from '../running/job-graph.ts';
import { type Column, type Condition, type ListDefinition, sqlOf } from './columns.ts';
import { definitions } from './list-definitions.ts';
import { matches } from './named-rows.ts';

type ListRequest = Request<'list'>;
type Filter = ListRequest['filters'][number];

/** Columns whose filters may be patterns. */
const nameColumns: readonly string[] = ['name', 'job_name'];

/**
 * Rows that a filter finds by itself are chosen by their keys, unless they are more than this: then the first ones come
 * sooner in the order of the keys.
 */
const mostFoundRows = 20_000;

/** Throws TorcError 'usage' for a column that the list does not have, and for a value that it cannot have. */
export function conditionsOf(db: Database, request: ListRequest, mostFound = mostFoundRows): Condition {
  const definition = definitions[request.list];
  const workflowKey = request.workflow_key === null ? null : Number(request.workflow_key);
  const conditions: Condition[] = [{ sql: definition.where, values: [] }];
  if (workflowKey !== null) conditions.push(rowsOfWorkflow(db, request, workflowKey));
  if (request.latest_only === true) {
    if (definition.latest === undefined) throw new TorcError('usage', `${request.list} have no latest ones to select`);
    conditions.push({ sql: definition.latest, values: [] });
  }
  let isNarrow = false;
  for (const filter of request.filters) {
    const column = findColumn(request.list, filter.column);
    const { stored, ...condition } = filterCondition(definition, column, filter.value);
    conditions.push(condition);
    if (isNarrow || workflowKey === null || stored === null) continue;
    const found = foundRows(db, column.find?.(workflowKey, stored) ?? null, mostFound);
    if (found === null) continue;
    conditions.push({ sql: `${definition.key} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(found)] });
    isNarrow = true;
  }
  if (request.after !== undefined) conditions.push(afterCursor(request.list, definition, request.after));
  return {
    sql: conditions.map(({ sql }) => sql).join(' AND '),
    values: conditions.flatMap(({ values }) => values),
  };
}

/**
 * To sort jobs each of them is looked at: where their keys have no gaps, these say more quickly than the index of the workflow
 * which ones they are.
 */
function rowsOfWorkflow(db: Database, { list, sort_by, filters }: ListRequest, workflowKey: number): Condition {
  const { workflow, key } = definitions[list];
  // names are sorted by an index of the workflow
  if (list === 'jobs' && sort_by !== null && sort_by !== 'name' && filters.length === 0) {
    const range = rangeOfJobs({ db }, workflowKey);
    if (!hasGaps(range)) return { sql: `${key} BETWEEN ? AND ?`, values: [range.first, range.last] };
  }
  return { sql: `${workflow} = ?`, values: [workflowKey] };
}

/** `stored`: the values that the column must have; null where the condition is not one of equality. */
function filterCondition(
  definition: ListDefinition,
  column: Column,
  value: string,
): Condition & { stored: readonly unknown[] | null } {
  const sql = sqlOf(column);
  if (value === '') return { sql: `${sql} IS NULL`, values: [], stored: null };
  if (column.matches !== undefined) return { ...column.matches(value), stored: null };
  if (nameColumns.includes(column.name) && isPattern(value)) return { ...matches(value, sql), stored: null };
  if ((column.kind === 'key' || column.values !== undefined) && value.includes(',')) {
    const stored = value.split(',').map((each) => storedValue(column, each));
    return { sql: `${sql} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(stored)], stored };
  }
  const stored = storedValue(column, value);
  const narrow = definition.narrow?.[column.name];
  return narrow === undefined
    ? { sql: `${sql} = ?`, values: [stored], stored: [stored] }
    : { sql: `${sql} = ? AND ${narrow}`, values: [stored, stored], stored: [stored] };
}

/** The keys that a query finds; null without a query, and for more than `most`. */
function foundRows(db: Database, query: Condition | null, most: number): number[] | null {
  if (query === null) return null;
  const rows = db.allRows<[number]>(`${query.sql} LIMIT ?`, ...query.values, most + 1);
  return rows.length > most ? null : rows.flat();
}

function afterCursor(list: ListName, { key, position }: ListDefinition, after: string): Condition {
  if (position === undefined) throw new TorcError('usage', `${list} cannot be read with a cursor`);
  const [first, place = 0] = after.split('.').map(Number);
  // the first condition lets SQLite start reading there
  return { sql: `${key} >= ? AND (${key} > ? OR ${position} > ?)`, values: [first, first, place] };
}

/** Whether the stored counts of a workflow's jobs show that no job can match the filters. */
export function cannotMatch(db: Database, { list, workflow_key, filters }: ListRequest): boolean {
  if (list !== 'jobs' || workflow_key === null) return false;
  const conditions = filters.flatMap(countCondition);
  if (conditions.length === 0) return false;
  const sql = `SELECT 1 FROM job_counts WHERE workflow_key = ? AND n > 0 AND ${conditions.join(' AND ')}`;
  return db.get(sql, Number(workflow_key)) === undefined;
}

/**
 * Of sorted jobs, those that a page can hold, by the stored counts or an index that has all that is asked for: without it,
 * all jobs would be read and sorted. Null where nothing is known.
 */
export function jobsOfPage(db: Database, request: ListRequest): Condition | null {
  const { list, workflow_key, filters, sort_by } = request;
  if (list !== 'jobs' || workflow_key === null) return null;
  if (sort_by === 'status' && filters.length === 0) return statusesOfPage(db, request);
  const [filter, ...others] = filters;
  const isReady = filter?.column === 'status' && filter.value === 'ready' && others.length === 0;
  return sort_by === 'priority' && isReady ? readyOfPage(request) : null;
}

function readyOfPage({ workflow_key, reverse, skip, limit }: ListRequest): Condition {
  const direction = reverse ? 'DESC' : 'ASC';
  const sql = `SELECT job_key FROM jobs INDEXED BY jobs_ready WHERE workflow_key = ? AND status = 'ready'
    ORDER BY priority ${direction}, job_key ${direction} LIMIT ?`;
  // one row more tells whether there is another page
  return { sql: `j.job_key IN (${sql})`, values: [Number(workflow_key), skip + limit + 1] };
}

function statusesOfPage(db: Database, { workflow_key, reverse, skip, limit }: ListRequest): Condition {
  const counted = db.allRows<[JobStatus, number]>(
    `SELECT status, sum(n) FROM job_counts WHERE workflow_key = ? AND n > 0 GROUP BY status ORDER BY status`,
    Number(workflow_key),
  );
  const found: JobStatus[] = [];
  let numRows = 0;
  for (const [status, n] of reverse ? counted.reverse() : counted) {
    // one row more tells whether there is another page
    if (numRows > skip + limit) break;
    found.push(status);
    numRows += n;
  }
  return { sql: `j.status IN (${found.map(() => '?').join()})`, values: found };
}

function countCondition({ column, value }: Filter): string[] {
  if (column === 'outcome' && value === 'failed') return ['failed = 1'];
  if (column === 'orphaned' && /^(true|1)$/.test(value)) return [`status IN ('submitted', 'submitted_pending')`];
  const status = column === 'status' ? jobStatuses.find((each) => each === value) : undefined;
  return status === undefined ? [] : [`status = '${status}'`];
}

export function findColumn(list: ListName, name: string): Column {
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
  const isOther = (word: string): boolean => Object.hasOwn(otherWords, word);
  const near = isOther(lower) ? null : nearestName(value, [...values, ...Object.keys(otherWords)]);
  const word = near ?? lower;
  const command = isOther(word) ? otherWords[word] : undefined;
  const hint = command === undefined ? `Possible values: ${values.join(', ')}.` : `To list these: ${command}`;
  const meant = near === null ? '' : `; did you mean ${quoted(near)}?`;
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
