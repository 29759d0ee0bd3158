/**
 * Algorithms on the graph of a workflow's jobs and barriers, each linear in nodes and edges and without recursion.
 * Nodes are numbered from 0: the jobs in their order, then the barriers.
 */
import type { GraphNode } from '../expanded.ts';

/** Edges by their upstream: those of node n are `targets[offsets[n]]` up to `targets[offsets[n + 1] - 1]`. */
export interface Graph {
  numNodes: number;
  offsets: Int32Array;
  targets: Int32Array;
}

type Edges = Iterable<readonly [GraphNode, GraphNode]>;

/** The number of a node: jobs keep theirs, barriers (-1, -2 ..) follow the jobs. */
function nodeNumber(node: GraphNode, numJobs: number): number {
  return node >= 0 ? node : numJobs - 1 - node;
}

export function buildGraph(numJobs: number, numBarriers: number, edges: Edges): Graph {
  const [from, to]: [number[], number[]] = [[], []];
  for (const [upstream, downstream] of edges) {
    from.push(nodeNumber(upstream, numJobs));
    to.push(nodeNumber(downstream, numJobs));
  }
  return graphOf(numJobs + numBarriers, from, to);
}

/** A graph of edges from `from[n]` to `to[n]`. */
export function graphOf(numNodes: number, from: ArrayLike<number>, to: ArrayLike<number>): Graph {
  const numEdges = from.length;
  const offsets = new Int32Array(numNodes + 1);
  for (let edge = 0; edge < numEdges; edge++) add(offsets, (from[edge] as number) + 1, 1);
  for (let node = 0; node < numNodes; node++) add(offsets, node + 1, at(offsets, node));
  const targets = new Int32Array(numEdges);
  const next = offsets.slice();
  for (let edge = 0; edge < numEdges; edge++) {
    const node = from[edge] as number;
    targets[at(next, node)] = to[edge] as number;
    add(next, node, 1);
  }
  return { numNodes, offsets, targets };
}

function at(array: Int32Array, index: number): number {
  return array[index] as number;
}

function add(array: Int32Array, index: number, value: number): void {
  array[index] = at(array, index) + value;
}

/** The same graph with every edge turned round. */
export function reversed({ numNodes, offsets, targets }: Graph): Graph {
  const first = new Int32Array(numNodes + 1);
  for (const target of targets) add(first, target + 1, 1);
  for (let node = 0; node < numNodes; node++) add(first, node + 1, at(first, node));
  const sources = new Int32Array(targets.length);
  const next = first.slice();
  for (let node = 0; node < numNodes; node++) {
    for (let e = at(offsets, node); e < at(offsets, node + 1); e++) {
      const target = at(targets, e);
      sources[at(next, target)] = node;
      add(next, target, 1);
    }
  }
  return { numNodes, offsets: first, targets: sources };
}

/** Whether every upstream has a smaller number than its downstreams. */
export function isInOrder({ numNodes, offsets, targets }: Graph): boolean {
  for (let node = 0; node < numNodes; node++) {
    for (let e = at(offsets, node); e < at(offsets, node + 1); e++) if (at(targets, e) <= node) return false;
  }
  return true;
}

/** Nodes with every upstream before its downstreams; shorter than the graph exactly when it has a cycle. */
export function topologicalOrder(graph: Graph): Int32Array {
  const waitsFor = new Int32Array(graph.numNodes);
  for (const target of graph.targets) add(waitsFor, target, 1);
  const order = new Int32Array(graph.numNodes);
  let found = 0;
  for (let node = 0; node < graph.numNodes; node++) if (waitsFor[node] === 0) order[found++] = node;
  for (let done = 0; done < found; done++) {
    const node = at(order, done);
    for (let e = at(graph.offsets, node); e < at(graph.offsets, node + 1); e++) {
      const target = at(graph.targets, e);
      add(waitsFor, target, -1);
      if (waitsFor[target] === 0) order[found++] = target;
    }
  }
  return order.subarray(0, found);
}

/**
 * How many stages the jobs form when each runs as early as it can: the number of jobs on the longest path.
 * Barriers do not count. Throws RangeError for a graph with a cycle.
 */
export function countStages(numJobs: number, numBarriers: number, edges: Edges): number {
  const graph = buildGraph(numJobs, numBarriers, edges);
  const order = topologicalOrder(graph);
  if (order.length < graph.numNodes) throw new RangeError('a graph with a cycle has no stages');
  const stages = new Int32Array(graph.numNodes);
  let most = 0;
  for (const node of order) {
    if (node < numJobs) add(stages, node, 1);
    const stage = at(stages, node);
    most = Math.max(most, stage);
    for (let e = at(graph.offsets, node); e < at(graph.offsets, node + 1); e++) {
      const target = at(graph.targets, e);
      stages[target] = Math.max(at(stages, target), stage);
    }
  }
  return most;
}

/**
 * One cycle for each knot of nodes that reach each other: a shortest one through the knot's first node, which it
 * begins with; the edge from its last node back is left out. Empty for a graph without cycles.
 */
export function findCycles(graph: Graph): number[][] {
  const knots = knotNumbers(graph);
  const seen = new Set<number>();
  const cycles: number[][] = [];
  for (let node = 0; node < graph.numNodes; node++) {
    const knot = at(knots, node);
    if (seen.has(knot)) continue;
    seen.add(knot);
    const cycle = shortestCycle(graph, node, knots);
    if (cycle !== null) cycles.push(cycle);
  }
  return cycles;
}

/** Breadth first from a node within its knot until an edge leads back to it; null when none does. */
function shortestCycle(graph: Graph, start: number, knots: Int32Array): number[] | null {
  const cameFrom = new Map<number, number>([[start, -1]]);
  const queue = [start];
  for (let done = 0; done < queue.length; done++) {
    const node = queue[done] as number;
    for (let e = at(graph.offsets, node); e < at(graph.offsets, node + 1); e++) {
      const target = at(graph.targets, e);
      if (target === start) return pathTo(node, cameFrom);
      if (cameFrom.has(target) || knots[target] !== knots[start]) continue;
      cameFrom.set(target, node);
      queue.push(target);
    }
  }
  return null;
}

function pathTo(last: number, cameFrom: ReadonlyMap<number, number>): number[] {
  const path: number[] = [];
  for (let node = last; node >= 0; node = cameFrom.get(node) ?? -1) path.push(node);
  return path.reverse();
}

/** For each node the number of its strongly connected component. Source: Tarjan 1972, with an explicit stack. */
function knotNumbers(graph: Graph): Int32Array {
  const knots = new Int32Array(graph.numNodes).fill(-1);
  const index = new Int32Array(graph.numNodes).fill(-1);
  const low = new Int32Array(graph.numNodes);
  const nextEdge = graph.offsets.slice(0, graph.numNodes);
  const pending: number[] = [];
  const path: number[] = [];
  let counter = 0;
  let numKnots = 0;

  const enter = (node: number): void => {
    index[node] = counter;
    low[node] = counter;
    counter += 1;
    pending.push(node);
    path.push(node);
  };
  const leave = (node: number): void => {
    path.pop();
    const parent = path.at(-1);
    if (parent !== undefined) low[parent] = Math.min(at(low, parent), at(low, node));
    if (low[node] !== index[node]) return;
    for (let member = pending.pop(); member !== undefined; member = pending.pop()) {
      knots[member] = numKnots;
      if (member === node) break;
    }
    numKnots += 1;
  };

  for (let root = 0; root < graph.numNodes; root++) {
    if (index[root] === -1) enter(root);
    for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
      if (at(nextEdge, node) === at(graph.offsets, node + 1)) {
        leave(node);
        continue;
      }
      const target = at(graph.targets, at(nextEdge, node));
      add(nextEdge, node, 1);
      if (index[target] === -1) enter(target);
      else if (knots[target] === -1) low[node] = Math.min(at(low, node), at(index, target));
    }
  }
  return knots;
}
