/**
 * Children: jobs that a running job adds to its workflow, all of a request or none. They wait for the job that adds them,
 * and jobs that are still blocked may be made to wait for them. The attempt must be the job's live one, so that nothing of
 * a superseded attempt counts; the same request of a later attempt finds the jobs that are there.
 */
import type { AddedJob, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { buildGraph, findCycles, topologicalOrder } from '../../model/graph/graph.ts';
import { quoted } from '../../model/spec/names.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow, type Workflow } from '../running/workflows.ts';
import { additionDigest, countChildren, knownJob } from './added-jobs.ts';
import { type Family, JobAddition, jobNamed, type Neighbour, refuseClosed } from './job-addition.ts';
import { unknownName } from './named-parts.ts';

type Added = Reply<'jobs_add_children'>['jobs'][number];

/** The jobs in the order of the request. Throws 'conflict' when the attempt has ended, or a job of `before` no longer waits. */
export function addChildren(tx: Transaction, request: Request<'jobs_add_children'>): Reply<'jobs_add_children'> {
  const parent = runningJob(tx, Number(request.attempt_key), request.worker_id);
  const workflow = getWorkflow(tx, parent.workflowKey);
  refuseClosed(workflow);
  if (workflow.hasFailedOut) {
    throw new TorcError(
      'conflict',
      `the run of workflow ${workflow.workflowKey} has too many failures: nothing new starts`,
    );
  }
  refuseRepeated(request.jobs, request.before);
  const names = [...new Set(request.before)].sort();
  const known = request.jobs.map((job) => {
    const digest = additionDigest(job, { before: names, now: request.now });
    return { job, digest, stored: knownJob(tx, workflow.workflowKey, job, { parentKey: parent.jobKey, digest }) };
  });
  const missing = known.filter(({ stored }) => stored === null);
  const before = names.map((name) => jobBefore(tx, workflow, name, missing.length > 0));
  const added = new Map<string, Added>();
  if (missing.length > 0) {
    refuseTooMany(tx, workflow, missing.length);
    const behind = jobsBehind(tx, before);
    const family = {
      parentKey: parent.jobKey,
      upstreams: request.now ? [] : [parent],
      downstreams: before,
      isBehind: (jobKey: number) => behind.has(jobKey),
    };
    for (const job of addInOrder(tx, workflow, missing, family)) added.set(job.name, job);
    const attemptKey = Number(request.attempt_key);
    tellAddition(tx, { ...parent, attemptKey }, { before: names, added: [...added.values()] });
  }
  const jobs = known.map(({ job, stored }) => stored ?? (added.get(job.name) as Added));
  const { workflowKey, jobKey } = parent;
  return {
    dry_run: request.dry_run,
    workflow_key: String(workflowKey),
    job_key: String(jobKey),
    job_name: parent.name,
    before: before.map((job) => ({ job_key: String(job.jobKey), name: job.name })),
    jobs,
  };
}

interface RunningJob extends Neighbour {
  workflowKey: number;
}

/** The job of a live attempt. */
function runningJob(tx: Transaction, attemptKey: number, workerId: string | undefined): RunningJob {
  const row = tx.db.get<RunningJob & { isLive: number; attemptId: number }>(
    `SELECT j.job_key AS jobKey, j.workflow_key AS workflowKey, j.name, j.status, j.failed, a.is_live AS isLive,
       a.attempt_id AS attemptId
     FROM attempts a JOIN jobs j ON j.job_key = a.job_key JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
     WHERE a.attempt_key = ? AND n.worker_id = coalesce(?, n.worker_id)`,
    attemptKey,
    workerId ?? null,
  );
  if (row === undefined) {
    throw new TorcError('not_found', `there is no attempt ${attemptKey}`, 'Only a running job adds jobs this way.');
  }
  const { isLive, attemptId, ...job } = row;
  if (isLive === 1) return job;
  throw new TorcError(
    'conflict',
    `attempt ${attemptId} of job ${job.jobKey} (${quoted(job.name)}) has ended, so it can add nothing`,
    'Only a running job adds jobs this way; you can do it with torc jobs add.',
  );
}

function refuseRepeated(jobs: readonly AddedJob[], before: readonly string[]): void {
  const names = new Set<string>();
  for (const { name } of jobs) {
    if (names.has(name)) throw new TorcError('usage', `two of the jobs have the name ${quoted(name)}`);
    names.add(name);
  }
  const both = before.find((name) => names.has(name));
  if (both === undefined) return;
  throw new TorcError('usage', `${quoted(both)} is one of the jobs to add, so they cannot be added before it`);
}

function jobBefore(tx: Transaction, workflow: Workflow, name: string, mustWait: boolean): Neighbour {
  const job = jobNamed(tx, workflow.workflowKey, name);
  if (job === undefined) throw unknownName(tx, workflow.workflowKey, 'job', name);
  if (!mustWait || job.status === 'blocked') return job;
  throw new TorcError(
    'conflict',
    `job ${job.jobKey} (${quoted(name)}) is ${already(job.status)}${job.status}, so no job can be added before it`,
    'It must still wait for another job, for example for the one that adds them: depends_on.',
  );
}

function already(status: JobStatus): string {
  return status === 'disabled' || status === 'uninitialized' ? '' : 'already ';
}

function refuseTooMany(tx: Transaction, { workflowKey }: Workflow, numNew: number): void {
  const sql = 'SELECT max_dynamic_jobs AS most FROM workflows WHERE workflow_key = ?';
  const most = tx.db.get<{ most: number }>(sql, workflowKey)?.most ?? 0;
  const numChildren = countChildren(tx, workflowKey);
  if (numChildren + numNew <= most) return;
  throw new TorcError(
    'conflict',
    `running jobs may add ${counted(most, 'job')} to workflow ${workflowKey} (max_dynamic_jobs); they have added ${numChildren}, and these would be ${numNew} more`,
    `torc workflows modify ${workflowKey} --max-dynamic-jobs ${numChildren + numNew}`,
  );
}

/** These jobs and all that wait for them, as nodes of the graph. */
function jobsBehind(tx: Transaction, jobs: readonly Neighbour[]): ReadonlySet<number> {
  const seen = new Set(jobs.map(({ jobKey }) => jobKey));
  const work = [...seen];
  const sql = 'SELECT downstream FROM edges WHERE upstream = ?';
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    for (const { downstream } of tx.db.all<{ downstream: number }>(sql, node)) {
      if (!seen.has(downstream)) work.push(downstream);
      seen.add(downstream);
    }
  }
  return seen;
}

/** Adds jobs so that each comes after those of the request that it waits for; else in the order of the request. */
function addInOrder(
  tx: Transaction,
  workflow: Workflow,
  missing: readonly { job: AddedJob; digest: string }[],
  family: Omit<Family, 'digest'>,
): Added[] {
  const additions = missing.map(({ job, digest }) => new JobAddition(tx, workflow, job, { ...family, digest }));
  const jobs = missing.map(({ job }) => job);
  const graph = buildGraph(jobs.length, 0, edgesAmong(jobs, additions));
  const order = topologicalOrder(graph);
  if (order.length < jobs.length) {
    const [cycle = []] = findCycles(graph);
    const names = cycle.slice(0, 10).map((number) => quoted(jobs[number]?.name ?? ''));
    throw new TorcError('usage', `these jobs wait for each other in a cycle: ${names.join(', ')}`);
  }
  return [...order].map((number) => (additions[number] as JobAddition).add());
}

/** Which of the jobs waits for which: by its name, or because it reads what the other writes. */
function edgesAmong(jobs: readonly AddedJob[], additions: readonly JobAddition[]): [number, number][] {
  const numbers = new Map(jobs.map(({ name }, number) => [name, number]));
  const writers = new Map<string, number>();
  const edges: [number, number][] = [];
  for (const kind of ['files', 'user_data'] as const) {
    for (const [number, { uses }] of additions.entries()) {
      for (const key of uses[kind].output) writers.set(`${kind} ${key}`, number);
    }
    for (const [number, { uses }] of additions.entries()) {
      for (const key of uses[kind].input) {
        const writer = writers.get(`${kind} ${key}`);
        if (writer !== undefined) edges.push([writer, number]);
      }
    }
  }
  for (const [number, { name, depends_on }] of jobs.entries()) {
    for (const upstream of depends_on) {
      const found = numbers.get(upstream);
      if (found !== undefined && upstream !== name) edges.push([found, number]);
    }
  }
  return edges;
}

/** How many of the children an event names. */
const namedChildren = 100;

function tellAddition(
  tx: Transaction,
  { workflowKey, jobKey, attemptKey }: RunningJob & { attemptKey: number },
  { before, added }: { before: readonly string[]; added: readonly Added[] },
): void {
  const names = added.slice(0, namedChildren).map(({ name }) => name);
  tx.event({
    workflowKey,
    jobKey,
    attemptKey,
    type: 'children_added',
    data: { num_jobs: added.length, names, before },
  });
}
