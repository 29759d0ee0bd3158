/** Schedules: made, shown, paused, run at once, deleted. */
import type { Reply, Request, ScheduleRecord, TickRecord } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import type { Timing } from '../../model/decide/instants.ts';
import { fireGenerator, putIntoGenerator } from '../../storage/authoring/generators.ts';
import {
  addSchedule,
  allSchedules,
  deleteSchedule,
  getSchedule,
  latestTicks,
  type NewSchedule,
  type Schedule,
  setSchedulePaused,
  type TickRow,
} from '../../storage/authoring/schedules.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { countWaitingItems } from '../../storage/running/items.ts';
import { admitTick, countQueued, liveTick } from '../../storage/running/ticks.ts';
import { findWorkflow, statusOf } from '../../storage/running/workflows.ts';
import { timingOf } from '../actions/schedule-instants.ts';
import { checkNewSchedule } from '../actions/scheduled-workflow.ts';
import type { ServerContext } from '../context.ts';

/** So many of the next instants are shown. */
export const numShownInstants = 5;

export async function makeSchedule(
  { clock }: ServerContext,
  request: Request<'schedule_add'>,
): Promise<(tx: Transaction) => Reply<'schedule_add'>> {
  if (request.items !== null) return await makeGenerator(clock.now(), request);
  const { checkedTiming, nextInstants } = await import('../../model/decide/instants.ts');
  const { name, every_ms: everyMs, time_zone: timeZone, paused, specification } = request;
  const given: Timing =
    request.cron === null ? { everyMs: everyMs ?? 0 } : { cron: request.cron, timeZone, seed: name };
  const timing = checkedTiming(given, clock.now());
  const cron = 'cron' in timing ? timing.cron : null;
  const rules = { overlap: request.overlap, catchUp: request.catch_up, mostCaughtUp: request.max_catch_up };
  refuseContradiction(rules);
  const [first = clock.now()] = nextInstants(timing, clock.now(), 1);
  await checkNewSchedule(specification, { schedule: name, at: first, timeZone, run: 1 });
  return (tx) => {
    const instants = nextInstants(timing, tx.now, numShownInstants);
    const nextAt = paused ? null : (instants[0] ?? null);
    const row = {
      ...noItems,
      name,
      user: tx.person,
      cron,
      everyMs,
      timeZone,
      ...rules,
      specification,
      isPaused: paused,
      nextAt,
    };
    const add = (): Schedule => addSchedule(tx, row);
    if (request.dry_run) tx.rehearse(add);
    else add();
    return { dry_run: request.dry_run, name, is_paused: paused, instants: instants.map((at) => isoInstant(at)) };
  };
}

const noItems = { mostItems: null, longestWaitMs: null };

async function makeGenerator(
  now: number,
  request: Request<'schedule_add'>,
): Promise<(tx: Transaction) => Reply<'schedule_add'>> {
  const { name, items, overlap, time_zone: timeZone, paused: isPaused, specification } = request;
  if (overlap !== 'queue' && overlap !== 'allow') {
    const hint = 'With queue they wait until the previous workflow has ended; with allow both run.';
    throw new TorcError('usage', `with overlap ${overlap} the items of a generator would be lost`, hint);
  }
  await checkNewSchedule(specification, { schedule: name, at: now, timeZone, run: 1, items: ['example'] });
  return (tx) => {
    const rules = { overlap, catchUp: request.catch_up, mostCaughtUp: request.max_catch_up };
    const counts = { mostItems: items?.max ?? null, longestWaitMs: items?.max_wait_ms ?? null };
    const when = { cron: null, everyMs: null, timeZone, nextAt: null, ...counts };
    const add = () => addSchedule(tx, { name, user: tx.person, specification, isPaused, ...when, ...rules });
    if (request.dry_run) tx.rehearse(add);
    else add();
    return { dry_run: request.dry_run, name, is_paused: isPaused, instants: [] };
  };
}

export function collectItems(tx: Transaction, { name, items }: Request<'generator_put'>): Reply<'generator_put'> {
  const { numNew, numWaiting, numRuns } = putIntoGenerator(tx, getSchedule(tx, name), items);
  return {
    name,
    num_new: numNew,
    num_known: items.length - numNew,
    num_waiting: numWaiting,
    next_at: isoInstant(getSchedule(tx, name).nextAt),
    num_workflows: numRuns,
  };
}

/** Instants that are made up for come one right after the other. */
export function refuseContradiction({ overlap, catchUp }: Pick<NewSchedule, 'overlap' | 'catchUp'>): void {
  if (catchUp !== 'all' || overlap === 'queue' || overlap === 'allow') return;
  const fate = overlap === 'skip' ? 'skipped' : 'replaced';
  throw new TorcError(
    'usage',
    `with catch-up all and overlap ${overlap}, all but one of the missed instants would be ${fate} at once`,
    'Let them wait for each other (--overlap queue), or run once for all of them (--catch-up once).',
  );
}

export function listSchedules({ view }: ServerContext): Reply<'schedules_list'> {
  return { schedules: allSchedules(view).map((schedule) => scheduleRecord(view, schedule)) };
}

export async function showSchedule(
  { view }: ServerContext,
  { name, limit }: Request<'schedule_show'>,
): Promise<Reply<'schedule_show'>> {
  const schedule = getSchedule(view, name);
  const { nextInstants } = await import('../../model/decide/instants.ts');
  const { nextAt } = schedule;
  const later =
    nextAt === null || schedule.mostItems !== null
      ? []
      : nextInstants(timingOf(schedule), nextAt, numShownInstants - 1);
  const instants = nextAt === null ? [] : [nextAt, ...later];
  return {
    ...scheduleRecord(view, schedule),
    instants: instants.map((at) => isoInstant(at)),
    runs: latestTicks(view, schedule.scheduleKey, limit).map((row) => tickRecord(view, row)),
  };
}

function scheduleRecord(tx: Transaction, schedule: Schedule): ScheduleRecord {
  const { name, cron, overlap, specification, user } = schedule;
  const [last] = latestTicks(tx, schedule.scheduleKey, 1);
  return {
    name,
    cron,
    time_zone: schedule.timeZone,
    every_seconds: schedule.everyMs === null ? null : schedule.everyMs / 1000,
    max_items: schedule.mostItems,
    max_wait_seconds: schedule.longestWaitMs === null ? null : schedule.longestWaitMs / 1000,
    num_items: schedule.mostItems === null ? 0 : countWaitingItems(tx, schedule.scheduleKey),
    overlap,
    catch_up: schedule.catchUp,
    max_catch_up: schedule.mostCaughtUp,
    spec: specification.file,
    working_directory: specification.working_directory,
    user,
    is_paused: schedule.isPaused,
    next_at: isoInstant(schedule.nextAt),
    num_queued: countQueued(tx, schedule.scheduleKey),
    num_runs: schedule.numRuns,
    last: last === undefined ? null : tickRecord(tx, last),
    created_at: isoInstant(schedule.createdAt),
  };
}

function tickRecord(tx: Transaction, row: TickRow): TickRecord {
  const workflow = row.workflow_key === null ? null : findWorkflow(tx, row.workflow_key);
  return {
    scheduled_at: isoInstant(row.scheduled_at),
    last_at: isoInstant(row.last_at),
    num_instants: row.num_instants,
    origin: row.origin,
    state: row.state,
    run: row.run,
    workflow_key: row.workflow_key === null ? null : String(row.workflow_key),
    workflow_status: workflow === null ? null : statusOf(tx, workflow),
    reason: row.reason,
  };
}

export async function pauseSchedule(
  _: ServerContext,
  { name, paused }: Request<'schedule_pause'>,
): Promise<(tx: Transaction) => Reply<'schedule_pause'>> {
  const { nextInstant } = await import('../../model/decide/instants.ts');
  return (tx) => {
    const schedule = getSchedule(tx, name);
    const { isPaused, nextAt, mostItems } = schedule;
    if (mostItems !== null) return pauseGenerator(tx, schedule, paused);
    const next = paused ? null : isPaused ? nextInstant(timingOf(schedule), tx.now) : nextAt;
    if (isPaused !== paused) setSchedulePaused(tx, schedule, paused, next);
    return { name, is_paused: paused, was_paused: isPaused, next_at: isoInstant(next) };
  };
}

function pauseGenerator(tx: Transaction, generator: Schedule, paused: boolean): Reply<'schedule_pause'> {
  const { name, isPaused: wasPaused } = generator;
  if (wasPaused !== paused) {
    setSchedulePaused(tx, generator, paused, null);
    fireGenerator(tx, { ...generator, isPaused: paused }, false);
  }
  return { name, is_paused: paused, was_paused: wasPaused, next_at: isoInstant(getSchedule(tx, name).nextAt) };
}

/** A workflow of the items that wait. */
function runGenerator(tx: Transaction, generator: Schedule): Reply<'schedule_run'> {
  const { name, scheduleKey } = generator;
  const numRuns = fireGenerator(tx, generator, true);
  if (numRuns === 0) {
    throw new TorcError('conflict', `no items wait in generator ${name}`, `torc generators put ${name} ITEM`);
  }
  const [latest] = latestTicks(tx, scheduleKey, 1);
  return { name, scheduled_at: isoInstant(tx.now), state: latest?.state ?? 'pending' };
}

/** A workflow of the schedule now, also while it is paused. */
export function runSchedule(tx: Transaction, { name }: Request<'schedule_run'>): Reply<'schedule_run'> {
  const schedule = getSchedule(tx, name);
  const { scheduleKey, overlap, mostItems } = schedule;
  if (mostItems !== null) return runGenerator(tx, schedule);
  const live = overlap === 'skip' ? liveTick(tx, scheduleKey) : null;
  if (live !== null) {
    const what =
      live.workflowKey === null
        ? 'the previous workflow is still being created'
        : `its workflow ${live.workflowKey} has not ended`;
    throw new TorcError(
      'conflict',
      `schedule ${name} skips what would overlap, and ${what}`,
      `torc schedules show ${name}`,
    );
  }
  const state = admitTick(tx, { scheduleKey, overlap, at: tx.now, origin: 'by_hand' });
  tx.tell({ kind: 'schedule_due', scheduleKey });
  return { name, scheduled_at: isoInstant(tx.now), state };
}

export function removeSchedule(tx: Transaction, { name }: Request<'schedule_delete'>): Reply<'schedule_delete'> {
  const goingOn = deleteSchedule(tx, getSchedule(tx, name));
  return { name, workflow_keys: goingOn.map(String) };
}
