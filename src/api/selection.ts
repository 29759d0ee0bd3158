/** What people type to choose rows, and the rows that it chooses. */
import { z } from 'zod';
import { key, name } from './fields.ts';
import { limits } from './limits.ts';

/** The lists whose rows have a name. */
export const selectable = [
  'workflows',
  'jobs',
  'files',
  'user_data',
  'slurm_configs',
  'resource_requirements',
] as const;
export type Selectable = (typeof selectable)[number];

/**
 * Each word is a key, a name or a pattern; of workflows also a range (`3-7`), a list of all these (`3-7,9`) or `last`.
 * `workflow_key` is null only for workflows. `user` is whose workflows names, patterns and `last` mean; null: anybody's.
 */
export const select = z.strictObject({
  list: z.enum(selectable),
  workflow_key: key.nullable(),
  words: z.array(name).min(1).max(limits.listPage),
  user: name.nullable(),
});

/** How a word chose its rows: a word of several parts is a range. */
const ways = ['key', 'name', 'pattern', 'range', 'last'] as const;

/** The rows of each word, newest first where several workflows have one name, else by their keys; never none. */
export const selectReply = () =>
  z.strictObject({
    selected: z.array(
      z.strictObject({
        word: z.string(),
        by: z.enum(ways),
        rows: z.array(z.strictObject({ key, name: z.string() })),
      }),
    ),
  });
export type Selection = z.infer<ReturnType<typeof selectReply>>['selected'][number];

/** Names and patterns of jobs, beside keys. Of a pattern's jobs, those that cannot change this way are left out. */
export const jobNames = z.array(name).min(1).max(limits.listPage).optional();
