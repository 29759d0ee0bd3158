/** Workflows: show, start, cancel, delete, modify. */
import type { RecordOf, Reply, Request, WorkflowShown } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { shownEnvironment } from '../../model/launch.ts';
import { openSlurmJobIds } from '../../storage/authoring/allocations.ts';
import { showAutoscaler } from '../../storage/authoring/autoscalers.ts';
import { ownerOf } from '../../storage/authoring/owner.ts';
import { showRecovery } from '../../storage/authoring/recovery-settings.ts';
import { beginDelete, deleteStep, planDelete, wasDeleted } from '../../storage/authoring/workflow-deletion.ts';
import { findIdentity, identityOf } from '../../storage/authoring/workflow-identity.ts';
import { modifyWorkflow } from '../../storage/authoring/workflow-modification.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { readCandidates } from '../../storage/lists/candidates.ts';
import { countsRecord, readList, workflowRecord } from '../../storage/lists/lists.ts';
import { selectRows } from '../../storage/lists/selection.ts';
import { countFailedFirings, countOpenFirings } from '../../storage/running/actions.ts';
import { countActiveComputeNodes } from '../../storage/running/active-compute-nodes.ts';
import { workflowEnvironment } from '../../storage/running/launch.ts';
import { countLeft } from '../../storage/running/losses.ts';
import { countOpenMessages, unsentMessages } from '../../storage/running/outbox.ts';
import { getWorkflow, jobCounts, stateToken, statusOf } from '../../storage/running/workflows.ts';
import { claimedJobs } from '../../storage/runs/claimed-jobs.ts';
import { setPaused } from '../../storage/runs/pauses.ts';
import { beginCancel, cancelSteps, planStart, refuseEnded, startSteps } from '../../storage/runs/start-and-cancel.ts';
import { sharedOutputs } from '../../storage/runs/start-checks.ts';
import type { ServerContext } from '../context.ts';
import { planCancel, planStartChanges } from '../plans/start-and-cancel.ts';
import type { Steps } from './kinds.ts';

export function showWorkflow({ db, view }: ServerContext, request: Request<'workflow_show'>): WorkflowShown {
  const { workflowKey } = getWorkflow(view, Number(request.workflow_key));
  const unsent = unsentMessages(view, workflowKey);
  return {
    ...(workflowRecord(db, workflowKey) as RecordOf<'workflows'>),
    counts: countsRecord(db, workflowKey),
    num_active_workers: countActiveComputeNodes(view, workflowKey),
    num_lost: countLeft(view, workflowKey),
    num_open_actions: countOpenFirings(view, workflowKey),
    num_failed_actions: countFailedFirings(view, workflowKey),
    num_open_notifications: countOpenMessages(view, workflowKey),
    num_late_notifications: unsent.num_late,
    num_failed_notifications: unsent.num_failed,
    notification_error: unsent.error,
    env: shownEnvironment(workflowEnvironment(view, workflowKey)),
    autoscaler: showAutoscaler(view, workflowKey),
    recovery: showRecovery(view, workflowKey),
  };
}

export function findWorkflow({ view, info }: ServerContext, request: Request<'workflow_find'>): Reply<'workflow_find'> {
  const identity = identityOf({ ...request, user: ownerOf(info.user, request.user) });
  const found = identity === null ? null : findIdentity(view, identity);
  if (found === null) return { workflow_key: null, status: null, run_id: null, base_directory: null };
  return {
    workflow_key: String(found.workflowKey),
    status: statusOf(view, found),
    run_id: found.runId,
    base_directory: found.baseDirectory,
  };
}

export function findCandidates({ db }: ServerContext, request: Request<'candidates'>): Reply<'candidates'> {
  return readCandidates(db, request);
}

export function listRecords({ db, view }: ServerContext, request: Request<'list'>): Reply<'list'> {
  const key = request.workflow_key === null ? null : Number(request.workflow_key);
  // of a deleted workflow there is still who deleted it
  const isPast = key !== null && request.list === 'events' && wasDeleted(view, key);
  if (key !== null && !isPast) getWorkflow(view, key);
  return readList(db, request);
}

export function chooseRows({ db, view }: ServerContext, request: Request<'select'>): Reply<'select'> {
  if (request.workflow_key !== null) getWorkflow(view, Number(request.workflow_key));
  return selectRows(db, request);
}

export function changeWorkflow(tx: Transaction, request: Request<'workflow_modify'>): Reply<'workflow_modify'> {
  return { workflow_key: request.workflow_key, ...modifyWorkflow(tx, request) };
}

export function pauseWorkflow(tx: Transaction, request: Request<'workflow_pause'>): Reply<'workflow_pause'> {
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  if (request.paused && workflow.hasEnded) {
    const message = `the run of workflow ${request.workflow_key} has ended: there is nothing to pause`;
    throw new TorcError('conflict', message, `torc workflows show-status ${request.workflow_key}`);
  }
  const isNew = setPaused(tx, workflow, request.paused);
  const counts = jobCounts(tx, workflow.workflowKey);
  return {
    workflow_key: request.workflow_key,
    is_paused: request.paused,
    was_paused: isNew !== request.paused,
    num_ready: counts.ready,
    num_running: counts.submitted + counts.submitted_pending,
  };
}

export function startWorkflow(tx: Transaction, request: Request<'workflow_start'>): Steps<'workflow_start'> {
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
      shared_outputs: sharedOutputs(tx, getWorkflow(tx, workflowKey)),
      changes,
    },
  };
}

export function cancelWorkflow(tx: Transaction, request: Request<'workflow_cancel'>): Steps<'workflow_cancel'> {
  const workflowKey = Number(request.workflow_key);
  // asked now: after the last step some workers have already stopped and ended their allocations
  const slurmJobIds = openSlurmJobIds(tx, workflowKey);
  refuseEnded(tx, workflowKey, slurmJobIds);
  const counts = jobCounts(tx, workflowKey);
  const changes = planCancel(tx, workflowKey);
  const state = stateToken(tx, workflowKey);
  const numClaimed = counts.submitted + counts.submitted_pending;
  const numStopping = claimedJobs(tx, workflowKey).filter((job) => job.process !== 'gone').length;
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

export function deleteWorkflow(tx: Transaction, request: Request<'workflow_delete'>): Steps<'workflow_delete'> {
  const workflowKey = Number(request.workflow_key);
  const plan = planDelete(tx, workflowKey);
  if (!request.dry_run) beginDelete(tx, workflowKey, plan);
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
