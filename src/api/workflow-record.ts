/** The rows of the list of workflows. */
import { z } from 'zod';
import { stdioModes, terminationSignals } from '../model/expanded.ts';
import { executions } from '../model/launch.ts';
import { cutOffs, workflowStatuses } from '../model/status.ts';
import { age, count, instant, json, key, valuesBefore } from './fields.ts';

export const workflow = () =>
  z.strictObject({
    workflow_key: key,
    name: z.string(),
    tool: z.string(),
    /** With tool, name and user: the identity. Null for a workflow that is new each time. */
    args: z.string().nullable(),
    user: z.string(),
    description: z.string().nullable(),
    project: z.string().nullable(),
    attributes: z.record(z.string(), z.string()).nullable(),
    /** The workflow that this one is a rerun of. */
    parent_workflow_key: key.nullable(),
    run_id: count,
    status: z.enum(workflowStatuses),
    num_jobs: count,
    num_done: count,
    num_failed: count,
    num_canceled: count,
    num_terminated: count,
    num_ready: count,
    num_running: count,
    num_blocked: count,
    is_paused: z.boolean(),
    is_archived: z.boolean(),
    /** Where workers that start from now on put the output of jobs. */
    stdio: z.enum(stdioModes),
    /** For jobs that do not state these themselves: bound to their CPUs, and what starts them. */
    pin: z.boolean(),
    execution: z.enum(executions).register(valuesBefore, { value: 'direct' }),
    /** How often in a run a job comes back whose attempt was lost by infrastructure. */
    max_losses: count,
    /** At most this many jobs may be added by its running jobs. */
    max_dynamic_jobs: count,
    /** What jobs with `supports_termination` get, and how long before their time is over. */
    termination_signal: z.enum(terminationSignals),
    sigterm_lead_seconds: age,
    /** With this many failures in a run nothing more starts. */
    max_failures: count.nullable(),
    /** So many of its jobs run at once. */
    max_concurrent_jobs: count.nullable(),
    /** Of a run, counted from its start. */
    timeout_seconds: age.nullable(),
    /** What ended, or is about to end, the present run before all its jobs have run. */
    cut_off_by: z.enum(cutOffs).nullable(),
    base_directory: z.string().nullable(),
    created_at: instant,
    started_at: instant.nullable(),
    ended_at: instant.nullable(),
    metadata: json(),
  });
