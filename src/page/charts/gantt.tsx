/** Attempts as bars, by worker and CPU; with too many of them, how many ran and failed at once. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Timeline } from '../../api/contract.ts';
import { formatDuration } from '../format.ts';
import { jobHref } from '../route.ts';
import type { Colors } from './colors.ts';
import { drawLayout } from './gantt-drawing.ts';
import { type Bar, barAt, isSame, type Layout, layoutOf, type Row, rowAt, type Span } from './gantt-layout.ts';
import { type Chart, type Look, Plot, timeAxisHeight } from './plot.tsx';
import { type TimeWindow, zoomed } from './window.ts';

export interface GanttProps {
  timeline: Timeline;
  shown: TimeWindow;
  whole: TimeWindow;
  choose: (chosen: TimeWindow | null) => void;
  /** Where the name of a node leads. */
  nodeHref: (hostname: string) => string;
}

interface Pointed {
  bar: Bar | null;
  row: Row;
  at: number;
  left: number;
  top: number;
}

export function Gantt({ timeline, shown, whole, choose, nodeHref }: GanttProps) {
  const layout = useMemo(() => layoutOf(timeline), [timeline]);
  const chart = useRef<Chart | null>(null);
  const [pointed, setPointed] = useState<Pointed | null>(null);
  const [active, setActive] = useState<Span | null>(null);
  // keys and the pointer come faster than the page is drawn
  const latest = useRef({ layout, shown, whole, choose, active });
  latest.current = { layout, shown, whole, choose, active: latest.current?.active ?? null };

  const activate = (span: Span | null): void => {
    latest.current.active = span;
    setActive(span);
    chart.current?.redraw(false);
  };
  useKeys((key) => {
    const { layout, active } = latest.current;
    if (key === 'Enter') {
      if (active !== null) location.hash = hrefOf(active);
      return active !== null;
    }
    const step = { j: 1, k: -1 }[key];
    if (step === undefined || layout.bars.length === 0) return false;
    activate(next(layout, active, step));
    return true;
  });

  const look = (colors: Colors): Look => {
    let hasDragged = false;
    return {
      series: [{ show: false }],
      valueText: null,
      most: null,
      isTimeOnTop: true,
      hooks: {
        draw: [(drawn) => drawLayout(drawn, latest.current.layout, colors, latest.current.active)],
        setCursor: [(moved) => setPointed(pointedAt(moved, latest.current.layout))],
        setSelect: [(chosen) => (hasDragged = chosen.select.width >= 4)],
        ready: [
          ({ over }) => {
            over.addEventListener('mousedown', () => (hasDragged = false));
            over.addEventListener('click', () => {
              if (hasDragged || chart.current === null) return;
              const { layout, shown, whole, choose } = latest.current;
              const found = pointedAt(chart.current, layout);
              if (found?.bar != null) location.hash = hrefOf(found.bar.span);
              else if (found !== null && found.row.density !== null) choose(zoomed(shown, whole, 0.2, found.at));
            });
          },
        ],
      },
    };
  };
  const data = useMemo<[number[], number[]]>(() => [[], []], [layout, shown.from, shown.to]);
  return (
    <div class="gantt">
      <div class="gantt-labels" style={{ height: `${timeAxisHeight + layout.height}px` }}>
        {layout.rows.map(({ label, title, hostname, top, height }) => (
          <div
            key={`${top}`}
            class="gantt-label"
            title={title}
            style={{ top: `${timeAxisHeight + top}px`, height: `${height}px` }}
          >
            {hostname === null ? label : <a href={nodeHref(hostname)}>{label}</a>}
          </div>
        ))}
      </div>
      <div class={pointed?.bar == null ? 'gantt-plot' : 'gantt-plot pointing'}>
        <Plot
          look={look}
          data={data}
          shown={shown}
          height={timeAxisHeight + layout.height}
          choose={(chosen) => choose(chosen)}
          chart={chart}
        />
        {pointed === null ? null : (
          <div class="tip" style={{ left: `${pointed.left}px`, top: `${pointed.top}px` }}>
            {pointed.bar === null ? rowText(pointed, layout) : spanText(pointed.bar.span)}
          </div>
        )}
      </div>
      <p class="sr-only" aria-live="polite">
        {active === null ? '' : spanText(active)}
      </p>
      {active === null ? null : (
        <p class="gantt-active">
          <a href={hrefOf(active)}>{spanText(active)}</a>
        </p>
      )}
    </div>
  );
}

/** Keys that nothing else on the page has; `press` says whether it did something. */
function useKeys(press: (key: string) => boolean): void {
  const latest = useRef(press);
  latest.current = press;
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      const { target, key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const isIn = (places: string): boolean => target instanceof HTMLElement && target.closest(places) !== null;
      if (isIn('input, select, textarea, dialog') || (key === 'Enter' && isIn('a, button, summary'))) return;
      if (latest.current(key)) event.preventDefault();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}

export function hrefOf({ job_key, run_id, attempt_id }: Span): string {
  return jobHref(job_key, `${run_id}.${attempt_id}`);
}

/** The attempt after or before this one, in the order in which they are drawn. */
function next({ bars }: Layout, active: Span | null, step: number): Span | null {
  const isActive = ({ span }: Bar): boolean => active !== null && isSame(span, active);
  const at = step > 0 ? bars.findLastIndex(isActive) : bars.findIndex(isActive);
  if (at < 0) return (step > 0 ? bars[0] : bars.at(-1))?.span ?? null;
  return (bars[Math.max(0, Math.min(bars.length - 1, at + step))] ?? bars[at])?.span ?? null;
}

function pointedAt(chart: Chart, layout: Layout): Pointed | null {
  const { left = -1, top = -1 } = chart.cursor;
  if (left < 0 || top < 0) return null;
  const at = chart.posToVal(left, 'x');
  const msPerPixel = Math.abs(chart.posToVal(1, 'x') - chart.posToVal(0, 'x'));
  const row = rowAt(layout, top);
  if (row === null) return null;
  const isRight = left > chart.over.clientWidth / 2;
  return {
    bar: barAt(layout, at, top, msPerPixel),
    row,
    at,
    left: isRight ? left - 12 - tipWidth : left + 14,
    top: top + timeAxisHeight + 14,
  };
}

const tipWidth = 300;

/** `sim_7, attempt 1: failed (3), 12 s, 2 CPUs, from 10:04:05`. */
export function spanText({
  job_name,
  job_key,
  outcome,
  cause,
  return_code,
  started_at,
  ended_at,
  num_cpus,
  attempt_id,
}: Span): string {
  const end = ended_at === null ? Date.now() : Date.parse(ended_at);
  const took = formatDuration(Math.max(0, end - Date.parse(started_at)) / 1000);
  const how =
    outcome === null
      ? 'running'
      : outcome === 'failed'
        ? `failed (${return_code ?? cause})`
        : outcome === 'success'
          ? 'succeeded'
          : outcome;
  const cpus = `${num_cpus} ${num_cpus === 1 ? 'CPU' : 'CPUs'}`;
  const from = new Date(started_at).toLocaleTimeString('en-GB');
  return `${job_name ?? 'deleted job'} (${job_key}), attempt ${attempt_id}: ${how}, ${took}, ${cpus}, from ${from}`;
}

function rowText({ row, at }: Pointed, { from, binMs }: Layout): string {
  if (row.density === null || binMs === null) return row.title;
  const bin = Math.floor((at - from) / binMs);
  const [running, failed] = [row.density.running[bin] ?? 0, row.density.failed[bin] ?? 0];
  const failures = failed === 0 ? '' : `, ${failed} failed`;
  return `${row.title}: ${Math.round(running * 10) / 10} at once${failures}; click to look closer`;
}
