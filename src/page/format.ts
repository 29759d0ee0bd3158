/** Values as people read them. */
import { formatDuration, formatMemory } from '../base/unit-texts.ts';

export { formatDuration, formatMemory };

const numbers = new Intl.NumberFormat('en-US');

export function formatCount(value: number): string {
  return numbers.format(value);
}

/** `12 s ago`, `in 3m 05s`. */
export function relativeTime(instant: string, now: number): string {
  const seconds = (now - Date.parse(instant)) / 1000;
  if (Math.abs(seconds) < 1) return 'now';
  const text = formatDuration(Math.round(Math.abs(seconds))).replace(/\.0 s$/, ' s');
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

/** The local time with its zone. */
export function absoluteTime(instant: string): string {
  return new Date(instant).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'long' });
}

/** `3.1 jobs/s`, `12 jobs/h`: with a unit in which it is at least 1. */
export function formatPace(perSecond: number): string {
  const [value, unit] =
    perSecond >= 1 ? [perSecond, 's'] : perSecond * 60 >= 1 ? [perSecond * 60, 'min'] : [perSecond * 3600, 'h'];
  return `${value >= 10 ? Math.round(value) : value.toFixed(1)} jobs/${unit}`;
}

/** Output of a program as text: no colors, no titles of windows, and of a line that was drawn over, what is left. */
export function plainOutput(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are removed
  const withoutColors = text.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b\n]*(\x07|\x1b\\)/g, '');
  return withoutColors.replace(/\r+\n/g, '\n').replace(/^[^\n]*\r(?=[^\n])/gm, '');
}
