/** Workers: one row for each worker process; closing one is final. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { StdioMode } from '../../model/expanded.ts';
import type { LabelSet } from '../../model/labels.ts';
import type { ResourceSet } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import { fireWorkerEnd, fireWorkerStart, type WorkerEnd } from './action-triggers.ts';
import { forgetActiveComputeNodes } from './active-compute-nodes.ts';
import { labelsAtHello, resourcesAtHello } from './pools.ts';

export interface ComputeNode {
  computeNodeKey: number;
  workerId: string;
  workflowKey: number;
  allocationKey: number | null;
  /** Null outside of Slurm. */
  slurmJobId: string | null;
  hostname: string;
  numNodes: number;
  /** These three are per node. */
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  /** Those that it was started with, and those of its Slurm config. */
  resources: ResourceSet;
  maxParallelJobs: number | null;
  /** Those that it was given, and those that every worker has by itself. */
  labels: LabelSet;
  takesUnlabelled: boolean;
  /** The whole time that it had when it started; null for no end. */
  walltimeMs: number | null;
  /** The workflow's setting when the worker started. */
  stdio: StdioMode;
  isActive: boolean;
  lastHeartbeatAt: number;
  contactLostAt: number | null;
}

type ComputeNodeRow = [
  computeNodeKey: number,
  workflowKey: number,
  allocationKey: number | null,
  slurmJobId: string | null,
  hostname: string,
  numNodes: number,
  numCpus: number,
  memoryBytes: number,
  numGpus: number,
  resources: ResourceSet,
  maxParallelJobs: number | null,
  labels: LabelSet,
  takesUnlabelled: number,
  walltimeMs: number | null,
  stdio: StdioMode,
  isActive: number,
  lastHeartbeatAt: number,
  contactLostAt: number | null,
];

/** The worker with this id, or null. */
export function findComputeNode(tx: Transaction, workerId: string): ComputeNode | null {
  const row = tx.db.row<ComputeNodeRow>(
    `SELECT compute_node_key, workflow_key, allocation_key, slurm_job_id, hostname, num_nodes, num_cpus, memory_bytes,
       num_gpus, resources, max_parallel_jobs, labels, takes_unlabelled, walltime_ms, stdio, is_active, last_heartbeat_at,
       contact_lost_at FROM compute_nodes WHERE worker_id = ?`,
    workerId,
  );
  if (row === undefined) return null;
  const [computeNodeKey, workflowKey, allocationKey, slurmJobId, hostname, numNodes, numCpus, memoryBytes] = row;
  const [, , , , , , , , numGpus, resources, maxParallelJobs, labels, takesUnlabelled, walltimeMs] = row;
  const [, , , , , , , , , , , , , , stdio, isActive, lastHeartbeatAt, contactLostAt] = row;
  return {
    computeNodeKey,
    workerId,
    workflowKey,
    allocationKey,
    slurmJobId,
    hostname,
    numNodes,
    numCpus,
    memoryBytes,
    numGpus,
    resources,
    maxParallelJobs,
    labels,
    takesUnlabelled: takesUnlabelled === 1,
    walltimeMs,
    stdio,
    isActive: isActive === 1,
    lastHeartbeatAt,
    contactLostAt,
  };
}

/** A worker that says in a request that its node cannot run as many jobs at a time as it said in its hello. */
export function limitedNode(
  node: ComputeNode,
  { max_parallel_jobs: most }: Pick<Request<'exchange'>, 'max_parallel_jobs'>,
): ComputeNode {
  if (most === undefined) return node;
  return { ...node, maxParallelJobs: Math.min(most, node.maxParallelJobs ?? Number.POSITIVE_INFINITY) };
}

/**
 * Registers a worker, or recognizes it after a repeated hello. `gone`: the same node of the same allocation already has
 * a worker with a higher restart count. Older workers of that node and allocation are closed. A second worker of the
 * same start is refused with TorcError 'conflict': the node's CPUs and memory would be given out twice.
 */
export function registerComputeNode(
  tx: Transaction,
  hello: Request<'worker_hello'>,
  stdio: StdioMode,
): ComputeNode | 'gone' {
  const known = findComputeNode(tx, hello.worker_id);
  if (known !== null) return known;
  if (hello.slurm_job_id !== null && !closePredecessors(tx, hello)) return 'gone';
  const workflowKey = Number(hello.workflow_key);
  const allocationKey = hello.allocation_key === null ? null : Number(hello.allocation_key);
  const { labels, takesUnlabelled } = labelsAtHello(tx, hello);
  const resources = resourcesAtHello(tx, hello);
  const walltimeMs = typeof hello.walltime_seconds === 'number' ? Math.round(hello.walltime_seconds * 1000) : null;
  const { key } = tx.db.run(
    `INSERT INTO compute_nodes (worker_id, workflow_key, allocation_key, hostname, boot_id, pid, cluster, slurm_job_id,
       restart_count, num_nodes, num_cpus, memory_bytes, num_gpus, max_parallel_jobs, working_directory, output_directory,
       start_ticks, walltime_ms, stdio, labels, takes_unlabelled, resources, enclosing_slurm_job_id,
       started_at, last_heartbeat_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    hello.worker_id,
    workflowKey,
    allocationKey,
    hello.hostname,
    hello.boot_id,
    hello.pid,
    hello.cluster,
    hello.slurm_job_id,
    hello.restart_count,
    hello.num_nodes ?? 1,
    hello.num_cpus,
    hello.memory_bytes,
    hello.num_gpus,
    hello.max_parallel_jobs,
    hello.working_directory,
    hello.output_directory,
    hello.start_ticks,
    walltimeMs,
    stdio,
    labels,
    takesUnlabelled ? 1 : 0,
    resources,
    hello.enclosing_slurm_job_id ?? null,
    tx.now,
    tx.now,
  );
  if (allocationKey !== null) {
    // an allocation that was submitted twice follows the Slurm job that it is known by
    tx.db.run(
      `UPDATE allocations SET status = 'running', ended_at = NULL, started_at = coalesce(started_at, ?),
         slurm_job_id = coalesce(slurm_job_id, ?), restart_count = max(restart_count, ?), absent_since = NULL,
         evidence = json_set(evidence, '$.isSettled', json('false'))
       WHERE allocation_key = ? AND coalesce(slurm_job_id, ?) IS ?`,
      tx.now,
      hello.slurm_job_id,
      hello.restart_count,
      allocationKey,
      hello.slurm_job_id,
      hello.slurm_job_id,
    );
    tx.tell({ kind: 'allocation_changed', workflowKey, allocationKey });
  }
  forgetActiveComputeNodes(tx, workflowKey);
  tx.tell({ kind: 'worker_joined', workflowKey, computeNodeKey: key });
  tx.event({ workflowKey, type: 'worker_started', data: { compute_node_key: String(key), hostname: hello.hostname } });
  fireWorkerStart(tx, { computeNodeKey: key, workflowKey });
  return {
    computeNodeKey: key,
    workerId: hello.worker_id,
    workflowKey,
    allocationKey,
    slurmJobId: hello.slurm_job_id,
    hostname: hello.hostname,
    numNodes: hello.num_nodes ?? 1,
    numCpus: hello.num_cpus,
    memoryBytes: hello.memory_bytes,
    numGpus: hello.num_gpus,
    resources,
    maxParallelJobs: hello.max_parallel_jobs,
    labels,
    takesUnlabelled,
    walltimeMs,
    stdio,
    isActive: true,
    lastHeartbeatAt: tx.now,
    contactLostAt: null,
  };
}

function closePredecessors(tx: Transaction, hello: Request<'worker_hello'>): boolean {
  const others = tx.db.all<{ compute_node_key: number; hostname: string; restart_count: number; is_active: number }>(
    `SELECT compute_node_key, hostname, restart_count, is_active FROM compute_nodes
     WHERE workflow_key = ? AND slurm_job_id = ? AND cluster IS ? AND allocation_key IS ?`,
    Number(hello.workflow_key),
    hello.slurm_job_id,
    hello.cluster,
    hello.allocation_key === null ? null : Number(hello.allocation_key),
  );
  if (others.some((other) => other.restart_count > hello.restart_count)) return false;
  const twin = others.find(
    (other) =>
      other.is_active === 1 && other.restart_count === hello.restart_count && other.hostname === hello.hostname,
  );
  if (twin !== undefined) {
    throw new TorcError(
      'conflict',
      `Slurm job ${hello.slurm_job_id} already has a worker on ${hello.hostname} (compute node ${twin.compute_node_key})`,
      'A worker uses the whole node. Schedule another allocation with torc hpc slurm schedule-nodes.',
    );
  }
  for (const other of others) {
    if (other.is_active === 1 && other.restart_count < hello.restart_count) {
      closeComputeNode(tx, other.compute_node_key, 'replaced by a requeued allocation');
    }
  }
  return true;
}

/** Closes a worker for good: its reports still count, but it gets no more work. */
export function closeComputeNode(
  tx: Transaction,
  computeNodeKey: number,
  reason: string,
  end: WorkerEnd = 'given_up',
): void {
  const row = tx.db.get<{
    workflow_key: number;
    hostname: string;
    allocation_key: number | null;
    slurm_job_id: string | null;
    restart_count: number;
  }>(
    `UPDATE compute_nodes SET is_active = 0, ended_at = ?, close_reason = ? WHERE compute_node_key = ? AND is_active = 1
     RETURNING workflow_key, hostname, allocation_key, slurm_job_id, restart_count`,
    tx.now,
    reason,
    computeNodeKey,
  );
  if (row === undefined) return;
  forgetActiveComputeNodes(tx, row.workflow_key);
  tx.tell({ kind: 'worker_stopping', computeNodeKey });
  tx.tell({ kind: 'worker_left', workflowKey: row.workflow_key, computeNodeKey });
  tx.event({
    workflowKey: row.workflow_key,
    type: 'worker_ended',
    data: { compute_node_key: String(computeNodeKey), hostname: row.hostname, reason },
  });
  fireWorkerEnd(tx, { computeNodeKey, workflowKey: row.workflow_key }, end);
  if (row.allocation_key === null) return;
  // what Slurm said while it ran is no longer so; its next answer has the end
  const { changes } = tx.db.run(
    `UPDATE allocations SET status = 'ended', ended_at = ?, slurm_reason = NULL,
       slurm_state = CASE WHEN json_extract(evidence, '$.isSettled') THEN slurm_state END
     WHERE allocation_key = ? AND slurm_job_id IS ? AND restart_count <= ?
       AND NOT EXISTS
       (SELECT 1 FROM compute_nodes n WHERE n.allocation_key = allocations.allocation_key
          AND n.slurm_job_id IS allocations.slurm_job_id AND n.is_active = 1)`,
    tx.now,
    row.allocation_key,
    row.slurm_job_id,
    row.restart_count,
  );
  if (changes === 0) return;
  tx.tell({ kind: 'allocation_changed', workflowKey: row.workflow_key, allocationKey: row.allocation_key });
}

/** Notes that a worker was heard from, and that it is back if it was silent. */
export function recordHeartbeat(tx: Transaction, node: ComputeNode): void {
  tx.db.run(
    'UPDATE compute_nodes SET last_heartbeat_at = ?, contact_lost_at = NULL WHERE compute_node_key = ?',
    tx.now,
    node.computeNodeKey,
  );
  if (node.contactLostAt === null) return;
  tx.event({
    workflowKey: node.workflowKey,
    type: 'worker_back',
    data: {
      compute_node_key: String(node.computeNodeKey),
      hostname: node.hostname,
      silent_seconds: Math.round((tx.now - node.lastHeartbeatAt) / 1000),
    },
  });
}
