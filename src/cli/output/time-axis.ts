/** A scale of time below or above a picture: from instants to pixels, with labels at round instants in UTC. */
import { label, pixels } from './svg.ts';

export interface TimeScale {
  /** Milliseconds. */
  from: number;
  to: number;
  /** Pixels. */
  left: number;
  width: number;
}

export function xOf({ from, to, left, width }: TimeScale, at: number): number {
  return left + (Math.min(Math.max(at, from), to) - from) * (width / Math.max(1, to - from));
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const steps = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 20, 30].map((n) => n * minute),
  ...[1, 2, 3, 6, 12].map((n) => n * hour),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].map((n) => n * day),
];

/** A label needs as much. */
const labelPixels = 90;

/** The instants of the labels, with their texts. */
export function ticksOf({ from, to, width }: TimeScale): { at: number; text: string }[] {
  const most = Math.max(1, Math.floor(width / labelPixels));
  const step = steps.find((each) => (to - from) / each <= most) ?? (steps.at(-1) as number);
  const ticks: { at: number; text: string }[] = [];
  let shownDay = '';
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const iso = new Date(at).toISOString();
    const date = iso.slice(5, 10);
    const clock = step < second ? iso.slice(11, 23) : step < minute ? iso.slice(11, 19) : iso.slice(11, 16);
    ticks.push({ at, text: step >= day ? date : date === shownDay ? clock : `${date} ${clock}` });
    shownDay = date;
  }
  return ticks;
}

/** Lines from top to bottom with labels above. */
export function timeAxis(scale: TimeScale, top: number, bottom: number): string {
  return ticksOf(scale)
    .map(({ at, text }) => {
      const x = xOf(scale, at);
      const line = `<path class="grid" d="M${pixels(x)} ${pixels(top)}V${pixels(bottom)}"/>`;
      return line + label(text, { x, y: top - 9, anchor: 'middle', className: 'faint' });
    })
    .join('');
}
