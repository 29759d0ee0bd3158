/**
 * Why a job does not run, as data: a code and its numbers, in the words of the wire. Sizes are bytes, instants ISO 8601.
 * `reasonText` renders them. The schemas are functions; import only the types where zod must not be loaded.
 */
import { z } from 'zod';
import { dimensions } from '../job.ts';
import { scalingReason } from './autoscaling-reason.ts';

const count = z.number().int().nonnegative();
const seconds = z.number().nonnegative();
const key = z.string();
const nullableText = z.string().nullable();

/** What a job asks for, or a worker has; all but the number of nodes is for each node. */
const size = () => z.strictObject({ num_cpus: count, memory_bytes: count, num_gpus: z.number(), num_nodes: count });
export type Size = z.infer<ReturnType<typeof size>>;

/** How many of each named resource; empty for none. */
const amounts = () => z.record(z.string(), count);

/** Reasons of jobs that wait; a row of the demand has the same ones for all its jobs. */
const waitingReasons = () =>
  [
    z.strictObject({ code: z.literal('workflow_not_started') }),
    /** It was reset. */
    z.strictObject({ code: z.literal('waits_for_restart') }),
    z.strictObject({ code: z.literal('workflow_canceled') }),
    z.strictObject({ code: z.literal('workflow_paused') }),
    /** Its run lasted too long. */
    z.strictObject({ code: z.literal('workflow_timed_out') }),
    /** A restart stops the running jobs first. */
    z.strictObject({ code: z.literal('workflow_stopping') }),
    /** `total` is null in a row of many jobs; `first` has at most three. */
    z.strictObject({
      code: z.literal('waits_for_upstreams'),
      total: count.nullable(),
      first: z.array(z.strictObject({ job_key: key, name: z.string(), status: z.string() })),
    }),
    /** `until` is null for a hold without an end; in a row of many jobs it is the earliest one. */
    z.strictObject({
      code: z.literal('held'),
      kind: z.string(),
      until: nullableText,
      detail: z.string().exactOptional(),
    }),
    /** Workers are registered, and nothing serves them. */
    z.strictObject({ code: z.literal('no_server'), num_workers: count }),
    z.strictObject({ code: z.literal('no_worker') }),
    /**
     * There is no worker yet; allocations whose workers may take it wait in Slurm, whose own word the reason is.
     * `has_started`: Slurm runs these allocations, and their workers have not registered.
     */
    z.strictObject({
      code: z.literal('waits_for_allocation'),
      num_allocations: count,
      slurm_reason: nullableText,
      has_started: z.boolean(),
    }),
    /** There is no worker yet; the autoscaler of the workflow asks for nodes, or says why it does not. */
    z.strictObject({ code: z.literal('waits_for_nodes'), scaling: scalingReason() }),
    /** Only workers of this Slurm config may take it. */
    z.strictObject({ code: z.literal('no_worker_of_config'), slurm_config_key: key, slurm_config: nullableText }),
    /**
     * No worker has all of these labels. `nearest` has the most of them; null without any worker. The Slurm config is one
     * whose workers have all of them, if there is one.
     */
    z.strictObject({
      code: z.literal('no_worker_with_labels'),
      labels: z.array(z.string()),
      nearest: z.strictObject({ hostname: z.string(), missing: z.array(z.string()) }).nullable(),
      slurm_config_key: key.nullable(),
      slurm_config: nullableText,
    }),
    /** It has no labels, and every worker takes only jobs that have some. */
    z.strictObject({ code: z.literal('workers_exclusive'), num_workers: count }),
    /** None of the workers that may take it is responding. */
    z.strictObject({ code: z.literal('workers_silent'), num_workers: count }),
    /**
     * No worker is large enough even when it is idle. `dimensions` are those in which each of them is too small; none when
     * only the combination is too much. `largest` has the most of each. `is_past`: the workers have ended.
     */
    z.strictObject({
      code: z.literal('larger_than_any_worker'),
      needed: size(),
      largest: size(),
      dimensions: z.array(z.enum(dimensions)),
      is_past: z.boolean(),
    }),
    /** No worker has so many of these named resources; `largest` is the most that one has of each. */
    z.strictObject({
      code: z.literal('no_worker_with_resources'),
      needed: amounts(),
      largest: amounts(),
      is_past: z.boolean(),
    }),
    /** The workers that are large enough end too soon. */
    z.strictObject({ code: z.literal('outlasts_workers'), runtime_seconds: seconds, longest_seconds: seconds }),
    /** It states more than the walltime of every Slurm config whose workers may take it; the longest one is named. */
    z.strictObject({
      code: z.literal('outlasts_configs'),
      runtime_seconds: seconds,
      longest_seconds: seconds,
      slurm_config_key: key,
      slurm_config: z.string(),
    }),
    /** `limit` is null for the workflow's `max_concurrent_jobs`. A shared one counts jobs of these workflows. */
    z.strictObject({
      code: z.literal('waits_for_limit'),
      limit: nullableText,
      maximum: count,
      num_running: count,
      shared: z.boolean(),
      workflows: z.array(z.strictObject({ workflow_key: key, num_running: count })),
    }),
    z.strictObject({ code: z.literal('waits_for_room'), needed: size(), resources: amounts() }),
    /** It fits into a worker now. */
    z.strictObject({ code: z.literal('waits_for_turn') }),
  ] as const;

/** Reasons of single jobs that do not wait. */
const otherReasons = () =>
  [
    z.strictObject({ code: z.literal('claimed'), hostname: nullableText }),
    z.strictObject({ code: z.literal('worker_silent'), hostname: z.string(), last_heartbeat: z.string() }),
    /** Its worker is gone and left no result. */
    z.strictObject({ code: z.literal('lost'), explanation: nullableText }),
    z.strictObject({ code: z.literal('succeeded') }),
    z.strictObject({ code: z.literal('failed'), return_code: z.number().int().nullable(), cause: nullableText }),
    /** The specification counts every exit code of the job as success. */
    z.strictObject({ code: z.literal('forgiven'), return_code: z.number().int().nullable(), cause: nullableText }),
    z.strictObject({ code: z.literal('terminated'), cause: nullableText }),
    z.strictObject({ code: z.literal('canceled_by_person') }),
    /** The run had as many failures as it may have. */
    z.strictObject({ code: z.literal('max_failures'), max_failures: count.nullable() }),
    z.strictObject({
      code: z.literal('upstream_failed'),
      job_key: key,
      name: nullableText,
      end: z.enum(['failed', 'canceled']),
    }),
    z.strictObject({ code: z.literal('disabled') }),
  ] as const;

export const waitingReason = () => z.discriminatedUnion('code', waitingReasons());
export type WaitingReason = z.infer<ReturnType<typeof waitingReason>>;

export const reason = () => z.discriminatedUnion('code', [...waitingReasons(), ...otherReasons()]);
export type Reason = z.infer<ReturnType<typeof reason>>;
