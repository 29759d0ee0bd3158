/**
 * The jobs of a workflow as a planner sees them: those of one stage that ask for the same form a group, and groups wait for
 * groups. Linear in jobs and edges, and from then on small.
 */
import { type Graph, isInOrder, topologicalOrder } from '../graph/graph.ts';
import type { Requirements } from '../job.ts';
import type { LabelSet } from '../labels.ts';

/** What jobs ask for that may run on the same workers in the same order. */
export interface PlannedShape {
  need: Requirements;
  /** How long they are taken to run: what others like them took, else what they state. */
  runtimeMs: number;
  /** Whether that was seen or stated by anybody. */
  isRuntimeKnown: boolean;
  priority: number;
  /** Place in claim order by the workflow's sort method. */
  sortRank: number;
  supportsTermination: boolean;
  labels: LabelSet;
}

export interface Wait {
  group: number;
  /** So many of its jobs each job waits for, on average; less than 1 where only some wait for any. */
  perJob: number;
}

export interface JobGroup extends PlannedShape {
  /** From 1: jobs on the longest way to them. */
  stage: number;
  numJobs: number;
  /** The number of the first of them. */
  firstJob: number;
  /** The number of one that is ready before the others, if nothing has to wait for room. */
  soonestJob: number;
  waitsFor: readonly Wait[];
}

export interface GroupInput<S extends PlannedShape = PlannedShape> {
  numJobs: number;
  /** The jobs in their order, then the barriers. */
  graph: Graph;
  /** By job: an index of `shapes`; -1 for one that does not count. */
  shapeOf: Int32Array;
  shapes: readonly S[];
  /** What number a job has among all jobs; as here unless others are apart. */
  numberOf?: (job: number) => number;
  /** Further jobs, which wait for no job and for which no job waits. */
  apart?: readonly JobsApart[];
}

/** Jobs of a shape that are on no edge, and the number of the first of them among all jobs. */
export interface JobsApart {
  shape: number;
  numJobs: number;
  firstJob: number;
}

/** A plan with more groups would take long and say little. */
export const mostPlannedGroups = 3000;

/** Null when there would be more than `most`. Throws RangeError for a graph with a cycle. */
export function groupsOf<S extends PlannedShape>(input: GroupInput<S>, most: number): (JobGroup & S)[] | null {
  const { stages, readyMs } = orderOf(input);
  const { shapeOf, shapes, numJobs, numberOf = (job) => job, apart = [] } = input;
  const numbers = new Map<number, number>();
  const groupOf = new Int32Array(numJobs).fill(-1);
  const groups: (JobGroup & S & { waitsFor: Wait[]; readyMs: number })[] = [];
  const groupAt = (stage: number, shape: number, job: number, ms: number): number => {
    const id = stage * shapes.length + shape;
    const known = numbers.get(id);
    if (known !== undefined) return known;
    const own = { stage, numJobs: 0, firstJob: job, soonestJob: job, waitsFor: [], readyMs: ms };
    const number = groups.push({ ...(shapes[shape] as S), ...own }) - 1;
    numbers.set(id, number);
    return number;
  };
  for (let job = 0; job < numJobs; job++) {
    const shape = shapeOf[job] as number;
    if (shape < 0) continue;
    const ms = readyMs[job] as number;
    const number = groupAt(stages[job] as number, shape, job, ms);
    if (groups.length > most) return null;
    groupOf[job] = number;
    const group = groups[number] as JobGroup & { readyMs: number };
    group.numJobs += 1;
    if (ms >= group.readyMs) continue;
    group.soonestJob = job;
    group.readyMs = ms;
  }
  for (const group of groups) {
    group.firstJob = numberOf(group.firstJob);
    group.soonestJob = numberOf(group.soonestJob);
  }
  for (const { shape, numJobs, firstJob } of apart) {
    const group = groups[groupAt(1, shape, firstJob, 0)] as JobGroup & { readyMs: number };
    group.numJobs += numJobs;
    group.firstJob = Math.min(group.firstJob, firstJob);
    group.soonestJob = group.readyMs > 0 ? firstJob : Math.min(group.soonestJob, firstJob);
    group.readyMs = 0;
  }
  if (groups.length > most) return null;
  addWaits(input, groupOf, groups);
  return inOrder(groups.map(({ readyMs: _, ...group }) => group as JobGroup & S));
}

/** By their first jobs. */
function inOrder<S>(groups: readonly (JobGroup & S)[]): (JobGroup & S)[] {
  const order = groups.map((_, index) => index);
  order.sort((a, b) => (groups[a] as JobGroup).firstJob - (groups[b] as JobGroup).firstJob);
  const places = new Int32Array(groups.length);
  for (const [place, index] of order.entries()) places[index] = place;
  return order.map((index) => {
    const group = groups[index] as JobGroup & S;
    return { ...group, waitsFor: group.waitsFor.map((wait) => ({ ...wait, group: places[wait.group] as number })) };
  });
}

/** By node: its stage, and when it is ready if there is room for all; jobs that do not count take neither. */
function orderOf({ graph, numJobs, shapeOf, shapes }: GroupInput): { stages: Int32Array; readyMs: Float64Array } {
  const stages = new Int32Array(graph.numNodes);
  const readyMs = new Float64Array(graph.numNodes);
  // mostly the nodes are in such an order already
  const order = isInOrder(graph) ? null : topologicalOrder(graph);
  if (order !== null && order.length < graph.numNodes) throw new RangeError('a graph with a cycle has no stages');
  for (let place = 0; place < graph.numNodes; place++) {
    const node = order === null ? place : (order[place] as number);
    const shape = node < numJobs ? (shapeOf[node] as number) : -1;
    let stage = stages[node] as number;
    let endMs = readyMs[node] as number;
    if (shape >= 0) {
      stage += 1;
      endMs += (shapes[shape] as PlannedShape).runtimeMs;
      stages[node] = stage;
    }
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const target = graph.targets[e] as number;
      if ((stages[target] as number) < stage) stages[target] = stage;
      if ((readyMs[target] as number) < endMs) readyMs[target] = endMs;
    }
  }
  return { stages, readyMs };
}

/** By pair of groups: how many upstream jobs the downstream ones have, counted once for each of them. */
function addWaits(
  { graph, numJobs }: GroupInput,
  groupOf: Int32Array,
  groups: readonly (JobGroup & { waitsFor: Wait[] })[],
) {
  const pairs = new Map<number, number>();
  const add = (from: number, to: number, count: number): void => {
    const id = from * groups.length + to;
    pairs.set(id, (pairs.get(id) ?? 0) + count);
  };
  const before = new Map<number, Map<number, number>>();
  for (let node = 0; node < numJobs; node++) {
    const from = groupOf[node] as number;
    if (from < 0) continue;
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const target = graph.targets[e] as number;
      if (target >= numJobs) count(before, target, from);
      else if ((groupOf[target] as number) >= 0) add(from, groupOf[target] as number, 1);
    }
  }
  for (const [barrier, upstreams] of before) {
    for (let e = graph.offsets[barrier] as number; e < (graph.offsets[barrier + 1] as number); e++) {
      const target = graph.targets[e] as number;
      const to = target < numJobs ? (groupOf[target] as number) : -1;
      if (to < 0) continue;
      for (const [from, number] of upstreams) add(from, to, number);
    }
  }
  for (const [id, number] of pairs) {
    const [from, to] = [Math.floor(id / groups.length), id % groups.length];
    const downstream = groups[to] as JobGroup & { waitsFor: Wait[] };
    downstream.waitsFor.push({ group: from, perJob: number / downstream.numJobs });
  }
}

function count(all: Map<number, Map<number, number>>, barrier: number, group: number): void {
  const known = all.get(barrier) ?? new Map<number, number>();
  known.set(group, (known.get(group) ?? 0) + 1);
  all.set(barrier, known);
}
