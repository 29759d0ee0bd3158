/** Jobs and what they are declared with: requirements, files, user data. */
import type { Reply, Request } from '../../api/contract.ts';
import { addChildren } from '../../storage/authoring/children.ts';
import { addFile, addRequirements, deleteFile } from '../../storage/authoring/declarations.ts';
import { addJobs } from '../../storage/authoring/job-addition.ts';
import { modifyJob } from '../../storage/authoring/job-modification.ts';
import { followRequirements, modifyRequirements } from '../../storage/authoring/requirements-modification.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { readDemand } from '../../storage/demand/demand.ts';
import { readFailedOutputs } from '../../storage/lists/failed-outputs.ts';
import { readOutputs } from '../../storage/lists/job-outputs.ts';
import { jobStory } from '../../storage/lists/job-story.ts';
import { addUserData, deleteUserData, modifyUserData } from '../../storage/running/user-data.ts';
import type { ServerContext } from '../context.ts';
import type { Steps } from './kinds.ts';

export function showJob({ view, lastHeard }: ServerContext, { job_key }: Request<'job_show'>): Reply<'job_show'> {
  return jobStory(view, Number(job_key), lastHeard.isServing);
}

export function findOutputs({ view }: ServerContext, request: Request<'jobs_outputs'>): Reply<'jobs_outputs'> {
  return readOutputs(view, request);
}

export function findFailedOutputs(
  { view }: ServerContext,
  request: Request<'failed_outputs'>,
): Reply<'failed_outputs'> {
  return readFailedOutputs(view, request);
}

export function showDemand(
  { view, lastHeard, usualRuntimeMs }: ServerContext,
  request: Request<'demand'>,
): Reply<'demand'> {
  return readDemand(view, request, { isServed: lastHeard.isServing, usualRuntime: usualRuntimeMs });
}

export function addJobsTo(tx: Transaction, request: Request<'jobs_add'>): Reply<'jobs_add'> {
  return { workflow_key: request.workflow_key, jobs: addJobs(tx, request) };
}

export function addChildrenOf(tx: Transaction, request: Request<'jobs_add_children'>): Reply<'jobs_add_children'> {
  return request.dry_run ? tx.rehearse(() => addChildren(tx, request)) : addChildren(tx, request);
}

export function changeJob(tx: Transaction, request: Request<'job_modify'>): Reply<'job_modify'> {
  const { name, changes } = modifyJob(tx, request);
  return { dry_run: request.dry_run, job_key: request.job_key, job_name: name, changes };
}

export function createRequirements(
  tx: Transaction,
  request: Request<'resource_requirements_add'>,
): Reply<'resource_requirements_add'> {
  return { resource_requirements_key: String(addRequirements(tx, request)) };
}

export function changeRequirements(
  tx: Transaction,
  request: Request<'resource_requirements_modify'>,
): Steps<'resource_requirements_modify'> {
  const { resource_requirements_key, dry_run } = request;
  const { workflowKey, name, numJobs, changes } = modifyRequirements(tx, request);
  return {
    // also without changes: an earlier call may have been interrupted
    step: dry_run ? null : followRequirements(workflowKey, Number(resource_requirements_key)),
    reply: { dry_run, resource_requirements_key, name, num_jobs: numJobs, changes },
  };
}

export function createFile(tx: Transaction, request: Request<'file_add'>): Reply<'file_add'> {
  return { file_key: String(addFile(tx, request)) };
}

export function removeFile(tx: Transaction, { file_key }: Request<'file_delete'>): Reply<'file_delete'> {
  return { file_key, name: deleteFile(tx, Number(file_key)) };
}

export function createUserData(tx: Transaction, request: Request<'user_data_add'>): Reply<'user_data_add'> {
  return { user_data_key: String(addUserData(tx, request)) };
}

export function changeUserData(tx: Transaction, request: Request<'user_data_modify'>): Reply<'user_data_modify'> {
  const { name, isChanged, version } = modifyUserData(tx, request);
  return { user_data_key: request.user_data_key, name, is_changed: isChanged, version };
}

export function removeUserData(
  tx: Transaction,
  { user_data_key }: Request<'user_data_delete'>,
): Reply<'user_data_delete'> {
  return { user_data_key, name: deleteUserData(tx, Number(user_data_key)) };
}
