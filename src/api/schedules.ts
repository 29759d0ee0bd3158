/** Schedules: specifications of which the server makes a workflow at each of their instants. */
import { z } from 'zod';
import { jsonText } from '../base/exact-json.ts';
import {
  catchUpRules,
  overlapRules,
  scheduleName,
  scheduleNameRule,
  tickOrigins,
  tickStates,
} from '../model/decide/schedule.ts';
import { specSyntaxes } from '../model/spec/source.ts';
import { documentProblem } from '../model/spec/user-data.ts';
import { changedField, count, instant, json, key, name, text } from './fields.ts';

const schedule = z.string().regex(scheduleName, scheduleNameRule);
/** A hundred years. */
const longestMs = 36_525 * 86_400_000;

const timing = {
  cron: text.max(1000),
  every_ms: z.number().int().min(1000).max(longestMs),
  time_zone: text.max(100),
};
const rules = {
  overlap: z.enum(overlapRules),
  catch_up: z.enum(catchUpRules),
  max_catch_up: z.number().int().min(1).max(1000),
};

/** What each workflow is made of. Paths and variables stand for what they did where the schedule was made. */
const specification = z.strictObject({
  text: text.max(8 * 1024 * 1024),
  file: name,
  syntax: z.enum(specSyntaxes).nullable(),
  working_directory: name,
  output_directory: name,
  home: text,
  variables: z.record(z.string(), text),
});

/** An item of a generator; a thousand of them fit into user data. */
const item = json().refine(
  // what is no document has been refused already
  (data) => documentProblem(data) !== null || Buffer.byteLength(jsonText(data)) <= 1000,
  'an item is at most 1000 bytes of JSON',
);

/** One of `cron`, `every_ms` and `items`; `items` makes a generator. */
export const addSchedule = z
  .strictObject({
    name: schedule,
    cron: timing.cron.nullable(),
    every_ms: timing.every_ms.nullable(),
    items: z
      .strictObject({
        /** So many make a workflow. */
        max: z.number().int().min(1).max(1000),
        /** No item waits for longer than this; null for ever. */
        max_wait_ms: z.number().int().min(1000).max(longestMs).nullable(),
      })
      .nullable(),
    time_zone: timing.time_zone,
    ...rules,
    paused: z.boolean(),
    specification,
    dry_run: z.boolean(),
  })
  .refine(
    ({ cron, every_ms, items }) => [cron, every_ms, items].filter((given) => given !== null).length === 1,
    'one of cron, every_ms and items is needed',
  );

/** Only what is to change; `cron` and `every_ms` take the place of each other. */
export const modifySchedule = z.strictObject({
  name: schedule,
  changes: z
    .strictObject({ ...timing, ...rules, specification })
    .partial()
    .refine(
      ({ cron, every_ms }) => cron === undefined || every_ms === undefined,
      'a schedule has either cron or every_ms',
    ),
  dry_run: z.boolean(),
});
/** Only what differs from before; `instants`: the next ones. */
export const scheduleModified = () =>
  z.strictObject({
    dry_run: z.boolean(),
    name: z.string(),
    is_paused: z.boolean(),
    time_zone: z.string(),
    changes: z.array(changedField()),
    instants: z.array(instant),
  });

const tick = () =>
  z.strictObject({
    /** The instant; of several that were missed together the first and the last. */
    scheduled_at: instant,
    last_at: instant,
    /** Null: more than were counted. */
    num_instants: count.nullable(),
    origin: z.enum(tickOrigins),
    state: z.enum(tickStates),
    run: count.nullable(),
    workflow_key: key.nullable(),
    /** Null when it has none any more. */
    workflow_status: z.string().nullable(),
    /** Why there is no workflow. */
    reason: z.string().nullable(),
  });
export type TickRecord = z.infer<ReturnType<typeof tick>>;

const scheduleRecord = () =>
  z.strictObject({
    name: z.string(),
    cron: z.string().nullable(),
    time_zone: z.string(),
    every_seconds: z.number().nullable(),
    /** Of a generator. */
    max_items: count.nullable(),
    max_wait_seconds: z.number().nullable(),
    /** Items that wait. */
    num_items: count,
    overlap: z.enum(overlapRules),
    catch_up: z.enum(catchUpRules),
    max_catch_up: count,
    spec: z.string(),
    working_directory: z.string(),
    user: z.string(),
    is_paused: z.boolean(),
    /** The next instant; null when there is none. */
    next_at: instant.nullable(),
    /** Instants that wait for the end of a workflow. */
    num_queued: count,
    num_runs: count,
    last: tick().nullable(),
    created_at: instant,
  });
export type ScheduleRecord = z.infer<ReturnType<typeof scheduleRecord>>;

export const scheduleAdded = () =>
  z.strictObject({ dry_run: z.boolean(), name: z.string(), is_paused: z.boolean(), instants: z.array(instant) });

export const listSchedules = z.strictObject({});
export const schedulesListed = () => z.strictObject({ schedules: z.array(scheduleRecord()) });

/** `limit`: how many of the latest runs. */
export const showSchedule = z.strictObject({ name: schedule, limit: z.number().int().min(0).max(1000) });
export const scheduleShown = () =>
  z.strictObject({ ...scheduleRecord().shape, instants: z.array(instant), runs: z.array(tick()) });

/** Into a generator; an item with an `id` counts once. */
export const putItems = z.strictObject({
  name: schedule,
  items: z
    .array(z.strictObject({ data: item, id: text.min(1).max(200).nullable() }))
    .min(1)
    .max(10_000),
});
export const itemsPut = () =>
  z.strictObject({
    name: z.string(),
    num_new: count,
    /** Known by their ids. */
    num_known: count,
    num_waiting: count,
    /** When they make a workflow although there are not enough; null for never. */
    next_at: instant.nullable(),
    /** Workflows that these items complete. */
    num_workflows: count,
  });

export const scheduleOnly = z.strictObject({ name: schedule });
export const pauseSchedule = z.strictObject({ name: schedule, paused: z.boolean() });
export const schedulePaused = () =>
  z.strictObject({ name: z.string(), is_paused: z.boolean(), was_paused: z.boolean(), next_at: instant.nullable() });
export const scheduleRun = () => z.strictObject({ name: z.string(), scheduled_at: instant, state: z.enum(tickStates) });
/** Workflows of the schedule that have not ended go on. */
export const scheduleDeleted = () => z.strictObject({ name: z.string(), workflow_keys: z.array(key) });
