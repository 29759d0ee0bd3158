/** What stands above a chart over time: which run, which part of it, and buttons that move in it. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { type TimeQuery, type TimeView, timeHref } from '../route.ts';
import { moved, type TimeWindow, windowText, within, zoomed } from './window.ts';

const mostRuns = 50;
const moves: readonly (readonly [key: string, name: string, text: string])[] = [
  ['ArrowLeft', 'earlier', '◀'],
  ['ArrowRight', 'later', '▶'],
  ['+', 'zoom in', '+'],
  ['-', 'zoom out', '−'],
];

/** Where a move leads; null for the whole. */
function after(key: string, shown: TimeWindow, whole: TimeWindow): TimeWindow | null {
  if (key === 'ArrowLeft') return moved(shown, whole, -0.5);
  if (key === 'ArrowRight') return moved(shown, whole, 0.5);
  if (key === '0') return null;
  return zoomed(shown, whole, key === '-' ? 2 : 0.5);
}

/** The part of the time that an address names. */
export function windowOf({ from, to }: TimeQuery): TimeWindow | null {
  return from === null || to === null ? null : { from: Date.parse(from), to: Date.parse(to) };
}

export function withWindow(query: TimeQuery, next: TimeWindow | null): TimeQuery {
  const iso = (at: number): string => new Date(Math.round(at)).toISOString();
  return next === null ? { ...query, from: null, to: null } : { ...query, from: iso(next.from), to: iso(next.to) };
}

/** Goes there without a step of its own in the history of the browser: moving in a chart makes many. */
export function replaceQuery(key: string, view: TimeView, query: TimeQuery): void {
  location.replace(timeHref(key, view, query));
}

export interface TimeBarProps {
  query: TimeQuery;
  /** Runs up to this one can be chosen. */
  lastRun: number;
  shown: TimeWindow | null;
  whole: TimeWindow | null;
  go: (query: TimeQuery) => void;
  children?: ComponentChildren;
}

export function TimeBar({ query, lastRun, shown, whole, go, children }: TimeBarProps) {
  // several keys may come before the address and the page have changed
  const latest = useRef({ query, shown, whole, go });
  latest.current = { query, shown, whole, go };
  const move = (key: string): void => {
    const { query, shown, whole, go } = latest.current;
    if (shown === null || whole === null) return;
    const next = after(key, shown, whole);
    latest.current = { ...latest.current, shown: next ?? whole, query: withWindow(query, next) };
    go(latest.current.query);
  };
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const { target } = event;
      const key = event.key === '=' ? '+' : event.key;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target instanceof HTMLElement && target.closest('input, select, textarea, dialog, pre') !== null) return;
      if (key !== '0' && !moves.some(([each]) => each === key)) return;
      event.preventDefault();
      move(key);
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
  const runs = Array.from({ length: Math.min(mostRuns, lastRun) }, (_, at) => lastRun - at);
  const isPart = windowOf(query) !== null;
  return (
    <div class="time-bar" role="toolbar" aria-label="time that is shown">
      {lastRun > 1 ? (
        <label>
          <span class="faint">run</span>{' '}
          <select
            value={query.run ?? ''}
            onChange={({ currentTarget: { value } }) =>
              go({ ...query, run: value === '' ? null : Number(value), from: null, to: null, skip: 0 })
            }
          >
            <option value="">all</option>
            {runs.map((run) => (
              <option key={run} value={run}>
                {run}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      <span class="buttons-in-line">
        {moves.map(([key, name, text]) => (
          <button
            key={key}
            type="button"
            title={`${name} ( ${key.replace('Arrow', '').toLowerCase()} )`}
            aria-label={name}
            disabled={shown === null || (name !== 'zoom in' && !isPart)}
            onClick={() => move(key)}
          >
            {text}
          </button>
        ))}
        <button type="button" title="all of the time ( 0 )" disabled={!isPart} onClick={() => move('0')}>
          whole time
        </button>
      </span>
      {children}
      <span class="faint time-text">{shown === null ? '' : windowText(shown)}</span>
    </div>
  );
}

/** The part that was chosen with the pointer; null for the whole. */
export function chosenWithin(chosen: TimeWindow | null, whole: TimeWindow): TimeWindow | null {
  return chosen === null ? null : within(chosen, whole);
}
