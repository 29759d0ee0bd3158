/**
 * The stream of what happens: `GET /events` answers server-sent events, one message for each batch. The id of a message is
 * a place in the history; a client that asks with the last id it got, as `Last-Event-ID` or `after`, misses nothing.
 */
import { z } from 'zod';
import { key } from './fields.ts';
import { limits } from './limits.ts';
import { listFilters } from './lists.ts';
import type { RecordOf } from './records.ts';

export const eventsPath = '/events';

/** A place in the history: the key of an event, such as 118 or 118.4. */
export const eventCursor = z
  .string()
  .regex(/^\d{1,15}(\.\d{1,6})?$/, 'must be the key of an event, such as 118 or 118.4');

export const askEvents = z
  .strictObject({
    /** Null for all workflows. */
    workflow_keys: z.array(key).max(limits.statusLines).nullable(),
    /** Null for what happens from now on. */
    after: eventCursor.nullable(),
    /** Whether the events themselves are sent, instead of which workflows have changed. */
    records: z.boolean(),
    /** Of the events that are sent; as those of the list. */
    filters: listFilters,
  })
  .refine(({ records, filters }) => records || filters.length === 0, 'a filter needs records=true');
export type AskEvents = z.infer<typeof askEvents>;

/** What the stream says of a workflow. `history_grew` comes with everything that the list of events shows. */
export const streamedFacts = [
  'history_grew',
  'run_started',
  'run_ended',
  'worker_joined',
  'worker_left',
  'allocation_changed',
  'user_data_written',
] as const;
export type StreamedFact = (typeof streamedFacts)[number];

export interface ChangedWorkflow {
  workflow_key: string;
  facts: StreamedFact[];
}

export type EventMessage =
  /** Always the first. `is_complete` is false when `after` is no place in this history: everything is to be read again. */
  | { event: 'open'; id: string; data: { epoch: number; is_complete: boolean } }
  | { event: 'changed'; id: string; data: { workflows: ChangedWorkflow[] } }
  | { event: 'events'; id: string; data: { events: RecordOf<'events'>[] } };

/** What a client gets that goes on when connections end. */
export type FollowedMessage =
  | EventMessage
  /** No server answers at the moment; said once until one does. */
  | { event: 'away'; id: null; data: { message: string } };
