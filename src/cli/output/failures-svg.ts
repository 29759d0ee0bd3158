/** Failed jobs by cause and message, as bars: as SVG. */
import type { ListRecord } from '../../api/contract.ts';
import { label, type Picture, pixels } from './svg.ts';

const width = 1100;
const rowHeight = 34;
/** Smaller groups are only counted. */
const mostRows = 40;
const longestMessage = 150;

/** Failed jobs with the same cause and message. */
export interface FailureRow extends ListRecord {
  count: number;
  cause: string | null;
  /** Separated by spaces. */
  return_codes: string;
  message: string;
  /** One of the jobs. */
  job_key: string;
  job_name: string;
  advice: string;
}

/** `rows`: the largest first. */
export function failuresPicture(name: string, rows: readonly FailureRow[]): Picture {
  const title = `How jobs of ${name} failed`;
  if (rows.length === 0) return { title, width, height: 50, content: label('No failed jobs.', { x: 16, y: 30 }) };
  const shown = rows.slice(0, mostRows);
  const most = rows[0]?.count ?? 1;
  const bars = shown.map(({ count, cause, return_codes, message }, index) => {
    const y = 10 + index * rowHeight;
    const wide = Math.max(2, (count / most) * (width - 110));
    const codes = return_codes === '' ? '' : ` ${return_codes}`;
    const letters = [...`${cause ?? 'lost'}${codes}: ${message}`];
    const text = letters.length > longestMessage ? `${letters.slice(0, longestMessage).join('')}…` : letters.join('');
    return [
      label(String(count), { x: 70, y: y + 12, anchor: 'end' }),
      `<rect class="failed" x="80" y="${y + 3}" width="${pixels(wide)}" height="10"/>`,
      label(text, { x: 80, y: y + 25, className: 'faint' }),
    ].join('');
  });
  const left = rows.length - shown.length;
  const height = 20 + shown.length * rowHeight + (left > 0 ? 20 : 0);
  const note = left > 0 ? label(`and ${left} smaller groups`, { x: 80, y: height - 8, className: 'faint' }) : '';
  return { title, width, height, content: bars.join('') + note };
}
