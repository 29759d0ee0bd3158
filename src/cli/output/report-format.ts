/** The formats of reports, and how one is chosen. */
import { extname } from 'node:path';
import type { Context } from '../context/context.ts';

export const reportFormats = ['text', 'csv', 'json', 'svg'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export interface ReportOptions {
  format?: ReportFormat;
  output?: string;
}

const formatsByExtension: Readonly<Record<string, ReportFormat>> = {
  '.txt': 'text',
  '.csv': 'csv',
  '.json': 'json',
  '.svg': 'svg',
};

/** `--format`, else what the name of the file says, else `-F`. */
export function reportFormat(context: Context, { format, output }: ReportOptions): ReportFormat {
  return format ?? formatsByExtension[extname(output ?? '').toLowerCase()] ?? context.format;
}
