/** Where the rows of a timeline and the bars in them are drawn: pixels from the top, milliseconds from left to right. */
import type { Timeline } from '../../api/contract.ts';
import { lanesOf } from './lanes.ts';

export type Span = NonNullable<Timeline['spans']>[number];
type Worker = Timeline['workers'][number];

export interface Bar {
  from: number;
  to: number;
  top: number;
  height: number;
  /** The outcome, or that it runs. */
  tone: Tone;
  span: Span;
}

export const tones = ['success', 'forgiven', 'running', 'canceled', 'terminated', 'lost', 'failed'] as const;
export type Tone = (typeof tones)[number];

export interface Row {
  label: string;
  /** All of what the label says, where that is short. */
  title: string;
  /** Null for an allocation. */
  hostname: string | null;
  top: number;
  height: number;
  /** While the node was there, and while an allocation waited for it. */
  there: readonly [from: number, to: number] | null;
  waits: readonly [from: number, to: number] | null;
  /** How many ran in each bin, of so many at once at most, and how many failed; null where bars are drawn. */
  density: { running: readonly number[]; failed: readonly number[]; most: number } | null;
}

export interface Layout {
  height: number;
  rows: readonly Row[];
  /** In the order of rows, and there of their starts. */
  bars: readonly Bar[];
  /** Where the first bin begins, and how long each is; null where there are bars. */
  from: number;
  binMs: number | null;
}

const gap = 5;
const leastHeight = 15;
const densityHeight = 30;
const tallestLane = 12;
const flattestLane = 2;
/** All lanes together are about as tall, if they do not get too flat. */
const wantedHeight = 1400;
const tallestWorker = 260;
export const mostAllocations = 12;

export function layoutOf(timeline: Timeline): Layout {
  const { workers, allocations, spans, bins, from, to } = timeline;
  const end = to === null ? 0 : Date.parse(to);
  const endOf = (instant: string | null): number => (instant === null ? end : Date.parse(instant));
  const rows: Row[] = [];
  let top = gap;
  const addRow = (row: Omit<Row, 'top'>): number => {
    const at = top;
    rows.push({ ...row, top });
    top += row.height + gap;
    return at;
  };
  for (const { slurm_job_id, name, submitted_at, started_at, ended_at, num_nodes } of allocations.slice(
    -mostAllocations,
  )) {
    const label = `allocation ${slurm_job_id ?? name}`;
    const started = started_at === null ? endOf(ended_at) : Date.parse(started_at);
    addRow({
      label,
      title: `${label}, ${num_nodes} ${num_nodes === 1 ? 'node' : 'nodes'}`,
      hostname: null,
      height: leastHeight,
      there: started_at === null ? null : [started, endOf(ended_at)],
      waits: [Date.parse(submitted_at), started],
      density: null,
    });
  }
  const placed = workers.map((worker) => placedIn(worker, spans ?? [], end));
  const numLanes = placed.reduce((sum, each) => sum + Math.max(1, each.numLanes), 0);
  const laneHeight = Math.min(tallestLane, Math.max(flattestLane, Math.floor(wantedHeight / Math.max(1, numLanes))));
  const binned = new Map(bins?.workers.map((each) => [each.compute_node_key, each]) ?? []);
  const bars: Bar[] = [];
  for (const [index, worker] of workers.entries()) {
    const { busy, places, numLanes } = placed[index] as Placed;
    const own = binned.get(worker.compute_node_key);
    const lane = Math.min(laneHeight, tallestWorker / Math.max(1, numLanes));
    const cpus = worker.num_cpus * worker.num_nodes;
    const row = addRow({
      label: worker.hostname,
      hostname: worker.hostname,
      title: `${worker.hostname}, ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}${worker.slurm_job_id === null ? '' : `, Slurm job ${worker.slurm_job_id}`}`,
      height: bins !== null ? densityHeight : Math.max(leastHeight, numLanes * lane),
      there: [Date.parse(worker.started_at), endOf(worker.ended_at)],
      waits: null,
      density:
        own === undefined
          ? null
          : { running: own.running, failed: own.failed, most: Math.max(cpus, 1, ...own.running) },
    });
    for (const [at, { span, start, end: stopped }] of busy.entries()) {
      for (const [first, count] of places[at] ?? []) {
        const height = count * lane - (lane >= 3 ? 1 : 0);
        const tone = (span.outcome ?? 'running') as Tone;
        bars.push({ from: start, to: stopped, top: row + first * lane, height, tone, span });
      }
    }
  }
  return {
    height: top,
    rows,
    bars,
    from: from === null ? 0 : Date.parse(from),
    binMs: bins === null ? null : bins.bin_seconds * 1000,
  };
}

interface Placed {
  busy: { span: Span; start: number; end: number; numCpus: number }[];
  places: ReturnType<typeof lanesOf>['places'];
  numLanes: number;
}

function placedIn({ compute_node_key }: Worker, spans: readonly Span[], now: number): Placed {
  const busy = spans
    .filter((span) => span.compute_node_key === compute_node_key)
    .map((span) => {
      const start = Date.parse(span.started_at);
      const end = span.ended_at === null ? Math.max(start, now) : Date.parse(span.ended_at);
      return { span, start, end, numCpus: span.num_cpus };
    })
    .sort((a, b) => a.start - b.start);
  return { busy, ...lanesOf(busy) };
}

/** The bar at a place, or next to it within a few pixels; `msPerPixel` is the scale from left to right. */
export function barAt(layout: Layout, at: number, y: number, msPerPixel: number): Bar | null {
  const reach = 3 * msPerPixel;
  let nearest: Bar | null = null;
  let distance = reach;
  for (const bar of layout.bars) {
    if (y < bar.top || y > bar.top + bar.height + 1) continue;
    const off = at < bar.from ? bar.from - at : at > bar.to ? at - bar.to : 0;
    // of bars that are narrower than a pixel the last one is on top
    if (off <= distance) [nearest, distance] = [bar, off];
  }
  return nearest;
}

/** Whether both are the same attempt. */
export function isSame(a: Span, b: Span): boolean {
  return a.job_key === b.job_key && a.run_id === b.run_id && a.attempt_id === b.attempt_id;
}

/** The row at a place. */
export function rowAt(layout: Layout, y: number): Row | null {
  return layout.rows.find(({ top, height }) => y >= top && y <= top + height) ?? null;
}
