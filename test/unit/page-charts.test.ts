/** What the dashboard's charts compute: parts of the time, marks, lanes, rows and bars, lines, pieces of samples. */
import { describe, expect, it } from 'vitest';
import type { Timeline, Utilization } from '../../src/api/contract.ts';
import { inPieces } from '../../src/cli/answers/read-series.ts';
import { barAt, layoutOf, rowAt } from '../../src/page/charts/gantt-layout.ts';
import { lanesOf } from '../../src/page/charts/lanes.ts';
import { axisMost, lineData, panelsOf } from '../../src/page/charts/utilization-panels.ts';
import { markTexts, moved, windowText, within, zoomed } from '../../src/page/charts/window.ts';
import { parseRoute, timeHref, wholeTime } from '../../src/page/route.ts';

const start = Date.parse('2026-11-30T10:00:00Z');
const at = (seconds: number): string => new Date(start + seconds * 1000).toISOString();

describe('parts of a time', () => {
  const whole = { from: 1000, to: 9000 };

  it('are zoomed around an instant, and are the whole again', () => {
    expect(zoomed(whole, whole, 0.5)).toEqual({ from: 3000, to: 7000 });
    expect(zoomed(whole, whole, 0.5, 1000)).toEqual({ from: 1000, to: 5000 });
    expect(zoomed({ from: 3000, to: 7000 }, whole, 2)).toBeNull();
    expect(zoomed({ from: 1000, to: 3000 }, whole, 2, 1000)).toEqual({ from: 1000, to: 5000 });
    // never so short that nothing is left
    expect(zoomed({ from: 5000, to: 5030 }, whole, 0.1)).toEqual({ from: 5005, to: 5025 });
  });

  it('move as far as there is time, and keep their length', () => {
    expect(moved({ from: 3000, to: 5000 }, whole, 0.5)).toEqual({ from: 4000, to: 6000 });
    expect(moved({ from: 3000, to: 5000 }, whole, -5)).toEqual({ from: 1000, to: 3000 });
    expect(moved({ from: 3000, to: 5000 }, whole, 50)).toEqual({ from: 7000, to: 9000 });
    expect(within({ from: -500, to: 2000 }, whole)).toEqual({ from: 1000, to: 2000 });
    expect(within({ from: -500, to: 20_000 }, whole)).toBeNull();
  });

  it('have an address', () => {
    const query = { run: 2, from: at(0), to: at(5), skip: 16, node: 'node 1' };
    expect(parseRoute(timeHref('7', 'timeline', query))).toEqual({ page: 'time', key: '7', view: 'timeline', query });
    expect(parseRoute(timeHref('7', 'nodes'))).toEqual({ page: 'time', key: '7', view: 'nodes', query: wholeTime });
    const odd = '#/workflows/7/utilization?run=x&from=never&to=2026-11-30T10:00:00Z&skip=-1';
    expect(parseRoute(odd)).toMatchObject({ page: 'time', query: wholeTime });
    const backwards = `#/workflows/7/timeline?from=${at(5)}&to=${at(0)}`;
    expect(parseRoute(backwards)).toMatchObject({ query: { from: null, to: null } });
  });

  it('are written with the date once, and without texts that begin outside of the picture', () => {
    const noon = new Date(2026, 10, 30, 12).getTime();
    const marks = [0, 1, 2].map((n) => noon + n * 60_000);
    expect(markTexts(marks, 60_000, noon - 3_600_000, 100)).toEqual(['11-30 12:00', '12:01', '12:02']);
    // then the date is at the next one
    expect(markTexts(marks, 60_000, noon - 1000, 1000)).toEqual(['', '11-30 12:01', '12:02']);
    expect(markTexts([noon, noon + 500], 500, 0, 1)).toEqual(['11-30 12:00:00.000', '12:00:00.500']);
    expect(windowText({ from: noon, to: noon + 60_000 })).toBe('2026-11-30 12:00:00 to 12:01:00');
    expect(windowText({ from: noon, to: noon + 86_400_000 })).toBe('2026-11-30 12:00:00 to 2026-12-01 12:00:00');
  });
});

it('attempts take the lowest CPUs that are free, beside each other or not', () => {
  const spans = [
    { start: 0, end: 10, numCpus: 1 },
    { start: 0, end: 30, numCpus: 1 },
    { start: 5, end: 30, numCpus: 1 },
    { start: 10, end: 20, numCpus: 2 },
    { start: 20, end: 25, numCpus: 1 },
  ];
  expect(lanesOf(spans)).toEqual({
    places: [
      [[0, 1]],
      [[1, 1]],
      [[2, 1]],
      [
        [0, 1],
        [3, 1],
      ],
      [[0, 1]],
    ],
    numLanes: 4,
  });
  expect(lanesOf([])).toEqual({ places: [], numLanes: 0 });
});

function timeline(changes: Partial<Timeline> = {}): Timeline {
  const worker = {
    ...{ allocation_key: null, slurm_job_id: null, num_nodes: 1, memory_bytes: 1, num_gpus: 0 },
    ...{ started_at: at(0), ended_at: null, num_spans: 1, num_slots: 1 },
  };
  const span = {
    ...{ run_id: 1, attempt_id: 1, started_at: at(0), cause: null, return_code: null, num_cpus: 1, num_gpus: 0 },
    slot: 0,
  };
  return {
    ...{ workflow_key: '1', from: at(0), to: at(100), num_workers: 2, num_allocations: 1, num_spans: 3 },
    ...{ bins: null, at_once: null },
    workers: [
      { ...worker, compute_node_key: '1', hostname: 'a', num_cpus: 2 },
      { ...worker, compute_node_key: '2', hostname: 'b', num_cpus: 2 },
    ],
    allocations: [
      {
        ...{ allocation_key: '1', name: 'alloc', slurm_job_id: '77', status: 'running', num_nodes: 2 },
        ...{ submitted_at: at(-50), started_at: at(-10), ended_at: null },
      },
    ],
    spans: [
      { ...span, compute_node_key: '1', job_key: '1', job_name: 'x', ended_at: at(50), outcome: 'success' },
      { ...span, compute_node_key: '1', job_key: '2', job_name: 'y', ended_at: null, outcome: null },
      { ...span, compute_node_key: '2', job_key: '3', job_name: 'z', ended_at: at(60), outcome: 'failed', num_cpus: 2 },
    ],
    ...changes,
  };
}

describe('the rows of a timeline', () => {
  it('are allocations and then workers, with a bar for each attempt', () => {
    const { rows, bars, height, binMs } = layoutOf(timeline());
    expect(rows.map(({ label }) => label)).toEqual(['allocation 77', 'a', 'b']);
    expect(rows[0]).toMatchObject({
      waits: [start - 50_000, start - 10_000],
      there: [start - 10_000, start + 100_000],
    });
    expect(bars.map(({ tone, span }) => [tone, span.job_name])).toEqual([
      ['success', 'x'],
      ['running', 'y'],
      ['failed', 'z'],
    ]);
    // what runs lasts until the end of the reply
    expect(bars[1]).toMatchObject({ from: start, to: start + 100_000 });
    expect(bars[1]?.top).toBeGreaterThan(bars[0]?.top ?? 0);
    expect(bars[2]?.height).toBeGreaterThan((bars[0]?.height ?? 0) * 2);
    const last = rows.at(-1);
    expect(height).toBeGreaterThan((last?.top ?? 0) + (last?.height ?? 0));
    expect(binMs).toBeNull();
  });

  it('tell what the pointer is at, also beside a bar of less than a pixel', () => {
    const layout = layoutOf(timeline());
    const [x, y] = layout.bars;
    expect(barAt(layout, start + 1000, (x?.top ?? 0) + 1, 100)?.span.job_name).toBe('x');
    expect(barAt(layout, start + 1000, (y?.top ?? 0) + 1, 100)?.span.job_name).toBe('y');
    expect(barAt(layout, start + 50_200, (x?.top ?? 0) + 1, 100)?.span.job_name).toBe('x');
    expect(barAt(layout, start + 51_000, (x?.top ?? 0) + 1, 100)).toBeNull();
    expect(rowAt(layout, (x?.top ?? 0) + 1)?.label).toBe('a');
    expect(rowAt(layout, layout.height)).toBeNull();
  });

  it('count attempts by time where the reply does, over the CPUs or what ran at most', () => {
    const bins = {
      bin_seconds: 50,
      workers: [
        { compute_node_key: '1', running: [1, 3], failed: [0, 2] },
        { compute_node_key: '2', running: [1, 0.5], failed: [0, 0] },
      ],
    };
    const { rows, bars, binMs, from } = layoutOf(timeline({ spans: null, bins }));
    expect({ bars, binMs, from }).toEqual({ bars: [], binMs: 50_000, from: start });
    expect(rows.map(({ density }) => density?.most)).toEqual([undefined, 3, 2]);
  });

  it('stay of a bearable height with many CPUs', () => {
    const [first] = timeline().spans ?? [];
    if (first === undefined) throw new Error('no span');
    const spans = Array.from({ length: 500 }, (_, index) => ({ ...first, job_key: String(index + 1) }));
    const { rows, height } = layoutOf(timeline({ spans }));
    expect(rows[1]?.height).toBe(260);
    expect(height).toBeLessThan(400);
  });
});

describe('charts of utilization', () => {
  const bin = {
    ...{ num_nodes: 1, num_pending_nodes: 0, num_running: 1, num_cpus: 64, job_cpus: 4, used_cpus: null },
    ...{ memory_bytes: 100, job_memory_bytes: 50, used_memory_bytes: 20, num_gpus: 0, job_gpus: 0 },
  };
  const utilization: Utilization = {
    ...{ workflow_key: '1', from: at(0), to: at(25), bin_seconds: 10, num_attempts: 3, average: bin },
    bins: [0, 10, 20].map((seconds) => ({ ...bin, start: at(seconds) })),
  };

  it('show what there is and what was measured', () => {
    const shown = panelsOf(utilization).map(({ name, lines }) => [name, lines.map(({ tone }) => tone)]);
    expect(shown).toEqual([
      ['CPUs', ['had', 'given']],
      ['Memory', ['had', 'given', 'used']],
      ['Nodes', ['had']],
    ]);
    const waiting = {
      ...utilization,
      bins: utilization.bins.map((each) => ({ ...each, num_gpus: 2, num_pending_nodes: 1 })),
    };
    expect(
      panelsOf(waiting)
        .map(({ name, lines }) => [name, lines.length])
        .slice(2),
    ).toEqual([
      ['GPUs', 2],
      ['Nodes', 2],
    ]);
  });

  it('have an axis of what jobs had where the nodes had much more, and end where the time does', () => {
    const [cpus, memory] = panelsOf(utilization);
    expect(axisMost(utilization.bins, cpus?.lines ?? [], 64)).toBeCloseTo(4 * 1.25 * 1.05);
    expect(axisMost(utilization.bins, memory?.lines ?? [], 100)).toBeCloseTo(105);
    expect(axisMost([], [], 0)).toBe(1);
    const [times, had] = lineData(cpus?.lines ?? [], utilization);
    expect(times).toEqual([0, 10, 20, 25].map((seconds) => start + seconds * 1000));
    expect(had).toEqual([64, 64, 64, 64]);
  });
});

it('many samples become pieces with the most memory of each, and what it kept busy', () => {
  const few = inPieces([
    [1, 100, 0.5],
    [3, 50, 2.5],
    [4, 70, 2],
  ]);
  // CPU time gets less when a process has ended
  expect(few).toEqual({ seconds: [1, 3, 4], memory_bytes: [100, 50, 70], cpus: [0.5, 1, 0] });
  const samples = Array.from(
    { length: 60_000 },
    (_, index) => [index + 1, index === 30_050 ? 999 : 1, (index + 1) * 2] as const,
  );
  const { seconds, memory_bytes, cpus } = inPieces(samples);
  expect(seconds).toHaveLength(600);
  expect(seconds.at(-1)).toBe(60_000);
  expect(memory_bytes.filter((bytes) => bytes === 999)).toHaveLength(1);
  expect(new Set(cpus)).toEqual(new Set([2]));
});
