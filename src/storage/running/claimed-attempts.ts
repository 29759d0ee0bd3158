/** The attempts that a claim makes: a few statements for all jobs that a worker gets, instead of some for each. */
import { TorcError } from '../../base/errors.ts';
import type { Placement } from '../../model/decide/packing.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ComputeNode } from './compute-nodes.ts';
import { beginLimited } from './limits.ts';
import type { Shape } from './shapes.ts';
import { moveClaimed } from './transitions.ts';

type Placed = Placement<Shape>;

/** How many claims one row of the history takes at a time, so that it stays short. */
const mostTogether = 100;

/** The worker that claims jobs, the run, and whether the jobs are given ahead of time. */
export interface Claim {
  node: ComputeNode;
  runId: number;
  isAhead: boolean;
}

/** Claims jobs for a worker, in claim order: what each asks for is frozen in its attempt. */
export function recordClaims(tx: Transaction, claim: Claim, placements: readonly Placed[]): void {
  for (let at = 0; at < placements.length; at += mostTogether) {
    recordSome(tx, claim, placements.slice(at, at + mostTogether));
  }
}

/** Which GPUs and nodes of the worker they get are lists of texts in the order of the keys. */
const insertAttempts = `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, num_cpus,
    memory_bytes, gpu_thousandths, gpu_indices, num_nodes, node_indices, claimed_at, is_ahead, claim_event, limits,
    shape_key, resources)
  SELECT j.workflow_key, j.job_key, ?, 1 + coalesce((SELECT a.attempt_id FROM attempts a
      WHERE a.attempt_key = j.attempt_key AND a.run_id = ?), 0), ?, s.num_cpus, s.memory_bytes, s.gpu_thousandths,
    ? ->> k.key, s.num_nodes, ? ->> k.key, ?, ?, ?, nullif(s.limits, ''), s.shape_key, nullif(s.resources, '')
  FROM json_each(?) k CROSS JOIN jobs j ON j.job_key = k.value CROSS JOIN shapes s ON s.shape_key = j.shape_key
  ORDER BY k.key`;

function recordSome(tx: Transaction, { node, runId, isAhead }: Claim, placements: readonly Placed[]): void {
  const jobKeys = placements.map(({ jobKey }) => jobKey);
  const moves = tx.moves(node.workflowKey, jobKeys);
  const { changes, key } = tx.db.run(
    insertAttempts,
    runId,
    runId,
    node.computeNodeKey,
    listOf(placements, ({ gpuIndices }) => (gpuIndices.length === 0 ? null : gpuIndices)),
    listOf(placements, ({ need, nodeIndices }) => (need.numNodes > 1 ? nodeIndices : null)),
    tx.now,
    isAhead ? 1 : 0,
    moves.eventKey,
    JSON.stringify(jobKeys),
  );
  if (changes !== jobKeys.length) throw new TorcError('bug', 'not all jobs of a claim are stored');
  const firstAttempt = key - changes + 1;
  for (const [index, placement] of placements.entries()) {
    const attemptKey = firstAttempt + index;
    moves.add(attemptKey, 'c');
    takeGpus(tx, node, attemptKey, placement);
    beginLimited(tx, attemptKey, node.workflowKey, placement.shape.limits);
  }
  const claimed = placements.map(({ jobKey, shape }) => ({ jobKey, shapeKey: shape.shapeKey }));
  moveClaimed(tx, node.workflowKey, claimed, firstAttempt);
}

/** A JSON list of texts, each of which is a JSON list or null; null when all are. */
function listOf(placements: readonly Placed[], indicesOf: (placement: Placed) => readonly number[] | null) {
  const lists = placements.map(indicesOf);
  if (lists.every((list) => list === null)) return null;
  return JSON.stringify(lists.map((list) => (list === null ? null : JSON.stringify(list))));
}

function takeGpus(tx: Transaction, { computeNodeKey }: ComputeNode, attemptKey: number, { need, gpuIndices }: Placed) {
  // a whole node includes its GPUs
  if (need.numNodes > 1) return;
  for (const index of gpuIndices) {
    tx.db.run(
      'INSERT INTO attempt_gpus (compute_node_key, gpu_index, attempt_key, gpu_thousandths) VALUES (?, ?, ?, ?)',
      computeNodeKey,
      index,
      attemptKey,
      Math.min(need.gpuThousandths, 1000),
    );
  }
}
