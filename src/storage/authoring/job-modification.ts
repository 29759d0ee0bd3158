/** Changing jobs after the workflow was created. */
import type { ChangedField, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { anyConfig } from '../../model/decide/pools.ts';
import { fieldsFromData } from '../../model/job.ts';
import { labelSet } from '../../model/labels.ts';
import { quoted } from '../../model/spec/names.ts';
import { claimedStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { jobLaunch, replaceJobLaunch, workflowEnvironment } from '../running/launch.ts';
import { fromDataOf } from '../running/needs-from-data.ts';
import { giveOwnRequirements } from '../running/own-requirements.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { findShape, type JobRequest, type Way } from '../running/shapes.ts';
import { askNeedsAgain } from '../running/transitions.ts';
import { getWorkflow } from '../running/workflows.ts';
import { changedAttributes, jobAttributes, storeJobAttributes } from './attributes.ts';
import { findJob, type JobRow } from './job-rows.ts';
import { JobStems } from './job-stems.ts';
import { resolved } from './job-texts.ts';
import { changedLaunch, refuseUnsetting } from './launch-modification.ts';
import { limitSet } from './limits.ts';
import { keyOfName } from './named-parts.ts';
import { changedNeed, resourceDifferences } from './requirements-modification.ts';

type JobChanges = Request<'job_modify'>['changes'];

/**
 * Changes a job that no process runs, even one whose worker is gone, and the attributes of any job; returns the fields
 * that change. Workers that wait and may take it now get it. After a change of its command, invocation script or
 * directory, a restart runs a job again that was ever claimed. Changed resources become requirements of the job's own.
 */
export function modifyJob(tx: Transaction, request: Request<'job_modify'>): { name: string; changes: ChangedField[] } {
  const jobKey = Number(request.job_key);
  const job = findJob(tx, jobKey);
  if (job === undefined) throw new TorcError('not_found', `there is no job ${jobKey}`, 'torc jobs list');
  const workflowKey = job.workflow_key;
  getWorkflow(tx, workflowKey);
  const { attributes: givenAttributes = {}, ...others } = request.changes;
  if (Object.keys(others).length > 0) refuseRunning(tx, job);
  const next = resolved(tx, job, others);
  if (next.name !== undefined) refuseTakenName(tx, workflowKey, next.name, jobKey);
  const shape = findShape(tx, job.shape_key);
  const { need } = shape;
  const nextNeed = changedNeed(need, next);
  const resources = resourceDifferences(need, nextNeed);
  const way = changedWay(tx, job, shape, next);
  const ownLaunch = jobLaunch(tx, jobKey);
  refuseUnsetting(job, ownLaunch, workflowEnvironment(tx, workflowKey), next);
  const launch = changedLaunch(job, ownLaunch, next);
  const attributes = changedAttributes(jobAttributes(tx, jobKey), givenAttributes);
  const changes = [
    ...fieldDifferences(job, next),
    ...wayDifferences(tx, shape, way),
    ...resources,
    ...launch.fields,
    ...attributes.fields,
  ];
  const requirements = requirementsName(tx, job);
  const isOwnNeed = resources.length > 0 || statesWhatIsData(tx, job, next);
  if (isOwnNeed && requirements !== null) {
    changes.push({ field: 'resource_requirements', old_value: requirements, new_value: null });
  }
  const name = next.name ?? job.name;
  if (request.dry_run || changes.length === 0) return { name, changes };
  applyFields(tx, job, next, launch.fields);
  if (launch.fields.length > 0) replaceJobLaunch(tx, jobKey, launch.after);
  if (attributes.fields.length > 0) storeJobAttributes(tx, jobKey, attributes.after);
  setShape(tx, job, { ...way, need: nextNeed });
  forgetReadyJobs(tx, workflowKey);
  if (isOwnNeed) {
    giveOwnRequirements(tx, job, nextNeed, null);
    askNeedsAgain(tx, workflowKey, jobKey);
  }
  tx.event({ workflowKey, jobKey, type: 'job_modified', data: { changes } });
  if (job.status === 'ready') tx.tell({ kind: 'jobs_ready', workflowKey });
  return { name, changes };
}

/** Changes many jobs; those that a process may run stay as they are, unless only attributes change. */
export function modifyJobs(tx: Transaction, request: Request<'jobs_modify'>): Reply<'jobs_modify'> {
  const { dry_run, changes: asked } = request;
  const isForAll = Object.keys(asked).every((field) => field === 'attributes');
  const reply: Reply<'jobs_modify'> = { dry_run, jobs: [], running: [] };
  for (const job_key of new Set(request.job_keys)) {
    const job = findJob(tx, Number(job_key));
    if (!isForAll && job !== undefined && isRunning(tx, job)) {
      reply.running.push(job_key);
      continue;
    }
    const { name, changes } = modifyJob(tx, { job_key, dry_run, changes: asked });
    if (changes.length > 0) reply.jobs.push({ job_key, job_name: name, changes });
  }
  return reply;
}

/** Whether a process may run it. */
function isRunning(tx: Transaction, job: JobRow): boolean {
  if (!claimedStatuses.includes(job.status)) return false;
  const sql = 'SELECT is_occupying FROM attempts WHERE attempt_key = ?';
  return tx.db.get<{ is_occupying: number }>(sql, job.attempt_key)?.is_occupying !== 0;
}

/** Throws 'conflict' for a job that a process may run. */
export function refuseRunning(tx: Transaction, job: JobRow): void {
  if (!isRunning(tx, job)) return;
  throw new TorcError(
    'conflict',
    `job ${job.job_key} (${quoted(job.name)}) is ${job.status}: a running job cannot be changed`,
    `Change it after it ends, or cancel its workflow first: torc workflows cancel ${job.workflow_key}`,
  );
}

function refuseTakenName(tx: Transaction, workflowKey: number, name: string, jobKey: number): void {
  const taken = tx.db.get<{ job_key: number }>(
    'SELECT job_key FROM jobs WHERE workflow_key = ? AND name = ?',
    workflowKey,
    name,
  );
  if (taken === undefined || taken.job_key === jobKey) return;
  throw new TorcError('conflict', `job ${taken.job_key} already has the name ${quoted(name)}`, 'Choose another name.');
}

const textFields = ['name', 'command', 'invocation_script', 'priority'] as const;
const flagFields = ['cancel_on_blocking_job_failure', 'supports_termination', 'task_failure_is_success'] as const;

function fieldDifferences(job: JobRow, next: JobChanges): ChangedField[] {
  const before: Record<string, unknown> = { ...job };
  for (const field of flagFields) before[field] = job[field] === 1;
  return [...textFields, ...flagFields]
    .filter((field) => next[field] !== undefined && next[field] !== before[field])
    .map((field) => ({ field, old_value: before[field] ?? null, new_value: next[field] ?? null }));
}

function applyFields(tx: Transaction, job: JobRow, next: JobChanges, launch: readonly ChangedField[]): void {
  const after = { ...job, ...next };
  const isCommandChanged =
    (after.command !== job.command ||
      after.invocation_script !== job.invocation_script ||
      launch.some(({ field }) => field === 'cwd')) &&
    tx.db.get(
      'SELECT 1 FROM attempts WHERE workflow_key = ? AND job_key = ? LIMIT 1',
      job.workflow_key,
      job.job_key,
    ) !== undefined;
  tx.db.run(
    `UPDATE jobs SET name = ?, stem_key = ?, command = ?, invocation_script = ?, priority = ?, cancel_on_blocking_job_failure = ?,
       supports_termination = ?, task_failure_is_success = ?,
       identity = CASE WHEN command = ? THEN identity END,
       is_command_changed = max(is_command_changed, ?) WHERE job_key = ?`,
    after.name,
    next.name === undefined ? job.stem_key : new JobStems(tx, job.workflow_key).keyOf(next.name),
    after.command,
    after.invocation_script,
    after.priority,
    Number(after.cancel_on_blocking_job_failure),
    Number(after.supports_termination),
    Number(after.task_failure_is_success),
    after.command,
    isCommandChanged ? 1 : 0,
    job.job_key,
  );
}

function changedWay(tx: Transaction, job: JobRow, before: Way, changes: JobChanges): Way {
  const { scheduler, labels, limits, supports_termination: supportsTermination = before.supportsTermination } = changes;
  const key = scheduler == null ? anyConfig : keyOfName(tx, job.workflow_key, 'scheduler', scheduler);
  return {
    supportsTermination,
    slurmConfigKey: scheduler === undefined ? before.slurmConfigKey : key,
    labels: labels === undefined ? before.labels : labelSet(labels),
    limits: limits === undefined ? before.limits : limitSet(tx, job.workflow_key, { name: job.name, limits }),
  };
}

/** Where the job may run; whether it supports termination is a field of the job. */
function wayDifferences(tx: Transaction, before: Way, after: Way): ChangedField[] {
  const nameOf = ({ slurmConfigKey }: Way): string | null => {
    const sql = 'SELECT name FROM slurm_configs WHERE slurm_config_key = ?';
    return tx.db.get<{ name: string }>(sql, slurmConfigKey)?.name ?? null;
  };
  const changes: ChangedField[] = [];
  for (const field of ['labels', 'limits'] as const) {
    if (before[field] === after[field]) continue;
    changes.push({ field, old_value: before[field] || null, new_value: after[field] || null });
  }
  if (before.slurmConfigKey !== after.slurmConfigKey) {
    changes.push({ field: 'scheduler', old_value: nameOf(before), new_value: nameOf(after) });
  }
  return changes;
}

function requirementsName(tx: Transaction, job: JobRow): string | null {
  const sql = 'SELECT name FROM resource_requirements WHERE resource_requirements_key = ?';
  return tx.db.get<{ name: string | null }>(sql, job.resource_requirements_key)?.name ?? null;
}

/** Whether a field that came from data is stated now, even as what stood in its place. */
function statesWhatIsData(tx: Transaction, job: JobRow, next: JobChanges): boolean {
  const key = job.resource_requirements_key;
  const fields = key === null ? null : fromDataOf(tx, key);
  if (fields === null) return false;
  const stated = {
    num_cpus: next.num_cpus,
    memory: next.memory_bytes,
    num_gpus: next.gpu_thousandths,
    runtime: next.runtime_ms,
  };
  return fieldsFromData.some((field) => fields[field] !== undefined && stated[field] !== undefined);
}

function setShape(tx: Transaction, job: JobRow, request: JobRequest): void {
  const shapeKey = addShape(tx, job.workflow_key, request);
  if (shapeKey !== job.shape_key) tx.db.run('UPDATE jobs SET shape_key = ? WHERE job_key = ?', shapeKey, job.job_key);
}
