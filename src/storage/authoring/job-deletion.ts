/** Deletes jobs of a workflow that has not started. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { quoted } from '../../model/spec/names.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { forgetActionJob } from '../running/action-triggers.ts';
import { deleteHolds } from '../running/holds.ts';
import { deleteJobLaunch } from '../running/launch.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { deleteUpstreamOrder } from '../running/upstream-orders.ts';
import { getWorkflow } from '../running/workflows.ts';

/** How many jobs a reply lists at most, and how many names an event and an error. */
const repliedJobs = 1000;
const namedJobs = 100;
const shownDependents = 5;

/** Deletes jobs, with `cascade` all downstream jobs too; throws 'conflict' while others depend on them. */
export function deleteJobs(tx: Transaction, request: Request<'jobs_delete'>): Reply<'jobs_delete'> {
  const keys = [...new Set(request.job_keys.map(Number))].sort((a, b) => a - b);
  const workflowKey = workflowOf(tx, keys);
  const { jobs, barriers } = downstreamOf(tx, keys);
  if (!request.cascade) refuseDependents(tx, jobs, new Set(keys));
  const deleted = [...jobs].sort((a, b) => a - b);
  const names = deleted.slice(0, repliedJobs).map((jobKey) => ({ job_key: String(jobKey), name: nameOf(tx, jobKey) }));
  if (!request.dry_run) {
    for (const jobKey of deleted) deleteJob(tx, workflowKey, jobKey);
    deleteIdleBarriers(tx, barriers);
    forgetReadyJobs(tx, workflowKey);
    const data = { num_jobs: deleted.length, names: names.slice(0, namedJobs).map(({ name }) => name) };
    tx.event({ workflowKey, type: 'jobs_deleted', data });
  }
  return { dry_run: request.dry_run, workflow_key: String(workflowKey), num_jobs: deleted.length, jobs: names };
}

/** The one workflow of these jobs, which has not started. */
function workflowOf(tx: Transaction, jobKeys: readonly number[]): number {
  const workflows = new Set<number>();
  for (const jobKey of jobKeys) {
    const row = tx.db.get<{ workflow_key: number }>('SELECT workflow_key FROM jobs WHERE job_key = ?', jobKey);
    if (row === undefined) throw new TorcError('not_found', `there is no job ${jobKey}`, 'torc jobs list');
    workflows.add(row.workflow_key);
  }
  const [workflowKey = 0, ...others] = workflows;
  if (others.length > 0) {
    throw new TorcError(
      'usage',
      `these jobs belong to more than one workflow: ${[...workflows].join(', ')}`,
      'Choose jobs of one workflow.',
    );
  }
  const { phase } = getWorkflow(tx, workflowKey);
  if (phase === 'created') return workflowKey;
  throw new TorcError(
    'conflict',
    `workflow ${workflowKey} has started: its jobs have a history, which is kept`,
    `To keep a job from running: torc jobs disable ${jobKeys[0]}`,
  );
}

/** The jobs with all downstream jobs, and the barriers in between. */
function downstreamOf(tx: Transaction, jobKeys: readonly number[]): { jobs: Set<number>; barriers: Set<number> } {
  const nodes = new Set(jobKeys);
  const work = [...jobKeys];
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    const sql = 'SELECT downstream FROM edges WHERE upstream = ?';
    for (const { downstream: next } of tx.db.all<{ downstream: number }>(sql, node)) {
      if (!nodes.has(next)) work.push(next);
      nodes.add(next);
    }
  }
  const all = [...nodes];
  return { jobs: new Set(all.filter((node) => node > 0)), barriers: new Set(all.filter((node) => node < 0)) };
}

function refuseDependents(tx: Transaction, jobs: ReadonlySet<number>, named: ReadonlySet<number>): void {
  const dependents = [...jobs].filter((jobKey) => !named.has(jobKey)).sort((a, b) => a - b);
  if (dependents.length === 0) return;
  const shown = dependents.slice(0, shownDependents).map((key) => `${key} (${quoted(nameOf(tx, key))})`);
  throw new TorcError(
    'conflict',
    `${dependents.length === 1 ? '1 other job depends' : `${dependents.length} other jobs depend`} on these jobs: ${shown.join(', ')}${dependents.length > shownDependents ? ', ..' : ''}`,
    'Delete them too with --cascade.',
  );
}

function nameOf(tx: Transaction, jobKey: number): string {
  return tx.db.get<{ name: string }>('SELECT name FROM jobs WHERE job_key = ?', jobKey)?.name ?? '';
}

function deleteJob(tx: Transaction, workflowKey: number, jobKey: number): void {
  tx.db.run('DELETE FROM edges WHERE upstream = ? OR downstream = ?', jobKey, jobKey);
  tx.db.run('DELETE FROM job_files WHERE job_key = ?', jobKey);
  tx.db.run('DELETE FROM job_user_data WHERE job_key = ?', jobKey);
  tx.db.run('DELETE FROM job_attributes WHERE job_key = ?', jobKey);
  deleteJobLaunch(tx, jobKey);
  deleteUpstreamOrder(tx, jobKey);
  tx.db.run('DELETE FROM added_jobs WHERE job_key = ?', jobKey);
  deleteHolds(tx, jobKey);
  const row = tx.db.get<{ status: JobStatus; failed: number; resource_requirements_key: number | null }>(
    'DELETE FROM jobs WHERE job_key = ? RETURNING status, failed, resource_requirements_key',
    jobKey,
  );
  if (row === undefined) return;
  tx.db.run(
    'DELETE FROM resource_requirements WHERE resource_requirements_key = ? AND name IS NULL',
    row.resource_requirements_key,
  );
  forgetActionJob(tx, jobKey, row.status);
  tx.count(workflowKey, row.status, row.failed === 1, -1);
}

/** Everything that waited for these barriers was deleted, so nothing needs them. */
function deleteIdleBarriers(tx: Transaction, barriers: ReadonlySet<number>): void {
  for (const node of barriers) {
    tx.db.run('DELETE FROM edges WHERE downstream = ?', node);
    tx.db.run('DELETE FROM barriers WHERE barrier_key = ?', -node);
  }
}
