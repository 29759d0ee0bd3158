/** Reset, disable and mark: each changes named jobs and what is downstream of them. */
import type { Plan, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import {
  aims,
  type JobAims,
  planDisable,
  planMark,
  planReset,
  type Settled,
  settle,
  statusCode,
} from '../../model/decide/restart.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { applyEvidence } from '../../storage/evidence/apply.ts';
import type { Evidence } from '../../storage/evidence/evidence.ts';
import { claimedJobs } from '../../storage/runs/claimed-jobs.ts';
import { applyMarks, canceledByFailure } from '../../storage/runs/marks.ts';
import { applySettled, loadJobs, type StoredJobs } from '../../storage/runs/restart.ts';
import type { ServerContext } from '../context.ts';
import { chosenJobs } from './chosen-jobs.ts';
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
  return planNamed(tx, request, evidence, {
    by: 'reset',
    plan: (jobs) => planReset(jobs, resetSeeds(tx, jobs, request)),
  });
}

export async function prepareDisable(
  context: ServerContext,
  request: Request<'jobs_disable'>,
): Promise<(tx: Transaction) => Plan> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) => {
    const plan = (jobs: StoredJobs) => planDisable(jobs, chosenSeeds(tx, jobs, request));
    return planNamed(tx, request, evidence, { by: 'disable', plan });
  };
}

/** A person says that jobs are done; no process runs, and their downstream jobs go on. */
export async function prepareMark(
  context: ServerContext,
  request: Request<'jobs_mark_done'>,
): Promise<(tx: Transaction) => Plan> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) =>
    planNamed(tx, request, evidence, {
      by: 'mark',
      plan: (jobs) => planMark(jobs, chosenSeeds(tx, jobs, request), canceledByFailure(tx, jobs)),
      apply: (jobs, { aim }, settled) => {
        const marked = [...aim.keys()].filter((job) => aim[job] === aims.done);
        applyMarks(tx, jobs, settled, marked);
      },
    });
}

function resetSeeds(tx: Transaction, jobs: StoredJobs, { which, job_names }: Request<'jobs_reset'>): number[] {
  if (which === 'all') return Array.from({ length: jobs.numJobs }, (_, job) => job);
  if (which === 'failed') return [...jobs.failed.keys()].filter((job) => jobs.failed[job] === 1);
  if (which === 'unfinished') {
    const { done, disabled } = statusCode;
    const stays = (job: number) =>
      jobs.status[job] === disabled || (jobs.status[job] === done && jobs.failed[job] === 0);
    return [...jobs.status.keys()].filter((job) => !stays(job));
  }
  return chosenSeeds(tx, jobs, { job_keys: which, job_names });
}

function chosenSeeds(tx: Transaction, jobs: StoredJobs, choice: Parameters<typeof chosenJobs>[2]): number[] {
  return chosenJobs(tx, jobs.workflowKey, choice).map((key) => {
    const job = jobs.numberOf(key);
    if (job !== undefined) return job;
    throw new TorcError('not_found', `workflow ${jobs.workflowKey} has no job ${key}`, 'torc jobs list');
  });
}

interface NamedChange {
  by: 'reset' | 'disable' | 'mark';
  plan: (jobs: StoredJobs) => JobAims;
  /** Writes what the plan settled, where that is more than the moves. */
  apply?: (jobs: StoredJobs, aims: JobAims, settled: Settled) => void;
}

/** How each change is named: what is done to a job, and the event. */
const words = {
  reset: { done: 'reset', event: 'jobs_reset' },
  disable: { done: 'disabled', event: 'jobs_disabled' },
  mark: { done: 'marked as done', event: 'jobs_marked' },
} as const;

function planNamed(tx: Transaction, request: PlanRequest, evidence: Evidence, { by, plan, apply }: NamedChange): Plan {
  return planned(tx, request, (workflow, state) => {
    applyEvidence(tx, evidence);
    const jobs = loadJobs(tx, workflow.workflowKey);
    const chosen = plan(jobs);
    const settled = settle(jobs, chosen);
    const alive = claimedJobs(tx, workflow.workflowKey).filter((job) => {
      const number = jobs.numberOf(job.jobKey) as number;
      return settled.status[number] !== jobs.status[number] && job.process !== 'gone';
    });
    if (alive.length > 0) {
      throw new TorcError(
        'conflict',
        `a job that a worker has claimed cannot be ${words[by].done}: ${named(alive)}`,
        `Wait until it ends, or cancel it: torc workflows cancel ${request.workflow_key}`,
      );
    }
    const rendered = renderPlan(tx, request, state, jobs, { plan: chosen, settled, changes: new Map() });
    if (!request.dry_run) {
      if (apply === undefined) applySettled(tx, jobs, settled, by);
      else apply(jobs, chosen, settled);
      tx.event({
        workflowKey: workflow.workflowKey,
        type: words[by].event,
        data: { num_changes: rendered.num_changes },
      });
    }
    return rendered;
  });
}
