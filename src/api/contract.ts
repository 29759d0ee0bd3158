/**
 * The contract between clients (CLI, workers) and the server: for each endpoint the request's schema and the reply's
 * type. `POST /v1/NAME` with the request as JSON answers the reply as JSON, or `{"error":{code,message,hint}}`.
 *
 * Words on the wire are snake_case; keys are strings for people's commands and integers inside the exchange, where
 * a busy worker sends thousands. Durations are in the unit their name ends in.
 */
import { z } from 'zod';
import type { GroupedGraph } from '../model/graph/job-groups.ts';
import { type ExportedPage, exportWorkflow, importFinish, importHistory } from './documents.ts';
import {
  addFile,
  addJobs,
  addResourceRequirements,
  addUserData,
  assignResourceRequirements,
  type ChangedField,
  type DiagnosedJob,
  deleteFile,
  deleteJobs,
  deleteUserData,
  diagnoseJobs,
  type JobShown,
  modifyJob,
  modifyResourceRequirements,
  modifyUserData,
  showJob,
} from './jobs.ts';
import { type ListReply, list } from './lists.ts';
import { backup, type CheckReply } from './maintenance.ts';
import { disableJobs, type KeptJob, type Plan, type RestartPlan, resetJobs, restart, stopRunning } from './plans.ts';
import { addSlurmConfig, confirmAllocation, modifySlurmConfig, recordAllocations } from './slurm.ts';
import { type ExchangeReply, exchange, type HelloReply, hello } from './workers.ts';
import {
  createBegin,
  createChunk,
  createFinish,
  modifyWorkflow,
  planned,
  type WorkflowShown,
  workflowOnly,
} from './workflows.ts';

export type { ExportedAction, ExportedJob, ExportedRequirements } from './documents.ts';
export type { AddedJob, ChangedField, DiagnosedJob, JobShown } from './jobs.ts';
export { limits, protocolVersion } from './limits.ts';
export { type ListName, type ListRecord, type ListReply, listNames } from './lists.ts';
export type { CheckReply, Problem } from './maintenance.ts';
export type { KeptJob, Plan, PlannedChange, RestartPlan } from './plans.ts';
export type {
  ActionReport,
  AssignedFile,
  Assignment,
  ExchangeReply,
  FileState,
  HelloReply,
  LogPlace,
  Recovery,
  ReportAnswer,
  StopRequest,
  WorkerCommands,
  WorkerSettings,
} from './workers.ts';
export type { WorkflowShown, WorkflowSummary } from './workflows.ts';

/** Request schemas by endpoint. `reads` of an endpoint never write; all others are batched into transactions. */
export const requests = {
  server_info: z.strictObject({}),
  server_stop: z.strictObject({}),
  server_backup: backup,
  server_check: z.strictObject({}),
  /** For how long the token before is still good. */
  server_rotate_token: z.strictObject({ grace_seconds: z.number().int().nonnegative().max(86_400) }),
  workflow_create_begin: createBegin,
  workflow_create_chunk: createChunk,
  workflow_create_finish: createFinish,
  workflow_show: workflowOnly,
  workflow_graph: workflowOnly,
  workflow_start: planned,
  workflow_cancel: planned,
  workflow_delete: planned,
  workflow_restart: restart,
  workflow_stop_running: stopRunning,
  jobs_reset: resetJobs,
  jobs_disable: disableJobs,
  jobs_diagnose: diagnoseJobs,
  job_show: showJob,
  job_modify: modifyJob,
  resource_requirements_modify: modifyResourceRequirements,
  jobs_add: addJobs,
  jobs_delete: deleteJobs,
  file_add: addFile,
  file_delete: deleteFile,
  resource_requirements_add: addResourceRequirements,
  resource_requirements_assign: assignResourceRequirements,
  workflow_modify: modifyWorkflow,
  workflow_export: exportWorkflow,
  workflow_import_history: importHistory,
  workflow_import_finish: importFinish,
  user_data_add: addUserData,
  user_data_modify: modifyUserData,
  user_data_delete: deleteUserData,
  list,
  worker_hello: hello,
  exchange,
  slurm_config_add: addSlurmConfig,
  slurm_config_modify: modifySlurmConfig,
  allocations_record: recordAllocations,
  allocation_confirm: confirmAllocation,
} as const;

export type EndpointName = keyof typeof requests;
export type Request<N extends EndpointName> = z.infer<(typeof requests)[N]>;

/** Reply types by endpoint. */
export interface Replies {
  server_info: {
    version: string;
    protocol: number;
    epoch: number;
    hostname: string;
    pid: number;
    user: string;
    directory: string;
    started_at: string;
    num_active_workers: number;
    /** Allocations of any workflow that may still wait or run. */
    num_open_allocations: number;
  };
  server_stop: { pid: number };
  /** On which host the file was written. */
  server_backup: { hostname: string; size_bytes: number };
  server_check: CheckReply;
  server_rotate_token: { pid: number; hostname: string };
  workflow_create_begin: { workflow_key: string };
  workflow_create_chunk: { num_jobs: number };
  workflow_create_finish: {
    workflow_key: string;
    num_jobs: number;
    num_files: number;
    num_user_data: number;
    num_edges: number;
    num_barriers: number;
  };
  workflow_show: WorkflowShown;
  /** The jobs in at most a few hundred groups. */
  workflow_graph: GroupedGraph & { workflow_key: string; name: string; num_jobs: number };
  workflow_start: Plan & { run_id: number; num_ready: number; num_blocked: number };
  workflow_cancel: Plan & { num_stopping: number; slurm_job_ids: string[] };
  workflow_delete: { dry_run: boolean; workflow_key: string; num_jobs: number; num_results: number };
  workflow_restart: RestartPlan;
  /** How many attempts were asked to stop, and which still occupy a worker; with `stop` false claims go on again. */
  workflow_stop_running: { num_stopping: number; running: KeptJob[] };
  jobs_reset: Plan;
  jobs_disable: Plan;
  jobs_diagnose: { jobs: DiagnosedJob[] };
  job_show: JobShown;
  /** Only what differs from before. */
  job_modify: { dry_run: boolean; job_key: string; job_name: string; changes: ChangedField[] };
  resource_requirements_modify: {
    dry_run: boolean;
    resource_requirements_key: string;
    name: string;
    num_jobs: number;
    changes: ChangedField[];
  };
  jobs_add: { workflow_key: string; jobs: { job_key: string; name: string; status: string }[] };
  /** `jobs` are the first of them. */
  jobs_delete: {
    dry_run: boolean;
    workflow_key: string;
    num_jobs: number;
    jobs: { job_key: string; name: string }[];
  };
  file_add: { file_key: string };
  file_delete: { file_key: string; name: string };
  resource_requirements_add: { resource_requirements_key: string };
  resource_requirements_assign: { resource_requirements_key: string; name: string; num_jobs: number };
  workflow_modify: { workflow_key: string; name: string; changes: ChangedField[] };
  workflow_export: ExportedPage;
  workflow_import_history: { num_results: number; num_events: number };
  workflow_import_finish: { workflow_key: string; run_id: number };
  user_data_add: { user_data_key: string };
  /** `is_changed`: the data are another document now. */
  user_data_modify: { user_data_key: string; name: string; is_changed: boolean; version: number };
  user_data_delete: { user_data_key: string; name: string };
  list: ListReply;
  worker_hello: HelloReply;
  exchange: ExchangeReply;
  slurm_config_add: { slurm_config_key: string };
  slurm_config_modify: { slurm_config_key: string };
  allocations_record: { allocation_keys: string[] };
  allocation_confirm: { allocation_key: string };
}
export type Reply<N extends EndpointName> = Replies[N];

/** Calls an endpoint, over HTTPS or in process; throws TorcError. */
export interface Api {
  call<N extends EndpointName>(endpoint: N, request: Request<N>, options?: CallOptions): Promise<Reply<N>>;
  /** Frees connections, or closes the database of an in-process service. */
  close(): Promise<void>;
}

export interface CallOptions {
  /** Ends the call early with a TorcError('interrupted'). */
  signal?: AbortSignal;
  timeoutMs?: number;
  /** 32 hexadecimal digits, new for each call that changes something: a repeated call with it gets the stored reply. */
  idempotencyKey?: string;
}
