/** What a worker is given to run: its live attempts with all that it needs to know about their jobs. */
import type { AssignedFile, Assignment } from '../../api/contract.ts';
import { leastTimeMs } from '../../model/decide/time-left.ts';
import { amountsIn } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ComputeNode } from './compute-nodes.ts';
import { setLaunch } from './launch.ts';
import { withInputs } from './result-values.ts';
import { recoveryOf } from './retries.ts';
import { readShape } from './shapes.ts';
import { withUserData } from './user-data.ts';

/** A job that reads more files than this is not rerun when one of them changes. */
const mostAssignedFiles = 10_000;

type AssignmentRow = [
  attemptKey: number,
  attemptId: number,
  runId: number,
  gpuIndices: string | null,
  nodeIndices: string | null,
  jobKey: number,
  name: string,
  command: string,
  invocationScript: string | null,
  supportsTermination: number,
  recoveryAttemptKey: number | null,
  hasFiles: number,
  shapeKey: number,
];

/** Every live attempt of the worker above `ack`, with all that it needs to run it: what it was claimed with. */
export function assignmentsAbove(tx: Transaction, node: ComputeNode, ack: number): Assignment[] {
  const { computeNodeKey } = node;
  const rows = tx.db.allRows<AssignmentRow>(
    `SELECT a.attempt_key, a.attempt_id, a.run_id, a.gpu_indices, a.node_indices, j.job_key, j.name, j.command,
       j.invocation_script, j.supports_termination, j.recovery_attempt_key,
       EXISTS (SELECT 1 FROM job_files jf WHERE jf.job_key = j.job_key), coalesce(a.shape_key, j.shape_key)
     FROM attempts a JOIN jobs j ON j.job_key = a.job_key
     WHERE a.compute_node_key = ? AND a.is_occupying = 1 AND a.is_live = 1 AND a.attempt_key > ?
     ORDER BY a.attempt_key`,
    computeNodeKey,
    ack,
  );
  const assignments = rows.map((row) => assignment(tx, row));
  setTimeAtStart(tx, node, assignments);
  setLaunch(tx, node.workflowKey, assignments);
  return withInputs(tx, node.workflowKey, withUserData(tx, computeNodeKey, assignments));
}

function assignment(tx: Transaction, row: AssignmentRow): Assignment {
  const [attempt, attempt_id, run_id, gpuIndices, nodeIndices, jobKey, job_name, command, invocation_script] = row;
  const [, , , , , , , , , supportsTermination, recoveryAttemptKey, hasFiles, shapeKey] = row;
  const need = readShape(tx, shapeKey);
  const { numCpus, memoryBytes, isMemoryStated, runtimeMs, isRuntimeStated, expectedMs, resources } = need;
  const runtimeLimitMs = isRuntimeStated ? runtimeMs : null;
  const given: Assignment = {
    attempt,
    attempt_id,
    run_id,
    job_key: String(jobKey),
    job_name,
    command,
    invocation_script,
    num_cpus: numCpus,
    memory_bytes: memoryBytes,
    memory_limit_bytes: isMemoryStated ? memoryBytes : null,
    runtime_limit_ms: runtimeLimitMs,
    runtime_ms: expectedMs ?? runtimeLimitMs,
    gpu_indices: gpuIndices === null ? [] : (JSON.parse(gpuIndices) as number[]),
    supports_termination: supportsTermination === 1,
  };
  // most jobs have none of these
  if (nodeIndices !== null) given.node_indices = JSON.parse(nodeIndices) as number[];
  if (resources !== undefined) given.resources = amountsIn(resources);
  if (recoveryAttemptKey !== null) Object.assign(given, recovered(tx, jobKey));
  if (hasFiles === 1) given.files = assignedFiles(tx, jobKey);
  return given;
}

/** Jobs that support termination need not have all of their runtime left when they start. */
function setTimeAtStart(tx: Transaction, node: ComputeNode, assignments: Assignment[]): void {
  const some = assignments.filter((job) => job.supports_termination);
  if (some.length === 0) return;
  const sql = 'SELECT sigterm_lead_ms AS leadMs FROM workflows WHERE workflow_key = ?';
  const leastMs = leastTimeMs(tx.db.get<{ leadMs: number }>(sql, node.workflowKey)?.leadMs ?? 0, node.walltimeMs);
  for (const job of some) job.runtime_ms = job.runtime_ms === null ? null : Math.min(job.runtime_ms, leastMs);
}

function recovered(tx: Transaction, jobKey: number): Pick<Assignment, 'recovery'> {
  const recovery = recoveryOf(tx, jobKey);
  return recovery === null ? {} : { recovery };
}

/** The declared files of a job: all outputs, and the inputs unless there are too many to look at before each start. */
function assignedFiles(tx: Transaction, jobKey: number): AssignedFile[] {
  const rows = tx.db.all<{ file_key: number; path: string; is_output: number }>(
    `SELECT f.file_key, f.path, jf.is_output FROM job_files jf JOIN files f ON f.file_key = jf.file_key
     WHERE jf.job_key = ? ORDER BY jf.is_output DESC, f.file_key LIMIT ?`,
    jobKey,
    mostAssignedFiles + 1,
  );
  const shown = rows.length > mostAssignedFiles ? rows.filter((row) => row.is_output === 1) : rows;
  return shown.map((row) => ({
    file_key: row.file_key,
    path: row.path,
    is_output: row.is_output === 1,
  }));
}
