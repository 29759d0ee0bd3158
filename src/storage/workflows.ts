/** Workflows: creation in chunks, start, cancel, delete. Half-made ones are invisible and dropped at the next open. */
import type { Request } from '../api/contract.ts';
import { TorcError } from '../base/errors.ts';
import { sortRanks } from '../model/claim-order.ts';
import { defaultRequirements, type Requirements } from '../model/job.ts';
import { hasActiveJobs, type JobCounts, type JobStatus, noJobs, workflowStatus } from '../model/status.ts';
import { requestCancel } from './attempts.ts';
import { propagateEnd } from './completion.ts';
import type { Transaction } from './transaction.ts';
import { moveJob } from './transitions.ts';

/** Jobs moved in one transaction by start, cancel and delete: keeps each below about 50 ms. */
const jobsPerStep = 5_000;

export interface Workflow {
  workflowKey: number;
  name: string;
  phase: string;
  runId: number;
  isCanceled: boolean;
  firstJobKey: number;
  firstFileKey: number;
  firstBarrierKey: number;
  numSpecJobs: number;
  numSpecFiles: number;
  numBarriers: number;
  expirationBufferMs: number;
  waitForNewJobsMs: number;
  ignoreWorkflowCompletion: boolean;
  waitForHealthyDatabaseMs: number;
}

/** A visible workflow; throws TorcError 'not_found'. */
export function getWorkflow(tx: Transaction, workflowKey: number): Workflow {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow === null || workflow.phase === 'creating' || workflow.phase === 'deleting') {
    throw new TorcError('not_found', `there is no workflow ${workflowKey}`, 'torc workflows list');
  }
  return workflow;
}

function findWorkflow(tx: Transaction, workflowKey: number): Workflow | null {
  const row = tx.db.get('SELECT * FROM workflows WHERE workflow_key = ?', workflowKey);
  if (row === undefined) return null;
  return {
    workflowKey,
    name: row.name as string,
    phase: row.phase as string,
    runId: row.run_id as number,
    isCanceled: row.is_canceled === 1,
    firstJobKey: row.first_job_key as number,
    firstFileKey: row.first_file_key as number,
    firstBarrierKey: row.first_barrier_key as number,
    numSpecJobs: row.num_spec_jobs as number,
    numSpecFiles: row.num_spec_files as number,
    numBarriers: row.num_barriers as number,
    expirationBufferMs: row.expiration_buffer_ms as number,
    waitForNewJobsMs: row.wait_for_new_jobs_ms as number,
    ignoreWorkflowCompletion: row.ignore_workflow_completion === 1,
    waitForHealthyDatabaseMs: row.wait_for_healthy_database_ms as number,
  };
}

/** Job counts by status; only right after `flushCounts`. */
export function jobCounts(tx: Transaction, workflowKey: number): JobCounts {
  const counts = noJobs();
  for (const row of tx.db.all('SELECT status, failed, n FROM job_counts WHERE workflow_key = ?', workflowKey)) {
    counts[row.status as JobStatus] += row.n as number;
    if (row.failed === 1) counts.failed += row.n as number;
  }
  return counts;
}

export function statusOf(tx: Transaction, workflow: Workflow): string {
  return workflowStatus({
    runId: workflow.runId,
    isCanceled: workflow.isCanceled,
    hasTimedOut: false,
    counts: jobCounts(tx, workflow.workflowKey),
  });
}

/** Whether a worker could still come to do anything in this workflow. */
export function isWorkflowActive(tx: Transaction, workflowKey: number): boolean {
  return hasActiveJobs(jobCounts(tx, workflowKey));
}

/** Reserves contiguous keys in a table with AUTOINCREMENT; returns the first. Keys are never reused. */
function reserveKeys(tx: Transaction, table: string, count: number): number {
  const row = tx.db.get('SELECT seq FROM sqlite_sequence WHERE name = ?', table);
  const last = (row?.seq as number | undefined) ?? 0;
  if (count > 0) {
    if (row === undefined) tx.db.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, count);
    else tx.db.run('UPDATE sqlite_sequence SET seq = ? WHERE name = ?', last + count, table);
  }
  return last + 1;
}

/** Begins a workflow that stays invisible until `finishCreate`. */
export function beginCreate(tx: Transaction, request: Request<'workflow_create_begin'>): number {
  const { key } = tx.db.run(
    `INSERT INTO workflows (name, user, description, project, metadata, expiration_buffer_ms, wait_for_new_jobs_ms,
       ignore_workflow_completion, wait_for_healthy_database_ms, jobs_sort_method, phase, first_job_key, num_spec_jobs,
       first_file_key, num_spec_files, first_barrier_key, num_barriers, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'creating', ?, ?, ?, ?, ?, ?, ?)`,
    request.name,
    request.user,
    request.description,
    request.project,
    request.metadata === null ? null : JSON.stringify(request.metadata),
    request.expiration_buffer_seconds * 1000,
    request.wait_for_new_jobs_seconds * 1000,
    request.ignore_workflow_completion ? 1 : 0,
    request.wait_for_healthy_database_minutes * 60_000,
    request.jobs_sort_method,
    reserveKeys(tx, 'jobs', request.num_jobs),
    request.num_jobs,
    reserveKeys(tx, 'files', request.num_files),
    request.num_files,
    reserveKeys(tx, 'barriers', request.num_barriers),
    request.num_barriers,
    tx.now,
  );
  const all: (Requirements & { name: string | null })[] = [
    { ...defaultRequirements, name: null },
    ...request.requirements.map((r) => ({
      name: r.name,
      numCpus: r.num_cpus,
      memoryBytes: r.memory_bytes,
      gpuThousandths: r.gpu_thousandths,
      numNodes: r.num_nodes,
      runtimeMs: r.runtime_ms,
      isMemoryStated: r.is_memory_stated,
      isRuntimeStated: r.is_runtime_stated,
    })),
  ];
  const ranks = sortRanks(request.jobs_sort_method, all);
  for (const [index, need] of all.entries()) {
    const shapeKey = internShape(tx, key, need, ranks[index] ?? 0);
    tx.db.run(
      'INSERT INTO resource_requirements (workflow_key, name, shape_key) VALUES (?, ?, ?)',
      key,
      need.name,
      shapeKey,
    );
  }
  return key;
}

function internShape(tx: Transaction, workflowKey: number, need: Requirements, sortRank: number): number {
  const row = tx.db.get(
    `INSERT INTO shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes, runtime_ms, is_memory_stated,
       is_runtime_stated, sort_rank) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET sort_rank = excluded.sort_rank RETURNING shape_key`,
    workflowKey,
    need.numCpus,
    need.memoryBytes,
    need.gpuThousandths,
    need.numNodes,
    need.runtimeMs,
    need.isMemoryStated ? 1 : 0,
    need.isRuntimeStated ? 1 : 0,
    sortRank,
  );
  return row?.shape_key as number;
}

/** Adds a chunk of jobs, files and edges; a repeated chunk changes nothing. */
export function addChunk(tx: Transaction, request: Request<'workflow_create_chunk'>): void {
  const workflow = creating(tx, Number(request.workflow_key));
  checkRange('job', request.first_job, request.jobs.length, workflow.numSpecJobs);
  checkRange('file', request.first_file, request.files.length, workflow.numSpecFiles);
  // requirement keys in the order in which they were given; the first row is the default of jobs without any
  const requirements = tx.db.all(
    `SELECT resource_requirements_key, shape_key FROM resource_requirements WHERE workflow_key = ?
     ORDER BY resource_requirements_key`,
    workflow.workflowKey,
  );
  for (const [index, file] of request.files.entries()) {
    tx.db.run(
      'INSERT INTO files (file_key, workflow_key, name, path) VALUES (?, ?, ?, ?) ON CONFLICT (file_key) DO NOTHING',
      workflow.firstFileKey + request.first_file + index,
      workflow.workflowKey,
      file.name,
      file.path,
    );
  }
  for (const [index, job] of request.jobs.entries()) {
    const chosen = requirements[job.requirements === null ? 0 : job.requirements + 1];
    if (chosen === undefined) throw new TorcError('usage', `job ${job.name} names requirements that do not exist`);
    insertJob(tx, workflow, workflow.firstJobKey + request.first_job + index, job, chosen);
  }
  for (const [upstream, downstream] of request.edges) {
    tx.db.run(
      'INSERT OR IGNORE INTO edges (upstream, downstream) VALUES (?, ?)',
      nodeKey(workflow, upstream),
      nodeKey(workflow, downstream),
    );
  }
}

function insertJob(
  tx: Transaction,
  workflow: Workflow,
  jobKey: number,
  job: Request<'workflow_create_chunk'>['jobs'][number],
  chosen: Record<string, unknown>,
): void {
  tx.db.run(
    `INSERT INTO jobs (job_key, workflow_key, name, command, invocation_script, resource_requirements_key, shape_key,
       priority, cancel_on_blocking_job_failure, supports_termination) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (job_key) DO NOTHING`,
    jobKey,
    workflow.workflowKey,
    job.name,
    job.command,
    job.invocation_script,
    job.requirements === null ? null : chosen.resource_requirements_key,
    chosen.shape_key,
    job.priority,
    job.cancel_on_blocking_job_failure ? 1 : 0,
    job.supports_termination ? 1 : 0,
  );
  for (const [isOutput, files] of [
    [0, job.input_files],
    [1, job.output_files],
  ] as const) {
    for (const file of files) {
      checkRange('file', file, 1, workflow.numSpecFiles);
      tx.db.run(
        'INSERT OR IGNORE INTO job_files (job_key, file_key, is_output) VALUES (?, ?, ?)',
        jobKey,
        workflow.firstFileKey + file,
        isOutput,
      );
    }
  }
}

function nodeKey(workflow: Workflow, node: number): number {
  if (node >= 0) {
    checkRange('job', node, 1, workflow.numSpecJobs);
    return workflow.firstJobKey + node;
  }
  checkRange('barrier', -1 - node, 1, workflow.numBarriers);
  return -(workflow.firstBarrierKey + (-1 - node));
}

function checkRange(what: string, first: number, count: number, total: number): void {
  if (first < 0 || first + count > total) {
    throw new TorcError('usage', `${what} ${first + count - 1} is outside the ${total} that were announced`);
  }
}

function creating(tx: Transaction, workflowKey: number): Workflow {
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow?.phase !== 'creating') {
    throw new TorcError('not_found', `workflow ${workflowKey} is not being created`, 'Create it again.');
  }
  return workflow;
}

/** Makes a workflow visible; refuses with 'usage' when jobs are missing. */
export function finishCreate(
  tx: Transaction,
  workflowKey: number,
): { numJobs: number; numFiles: number; numEdges: number; numBarriers: number } {
  const workflow = creating(tx, workflowKey);
  const { firstJobKey, numSpecJobs, firstBarrierKey, numBarriers } = workflow;
  const lastJobKey = firstJobKey + numSpecJobs - 1;
  const lastBarrierKey = firstBarrierKey + numBarriers - 1;
  const stored = tx.db.get('SELECT count(*) AS n FROM jobs WHERE job_key BETWEEN ? AND ?', firstJobKey, lastJobKey);
  if (stored?.n !== numSpecJobs) {
    throw new TorcError('usage', `${stored?.n} of ${numSpecJobs} jobs arrived`, 'Create the workflow again.');
  }
  const files = tx.db.get('SELECT count(*) AS n FROM files WHERE workflow_key = ?', workflowKey);
  if (numBarriers > 0) {
    tx.db.run(
      `WITH RECURSIVE keys (k) AS (SELECT ? UNION ALL SELECT k + 1 FROM keys WHERE k < ?)
       INSERT INTO barriers (barrier_key, workflow_key, num_blockers)
       SELECT k, ?, (SELECT count(*) FROM edges WHERE downstream = -k) FROM keys`,
      firstBarrierKey,
      lastBarrierKey,
      workflowKey,
    );
  }
  const counted = tx.db.all(
    'SELECT downstream, count(*) AS n FROM edges WHERE downstream BETWEEN ? AND ? GROUP BY downstream',
    firstJobKey,
    lastJobKey,
  );
  let numEdges = 0;
  for (const row of counted) {
    tx.db.run('UPDATE jobs SET num_blockers = ? WHERE job_key = ?', row.n, row.downstream);
    numEdges += row.n as number;
  }
  if (numBarriers > 0) {
    const row = tx.db.get('SELECT sum(num_blockers) AS n FROM barriers WHERE workflow_key = ?', workflowKey);
    numEdges += (row?.n as number | null) ?? 0;
  }
  tx.count(workflowKey, 'uninitialized', false, numSpecJobs);
  tx.db.run(`UPDATE workflows SET phase = 'created' WHERE workflow_key = ?`, workflowKey);
  tx.event({ workflowKey, type: 'workflow_created', data: { num_jobs: numSpecJobs } });
  return { numJobs: numSpecJobs, numFiles: files?.n as number, numEdges, numBarriers };
}

/** What a start does, as counts: uninitialized jobs without blockers become ready, the others blocked. */
export function planStart(
  tx: Transaction,
  workflowKey: number,
): { numReady: number; numBlocked: number; runId: number } {
  const workflow = getWorkflow(tx, workflowKey);
  if (workflow.phase === 'started') {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} was already started (run ${workflow.runId})`,
      `torc workflows show-status ${workflowKey}`,
    );
  }
  if (workflow.isCanceled) throw new TorcError('conflict', `workflow ${workflowKey} is canceled`, 'Create it again.');
  const row = tx.db.get(
    `SELECT coalesce(sum(num_blockers = 0), 0) AS ready, coalesce(sum(num_blockers > 0), 0) AS blocked
     FROM jobs WHERE workflow_key = ? AND status = 'uninitialized'`,
    workflowKey,
  );
  return { numReady: row?.ready as number, numBlocked: row?.blocked as number, runId: workflow.runId + 1 };
}

/** One step of work that is cut into several transactions; returns true when it was the last one. */
export type Step = (tx: Transaction) => boolean;

/** The steps of a start: each moves some jobs in stored order, the last one begins the run. */
export function startSteps(workflowKey: number): Step {
  let cursor = 0;
  return (tx) => {
    const next = startStep(tx, workflowKey, cursor);
    cursor = next ?? cursor;
    return next === null;
  };
}

function startStep(tx: Transaction, workflowKey: number, after: number): number | null {
  const workflow = getWorkflow(tx, workflowKey);
  // somebody else's start of the same workflow was faster
  if (workflow.phase === 'started') return null;
  if (workflow.phase === 'created') {
    tx.db.run(`UPDATE workflows SET phase = 'starting' WHERE workflow_key = ?`, workflowKey);
  }
  const last = lastKeyOfStep(tx, workflowKey, after);
  const moved = tx.db.all(
    `UPDATE jobs SET status = CASE num_blockers WHEN 0 THEN 'ready' ELSE 'blocked' END
     WHERE workflow_key = ? AND job_key > ? AND job_key <= ? AND status = 'uninitialized' RETURNING status`,
    workflowKey,
    after,
    last ?? Number.MAX_SAFE_INTEGER,
  );
  const numReady = moved.filter((row) => row.status === 'ready').length;
  tx.count(workflowKey, 'uninitialized', false, -moved.length);
  tx.count(workflowKey, 'ready', false, numReady);
  tx.count(workflowKey, 'blocked', false, moved.length - numReady);
  if (last !== null) return last;
  tx.db.run(
    `UPDATE workflows SET phase = 'started', run_id = run_id + 1, started_at = ?, ended_at = NULL WHERE workflow_key = ?`,
    tx.now,
    workflowKey,
  );
  tx.flushCounts();
  const counts = jobCounts(tx, workflowKey);
  tx.event({
    workflowKey,
    type: 'workflow_started',
    data: { run_id: workflow.runId + 1, num_ready: counts.ready, num_blocked: counts.blocked },
  });
  tx.noteReady(workflowKey);
  if (counts.ready === 0) tx.noteSettled(workflowKey);
  return null;
}

/** The last job key of the step that begins behind `after`; null when the step reaches the end. */
function lastKeyOfStep(tx: Transaction, workflowKey: number, after: number): number | null {
  const row = tx.db.get(
    'SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key > ? ORDER BY job_key LIMIT 1 OFFSET ?',
    workflowKey,
    after,
    jobsPerStep - 1,
  );
  return row === undefined ? null : (row.job_key as number);
}

/** Jobs of a workflow in some statuses, in stored order. */
export function jobsInStatuses(
  tx: Transaction,
  workflowKey: number,
  statuses: readonly JobStatus[],
  limit: number,
): { jobKey: number; name: string; status: JobStatus; numBlockers: number }[] {
  return tx.db
    .all(
      `SELECT job_key, name, status, num_blockers FROM jobs
       WHERE workflow_key = ? AND status IN (SELECT value FROM json_each(?)) ORDER BY job_key LIMIT ?`,
      workflowKey,
      JSON.stringify(statuses),
      limit,
    )
    .map((row) => ({
      jobKey: row.job_key as number,
      name: row.name as string,
      status: row.status as JobStatus,
      numBlockers: row.num_blockers as number,
    }));
}

/** Marks a workflow as cancelled and asks its running attempts to end; returns how many. */
export function beginCancel(tx: Transaction, workflowKey: number): number {
  const workflow = getWorkflow(tx, workflowKey);
  if (!workflow.isCanceled) {
    tx.db.run('UPDATE workflows SET is_canceled = 1 WHERE workflow_key = ?', workflowKey);
    tx.event({ workflowKey, type: 'workflow_canceled' });
  }
  return requestCancel(tx, workflowKey);
}

/** The steps of a cancel: each cancels some of the jobs that have not been claimed, in stored order. */
export function cancelSteps(workflowKey: number): Step {
  let cursor = 0;
  return (tx) => {
    const last = lastKeyOfStep(tx, workflowKey, cursor);
    const rows = tx.db.all(
      `SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key > ? AND job_key <= ?
         AND status IN ('uninitialized', 'blocked', 'ready')`,
      workflowKey,
      cursor,
      last ?? Number.MAX_SAFE_INTEGER,
    );
    for (const row of rows) cancelUnclaimed(tx, workflowKey, row.job_key as number);
    cursor = last ?? cursor;
    return last === null;
  };
}

function cancelUnclaimed(tx: Transaction, workflowKey: number, jobKey: number): void {
  // an earlier job of the same step may have canceled it already
  const status = tx.db.get('SELECT status FROM jobs WHERE job_key = ?', jobKey)?.status as JobStatus;
  if (status !== 'uninitialized' && status !== 'blocked' && status !== 'ready') return;
  moveJob(tx, { jobKey, workflowKey, status, failed: false }, { to: 'canceled', by: 'cancel' });
  propagateEnd(tx, jobKey, true);
}

/** How many jobs and results a delete removes; refuses with 'conflict' while jobs run. */
export function planDelete(tx: Transaction, workflowKey: number): { numJobs: number; numResults: number } {
  const workflow = getWorkflow(tx, workflowKey);
  const counts = jobCounts(tx, workflowKey);
  if (counts.submitted + counts.submitted_pending > 0) {
    throw new TorcError(
      'conflict',
      `${counts.submitted + counts.submitted_pending} jobs of workflow ${workflowKey} (${workflow.name}) are running`,
      `torc workflows cancel ${workflowKey}`,
    );
  }
  const jobs = tx.db.get('SELECT count(*) AS n FROM jobs WHERE workflow_key = ?', workflowKey);
  const results = tx.db.get(
    'SELECT count(*) AS n FROM attempts WHERE workflow_key = ? AND cause IS NOT NULL',
    workflowKey,
  );
  return { numJobs: jobs?.n as number, numResults: results?.n as number };
}

export function beginDelete(tx: Transaction, workflowKey: number): void {
  tx.db.run(`UPDATE workflows SET phase = 'deleting' WHERE workflow_key = ?`, workflowKey);
}

/** One step of a delete; also drops what a creation left behind. Returns whether it is complete. */
export function deleteStep(tx: Transaction, workflowKey: number): boolean {
  const jobs = tx.db.all('SELECT job_key FROM jobs WHERE workflow_key = ? LIMIT ?', workflowKey, jobsPerStep);
  for (const { job_key: jobKey } of jobs) {
    tx.db.run('DELETE FROM edges WHERE upstream = ? OR downstream = ?', jobKey, jobKey);
    tx.db.run('DELETE FROM job_files WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM job_user_data WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM attempts WHERE workflow_key = ? AND job_key = ?', workflowKey, jobKey);
    tx.db.run('DELETE FROM events WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM holds WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM jobs WHERE job_key = ?', jobKey);
  }
  if (jobs.length === jobsPerStep) return false;
  tx.db.run(
    'DELETE FROM attempt_gpus WHERE compute_node_key IN (SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ?)',
    workflowKey,
  );
  // the nodes of barriers are their keys with a minus sign
  for (const side of ['upstream', 'downstream'] as const) {
    tx.db.run(
      `DELETE FROM edges WHERE ${side} IN (SELECT -barrier_key FROM barriers WHERE workflow_key = ?)`,
      workflowKey,
    );
  }
  for (const table of workflowTables) tx.db.run(`DELETE FROM ${table} WHERE workflow_key = ?`, workflowKey);
  return true;
}

const workflowTables = [
  'barriers',
  'files',
  'user_data',
  'resource_requirements',
  'shapes',
  'job_counts',
  'slurm_configs',
  'allocations',
  'compute_nodes',
  'events',
  'workflows',
] as const;

/** Workflows that an interrupted creation or deletion left behind. */
export function leftoverWorkflows(tx: Transaction): number[] {
  return tx.db
    .all(`SELECT workflow_key FROM workflows WHERE phase IN ('creating', 'deleting')`)
    .map((row) => row.workflow_key as number);
}

/** Notes the end of a run when no job is active any more; returns whether this was the moment. */
export function recordRunEnd(tx: Transaction, workflowKey: number): boolean {
  if (isWorkflowActive(tx, workflowKey)) return false;
  const ended = tx.db.run(
    `UPDATE workflows SET ended_at = ? WHERE workflow_key = ? AND ended_at IS NULL AND phase = 'started'`,
    tx.now,
    workflowKey,
  );
  if (ended.changes === 1) {
    const workflow = findWorkflow(tx, workflowKey);
    if (workflow !== null) {
      tx.event({
        workflowKey,
        type: 'workflow_ended',
        data: { run_id: workflow.runId, status: statusOf(tx, workflow) },
      });
    }
  }
  return ended.changes === 1;
}
