/** Where the boxes and lines of a graph are drawn. */
import { Graph, layout } from '@dagrejs/dagre';
import { type Box, fitZoom, type Size } from './camera.ts';

export interface Drawn extends Size {
  /** By node. */
  boxes: Box[];
  /** By edge, as data of an SVG path. */
  lines: string[];
}

type Direction = 'LR' | 'TB';
type Edge = readonly [from: number, to: number];
type Point = readonly [along: number, across: number];

/** Below this size text is hard to read, and the other direction may be better. */
const readable = 0.8;
/** Larger graphs are drawn in one direction only, as each takes a while. */
const mostTurned = 100;

/** From left to right, or from top to bottom where that is larger in the view. */
export function layOut(sizes: readonly Size[], edges: readonly Edge[], view: Size): Drawn {
  const across = drawn(sizes, edges, 'LR');
  if (sizes.length > mostTurned || fitZoom(across, view) >= readable) return across;
  const down = drawn(sizes, edges, 'TB');
  return fitZoom(down, view) > fitZoom(across, view) ? down : across;
}

function drawn(sizes: readonly Size[], edges: readonly Edge[], direction: Direction): Drawn {
  const graph = new Graph();
  graph.setGraph({ rankdir: direction, nodesep: 18, ranksep: direction === 'LR' ? 52 : 34, edgesep: 12 });
  for (const [node, { width, height }] of sizes.entries()) graph.setNode(String(node), { width, height });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to), {});
  layout(graph);
  const boxes = sizes.map(({ width, height }, node) => {
    const { x, y } = graph.node(String(node));
    return { x: x - width / 2, y: y - height / 2, width, height };
  });
  const lines = edges.map(([from, to]) => {
    const { points } = graph.edge(String(from), String(to));
    return lineOf(boxes[from] as Box, boxes[to] as Box, points, direction);
  });
  const { width = 0, height = 0 } = graph.graph();
  return { width, height, boxes, lines };
}

/** From the middle of one side to the middle of the other; a line over several ranks bends where the layout says. */
function lineOf(from: Box, to: Box, points: readonly { x: number; y: number }[], direction: Direction): string {
  const isAcross = direction === 'LR';
  const place = ({ x, y }: { x: number; y: number }): Point => (isAcross ? [x, y] : [y, x]);
  const middle = (box: Box, share: number) => ({
    x: box.x + box.width * (isAcross ? share : 0.5),
    y: box.y + box.height * (isAcross ? 0.5 : share),
  });
  // the first and last of them are on the sides; one between them is that of a line to the next rank
  const bends = points.length > 3 ? points.slice(1, -1) : [];
  const path = [middle(from, 1), ...bends, middle(to, 0)].map(place);
  const text = ([along, across]: Point): string =>
    `${(isAcross ? [along, across] : [across, along]).map(rounded).join()}`;
  let [[along, across] = [0, 0], ...others] = path;
  let data = `M${text([along, across])}`;
  for (const [nextAlong, nextAcross] of others) {
    const half = (along + nextAlong) / 2;
    data += `C${text([half, across])} ${text([half, nextAcross])} ${text([nextAlong, nextAcross])}`;
    [along, across] = [nextAlong, nextAcross];
  }
  return data;
}

function rounded(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
