import { describe, expect, it } from 'vitest';
import type { GraphNode } from '../../src/model/expanded.ts';
import { wireJobs } from '../../src/model/graph/barriers.ts';
import { buildGraph, countStages, findCycles, topologicalOrder } from '../../src/model/graph/graph.ts';

type Edge = [GraphNode, GraphNode];

function chain(length: number): Edge[] {
  return Array.from({ length: length - 1 }, (_, i) => [i, i + 1]);
}

/** Diamonds in a row: top, two sides, bottom, which is the next one's top. */
function diamonds(count: number): { numJobs: number; edges: Edge[] } {
  const edges: Edge[] = [];
  for (let i = 0; i < count; i++) {
    const top = 3 * i;
    edges.push([top, top + 1], [top, top + 2], [top + 1, top + 3], [top + 2, top + 3]);
  }
  return { numJobs: 3 * count + 1, edges };
}

describe('order and stages', () => {
  it('puts every upstream before its downstreams', () => {
    const { numJobs, edges } = diamonds(5);
    const order = topologicalOrder(buildGraph(numJobs, 0, edges));
    const place = new Map([...order].map((node, i) => [node, i]));
    expect(place.size).toBe(numJobs);
    for (const [from, to] of edges) expect(place.get(from)).toBeLessThan(place.get(to) ?? -1);
  });

  it('counts the jobs on the longest path', () => {
    expect(countStages(0, 0, [])).toBe(0);
    expect(countStages(3, 0, [])).toBe(1);
    expect(countStages(4, 0, [[0, 1], [1, 2], [0, 2], [2, 3]])).toBe(4); // biome-ignore format: one row is one graph
  });

  it('does not count barriers', () => {
    const edges: Edge[] = [
      [0, -1],
      [1, -1],
      [-1, -2],
      [-2, 2],
      [-2, 3],
    ];
    expect(countStages(4, 2, edges)).toBe(2);
  });

  it('takes a chain of 100,000 jobs', () => {
    expect(countStages(100_000, 0, chain(100_000))).toBe(100_000);
  });

  it('takes 22 diamonds in a row, which have four million paths', () => {
    const { numJobs, edges } = diamonds(22);
    expect(numJobs).toBe(67);
    expect(countStages(numJobs, 0, edges)).toBe(45);
    expect(findCycles(buildGraph(numJobs, 0, edges))).toEqual([]);
  });

  it('refuses to count the stages of a cycle', () => {
    expect(() => countStages(2, 0, [[0, 1], [1, 0]])).toThrow(RangeError); // biome-ignore format: as above
  });
});

describe('cycles', () => {
  it('finds none in a graph without cycles', () => {
    expect(findCycles(buildGraph(4, 0, chain(4)))).toEqual([]);
  });

  it('finds an edge from a job to itself', () => {
    expect(findCycles(buildGraph(2, 0, [[1, 1]]))).toEqual([[1]]);
  });

  it('leaves out what only leads to the cycle or follows it', () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 1],
      [3, 4],
    ];
    expect(findCycles(buildGraph(5, 0, edges))).toEqual([[1, 2, 3]]);
  });

  it('finds one for each knot, the shortest through its first node', () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [2, 0],
      [1, 0],
      [3, 4],
      [4, 3],
      [2, 3],
    ];
    expect(findCycles(buildGraph(5, 0, edges))).toEqual([
      [0, 1],
      [3, 4],
    ]);
  });

  it('finds a cycle of 100,000 jobs', () => {
    const edges = [...chain(100_000), [99_999, 0] as Edge];
    const cycles = findCycles(buildGraph(100_000, 0, edges));
    expect(cycles.map((cycle) => cycle.length)).toEqual([100_000]);
  });

  it('passes through barriers', () => {
    const edges: Edge[] = [
      [0, -1],
      [-1, 1],
      [1, 0],
    ];
    expect(findCycles(buildGraph(2, 1, edges))).toEqual([[0, 2, 1]]);
  });
});

describe('barriers', () => {
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

  it('costs n + m edges between two groups', () => {
    const upstreams = [...range(0, 1000).map(() => []), ...range(0, 500).map(() => range(0, 1000))];
    const { numBarriers, edges } = wireJobs(upstreams);
    expect(numBarriers).toBe(1);
    expect(edges).toHaveLength(1500);
  });

  it('is not made when it would not save an edge', () => {
    const twoByTwo = [[], [], [0, 1], [0, 1]];
    expect(wireJobs(twoByTwo)).toEqual({
      numBarriers: 0,
      edges: [
        [0, 2],
        [1, 2],
        [0, 3],
        [1, 3],
      ],
    });
    expect(wireJobs([[], [0], [0], [0], [0]]).numBarriers).toBe(0);
    expect(wireJobs([[], [], [], [0, 1, 2]]).numBarriers).toBe(0);
  });

  it('treats sets as equal in any order', () => {
    const { numBarriers, edges } = wireJobs([[], [], [], [0, 1, 2], [2, 1, 0], [1, 2, 0]]);
    expect(numBarriers).toBe(1);
    expect(edges).toHaveLength(6);
  });

  it('does not confuse sets whose numbers look the same side by side', () => {
    const jobs: number[][] = range(0, 13).map(() => []);
    const { edges } = wireJobs([...jobs, [1, 12], [11, 2], [1, 12], [11, 2], [1, 12], [11, 2]]);
    const direct = edges.filter(([from]) => from >= 0).map(([from, to]) => `${from}>${to}`);
    expect(direct.sort()).toEqual(['11>-2', '12>-1', '1>-1', '2>-2']);
  });

  it('makes one behind another along stages of groups', () => {
    const stage = (k: number): number[] => range(k * 100, k * 100 + 100);
    const upstreams = range(0, 500).map((job) => (job < 100 ? [] : stage(Math.floor(job / 100) - 1)));
    const { numBarriers, edges } = wireJobs(upstreams);
    expect(numBarriers).toBe(4);
    expect(edges).toHaveLength(800);
    expect(countStages(500, numBarriers, edges)).toBe(5);
  });
});
