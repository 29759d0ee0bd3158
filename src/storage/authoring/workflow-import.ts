/** Gives a new workflow the history of another with the same jobs: results of its runs, events, statuses. */

import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { aims, type Settled, settle, statusCode } from '../../model/decide/restart.ts';
import { quoted } from '../../model/spec/names.ts';
import { claimedStatuses, type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { addShape } from '../running/added-shapes.ts';
import { noteResults } from '../running/result-values.ts';
import { findShape } from '../running/shapes.ts';
import { moveJob } from '../running/transitions.ts';
import { getWorkflow, isWorkflowActive } from '../running/workflows.ts';
import { loadJobs, type StoredJobs } from '../runs/restart.ts';
import { recordRun, recordRunEnd } from '../runs/run-records.ts';
import { noteAddition } from './added-jobs.ts';

type Result = Request<'workflow_import_history'>['results'][number];

/** Adds results, events and who added jobs; throws 'conflict' for a workflow that has its own history. */
export function importHistory(
  tx: Transaction,
  request: Request<'workflow_import_history'>,
): { num_results: number; num_events: number } {
  const workflowKey = unstarted(tx, request.workflow_key);
  for (const result of request.results) addResult(tx, workflowKey, result);
  for (const { job_name, added_by, digest } of request.added_jobs ?? []) {
    const parentKey = added_by === null ? null : jobKeyOf(tx, workflowKey, added_by);
    noteAddition(tx, workflowKey, jobKeyOf(tx, workflowKey, job_name), { parentKey, digest });
  }
  for (const event of request.events) {
    tx.db.run(
      `INSERT INTO events (at, workflow_key, job_key, type, old_status, new_status, data, who)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      Date.parse(event.timestamp),
      workflowKey,
      event.job_name === null ? null : jobKeyOf(tx, workflowKey, event.job_name),
      event.type,
      event.old_status,
      event.new_status,
      event.data === null ? null : jsonText(event.data),
      event.who ?? null,
    );
  }
  return { num_results: request.results.length, num_events: request.events.length };
}

function unstarted(tx: Transaction, key: string): number {
  const { workflowKey, phase } = getWorkflow(tx, Number(key));
  if (phase === 'created') return workflowKey;
  throw new TorcError(
    'conflict',
    `workflow ${workflowKey} has started: it has a history of its own`,
    'Import the file again, as a new workflow.',
  );
}

function jobKeyOf(tx: Transaction, workflowKey: number, name: string): number {
  const sql = 'SELECT job_key FROM jobs WHERE workflow_key = ? AND name = ?';
  const row = tx.db.get<{ job_key: number }>(sql, workflowKey, name);
  if (row !== undefined) return row.job_key;
  throw new TorcError(
    'not_found',
    `workflow ${workflowKey} has no job ${quoted(name)}`,
    'The results belong to another workflow.',
  );
}

function addResult(tx: Transaction, workflowKey: number, result: Result): void {
  const jobKey = jobKeyOf(tx, workflowKey, result.job_name);
  const at = (instant: string | null) => (instant === null ? null : Date.parse(instant));
  const milliseconds = (seconds: number | null) => (seconds === null ? null : Math.round(seconds * 1000));
  const computeNodeKey = computeNode(tx, workflowKey, result);
  const startedAt = at(result.start_time);
  const endedAt = at(result.end_time);
  const cpuMs = milliseconds(result.cpu_seconds);
  const { key } = tx.db.run(
    `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, is_live, is_occupying,
       num_nodes, num_cpus, memory_bytes, gpu_thousandths, gpu_indices, claimed_at, started_at, ended_at, end_status,
       return_code, cause, exit_code, signal, detail, exec_ms, peak_memory_bytes, average_memory_bytes, cpu_ms,
       is_forgiven, result, shape_key, scaled, slurm_step)
     VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    workflowKey,
    jobKey,
    result.run_id,
    result.attempt_id,
    computeNodeKey,
    result.num_nodes ?? 1,
    result.num_cpus,
    result.memory_bytes,
    (result.gpu_indices?.length ?? 0) * 1000,
    result.gpu_indices === null ? null : JSON.stringify(result.gpu_indices),
    at(result.start_time ?? result.end_time) ?? tx.now,
    startedAt,
    endedAt,
    result.status,
    result.return_code,
    result.cause,
    result.exit_code,
    result.signal,
    result.detail,
    milliseconds(result.exec_time_seconds),
    result.peak_memory_bytes,
    result.average_memory_bytes,
    cpuMs,
    result.outcome === 'forgiven' ? 1 : 0,
    result.result == null ? null : jsonText(result.result),
    requestOf(tx, workflowKey, jobKey, result),
    result.scaled == null ? null : jsonText(result.scaled),
    result.slurm_step_id?.split('.').at(-1) ?? null,
  );
  const numCpus = result.num_cpus * (result.num_nodes ?? 1);
  tx.ended({ computeNodeKey, numCpus, startedAt, endedAt: endedAt ?? startedAt ?? 0, cpuMs });
  if (result.result != null) noteResults(tx, workflowKey);
  tx.db.run('UPDATE jobs SET attempt_key = ? WHERE job_key = ?', key, jobKey);
}

/** The shape of what the attempt asked for; null where the export does not say. */
function requestOf(tx: Transaction, workflowKey: number, jobKey: number, result: Result): number | null {
  const { requested_memory_bytes: memoryBytes, requested_runtime_seconds: runtime } = result;
  if (memoryBytes === undefined || runtime === undefined) return null;
  const sql = 'SELECT shape_key FROM jobs WHERE job_key = ?';
  const shape = findShape(tx, tx.db.get<{ shape_key: number }>(sql, jobKey)?.shape_key ?? 0);
  const { expectedMs: _, ...need } = shape.need;
  const asked = {
    ...need,
    isMemoryStated: memoryBytes !== null,
    isRuntimeStated: runtime !== null,
    ...(memoryBytes === null ? {} : { memoryBytes }),
    ...(runtime === null ? {} : { runtimeMs: Math.round(runtime * 1000) }),
  };
  return addShape(tx, workflowKey, { ...shape, need: asked });
}

/** The compute node that a result came from, whose worker is gone; 0 where no process ran. */
function computeNode(tx: Transaction, workflowKey: number, { hostname, slurm_job_id }: Result): number {
  if (hostname === null) return 0;
  const known = tx.db.get<{ compute_node_key: number }>(
    'SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ? AND hostname = ? AND slurm_job_id IS ?',
    workflowKey,
    hostname,
    slurm_job_id,
  );
  if (known !== undefined) return known.compute_node_key;
  return tx.db.run(
    `INSERT INTO compute_nodes (worker_id, workflow_key, hostname, boot_id, pid, slurm_job_id, restart_count, num_cpus,
       memory_bytes, num_gpus, is_active, started_at, last_heartbeat_at, ended_at, close_reason)
     VALUES (?, ?, ?, '', 0, ?, 0, 0, 0, 0, 0, ?, ?, ?, 'imported')`,
    `imported ${workflowKey} ${JSON.stringify([hostname, slurm_job_id])}`,
    workflowKey,
    hostname,
    slurm_job_id,
    tx.now,
    tx.now,
    tx.now,
  ).key;
}

/** Sets the statuses of the jobs, the counters that follow from them, and the run of the workflow. */
export function finishImport(tx: Transaction, request: Request<'workflow_import_finish'>): void {
  const workflowKey = unstarted(tx, request.workflow_key);
  const jobs = loadJobs(tx, workflowKey);
  if (request.job_statuses.length !== jobs.numJobs) {
    throw new TorcError('usage', `expected ${jobs.numJobs} job statuses, got ${request.job_statuses.length}`);
  }
  const status = Uint8Array.from(request.job_statuses, (word) => statusCode[kept(word)]);
  const failed = new Uint8Array(jobs.numJobs);
  const failures = tx.db.rows<[number]>(
    `SELECT j.job_key FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.workflow_key = ? AND a.end_status = 'done' AND a.return_code <> 0 AND a.is_forgiven = 0`,
    workflowKey,
  );
  for (const [jobKey] of failures) {
    const job = jobs.numberOf(jobKey);
    if (job !== undefined && status[job] === statusCode.done) failed[job] = 1;
  }
  const aim = new Uint8Array(jobs.numJobs).fill(aims.keep);
  const plan = { aim, reason: new Uint8Array(jobs.numJobs), origin: new Int32Array(jobs.numJobs) };
  const settled = settle({ ...jobs, status, failed }, plan);
  // what the moves would trigger happened long ago
  tx.silently(() => applyStatuses(tx, jobs, settled, failed));
  tx.flushCounts();
  const endedAt = request.ended_at === null ? tx.now : Date.parse(request.ended_at);
  const startedAt = request.started_at === null ? null : Date.parse(request.started_at);
  const isActive = isWorkflowActive(tx, workflowKey);
  tx.db.run(
    `UPDATE workflows SET phase = 'started', run_id = ?, told_run_id = ?, is_canceled = ?, started_at = ?, ended_at = ?
     WHERE workflow_key = ?`,
    request.run_id,
    isActive ? request.run_id - 1 : request.run_id,
    request.is_canceled ? 1 : 0,
    startedAt,
    isActive ? null : endedAt,
    workflowKey,
  );
  recordRun(tx, workflowKey, request.run_id, 'import', startedAt);
  if (!isActive) recordRunEnd(tx, workflowKey, { at: endedAt });
  tx.event({ workflowKey, type: 'workflow_imported', data: { run_id: request.run_id } });
}

function applyStatuses(tx: Transaction, jobs: StoredJobs, settled: Settled, failed: Uint8Array): void {
  const { workflowKey } = jobs;
  for (let job = 0; job < jobs.numJobs; job++) {
    const to = jobStatuses[settled.status[job] as number] as JobStatus;
    const jobKey = jobs.keys[job] as number;
    const culprit = to === 'canceled' ? (settled.failedUpstream[job] as number) : -1;
    tx.db.run(
      'UPDATE jobs SET num_blockers = ?, num_failed_upstreams = ?, failed_upstream_key = ? WHERE job_key = ?',
      settled.numBlockers[job],
      settled.numFailedUpstreams[job],
      culprit < 0 ? null : jobs.keys[culprit],
      jobKey,
    );
    if (to === 'uninitialized') continue;
    const state = { jobKey, workflowKey, status: 'uninitialized', failed: false } as const;
    moveJob(tx, state, { to, by: 'import', failed: failed[job] === 1 });
  }
  for (const [barrier, barrierKey] of jobs.barrierKeys.entries()) {
    tx.db.run(
      'UPDATE barriers SET num_blockers = ?, num_failed_upstreams = ? WHERE barrier_key = ?',
      settled.numBlockers[jobs.numJobs + barrier],
      settled.numFailedUpstreams[jobs.numJobs + barrier],
      barrierKey,
    );
  }
}

/** The run of the export goes on elsewhere, if at all: here what it had not finished waits for a restart. */
function kept(status: JobStatus): JobStatus {
  return unfinished.includes(status) ? 'uninitialized' : status;
}

const unfinished: readonly JobStatus[] = ['blocked', 'ready', ...claimedStatuses];
