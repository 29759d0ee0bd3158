/** Changing jobs and resource requirements after the workflow was created. */

import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import type { Requirements } from '../../model/job.ts';
import { quoted } from '../../model/spec/names.ts';
import { claimedStatuses } from '../../model/status.ts';
import { lastKeyOfStep, type Step } from '../database/steps.ts';
import type { Transaction } from '../database/transaction.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { findShape, type JobRequest, needOf, plainRequest, readShape, waysToStart } from '../running/shapes.ts';
import { getWorkflow } from '../running/workflows.ts';
import { addShape } from './added-shapes.ts';
import { changedAttributes, jobAttributes, storeJobAttributes } from './attributes.ts';
import { findJob, type JobRow } from './job-rows.ts';
import { resolved } from './job-texts.ts';

type JobChanges = Request<'job_modify'>['changes'];
type ResourceChanges = Request<'resource_requirements_modify'>['changes'];

/**
 * Changes a job that no process runs, even one whose worker is gone, and the attributes of any job; returns the fields
 * that change. After a change of its command or invocation script, a restart runs a job again that was ever claimed.
 * Changed resources become requirements of the job's own.
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
  const attributes = changedAttributes(jobAttributes(tx, jobKey), givenAttributes);
  const changes = [...fieldDifferences(job, next), ...resources, ...attributes.fields];
  const requirements = requirementsName(tx, job);
  if (resources.length > 0 && requirements !== null) {
    changes.push({ field: 'resource_requirements', old_value: requirements, new_value: null });
  }
  const name = next.name ?? job.name;
  if (request.dry_run || changes.length === 0) return { name, changes };
  applyFields(tx, job, next);
  if (attributes.fields.length > 0) storeJobAttributes(tx, jobKey, attributes.after);
  const { supports_termination: supportsTermination = shape.supportsTermination } = next;
  setShape(tx, job, { ...shape, need: nextNeed, supportsTermination });
  forgetReadyJobs(tx, workflowKey);
  if (resources.length > 0) giveOwnRequirements(tx, job, nextNeed);
  tx.event({ workflowKey, jobKey, type: 'job_modified', data: { changes } });
  if (job.status === 'ready') tx.tell({ kind: 'jobs_ready', workflowKey });
  return { name, changes };
}

/** Throws 'conflict' for a job that a process may run. */
export function refuseRunning(tx: Transaction, job: JobRow): void {
  if (!claimedStatuses.includes(job.status)) return;
  const sql = 'SELECT is_occupying FROM attempts WHERE attempt_key = ?';
  const attempt = tx.db.get<{ is_occupying: number }>(sql, job.attempt_key);
  if (attempt?.is_occupying === 0) return;
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

function applyFields(tx: Transaction, job: JobRow, next: JobChanges): void {
  const after = { ...job, ...next };
  const isCommandChanged =
    (after.command !== job.command || after.invocation_script !== job.invocation_script) &&
    tx.db.get(
      'SELECT 1 FROM attempts WHERE workflow_key = ? AND job_key = ? LIMIT 1',
      job.workflow_key,
      job.job_key,
    ) !== undefined;
  tx.db.run(
    `UPDATE jobs SET name = ?, command = ?, invocation_script = ?, priority = ?, cancel_on_blocking_job_failure = ?,
       supports_termination = ?, task_failure_is_success = ?,
       is_command_changed = max(is_command_changed, ?) WHERE job_key = ?`,
    after.name,
    after.command,
    after.invocation_script,
    after.priority,
    Number(after.cancel_on_blocking_job_failure),
    Number(after.supports_termination),
    Number(after.task_failure_is_success),
    isCommandChanged ? 1 : 0,
    job.job_key,
  );
}

function changedNeed(need: Requirements, changes: ResourceChanges): Requirements {
  const { memory_bytes: memoryBytes, runtime_ms: runtimeMs } = changes;
  return {
    ...need,
    numCpus: changes.num_cpus ?? need.numCpus,
    gpuThousandths: changes.gpu_thousandths ?? need.gpuThousandths,
    ...(memoryBytes === undefined ? {} : { memoryBytes, isMemoryStated: true }),
    ...(runtimeMs === undefined
      ? {}
      : { runtimeMs: runtimeMs ?? specDefaults.runtimeMs, isRuntimeStated: runtimeMs !== null }),
  };
}

/** Named by the columns of the lists; memory and runtime that were not stated are null. */
function resourceDifferences(before: Requirements, after: Requirements): ChangedField[] {
  const values = (need: Requirements) => ({
    num_cpus: need.numCpus,
    memory_bytes: need.isMemoryStated ? need.memoryBytes : null,
    num_gpus: need.gpuThousandths / 1000,
    runtime_seconds: need.isRuntimeStated ? need.runtimeMs / 1000 : null,
  });
  const [old, now] = [values(before), values(after)];
  return (['num_cpus', 'memory_bytes', 'num_gpus', 'runtime_seconds'] as const)
    .filter((field) => old[field] !== now[field])
    .map((field) => ({ field, old_value: old[field], new_value: now[field] }));
}

function requirementsName(tx: Transaction, job: JobRow): string | null {
  const sql = 'SELECT name FROM resource_requirements WHERE resource_requirements_key = ?';
  return tx.db.get<{ name: string | null }>(sql, job.resource_requirements_key)?.name ?? null;
}

/** Requirements without a name belong to a single job. */
function giveOwnRequirements(tx: Transaction, job: JobRow, need: Requirements): void {
  const shapeKey = addShape(tx, job.workflow_key, plainRequest(need));
  if (job.resource_requirements_key !== null && requirementsName(tx, job) === null) {
    setRequirementsShape(tx, job.resource_requirements_key, shapeKey);
    return;
  }
  const sql = 'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, NULL, ?)';
  const { key } = tx.db.run(sql, job.workflow_key, shapeKey);
  tx.db.run('UPDATE jobs SET resource_requirements_key = ? WHERE job_key = ?', key, job.job_key);
}

function setShape(tx: Transaction, job: JobRow, request: JobRequest): void {
  const shapeKey = addShape(tx, job.workflow_key, request);
  if (shapeKey !== job.shape_key) tx.db.run('UPDATE jobs SET shape_key = ? WHERE job_key = ?', shapeKey, job.job_key);
}

function setRequirementsShape(tx: Transaction, requirementsKey: number, shapeKey: number): void {
  const sql = 'UPDATE resource_requirements SET shape_key = ? WHERE resource_requirements_key = ?';
  tx.db.run(sql, shapeKey, requirementsKey);
}

export interface ModifiedRequirements {
  workflowKey: number;
  name: string;
  /** How many jobs use them. */
  numJobs: number;
  changes: ChangedField[];
}

/** Changes named requirements, in a dry run only returns how; `followRequirements` then updates their jobs. */
export function modifyRequirements(
  tx: Transaction,
  request: Request<'resource_requirements_modify'>,
): ModifiedRequirements {
  const requirementsKey = Number(request.resource_requirements_key);
  const row = tx.db.get<{ workflow_key: number; name: string; shape_key: number }>(
    'SELECT workflow_key, name, shape_key FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NOT NULL',
    requirementsKey,
  );
  if (row === undefined) {
    throw new TorcError(
      'not_found',
      `there are no resource requirements ${requirementsKey}`,
      'torc resource-requirements list',
    );
  }
  const { workflow_key: workflowKey, name } = row;
  getWorkflow(tx, workflowKey);
  const need = readShape(tx, row.shape_key);
  const nextNeed = changedNeed(need, request.changes);
  const changes = resourceDifferences(need, nextNeed);
  const users = tx.db.get<{ n: number }>(
    'SELECT count(*) AS n FROM jobs WHERE workflow_key = ? AND resource_requirements_key = ?',
    workflowKey,
    requirementsKey,
  );
  const numJobs = users?.n ?? 0;
  if (changes.length > 0 && !request.dry_run) {
    setRequirementsShape(tx, requirementsKey, addShape(tx, workflowKey, plainRequest(nextNeed)));
    const data = { resource_requirements_key: request.resource_requirements_key, name, num_jobs: numJobs, changes };
    tx.event({ workflowKey, type: 'resource_requirements_modified', data });
  }
  return { workflowKey, name, numJobs, changes };
}

/**
 * The steps that give jobs the shape of their requirements, each for the workers of its own Slurm config. Attempts keep
 * the resources that they were claimed with.
 */
export function followRequirements(workflowKey: number, requirementsKey: number): Step {
  let cursor = 0;
  return (tx) => {
    const last = lastKeyOfStep(tx, workflowKey, cursor);
    const need = needOf(tx, requirementsKey);
    for (const way of waysToStart(tx, workflowKey)) {
      tx.db.run(
        `UPDATE jobs SET shape_key = ?
         WHERE workflow_key = ? AND job_key > ? AND job_key <= ? AND resource_requirements_key = ?
           AND shape_key IN (SELECT shape_key FROM shapes
             WHERE workflow_key = ? AND slurm_config_key = ? AND supports_termination = ? AND labels = ?)`,
        addShape(tx, workflowKey, { ...way, need }),
        workflowKey,
        cursor,
        last ?? Number.MAX_SAFE_INTEGER,
        requirementsKey,
        workflowKey,
        way.slurmConfigKey,
        way.supportsTermination ? 1 : 0,
        way.labels,
      );
    }
    forgetReadyJobs(tx, workflowKey);
    cursor = last ?? cursor;
    if (last === null) tx.tell({ kind: 'jobs_ready', workflowKey });
    return last === null;
  };
}
