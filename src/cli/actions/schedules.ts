/** `torc schedules add|list|show|pause|resume|run|delete`. */
import type { ListRecord, Reply, Request, ScheduleRecord, TickRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import {
  type CatchUpRule,
  catchUpRules,
  type OverlapRule,
  overlapRules,
  scheduleName,
  scheduleNameRule,
} from '../../model/decide/schedule.ts';
import { quoted } from '../../model/spec/names.ts';
import { startOwnServer } from '../connection/action-server.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import type { ListOptions } from '../input/filters.ts';
import { type RecordList, showRecords } from '../input/record-list.ts';
import { instantLines } from '../output/instant-lines.ts';
import { printResult, textTable } from '../output/output.ts';
import { factLines } from '../output/table.ts';
import { instantText } from '../output/text-columns.ts';
import { readScheduled } from './scheduled-specification.ts';

/** Generators are schedules of another kind, and other words for people. */
export type Kind = 'schedule' | 'generator';

export interface AddScheduleOptions {
  cron?: string;
  timeZone?: string;
  /** Seconds. */
  every?: number;
  overlap: OverlapRule;
  catchUp: CatchUpRule;
  maxCatchUp: number;
  paused?: boolean;
  dryRun?: boolean;
}

export async function addSchedule(
  context: Context,
  name: string,
  path: string,
  options: AddScheduleOptions,
): Promise<void> {
  const { reply, timeZone } = await storeSchedule(context, name, options, await readScheduled(context, path, name));
  await printResult(context, reply, () => addedText(context, reply, timeZone));
}

/** Stores a schedule and sees to it that a server runs. */
export async function storeSchedule(
  context: Context,
  name: string,
  options: AddScheduleOptions,
  specification: Request<'schedule_add'>['specification'],
): Promise<{ reply: Reply<'schedule_add'>; timeZone: string }> {
  checkOptions(name, options);
  const timeZone = options.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { every, dryRun = false, paused = false } = options;
  const request = {
    name,
    cron: options.cron ?? null,
    every_ms: every === undefined ? null : Math.round(every * 1000),
    items: null,
    time_zone: timeZone,
    overlap: options.overlap,
    catch_up: options.catchUp,
    max_catch_up: options.maxCatchUp,
    paused,
    specification,
    dry_run: dryRun,
  };
  const done = await withConnection(
    context,
    async ({ api, kind }) => ({ reply: await api.call('schedule_add', request), isRemote: kind === 'remote' }),
    { creates: true, leavesServer: !dryRun },
  );
  const { reply } = done;
  if (!dryRun && !paused && !done.isRemote) await startOwnServer(context);
  return { reply, timeZone };
}

function checkOptions(name: string, { cron, every, timeZone }: AddScheduleOptions): void {
  const example = "For example: torc schedules add nightly report.yaml --cron '0 3 * * *'";
  checkName(name, 'schedule');
  if ((cron === undefined) === (every === undefined)) {
    throw new TorcError('usage', 'a schedule needs either --cron or --every', example);
  }
  refuseShortInterval(every);
  if (every !== undefined && timeZone !== undefined) {
    throw new TorcError('usage', 'an interval has no time zone: --time-zone belongs to --cron', example);
  }
}

/** Throws TorcError 'usage' for an interval, in seconds, that is none. */
export function refuseShortInterval(every: number | undefined): void {
  if (every === undefined || every >= 1) return;
  throw new TorcError('usage', '--every is shorter than a second', 'PT1S is the shortest.');
}

/** Throws TorcError 'usage'. */
export function checkName(name: string, kind: Kind): void {
  if (scheduleName.test(name)) return;
  throw new TorcError('usage', `${quoted(name)} cannot name a ${kind}: ${scheduleNameRule}`);
}

function addedText(context: Context, reply: Reply<'schedule_add'>, timeZone: string): string {
  const { name, dry_run, is_paused, instants } = reply;
  const isSo = is_paused ? ', paused' : '';
  const line = dry_run
    ? `dry run: schedule ${name} would be made${isSo}; nothing was changed`
    : `created schedule ${name}${isSo}`;
  const what = is_paused ? 'instants, if it were not paused' : 'next instants';
  const next = dry_run
    ? ''
    : is_paused
      ? `to let it run:  ${context.torc} schedules resume ${name}\n`
      : `to see its runs:  ${context.torc} schedules show ${name}\n`;
  return `${line}\n${what}:\n${instantLines(instants, timeZone)}${next}`;
}

export const scheduleColumns: readonly (keyof ScheduleRecord)[] = [
  ...(['name', 'cron', 'time_zone', 'every_seconds', 'max_items', 'max_wait_seconds', 'num_items'] as const),
  ...(['overlap', 'catch_up', 'max_catch_up', 'spec', 'working_directory', 'user', 'is_paused', 'next_at'] as const),
  ...(['num_queued', 'num_runs', 'last', 'created_at'] as const),
];

const scheduleList: RecordList<ScheduleRecord> = {
  name: 'schedules',
  columns: scheduleColumns,
  words: { overlap: overlapRules, catch_up: catchUpRules },
  usual: ['name', 'when', 'next_at', 'overlap', 'catch_up', 'num_runs', 'last'],
  asText: shownSchedule,
  ifNone: 'there are no schedules; to make one: torc schedules add --help\n',
};

export async function listSchedules(context: Context, options: ListOptions): Promise<void> {
  const all = await withConnection(context, ({ api }) => api.call('schedules_list', {}));
  const schedules = all.schedules.filter(({ max_items }) => max_items === null);
  await showRecords(context, scheduleList, schedules, options);
}

/** What lists of schedules and generators say as text. */
export function shownSchedule(schedule: ScheduleRecord): ListRecord {
  const { is_paused, next_at, last } = schedule;
  return {
    when: whenOf(schedule),
    next_at: is_paused ? 'paused' : next_at,
    last: last === null ? '' : fateOf(last),
  };
}

export function whenOf({ cron, time_zone, every_seconds, max_items, max_wait_seconds }: ScheduleRecord): string {
  if (max_items !== null) {
    const wait = max_wait_seconds === null ? '' : `, or after ${formatDuration(max_wait_seconds)}`;
    return `${counted(max_items, 'item')}${wait}`;
  }
  return cron === null ? `every ${formatDuration(every_seconds ?? 0)}` : `${cron} (${time_zone})`;
}

/** How an instant went. */
export function fateOf({ state, workflow_key, workflow_status, reason, num_instants }: TickRecord): string {
  if (state === 'missed') {
    const many = num_instants === null ? 'many instants' : counted(num_instants, 'instant');
    return `missed ${many}`;
  }
  const why = reason === null ? '' : `: ${reason}`;
  if (workflow_key === null) return `${state}${why}`;
  return state === 'started'
    ? `workflow ${workflow_key} ${workflow_status ?? ''}`
    : `workflow ${workflow_key} ${state}${why}`;
}

export async function showSchedule(
  context: Context,
  name: string,
  numRuns: number,
  kind: Kind = 'schedule',
): Promise<void> {
  checkName(name, kind);
  const reply = await withConnection(context, ({ api }) => api.call('schedule_show', { name, limit: numRuns }));
  await printResult(context, reply, () => {
    const { catch_up, max_catch_up } = reply;
    const facts = factLines([
      ['name', name],
      ['when', whenOf(reply)],
      ['spec', reply.spec],
      ['directory', reply.working_directory],
      ['overlap', reply.overlap],
      ['catch-up', catch_up === 'all' ? `all, at most ${max_catch_up}` : catch_up],
      ['state', reply.is_paused ? `paused; to resume: ${context.torc} ${kind}s resume ${name}` : 'active'],
      ['queued', reply.num_queued],
      ...(reply.max_items === null ? [] : [['items that wait', reply.num_items] as const]),
    ]);
    const instants =
      reply.instants.length === 0 ? '' : `next instants:\n${instantLines(reply.instants, reply.time_zone)}`;
    const rows = reply.runs.map((each) => ({
      run: each.run,
      scheduled_at: each.scheduled_at,
      origin: each.origin,
      workflow_key: each.workflow_key,
      result: fateOf(each),
    }));
    const columns = ['run', 'scheduled_at', 'origin', 'workflow_key', 'result'];
    const runs = rows.length === 0 ? 'no runs yet\n' : `last runs:\n${textTable(context, columns, rows)}`;
    return `${facts}${instants}${runs}`;
  });
}

export async function pauseSchedule(
  context: Context,
  name: string,
  paused: boolean,
  kind: Kind = 'schedule',
): Promise<void> {
  checkName(name, kind);
  const { reply, isRemote } = await changed(context, (api) => api.call('schedule_pause', { name, paused }), !paused);
  if (!paused && !isRemote) await startOwnServer(context);
  await printResult(context, reply, () => {
    if (reply.was_paused === paused)
      return `nothing to change: ${kind} ${name} ${paused ? 'is already paused' : 'is not paused'}\n`;
    if (paused) return `paused ${kind} ${name}\nto resume:  ${context.torc} ${kind}s resume ${name}\n`;
    return `resumed ${kind} ${name}${reply.next_at === null ? '' : `; next instant: ${instantText(context, reply.next_at)}`}\n`;
  });
}

export async function runSchedule(context: Context, name: string, kind: Kind = 'schedule'): Promise<void> {
  checkName(name, kind);
  const { reply, isRemote } = await changed(context, (api) => api.call('schedule_run', { name }), true);
  if (!isRemote) await startOwnServer(context);
  await printResult(context, reply, () => {
    const line =
      reply.state === 'queued'
        ? `queued a run of ${kind} ${name}: its previous workflow has not ended`
        : `a workflow of ${kind} ${name} starts`;
    return `${line}\nto see it:  ${context.torc} ${kind}s show ${name}\n`;
  });
}

/** A change after which a server may have to run. */
export async function changed<T>(
  context: Context,
  work: (api: Connection['api']) => Promise<T>,
  leavesServer: boolean,
): Promise<{ reply: T; isRemote: boolean }> {
  return await withConnection(
    context,
    async ({ api, kind }) => ({ reply: await work(api), isRemote: kind === 'remote' }),
    { leavesServer },
  );
}

export async function deleteSchedule(context: Context, name: string, kind: Kind = 'schedule'): Promise<void> {
  checkName(name, kind);
  const reply = await withConnection(context, ({ api }) => api.call('schedule_delete', { name }));
  await printResult(context, reply, () => {
    const { workflow_keys: keys } = reply;
    const rest =
      keys.length === 0
        ? ''
        : `; ${keys.length === 1 ? 'workflow' : 'workflows'} ${keys.join(', ')} ${keys.length === 1 ? 'goes' : 'go'} on`;
    return `deleted ${kind} ${name}${rest}\n`;
  });
}
