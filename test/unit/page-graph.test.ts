/** What the dashboard computes for the graph of a workflow: the view, the layout, and what is said about groups. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Box,
  begun,
  type Camera,
  fitted,
  moved,
  showing,
  uncovered,
  zoomed,
} from '../../src/page/graph/camera.ts';
import { countsOf, cut, type Group, groupHref, shareOf, spoken, statusOf } from '../../src/page/graph/groups.ts';
import { layOut } from '../../src/page/graph/layout.ts';
import { withoutImplied } from '../../src/page/graph/reduction.ts';
import { graphHref, parseRoute } from '../../src/page/route.ts';

const view = { width: 800, height: 500 };
const length = fc.integer({ min: 1, max: 20_000 });
const cameras = fc.record({
  x: fc.integer({ min: -5000, max: 5000 }),
  y: fc.integer({ min: -5000, max: 5000 }),
  zoom: fc.double({ min: 0.1, max: 2, noNaN: true }),
});

function shown({ x, y, zoom }: Camera, box: Box): { left: number; top: number; right: number; bottom: number } {
  const [left, top] = [box.x * zoom + x, box.y * zoom + y];
  return { left, top, right: left + box.width * zoom, bottom: top + box.height * zoom };
}

describe('the view of a drawing', () => {
  it('fits all of it, in the middle and not blown up', () => {
    for (const [width, height] of [
      [200, 60],
      [3000, 400],
      [400, 3000],
    ] as const) {
      const camera = fitted({ width, height }, view);
      const { left, top, right, bottom } = shown(camera, { x: 0, y: 0, width, height });
      expect(Math.min(left, top)).toBeGreaterThan(0);
      expect(left).toBeCloseTo(view.width - right);
      // the buttons are below it
      expect(top).toBeLessThan(view.height - bottom);
      expect(camera.zoom).toBeLessThan(1.2);
    }
  });

  it('begins with all of a drawing, or with the first boxes of a large one', () => {
    const small = { width: 1200, height: 900 };
    expect(begun(small, view)).toEqual(fitted(small, view));
    expect(begun({ width: 78_000, height: 62 }, view)).toMatchObject({ x: 24, zoom: 0.6 });
    expect(begun({ width: 400, height: 9000 }, view)).toMatchObject({ x: 280, y: 24, zoom: 0.6 });
    expect(fitted({ width: 78_000, height: 62 }, view).zoom).toBeCloseTo(752 / 78_000, 5);
  });

  it('zooms around a point that stays where it is, and back', () => {
    fc.assert(
      fc.property(cameras, fc.nat(800), fc.nat(500), (camera, x, y) => {
        const at = { x, y };
        const closer = zoomed(camera, 1.25, at);
        const place = ({ x, y, zoom }: Camera) => [(at.x - x) / zoom, (at.y - y) / zoom];
        for (const [index, part] of place(camera).entries()) expect(place(closer)[index]).toBeCloseTo(part, 5);
        expect(zoomed(closer, 1 / 1.25, at).x).toBeCloseTo(camera.x, 5);
      }),
    );
    let camera: Camera = { x: 0, y: 0, zoom: 1 };
    for (let step = 0; step < 100; step += 1) camera = zoomed(camera, 2, { x: 0, y: 0 });
    expect(camera.zoom).toBe(3);
    for (let step = 0; step < 100; step += 1) camera = zoomed(camera, 0.5, { x: 0, y: 0 });
    expect(camera.zoom).toBe(0.05);
  });

  it('moves as little as shows a box', () => {
    fc.assert(
      fc.property(cameras, fc.nat(9000), fc.nat(9000), length, length, (camera, x, y, width, height) => {
        const box = { x, y, width, height };
        const next = showing(camera, box, view);
        expect(next.zoom).toBe(camera.zoom);
        const { left, top, right, bottom } = shown(next, box);
        expect(left).toBeGreaterThanOrEqual(-1e-6);
        expect(top).toBeGreaterThanOrEqual(-1e-6);
        if (right - left < view.width - 60) expect(right).toBeLessThanOrEqual(view.width + 1e-6);
        if (bottom - top < view.height - 60) expect(bottom).toBeLessThanOrEqual(view.height + 1e-6);
        const again = showing(next, box, view);
        expect(again.x).toBeCloseTo(next.x, 5);
        expect(again.y).toBeCloseTo(next.y, 5);
      }),
    );
    const inside = { x: 100, y: 100, width: 200, height: 60 };
    expect(showing({ x: 0, y: 0, zoom: 1 }, inside, view)).toEqual({ x: 0, y: 0, zoom: 1 });
    expect(moved({ x: 1, y: 2, zoom: 1 }, 3, 4)).toEqual({ x: 4, y: 6, zoom: 1 });
  });

  it('is what a panel beside it or below it leaves', () => {
    const sides = { left: 10, top: 100, right: 810, bottom: 600 };
    expect(uncovered(sides, null)).toEqual({ width: 800, height: 500 });
    expect(uncovered(sides, { ...sides, left: 490 })).toEqual({ width: 480, height: 500 });
    expect(uncovered(sides, { ...sides, top: 350 })).toEqual({ width: 800, height: 250 });
  });
});

const size = { width: 208, height: 62 };
const graphs = fc
  .record({
    numNodes: fc.integer({ min: 1, max: 20 }),
    pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }),
  })
  .map(({ numNodes, pairs }) => {
    const edges = pairs.map(([a, b]) => [a % numNodes, b % numNodes].sort((x, y) => x - y) as [number, number]);
    const own = new Map(edges.filter(([a, b]) => a !== b).map((edge) => [edge.join(), edge]));
    return { numNodes, edges: [...own.values()] };
  });

describe('the layout of a graph', () => {
  it('has boxes that do not overlap, each behind those it waits for, and lines from one to the other', () => {
    fc.assert(
      fc.property(graphs, ({ numNodes, edges }) => {
        const { boxes, lines, width, height } = layOut(
          Array.from({ length: numNodes }, () => size),
          edges,
          {
            width: 100_000,
            height: 100_000,
          },
        );
        for (const [index, box] of boxes.entries()) {
          expect(box).toMatchObject(size);
          expect(Math.min(box.x, box.y)).toBeGreaterThanOrEqual(-1e-6);
          expect(box.x + box.width).toBeLessThanOrEqual(width + 1e-6);
          expect(box.y + box.height).toBeLessThanOrEqual(height + 1e-6);
          for (const other of boxes.slice(index + 1)) {
            const isApart = Math.abs(box.x - other.x) >= size.width || Math.abs(box.y - other.y) >= size.height;
            expect(isApart).toBe(true);
          }
        }
        expect(lines).toHaveLength(edges.length);
        for (const [index, [from, to]] of edges.entries()) {
          const [before, behind] = [boxes[from] as Box, boxes[to] as Box];
          expect(before.x + before.width).toBeLessThan(behind.x);
          const numbers = (lines[index] ?? '').match(/-?[0-9.]+/g)?.map(Number) ?? [];
          expect(numbers[0]).toBeCloseTo(before.x + before.width, 0);
          expect(numbers[1]).toBeCloseTo(before.y + before.height / 2, 0);
          expect(numbers.at(-2)).toBeCloseTo(behind.x, 0);
          expect(numbers.at(-1)).toBeCloseTo(behind.y + behind.height / 2, 0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('goes down where it would be small from left to right', () => {
    const chain = Array.from({ length: 6 }, (_, n): [number, number] => [n, n + 1]);
    const sizes = Array.from({ length: 7 }, () => size);
    const narrow = layOut(sizes, chain, { width: 750, height: 600 });
    expect(narrow.height).toBeGreaterThan(narrow.width);
    expect(narrow.boxes[0]?.y).toBeLessThan(narrow.boxes[6]?.y ?? 0);
    const wide = layOut(sizes, chain, { width: 2500, height: 600 });
    expect(wide.width).toBeGreaterThan(wide.height);
  });
});

describe('the lines of a graph', () => {
  it('leave out those that follow from others, and nothing else', () => {
    const reach = (numNodes: number, edges: readonly (readonly [number, number])[]) => {
      const found = Array.from({ length: numNodes }, () => new Set<number>());
      // edges go from lower to higher numbers
      for (let node = numNodes - 1; node >= 0; node -= 1) {
        for (const [from, to] of edges) {
          if (from === node) for (const each of [to, ...(found[to] ?? [])]) found[node]?.add(each);
        }
      }
      return found.map((nodes) => [...nodes].sort((a, b) => a - b));
    };
    fc.assert(
      fc.property(graphs, ({ numNodes, edges }) => {
        const kept = withoutImplied(numNodes, edges);
        expect(edges).toEqual(expect.arrayContaining(kept));
        expect(reach(numNodes, kept)).toEqual(reach(numNodes, edges));
        for (const edge of kept) {
          const others = kept.filter((each) => each !== edge);
          expect(reach(numNodes, others)).not.toEqual(reach(numNodes, kept));
        }
      }),
    );
  });

  it('are few where each box waits for all before it', () => {
    const all = Array.from({ length: 300 }, (_, to) =>
      Array.from({ length: to }, (_, from): [number, number] => [from, to]),
    );
    expect(withoutImplied(300, all.flat())).toHaveLength(299);
  });
});

function group(label: string, num_jobs: number, counts: Record<string, number>, stage = 1): Group {
  return { label, num_jobs, stage, counts, first_job_key: '5' };
}

describe('what is said about a group', () => {
  const sims = group('sim_*', 100, { done: 80, failed: 2, submitted: 3, submitted_pending: 1, blocked: 14 });

  it('is its most urgent status, and done only when all jobs are', () => {
    expect(statusOf(sims)).toBe('failed');
    expect(statusOf(group('a', 1, { submitted_pending: 1 }))).toBe('running');
    expect(statusOf(group('a*', 9, { done: 8, blocked: 1 }))).toBe('blocked');
    expect(statusOf(group('a*', 9, { done: 9 }))).toBe('done');
    expect(shareOf(sims)).toEqual({ succeeded: 80, failed: 2, stopped: 0, running: 4 });
  });

  it('is a sentence with its neighbors', () => {
    expect(spoken(sims, ['prep'], ['a', 'b', 'c', 'd'])).toBe(
      'sim_*, 100 jobs: 2 failed, 4 running, 14 blocked, 80 done; after prep; before a, b, c and 1 more',
    );
    expect(spoken(group('a', 1, { ready: 1 }), [], [])).toBe('job a: ready');
  });

  it('leads to its jobs', () => {
    expect(countsOf('7', sims).map(({ word, count, href }) => [word, count, parseRoute(href ?? '')])).toMatchObject([
      ['failed', 2, { list: 'jobs', query: { filters: [{ column: 'name', value: 'sim_*' }, { value: 'failed' }] } }],
      ['running', 4, { query: { filters: [{}, { column: 'status', value: 'submitted,submitted_pending' }] } }],
      ['blocked', 14, {}],
      ['done', 80, {}],
    ]);
    expect(groupHref('7', group('a*', 1, {}))).toBe('#/jobs/5');
    expect(parseRoute(groupHref('7', sims))).toMatchObject({ query: { filters: [{ value: 'sim_*' }] } });
    // names without a common beginning
    const other = group('stage 2: *', 9, { done: 9 }, 2);
    expect(parseRoute(groupHref('7', other))).toMatchObject({ list: 'jobs', query: { filters: [] } });
    expect(countsOf('7', other)).toEqual([{ word: 'done', count: 9, href: null }]);
  });

  it('has an address', () => {
    expect(parseRoute(graphHref('7'))).toEqual({ page: 'graph', key: '7', open: null });
    expect(parseRoute(graphHref('7', '12'))).toEqual({ page: 'graph', key: '7', open: '12' });
    expect(parseRoute('#/workflows/7/graph?open=x')).toEqual({ page: 'graph', key: '7', open: null });
  });
});

describe('a name that is too long for a box', () => {
  it.each([
    ['short', 10, 'short'],
    ['exactly_10', 10, 'exactly_10'],
    ['train_lr0.001_batch32', 12, 'train_l…ch32'],
    ['模拟模拟模拟模拟', 9, '模拟…模拟'],
    ['😀😀😀😀😀😀', 9, '😀😀…😀😀'],
  ])('%s', (name, letters, expected) => expect(cut(name, letters)).toBe(expected));
});
