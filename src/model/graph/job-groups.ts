/**
 * A workflow's graph for people: jobs of one stage with similar names and neighbours form a group, so that a million
 * jobs become at most a few hundred nodes. Linear in jobs and edges.
 */
import { type Graph, reversed, topologicalOrder } from './graph.ts';
import type { GroupedGraph, JobGroup } from './grouped-graph.ts';
import { commonPrefix, firstWord, type JobNames } from './job-names.ts';

/** Most groups that a graph is drawn with. */
export const mostGroups = 300;

/** Fewer similar jobs than this are shown one by one. */
export const smallestGroup = 6;

export interface GraphInput {
  numJobs: number;
  /** The jobs in their order, then the barriers. */
  graph: Graph;
  names: JobNames;
  /** By job: the word by which it is counted, as an index of `words`, which must not be empty. */
  countedAs: Uint8Array;
  words: readonly string[];
}

/** The class of every node, numbered from 0. */
interface Classes {
  of: Int32Array;
  count: number;
}

/** A grouped graph, and the group of every job as an index of `groups`. */
export interface Drawn extends GroupedGraph {
  groupOf: Int32Array;
}

/** Throws RangeError for a graph with a cycle. */
export function groupJobs(input: GraphInput, most = mostGroups): GroupedGraph {
  const { groups, edges } = drawJobs(input, most);
  return { groups, edges };
}

/** As `groupJobs`. */
export function drawJobs(input: GraphInput, most = mostGroups): Drawn {
  const levels = levelsOf(input);
  return grouped(input, levels, chooseClasses(input, levels, most));
}

/** By node: jobs on the longest path to and including it, twice; barriers lie in between and are odd. */
function levelsOf({ graph, numJobs }: GraphInput): Int32Array {
  const levels = new Int32Array(graph.numNodes);
  const order = topologicalOrder(graph);
  if (order.length < graph.numNodes) throw new RangeError('a graph with a cycle has no stages');
  for (const node of order) {
    const before = levels[node] as number;
    const level = node >= numJobs ? before + 1 : before + (before % 2 === 0 ? 2 : 1);
    levels[node] = level;
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const target = graph.targets[e] as number;
      levels[target] = Math.max(levels[target] as number, level);
    }
  }
  return levels;
}

/** The finest classes whose number is small enough. */
function chooseClasses(input: GraphInput, levels: Int32Array, most: number): Classes {
  const words = wordsOf(input);
  const numWords = words.reduce((a, b) => Math.max(a, b), 0) + 2;
  const byWord = classify(levels.length, (node) => (levels[node] as number) * numWords + (words[node] as number) + 1);
  if (byWord.count <= most) {
    const refined = refine(input.graph, byWord);
    const single = withoutSmallOnes(refined);
    if (single.count <= most) return single;
    return refined.count <= most ? refined : byWord;
  }
  const byLevel = classify(levels.length, (node) => levels[node] as number);
  if (byLevel.count <= most) return byLevel;
  const width = (levels.reduce((a, b) => Math.max(a, b), 0) + 1) / most;
  return classify(levels.length, (node) => Math.floor((levels[node] as number) / width));
}

function classify(numNodes: number, keyOf: (node: number) => number | string): Classes {
  const numbers = new Map<number | string, number>();
  const of = new Int32Array(numNodes);
  let [last, number]: [number | string | null, number | undefined] = [null, 0];
  for (let node = 0; node < numNodes; node++) {
    const key = keyOf(node);
    // mostly that of the node before
    if (key !== last) number = numbers.get(key);
    last = key;
    if (number === undefined) {
      number = numbers.size;
      numbers.set(key, number);
    }
    of[node] = number;
  }
  return { of, count: numbers.size };
}

/** By node: a number for the first word of its name; -1 for barriers. */
function wordsOf({ names, numJobs, graph }: GraphInput): Int32Array {
  const words = new Int32Array(graph.numNodes).fill(-1);
  const numbers = new Map<string, number>();
  let [word, number]: [string | null, number] = [null, 0];
  for (let job = 0; job < numJobs; job++) {
    // mostly that of the job before
    if (word === null || !names.hasFirstWord(job, word)) {
      word = firstWord(names.get(job));
      number = numbers.get(word) ?? numbers.size;
      numbers.set(word, number);
    }
    words[job] = number;
  }
  return words;
}

/** Classes split by the classes of what their members wait for, and of what waits for them. */
function refine(graph: Graph, classes: Classes): Classes {
  const down = neighbours(graph, classes);
  const up = neighbours(reversed(graph), classes);
  const base = classes.count + 1;
  return classify(graph.numNodes, (node) => {
    const [own, above, below] = [classes.of[node] as number, up(node), down(node)];
    if (typeof above === 'number' && typeof below === 'number') return (own * base + above) * base + below;
    return `${own}|${above}|${below}`;
  });
}

/** 0 for none; a class, counted from 1, if all neighbours are of one; else a text. */
function neighbours(graph: Graph, { of }: Classes): (node: number) => number | string {
  return (node) => {
    const [first, end] = [graph.offsets[node] as number, graph.offsets[node + 1] as number];
    if (end === first) return 0;
    const one = of[graph.targets[first] as number] as number;
    let at = first + 1;
    while (at < end && of[graph.targets[at] as number] === one) at += 1;
    if (at === end) return one + 1;
    const found = new Set<number>([one]);
    for (; at < end; at++) found.add(of[graph.targets[at] as number] as number);
    return [...found].sort((a, b) => a - b).join();
  };
}

function withoutSmallOnes({ of, count }: Classes): Classes {
  const sizes = new Int32Array(count);
  for (const number of of) sizes[number] = (sizes[number] as number) + 1;
  return classify(of.length, (node) => {
    const number = of[node] as number;
    return (sizes[number] as number) < smallestGroup ? count + node : number;
  });
}

function grouped(input: GraphInput, levels: Int32Array, classes: Classes): Drawn {
  const { graph, numJobs, countedAs, words } = input;
  const lowest = new Int32Array(classes.count).fill(2 ** 31 - 1);
  const counts = new Int32Array(classes.count * words.length);
  for (let node = 0; node < graph.numNodes; node++) {
    const number = classes.of[node] as number;
    const level = levels[node] as number;
    if (level < (lowest[number] as number)) lowest[number] = level;
    if (node >= numJobs) continue;
    const at = number * words.length + (countedAs[node] as number);
    counts[at] = (counts[at] as number) + 1;
  }
  const groups = Array.from(lowest, (level, number): JobGroup => {
    const own = words.map((word, index): [string, number] => [word, counts[number * words.length + index] as number]);
    return {
      label: '',
      num_jobs: own.reduce((sum, [, count]) => sum + count, 0),
      stage: Math.max(1, Math.ceil(level / 2)),
      counts: Object.fromEntries(own.filter(([, count]) => count > 0)),
    };
  });
  label(groups, classes, input);
  const { places, ...shown } = withoutIdleBarriers(groups, edgesBetween(graph, classes));
  return { ...shown, groupOf: classes.of.subarray(0, numJobs).map((number) => places[number] as number) };
}

function edgesBetween(graph: Graph, classes: Classes): [number, number][] {
  const seen = new Set<number>();
  let last = -1;
  for (let node = 0; node < graph.numNodes; node++) {
    const from = classes.of[node] as number;
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const to = classes.of[graph.targets[e] as number] as number;
      const edge = from * classes.count + to;
      if (from === to || edge === last) continue;
      seen.add(edge);
      last = edge;
    }
  }
  return [...seen].map((edge): [number, number] => [Math.floor(edge / classes.count), edge % classes.count]);
}

function label(groups: readonly JobGroup[], classes: Classes, { names, numJobs }: GraphInput): void {
  const prefixes: string[] = [];
  for (let job = 0; job < numJobs; job++) {
    const number = classes.of[job] as number;
    const known = prefixes[number];
    if (known === undefined) prefixes[number] = names.get(job);
    else if (!names.startsWith(job, known)) prefixes[number] = commonPrefix(known, names.get(job));
  }
  for (const [number, prefix] of prefixes.entries()) {
    // of a barrier
    if (prefix === undefined) continue;
    const group = groups[number] as JobGroup;
    group.label = group.num_jobs === 1 ? prefix : groupLabel(prefix, group.stage);
  }
}

/** `prefix`: what the names of the jobs have in common. */
export function groupLabel(prefix: string, stage: number): string {
  const stem = prefix.replace(/[0-9.]+$/, '').replace(/[\ud800-\udbff]$/, '');
  return stem === '' ? `stage ${stage}: *` : `${stem}*`;
}

/** A barrier with one group before or after it saves no line: it is left out, and its neighbours are joined. */
function withoutIdleBarriers(
  groups: JobGroup[],
  edges: [number, number][],
): GroupedGraph & { places: readonly (number | undefined)[] } {
  const before = groups.map((): number[] => []);
  const behind = groups.map((): number[] => []);
  for (const [from, to] of edges) {
    before[to]?.push(from);
    behind[from]?.push(to);
  }
  const isIdle = (group: number): boolean =>
    groups[group]?.num_jobs === 0 && ((before[group]?.length ?? 0) < 2 || (behind[group]?.length ?? 0) < 2);
  const kept = groups.flatMap((_, number) => (isIdle(number) ? [] : [number]));
  const places: (number | undefined)[] = [];
  for (const [place, number] of kept.entries()) places[number] = place;
  const joined = new Map<string, [number, number]>();
  const join = (from: number, to: number): void => {
    const edge: [number, number] = [places[from] as number, places[to] as number];
    joined.set(edge.join(), edge);
  };
  for (const [from, to] of edges) if (!isIdle(from) && !isIdle(to)) join(from, to);
  for (const [number] of groups.entries()) {
    if (!isIdle(number)) continue;
    for (const from of before[number] ?? []) for (const to of behind[number] ?? []) join(from, to);
  }
  return { groups: kept.map((number) => groups[number] as JobGroup), edges: [...joined.values()], places };
}
