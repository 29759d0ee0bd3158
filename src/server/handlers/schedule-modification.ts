/** Changes of a schedule: its times, its rules, what it runs. Its runs, and the instants that wait, stay. */
import type { ChangedField, Reply, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { changeSchedule, getSchedule, type Schedule } from '../../storage/authoring/schedules.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { timingOf } from '../actions/schedule-instants.ts';
import { checkNewSchedule } from '../actions/scheduled-workflow.ts';
import type { ServerContext } from '../context.ts';
import { numShownInstants, refuseContradiction } from './schedules.ts';

type Changes = Request<'schedule_modify'>['changes'];

/** With other times, instants that have passed count no more, and the next one is the first of the new times. */
export async function modifySchedule(
  { clock, view }: ServerContext,
  { name, changes, dry_run }: Request<'schedule_modify'>,
): Promise<(tx: Transaction) => Reply<'schedule_modify'>> {
  const { checkedTiming, nextInstants } = await import('../../model/decide/instants.ts');
  const known = getSchedule(view, name);
  refuseGenerator(known);
  const { specification, timeZone, ...times } = withChanges(known, changes);
  const [at = clock.now()] = nextInstants(checkedTiming(timingOf({ ...times, timeZone }), clock.now()), clock.now(), 1);
  await checkNewSchedule(specification, { schedule: name, at, timeZone, run: 1 });
  return (tx) => {
    const before = getSchedule(tx, name);
    refuseGenerator(before);
    const asked = withChanges(before, changes);
    refuseContradiction(asked);
    const timing = checkedTiming(timingOf(asked), tx.now);
    const after = { ...asked, cron: 'cron' in timing ? timing.cron : null };
    const differences = differencesOf(before, after);
    const isRetimed = differences.some(({ field }) => timingFields.includes(field));
    if (isRetimed) after.nextAt = after.isPaused ? null : (nextInstants(timing, tx.now, 1)[0] ?? null);
    if (!dry_run && differences.length > 0) changeSchedule(tx, before, after);
    const { nextAt, isPaused } = after;
    const later = nextInstants(timing, nextAt ?? tx.now, numShownInstants - 1);
    const instants = nextAt === null ? later : [nextAt, ...later];
    return {
      dry_run,
      name,
      is_paused: isPaused,
      time_zone: after.timeZone,
      changes: differences,
      instants: instants.map((at) => isoInstant(at)),
    };
  };
}

function refuseGenerator({ name, mostItems }: Schedule): void {
  if (mostItems === null) return;
  throw new TorcError(
    'usage',
    `${name} is a generator, which cannot be changed`,
    `Delete it and make another one: torc generators delete ${name}; torc generators show ${name} says what it has.`,
  );
}

function withChanges(before: Schedule, changes: Changes): Schedule {
  const { cron, every_ms: everyMs, time_zone: timeZone } = changes;
  const after: Schedule = {
    ...before,
    timeZone: timeZone ?? before.timeZone,
    overlap: changes.overlap ?? before.overlap,
    catchUp: changes.catch_up ?? before.catchUp,
    mostCaughtUp: changes.max_catch_up ?? before.mostCaughtUp,
    specification: changes.specification ?? before.specification,
    ...(cron === undefined ? {} : { cron, everyMs: null }),
    ...(everyMs === undefined ? {} : { everyMs, cron: null }),
  };
  if (after.cron !== null || timeZone === undefined) return after;
  throw new TorcError('usage', 'an interval has no time zone: a time zone belongs to a cron expression');
}

const timingFields = ['cron', 'every_seconds', 'time_zone'];

function differencesOf(before: Schedule, after: Schedule): ChangedField[] {
  const values = (schedule: Schedule): Record<string, unknown> => ({
    cron: schedule.cron,
    every_seconds: schedule.everyMs === null ? null : schedule.everyMs / 1000,
    time_zone: schedule.timeZone,
    overlap: schedule.overlap,
    catch_up: schedule.catchUp,
    max_catch_up: schedule.mostCaughtUp,
  });
  const [old, now] = [values(before), values(after)];
  const changes = Object.keys(old)
    .filter((field) => old[field] !== now[field])
    .map((field) => ({ field, old_value: old[field] ?? null, new_value: now[field] ?? null }));
  const [oldSpec, newSpec] = [before.specification, after.specification];
  if (JSON.stringify(oldSpec) === JSON.stringify(newSpec)) return changes;
  return [...changes, { field: 'spec', old_value: oldSpec.file, new_value: newSpec.file }];
}
