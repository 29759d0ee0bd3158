/** Clone and rerun: a new workflow with the jobs of another. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { aims, planRerun, settle } from '../../model/decide/restart.ts';
import { ownerOf } from '../../storage/authoring/owner.ts';
import { type Copy, copyWorkflow as storeCopy } from '../../storage/authoring/workflow-copy.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { findChanges } from '../../storage/running/input-versions.ts';
import { getWorkflow, type Workflow } from '../../storage/running/workflows.ts';
import { loadJobs } from '../../storage/runs/restart.ts';
import { renderPlan } from './rendering.ts';

type CopyReply = Reply<'workflow_copy'>;

export function copyWorkflow(tx: Transaction, request: Request<'workflow_copy'>): CopyReply {
  const source = getWorkflow(tx, Number(request.workflow_key));
  const work = () => (request.how === 'clone' ? clone(tx, request, source) : rerun(tx, request, source));
  return request.dry_run ? tx.rehearse(work) : work();
}

function clone(tx: Transaction, request: Request<'workflow_copy'>, source: Workflow): CopyReply {
  const { name } = request;
  const user = ownerOf(tx.person, request.user);
  const copy = storeCopy(tx, { source: source.workflowKey, name, user, fresh: 'all' });
  return { ...facts(request, source, copy), parent_workflow_key: null, changes: [], num_changes: 0 };
}

function rerun(tx: Transaction, request: Request<'workflow_copy'>, source: Workflow): CopyReply {
  refuseUnended(source);
  const { workflowKey } = source;
  const jobs = loadJobs(tx, workflowKey);
  // files are compared by the restarts of the copy, which has their states too
  const outdated = findChanges(tx, workflowKey, new Map());
  const changes = new Map([...outdated].map(([jobKey, change]) => [jobs.numberOf(jobKey) as number, change]));
  const plan = planRerun(jobs, changes.keys());
  const isFresh = (job: number): boolean => plan.aim[job] !== aims.keep;
  const fresh = [...jobs.keys].filter((_, job) => isFresh(job));
  if (fresh.length === 0) {
    throw new TorcError(
      'already_complete',
      `every job of workflow ${workflowKey} has succeeded: there is nothing to rerun`,
      `To run all of them again in a new workflow: torc workflows clone ${workflowKey}`,
    );
  }
  const user = ownerOf(tx.person, request.user);
  const copy = storeCopy(tx, { source: workflowKey, name: request.name, user, fresh });
  const made = { plan, settled: settle(jobs, plan), changes };
  const page = { workflow_key: request.workflow_key, dry_run: request.dry_run, expected_state: null, skip: 0 };
  const rendered = renderPlan(tx, page, '', jobs, made, isFresh);
  return {
    ...facts(request, source, copy),
    parent_workflow_key: request.workflow_key,
    changes: rendered.changes,
    num_changes: rendered.num_changes,
  };
}

function facts({ dry_run, workflow_key, name }: Request<'workflow_copy'>, source: Workflow, copy: Copy) {
  return {
    dry_run,
    workflow_key: dry_run ? null : String(copy.workflowKey),
    name: name ?? source.name,
    source_workflow_key: workflow_key,
    num_jobs: copy.numJobs,
    num_inherited: copy.numInherited,
    num_files: copy.numFiles,
    num_user_data: copy.numUserData,
  };
}

/** What has not ended has no counts that could stay as they are. */
function refuseUnended({ workflowKey, phase, runId, hasEnded }: Workflow): void {
  if (hasEnded) return;
  if (phase !== 'started') {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} has not run, so there is nothing to rerun`,
      `torc workflows start ${workflowKey}, or torc workflows clone ${workflowKey} for a copy`,
    );
  }
  throw new TorcError(
    'conflict',
    `run ${runId} of workflow ${workflowKey} has not ended`,
    `Wait until it has, or end it: torc workflows cancel ${workflowKey}`,
  );
}
