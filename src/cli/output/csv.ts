/** Records as CSV with the quoting of RFC 4180; lines end in a line feed, so that awk and cut can read them. */
import { jsonText } from '../../base/exact-json.ts';

/** Null is an empty field, an empty text a quoted one; nested values are JSON. */
function field(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? jsonText(value) : String(value);
  return text === '' || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** One line, with its line feed. */
export function csvLine(values: readonly unknown[]): string {
  return `${values.map(field).join(',')}\n`;
}
