/** What a shell may complete a word to. */
import { z } from 'zod';
import { text } from './fields.ts';

/** What can be completed from the database. */
export const completed = [
  'workflows',
  'jobs',
  'files',
  'user_data',
  'slurm_configs',
  'resource_requirements',
  'schedules',
  'limits',
] as const;
export type Completed = (typeof completed)[number];

/**
 * `workflow`: a key, a name or `last`; null for the newest workflow. `prefix`: what the word begins with; of a key or a name.
 */
export const askCandidates = z.strictObject({
  kind: z.enum(completed),
  workflow: text.nullable(),
  prefix: text,
});

/** At most 100: the names that begin so in their order, before them keys where the prefix is a number. */
export const candidatesReply = () =>
  z.strictObject({ candidates: z.array(z.strictObject({ value: z.string(), description: z.string() })) });
export type Candidate = z.infer<ReturnType<typeof candidatesReply>>['candidates'][number];
