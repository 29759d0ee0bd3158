/** The layout of a graph: one column per rank, from left to right, ordered so that few lines cross. */
import type { GroupedGraph } from '../../model/graph/grouped-graph.ts';

/** Pixels. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  width: number;
  height: number;
  /** By group. */
  boxes: Box[];
}

const margin = 20;
const rowGap = 14;
const columnGap = 60;
const sweeps = 4;

/** Boxes of these sizes in columns; every edge goes from a column to one on its right. */
export function layOut(graph: GroupedGraph, sizes: readonly { width: number; height: number }[]): Layout {
  const columns = orderedColumns(graph, ranksOf(graph));
  const sizeOf = (group: number) => sizes[group] ?? { width: 0, height: 0 };
  const heights = columns.map((column) => column.reduce((sum, g) => sum + sizeOf(g).height + rowGap, -rowGap));
  const tallest = Math.max(0, ...heights);
  const boxes: Box[] = [];
  let x = margin;
  for (const [number, column] of columns.entries()) {
    const width = Math.max(0, ...column.map((group) => sizeOf(group).width));
    let y = margin + (tallest - (heights[number] ?? 0)) / 2;
    for (const group of column) {
      const size = sizeOf(group);
      boxes[group] = { x: x + (width - size.width) / 2, y, ...size };
      y += size.height + rowGap;
    }
    x += width + columnGap;
  }
  return { width: Math.max(0, x - columnGap) + margin, height: tallest + 2 * margin, boxes };
}

/** By group: the longest path that leads to it. */
function ranksOf({ groups, edges }: GroupedGraph): number[] {
  const ranks = groups.map(() => 0);
  const waits = groups.map(() => 0);
  const behind = groups.map((): number[] => []);
  for (const [from, to] of edges) {
    waits[to] = (waits[to] ?? 0) + 1;
    behind[from]?.push(to);
  }
  const work = groups.flatMap((_, group) => (waits[group] === 0 ? [group] : []));
  for (let group = work.pop(); group !== undefined; group = work.pop()) {
    for (const next of behind[group] ?? []) {
      ranks[next] = Math.max(ranks[next] ?? 0, (ranks[group] ?? 0) + 1);
      waits[next] = (waits[next] ?? 0) - 1;
      if (waits[next] === 0) work.push(next);
    }
  }
  return ranks;
}

/** Sorts each column by the mean position of its neighbours, forwards and backwards. */
function orderedColumns({ groups, edges }: GroupedGraph, ranks: readonly number[]): number[][] {
  const columns: number[][] = [];
  for (const group of groups.keys()) {
    const rank = ranks[group] ?? 0;
    columns[rank] ??= [];
    columns[rank].push(group);
  }
  const before = groups.map((): number[] => []);
  const behind = groups.map((): number[] => []);
  for (const [from, to] of edges) {
    before[to]?.push(from);
    behind[from]?.push(to);
  }
  const places: number[] = [];
  const note = (column: readonly number[]): void => {
    for (const [place, group] of column.entries()) places[group] = place / Math.max(1, column.length - 1);
  };
  for (const column of columns) note(column);
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const isForth = sweep % 2 === 0;
    for (const column of isForth ? columns : columns.toReversed()) {
      const wanted = new Map(
        column.map((group) => {
          const near = (isForth ? before : behind)[group] ?? [];
          const mean = near.reduce((sum, each) => sum + (places[each] ?? 0), 0) / near.length;
          return [group, near.length === 0 ? (places[group] ?? 0) : mean];
        }),
      );
      column.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0));
      note(column);
    }
  }
  return columns;
}
