/** The rows of a list, asked for as they come into view; only those near the view are kept. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ListName, ListRecord } from '../api/contract.ts';
import { CallError, timedCall } from './call.ts';
import { Repeater, untilRetry } from './hooks.ts';
import type { ListQuery } from './route.ts';

export const pageRows = 100;
const mostPages = 30;
const refreshMs = 2000;

export interface Source {
  list: ListName;
  workflowKey: string;
  query: ListQuery;
}

export class Rows {
  readonly #source: Source;
  readonly #changed: () => void;
  readonly #ending = new AbortController();
  readonly #pages = new Map<number, readonly ListRecord[]>();
  readonly #refresher = new Repeater(() => this.#load(true), refreshMs);
  readonly #loader = new Repeater(() => this.#load(false), 60);
  #view: readonly number[] = [0];
  /** The end, once a page has shown it. */
  #end: number | null = null;
  error: CallError | null = null;

  constructor(source: Source, changed: () => void) {
    this.#source = source;
    this.#changed = changed;
  }

  get hasLoaded(): boolean {
    return this.#pages.size > 0;
  }

  /** How many rows there are as far as is known; `expected` where the end has not been seen. */
  count(expected: number | null): number {
    if (this.#end !== null) return this.#end;
    const seen = Math.max(0, ...[...this.#pages].map(([page, records]) => page * pageRows + records.length));
    return Math.max(expected ?? 0, expected === null && seen > 0 ? seen + 1 : seen);
  }

  /** Whether all rows are counted. */
  get isWhole(): boolean {
    return this.#end !== null;
  }

  row(index: number): ListRecord | null {
    return this.#pages.get(Math.floor(index / pageRows))?.[index % pageRows] ?? null;
  }

  /** Says which rows are drawn. */
  view(first: number, count: number): void {
    const [from, to] = [Math.floor(first / pageRows), Math.floor(Math.max(first, first + count - 1) / pageRows)];
    this.#view = Array.from({ length: to - from + 1 }, (_, at) => from + at);
    if (this.#view.some((page) => !this.#pages.has(page))) this.#loader.ask();
  }

  refresh(): void {
    this.#refresher.ask();
  }

  end(): void {
    this.#ending.abort();
    this.#refresher.end();
    this.#loader.end();
  }

  /** Resolves with what it cost. */
  async #load(again: boolean): Promise<number> {
    const wanted = this.#view.filter((page) => again || !this.#pages.has(page));
    let costMs = 0;
    try {
      for (const page of wanted) costMs += await this.#loadPage(page);
      this.error = null;
    } catch (error) {
      if (this.#ending.signal.aborted || !(error instanceof CallError)) return 0;
      this.error = error;
    }
    this.#forget();
    this.#changed();
    if (this.error?.isPassing !== true) return again ? costMs : 0;
    await untilRetry(this.#ending.signal);
    this.refresh();
    return 0;
  }

  async #loadPage(page: number): Promise<number> {
    const { list, workflowKey, query } = this.#source;
    const request = {
      list,
      workflow_key: workflowKey,
      filters: query.filters.map(({ column, value }) => ({ column, value })),
      sort_by: query.sortBy,
      reverse: query.isReversed,
      limit: pageRows,
      skip: page * pageRows,
    };
    const { reply, costMs } = await timedCall('list', request, this.#ending.signal);
    const { records, more } = reply;
    this.#pages.set(page, records);
    if (!more && (records.length > 0 || page === 0)) this.#end = page * pageRows + records.length;
    else if (more && this.#end !== null && this.#end <= (page + 1) * pageRows) this.#end = null;
    else if (!more) this.#end = Math.min(this.#end ?? page * pageRows, page * pageRows);
    return costMs;
  }

  /** The pages that are furthest from the view. */
  #forget(): void {
    const [middle = 0] = this.#view;
    const pages = [...this.#pages.keys()].sort((a, b) => Math.abs(b - middle) - Math.abs(a - middle));
    for (const page of pages.slice(0, Math.max(0, pages.length - mostPages))) this.#pages.delete(page);
  }
}

/** The rows of a list; asked for again when `version` changes. */
export function useRows(source: Source, version: number): Rows {
  const [, redraw] = useState(0);
  const id = JSON.stringify(source);
  const rows = useMemo(() => new Rows(JSON.parse(id) as Source, () => redraw((count) => count + 1)), [id]);
  useEffect(() => () => rows.end(), [rows]);
  // the version is what asks again
  useEffect(() => rows.refresh(), [rows, version]);
  return rows;
}
