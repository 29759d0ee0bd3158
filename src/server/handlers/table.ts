/** What each endpoint does, but for the exchange: a read, one write in the batch, or work cut into several writes. */
import type { EndpointName, Reply, Request, WorkflowShown } from '../../api/contract.ts';
import { protocolVersion } from '../../api/limits.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import {
  confirmAllocation,
  countOpenAllocations,
  openSlurmJobIds,
  recordAllocations,
} from '../../storage/authoring/allocations.ts';
import { addFile, addRequirements, assignRequirements, deleteFile } from '../../storage/authoring/declarations.ts';
import { addJobs } from '../../storage/authoring/job-addition.ts';
import { deleteJobs } from '../../storage/authoring/job-deletion.ts';
import { followRequirements, modifyJob, modifyRequirements } from '../../storage/authoring/job-modification.ts';
import { addSlurmConfig, modifySlurmConfig } from '../../storage/authoring/slurm-configs.ts';
import { addChunk, beginCreate, finishCreate } from '../../storage/authoring/workflow-creation.ts';
import { beginDelete, deleteStep, planDelete } from '../../storage/authoring/workflow-deletion.ts';
import { exportPage } from '../../storage/authoring/workflow-export.ts';
import { finishImport, importHistory } from '../../storage/authoring/workflow-import.ts';
import { modifyWorkflow } from '../../storage/authoring/workflow-modification.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { releaseRequeued } from '../../storage/evidence/orphans.ts';
import { jobStory } from '../../storage/lists/job-story.ts';
import { countsRecord, readList, workflowRecord } from '../../storage/lists/lists.ts';
import { countFailedFirings, countOpenFirings, workerCommands } from '../../storage/running/actions.ts';
import { countActiveComputeNodes, registerComputeNode } from '../../storage/running/compute-nodes.ts';
import { addUserData, deleteUserData, modifyUserData } from '../../storage/running/user-data.ts';
import { getWorkflow, jobCounts, stateToken } from '../../storage/running/workflows.ts';
import { claimedJobs } from '../../storage/runs/restart.ts';
import { beginCancel, cancelSteps, planStart, startSteps } from '../../storage/runs/start-and-cancel.ts';
import type { ServerContext } from '../context.ts';
import { otherProtocol } from '../exchange/exchange.ts';
import { prepareDiagnosis, prepareDisable, prepareReset, prepareRestart, stopRunning } from '../plans/restart.ts';
import { planCancel, planStartChanges } from '../plans/start-and-cancel.ts';
import { drawWorkflow } from './graph.ts';
import { checkDatabase, makeBackup } from './maintenance.ts';

export interface ReadHandler<N extends EndpointName> {
  kind: 'read';
  run: (context: ServerContext, request: Request<N>) => Reply<N> | Promise<Reply<N>>;
}
interface WriteHandler<N extends EndpointName> {
  kind: 'write';
  run: (tx: Transaction, request: Request<N>, context: ServerContext) => Reply<N>;
}
export interface StepHandler<N extends EndpointName> {
  kind: 'steps';
  /** Checks, plans and begins; `step` is repeated until it returns true, then `reply` is given. */
  begin: (
    tx: Transaction,
    request: Request<N>,
    context: ServerContext,
  ) => { step: ((tx: Transaction) => boolean) | null; reply: Reply<N> };
}
/** A write that first looks at something outside of the database, without holding up others. */
interface PreparedHandler<N extends EndpointName> {
  kind: 'prepared';
  /** Looks, and gives the write that follows from what was seen. */
  prepare: (context: ServerContext, request: Request<N>) => Promise<(tx: Transaction) => Reply<N>>;
}
type Handler<N extends EndpointName> = ReadHandler<N> | WriteHandler<N> | StepHandler<N> | PreparedHandler<N>;

type Handled = Exclude<EndpointName, 'exchange'>;
export type Handlers = Record<EndpointName, Handler<EndpointName>>;

export const handlers: { [N in Handled]: Handler<N> } = {
  server_info: { kind: 'read', run: (context) => serverInfo(context) },
  server_stop: {
    kind: 'read',
    run(context) {
      if (context.onStop === null) throw new TorcError('conflict', 'this process is not a server');
      context.onStop();
      return { pid: context.info.pid };
    },
  },
  server_backup: { kind: 'read', run: (context, { path }) => makeBackup(context, path) },
  server_check: { kind: 'read', run: checkDatabase },
  server_rotate_token: {
    kind: 'read',
    run(context, { grace_seconds }) {
      if (context.onRotateToken === null) throw new TorcError('conflict', 'this process is not a server');
      context.onRotateToken(grace_seconds);
      return { pid: context.info.pid, hostname: context.info.hostname };
    },
  },
  workflow_create_begin: {
    kind: 'write',
    run: (tx, request) => ({ workflow_key: String(beginCreate(tx, request)) }),
  },
  workflow_create_chunk: {
    kind: 'write',
    run(tx, request) {
      addChunk(tx, request);
      return { num_jobs: request.jobs.length };
    },
  },
  workflow_create_finish: {
    kind: 'write',
    run(tx, request) {
      const made = finishCreate(tx, Number(request.workflow_key));
      return {
        workflow_key: request.workflow_key,
        num_jobs: made.numJobs,
        num_files: made.numFiles,
        num_user_data: made.numUserData,
        num_edges: made.numEdges,
        num_barriers: made.numBarriers,
      };
    },
  },
  workflow_show: { kind: 'read', run: (context, request) => showWorkflow(context, Number(request.workflow_key)) },
  workflow_graph: { kind: 'read', run: drawWorkflow },
  workflow_start: { kind: 'steps', begin: beginStart },
  workflow_cancel: { kind: 'steps', begin: beginCancelWorkflow },
  workflow_delete: { kind: 'steps', begin: beginDeleteWorkflow },
  workflow_restart: { kind: 'prepared', prepare: prepareRestart },
  workflow_stop_running: { kind: 'write', run: stopRunning },
  jobs_reset: { kind: 'prepared', prepare: prepareReset },
  jobs_disable: { kind: 'prepared', prepare: prepareDisable },
  jobs_diagnose: { kind: 'prepared', prepare: prepareDiagnosis },
  job_show: { kind: 'read', run: (context, request) => jobStory(context.view, Number(request.job_key)) },
  job_modify: {
    kind: 'write',
    run(tx, request) {
      const { name, changes } = modifyJob(tx, request);
      return { dry_run: request.dry_run, job_key: request.job_key, job_name: name, changes };
    },
  },
  resource_requirements_modify: { kind: 'steps', begin: beginModifyRequirements },
  jobs_add: {
    kind: 'write',
    run: (tx, request) => ({ workflow_key: request.workflow_key, jobs: addJobs(tx, request) }),
  },
  jobs_delete: { kind: 'write', run: deleteJobs },
  file_add: { kind: 'write', run: (tx, request) => ({ file_key: String(addFile(tx, request)) }) },
  file_delete: {
    kind: 'write',
    run: (tx, { file_key }) => ({ file_key, name: deleteFile(tx, Number(file_key)) }),
  },
  resource_requirements_add: {
    kind: 'write',
    run: (tx, request) => ({ resource_requirements_key: String(addRequirements(tx, request)) }),
  },
  resource_requirements_assign: { kind: 'write', run: assignRequirements },
  workflow_modify: {
    kind: 'write',
    run: (tx, request) => ({ workflow_key: request.workflow_key, ...modifyWorkflow(tx, request) }),
  },
  workflow_export: { kind: 'read', run: ({ view }, request) => exportPage(view, request) },
  workflow_import_history: { kind: 'write', run: importHistory },
  workflow_import_finish: {
    kind: 'write',
    run(tx, request) {
      finishImport(tx, request);
      return { workflow_key: request.workflow_key, run_id: request.run_id };
    },
  },
  user_data_add: { kind: 'write', run: (tx, request) => ({ user_data_key: String(addUserData(tx, request)) }) },
  user_data_modify: {
    kind: 'write',
    run(tx, request) {
      const { name, isChanged, version } = modifyUserData(tx, request);
      return { user_data_key: request.user_data_key, name, is_changed: isChanged, version };
    },
  },
  user_data_delete: {
    kind: 'write',
    run: (tx, { user_data_key }) => ({ user_data_key, name: deleteUserData(tx, Number(user_data_key)) }),
  },
  list: { kind: 'read', run: listRecords },
  worker_hello: { kind: 'write', run: hello },
  slurm_config_add: {
    kind: 'write',
    run: (tx, request) => ({ slurm_config_key: String(addSlurmConfig(tx, request)) }),
  },
  slurm_config_modify: {
    kind: 'write',
    run(tx, request) {
      modifySlurmConfig(tx, request);
      return { slurm_config_key: request.slurm_config_key };
    },
  },
  allocations_record: {
    kind: 'write',
    run: (tx, request) => ({ allocation_keys: recordAllocations(tx, request).map(String) }),
  },
  allocation_confirm: {
    kind: 'write',
    run(tx, request) {
      confirmAllocation(tx, request);
      return { allocation_key: request.allocation_key };
    },
  },
};

function serverInfo(context: ServerContext): Reply<'server_info'> {
  return {
    version: context.info.version,
    protocol: protocolVersion,
    epoch: context.epoch,
    hostname: context.info.hostname,
    pid: context.info.pid,
    user: context.info.user,
    directory: context.info.directory,
    started_at: isoInstant(context.startedAt) as string,
    num_active_workers: countActiveComputeNodes(context.view, null),
    num_open_allocations: countOpenAllocations(context.view),
  };
}

function showWorkflow(context: ServerContext, workflowKey: number): WorkflowShown {
  getWorkflow(context.view, workflowKey);
  return {
    ...(workflowRecord(context.db, workflowKey) as WorkflowShown),
    counts: countsRecord(context.db, workflowKey),
    num_active_workers: countActiveComputeNodes(context.view, workflowKey),
    num_open_actions: countOpenFirings(context.view, workflowKey),
    num_failed_actions: countFailedFirings(context.view, workflowKey),
  };
}

function listRecords(context: ServerContext, request: Request<'list'>): Reply<'list'> {
  if (request.workflow_key !== null) getWorkflow(context.view, Number(request.workflow_key));
  return readList(context.db, request);
}

function beginStart(
  tx: Transaction,
  request: Request<'workflow_start'>,
): ReturnType<StepHandler<'workflow_start'>['begin']> {
  const workflowKey = Number(request.workflow_key);
  const plan = planStart(tx, workflowKey);
  const changes = planStartChanges(tx, workflowKey);
  const state = stateToken(tx, workflowKey);
  return {
    step: request.dry_run ? null : startSteps(workflowKey),
    reply: {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      state,
      run_id: plan.runId,
      num_ready: plan.numReady,
      num_blocked: plan.numBlocked,
      num_changes: plan.numReady + plan.numBlocked,
      changes,
    },
  };
}

function beginCancelWorkflow(
  tx: Transaction,
  request: Request<'workflow_cancel'>,
): ReturnType<StepHandler<'workflow_cancel'>['begin']> {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(tx, workflowKey);
  const counts = jobCounts(tx, workflowKey);
  const changes = planCancel(tx, workflowKey);
  const state = stateToken(tx, workflowKey);
  const numClaimed = counts.submitted + counts.submitted_pending;
  const numStopping = claimedJobs(tx, workflowKey).filter((job) => job.process !== 'gone').length;
  // asked now: after the last step some workers have already stopped and ended their allocations
  const slurmJobIds = openSlurmJobIds(tx, workflowKey);
  if (!request.dry_run) beginCancel(tx, workflowKey);
  return {
    step: request.dry_run ? null : cancelSteps(workflowKey),
    reply: {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      state,
      num_changes: counts.uninitialized + counts.blocked + counts.ready + numClaimed,
      changes,
      num_stopping: numStopping,
      slurm_job_ids: slurmJobIds,
    },
  };
}

function beginDeleteWorkflow(
  tx: Transaction,
  request: Request<'workflow_delete'>,
): ReturnType<StepHandler<'workflow_delete'>['begin']> {
  const workflowKey = Number(request.workflow_key);
  const plan = planDelete(tx, workflowKey);
  if (!request.dry_run) beginDelete(tx, workflowKey);
  return {
    step: request.dry_run ? null : (stepTx) => deleteStep(stepTx, workflowKey),
    reply: {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      num_jobs: plan.numJobs,
      num_results: plan.numResults,
    },
  };
}

function beginModifyRequirements(
  tx: Transaction,
  request: Request<'resource_requirements_modify'>,
): ReturnType<StepHandler<'resource_requirements_modify'>['begin']> {
  const { resource_requirements_key, dry_run } = request;
  const { workflowKey, name, numJobs, changes } = modifyRequirements(tx, request);
  return {
    // also without changes: an earlier call may have been interrupted
    step: dry_run ? null : followRequirements(workflowKey, Number(resource_requirements_key)),
    reply: { dry_run, resource_requirements_key, name, num_jobs: numJobs, changes },
  };
}

function hello(tx: Transaction, request: Request<'worker_hello'>, context: ServerContext): Reply<'worker_hello'> {
  if (request.protocol !== protocolVersion) throw otherProtocol(request.protocol);
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  const node = registerComputeNode(tx, request, workflow.stdio);
  const { slurm_job_id: slurmJobId, allocation_key } = request;
  if (node !== 'gone' && request.restart_count > 0 && slurmJobId !== null) {
    // what the start before this one gave back must be there before this worker asks for work
    const allocationKey = allocation_key === null ? null : Number(allocation_key);
    releaseRequeued(tx, { allocationKey, slurmJobId, queue: null });
  }
  const actions = node === 'gone' ? [] : workerCommands(tx, node.computeNodeKey);
  return {
    answer: node === 'gone' ? 'gone' : 'welcome',
    epoch: context.epoch,
    compute_node_key: node === 'gone' ? '0' : String(node.computeNodeKey),
    workflow_name: workflow.name,
    settings: {
      expiration_buffer_seconds: workflow.expirationBufferMs / 1000,
      wait_for_new_jobs_seconds: workflow.waitForNewJobsMs / 1000,
      ignore_workflow_completion: workflow.ignoreWorkflowCompletion,
      wait_for_healthy_database_minutes: workflow.waitForHealthyDatabaseMs / 60_000,
      sample_interval_seconds: workflow.sampleIntervalMs === null ? null : workflow.sampleIntervalMs / 1000,
      stdio: node === 'gone' ? workflow.stdio : node.stdio,
    },
    ...(actions.length === 0 ? {} : { actions }),
  };
}
