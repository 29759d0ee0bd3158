/** The formats that a graph is written in, and which of them a file's name means. */
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

/** What a file of this name holds. Throws TorcError 'usage' when that is something else than torc draws. */
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
