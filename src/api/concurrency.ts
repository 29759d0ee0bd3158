/** Limits on jobs that run at once: of one workflow, or shared by all of the server directory. */
import { z } from 'zod';
import { count, key, limitName } from './fields.ts';

/** `workflow_key` null: a shared limit. */
export const setLimit = z.strictObject({ name: limitName, workflow_key: key.nullable(), maximum: count });
export const deleteLimit = z.strictObject({ name: limitName, workflow_key: key.nullable() });

/** `num_running`: how many jobs count towards it. */
export const limitChanged = () =>
  z.strictObject({
    name: z.string(),
    workflow_key: key.nullable(),
    /** Null: there is none. */
    old_maximum: count.nullable(),
    maximum: count.nullable(),
    num_running: count,
  });

/** Of one workflow: its own limits and the shared ones; without a key all that are shared. */
export const listLimits = z.strictObject({ workflow_key: key.nullable() });
export const limitsListed = () =>
  z.strictObject({
    limits: z.array(
      z.strictObject({
        name: z.string(),
        workflow_key: key.nullable(),
        maximum: count,
        num_running: count,
        workflows: z.array(z.strictObject({ workflow_key: key, num_running: count })),
      }),
    ),
  });
