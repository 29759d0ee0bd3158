/** Why a job does not run now, as a sentence for people: its status, its upstreams, the workers that there are. */
import type { ListRecord } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Diagnosis } from '../../model/decide/diagnosis.ts';
import { type FreeNode, fits, fitsTime, idleWorker } from '../../model/decide/packing.ts';
import type { Requirements } from '../../model/job.ts';
import type { Transaction } from '../database/transaction.ts';
import { configOfWorker, freeResources, mayTake } from '../running/claims.ts';
import { findComputeNode } from '../running/compute-nodes.ts';
import { anyConfig, findShape } from '../running/shapes.ts';

export interface WaitingFacts {
  diagnosis: Diagnosis | null;
  unfinished: { total: number; first: readonly string[] };
}

/** The sentence for a row of the list of jobs; null when the job runs. */
export function whyNotRunning(tx: Transaction, job: ListRecord, facts: WaitingFacts): string | null {
  if (job.orphaned === true) {
    return facts.diagnosis?.explanation ?? 'Its worker is gone and left no result; nothing more is known yet.';
  }
  switch (job.status) {
    case 'uninitialized':
      return whyUninitialized(tx, Number(job.workflow_key));
    case 'blocked':
      return whyBlocked(tx, job, facts);
    case 'ready':
      return whyReady(tx, Number(job.workflow_key), Number(job.job_key));
    case 'submitted_pending':
      return `The worker on ${job.hostname} has taken it and has not begun it yet.`;
    case 'done':
      return job.outcome === 'success'
        ? 'It is done and succeeded.'
        : `It is done and failed with return code ${job.return_code} (${job.cause}).`;
    case 'canceled':
      return whyCanceled(tx, job);
    case 'terminated':
      return `torc stopped it before it had ended (${job.cause ?? 'no cause is known'}); a restart runs it again.`;
    case 'disabled':
      return 'It is disabled: no run takes it until it is reset.';
    default:
      return whySilent(tx, Number(job.job_key));
  }
}

/** Null while the worker is heard from. */
function whySilent(tx: Transaction, jobKey: number): string | null {
  const node = tx.db.get(
    `SELECT n.hostname, n.last_heartbeat_at FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
     WHERE j.job_key = ? AND n.contact_lost_at IS NOT NULL`,
    jobKey,
  );
  if (node === undefined) return null;
  return `It may run or not: its worker on ${node.hostname} was last heard from at ${instant(node.last_heartbeat_at)}.`;
}

function workflowFacts(tx: Transaction, workflowKey: number): Record<string, unknown> {
  const sql = 'SELECT phase, run_id, is_canceled, is_paused, is_stopping FROM workflows WHERE workflow_key = ?';
  return tx.db.get(sql, workflowKey) ?? {};
}

function whyUninitialized(tx: Transaction, workflowKey: number): string {
  return workflowFacts(tx, workflowKey).run_id === 0
    ? 'Its workflow is not started.'
    : 'It was reset and waits for a restart of its workflow.';
}

function whyBlocked(tx: Transaction, job: ListRecord, { unfinished }: WaitingFacts): string {
  const reasons: string[] = [];
  if (unfinished.total > 0) {
    const left = unfinished.total - unfinished.first.length;
    const more = left > 0 ? ` and ${left} more` : '';
    const jobs = unfinished.total === 1 ? 'job' : 'jobs';
    reasons.push(`It waits for ${unfinished.total} upstream ${jobs}: ${unfinished.first.join(', ')}${more}.`);
  }
  for (const hold of tx.db.all('SELECT kind, until FROM holds WHERE job_key = ? LIMIT 10', Number(job.job_key))) {
    reasons.push(`It is held back (${hold.kind})${hold.until === null ? '' : ` until ${instant(hold.until)}`}.`);
  }
  return reasons.length === 0 ? 'It is blocked.' : reasons.join(' ');
}

function instant(milliseconds: unknown): string | null {
  return isoInstant(milliseconds as number);
}

function whyCanceled(tx: Transaction, job: ListRecord): string {
  if (job.failed_upstream_key === null) {
    const isWhole = workflowFacts(tx, Number(job.workflow_key)).is_canceled === 1;
    return isWhole ? 'Its workflow was canceled by a person.' : 'It was canceled by a person.';
  }
  const upstream = tx.db.get('SELECT name, status FROM jobs WHERE job_key = ?', Number(job.failed_upstream_key));
  const name = upstream === undefined ? '' : ` ${JSON.stringify(upstream.name)}`;
  const end = upstream?.status === 'canceled' ? 'was canceled' : 'failed';
  return `It never ran because its upstream job ${job.failed_upstream_key}${name} ${end}.`;
}

interface Worker {
  hostname: string;
  numNodes: number;
  /** Of its allocation; null outside of one. */
  config: number | null;
  /** Without any job, and what is left of it now. */
  total: FreeNode;
  free: FreeNode;
}

function whyReady(tx: Transaction, workflowKey: number, jobKey: number): string {
  const workflow = workflowFacts(tx, workflowKey);
  if (workflow.phase !== 'started') return 'Its workflow is not started.';
  if (workflow.is_paused === 1) return 'It is ready, and its workflow is paused.';
  if (workflow.is_stopping === 1) return 'It is ready, and a restart that stops running jobs holds it back.';
  const { need, slurmConfigKey } = findShape(
    tx,
    tx.db.get('SELECT shape_key FROM jobs WHERE job_key = ?', jobKey)?.shape_key as number,
  );
  const all = activeWorkers(tx, workflowKey);
  const workers = all.workers.filter(({ config }) => mayTake(config, slurmConfigKey));
  if (workers.length === 0 && slurmConfigKey !== anyConfig) return whyRestricted(tx, workflowKey, slurmConfigKey);
  const tooWide = whyTooWide(tx, workflowKey, workers, need.numNodes);
  if (tooWide !== null) return tooWide;
  const { numSilent } = all;
  if (workers.length === 0) {
    return numSilent === 0
      ? 'It is ready, and no worker is there to run it.'
      : `It is ready, and its workers (${numSilent}) are not heard from.`;
  }
  return whyWaiting(workers, need);
}

function whyRestricted(tx: Transaction, workflowKey: number, slurmConfigKey: number): string {
  const row = tx.db.get('SELECT name FROM slurm_configs WHERE slurm_config_key = ?', slurmConfigKey);
  const command = `torc -k ${workflowKey} hpc slurm schedule-nodes -s ${slurmConfigKey} -n 1`;
  return `It is ready, only workers of Slurm config ${JSON.stringify(row?.name)} may take it, and none is there: ${command}`;
}

/** Null while a worker has enough nodes, or nothing is known of the workers to come. */
function whyTooWide(tx: Transaction, workflowKey: number, workers: readonly Worker[], numNodes: number): string | null {
  if (numNodes === 1 || workers.some((worker) => worker.numNodes >= numNodes)) return null;
  const sql = 'SELECT max(num_nodes) AS most FROM compute_nodes WHERE workflow_key = ?';
  const most = tx.db.get(sql, workflowKey)?.most as number | null;
  if (most === null || (workers.length === 0 && most >= numNodes)) return null;
  const had = workers.length === 0 ? 'no worker has had' : 'no worker has';
  const now = workers.length === 0 ? most : Math.max(...workers.map((worker) => worker.numNodes));
  return (
    `It needs ${numNodes} nodes, and ${had} more than ${now}: it takes an allocation of ${numNodes} nodes with one worker ` +
    'for all of them (torc hpc slurm add-config -n, schedule-nodes without -S).'
  );
}

function whyWaiting(workers: readonly Worker[], need: Requirements): string {
  const large = workers.filter(({ total }) => fits({ ...total, timeLeftMs: null }, need));
  if (large.length === 0) {
    const largest = workers.reduce((most, each) => (each.total.numCpus > most.total.numCpus ? each : most));
    const offer = { ...largest.total, numNodes: largest.numNodes };
    return `It asks for ${described(need)}, which no worker has; ${largest.hostname} has ${described(offer)}.`;
  }
  const lasting = large.filter(({ total }) => fitsTime(total.timeLeftMs, need));
  if (lasting.length === 0) {
    const longest = Math.max(...large.map(({ total }) => total.timeLeftMs ?? 0));
    const [needed, left] = [need.runtimeMs, longest].map((ms) => formatDuration(ms / 1000));
    return `It may run for ${needed}, and the allocations of its workers end in ${left} at the latest.`;
  }
  if (!lasting.some(({ free }) => fits(free, need))) {
    return `It is ready and waits until a worker has room for ${described(need)}.`;
  }
  return 'It is ready and waits for its turn.';
}

function described(size: { numCpus: number; memoryBytes: number; gpuThousandths: number; numNodes: number }): string {
  const gpus = size.gpuThousandths === 0 ? '' : `, ${size.gpuThousandths / 1000} GPUs`;
  const nodes = size.numNodes === 1 ? '' : ` on each of ${size.numNodes} nodes`;
  return `${size.numCpus} CPUs, ${formatMemory(size.memoryBytes)} of memory${gpus}${nodes}`;
}

/** Workers that could take a job, and how many are registered but silent. */
function activeWorkers(tx: Transaction, workflowKey: number): { workers: Worker[]; numSilent: number } {
  const rows = tx.db.all(
    `SELECT n.worker_id, n.hostname, n.contact_lost_at, l.expires_at FROM compute_nodes n
     LEFT JOIN allocations l ON l.allocation_key = n.allocation_key WHERE n.workflow_key = ? AND n.is_active = 1`,
    workflowKey,
  );
  const heard = rows.filter((row) => row.contact_lost_at === null);
  const workers = heard.flatMap((row) => {
    const node = findComputeNode(tx, row.worker_id as string);
    if (node === null) return [];
    const timeLeftMs = row.expires_at === null ? null : Math.max(0, (row.expires_at as number) - tx.now);
    const { hostname, numNodes } = node;
    const config = configOfWorker(tx, node);
    const total = idleWorker(node, timeLeftMs);
    return [{ hostname, numNodes, config, total, free: freeResources(tx, node, timeLeftMs) }];
  });
  return { workers, numSilent: rows.length - heard.length };
}
