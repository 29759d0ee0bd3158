/** A row of the list of runs. */
import { z } from 'zod';
import { runOrigins, runStatuses } from '../model/status.ts';
import { count, instant, key } from './fields.ts';

export const run = () =>
  z.strictObject({
    workflow_key: key,
    run_id: count,
    how: z.enum(runOrigins),
    who: z.string().nullable(),
    /** Of the first run of a copy, the workflow that it is a rerun or a clone of. */
    source_workflow_key: key.nullable(),
    /** `restarted`: a restart closed it before it had ended. */
    status: z.enum(runStatuses).nullable(),
    /** Of earlier runs as they were at their end; null where that was not kept. */
    num_jobs: count.nullable(),
    num_done: count.nullable(),
    num_failed: count.nullable(),
    num_canceled: count.nullable(),
    started_at: instant.nullable(),
    ended_at: instant.nullable(),
    /** When events or replaced results of this run were pruned. */
    pruned_at: instant.nullable(),
    elapsed_seconds: z.number().nullable(),
  });
