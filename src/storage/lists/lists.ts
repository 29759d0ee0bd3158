/** Rows of lists: sorting and pages. Stored integers become keys as text, ISO 8601 instants and booleans only here. */
import type { ListRecord, RecordOf, Reply, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { parseJson } from '../../base/exact-json.ts';
import { type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Database } from '../database/database.ts';
import { type Column, type Kind, type ListDefinition, sqlOf } from './columns.ts';
import { cannotMatch, conditionsOf, findColumn, jobsOfPage } from './conditions.ts';
import { definitions } from './list-definitions.ts';

/**
 * One page of a list. Throws TorcError 'usage' for a column that the list does not have. `mostFound`: how many rows a
 * filter may find by itself.
 */
export function readList(db: Database, request: Request<'list'>, mostFound?: number): Reply<'list'> {
  const definition = definitions[request.list];
  const found = [conditionsOf(db, request, mostFound), jobsOfPage(db, request)].filter((each) => each !== null);
  const [conditions, values] = [found.map(({ sql }) => sql).join(' AND '), found.flatMap((each) => each.values)];
  const sort = request.sort_by === null ? null : findColumn(request.list, request.sort_by);
  const order = orderOf(definition, sort && (sort.order ?? sqlOf(sort)), request.reverse ? 'DESC' : 'ASC');
  if (cannotMatch(db, request)) return { records: [], more: false };
  const page = `WHERE ${conditions} ORDER BY ${order} LIMIT ? OFFSET ?`;
  const sql = `SELECT ${selected(definition)} FROM ${pageOf(definition, page, order, request)}`;
  const rows = db.allRows(sql, ...values, request.limit + 1, request.skip);
  return {
    records: rows.slice(0, request.limit).map((row) => render(definition.columns, row)),
    more: rows.length > request.limit,
  };
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
