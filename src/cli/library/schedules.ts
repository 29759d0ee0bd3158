/** Schedules and generators from a program: the same as `torc schedules` and `torc generators`. */
import type { Reply, ScheduleRecord } from '../../api/contract.ts';
import { type CatchUpRule, type OverlapRule, scheduleDefaults } from '../../model/decide/schedule.ts';
import type { WorkflowSpec } from '../../model/spec/spec.ts';
import { storeGenerator, storeItems } from '../actions/generators.ts';
import { scheduledSpecification } from '../actions/scheduled-specification.ts';
import { storeSchedule } from '../actions/schedules.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { contextAt, type Keys, type Place, placeKeys, refuseUnknown } from './place.ts';

/** When a schedule runs: `cron`, or `every`, in seconds; the rest as the options of `torc schedules add`. */
export interface ScheduleOptions extends Place {
  cron?: string;
  timeZone?: string;
  every?: number;
  overlap?: OverlapRule;
  catchUp?: CatchUpRule;
  maxCatchUp?: number;
  paused?: boolean;
  dryRun?: boolean;
}

/** When a generator makes a workflow: of so many items, or when one has waited for `maxWait` seconds. */
export interface GeneratorOptions extends Place {
  items: number;
  maxWait?: number;
  /** `queue` by default. */
  overlap?: 'queue' | 'allow';
  paused?: boolean;
  dryRun?: boolean;
}

const commonKeys = { ...placeKeys, overlap: true, paused: true, dryRun: true } as const;
const scheduleKeys: Keys<ScheduleOptions> = {
  ...commonKeys,
  cron: true,
  timeZone: true,
  every: true,
  catchUp: true,
  maxCatchUp: true,
};
const generatorKeys: Keys<GeneratorOptions> = { ...commonKeys, items: true, maxWait: true };

/** Makes a schedule, and starts a server if none runs. Resolves with its first instants. Throws TorcError. */
export async function addSchedule(
  name: string,
  spec: WorkflowSpec,
  options: ScheduleOptions,
): Promise<Reply<'schedule_add'>> {
  refuseUnknown(options, scheduleKeys);
  const { dir: _, ...given } = options;
  const context = contextAt(options);
  const { overlap, catchUp, mostCaughtUp: maxCatchUp } = scheduleDefaults;
  const asked = { overlap, catchUp, maxCatchUp, ...given };
  const { reply } = await storeSchedule(context, name, asked, await specificationOf(context, spec, name));
  return reply;
}

/** All schedules, by name. */
export async function listSchedules(place: Place = {}): Promise<ScheduleRecord[]> {
  return (await listed(place)).filter(({ max_items }) => max_items === null);
}

/** Deletes a schedule; resolves with the keys of its workflows that have not ended, which go on. */
export async function deleteSchedule(name: string, place: Place = {}): Promise<string[]> {
  refuseUnknown(place, placeKeys);
  const reply = await withConnection(contextAt(place), ({ api }) => api.call('schedule_delete', { name }));
  return reply.workflow_keys;
}

/** Makes a generator. Throws TorcError. */
export async function addGenerator(
  name: string,
  spec: WorkflowSpec,
  options: GeneratorOptions,
): Promise<Reply<'schedule_add'>> {
  refuseUnknown(options, generatorKeys);
  const { dir: _, ...given } = options;
  const context = contextAt(options);
  const read = () => specificationOf(context, spec, name, ['example']);
  return await storeGenerator(context, name, { overlap: 'queue', ...given }, read);
}

/** Gives a generator items of JSON; one with an `id` counts once. */
export async function putItems(
  name: string,
  items: readonly { data: unknown; id?: string }[],
  place: Place = {},
): Promise<Reply<'generator_put'>> {
  refuseUnknown(place, placeKeys);
  const all = items.map(({ data, id = null }) => ({ data, id }));
  return await storeItems(contextAt(place), name, all as Parameters<typeof storeItems>[2]);
}

/** All generators, by name. */
export async function listGenerators(place: Place = {}): Promise<ScheduleRecord[]> {
  return (await listed(place)).filter(({ max_items }) => max_items !== null);
}

/** Deletes a generator and the items that wait; resolves as `deleteSchedule`. */
export const deleteGenerator: typeof deleteSchedule = (name, place) => deleteSchedule(name, place);

async function listed(place: Place): Promise<ScheduleRecord[]> {
  refuseUnknown(place, placeKeys);
  return (await withConnection(contextAt(place), ({ api }) => api.call('schedules_list', {}))).schedules;
}

function specificationOf(context: Context, spec: WorkflowSpec, name: string, items?: string[]) {
  const text = JSON.stringify(spec);
  return scheduledSpecification(context, { text, file: `${spec.name}.json`, syntax: 'json' }, name, items);
}
