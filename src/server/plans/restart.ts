/** Restart: what has changed since the last run, what runs again because of it, and what that run still lacks. */
import type { Reply, Request, RestartPlan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { FileFacts } from '../../model/decide/changes.ts';
import { planRestart, type Settled, settle, statusCode } from '../../model/decide/restart.ts';
import type { JobStatus } from '../../model/status.ts';
import { takeOver } from '../../storage/authoring/take-over.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { wantedNodes } from '../../storage/demand/wanted-nodes.ts';
import { applyEvidence } from '../../storage/evidence/apply.ts';
import type { Evidence } from '../../storage/evidence/evidence.ts';
import {
  clearUserData,
  declaredFiles,
  type EphemeralData,
  ephemeralData,
  findChanges,
  missingInputs,
} from '../../storage/running/input-versions.ts';
import { getWorkflow, type Workflow } from '../../storage/running/workflows.ts';
import { type ClaimedJob, claimedJobs } from '../../storage/runs/claimed-jobs.ts';
import { setPaused } from '../../storage/runs/pauses.ts';
import { keepCanceled } from '../../storage/runs/recovery.ts';
import { applySettled, loadJobs, type StoredJobs } from '../../storage/runs/restart.ts';
import { beginRun, closeRun, setStopping } from '../../storage/runs/runs.ts';
import { sharedOutputs } from '../../storage/runs/start-checks.ts';
import type { ServerContext } from '../context.ts';
import { probeBased } from './file-probe.ts';
import { refuseMissing } from './missing-inputs.ts';
import { evidenceOfWorkflow, planned } from './planning.ts';
import { beginRecovery, noteAutomatic } from './recovery.ts';
import { keptJobs, renderPlan, rerunForMissingFiles } from './rendering.ts';
import { reset } from './reset-disable.ts';
import { isKept, isTakenForDead, refuseRunning } from './running-jobs.ts';

interface RestartFacts {
  files: Map<number, FileFacts>;
  /** Relative paths start here. */
  directory: string;
  evidence: Evidence;
}

/** What a restart checks outside of the database: declared files, workers, allocations. */
async function gatherRestart(context: ServerContext, request: Request<'workflow_restart'>): Promise<RestartFacts> {
  const { workflow_key: key, ignore_missing_data: ignoresMissing, only_uninitialized: ignoresChanges } = request;
  const directory = getWorkflow(context.view, Number(key)).baseDirectory ?? request.working_directory;
  const declared = ignoresMissing && ignoresChanges ? [] : declaredFiles(context.view, Number(key));
  const files = await probeBased(context, { files: declared, directory, workflowKey: key });
  return { files, directory, evidence: await evidenceOfWorkflow(context, request) };
}

export async function prepareRestart(
  context: ServerContext,
  request: Request<'workflow_restart'>,
): Promise<(tx: Transaction) => Reply<'workflow_restart'>> {
  const facts = await gatherRestart(context, request);
  const { after_reset: which } = request;
  if (which === undefined) return (tx) => restart(tx, request, facts, context);
  if (!request.dry_run) throw new TorcError('usage', 'only a dry run can assume anything');
  return (tx) =>
    tx.rehearse(() => {
      reset(
        tx,
        { workflow_key: request.workflow_key, dry_run: false, expected_state: null, skip: 0, which },
        facts.evidence,
      );
      return restart(tx, request, facts, context);
    });
}

function restart(
  tx: Transaction,
  request: Request<'workflow_restart'>,
  facts: RestartFacts,
  { usualRuntimeMs }: Pick<ServerContext, 'usualRuntimeMs'>,
): Reply<'workflow_restart'> {
  return planned(tx, request, (workflow, state) => {
    const { workflowKey } = workflow;
    applyEvidence(tx, facts.evidence);
    const claimed = claimedJobs(tx, workflowKey);
    refuseRunning(claimed, request, tx.now);
    const resumed = resume(tx, workflow, request.resume);
    const jobs = loadJobs(tx, workflowKey);
    const recovering = request.recover === undefined ? null : beginRecovery(tx, workflow, jobs, request.recover);
    const recovered = recovering?.jobs ?? null;
    const cleared = request.only_uninitialized ? [] : ephemeralData(tx, workflowKey);
    const changes = request.only_uninitialized
      ? new Map<number, string>()
      : changedJobs(tx, jobs, facts.files, cleared);
    const keepsRunning = new Uint8Array(jobs.numJobs);
    for (const job of claimed) {
      if (isKept(job, request)) keepsRunning[jobs.numberOf(job.jobKey) as number] = 1;
    }
    for (const job of recovered?.leftLost ?? []) keepsRunning[job] = 1;
    const plan = planRestart(jobs, {
      changed: changes.keys(),
      keepsRunning,
      onlyUninitialized: request.only_uninitialized,
      rerunsFailed: request.resume === undefined ? (job) => recovered?.again.has(job) === true : () => true,
    });
    if (recovered !== null) keepCanceled(plan, recovered);
    const settled = settle(jobs, plan);
    if (!request.ignore_missing_data)
      checkInputs(tx, jobs, settled, facts, { cleared, onlyUninitialized: request.only_uninitialized });
    const whyAgain = recovered?.whyAgain ?? new Map<number, string>();
    const rendered = renderPlan(tx, request, state, jobs, { plan, settled, changes, whyAgain });
    const givenUp = request.force && !request.assume_stopped ? claimed.filter(isTakenForDead(request)) : [];
    const stillRunning = claimed.filter((job) => isKept(job, request));
    const kept = keptJobs(tx, jobs, { plan, settled, claimed: stillRunning, notes: recovered?.notes ?? new Map() });
    const beginsRun = rendered.num_changes > 0 || (!isUnderWay(workflow) && hasWork(settled));
    if (!request.dry_run && !beginsRun && workflow.isStopping) setStopping(tx, workflowKey, false);
    // where a dry run depends on what follows, it is taken back as a whole
    if (beginsRun && (!request.dry_run || recovered !== null)) {
      closeRun(tx, workflowKey);
      applySettled(tx, jobs, settled, 'restart');
      clearUserData(tx, workflowKey, cleared);
      beginRun(tx, workflowKey, {
        numChanges: rendered.num_changes,
        onlyUninitialized: request.only_uninitialized,
        how: request.resume !== undefined ? 'resume' : recovered !== null ? 'recover' : 'restart',
      });
    }
    const count = (status: JobStatus) =>
      settled.status.reduce((n, code) => n + (code === statusCode[status] ? 1 : 0), 0);
    const begun = {
      begins_run: beginsRun,
      run_id: beginsRun ? workflow.runId + 1 : workflow.runId,
      num_ready: count('ready'),
      num_blocked: count('blocked'),
    };
    if (recovering !== null) noteAutomatic(tx, recovering, begun);
    return {
      ...rendered,
      ...begun,
      num_running: count('submitted') + count('submitted_pending'),
      shared_outputs: sharedOutputs(tx, workflow),
      base_directory: facts.directory,
      missing_files: rerunForMissingFiles(jobs, { plan, settled, changes }),
      cleared_user_data: beginsRun ? cleared.map((datum) => datum.name) : [],
      ...kept,
      num_given_up: noteGivenUp(tx, workflowKey, givenUp),
      recovered: recovered === null ? null : { ...recovered.report, ...wantedNodes(tx, workflowKey, usualRuntimeMs) },
      ...resumed,
      is_paused: workflow.pausedAt !== null && !resumed.ends_pause,
    };
  });
}

/** What a resume does before its plan is made. */
function resume(
  tx: Transaction,
  workflow: Workflow,
  request: Request<'workflow_restart'>['resume'],
): Pick<RestartPlan, 'ends_pause' | 'taken_over'> {
  if (request === undefined) return { ends_pause: false, taken_over: null };
  const takenOver = request.take_over === undefined ? null : takeOver(tx, workflow, request.take_over);
  const endsPause = workflow.pausedAt !== null;
  if (endsPause) setPaused(tx, workflow, false);
  return { ends_pause: endsPause, taken_over: takenOver };
}

/** At most this many jobs that were given up are named in the history. */
const namedGivenUp = 20;

/** Who says that jobs are dead although nothing shows it leaves a trace. Returns how many they are. */
function noteGivenUp(tx: Transaction, workflowKey: number, jobs: readonly ClaimedJob[]): number {
  if (jobs.length === 0) return 0;
  const named = jobs.slice(0, namedGivenUp).map((job) => ({
    job_key: String(job.jobKey),
    job_name: job.jobName,
    attempt_id: job.attemptId,
    hostname: job.hostname,
    slurm_job_id: job.slurmJobId,
  }));
  tx.event({ workflowKey, type: 'jobs_given_up', data: { num_jobs: jobs.length, jobs: named } });
  return jobs.length;
}

/** Whether its jobs can be claimed as they are: it has started, and neither a cancel nor its timeout has come in between. */
function isUnderWay({ phase, isCanceled, hasTimedOut, hasFailedOut }: Workflow): boolean {
  return phase === 'started' && !isCanceled && !hasTimedOut && !hasFailedOut;
}

function hasWork({ status }: Settled): boolean {
  const { ready, blocked, submitted, submitted_pending } = statusCode;
  return status.some((code) => [ready, blocked, submitted, submitted_pending].includes(code));
}

/** By job number, in stored order. */
function changedJobs(
  tx: Transaction,
  jobs: StoredJobs,
  files: ReadonlyMap<number, FileFacts>,
  cleared: readonly EphemeralData[],
): Map<number, string> {
  const changes = new Map<number, string>();
  for (const [jobKey, change] of findChanges(tx, jobs.workflowKey, files)) {
    changes.set(jobs.numberOf(jobKey) as number, change);
  }
  for (const { name, jobKeys } of cleared) {
    for (const jobKey of jobKeys) {
      const job = jobs.numberOf(jobKey) as number;
      if (!changes.has(job)) changes.set(job, `ephemeral user data ${name} is cleared`);
    }
  }
  return changes;
}

function checkInputs(
  tx: Transaction,
  jobs: StoredJobs,
  settled: Settled,
  { files, directory }: RestartFacts,
  { cleared, onlyUninitialized }: { cleared: readonly EphemeralData[]; onlyUninitialized: boolean },
): void {
  const { ready, blocked, submitted, submitted_pending, terminated } = statusCode;
  const becomes = (jobKey: number): number => settled.status[jobs.numberOf(jobKey) ?? -1] as number;
  const willRun = (jobKey: number): boolean => {
    const code = becomes(jobKey);
    const isLeftAlone = onlyUninitialized && code === jobs.status[jobs.numberOf(jobKey) ?? -1];
    return !isLeftAlone && (code === ready || code === blocked);
  };
  // a job that stays terminated returns with a restart, and the readers of its output wait for it
  const willEnd = (jobKey: number): boolean =>
    [ready, blocked, submitted, submitted_pending, terminated].includes(becomes(jobKey));
  const isCleared = new Set(cleared.map((datum) => datum.name));
  const missing = missingInputs(tx, jobs.workflowKey, files, { willRun, willEnd }).filter(
    ({ what }) => !isCleared.has(what.replace(/^user data /, '')),
  );
  refuseMissing(missing, directory);
}
