/** Adding files and resource requirements to a stored workflow one by one. */

import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { defaultRequirements } from '../../model/job.ts';
import { neededResources } from '../../model/named-resources.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { refuseUsed } from '../running/declared-uses.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { findShape, needOf, plainRequest } from '../running/shapes.ts';
import { getWorkflow } from '../running/workflows.ts';
import { refuseRunning } from './job-modification.ts';
import { findJob } from './job-rows.ts';
import { checkedNeed, refuseFromData } from './requirements-modification.ts';
import { fileWithPath } from './same-path.ts';

/** Adds a file that no job reads or writes yet; throws 'conflict' when its name is taken, or its path has a name. */
export function addFile(tx: Transaction, { workflow_key, name, path }: Request<'file_add'>): number {
  const { workflowKey } = getWorkflow(tx, Number(workflow_key));
  const taken = tx.db.get<{ file_key: number }>(
    'SELECT file_key FROM files WHERE workflow_key = ? AND name = ?',
    workflowKey,
    name,
  );
  if (taken !== undefined) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} already has a file ${quoted(name)} (key ${taken.file_key})`,
      'Choose another name.',
    );
  }
  refuseSamePath(tx, workflowKey, path);
  const { key } = tx.db.run('INSERT INTO files (workflow_key, name, path) VALUES (?, ?, ?)', workflowKey, name, path);
  tx.event({ workflowKey, type: 'file_added', data: { file_key: String(key), name, path } });
  return key;
}

const deleteJobsHint = 'Delete these jobs first, with torc jobs delete.';

/** A file is its path: under two names it would have two writers, or a reader that waits for none. */
function refuseSamePath(tx: Transaction, workflowKey: number, path: string): void {
  const same = fileWithPath(tx, workflowKey, path);
  if (same === undefined) return;
  throw new TorcError(
    'conflict',
    `workflow ${workflowKey} already has a file with the path ${quoted(path)}: ${quoted(same.name)}`,
    'Use that name: a file is its path.',
  );
}

/** Deletes the record of a file that no job reads or writes; throws 'conflict' naming the jobs that do. Returns its name. */
export function deleteFile(tx: Transaction, fileKey: number): string {
  const file = tx.db.get<{ workflow_key: number; name: string }>(
    'SELECT workflow_key, name FROM files WHERE file_key = ?',
    fileKey,
  );
  if (file === undefined) throw new TorcError('not_found', `there is no file ${fileKey}`, 'torc files list');
  const { workflowKey } = getWorkflow(tx, file.workflow_key);
  const { name } = file;
  refuseUsed(
    tx,
    { what: `file ${quoted(name)}`, table: 'job_files', column: 'file_key', key: fileKey },
    deleteJobsHint,
  );
  tx.db.run('DELETE FROM files WHERE file_key = ?', fileKey);
  tx.event({ workflowKey, type: 'file_deleted', data: { file_key: String(fileKey), name } });
  return name;
}

/** Adds requirements that no job has yet; throws 'conflict' when their name is taken. */
export function addRequirements(tx: Transaction, request: Request<'resource_requirements_add'>): number {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const { name } = request;
  const taken = tx.db.get<{ key: number }>(
    'SELECT resource_requirements_key AS key FROM resource_requirements WHERE workflow_key = ? AND name = ?',
    workflowKey,
    name,
  );
  if (taken !== undefined) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} already has resource requirements ${quoted(name)} (key ${taken.key})`,
      `torc -k ${workflowKey} resource-requirements modify ${taken.key}`,
    );
  }
  const shapeKey = addShape(
    tx,
    workflowKey,
    plainRequest(
      checkedNeed({
        numCpus: request.num_cpus,
        memoryBytes: request.memory_bytes ?? defaultRequirements.memoryBytes,
        gpuThousandths: request.gpu_thousandths,
        numNodes: request.num_nodes,
        runtimeMs: request.runtime_ms ?? defaultRequirements.runtimeMs,
        isMemoryStated: request.memory_bytes !== null,
        isRuntimeStated: request.runtime_ms !== null,
        ...(request.expected_runtime_ms == null ? {} : { expectedMs: request.expected_runtime_ms }),
        ...neededResources(request.resources),
      }),
    ),
  );
  const { key } = tx.db.run(
    'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, ?, ?)',
    workflowKey,
    name,
    shapeKey,
  );
  tx.event({
    workflowKey,
    type: 'resource_requirements_added',
    data: { resource_requirements_key: String(key), name },
  });
  return key;
}

/**
 * Gives requirements to jobs that are not running, to all or none; each job stays with the workers of its own Slurm
 * config.
 */
export function assignRequirements(
  tx: Transaction,
  request: Request<'resource_requirements_assign'>,
): Reply<'resource_requirements_assign'> {
  const requirementsKey = Number(request.resource_requirements_key);
  const row = tx.db.get<{ workflow_key: number; name: string }>(
    'SELECT workflow_key, name FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NOT NULL',
    requirementsKey,
  );
  if (row === undefined) {
    const message = `there are no resource requirements ${requirementsKey}`;
    throw new TorcError('not_found', message, 'torc resource-requirements list');
  }
  const { workflowKey } = getWorkflow(tx, row.workflow_key);
  const jobKeys = [...new Set(request.job_keys.map(Number))];
  refuseFromData(tx, requirementsKey, row.name);
  const need = needOf(tx, requirementsKey);
  for (const jobKey of jobKeys) {
    const job = findJob(tx, jobKey);
    if (job?.workflow_key !== workflowKey) {
      throw new TorcError(
        'not_found',
        `workflow ${workflowKey} has no job ${jobKey}`,
        `torc -k ${workflowKey} jobs list`,
      );
    }
    refuseRunning(tx, job);
    tx.db.run(
      'UPDATE jobs SET resource_requirements_key = ?, shape_key = ? WHERE job_key = ?',
      requirementsKey,
      addShape(tx, workflowKey, { ...findShape(tx, job.shape_key), need }),
      jobKey,
    );
    forgetReadyJobs(tx, workflowKey);
    tx.db.run(
      'DELETE FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NULL',
      job.resource_requirements_key,
    );
    const data = { resource_requirements_key: String(requirementsKey), name: row.name };
    tx.event({ workflowKey, jobKey, type: 'resource_requirements_assigned', data });
  }
  tx.tell({ kind: 'jobs_ready', workflowKey });
  return {
    resource_requirements_key: String(requirementsKey),
    name: row.name,
    num_jobs: jobKeys.length,
  };
}
