/** The formats of a graph, and the format that the name of a file means. */
import { extname } from 'node:path';
import { TorcError } from '../../base/errors.ts';

export const graphFormats = ['dot', 'svg'] as const;
export type GraphFormat = (typeof graphFormats)[number];

const formatsByExtension: Readonly<Record<string, GraphFormat>> = {
  '': 'dot',
  '.dot': 'dot',
  '.gv': 'dot',
  '.svg': 'svg',
};

/** The format for a file name. Throws TorcError 'usage' for an unknown extension. */
export function formatOf(output = ''): GraphFormat {
  const extension = extname(output).toLowerCase();
  const format = formatsByExtension[extension];
  if (format !== undefined) return format;
  throw new TorcError(
    'usage',
    `cannot write a graph as ${extension}, only as ${graphFormats.join(' or ')}`,
    'Name the file .svg, .dot or .gv, or give --format. dot -Tpng and dot -Tpdf convert DOT to other formats.',
  );
}
