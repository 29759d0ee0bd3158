/** What jobs use against what they ask for. */
import { z } from 'zod';
import { sizeNotes } from '../model/auto-size.ts';
import { age, count, instant, key, name } from './fields.ts';

export const askUsage = z.strictObject({ workflow_key: key });

/** Null where it is not known; `requested` is the most that a job asks for, null where none states anything. */
const measure = () =>
  z.strictObject({
    requested: z.number().nullable(),
    requested_min: z.number().nullable(),
    min: z.number().nullable(),
    median: z.number().nullable(),
    p95: z.number().nullable(),
    max: z.number().nullable(),
    proposed: z.number().nullable(),
    /** `under_half`: no attempt used half of the request. `exceeded`: one used more. */
    finding: z.enum(['under_half', 'exceeded']).nullable(),
  });

export const usageReply = () =>
  z.strictObject({
    usage: z.array(
      z.strictObject({
        /** The names of the jobs with * for each number. */
        stem: z.string(),
        /** Attempts that succeeded, or ran out of memory or time. */
        num_attempts: count,
        num_oom: count,
        num_timeouts: count,
        memory_bytes: measure(),
        num_cpus: measure(),
        runtime_seconds: measure(),
      }),
    ),
  });
export type UsageRow = z.infer<ReturnType<typeof usageReply>>['usage'][number];

/** The newest workflows of a person with this name that have measured something, or the one with the key. */
export const askEarlierUsage = z.strictObject({ name, workflow_key: key.nullable() });

/** In bytes or milliseconds; null where nothing was measured. */
const earlierMeasure = () =>
  z.strictObject({ n: count.min(1), p95: z.number(), max: z.number(), proposed: z.number() }).nullable();

export const earlierUsageReply = () =>
  z.strictObject({
    /** Those whose measurements are merged, the newest first. */
    workflow_keys: z.array(key),
    usage: z.array(z.strictObject({ stem: z.string(), memory: earlierMeasure(), runtime: earlierMeasure() })),
  });

/** Missing measurements and requests are null. */
const sizedField = z.strictObject({
  requested: z.number().nullable(),
  p95: z.number().nullable(),
  max: z.number().nullable(),
  proposed: z.number().nullable(),
  new_request: z.number().nullable(),
  note: z.enum(sizeNotes).nullable(),
});

const jobSize = z.strictObject({
  stem: z.string().max(4096),
  resource_requirements: z.string().max(4096).nullable(),
  scheduler: z.string().max(4096).nullable(),
  num_jobs: count,
  num_attempts: count,
  memory_bytes: sizedField,
  runtime_seconds: sizedField,
});

/** How requests of a new workflow follow from what earlier jobs have used. */
export const autoSize = z.strictObject({
  workflow_keys: z.array(key).max(100),
  sizes: z.array(jobSize).max(10_000),
  num_unlisted: count,
});

const hours = {
  num_workers: count,
  num_attempts: count,
  node_hours: age,
  cpu_hours: age,
  /** Of CPUs that jobs had, whether they used them or not. */
  job_cpu_hours: age,
  used_cpu_hours: age,
  /** Of the CPU-hours, those without a job, and those that jobs used; null without any. */
  idle_share: age.nullable(),
  efficiency: age.nullable(),
};

/** One row for each allocation that has had a worker, and for each worker outside of them. */
export const usageHoursReply = () =>
  z.strictObject({
    allocations: z.array(
      z.strictObject({
        allocation_key: key.nullable(),
        slurm_job_id: z.string().nullable(),
        hostname: z.string().nullable(),
        num_nodes: count,
        /** It counts until now. */
        is_running: z.boolean(),
        started_at: instant,
        ended_at: instant.nullable(),
        ...hours,
      }),
    ),
    total: z.strictObject(hours),
  });
export type AllocationUsage = z.infer<ReturnType<typeof usageHoursReply>>['allocations'][number];
export type UsageTotal = z.infer<ReturnType<typeof usageHoursReply>>['total'];
