/** Instants as a person at a terminal reads them: local time, and how long ago. */

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const units = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
] as const;

const isoInstant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

export function isInstant(value: unknown): value is string {
  return typeof value === 'string' && isoInstant.test(value);
}

/** `12:04:31 5m ago`; of another day `Nov 28 12:04 1d ago`, of another year `2025-11-28 12:04 366d ago`. `now`: ms since 1970. */
export function localInstant(iso: string, now: number): string {
  return `${clockText(iso, now)} ${distance(now - Date.parse(iso))}`;
}

function clockText(iso: string, now: number): string {
  const at = new Date(iso);
  const today = new Date(now);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  const isToday = at.toDateString() === today.toDateString();
  const isThisYear = at.getFullYear() === today.getFullYear();
  const date = isThisYear
    ? `${months[at.getMonth()]} ${two(at.getDate())}`
    : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return isToday ? `${clock}:${two(at.getSeconds())}` : `${date} ${clock}`;
}

/** A sentence with its instants as a person reads them: `at 12:04:31 (5m ago)`. */
export function withLocalInstants(text: string, now: number): string {
  return text.replaceAll(
    /(?<=\b(?:at|until|since) )\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g,
    (iso) => `${clockText(iso, now)} (${distance(now - Date.parse(iso))})`,
  );
}

function distance(milliseconds: number): string {
  const seconds = Math.round(Math.abs(milliseconds) / 1000);
  const [unit, length] = units.find(([, each]) => seconds >= each) ?? ['s', 1];
  const words = `${Math.floor(seconds / length)}${unit}`;
  return milliseconds < 0 && seconds > 0 ? `in ${words}` : `${words} ago`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
