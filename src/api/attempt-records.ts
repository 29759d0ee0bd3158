/** Attempts and results of jobs, as lists and the story of a job show them. */
import { z } from 'zod';
import { diagnosis } from '../model/decide/diagnosis-fields.ts';
import { causes, endStatuses, outcomes } from '../model/status.ts';
import { age, count, instant, json, key, valuesBefore } from './fields.ts';

const integer = z.number().int();

/** Of an attempt, whether it has ended or not. */
const attempt = () => ({
  job_key: key,
  job_name: z.string(),
  workflow_key: key,
  run_id: count,
  attempt_id: count,
  return_code: integer.nullable(),
  start_time: instant.nullable(),
  end_time: instant.nullable(),
  exec_time_seconds: age.nullable(),
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_seconds: age.nullable(),
  /** Null where no process ran: the result is inherited, or a person's mark. */
  hostname: z.string().nullable(),
  slurm_job_id: z.string().nullable(),
  /** As Slurm calls it, such as 1234.5; null where srun did not start it. */
  slurm_step_id: z.string().nullable(),
  compute_node_key: key.nullable(),
  num_nodes: count,
  num_cpus: count,
  memory_bytes: count,
  /** Null where the job stated none. */
  requested_memory_bytes: count.nullable(),
  requested_runtime_seconds: age.nullable(),
  /** By how much the job's request grew after this attempt, or why it did not; null for nothing of that. */
  scaled: json().register(valuesBefore, { value: null }),
  gpu_indices: z.array(count).nullable(),
  exit_code: integer.nullable(),
  signal: integer.nullable(),
  detail: z.string().nullable(),
  /** What the job left for those that wait for it; null for nothing. */
  result: json(),
  /** With the cause `inherited`, the attempt that ran: {workflow_key, job_key, run_id, attempt_id}; else null. */
  inherited_from: json(),
  /** With the cause `marked`, who said that the job is done; else null. */
  marked_by: z.string().nullable(),
});

/** A row of the list of results. */
export const result = () =>
  z.strictObject({
    ...attempt(),
    status: z.enum(endStatuses),
    outcome: z.enum([...outcomes, 'lost']),
    cause: z.enum(causes),
  });

/** As the story of a job shows it. */
export const shownAttempt = () =>
  z.strictObject({
    ...attempt(),
    /** `returned`: its worker gave it back before it started. */
    status: z.enum([...endStatuses, 'returned']).nullable(),
    outcome: z.enum([...outcomes, 'lost', 'returned']).nullable(),
    cause: z.enum(causes).nullable(),
    claim_time: instant,
    stop_reason: z.string().nullable(),
    diagnosis: diagnosis().nullable(),
    /**
     * `files`: at the paths. `slot`: there too, until the end of the attempt is reported; then another one may write
     * there. `combined`: at offset and length in the file that both paths name. `empty`: it wrote nothing. `none` and
     * `removed`: its output is not kept. `pruned`: a person removed old output. `unknown`: its worker did not say.
     */
    log_kind: z.enum(['files', 'slot', 'combined', 'empty', 'none', 'removed', 'pruned', 'unknown']),
    log_offset: count.nullable(),
    log_length: count.nullable(),
    stdout_path: z.string().nullable(),
    stderr_path: z.string().nullable(),
    /** Where its worker records what it uses over time; null where the workflow does not ask for that. */
    time_series_path: z.string().nullable(),
  });
