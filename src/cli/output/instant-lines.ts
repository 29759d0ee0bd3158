/** Instants for people. */
import { cellText } from './table.ts';

/** Each instant in UTC and in the time zone, on a line of its own. */
export function instantLines(instants: readonly string[], timeZone: string): string {
  return instants.map((at) => `  ${cellText(at)}  ${localTime(at, timeZone)}\n`).join('');
}

/** An instant as the clocks of a time zone show it. */
function localTime(at: string, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(new Date(at));
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  const date = `${part('year')}-${part('month')}-${part('day')}`;
  return `${part('weekday')} ${date} ${part('hour')}:${part('minute')}:${part('second')} ${timeZone}`;
}
