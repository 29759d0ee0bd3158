/** Reset and disable: both change named jobs and everything downstream of them. */
import type { Plan, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type JobAims, planDisable, planReset, settle } from '../../model/decide/restart.ts';
import type { Mover } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { applyEvidence } from '../../storage/evidence/apply.ts';
import type { Evidence } from '../../storage/evidence/evidence.ts';
import { claimedJobs } from '../../storage/runs/claimed-jobs.ts';
import { applySettled, loadJobs, type StoredJobs } from '../../storage/runs/restart.ts';
import type { ServerContext } from '../context.ts';
import { evidenceOfWorkflow, named, planned } from './planning.ts';
import { type PlanRequest, renderPlan } from './rendering.ts';

export async function prepareReset(
  context: ServerContext,
  request: Request<'jobs_reset'>,
): Promise<(tx: Transaction) => Plan> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) => reset(tx, request, evidence);
}

export function reset(tx: Transaction, request: Request<'jobs_reset'>, evidence: Evidence): Plan {
  return planNamed(tx, request, evidence, 'reset', (jobs) => planReset(jobs, seedsOf(jobs, request.which)));
}

export async function prepareDisable(
  context: ServerContext,
  request: Request<'jobs_disable'>,
): Promise<(tx: Transaction) => Plan> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) =>
    planNamed(tx, request, evidence, 'disable', (jobs) => planDisable(jobs, seedsOf(jobs, request.job_keys)));
}

function seedsOf(jobs: StoredJobs, which: Request<'jobs_reset'>['which']): number[] {
  if (which === 'all') return Array.from({ length: jobs.numJobs }, (_, job) => job);
  if (which === 'failed') return [...jobs.failed.keys()].filter((job) => jobs.failed[job] === 1);
  return [...new Set(which)].map((key) => {
    const job = jobs.numberOf(Number(key));
    if (job !== undefined) return job;
    throw new TorcError('not_found', `workflow ${jobs.workflowKey} has no job ${key}`, 'torc jobs list');
  });
}

function planNamed(
  tx: Transaction,
  request: PlanRequest,
  evidence: Evidence,
  by: Mover,
  plan: (jobs: StoredJobs) => JobAims,
): Plan {
  return planned(tx, request, (workflow, state) => {
    applyEvidence(tx, evidence);
    const jobs = loadJobs(tx, workflow.workflowKey);
    const aims = plan(jobs);
    const settled = settle(jobs, aims);
    const alive = claimedJobs(tx, workflow.workflowKey).filter((job) => {
      const number = jobs.numberOf(job.jobKey) as number;
      return settled.status[number] !== jobs.status[number] && job.process !== 'gone';
    });
    if (alive.length > 0) {
      throw new TorcError(
        'conflict',
        `a job that a worker has claimed cannot be ${by === 'reset' ? 'reset' : 'disabled'}: ${named(alive)}`,
        `Wait until it ends, or cancel it: torc workflows cancel ${request.workflow_key}`,
      );
    }
    const rendered = renderPlan(tx, request, state, jobs, { plan: aims, settled, changes: new Map() });
    if (!request.dry_run) {
      applySettled(tx, jobs, settled, by);
      tx.event({
        workflowKey: workflow.workflowKey,
        type: by === 'reset' ? 'jobs_reset' : 'jobs_disabled',
        data: { num_changes: rendered.num_changes },
      });
    }
    return rendered;
  });
}
