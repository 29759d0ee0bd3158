/** What workers and the server exchange. */
import { z } from 'zod';
import { stdioModes, terminationSignals } from '../model/expanded.ts';
import { cpuPlacements, executions, stdioOutputs } from '../model/launch.ts';
import { reportedCauses } from '../model/status.ts';
import { age, count, instant, json, key, labels, name, namedResources, slurmJobId, text } from './fields.ts';
import { limits } from './limits.ts';

export const hello = z.strictObject({
  protocol: z.number().int(),
  /** The identity of the database that has greeted this worker before; missing for none. */
  database: count.optional(),
  worker_id: z.string().regex(/^[0-9a-f]{32}$/),
  workflow_key: key,
  hostname: name,
  boot_id: text,
  pid: z.number().int().positive(),
  cluster: text.nullable(),
  slurm_job_id: slurmJobId.nullable(),
  /** Of a worker that a person started inside of a Slurm job, which is no allocation of torc; missing for none. */
  enclosing_slurm_job_id: slurmJobId.optional(),
  restart_count: count,
  allocation_key: key.nullable(),
  /** Nodes that the worker owns; missing for 1. What follows is what each of them has. */
  num_nodes: z.number().int().positive().max(limits.nodesOfWorker).optional(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  num_gpus: count,
  /** The most jobs at a time, whatever they ask for; null for no limit. */
  max_parallel_jobs: z.number().int().positive().nullable(),
  /** Where its jobs start; relative paths of files are resolved against it. */
  working_directory: text.nullable(),
  output_directory: text.nullable(),
  /** When its process started, in clock ticks since boot; null where the system does not say. */
  start_ticks: count.nullable(),
  /** The whole time that it has, from the start of its allocation; null for no end. */
  walltime_seconds: age.nullable().optional(),
  /** What it was started with, besides the labels of its Slurm config; missing for none. */
  labels: labels.optional(),
  /** Named resources of each of its nodes, besides those of its Slurm config; missing for none. */
  resources: namedResources.optional(),
  /** It takes jobs without labels although it was given some. */
  also_unlabelled: z.boolean().optional(),
});

const workerSettings = () =>
  z.strictObject({
    expiration_buffer_seconds: age,
    wait_for_new_jobs_seconds: age,
    ignore_workflow_completion: z.boolean(),
    wait_for_healthy_database_minutes: age,
    /** How often each job's memory and processor time is written down; null for not at all. */
    sample_interval_seconds: age.nullable(),
    stdio: z.enum(stdioModes),
    /** What jobs with `supports_termination` get, and how long before their time is over. */
    termination_signal: z.enum(terminationSignals),
    sigterm_lead_seconds: age,
    /** Whether the folders of declared output files are made before a job starts. */
    create_output_folders: z.boolean(),
  });
export type WorkerSettings = z.infer<ReturnType<typeof workerSettings>>;

/** Commands that a worker runs when it starts, before the first job, or when it has no more jobs and leaves. */
const workerCommands = () =>
  z.strictObject({
    firing: count,
    action_key: key,
    run_id: count,
    when: z.enum(['start', 'complete']),
    commands: z.array(z.string()),
  });
export type WorkerCommands = z.infer<ReturnType<typeof workerCommands>>;

export const helloReply = () =>
  z.strictObject({
    /** `gone`: a later process of the same allocation and node has taken over; the worker must end. */
    answer: z.enum(['welcome', 'gone']),
    epoch: count,
    /** The identity of the database, which the worker names from now on. */
    database: count,
    /** '0' for one that is gone. */
    compute_node_key: z.union([key, z.literal('0')]),
    workflow_name: z.string(),
    settings: workerSettings(),
    /** From which the worker makes the credentials of its jobs; missing where the server gives none. */
    credential_key: z.string().exactOptional(),
    /** Missing when there are none. */
    actions: z.array(workerCommands()).exactOptional(),
  });
export type HelloReply = z.infer<ReturnType<typeof helloReply>>;

const attemptKey = z.number().int().positive();

const startedReport = z.object({
  attempt: attemptKey,
  age_ms: age,
  pid: z.number().int().positive(),
  /** The number of the worker's files that the job writes to, where logs are combined. */
  log_slot: count.optional(),
});

/**
 * Where the output of an ended attempt is. `combined`: a part of the worker's one file; `slot`: in the files in which
 * it ran, which no other attempt uses; `empty`: it wrote nothing; `removed`: it succeeded, and only output of failures
 * is kept. Any other kind: what the job itself states.
 */
const logPlace = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('combined'), offset: count, length: count }),
  z.object({ kind: z.literal('slot'), slot: count }),
  z.object({ kind: z.literal('empty') }),
  z.object({ kind: z.enum(['removed', ...stdioOutputs.filter((each) => each !== 'combined')]) }),
]);
export type LogPlace = z.infer<typeof logPlace>;

/**
 * A declared file as the worker saw it: an input when the job started, an output when it ended. Times in microseconds.
 */
const fileState = z.object({
  file_key: z.number().int().positive(),
  is_output: z.boolean(),
  /** -1 when it did not exist. */
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
  cause: z.enum(reportedCauses),
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
  user_data: z.array(z.object({ name, data: json() })).optional(),
  /** Its result value; missing for none. */
  result: json().optional(),
  /** Missing when the workflow's `stdio` is enough to know. */
  log: logPlace.optional(),
  /** The number of its step within the allocation; missing for an attempt that was none. */
  slurm_step: z.string().max(20).optional(),
});

/** Of a running attempt; the peak is the most memory seen so far. */
const sample = z.object({ attempt: attemptKey, memory_bytes: count, peak_memory_bytes: count, cpu_ms: count });

/** The outcome of a firing's commands: the return codes of those that ran, in order; an error unless all succeeded. */
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
  /** As in the reply to the hello. */
  database: count.optional(),
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
  /** The worker ends after this exchange; it holds no attempts. */
  leaving: z.boolean(),
  /** While the node cannot run as many jobs as the worker said in its hello: the most at a time. */
  max_parallel_jobs: count.optional(),
  /** Commands that were run; repeated until a request that carried it was answered. */
  actions: z.array(actionReport).optional(),
});

const assignedFile = () => z.strictObject({ file_key: count, path: z.string(), is_output: z.boolean() });
export type AssignedFile = z.infer<ReturnType<typeof assignedFile>>;

/** What must succeed before the command starts, because an earlier attempt failed. */
const recovery = () =>
  z.strictObject({
    /** Shell text. */
    script: z.string(),
    /** The attempt that failed. */
    run_id: count,
    attempt_id: count,
    return_code: z.number().int().nullable(),
    /** Missing from servers of before. */
    cause: z.string().exactOptional(),
  });
export type Recovery = z.infer<ReturnType<typeof recovery>>;

/** One attempt given to a worker, with everything that it needs to run it. */
const assignment = () =>
  z.strictObject({
    attempt: attemptKey,
    /** Number of the attempt within (job, run), from 1. */
    attempt_id: count,
    run_id: count,
    job_key: key,
    job_name: z.string(),
    command: z.string(),
    invocation_script: z.string().nullable(),
    num_cpus: count,
    /** What the job asked for; the share by which an out-of-memory culprit is judged. */
    memory_bytes: count,
    /** Enforced when not null. */
    memory_limit_bytes: count.nullable(),
    runtime_limit_ms: count.nullable(),
    /** For the packing: what must be left of the allocation when the job starts; null always fits. */
    runtime_ms: count.nullable(),
    /** On each of its nodes. */
    gpu_indices: z.array(count),
    /** The worker's nodes that the job has to itself; missing for a job that shares the worker's own node, number 0. */
    node_indices: z.array(count).exactOptional(),
    /** How many of each named resource of the worker's node; missing for none. */
    resources: z.record(z.string(), count).exactOptional(),
    supports_termination: z.boolean(),
    /** Declared files; missing for a job without any. */
    files: z.array(assignedFile()).exactOptional(),
    /** Names of the user data that the job writes; missing when there is none. */
    output_user_data: z.array(z.string()).exactOptional(),
    recovery: recovery().exactOptional(),
    /** The JSON of its file of inputs; missing when no upstream job has left a result, null when they are too large. */
    inputs: z.string().nullable().exactOptional(),
    /** For its environment; missing for none. */
    variables: z.record(z.string(), z.string()).exactOptional(),
    /** Environment variables that its workflow or it states; missing for none. */
    env: z.record(z.string(), z.string()).exactOptional(),
    /** Instead of the worker's setting. */
    stdio: z.enum(stdioModes).exactOptional(),
    /** As its specification states it; missing for what all others have, and for what the worker does. */
    cwd: z.string().exactOptional(),
    stdin: z.string().exactOptional(),
    container: z.string().exactOptional(),
    pin: z.boolean().exactOptional(),
    cpu_placement: z.enum(cpuPlacements).exactOptional(),
    execution: z.enum(executions).exactOptional(),
    warm: z.string().exactOptional(),
    /** Why it cannot be run: it fails without being started. */
    refusal: z.string().exactOptional(),
  });
export type Assignment = z.infer<ReturnType<typeof assignment>>;

/**
 * Why an attempt should end. `cancel`: a person canceled it, recorded as canceled. `restart`: a restart waits for its
 * end, recorded as terminated. `superseded`: another attempt may take its place. `fenced`: its worker was given up.
 */
const stopReason = () => z.enum(['cancel', 'restart', 'superseded', 'fenced']);
export type StopRequest = z.infer<ReturnType<typeof stopReason>>;

const reportAnswer = () =>
  z.strictObject({
    attempt: attemptKey,
    report: z.enum(['started', 'finished', 'returned']),
    /** After any of them the worker does not send the report again. */
    answer: z.enum(['accepted', 'repeated', 'superseded', 'rejected']),
  });
export type ReportAnswer = z.infer<ReturnType<typeof reportAnswer>>;

export const exchangeReply = () =>
  z.strictObject({
    seq: count,
    epoch: count,
    now: instant,
    /** Every live attempt of this worker above `ack`. */
    jobs: z.array(assignment()),
    /** Every attempt of this worker that should end. */
    stop: z.array(z.strictObject({ attempt: attemptKey, reason: stopReason() })),
    reports: z.array(reportAnswer()),
    /** The worker must end when it holds nothing; it is closed. */
    leave: z.boolean(),
    /** To an idle worker: milliseconds until a job that is held back can run, if one is. */
    hold_ms: count.exactOptional(),
    /** The server does not know this worker (a rebuilt database): say hello again. */
    unknown_worker: z.boolean(),
  });
export type ExchangeReply = z.infer<ReturnType<typeof exchangeReply>>;
