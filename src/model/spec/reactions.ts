/** What a workflow does by itself, as specifications state it: actions and notifications. */
import { z } from 'zod';
import { actionTypes, schedulerTypes, triggerTypes } from '../expanded.ts';
import { notificationEvents } from '../notification.ts';
import { command, flag, name, names, patterns, positive, text } from './spec-values.ts';

export const action = z.strictObject({
  trigger_type: z.enum(triggerTypes),
  action_type: z.enum(actionTypes),
  jobs: names.nullish(),
  job_name_regexes: patterns.nullish(),
  commands: z.array(command).nullish(),
  scheduler: name.nullish(),
  scheduler_type: z.enum(schedulerTypes).nullish(),
  num_allocations: positive.nullish(),
  start_one_worker_per_node: flag.nullish(),
  max_parallel_jobs: positive.nullish(),
  persistent: flag.nullish(),
});

const event = z.enum(notificationEvents);
const words = notificationEvents.join(', ');
const path = text.min(1).max(4096);

export const notification = z.strictObject({
  /** Every end of a run by default. */
  on: z.union([event, z.array(event).min(1)], `one of ${words}, or a list of them`).nullish(),
  /** One of the first four. */
  to: z.strictObject({
    email: z.union([text, z.array(text).min(1).max(100)], 'an address, or a list of addresses').nullish(),
    webhook: text.max(4096).nullish(),
    /** A file whose first line is the URL, which is a secret. */
    webhook_file: path.nullish(),
    command: command.nullish(),
    /** A file whose first line a webhook gets as its bearer token. */
    token_file: path.nullish(),
  }),
});

export type ActionSpec = z.infer<typeof action>;
export type NotificationSpec = z.infer<typeof notification>;
