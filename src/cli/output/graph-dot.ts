/** A grouped graph in the DOT language of Graphviz. */
import type { GroupedGraph, JobGroup } from '../../model/graph/grouped-graph.ts';
import { colorOf, countsText, titleOf } from './graph-labels.ts';

/** The text of a `digraph`, left to right. */
export function graphDot(name: string, { groups, edges }: GroupedGraph): string {
  const lines = groups.map((group, number) => `  n${number} [${attributes(group)}];`);
  const arrows = edges.map(([from, to]) => `  n${from} -> n${to};`);
  const node = 'node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="monospace"];';
  return [`digraph ${quoted(name)} {`, '  rankdir=LR;', `  ${node}`, ...lines, ...arrows, '}', ''].join('\n');
}

function attributes(group: JobGroup): string {
  if (group.num_jobs === 0) return 'shape=point, width=0.1, label=""';
  const counts = countsText(group);
  const text = `label=${quoted(counts === '' ? titleOf(group) : `${titleOf(group)}\n${counts}`)}`;
  const words = Object.entries(group.counts).filter(([, count]) => count > 0);
  const [only] = words;
  if (words.length < 2) return only === undefined ? text : `${text}, fillcolor="${colorOf(only[0])}"`;
  const stripes = words.map(([word, count]) => `${colorOf(word)};${(count / group.num_jobs).toFixed(4)}`);
  // the last stripe gets the rest
  const colors = [...stripes.slice(0, -1), colorOf(words.at(-1)?.[0] ?? '')].join(':');
  return `${text}, style=striped, fillcolor="${colors}"`;
}

/** A line break becomes that of Graphviz; other control characters would be invisible, so they are marked. */
function quoted(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replace(/\r\n|\r|\n/g, '\\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are matched on purpose
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
  return `"${escaped}"`;
}
