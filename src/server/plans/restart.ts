/**
 * Restart, reset and disable: each makes its plan from the stored state, renders it, and unless it is a dry run applies
 * that same plan in the same transaction. A dry run takes back whatever was written on the way to its plan.
 */
import type { Plan, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { FileFacts } from '../../model/decide/changes.ts';
import {
  type JobAims,
  planDisable,
  planReset,
  planRestart,
  type Settled,
  settle,
  statusCode,
} from '../../model/decide/restart.ts';
import type { JobStatus, Mover } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { requestStop } from '../../storage/running/attempts.ts';
import {
  clearUserData,
  declaredFiles,
  type EphemeralData,
  ephemeralData,
  findChanges,
  missingInputs,
} from '../../storage/running/input-versions.ts';
import { getWorkflow, stateToken, type Workflow } from '../../storage/running/workflows.ts';
import {
  applySettled,
  type ClaimedJob,
  claimedJobs,
  jobLabels,
  loadJobs,
  type StoredJobs,
} from '../../storage/runs/restart.ts';
import { beginRun, setStopping } from '../../storage/runs/runs.ts';
import type { ServerContext } from '../context.ts';
import { applyEvidence, diagnoseAttempts, type Evidence, gatherEvidence } from '../evidence/gather.ts';
import { probeFiles } from './file-probe.ts';
import { keptJobs, mostKept, type PlanRequest, renderPlan } from './rendering.ts';

/** Jobs that an error names. */
const mostNamed = 5;

/** Runs the planning of a request: refuses when the state has moved on, takes everything back after a dry run. */
function planned<T>(tx: Transaction, request: PlanRequest, work: (workflow: Workflow, state: string) => T): T {
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  const state = stateToken(tx, workflow.workflowKey);
  if (request.expected_state !== null && request.expected_state !== state) {
    throw new TorcError(
      'conflict',
      `workflow ${request.workflow_key} has moved on since the plan was made`,
      'Look at the plan again with --dry-run.',
    );
  }
  return request.dry_run ? tx.rehearse(() => work(workflow, state)) : work(workflow, state);
}

// ------------------------------------------------------------------ restart

interface RestartFacts {
  files: Map<number, FileFacts>;
  /** Against which relative paths were read. */
  directory: string;
  evidence: Evidence;
}

/** What a restart looks at outside of the database: declared files, workers, allocations. */
async function gatherRestart(context: ServerContext, request: Request<'workflow_restart'>): Promise<RestartFacts> {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(context.view, workflowKey);
  const evidence = await gatherEvidence(context, { workflowKey, isAsked: true });
  const { files, workingDirectory } = declaredFiles(context.view, workflowKey);
  const directory = workingDirectory ?? request.working_directory;
  return { files: await probeFiles(files, directory), directory, evidence };
}

export async function prepareRestart(
  context: ServerContext,
  request: Request<'workflow_restart'>,
): Promise<(tx: Transaction) => Reply<'workflow_restart'>> {
  const facts = await gatherRestart(context, request);
  const { after_reset: which } = request;
  if (which === undefined) return (tx) => restart(tx, request, facts);
  if (!request.dry_run) throw new TorcError('usage', 'only a dry run can assume anything');
  return (tx) =>
    tx.rehearse(() => {
      reset(
        tx,
        { workflow_key: request.workflow_key, dry_run: false, expected_state: null, skip: 0, which },
        facts.evidence,
      );
      return restart(tx, request, facts);
    });
}

function restart(
  tx: Transaction,
  request: Request<'workflow_restart'>,
  facts: RestartFacts,
): Reply<'workflow_restart'> {
  return planned(tx, request, (workflow, state) => {
    const { workflowKey } = workflow;
    applyEvidence(tx, facts.evidence);
    const claimed = claimedJobs(tx, workflowKey);
    refuseRunning(claimed, request);
    const jobs = loadJobs(tx, workflowKey);
    const cleared = request.only_uninitialized ? [] : ephemeralData(tx, workflowKey);
    const changes = request.only_uninitialized
      ? new Map<number, string>()
      : changedJobs(tx, jobs, facts.files, cleared);
    const keepsRunning = new Uint8Array(jobs.numJobs);
    for (const job of claimed) {
      if (isKept(job, request)) keepsRunning[jobs.numberOf(job.jobKey) as number] = 1;
    }
    const plan = planRestart(jobs, {
      changed: changes.keys(),
      keepsRunning,
      onlyUninitialized: request.only_uninitialized,
    });
    const settled = settle(jobs, plan);
    if (!request.ignore_missing_data)
      refuseMissing(tx, jobs, settled, facts, { cleared, onlyUninitialized: request.only_uninitialized });
    const rendered = renderPlan(tx, request, state, jobs, { plan, settled, changes });
    const kept = keptJobs(tx, jobs, { plan, settled, claimed: claimed.filter((job) => isKept(job, request)) });
    if (!request.dry_run) {
      applySettled(tx, jobs, settled, 'restart');
      clearUserData(tx, workflowKey, cleared);
      beginRun(tx, workflowKey, rendered.num_changes);
    }
    const count = (status: JobStatus) =>
      settled.status.reduce((n, code) => n + (code === statusCode[status] ? 1 : 0), 0);
    return {
      ...rendered,
      run_id: workflow.runId + 1,
      num_ready: count('ready'),
      num_blocked: count('blocked'),
      num_running: count('submitted') + count('submitted_pending'),
      cleared_user_data: cleared.map((datum) => datum.name),
      ...kept,
    };
  });
}

/** A running job goes on when that was asked for; one that fell silent, unless it was said that such jobs are dead. */
function isKept(job: ClaimedJob, request: Request<'workflow_restart'>): boolean {
  if (request.only_uninitialized) return true;
  if (job.process === 'gone') return false;
  return request.keep_running && !(request.force && job.process === 'lost_contact');
}

function refuseRunning(claimed: readonly ClaimedJob[], request: Request<'workflow_restart'>): void {
  if (request.assume_stopped && !request.dry_run) throw new TorcError('usage', 'only a dry run can assume anything');
  if (request.only_uninitialized || request.assume_stopped) return;
  if (request.keep_running) {
    const kept = claimed.filter((job) => isKept(job, request));
    refuseEnding(kept, request);
    return;
  }
  const running = claimed.filter((job) => job.process === 'running');
  const silent = claimed.filter((job) => job.process === 'lost_contact');
  if (running.length > 0) {
    throw new TorcError(
      'conflict',
      `${counted(running.length, 'job')} of workflow ${request.workflow_key} still ${running.length === 1 ? 'runs' : 'run'}: ${named(running)}`,
      request.after_reset === undefined
        ? '--keep-running lets them go on, --stop-running stops them first, --only-uninitialized leaves all others alone.'
        : `Leave out --restart and type after the reset: torc workflows restart ${request.workflow_key} --only-uninitialized`,
    );
  }
  if (silent.length > 0 && !request.force) {
    throw new TorcError(
      'conflict',
      `contact to the worker of ${counted(silent.length, 'job')} is lost, and nothing shows that they have ended: ${named(silent)}`,
      request.after_reset === undefined
        ? 'Look with torc jobs diagnose; --force when you know that they are dead, --keep-running to leave them alone.'
        : `Leave out --restart and look with torc jobs diagnose -k ${request.workflow_key}; after the reset, when you know that they are dead: torc workflows restart ${request.workflow_key} --force`,
    );
  }
}

/** A job that was asked to end cannot be kept: its end would decide over the new run. */
function refuseEnding(kept: readonly ClaimedJob[], request: Request<'workflow_restart'>): void {
  const ending = kept.filter((job) => job.isEnding);
  if (ending.length === 0) return;
  const isSilent = ending.some((job) => job.process === 'lost_contact');
  throw new TorcError(
    'conflict',
    `${counted(ending.length, 'job')} of workflow ${request.workflow_key} ${ending.length === 1 ? 'is' : 'are'} being stopped and cannot be kept: ${named(ending)}`,
    isSilent
      ? 'Try again when that has ended, or with --force when you know that those out of contact are dead.'
      : 'Try again when that has ended, or wait for it with --stop-running.',
  );
}

function named(jobs: readonly ClaimedJob[]): string {
  const shown = jobs.slice(0, mostNamed).map((job) => `${job.jobName} (job ${job.jobKey}) on ${job.hostname}`);
  return `${shown.join(', ')}${jobs.length > mostNamed ? ` and ${jobs.length - mostNamed} more` : ''}`;
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

function refuseMissing(
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
  // one that is left terminated comes back with a restart, and what reads its output waits for it
  const willEnd = (jobKey: number): boolean =>
    [ready, blocked, submitted, submitted_pending, terminated].includes(becomes(jobKey));
  const isCleared = new Set(cleared.map((datum) => datum.name));
  const missing = missingInputs(tx, jobs.workflowKey, files, { willRun, willEnd }).filter(
    ({ what }) => !isCleared.has(what.replace(/^user data /, '')),
  );
  if (missing.length === 0) return;
  const shown = missing.slice(0, mostNamed).map(({ what, jobName }) => `${what}, needed by ${jobName}`);
  const more = missing.length > mostNamed ? `; and ${missing.length - mostNamed} more` : '';
  throw new TorcError(
    'not_found',
    `missing: ${shown.join('; ')}${more}`,
    `Put it there (relative paths are read in ${directory}), or go on without it with --ignore-missing-data.`,
  );
}

// ------------------------------------------------------------------ reset and disable

export async function prepareReset(
  context: ServerContext,
  request: Request<'jobs_reset'>,
): Promise<(tx: Transaction) => Plan> {
  const evidence = await evidenceOfWorkflow(context, request);
  return (tx) => reset(tx, request, evidence);
}

function reset(tx: Transaction, request: Request<'jobs_reset'>, evidence: Evidence): Plan {
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
        `a job that is claimed by a worker cannot be ${by === 'reset' ? 'reset' : 'disabled'}: ${named(alive)}`,
        `Wait for its end, or end it: torc workflows cancel ${request.workflow_key}`,
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

// ------------------------------------------------------------------ stopping what runs

export function stopRunning(
  tx: Transaction,
  request: Request<'workflow_stop_running'>,
): Reply<'workflow_stop_running'> {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  setStopping(tx, workflowKey, request.stop);
  const numStopping = request.stop ? requestStop(tx, workflowKey, 'restart') : 0;
  const running = claimedJobs(tx, workflowKey).filter((job) => job.process !== 'gone');
  return {
    num_stopping: numStopping,
    running: running.slice(0, mostKept).map((job) => ({
      job_key: String(job.jobKey),
      job_name: job.jobName,
      status: job.status,
      reason: `${job.process === 'running' ? 'runs' : 'ran when contact was lost'} on ${job.hostname}`,
    })),
  };
}

// ------------------------------------------------------------------ diagnosis

/** What is known outside of the database of the workers and allocations of a workflow. */
async function evidenceOfWorkflow(context: ServerContext, request: { workflow_key: string }): Promise<Evidence> {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(context.view, workflowKey);
  return gatherEvidence(context, { workflowKey, isAsked: true });
}

/** Why claimed jobs have no result; what was found out is stored. */
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
