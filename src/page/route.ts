/** Where the page is: the fragment of its address, so that every view can be shared and bookmarked. */
import type { ListName } from '../api/contract.ts';
import type { ListFilter } from './filters.ts';

/** What a list shows, in the words of the list commands. */
export interface ListQuery {
  filters: readonly ListFilter[];
  sortBy: string | null;
  isReversed: boolean;
}

export type Route =
  | { page: 'workflows' }
  | { page: 'workflow'; key: string }
  | { page: 'graph'; key: string; open: string | null }
  | { page: 'list'; key: string; list: ListName; query: ListQuery }
  | { page: 'job'; key: string; attempt: string | null }
  | { page: 'time'; key: string; view: TimeView; query: TimeQuery }
  | { page: 'unknown' };

/** Pages of a workflow about when things ran and what they used. */
export const timeViews = ['timeline', 'utilization', 'resources', 'nodes'] as const;
export type TimeView = (typeof timeViews)[number];

/** Which part of the time is shown, in the words of `torc reports timeline`. */
export interface TimeQuery {
  /** Null for all runs together. */
  run: number | null;
  /** Instants; null for the whole. */
  from: string | null;
  to: string | null;
  /** How many workers are left out before the first that is shown, and of which node they are. */
  skip: number;
  node: string | null;
}

export const wholeTime: TimeQuery = { run: null, from: null, to: null, skip: 0, node: null };

/** Lists of a workflow that have a page. */
export const shownLists = [
  'jobs',
  'results',
  'events',
  'compute_nodes',
  'allocations',
  'files',
  'user_data',
  'runs',
] as const satisfies readonly ListName[];

export const wholeList: ListQuery = { filters: [], sortBy: null, isReversed: false };

export function parseRoute(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?');
  const [first = '', key = '', last, ...others] = path.split('/').filter((part) => part !== '');
  const words = new URLSearchParams(search);
  if (first === '') return { page: 'workflows' };
  if (!isKey(key) || others.length > 0) return { page: 'unknown' };
  if (first === 'jobs' && last === undefined) return { page: 'job', key, attempt: words.get('attempt') };
  if (first !== 'workflows') return { page: 'unknown' };
  if (last === undefined) return { page: 'workflow', key };
  if (last === 'graph') return { page: 'graph', key, open: keyOf(words.get('open')) };
  const view = timeViews.find((name) => name === last);
  if (view !== undefined) return { page: 'time', key, view, query: timeQueryOf(words) };
  const list = shownLists.find((name) => name === last);
  return list === undefined ? { page: 'unknown' } : { page: 'list', key, list, query: queryOf(words) };
}

function isKey(word: string): boolean {
  return /^[1-9]\d{0,15}$/.test(word);
}

function keyOf(word: string | null): string | null {
  return word !== null && isKey(word) ? word : null;
}

function queryOf(words: URLSearchParams): ListQuery {
  const filters = words.getAll('f').flatMap((text) => {
    const at = text.indexOf('=');
    return at <= 0 ? [] : [{ column: text.slice(0, at), value: text.slice(at + 1) }];
  });
  return { filters, sortBy: words.get('sort'), isReversed: words.has('reverse') };
}

function timeQueryOf(words: URLSearchParams): TimeQuery {
  const number = (name: string): number | null => {
    const text = words.get(name) ?? '';
    return /^\d{1,9}$/.test(text) ? Number(text) : null;
  };
  const instant = (name: string): string | null => {
    const at = Date.parse(words.get(name) ?? '');
    return Number.isNaN(at) ? null : new Date(at).toISOString();
  };
  const [from, to] = [instant('from'), instant('to')];
  const isPart = from !== null && to !== null && from < to;
  const run = number('run');
  return {
    run: run === 0 ? null : run,
    ...(isPart ? { from, to } : { from: null, to: null }),
    skip: number('skip') ?? 0,
    node: words.get('node'),
  };
}

export function timeHref(key: string, view: TimeView, { run, from, to, skip, node }: TimeQuery = wholeTime): string {
  const words = new URLSearchParams();
  if (run !== null) words.set('run', String(run));
  if (from !== null && to !== null) {
    words.set('from', from);
    words.set('to', to);
  }
  if (skip > 0) words.set('skip', String(skip));
  if (node !== null) words.set('node', node);
  const search = words.toString();
  return `#/workflows/${key}/${view}${search === '' ? '' : `?${search}`}`;
}

export function workflowHref(key: string): string {
  return `#/workflows/${key}`;
}

/** `open`: a job whose group is shown. */
export function graphHref(key: string, open: string | null = null): string {
  return `#/workflows/${key}/graph${open === null ? '' : `?open=${open}`}`;
}

export function listHref(key: string, list: ListName, query: Partial<ListQuery> = {}): string {
  const words = new URLSearchParams();
  for (const { column, value } of query.filters ?? []) words.append('f', `${column}=${value}`);
  if (query.sortBy != null) words.set('sort', query.sortBy);
  if (query.isReversed === true) words.set('reverse', '');
  const search = words.toString();
  return `#/workflows/${key}/${list}${search === '' ? '' : `?${search}`}`;
}

/** `attempt`: run and attempt, such as 2.1; null for the last one. */
export function jobHref(key: string, attempt: string | null = null): string {
  return `#/jobs/${key}${attempt === null ? '' : `?attempt=${attempt}`}`;
}
