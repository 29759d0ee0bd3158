/** `torc generators add|put|list`. */
import type { Reply, Request, ScheduleRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type Json, parseJson } from '../../base/exact-json.ts';
import { counted } from '../../base/text.ts';
import type { OverlapRule } from '../../model/decide/schedule.ts';
import { startOwnServer } from '../connection/action-server.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { readBytes } from '../documents/given-file.ts';
import type { ListOptions } from '../input/filters.ts';
import { type RecordList, showRecords } from '../input/record-list.ts';
import { printResult } from '../output/output.ts';
import { readScheduled } from './scheduled-specification.ts';
import { changed, checkName, scheduleColumns, shownSchedule } from './schedules.ts';

export interface AddGeneratorOptions {
  items: number;
  /** Seconds. */
  maxWait?: number;
  overlap: OverlapRule;
  paused?: boolean;
  dryRun?: boolean;
}

export async function addGenerator(
  context: Context,
  name: string,
  path: string,
  options: AddGeneratorOptions,
): Promise<void> {
  const reply = await storeGenerator(context, name, options, () => readScheduled(context, path, name, ['example']));
  await printResult(context, reply, () =>
    options.dryRun === true
      ? `dry run: generator ${name} would be made; nothing was changed\n`
      : `created generator ${name}\nto give it items:  ${context.torc} generators put ${name} ITEM..\n`,
  );
}

export async function storeGenerator(
  context: Context,
  name: string,
  { items, maxWait, overlap, paused = false, dryRun = false }: AddGeneratorOptions,
  read: () => Promise<Request<'schedule_add'>['specification']>,
): Promise<Reply<'schedule_add'>> {
  checkName(name, 'generator');
  if (items > 1000) throw new TorcError('usage', '--items is more than 1000', 'A workflow gets at most 1000 items.');
  if (maxWait !== undefined && maxWait < 1) {
    throw new TorcError('usage', '--max-wait is shorter than a second', 'PT1S is the shortest.');
  }
  const request: Request<'schedule_add'> = {
    name,
    cron: null,
    every_ms: null,
    items: { max: items, max_wait_ms: maxWait === undefined ? null : Math.round(maxWait * 1000) },
    time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    overlap,
    catch_up: 'once',
    max_catch_up: 1,
    paused,
    specification: await read(),
    dry_run: dryRun,
  };
  return await withConnection(context, ({ api }) => api.call('schedule_add', request), { creates: true });
}

export interface PutOptions {
  json?: boolean;
  file?: string;
  id?: string;
}

/** A request carries so many. */
const mostOfRequest = 5000;

export async function putItems(
  context: Context,
  name: string,
  typed: readonly string[],
  { json = false, file, id }: PutOptions,
): Promise<void> {
  const words = [...typed, ...(file === undefined ? [] : linesOf(file))];
  const example = 'For example: torc generators put convert a.nc b.nc';
  if (words.length === 0) throw new TorcError('usage', 'there are no items', example);
  if (id !== undefined && words.length > 1) throw new TorcError('usage', '--id belongs to a single item', example);
  const items = words.map((word) => ({ data: json ? jsonItem(word) : word, id: id ?? null }));
  const reply = await storeItems(context, name, items);
  await printResult(context, reply, () => {
    const known = reply.num_known === 0 ? '' : `, ${reply.num_known} already known`;
    const starts = reply.num_workflows === 0 ? '' : `; ${counted(reply.num_workflows, 'workflow')} will start`;
    return `put ${counted(reply.num_new, 'item')} into generator ${name}${known}: ${reply.num_waiting} waiting${starts}\n`;
  });
}

/** Gives a generator items, and sees to it that a server runs when they make workflows. */
export async function storeItems(
  context: Context,
  name: string,
  items: Request<'generator_put'>['items'],
): Promise<Reply<'generator_put'>> {
  const { reply, isRemote } = await changed(
    context,
    async (api) => {
      let sum: Reply<'generator_put'> | null = null;
      for (let from = 0; from < items.length; from += mostOfRequest) {
        const part = await api.call('generator_put', { name, items: items.slice(from, from + mostOfRequest) });
        sum = sum === null ? part : added(sum, part);
      }
      return sum as Reply<'generator_put'>;
    },
    true,
  );
  if (!isRemote && (reply.num_workflows > 0 || reply.next_at !== null)) await startOwnServer(context);
  return reply;
}

function added(sum: Reply<'generator_put'>, part: Reply<'generator_put'>): Reply<'generator_put'> {
  return {
    ...part,
    num_new: sum.num_new + part.num_new,
    num_known: sum.num_known + part.num_known,
    num_workflows: sum.num_workflows + part.num_workflows,
  };
}

function linesOf(file: string): string[] {
  const text = readBytes(file, 'Give the items as arguments, or a file with one on each line.').toString('utf8');
  return text.split('\n').filter((line) => line !== '');
}

function jsonItem(word: string): Json {
  try {
    return parseJson(word) as Json;
  } catch {
    throw new TorcError(
      'usage',
      `the item ${word} is not JSON`,
      `A JSON string needs quotes: '"a.nc"'. Without --json items are texts.`,
    );
  }
}

const generatorList: RecordList<ScheduleRecord> = {
  name: 'generators',
  columns: scheduleColumns,
  usual: ['name', 'when', 'num_items', 'next_at', 'num_runs', 'last'],
  asText: shownSchedule,
  ifNone: 'there are no generators; to make one: torc generators add --help\n',
};

export async function listGenerators(context: Context, options: ListOptions): Promise<void> {
  const all = await withConnection(context, ({ api }) => api.call('schedules_list', {}));
  const generators = all.schedules.filter(({ max_items }) => max_items !== null);
  await showRecords(context, generatorList, generators, options);
}
