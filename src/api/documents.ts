/** Requests behind exported and imported workflows. */
import { z } from 'zod';
import { causes, jobStatuses } from '../model/status.ts';
import { age, count, key, name, text } from './fields.ts';
import type { AddedJob } from './jobs.ts';
import { limits } from './limits.ts';
import type { ListRecord } from './lists.ts';
import type { failureHandler, newAction } from './workflows.ts';

export const exportWorkflow = z.strictObject({
  workflow_key: key,
  /**
   * `barriers`: what the hidden nodes wait for, which jobs name by their keys; `action_jobs`: what triggers of actions
   * are about. Pages are of the part alone.
   */
  part: z.enum(['head', 'jobs', 'barriers', 'action_jobs']),
  limit: z.number().int().positive().max(limits.listPage),
  skip: count,
});

/** A job with the names of all that it refers to. */
export interface ExportedJob extends AddedJob {
  barriers: string[];
  /** Of a job with requirements of its own, which have no name. */
  own_requirements: ExportedRequirements | null;
}

/** An action without its jobs. */
export interface ExportedAction extends z.infer<typeof newAction> {
  action_key: string;
}

/** Null is what nobody stated. */
export interface ExportedRequirements {
  name: string | null;
  num_cpus: number;
  memory_bytes: number | null;
  num_gpus: number;
  num_nodes: number;
  runtime_seconds: number | null;
}

const instant = z.iso.datetime();

/** A row of the list of results; columns that follow from others are ignored. */
const importedResult = z.object({
  job_name: name,
  run_id: z.number().int().positive(),
  attempt_id: z.number().int().positive(),
  status: z.enum(['done', 'canceled', 'terminated', 'returned', 'lost']),
  return_code: z.number().int().min(0).max(255).nullable(),
  cause: z.enum(causes),
  start_time: instant.nullable(),
  end_time: instant.nullable(),
  exec_time_seconds: age.nullable(),
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_seconds: age.nullable(),
  hostname: name,
  slurm_job_id: text.nullable(),
  num_nodes: z.number().int().positive().optional(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  gpu_indices: z.array(count).nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  detail: text.nullable(),
});

/** Adds the history of another workflow to a new one with the same jobs, in any number of requests before `finish`. */
export const importHistory = z.strictObject({
  workflow_key: key,
  results: z.array(importedResult).max(limits.createChunk),
  events: z
    .array(
      z.object({
        timestamp: instant,
        job_name: name.nullable(),
        type: text.min(1).max(64),
        old_status: z.enum(jobStatuses).nullable(),
        new_status: z.enum(jobStatuses).nullable(),
        data: z.json(),
      }),
    )
    .max(limits.createChunk),
});

export const importFinish = z.strictObject({
  workflow_key: key,
  run_id: z.number().int().positive(),
  is_canceled: z.boolean(),
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  /** In stored order. */
  job_statuses: z.array(z.enum(jobStatuses)),
});

/** One page of one part; the others are empty. */
export interface ExportedPage {
  /** What a specification says of the workflow as a whole, and its parts beside the jobs. */
  head: {
    workflow: ListRecord;
    /** Those with a name. */
    resource_requirements: ExportedRequirements[];
    failure_handlers: z.infer<typeof failureHandler>[];
    /** How often each job's memory and processor time is written down; null for not at all. */
    sample_interval_seconds: number | null;
    /** Those that can fire. */
    actions: ExportedAction[];
  } | null;
  jobs: ExportedJob[];
  barriers: { barrier_key: string; depends_on: string }[];
  action_jobs: { action_key: string; job_name: string }[];
  more: boolean;
}
