/** A plan for people and programs: every job that changes, why, and the jobs that unexpectedly stay as they are. */
import type { KeptJob, Plan, PlannedChange, RestartPlan } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { isChanged, type JobAims, type Reason, reasons, type Settled, statusCode } from '../../model/decide/restart.ts';
import { type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { type ClaimedJob, type JobLabel, jobLabels } from '../../storage/runs/claimed-jobs.ts';
import type { StoredJobs } from '../../storage/runs/restart.ts';

/** At most this many kept jobs are listed. */
export const mostKept = 1000;

export interface PlanRequest {
  workflow_key: string;
  dry_run: boolean;
  expected_state: string | null;
  skip: number;
}

export interface Made {
  plan: JobAims;
  settled: Settled;
  /** By job number: what changed. */
  changes: ReadonlyMap<number, string>;
  /** By job number: why it runs again, where that is more than its end. */
  whyAgain?: ReadonlyMap<number, string>;
}

/** `isShown`: whether a job belongs to the plan; by default the jobs that change. */
export function renderPlan(
  tx: Transaction,
  request: PlanRequest,
  state: string,
  jobs: StoredJobs,
  made: Made,
  isShown: (job: number) => boolean = (job) => isChanged(jobs, made.settled, job),
): Plan {
  const page: number[] = [];
  let numChanges = 0;
  for (let job = 0; job < jobs.numJobs; job++) {
    if (!isShown(job)) continue;
    if (numChanges >= request.skip && page.length < limits.planPage) page.push(job);
    numChanges += 1;
  }
  const keys = page.flatMap((job) => {
    const origin = made.plan.origin[job] as number;
    return origin < 0 ? [jobs.keys[job] as number] : [jobs.keys[job] as number, jobs.keys[origin] as number];
  });
  const labels = jobLabels(tx, [...new Set(keys)]);
  return {
    dry_run: request.dry_run,
    workflow_key: request.workflow_key,
    state,
    changes: page.map((job) => renderChange(jobs, made, labels, job)),
    num_changes: numChanges,
  };
}

function renderChange(jobs: StoredJobs, made: Made, labels: ReadonlyMap<number, JobLabel>, job: number): PlannedChange {
  const label = labels.get(jobs.keys[job] as number) as JobLabel;
  return {
    job_key: String(jobs.keys[job]),
    job_name: label.name,
    old_status: jobStatuses[jobs.status[job] as number] as JobStatus,
    new_status: jobStatuses[made.settled.status[job] as number] as JobStatus,
    reason: reasonText(jobs, made, labels, job, label),
    diagnosis: label.diagnosis,
  };
}

function reasonText(
  jobs: StoredJobs,
  { plan, settled, changes, whyAgain }: Made,
  labels: ReadonlyMap<number, JobLabel>,
  job: number,
  label: JobLabel,
): string {
  const words = whyAgain?.get(job);
  if (words !== undefined) return words;
  const reason = reasons[plan.reason[job] as number] as Reason;
  switch (reason) {
    case 'changed':
      return changes.get(job) ?? 'changed';
    case 'behind': {
      const originKey = jobs.keys[plan.origin[job] as number] as number;
      return `downstream of ${labels.get(originKey)?.name ?? ''} (job ${originKey})`;
    }
    case 'lost':
      return label.cause === null ? 'given up' : `lost: ${causeWords(label.cause)}`;
    case 'terminated':
      return label.cause === null ? 'was stopped' : `was stopped: ${causeWords(label.cause)}`;
    case 'canceled':
      return 'was canceled';
    case 'uninitialized':
      return settled.status[job] === statusCode.canceled ? 'an upstream job has failed' : 'has not run since its reset';
    case 'waiting':
      return settled.status[job] === statusCode.ready ? 'no longer waits for anything' : 'an upstream job runs again';
    case 'marked':
      return label.returnCode === null ? 'marked as done' : `marked as done after ${returnCodeWords(label)}`;
    case 'never_ran':
      return 'has not run';
    case 'failed':
    case 'named':
      return label.returnCode !== null && label.returnCode !== 0 ? returnCodeWords(label) : 'selected';
    default:
      return 'no longer waits for anything';
  }
}

function returnCodeWords({ returnCode, detail }: JobLabel): string {
  return `return code ${returnCode}${detail === null ? '' : ` (${detail})`}`;
}

/** How many jobs are done, and how many of them run again because a declared file is gone, theirs or of a job upstream. */
export function rerunForMissingFiles(jobs: StoredJobs, { plan, settled, changes }: Made): RestartPlan['missing_files'] {
  let [num_rerun, num_done] = [0, 0];
  for (let job = 0; job < jobs.numJobs; job++) {
    if (jobs.status[job] !== statusCode.done) continue;
    num_done += 1;
    if (settled.status[job] === statusCode.done) continue;
    const origin = reasons[plan.reason[job] as number] === 'behind' ? (plan.origin[job] as number) : job;
    if (changes.get(origin)?.endsWith(' is missing') === true) num_rerun += 1;
  }
  return { num_rerun, num_done };
}

/** A cause in words. */
function causeWords(cause: string): string {
  return cause === 'oom' ? 'out of memory' : cause.replaceAll('_', ' ');
}

interface Kept {
  plan: JobAims;
  settled: Settled;
  /** Those that keep running. */
  claimed: readonly ClaimedJob[];
  /** By job number: why it stays, beyond how it ended. */
  notes: ReadonlyMap<number, string>;
}

/** Jobs that a person may expect to run and that do not: canceled, failed or running ones. */
export function keptJobs(
  tx: Transaction,
  jobs: StoredJobs,
  { plan, settled, claimed, notes }: Kept,
): { kept: KeptJob[]; num_kept: number } {
  const found: { job: number; because: number }[] = [];
  let numKept = claimed.length;
  for (let job = 0; job < jobs.numJobs; job++) {
    if (settled.status[job] !== jobs.status[job]) continue;
    const isCanceled = settled.status[job] === statusCode.canceled && plan.aim[job] !== 0;
    const isFailed = settled.status[job] === statusCode.done && jobs.failed[job] === 1;
    if (!isCanceled && !isFailed && !notes.has(job)) continue;
    numKept += 1;
    if (found.length < mostKept)
      found.push({ job, because: isCanceled ? (settled.failedUpstream[job] as number) : job });
  }
  const keyOf = (job: number): number => jobs.keys[job] as number;
  const labels = jobLabels(tx, [...new Set(found.flatMap(({ job, because }) => [keyOf(job), keyOf(because)]))]);
  const describe = (job: number): string => {
    const label = labels.get(keyOf(job));
    return label?.returnCode == null ? 'is canceled' : `failed with ${returnCodeWords(label)}`;
  };
  const kept = found.map(
    ({ job, because }): KeptJob => ({
      job_key: String(keyOf(job)),
      job_name: labels.get(keyOf(job))?.name ?? '',
      status: jobStatuses[settled.status[job] as number] as JobStatus,
      reason:
        notes.get(job) ??
        (job === because
          ? `${describe(job)}: torc jobs reset-status ${keyOf(job)}`
          : `${labels.get(keyOf(because))?.name} ${describe(because)}: torc jobs reset-status ${keyOf(because)}`),
    }),
  );
  const running = claimed.map((job) => ({
    job_key: String(job.jobKey),
    job_name: job.jobName,
    status: job.status,
    reason: `keeps running on ${job.hostname}`,
  }));
  return { kept: [...running, ...kept].slice(0, mostKept), num_kept: numKept };
}
