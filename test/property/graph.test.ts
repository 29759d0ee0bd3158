import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GraphNode } from '../../src/model/expanded.ts';
import { wireJobs } from '../../src/model/graph/barriers.ts';
import { buildGraph, countStages, findCycles, topologicalOrder } from '../../src/model/graph/graph.ts';

type Edge = [GraphNode, GraphNode];

const anyGraph = fc.integer({ min: 1, max: 12 }).chain((numJobs) => {
  const node = fc.nat(numJobs - 1);
  return fc.record({ numJobs: fc.constant(numJobs), edges: fc.array(fc.tuple(node, node), { maxLength: 30 }) });
});

/** Lists of upstreams from a few different sets, so that many jobs share one. */
const upstreamsOfJobs = fc
  .array(fc.uniqueArray(fc.nat(9), { maxLength: 6 }), { minLength: 1, maxLength: 4 })
  .chain((sets) =>
    fc.array(fc.constantFrom(...sets), { minLength: 1, maxLength: 20 }).map((choices) => {
      const roots: number[][] = Array.from({ length: 10 }, () => []);
      return [...roots, ...choices];
    }),
  );

/** What each node reaches, by the slowest and simplest way. */
function reachable(numNodes: number, edges: readonly (readonly [number, number])[]): boolean[][] {
  const reach = Array.from({ length: numNodes }, () => Array<boolean>(numNodes).fill(false));
  const mark = (from: number, to: number): void => {
    const row = reach[from];
    if (row !== undefined) row[to] = true;
  };
  for (const [from, to] of edges) mark(from, to);
  for (let via = 0; via < numNodes; via++) {
    for (let from = 0; from < numNodes; from++) {
      for (let to = 0; to < numNodes; to++) if (reach[from]?.[via] && reach[via]?.[to]) mark(from, to);
    }
  }
  return reach;
}

describe('random graphs', () => {
  it('have an order exactly when nothing reaches itself', () => {
    fc.assert(
      fc.property(anyGraph, ({ numJobs, edges }) => {
        const hasCycle = reachable(numJobs, edges).some((row, node) => row[node]);
        const graph = buildGraph(numJobs, 0, edges);
        expect(topologicalOrder(graph).length < numJobs).toBe(hasCycle);
        expect(findCycles(graph).length > 0).toBe(hasCycle);
      }),
    );
  });

  it('have one reported cycle for each knot, and it is one', () => {
    fc.assert(
      fc.property(anyGraph, ({ numJobs, edges }) => {
        const reach = reachable(numJobs, edges);
        const cycles = findCycles(buildGraph(numJobs, 0, edges));
        for (const cycle of cycles) {
          expect(new Set(cycle).size).toBe(cycle.length);
          for (const [i, node] of cycle.entries()) {
            const next = cycle[(i + 1) % cycle.length];
            expect(edges).toContainEqual([node, next]);
          }
        }
        const knotted = [...Array(numJobs).keys()].filter((node) => reach[node]?.[node]);
        for (const node of knotted) {
          const ofItsKnot = cycles.filter(
            ([first = -1]) => first === node || (reach[node]?.[first] && reach[first]?.[node]),
          );
          expect(ofItsKnot).toHaveLength(1);
        }
      }),
    );
  });

  it('have as many stages as jobs on the longest path', () => {
    const forward = anyGraph.map(({ numJobs, edges }) => ({
      numJobs,
      edges: edges.filter(([from, to]) => from !== to).map(([a, b]): Edge => [Math.min(a, b), Math.max(a, b)]),
    }));
    fc.assert(
      fc.property(forward, ({ numJobs, edges }) => {
        const longest = (node: number): number =>
          1 + Math.max(0, ...edges.filter(([from]) => from === node).map(([, to]) => longest(to)));
        expect(countStages(numJobs, 0, edges)).toBe(Math.max(...[...Array(numJobs).keys()].map(longest)));
      }),
    );
  });
});

describe('barriers', () => {
  /** The jobs that a job waits for, through any number of barriers. */
  function upstreamsOf(job: GraphNode, edges: readonly Edge[]): number[] {
    return edges.filter(([, to]) => to === job).flatMap(([from]) => (from >= 0 ? [from] : upstreamsOf(from, edges)));
  }

  it('keep what every job waits for, each upstream once', () => {
    fc.assert(
      fc.property(upstreamsOfJobs, (upstreams) => {
        const { edges } = wireJobs(upstreams);
        for (const [job, waitsFor] of upstreams.entries()) {
          expect(upstreamsOf(job, edges).sort()).toEqual([...waitsFor].sort());
        }
      }),
    );
  });

  it('never cost more edges, and between two groups at most n + m', () => {
    fc.assert(
      fc.property(upstreamsOfJobs, (upstreams) => {
        const { edges, numBarriers } = wireJobs(upstreams);
        const sets = new Map<string, { n: number; m: number }>();
        for (const list of upstreams) {
          const key = JSON.stringify([...list].sort());
          sets.set(key, { n: list.length, m: (sets.get(key)?.m ?? 0) + 1 });
        }
        const atMost = [...sets.values()].reduce((sum, { n, m }) => sum + Math.min(n * m, n + m), 0);
        expect(edges.length).toBe(atMost);
        expect(numBarriers).toBe(new Set(edges.flat().filter((node) => node < 0)).size);
      }),
    );
  });
});
