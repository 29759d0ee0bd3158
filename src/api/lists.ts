/** Lists of records: filtered, sorted and in pages. */
import { z } from 'zod';
import { count, key, text } from './fields.ts';
import { limits } from './limits.ts';
import { type ListName, records } from './records.ts';

export const listFilters = z.array(z.strictObject({ column: z.string().max(128), value: text })).max(32);

export const list = z.strictObject({
  list: z.enum(Object.keys(records) as ListName[]),
  workflow_key: key.nullable(),
  filters: listFilters,
  sort_by: z.string().max(128).nullable(),
  reverse: z.boolean(),
  limit: z.number().int().positive().max(limits.listPage),
  skip: count,
  /** Of results: only the newest of each job. */
  latest_only: z.boolean().optional(),
  /** Of events: only those after the one with this key, in the order of commits. */
  after: z
    .string()
    .regex(/^\d{1,15}(\.\d{1,6})?$/)
    .optional(),
});

/** A row of some list. */
export type ListRecord = Record<string, unknown>;

/** `more`: whether rows follow these. */
const page = <R extends z.ZodType>(record: R) => z.strictObject({ records: z.array(record), more: z.boolean() });

/** A page of a list that is not known yet. */
export const listReply = () => page(z.record(z.string(), z.unknown()));
/** A page of this list. */
export const listReplyOf = (name: ListName) => page<z.ZodType<ListRecord>>(records[name]());
