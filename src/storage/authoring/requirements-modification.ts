/** Changing resource requirements after the workflow was created. */
import type { ChangedField, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import type { Requirements } from '../../model/job.ts';
import { amountsIn, neededResources, noResources } from '../../model/named-resources.ts';
import { quoted } from '../../model/spec/names.ts';
import { lastKeyOfStep, type Step } from '../database/steps.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { fromDataOf } from '../running/needs-from-data.ts';
import { setRequirementsShape } from '../running/own-requirements.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { needOf, plainRequest, readShape, waysToStart } from '../running/shapes.ts';
import { getWorkflow } from '../running/workflows.ts';

type ResourceChanges = Request<'resource_requirements_modify'>['changes'];

/** What is asked for after the changes. */
export function changedNeed(need: Requirements, changes: ResourceChanges): Requirements {
  const { memory_bytes: memoryBytes, runtime_ms: runtimeMs } = changes;
  const { expectedMs: before, resources, ...others } = need;
  const expectedMs = changes.expected_runtime_ms === undefined ? before : changes.expected_runtime_ms;
  return checkedNeed({
    ...others,
    numCpus: changes.num_cpus ?? need.numCpus,
    gpuThousandths: changes.gpu_thousandths ?? need.gpuThousandths,
    ...(memoryBytes === undefined ? {} : { memoryBytes, isMemoryStated: true }),
    ...(runtimeMs === undefined
      ? {}
      : { runtimeMs: runtimeMs ?? specDefaults.runtimeMs, isRuntimeStated: runtimeMs !== null }),
    ...(expectedMs == null ? {} : { expectedMs }),
    ...neededResources(changes.resources ?? amountsIn(resources ?? noResources)),
  });
}

/** Throws TorcError 'usage' for a job that would be stopped before it is expected to end. */
export function checkedNeed(need: Requirements): Requirements {
  const { expectedMs = 0, isRuntimeStated, runtimeMs } = need;
  if (!isRuntimeStated || expectedMs <= runtimeMs) return need;
  throw new TorcError(
    'usage',
    `the expected runtime of ${expectedMs / 1000} s is longer than the runtime of ${runtimeMs / 1000} s, after which the job is stopped`,
    'Give a longer runtime, or a shorter expected one.',
  );
}

/** The fields that differ, named by the columns of the lists; memory and runtime that were not stated are null. */
export function resourceDifferences(before: Requirements, after: Requirements): ChangedField[] {
  const values = (need: Requirements) => ({
    num_cpus: need.numCpus,
    memory_bytes: need.isMemoryStated ? need.memoryBytes : null,
    num_gpus: need.gpuThousandths / 1000,
    num_nodes: need.numNodes,
    runtime_seconds: need.isRuntimeStated ? need.runtimeMs / 1000 : null,
    expected_runtime_seconds: need.expectedMs === undefined ? null : need.expectedMs / 1000,
    resources: need.resources ?? null,
  });
  const [old, now] = [values(before), values(after)];
  const fields = [
    'num_cpus',
    'memory_bytes',
    'num_gpus',
    'num_nodes',
    'runtime_seconds',
    'expected_runtime_seconds',
    'resources',
  ];
  return (fields as (keyof typeof old)[])
    .filter((field) => old[field] !== now[field])
    .map((field) => ({ field, old_value: old[field], new_value: now[field] }));
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
  refuseFromData(tx, requirementsKey, name);
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

/** Throws 'conflict' for requirements of which each job has its own. */
export function refuseFromData(tx: Transaction, requirementsKey: number, name: string): void {
  const fields = Object.keys(fromDataOf(tx, requirementsKey) ?? {});
  if (fields.length === 0) return;
  throw new TorcError(
    'conflict',
    `the resource requirements ${quoted(name)} come from data (${fields.join(', ')}): each job has its own`,
    'Give jobs other ones: torc jobs modify KEYS --memory SIZE',
  );
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
             WHERE workflow_key = ? AND slurm_config_key = ? AND supports_termination = ? AND labels = ?
               AND limits = ?)`,
        addShape(tx, workflowKey, { ...way, need }),
        workflowKey,
        cursor,
        last ?? Number.MAX_SAFE_INTEGER,
        requirementsKey,
        workflowKey,
        way.slurmConfigKey,
        way.supportsTermination ? 1 : 0,
        way.labels,
        way.limits,
      );
    }
    forgetReadyJobs(tx, workflowKey);
    cursor = last ?? cursor;
    if (last === null) tx.tell({ kind: 'jobs_ready', workflowKey });
    return last === null;
  };
}
