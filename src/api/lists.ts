/** The lists, and their rows. */
import { z } from 'zod';
import { count, key, text } from './fields.ts';
import { limits } from './limits.ts';

export const listNames = [
  'workflows',
  'jobs',
  'results',
  'files',
  'compute_nodes',
  'slurm_configs',
  'allocations',
  'events',
  'resource_requirements',
  'user_data',
  'actions',
] as const;
export type ListName = (typeof listNames)[number];

export const list = z.strictObject({
  list: z.enum(listNames),
  workflow_key: key.nullable(),
  filters: z.array(z.strictObject({ column: z.string().max(64), value: text })).max(32),
  sort_by: z.string().max(64).nullable(),
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

/** A row of a list: snake_case columns in a fixed order; keys as text, instants as ISO 8601 UTC, missing as null. */
export type ListRecord = Record<string, unknown>;
export interface ListReply {
  records: ListRecord[];
  /** Whether rows after these exist. */
  more: boolean;
}
