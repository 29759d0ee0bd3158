/** Why claimed jobs have no result. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { applyEvidence } from '../../storage/evidence/apply.ts';
import { diagnoseAttempts } from '../../storage/evidence/diagnoses.ts';
import { claimedJobs, jobLabels } from '../../storage/runs/claimed-jobs.ts';
import type { ServerContext } from '../context.ts';
import { evidenceOfWorkflow } from './planning.ts';

/** Gathers evidence, stores it, and explains each claimed job with it. */
export async function prepareDiagnosis(
  context: ServerContext,
  request: Request<'jobs_diagnose'>,
): Promise<(tx: Transaction) => Reply<'jobs_diagnose'>> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) => {
    applyEvidence(tx, evidence);
    const { workflow_key: workflowKey, job_keys: keys } = request;
    if (keys !== null) refuseUnknown(tx, workflowKey, keys);
    const asked = keys === null ? null : new Set(keys.map(Number));
    const claimed = claimedJobs(tx, Number(workflowKey)).filter((job) => asked === null || asked.has(job.jobKey));
    const diagnoses = diagnoseAttempts(
      tx,
      claimed.map((job) => job.attemptKey),
      evidence,
    );
    return {
      jobs: claimed.flatMap((job) => {
        const diagnosis = diagnoses.get(job.attemptKey);
        if (diagnosis === undefined) return [];
        const { runId: run_id, attemptId: attempt_id, status } = job;
        return [{ job_key: String(job.jobKey), job_name: job.jobName, status, run_id, attempt_id, diagnosis }];
      }),
    };
  };
}

function refuseUnknown(tx: Transaction, workflowKey: string, keys: readonly string[]): void {
  const known = jobLabels(tx, keys.map(Number));
  const unknown = keys.find((key) => !known.has(Number(key)));
  if (unknown === undefined) return;
  throw new TorcError('not_found', `workflow ${workflowKey} has no job ${unknown}`, 'torc jobs list');
}
