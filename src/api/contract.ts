/**
 * The contract between clients (commands, workers) and the server: the schemas of each endpoint's request and reply.
 * `POST /v1/NAME` with the request as JSON answers the reply as JSON, or `{"error":{code,message,hint}}`.
 *
 * Words on the wire are snake_case; keys are strings for people's commands and integers inside the exchange, where
 * a busy worker sends thousands. Durations are in the unit that their name ends in.
 *
 * The server checks every request. Replies are checked by tests only: their schemas are functions, so that no command
 * waits until they are made.
 */
import type { z } from 'zod';
import * as autoscaling from './autoscaling.ts';
import * as candidates from './candidates.ts';
import * as concurrency from './concurrency.ts';
import * as demand from './demand.ts';
import * as documents from './documents.ts';
import * as jobs from './jobs.ts';
import * as lists from './lists.ts';
import * as maintenance from './maintenance.ts';
import * as notifications from './notifications.ts';
import * as outputs from './outputs.ts';
import * as planning from './planning.ts';
import * as plans from './plans.ts';
import * as resume from './resume.ts';
import * as schedules from './schedules.ts';
import * as selection from './selection.ts';
import * as sites from './sites.ts';
import * as slurm from './slurm.ts';
import * as status from './status.ts';
import * as timeline from './timeline.ts';
import * as usage from './usage.ts';
import * as workers from './workers.ts';
import * as workflows from './workflows.ts';

export type { AutoscalerShown } from './autoscaling.ts';
export type { ExportedAction, ExportedJob, ExportedRequirements } from './documents.ts';
export type { ChangedField } from './fields.ts';
export type { AddedJob, DiagnosedJob, JobShown } from './jobs.ts';
export { limits, protocolVersion } from './limits.ts';
export type { ListRecord } from './lists.ts';
export type { CheckReply, Problem } from './maintenance.ts';
export type { ExportedNotification } from './notifications.ts';
export type { FailedOutput, JobOutputs } from './outputs.ts';
export type { KeptJob, Plan, PlannedChange, RestartPlan } from './plans.ts';
export type { ListName, RecordOf } from './records.ts';
export type { Recovered, RecoveryShown } from './recovery.ts';
export type { TakenOver } from './resume.ts';
export type { ScheduleRecord, TickRecord } from './schedules.ts';
export type { Selectable, Selection } from './selection.ts';
export type { FailureGroup, ServerLack, StatusLine, StatusReply, WorkflowStatusReply } from './status.ts';
export type { Timeline, Utilization } from './timeline.ts';
export type { AllocationUsage, UsageRow, UsageTotal } from './usage.ts';
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
export type { WorkflowShown } from './workflows.ts';

interface Endpoint<Q, R> {
  request: Q;
  /** Makes the schema. */
  reply: () => R;
}

function on<Q extends z.ZodType, R extends z.ZodType>(request: Q, reply: () => R): Endpoint<Q, R> {
  return { request, reply };
}

export const endpoints = {
  // the server and its database
  server_info: on(maintenance.nothing, maintenance.serverInfo),
  server_awaited: on(maintenance.nothing, maintenance.serverAwaited),
  server_stop: on(maintenance.nothing, maintenance.stopReply),
  server_rotate_token: on(maintenance.rotateToken, maintenance.rotateTokenReply),
  server_backup: on(maintenance.backup, maintenance.backupReply),
  server_check: on(maintenance.nothing, maintenance.checkReply),
  server_prune: on(maintenance.prune, maintenance.pruneReply),
  logs_prune: on(maintenance.pruneLogs, maintenance.pruneLogsReply),

  // what exists
  list: on(lists.list, lists.listReply),
  select: on(selection.select, selection.selectReply),
  candidates: on(candidates.askCandidates, candidates.candidatesReply),
  workflow_show: on(workflows.workflowOnly, workflows.workflowShown),
  workflow_find: on(workflows.findIdentity, workflows.findIdentityReply),
  workflow_graph: on(workflows.workflowOnly, workflows.graphReply),
  graph_group: on(workflows.askGroup, workflows.groupReply),
  job_show: on(jobs.showJob, jobs.jobShown),
  jobs_outputs: on(outputs.askOutputs, outputs.outputsReply),
  failed_outputs: on(outputs.askFailedOutputs, outputs.failedOutputsReply),
  limits_list: on(concurrency.listLimits, concurrency.limitsListed),
  schedules_list: on(schedules.listSchedules, schedules.schedulesListed),
  schedule_show: on(schedules.showSchedule, schedules.scheduleShown),
  sites_list: on(sites.listSites, sites.sitesListed),
  planned_jobs: on(planning.askPlannedJobs, planning.plannedJobs),
  demand: on(demand.askDemand, demand.demandReply),
  usage: on(usage.askUsage, usage.usageReply),
  usage_hours: on(usage.askUsage, usage.usageHoursReply),
  usage_earlier: on(usage.askEarlierUsage, usage.earlierUsageReply),
  timeline: on(timeline.askTimeline, timeline.timelineReply),
  utilization: on(timeline.askUtilization, timeline.utilizationReply),
  status: on(status.askStatus, status.statusReply),
  workflow_status: on(workflows.workflowOnly, status.workflowStatusReply),
  jobs_diagnose: on(jobs.diagnoseJobs, jobs.diagnoseReply),

  // a workflow is created, in chunks
  workflow_create_begin: on(workflows.createBegin, workflows.createBeginReply),
  workflow_create_chunk: on(workflows.createChunk, workflows.createChunkReply),
  workflow_create_finish: on(workflows.createFinish, workflows.createFinishReply),

  // a workflow is created again
  workflow_outline: on(resume.outline, resume.outlineReply),

  // a workflow runs
  workflow_start: on(plans.start, plans.startReply),
  workflow_cancel: on(plans.planned, plans.cancelReply),
  workflow_restart: on(plans.restart, plans.restartReply),
  workflow_stop_running: on(plans.stopRunning, plans.stopRunningReply),
  jobs_reset: on(plans.resetJobs, plans.planReply),
  jobs_disable: on(plans.disableJobs, plans.planReply),
  jobs_cancel: on(plans.cancelJobs, plans.cancelJobsReply),
  jobs_hold: on(plans.holdJobs, plans.holdJobsReply),
  jobs_mark_done: on(plans.markJobs, plans.planReply),
  workflow_copy: on(plans.copyWorkflow, plans.copyWorkflowReply),

  // workflows that the server makes by itself
  schedule_add: on(schedules.addSchedule, schedules.scheduleAdded),
  schedule_modify: on(schedules.modifySchedule, schedules.scheduleModified),
  generator_put: on(schedules.putItems, schedules.itemsPut),
  schedule_pause: on(schedules.pauseSchedule, schedules.schedulePaused),
  schedule_run: on(schedules.scheduleOnly, schedules.scheduleRun),
  schedule_delete: on(schedules.scheduleOnly, schedules.scheduleDeleted),

  // people change what is stored
  workflow_pause: on(plans.pauseWorkflow, plans.pauseReply),
  workflow_autoscale: on(autoscaling.autoscaleWorkflow, autoscaling.autoscaleReply),
  workflow_modify: on(workflows.modifyWorkflow, workflows.modifyWorkflowReply),
  limit_set: on(concurrency.setLimit, concurrency.limitChanged),
  limit_delete: on(concurrency.deleteLimit, concurrency.limitChanged),
  workflow_delete: on(plans.planned, plans.deleteWorkflowReply),
  jobs_add: on(jobs.addJobs, jobs.addJobsReply),
  jobs_add_children: on(jobs.addChildren, jobs.addChildrenReply),
  job_modify: on(jobs.modifyJob, jobs.modifyJobReply),
  jobs_modify: on(jobs.modifyJobs, jobs.modifyJobsReply),
  jobs_delete: on(jobs.deleteJobs, jobs.deleteJobsReply),
  resource_requirements_add: on(jobs.addResourceRequirements, jobs.addRequirementsReply),
  resource_requirements_assign: on(jobs.assignResourceRequirements, jobs.assignRequirementsReply),
  resource_requirements_modify: on(jobs.modifyResourceRequirements, jobs.modifyRequirementsReply),
  file_add: on(jobs.addFile, jobs.addFileReply),
  file_delete: on(jobs.deleteFile, jobs.deleteFileReply),
  user_data_add: on(jobs.addUserData, jobs.addUserDataReply),
  user_data_modify: on(jobs.modifyUserData, jobs.modifyUserDataReply),
  user_data_delete: on(jobs.deleteUserData, jobs.deleteUserDataReply),

  // documents
  workflow_export: on(documents.exportWorkflow, documents.exportReply),
  workflow_import_history: on(documents.importHistory, documents.importHistoryReply),
  workflow_import_finish: on(documents.importFinish, documents.importFinishReply),

  // messages to people
  notifications_test: on(notifications.testNotifications, notifications.testedNotifications),

  // Slurm
  slurm_config_add: on(slurm.addSlurmConfig, slurm.slurmConfigReply),
  slurm_config_modify: on(slurm.modifySlurmConfig, slurm.slurmConfigReply),
  allocations_record: on(slurm.recordAllocations, slurm.recordAllocationsReply),
  allocation_confirm: on(slurm.confirmAllocation, slurm.confirmAllocationReply),
  site_put: on(sites.putSite, sites.sitePut),

  // workers
  worker_hello: on(workers.hello, workers.helloReply),
  exchange: on(workers.exchange, workers.exchangeReply),
} as const;

export type EndpointName = keyof typeof endpoints;
export type Request<N extends EndpointName> = z.infer<(typeof endpoints)[N]['request']>;
export type Reply<N extends EndpointName> = z.infer<ReturnType<(typeof endpoints)[N]['reply']>>;

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
  /** In process: the server calls for nobody; else its owner does. */
  isByServer?: boolean;
  /** 32 hexadecimal digits, new for each call that changes something: a repeated call with it gets the stored reply. */
  idempotencyKey?: string;
}
