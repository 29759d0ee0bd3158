/** What a schedule does with its instants: those that passed while no server ran, and those at which its last workflow still runs. */

/**
 * What happens at an instant while an earlier workflow of the schedule has not ended. `skip`: nothing. `queue`: the
 * instant waits for its end. `replace`: that workflow is canceled first. `allow`: both run.
 */
export const overlapRules = ['skip', 'queue', 'replace', 'allow'] as const;
export type OverlapRule = (typeof overlapRules)[number];

/** Which of the missed instants count afterwards: none, the newest, or the newest ones up to a number. */
export const catchUpRules = ['none', 'once', 'all'] as const;
export type CatchUpRule = (typeof catchUpRules)[number];

/**
 * `queued`: it waits for the end of an earlier workflow. `pending`: its workflow will be made. `created`: the workflow
 * is there and will be started. `started`, `skipped`, `missed` and `failed` are final.
 */
export const tickStates = ['queued', 'pending', 'created', 'started', 'skipped', 'missed', 'failed'] as const;
export type TickState = (typeof tickStates)[number];

export const tickOrigins = ['on_time', 'late', 'by_hand', 'items'] as const;
export type TickOrigin = (typeof tickOrigins)[number];

export const scheduleDefaults = { overlap: 'skip', catchUp: 'once', mostCaughtUp: 100 } as const;
/** At most this many instants of a schedule wait for the end of a workflow. */
export const mostQueued = 100;
/** What is due for longer was missed. */
const longestDelayMs = 60_000;

/** A name that is a word in paths, in commands and in every syntax of a specification. */
export const scheduleName = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
export const scheduleNameRule = 'a name is a letter and at most 63 more letters, digits, "_", "." or "-"';

export interface Lateness {
  now: number;
  /** The start of this server: nobody was there before. */
  servedSince: number;
  catchUp: CatchUpRule;
  mostCaughtUp: number;
}

export interface Settled {
  missed: readonly number[];
  /** Missed, and made up for. */
  late: readonly number[];
  onTime: readonly number[];
}

/**
 * Divides instants that have passed, oldest first. With `once`, an instant on time makes up for those before it.
 */
export function settleInstants(
  passed: readonly number[],
  { now, servedSince, catchUp, mostCaughtUp }: Lateness,
): Settled {
  const from = Math.max(servedSince, now - longestDelayMs);
  const numLate = passed.findIndex((at) => at >= from);
  const late = numLate === -1 ? passed : passed.slice(0, numLate);
  const onTime = passed.slice(late.length);
  const most = catchUp === 'none' ? 0 : catchUp === 'all' ? mostCaughtUp : onTime.length > 0 ? 0 : 1;
  const split = Math.max(0, late.length - most);
  return { missed: late.slice(0, split), late: late.slice(split), onTime };
}
