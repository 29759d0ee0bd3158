/** How reports are printed: as text, CSV, JSON or a picture, on stdout or into a file. */
import type { ListRecord } from '../../api/contract.ts';
import { jsonText } from '../../base/exact-json.ts';
import { type Context, note } from '../context/context.ts';
import { csvLine } from './csv.ts';
import { type ReportFormat, type ReportOptions, reportFormat } from './report-format.ts';
import { type Picture, svgFile } from './svg.ts';
import { writeNamedFile } from './written-file.ts';

/** What a report consists of; only what is printed is made. */
export interface Report {
  value: object;
  csv: () => { columns: readonly string[]; rows: readonly ListRecord[] };
  text: () => string;
  picture: () => Picture;
}

export async function printReport(context: Context, options: ReportOptions, report: Report): Promise<void> {
  const format = reportFormat(context, options);
  const text = textOf(format, report);
  if (options.output === undefined) {
    await context.terminal.out(text, format === 'text' ? 'colors' : 'lines');
    return;
  }
  writeReport(context, options.output, text);
}

function textOf(format: ReportFormat, { value, csv, text, picture }: Report): string {
  if (format === 'json') return `${jsonText(value)}\n`;
  if (format === 'svg') return svgFile(picture());
  if (format === 'text') return text();
  const { columns, rows } = csv();
  return csvLine(columns) + rows.map((row) => csvLine(columns.map((column) => row[column]))).join('');
}

/** Writes a file that a person named, and says so. */
export function writeReport(context: Context, path: string, text: string): void {
  writeNamedFile(path, text);
  note(context, `wrote ${path}`);
}
