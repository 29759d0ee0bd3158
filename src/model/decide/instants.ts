/** The instants of a schedule. Loads cron-parser, which knows time zones: imported only where there is a schedule. */
import { type CronExpression, CronExpressionParser } from 'cron-parser';
import { TorcError } from '../../base/errors.ts';
import { quoted } from '../spec/names.ts';

/** `seed` makes the values of `H`. */
export interface CronTiming {
  cron: string;
  timeZone: string;
  seed: string;
}
export type Timing = CronTiming | { everyMs: number };

export interface Passed {
  /** Oldest first; at most the newest `most`. */
  instants: number[];
  /** Those before them; null when there are more than were counted. */
  numEarlier: number | null;
  /** The first one that is still to come; null when there is none. */
  next: number | null;
}

/** The instants from `first`, which is one, to `now`. All in milliseconds UTC. */
export function passedInstants(timing: Timing, first: number, now: number, most: number): Passed {
  if (first > now) return { instants: [], numEarlier: 0, next: first };
  return 'cron' in timing ? passedCron(timing, first, now, most) : passedIntervals(timing.everyMs, first, now, most);
}

function passedIntervals(everyMs: number, first: number, now: number, most: number): Passed {
  const numPassed = Math.floor((now - first) / everyMs) + 1;
  const next = first + numPassed * everyMs;
  const numListed = Math.min(numPassed, most);
  const instants = Array.from({ length: numListed }, (_, index) => next - (numListed - index) * everyMs);
  return { instants, numEarlier: numPassed - numListed, next };
}

function passedCron(timing: CronTiming, first: number, now: number, most: number): Passed {
  const instants = [first];
  const forward = expressionAt(timing, first);
  for (;;) {
    const next = step(() => forward.next());
    if (next === null || next > now) return { instants, numEarlier: 0, next };
    if (instants.length === most) break;
    instants.push(next);
  }
  const backward = expressionAt(timing, now + 1);
  const newest: number[] = [];
  while (newest.length < most) {
    const at = step(() => backward.prev());
    if (at === null) break;
    newest.push(at);
  }
  return { instants: newest.reverse(), numEarlier: null, next: nextInstant(timing, now) };
}

/** The first instant after this one; null when there is none. */
export function nextInstant(timing: Timing, after: number): number | null {
  if (!('cron' in timing)) return after + timing.everyMs;
  const expression = expressionAt(timing, after);
  return step(() => expression.next());
}

/** The instants after this one, at most `count`. */
export function nextInstants(timing: Timing, after: number, count: number): number[] {
  const instants: number[] = [];
  for (let at = nextInstant(timing, after); at !== null && instants.length < count; at = nextInstant(timing, at)) {
    instants.push(at);
  }
  return instants;
}

/** The same expression as it is stored: single spaces. Throws TorcError 'usage', also when no instant ever comes. */
export function checkedTiming(timing: Timing, now: number): Timing {
  if (!('cron' in timing)) return timing;
  const { timeZone } = timing;
  if (!isTimeZone(timeZone)) {
    const hint = 'Write a name of the time zone database, such as Europe/Berlin, America/New_York or UTC.';
    throw new TorcError('usage', `there is no time zone ${quoted(timeZone)}`, hint);
  }
  const words = timing.cron.trim().split(/\s+/);
  const cron = words.join(' ');
  const isWord = words.length === 1 && cron.startsWith('@');
  if (!isWord && words.length !== 5 && words.length !== 6) {
    const count = cron === '' ? 'is empty' : `has ${words.length} ${words.length === 1 ? 'field' : 'fields'}`;
    throw new TorcError('usage', `the cron expression ${quoted(cron)} ${count}`, cronHint);
  }
  const checked = { ...timing, cron };
  if (nextInstant(checked, now) === null) {
    throw new TorcError('usage', `the cron expression ${quoted(cron)} never matches`, cronHint);
  }
  return checked;
}

const cronHint =
  "Write 5 fields (minute hour day month weekday, such as '0 3 * * 1-5' for 03:00 on working days), 6 with seconds first, or @hourly, @daily, @weekly, @monthly.";

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function expressionAt(timing: CronTiming, at: number): CronExpression {
  try {
    return CronExpressionParser.parse(timing.cron, { currentDate: at, tz: timing.timeZone, hashSeed: timing.seed });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TorcError('usage', `the cron expression ${quoted(timing.cron)} cannot be read: ${reason}`, cronHint);
  }
}

/** Null where cron-parser finds nothing in the years that it looks at. */
function step(move: () => { getTime(): number }): number | null {
  try {
    return move().getTime();
  } catch {
    return null;
  }
}
