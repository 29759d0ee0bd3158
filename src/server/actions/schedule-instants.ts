/** What the instants of a schedule are computed from. */
import type { Timing } from '../../model/decide/instants.ts';
import type { Schedule } from '../../storage/authoring/schedules.ts';

export function timingOf({
  name,
  cron,
  everyMs,
  timeZone,
}: Pick<Schedule, 'name' | 'cron' | 'everyMs' | 'timeZone'>): Timing {
  return cron === null ? { everyMs: everyMs ?? 0 } : { cron, timeZone, seed: name };
}
