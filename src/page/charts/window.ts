/** Which part of a time a chart shows, how one moves in it, and the texts of its axis. Instants are in milliseconds. */

export interface TimeWindow {
  from: number;
  to: number;
}

const shortestMs = 20;

/** The part around `at`, `factor` times as long; null for the whole. */
export function zoomed(
  shown: TimeWindow,
  whole: TimeWindow,
  factor: number,
  at: number | null = null,
): TimeWindow | null {
  const length = shown.to - shown.from;
  const middle = at ?? shown.from + length / 2;
  const next = Math.max(shortestMs, length * factor);
  const share = length === 0 ? 0.5 : (middle - shown.from) / length;
  return within({ from: middle - next * share, to: middle + next * (1 - share) }, whole);
}

/** The part that lies later by this share of its length, or earlier. */
export function moved(shown: TimeWindow, whole: TimeWindow, share: number): TimeWindow | null {
  const by = (shown.to - shown.from) * share;
  const clamped = Math.max(whole.from - shown.from, Math.min(whole.to - shown.to, by));
  return within({ from: shown.from + clamped, to: shown.to + clamped }, whole);
}

/** Null for all of it. */
export function within({ from, to }: TimeWindow, whole: TimeWindow): TimeWindow | null {
  const first = Math.max(whole.from, Math.min(from, whole.to - shortestMs));
  const last = Math.min(whole.to, Math.max(to, first + shortestMs));
  if (first <= whole.from && last >= whole.to) return null;
  return { from: Math.floor(first), to: Math.ceil(last) };
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Distances of the marks of an axis, of which one takes the smallest that leaves room for texts. */
export const steps: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map((n) => n * day),
];

const two = (value: number): string => String(value).padStart(2, '0');

function clockText(at: Date, isFine: boolean, isFinest: boolean): string {
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (!isFine) return clock;
  const seconds = `${clock}:${two(at.getSeconds())}`;
  return isFinest ? `${seconds}.${String(at.getMilliseconds()).padStart(3, '0')}` : seconds;
}

function dayText(at: Date): string {
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** About as wide is a letter of an axis, in pixels. */
const letterWidth = 6.5;

/**
 * Local times at the marks of an axis; the date where it is another one than at the mark before. A text that would begin
 * before `least`, where the picture begins, is left out.
 */
export function markTexts(marks: readonly number[], step: number, least: number, msPerPixel: number): string[] {
  let shown = '';
  return marks.map((mark) => {
    const at = new Date(mark);
    const date = dayText(at).slice(5);
    const clock = step >= day ? '' : clockText(at, step < minute, step < second);
    const text = date === shown && clock !== '' ? clock : `${date} ${clock}`.trim();
    if (mark - (text.length / 2) * letterWidth * msPerPixel < least) return '';
    shown = date;
    return text;
  });
}

/** `2026-11-30 10:04:05 to 10:09:00`, in local time. */
export function windowText({ from, to }: TimeWindow): string {
  const [first, last] = [new Date(from), new Date(to)];
  const isFinest = to - from < 10 * second;
  const text = (at: Date): string => clockText(at, true, isFinest);
  const end = dayText(first) === dayText(last) ? text(last) : `${dayText(last)} ${text(last)}`;
  return `${dayText(first)} ${text(first)} to ${end}`;
}
