/** What workers and the server say to each other. */
import { z } from 'zod';
import type { StdioMode } from '../model/expanded.ts';
import { causes } from '../model/status.ts';
import { age, count, key, name, slurmJobId, text } from './fields.ts';
import { limits } from './limits.ts';

export const hello = z.strictObject({
  protocol: z.number().int(),
  worker_id: z.string().regex(/^[0-9a-f]{32}$/),
  workflow_key: key,
  hostname: name,
  boot_id: text,
  pid: z.number().int().positive(),
  cluster: text.nullable(),
  slurm_job_id: slurmJobId.nullable(),
  restart_count: count,
  allocation_key: key.nullable(),
  /** Nodes that the worker owns; missing for 1. What follows is what each of them has. */
  num_nodes: z.number().int().positive().max(limits.nodesOfWorker).optional(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  num_gpus: count,
  /** Most jobs at a time, whatever they ask for; null for no such limit. */
  max_parallel_jobs: z.number().int().positive().nullable(),
  /** Where its jobs start; relative paths of files are read against it. */
  working_directory: text.nullable(),
  /** Where the output of its jobs goes. */
  output_directory: text.nullable(),
  /** When its process started, in clock ticks since boot; null where the system does not say. */
  start_ticks: count.nullable(),
});

export interface WorkerSettings {
  expiration_buffer_seconds: number;
  wait_for_new_jobs_seconds: number;
  ignore_workflow_completion: boolean;
  wait_for_healthy_database_minutes: number;
  /** How often each job's memory and processor time is written down; null for not at all. */
  sample_interval_seconds: number | null;
  stdio: StdioMode;
}

/** Commands that a worker runs at its start, before the first job, or when it has no more jobs and leaves. */
export interface WorkerCommands {
  firing: number;
  action_key: string;
  run_id: number;
  when: 'start' | 'complete';
  commands: string[];
}

export interface HelloReply {
  /** `gone`: a later process of the same allocation and node has taken over; the worker must end. */
  answer: 'welcome' | 'gone';
  epoch: number;
  compute_node_key: string;
  workflow_name: string;
  settings: WorkerSettings;
  /** Missing when there are none. */
  actions?: WorkerCommands[];
}

const attemptKey = z.number().int().positive();

const startedReport = z.object({
  attempt: attemptKey,
  age_ms: age,
  pid: z.number().int().positive(),
  /** The number of the worker's files that the job writes to, where logs are combined. */
  log_slot: count.optional(),
});

/**
 * Where the output of an ended attempt is. `combined`: a part of the worker's one file; `slot`: in the files in which it
 * ran, which are left to it; `empty`: it wrote nothing; `removed`: it succeeded, and only that of failures is kept.
 */
const logPlace = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('combined'), offset: count, length: count }),
  z.object({ kind: z.literal('slot'), slot: count }),
  z.object({ kind: z.literal('empty') }),
  z.object({ kind: z.literal('removed') }),
]);
export type LogPlace = z.infer<typeof logPlace>;

/** A declared file as the worker saw it: an input when the job began, an output when it ended. Times in microseconds. */
const fileState = z.object({
  file_key: z.number().int().positive(),
  is_output: z.boolean(),
  /** -1 when it was not there. */
  size_bytes: z.number().int().min(-1),
  modified_us: z.number().int().nullable(),
  changed_us: z.number().int().nullable(),
  /** SHA-256 of the content; null when it is too large to be read. */
  content_hash: text.nullable(),
});
export type FileState = z.infer<typeof fileState>;

const finishedReport = z.object({
  attempt: attemptKey,
  /** Age of the start; null when no process was ever started. */
  start_age_ms: age.nullable(),
  age_ms: age,
  status: z.enum(['done', 'canceled', 'terminated']),
  return_code: z.number().int().min(0).max(255).nullable(),
  cause: z.enum(causes),
  exit_code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  detail: text.nullable(),
  exec_ms: age,
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_ms: count.nullable(),
  /** Missing for a job without declared files. */
  files: z.array(fileState).optional(),
  /** What the job wrote for its output user data. */
  user_data: z.array(z.object({ name, data: z.json() })).optional(),
  /** Missing where the workflow's `stdio` says it all. */
  log: logPlace.optional(),
});

/** Of a running attempt; the peak is the most memory seen so far. */
const sample = z.object({ attempt: attemptKey, memory_bytes: count, peak_memory_bytes: count, cpu_ms: count });

/** How the commands of a firing went: the return codes of those that ran, in order; an error unless all went well. */
const actionReport = z.object({
  firing: z.number().int().positive(),
  return_codes: z.array(z.number().int()),
  output_path: text.nullable(),
  error: text.nullable(),
});
export type ActionReport = z.infer<typeof actionReport>;

/** Unknown fields are ignored, so that a newer worker can talk to this server within one protocol. */
export const exchange = z.object({
  protocol: z.number().int(),
  worker_id: z.string(),
  seq: count,
  /** The highest epoch the worker has seen. */
  epoch: count,
  /** The highest attempt key the worker has received. */
  ack: count,
  /** Attempts at or below `ack` that the worker has and has not finished; one snapshot with the reports. */
  held: z.array(attemptKey),
  started: z.array(startedReport),
  finished: z.array(finishedReport),
  returned: z.array(attemptKey),
  samples: z.array(sample),
  /** Until the worker's latest end; null when it has none. */
  time_left_ms: z.number().nullable(),
  /** The worker takes no more jobs. */
  draining: z.boolean(),
  /** The worker ends after this exchange; it holds nothing any more. */
  leaving: z.boolean(),
  /** Commands that were run; repeated until a request that carried it was answered. */
  actions: z.array(actionReport).optional(),
});

/** One attempt given to a worker, with everything that it needs to run it. */
export interface Assignment {
  attempt: number;
  /** Number of the attempt within (job, run), from 1. */
  attempt_id: number;
  run_id: number;
  job_key: string;
  job_name: string;
  command: string;
  invocation_script: string | null;
  num_cpus: number;
  /** What the job asked for; the share by which an out-of-memory culprit is judged. */
  memory_bytes: number;
  /** Enforced when not null. */
  memory_limit_bytes: number | null;
  runtime_limit_ms: number | null;
  /** For the packing: what must be left of the allocation when the job starts; null fits always. */
  runtime_ms: number | null;
  /** On each of its nodes. */
  gpu_indices: number[];
  /** Which of the worker's nodes it has for itself; missing for a job on the worker's own, number 0, beside others. */
  node_indices?: number[];
  supports_termination: boolean;
  /** Declared files; missing for a job without any. */
  files?: AssignedFile[];
  /** Names of the user data that the job is to write; missing when there is none. */
  output_user_data?: string[];
  /** What must succeed before the command begins, because an earlier attempt failed. */
  recovery?: Recovery;
}

export interface Recovery {
  /** Shell text. */
  script: string;
  /** The attempt that failed. */
  run_id: number;
  attempt_id: number;
  return_code: number;
}

export interface AssignedFile {
  file_key: number;
  path: string;
  is_output: boolean;
}

/**
 * Why an attempt should end. `cancel`: a person cancelled it, recorded as canceled. `restart`: a restart waits for its
 * end, recorded as terminated. `superseded`: another attempt may take its place. `fenced`: its worker was given up.
 */
export type StopRequest = 'cancel' | 'restart' | 'superseded' | 'fenced';

export interface ReportAnswer {
  attempt: number;
  report: 'started' | 'finished' | 'returned';
  /** Every one of them means: do not send it again. */
  answer: 'accepted' | 'repeated' | 'superseded' | 'rejected';
}

export interface ExchangeReply {
  seq: number;
  epoch: number;
  now: string;
  /** Every live attempt of this worker above `ack`. */
  jobs: Assignment[];
  /** Every attempt of this worker that should end. */
  stop: { attempt: number; reason: StopRequest }[];
  reports: ReportAnswer[];
  /** The worker must end when it holds nothing; it is closed. */
  leave: boolean;
  /** To an idle worker: milliseconds until a job that is held back can run, if one is. */
  hold_ms?: number;
  /** The server does not know this worker (a rebuilt database): say hello again. */
  unknown_worker: boolean;
}
