/** Deletes a workflow with everything that belongs to it, and what an interrupted creation left behind. */
import { TorcError } from '../../base/errors.ts';
import { jobsPerStep } from '../database/steps.ts';
import type { Transaction } from '../database/transaction.ts';
import { forgetActiveComputeNodes } from '../running/active-compute-nodes.ts';
import { deleteHolds } from '../running/holds.ts';
import { deleteJobLaunch } from '../running/launch.ts';
import { deleteLimits } from '../running/limits.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { forgetWorkflowOfTick } from '../running/ticks.ts';
import { deleteUpstreamOrder } from '../running/upstream-orders.ts';
import { getWorkflow } from '../running/workflows.ts';
import { claimedJobs } from '../runs/claimed-jobs.ts';

/** How many jobs and results a delete removes; refuses with 'conflict' while jobs run. */
export function planDelete(tx: Transaction, workflowKey: number): { numJobs: number; numResults: number } {
  const workflow = getWorkflow(tx, workflowKey);
  const running = claimedJobs(tx, workflowKey).filter((job) => job.process !== 'gone').length;
  if (running > 0) {
    throw new TorcError(
      'conflict',
      `${running === 1 ? '1 job is' : `${running} jobs are`} running in workflow ${workflowKey} (${workflow.name})`,
      `torc workflows cancel ${workflowKey}`,
    );
  }
  const count = (sql: string): number => tx.db.get<{ n: number }>(sql, workflowKey)?.n ?? 0;
  return {
    numJobs: count('SELECT count(*) AS n FROM jobs WHERE workflow_key = ?'),
    numResults: count('SELECT count(*) AS n FROM attempts WHERE workflow_key = ? AND cause IS NOT NULL'),
  };
}

/** Begins a delete. An event that says who deleted what is all that stays. */
export function beginDelete(tx: Transaction, workflowKey: number, plan: { numJobs: number; numResults: number }): void {
  const { name } = getWorkflow(tx, workflowKey);
  const data = { name, num_jobs: plan.numJobs, num_results: plan.numResults };
  tx.event({ workflowKey, type: deletedEvent, data });
  tx.db.run(`UPDATE workflows SET phase = 'deleting', identity_hash = NULL WHERE workflow_key = ?`, workflowKey);
}

const deletedEvent = 'workflow_deleted';

/** Whether there was a workflow with this key, which a person deleted. */
export function wasDeleted(tx: Transaction, workflowKey: number): boolean {
  const sql = 'SELECT 1 FROM events WHERE workflow_key = ? AND type = ?';
  return tx.db.get(sql, workflowKey, deletedEvent) !== undefined;
}

/** One step of a delete, which also drops what a creation left behind. Returns whether it was the last one. */
export function deleteStep(tx: Transaction, workflowKey: number): boolean {
  const sql = 'SELECT job_key FROM jobs WHERE workflow_key = ? LIMIT ?';
  const jobs = tx.db.all<{ job_key: number }>(sql, workflowKey, jobsPerStep);
  for (const { job_key: jobKey } of jobs) {
    tx.db.run('DELETE FROM edges WHERE upstream = ? OR downstream = ?', jobKey, jobKey);
    tx.db.run('DELETE FROM job_files WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM job_user_data WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM attempts WHERE workflow_key = ? AND job_key = ?', workflowKey, jobKey);
    tx.db.run('DELETE FROM events WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM job_attributes WHERE job_key = ?', jobKey);
    deleteJobLaunch(tx, jobKey);
    deleteUpstreamOrder(tx, jobKey);
    deleteHolds(tx, jobKey);
    tx.db.run('DELETE FROM action_jobs WHERE job_key = ?', jobKey);
    tx.db.run('DELETE FROM jobs WHERE job_key = ?', jobKey);
  }
  forgetReadyJobs(tx, workflowKey);
  if (jobs.length === jobsPerStep) return false;
  tx.db.run(
    'DELETE FROM attempt_gpus WHERE compute_node_key IN (SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ?)',
    workflowKey,
  );
  tx.db.run(
    'DELETE FROM worker_times WHERE compute_node_key IN (SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ?)',
    workflowKey,
  );
  // the nodes of barriers are their keys with a minus sign
  for (const side of ['upstream', 'downstream'] as const) {
    tx.db.run(
      `DELETE FROM edges WHERE ${side} IN (SELECT -barrier_key FROM barriers WHERE workflow_key = ?)`,
      workflowKey,
    );
  }
  deleteLimits(tx, workflowKey);
  forgetWorkflowOfTick(tx, workflowKey);
  for (const table of workflowTables) tx.db.run(`DELETE FROM ${table} WHERE workflow_key = ?`, workflowKey);
  forgetActiveComputeNodes(tx, workflowKey);
  tx.db.run('DELETE FROM events WHERE workflow_key = ? AND type <> ?', workflowKey, deletedEvent);
  return true;
}

const workflowTables = [
  'added_jobs',
  'barriers',
  'files',
  'user_data',
  'resource_requirements',
  'requirements_from_data',
  'failure_handlers',
  'shapes',
  'stems',
  'stem_requests',
  'job_counts',
  'drawings',
  'messages',
  'notifications',
  'action_firings',
  'actions',
  'slurm_configs',
  'allocations',
  'autoscalers',
  'compute_nodes',
  'due',
  'orphans',
  'recoveries',
  'runs',
  'usage',
  'workflows',
] as const;

/** Workflows that an interrupted creation or deletion left behind. */
export function leftoverWorkflows(tx: Transaction): number[] {
  return tx.db
    .all<{ workflow_key: number }>(`SELECT workflow_key FROM workflows WHERE phase IN ('creating', 'deleting')`)
    .map((row) => row.workflow_key);
}
