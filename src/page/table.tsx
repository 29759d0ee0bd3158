// biome-ignore-all lint/a11y/useSemanticElements: rows that are placed by hand cannot be rows of a table element
// biome-ignore-all lint/a11y/useFocusableInteractive: the table has the focus, and says which row is the active one
/** A long table: only the rows in view are drawn, and walked through with the keyboard. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { cellOf, columnsOf, fitting, hrefOf, isNumber, template } from './columns.tsx';
import { formatCount } from './format.ts';
import { Empty, Trouble } from './parts.tsx';
import type { ListQuery } from './route.ts';
import { type Source, useRows } from './table-rows.ts';
import { scrollToShow, windowOf } from './virtual.ts';

const rowHeight = 27;

export interface TableProps {
  source: Source;
  version: number;
  /** How many rows there are, where that is known beforehand. */
  expected: number | null;
  sort: (query: ListQuery) => void;
  /** What is said where there are no rows. */
  empty: ComponentChildren;
}

export function Table({ source, version, expected, sort, empty }: TableProps) {
  const rows = useRows(source, version);
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600, width: 900 });
  const [active, setActive] = useState(0);
  // keys can come faster than the page is drawn: each one moves from where the last one went
  const cursor = useRef(0);
  const activate = (index: number): void => {
    cursor.current = index;
    setActive(index);
  };
  const numRows = rows.count(expected);
  const id = JSON.stringify(source);
  // another list begins at its top: what was in view of the one before is not asked for
  const viewedId = useRef(id);
  const shown = windowOf(numRows, rowHeight, viewedId.current === id ? view.top : 0, view.height);
  const columns = fitting(columnsOf[source.list] ?? [], view.width - 24);
  const style = { gridTemplateColumns: template(columns) };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = (): void =>
      setView({ top: element.scrollTop, height: element.clientHeight, width: element.clientWidth });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  useEffect(() => rows.view(shown.first, Math.max(1, shown.count)), [rows, shown.first, shown.count]);
  useLayoutEffect(() => {
    viewedId.current = id;
    activate(0);
    scroller.current?.scrollTo({ top: 0 });
    setView((before) => ({ ...before, top: 0 }));
  }, [id]);

  const go = (index: number): void => {
    const next = Math.max(0, Math.min(numRows - 1, index));
    activate(next);
    const element = scroller.current;
    if (element === null) return;
    const top = scrollToShow(next, numRows, rowHeight, element.scrollTop, element.clientHeight - rowHeight);
    if (top !== null) element.scrollTo({ top });
  };
  const open = (index: number): void => {
    const href = hrefOf(rows.row(index) ?? {});
    if (href !== null) location.hash = href;
  };
  const moves: Record<string, () => void> = {
    j: () => go(cursor.current + 1),
    ArrowDown: () => go(cursor.current + 1),
    k: () => go(cursor.current - 1),
    ArrowUp: () => go(cursor.current - 1),
    PageDown: () => go(cursor.current + Math.floor(view.height / rowHeight) - 2),
    PageUp: () => go(cursor.current - Math.floor(view.height / rowHeight) + 2),
    Home: () => go(0),
    End: () => go(numRows - 1),
    Enter: () => open(cursor.current),
  };
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { target, key } = event;
      const isElsewhere =
        target instanceof HTMLElement && target.closest('input, select, textarea, button, a, dialog') !== null;
      if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
      const move = moves[key];
      if (move === undefined) return;
      event.preventDefault();
      move();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  });

  const indices = Array.from({ length: shown.count }, (_, at) => shown.first + at);
  const isCounted = rows.isWhole || expected !== null;
  const numShown = isCounted ? numRows : Math.max(0, numRows - 1);
  return (
    <div class="table">
      <div
        class="grid"
        role="grid"
        tabIndex={0}
        aria-activedescendant={`row-${active}`}
        aria-label={source.list.replace('_', ' ')}
        aria-rowcount={isCounted ? numRows + 1 : -1}
      >
        <div class="row head" role="row" style={style}>
          {columns.map((column) => (
            <Heading key={column.name} column={column} query={source.query} sort={sort} />
          ))}
        </div>
        <div class="scroller" ref={scroller} role="rowgroup">
          <div class="rows" style={{ height: `${shown.height}px` }}>
            <div class="drawn" style={{ transform: `translateY(${shown.top}px)` }}>
              {indices.map((index) => {
                const record = rows.row(index);
                const tone = record?.outcome === 'failed' || record?.orphaned === true ? ' failed' : '';
                return (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard is handled for the whole table
                  <div
                    key={index}
                    id={`row-${index}`}
                    class={`row${index === active ? ' active' : ''}${tone}`}
                    role="row"
                    tabIndex={-1}
                    aria-rowindex={index + 2}
                    aria-selected={index === active}
                    style={style}
                    onClick={(event) => {
                      activate(index);
                      if (!(event.target instanceof HTMLAnchorElement)) open(index);
                    }}
                  >
                    {record === null ? (
                      <div class="cell faint">..</div>
                    ) : (
                      columns.map((column) => (
                        <div
                          key={column.name}
                          class={isNumber(column) ? 'cell number' : 'cell'}
                          role="gridcell"
                          title={
                            column.kind === 'text' || column.kind === 'json' ? asTitle(record[column.name]) : undefined
                          }
                        >
                          {column.name === 'name' && hrefOf(record) !== null ? (
                            <a href={hrefOf(record) ?? ''} tabIndex={-1}>
                              {cellOf(column, record)}
                            </a>
                          ) : (
                            cellOf(column, record)
                          )}
                        </div>
                      ))
                    )}
                  </div>
                );
              })}
            </div>
          </div>
          {rows.hasLoaded && numRows === 0 ? <Empty>{empty}</Empty> : null}
          {rows.error === null ? null : <Trouble error={rows.error} />}
        </div>
      </div>
      <div class="foot faint" aria-live="polite">
        {rows.hasLoaded
          ? `${formatCount(numShown)}${isCounted ? '' : '+'} ${isCounted && numShown === 1 ? 'row' : 'rows'}`
          : 'loading ..'}
        {columns.length < (columnsOf[source.list]?.length ?? 0) ? ' · a wider window shows more columns' : ''}
      </div>
    </div>
  );
}

function asTitle(value: unknown): string | undefined {
  if (value == null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

interface HeadingProps {
  column: ReturnType<typeof fitting>[number];
  query: ListQuery;
  sort: (query: ListQuery) => void;
}

function Heading({ column, query, sort }: HeadingProps) {
  const isSorted = query.sortBy === column.name;
  const direction = !isSorted ? 'none' : query.isReversed ? 'descending' : 'ascending';
  // ascending, descending, and back to the order of the list
  const next = !isSorted
    ? { ...query, sortBy: column.name, isReversed: false }
    : query.isReversed
      ? { ...query, sortBy: null, isReversed: false }
      : { ...query, isReversed: true };
  return (
    <div class={isNumber(column) ? 'cell number' : 'cell'} role="columnheader" aria-sort={direction}>
      <button type="button" class="quiet" onClick={() => sort(next)}>
        {column.title}
        {isSorted ? (query.isReversed ? ' ↓' : ' ↑') : ''}
      </button>
    </div>
  );
}
