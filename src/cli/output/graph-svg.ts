/** A grouped graph as an SVG picture that needs no other program. */
import type { GroupedGraph, JobGroup } from '../../model/graph/grouped-graph.ts';
import { colorOf, countsText, titleOf } from './graph-labels.ts';
import { type Box, layOut } from './graph-layout.ts';
import { escaped, pixels, svgStyle } from './svg.ts';

/** The width of a monospaced letter of 12 pixels, with some margin. */
const letterWidth = 7.4;
const boxHeight = 44;
const pointSize = 8;
const barHeight = 5;

/** As a file of its own. */
export function graphFile(name: string, graph: GroupedGraph): string {
  return graphSvg(name, graph).replace('</title>', `</title>\n<style>${svgStyle()}</style>`);
}

/** As a part of a page that has the style. */
export function graphSvg(name: string, graph: GroupedGraph): string {
  const { width, height, boxes } = layOut(graph, graph.groups.map(sizeOf));
  const size = `width="${pixels(width)}" height="${pixels(height)}" viewBox="0 0 ${pixels(width)} ${pixels(height)}"`;
  const lines = graph.edges.map(([from, to]) => line(boxes[from] as Box, boxes[to] as Box));
  const nodes = graph.groups.map((group, number) => node(group, boxes[number] as Box));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="monospace" font-size="12">`,
    `<title>${escaped(name)}</title>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#78909c"/></marker></defs>',
    '<rect class="ground" width="100%" height="100%"/>',
    ...lines,
    ...nodes,
    '</svg>',
    '',
  ].join('\n');
}

function sizeOf(group: JobGroup): { width: number; height: number } {
  if (group.num_jobs === 0) return { width: pointSize, height: pointSize };
  const letters = Math.max(4, lettersOf(titleOf(group)), lettersOf(countsText(group)));
  return { width: letters * letterWidth + 20, height: boxHeight };
}

/** Letters outside Latin may be twice as wide. */
function lettersOf(text: string): number {
  let letters = 0;
  for (const letter of text) letters += (letter.codePointAt(0) ?? 0) >= 0x1100 ? 2 : 1;
  return letters;
}

function line(from: Box, to: Box): string {
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
  const [x2, y2] = [to.x, to.y + to.height / 2];
  const bend = Math.max(20, (x2 - x1) / 2);
  const path = [`M${pixels(x1)} ${pixels(y1)}C`, x1 + bend, y1, x2 - bend, y2, x2, y2];
  const d = path.map((part) => (typeof part === 'number' ? pixels(part) : part)).join(' ');
  return `<path d="${d}" fill="none" stroke="#78909c" marker-end="url(#arrow)"/>`;
}

function node(group: JobGroup, { x, y, width, height }: Box): string {
  if (group.num_jobs === 0) {
    return `<circle cx="${pixels(x + width / 2)}" cy="${pixels(y + height / 2)}" r="${pointSize / 2}" fill="#78909c"/>`;
  }
  const counts = countsText(group);
  const middle = pixels(x + width / 2);
  const title = `<text class="text" x="${middle}" y="${pixels(y + (counts === '' ? 26 : 18))}" text-anchor="middle">${escaped(titleOf(group))}</text>`;
  const below = `<text class="faint" x="${middle}" y="${pixels(y + 33)}" text-anchor="middle" font-size="11">${escaped(counts)}</text>`;
  const [worst] = ['failed', 'canceled', 'terminated'].filter((word) => (group.counts[word] ?? 0) > 0);
  const stroke = worst === undefined ? '#90a4ae' : '#e53935';
  const box = `<rect class="box" x="${pixels(x)}" y="${pixels(y)}" width="${pixels(width)}" height="${height}" rx="4" stroke="${stroke}"/>`;
  const full = `<title>${escaped(`${group.label}${counts === '' ? '' : `: ${counts}`}`)}</title>`;
  return `<g>${full}${box}${title}${counts === '' ? '' : below}${bar(group, { x, y, width, height })}</g>`;
}

/** The share of each status along the lower edge. */
function bar(group: JobGroup, box: Box): string {
  let x = box.x;
  const y = pixels(box.y + box.height - barHeight);
  const parts = Object.entries(group.counts).map(([word, count]) => {
    const width = (box.width * count) / group.num_jobs;
    const part = `<rect x="${pixels(x)}" y="${y}" width="${pixels(width)}" height="${barHeight}" fill="${colorOf(word)}"/>`;
    x += width;
    return part;
  });
  return parts.join('');
}
