/** How workflows stand: a line for each, which can be waited for, and what one page says about one of them. */
import { z } from 'zod';
import { reason } from '../model/decide/reason.ts';
import { allocationStatuses, cutOffs, workflowStatuses } from '../model/status.ts';
import { autoscaler } from './autoscaling.ts';
import { count, instant, key, name, valuesBefore } from './fields.ts';
import { limits } from './limits.ts';

export const askStatus = z.strictObject({
  /** Null for all that are not archived, the newest first. */
  workflow_keys: z.array(key).max(limits.statusLines).nullable(),
  /** Only workflows of this user; null for all. */
  user: name.nullable(),
  limit: count.min(1).max(limits.statusLines),
  /** Of an earlier reply: this one then waits until something has changed, for `wait_seconds` at most. */
  state: z.string().max(10_000).nullable(),
  wait_seconds: z.number().min(0).max(limits.longPollSeconds),
});

/** Since when the server can store nothing, and why; null while it can. */
const lack = () => z.strictObject({ since: instant, message: z.string() });
export type ServerLack = z.infer<ReturnType<typeof lack>>;

/** Jobs are counted by how they ended; `num_done` includes `num_failed`. */
const statusLine = () =>
  z.strictObject({
    workflow_key: key,
    name: z.string(),
    user: z.string(),
    run_id: count,
    status: z.enum(workflowStatuses),
    /** The run is over: nothing of it runs or starts any more. */
    has_ended: z.boolean(),
    cut_off_by: z.enum(cutOffs).nullable(),
    /** A person has paused it, perhaps before its first run; a status of `paused` can also come from held jobs. */
    is_paused: z.boolean(),
    num_jobs: count,
    num_done: count,
    num_failed: count,
    num_canceled: count,
    num_terminated: count,
    num_disabled: count,
    num_running: count,
    num_ready: count,
    num_blocked: count,
    num_uninitialized: count,
    /** Claimed jobs that were lost and do not come back by themselves; they do not count as running. */
    num_lost: count,
    num_active_workers: count,
    num_queued_allocations: count,
    num_running_allocations: count,
    started_at: instant.nullable(),
    ended_at: instant.nullable(),
    /** When it recovers from its failed run by itself; null where it does not. The run then counts as going on. */
    recovers_at: instant.nullable(),
    /** How many ended in a second lately; null while none has, and after the end of the run. */
    jobs_per_second: z.number().nonnegative().nullable(),
    /** Until the end of the run, if jobs go on ending like that; null where nothing suggests it. */
    eta_seconds: z.number().nonnegative().nullable(),
    /**
     * What keeps jobs from running, the most jobs first. `num_jobs` is exact where all ready jobs share the reason;
     * otherwise jobs that ask for the same are counted up to 2,000.
     */
    held_back: z.array(z.strictObject({ num_jobs: count, reason: reason(), text: z.string() })),
  });
export type StatusLine = z.infer<ReturnType<typeof statusLine>>;

export const statusReply = () =>
  z.strictObject({
    state: z.string(),
    /** Whether a server answers the workers of these workflows. */
    is_served: z.boolean(),
    cannot_write: lack().nullable(),
    workflows: z.array(statusLine()),
    /** There are more than `limit`. */
    more: z.boolean(),
  });
export type StatusReply = z.infer<ReturnType<typeof statusReply>>;

/** Failed jobs with the same cause and return code; the first of them are named. */
const failureGroup = () =>
  z.strictObject({
    cause: z.string().nullable(),
    return_code: z.number().int().nullable(),
    num_jobs: count,
    first_job_keys: z.array(key),
  });
export type FailureGroup = z.infer<ReturnType<typeof failureGroup>>;

export const workflowStatusReply = () =>
  z.strictObject({
    is_served: z.boolean(),
    cannot_write: lack().nullable(),
    workflow: statusLine(),
    /** The most jobs first; jobs that were lost have the cause null. */
    failures: z.array(failureGroup()),
    workers: z.array(
      z.strictObject({
        compute_node_key: key,
        hostname: z.string(),
        slurm_job_id: z.string().nullable(),
        num_jobs: count,
        is_silent: z.boolean(),
      }),
    ),
    allocations: z.array(
      z.strictObject({
        status: z.enum(allocationStatuses),
        num_allocations: count,
        /** Slurm's own words about one of them. */
        slurm_reason: z.string().nullable(),
        /** Of those that are submitted: Slurm runs them, and their workers have not registered. */
        num_without_worker: z.number().int().nonnegative().register(valuesBefore, { value: 0 }),
      }),
    ),
    /** Those that have run for some minutes without a word of a worker; at most 20. */
    allocations_without_worker: z.array(
      z.strictObject({ allocation_key: key, name: z.string(), slurm_job_id: z.string(), running_since: z.string() }),
    ),
    /** Null for a workflow that asks for no nodes by itself. */
    autoscaler: autoscaler().nullable(),
  });
export type WorkflowStatusReply = z.infer<ReturnType<typeof workflowStatusReply>>;
