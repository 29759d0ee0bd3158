/** `torc schedules modify`: other times, rules or another specification. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { CatchUpRule, OverlapRule } from '../../model/decide/schedule.ts';
import { startOwnServer } from '../connection/action-server.ts';
import type { Context } from '../context/context.ts';
import { changesTable } from '../input/changed-fields.ts';
import { instantLines } from '../output/instant-lines.ts';
import { printResult } from '../output/output.ts';
import { readScheduled } from './scheduled-specification.ts';
import { changed, checkName, refuseShortInterval } from './schedules.ts';

export interface ModifyScheduleOptions {
  cron?: string;
  timeZone?: string;
  /** Seconds. */
  every?: number;
  overlap?: OverlapRule;
  catchUp?: CatchUpRule;
  maxCatchUp?: number;
  spec?: string;
  dryRun?: boolean;
}

export async function modifySchedule(context: Context, name: string, options: ModifyScheduleOptions): Promise<void> {
  const { cron, every, spec, dryRun: dry_run = false } = options;
  if (cron !== undefined && every !== undefined) {
    throw new TorcError('usage', 'a schedule has either --cron or --every', modifyHelp(context));
  }
  checkName(name, 'schedule');
  refuseShortInterval(every);
  const changes: Request<'schedule_modify'>['changes'] = {
    ...(cron === undefined ? {} : { cron }),
    ...(every === undefined ? {} : { every_ms: Math.round(every * 1000) }),
    ...(options.timeZone === undefined ? {} : { time_zone: options.timeZone }),
    ...(options.overlap === undefined ? {} : { overlap: options.overlap }),
    ...(options.catchUp === undefined ? {} : { catch_up: options.catchUp }),
    ...(options.maxCatchUp === undefined ? {} : { max_catch_up: options.maxCatchUp }),
    ...(spec === undefined ? {} : { specification: await readScheduled(context, spec, name) }),
  };
  if (Object.keys(changes).length === 0) throw new TorcError('usage', 'no changes were given', modifyHelp(context));
  const request = { name, changes, dry_run };
  const { reply, isRemote } = await changed(context, (api) => api.call('schedule_modify', request), !dry_run);
  if (!dry_run && !reply.is_paused && !isRemote) await startOwnServer(context);
  await printResult(context, reply, () => modifiedText(context, reply));
}

function modifyHelp({ torc }: Context): string {
  return `${torc} schedules modify --help`;
}

function modifiedText(context: Context, reply: Reply<'schedule_modify'>): string {
  const { name, dry_run, changes, instants, is_paused, time_zone } = reply;
  if (changes.length === 0) return `nothing to change: schedule ${name} already has these settings\n`;
  const line = dry_run ? `dry run: schedule ${name} would change; nothing was changed` : `changed schedule ${name}`;
  const what = is_paused ? 'instants, if it were not paused' : 'next instants';
  return `${line}\n${changesTable(context, changes)}${what}:\n${instantLines(instants, time_zone)}`;
}
