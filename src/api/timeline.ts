/** When attempts, workers and allocations ran, and how busy the nodes were meanwhile. */
import { z } from 'zod';
import { allocationStatuses, causes, outcomes } from '../model/status.ts';
import { age, count, instant, key, name } from './fields.ts';
import { limits } from './limits.ts';

const integer = z.number().int();

/** Null stands for the time of the run, or of the whole workflow: from its first allocation or worker to its last end. */
const period = { workflow_key: key, run_id: count.min(1).nullable(), from: instant.nullable(), to: instant.nullable() };

export const askTimeline = z.strictObject({
  ...period,
  /** Only workers of these nodes; null for all. */
  hostnames: z.array(name).min(1).max(limits.timelineWorkers).nullable(),
  /** Workers of one reply, in the order of their nodes' names and their starts. */
  max_workers: count.min(1).max(limits.timelineWorkers),
  skip_workers: count,
  /** With more attempts of these workers, the reply counts them by time instead. */
  max_spans: count.max(limits.timelineSpans),
  num_bins: count.min(1).max(limits.timelineBins),
});

const worker = () =>
  z.strictObject({
    compute_node_key: key,
    hostname: z.string(),
    allocation_key: key.nullable(),
    slurm_job_id: z.string().nullable(),
    num_nodes: count,
    /** These three of each node. */
    num_cpus: count,
    memory_bytes: count,
    num_gpus: count,
    started_at: instant,
    /** Null while it runs. */
    ended_at: instant.nullable(),
    /** Attempts in this time. */
    num_spans: count,
    /** How many attempts ran at once at most; null where there are bins instead of spans. */
    num_slots: count.nullable(),
  });

const span = () =>
  z.strictObject({
    compute_node_key: key,
    /** From 0; attempts that overlap have different slots. */
    slot: count,
    job_key: key,
    /** Null for a job that was deleted. */
    job_name: z.string().nullable(),
    run_id: count,
    attempt_id: count,
    started_at: instant,
    /** Null while it runs. */
    ended_at: instant.nullable(),
    /** Null while it runs. */
    outcome: z.enum([...outcomes, 'lost']).nullable(),
    cause: z.enum(causes).nullable(),
    return_code: integer.nullable(),
    /** On all of its nodes together. */
    num_cpus: count,
    num_gpus: age,
  });

const allocation = () =>
  z.strictObject({
    allocation_key: key,
    name: z.string(),
    slurm_job_id: z.string().nullable(),
    status: z.enum(allocationStatuses),
    num_nodes: count,
    submitted_at: instant,
    /** Null while it waits, or where it never started. */
    started_at: instant.nullable(),
    /** Null while it waits or runs. */
    ended_at: instant.nullable(),
  });

/** Attempts of one worker, by bins of time. */
const workerBins = () =>
  z.strictObject({
    compute_node_key: key,
    /** How many ran, on average over each bin. */
    running: z.array(age),
    /** How many ended in each bin without success. */
    failed: z.array(count),
  });

export const timelineReply = () =>
  z.strictObject({
    workflow_key: key,
    /** Null where nothing has run, and no allocation was submitted. */
    from: instant.nullable(),
    to: instant.nullable(),
    /** Of all that had time in common with this period. */
    num_workers: count,
    workers: z.array(worker()),
    /** Oldest first; of more than fit into one reply the newest. */
    num_allocations: count,
    allocations: z.array(allocation()),
    /** Attempts of the workers of this reply. */
    num_spans: count,
    /** Those attempts, by worker, slot and start; null where there are more than `max_spans`. */
    spans: z.array(span()).nullable(),
    /** Null where there are spans. */
    bins: z.strictObject({ bin_seconds: age, workers: z.array(workerBins()) }).nullable(),
    /** How many attempts of all workers ran, also of those beside this reply, on average over each bin; null where nothing has run. */
    at_once: z.strictObject({ bin_seconds: age, num_running: z.array(age) }).nullable(),
  });
export type Timeline = z.infer<ReturnType<typeof timelineReply>>;

export const askUtilization = z.strictObject({ ...period, num_bins: count.min(1).max(limits.timelineBins) });

/** Averages over a bin: what workers had, what of it attempts were given (`job_`), and what these used. */
const utilization = () => ({
  num_nodes: age,
  /** Nodes of allocations that were waiting in Slurm's queue. */
  num_pending_nodes: age,
  num_running: age,
  num_cpus: age,
  job_cpus: age,
  /** Null where no attempt was measured; an attempt's CPU time is spread evenly over it. */
  used_cpus: age.nullable(),
  memory_bytes: age,
  job_memory_bytes: age,
  /** Null where no attempt was measured; on average, or else at its peak. */
  used_memory_bytes: age.nullable(),
  num_gpus: age,
  job_gpus: age,
});

export const utilizationReply = () =>
  z.strictObject({
    workflow_key: key,
    from: instant.nullable(),
    to: instant.nullable(),
    /** The last bin may be shorter. */
    bin_seconds: age.nullable(),
    /** Attempts that ran in this time. */
    num_attempts: count,
    bins: z.array(z.strictObject({ start: instant, ...utilization() })),
    /** Over the whole time; null where there are no bins. */
    average: z.strictObject(utilization()).nullable(),
  });
export type Utilization = z.infer<ReturnType<typeof utilizationReply>>;
