/** Limits on jobs that run at once, as people set them and as jobs name them. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { type LimitSet, shared } from '../../model/decide/concurrency.ts';
import { labelSet } from '../../model/labels.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';
import { knowsLimit, limitsNow, storeLimit } from '../running/limits.ts';
import { getWorkflow } from '../running/workflows.ts';

/** The limits that a job names. Throws TorcError 'usage' for one that neither its workflow nor the directory has. */
export function limitSet(
  tx: Transaction,
  workflowKey: number,
  { name: job = '', limits = [] }: { name?: string; limits?: string[] | undefined },
): LimitSet {
  const set = labelSet(limits);
  for (const name of set === '' ? [] : set.split(',')) {
    if (!knowsLimit(tx, workflowKey, name)) throw unknownLimit(tx, workflowKey, job, name);
  }
  return set;
}

function unknownLimit(tx: Transaction, workflowKey: number, job: string, name: string): TorcError {
  const sql = 'SELECT DISTINCT name FROM limits WHERE workflow_key IN (?, ?)';
  const known = tx.db.all<{ name: string }>(sql, workflowKey, shared).map((row) => row.name);
  return new TorcError(
    'usage',
    `${job === '' ? 'a job' : `job ${quoted(job)}`} names the limit ${quoted(name)}, which neither its workflow nor this server directory has${didYouMean(name, known)}`,
    `Give the workflow one (limits: {${name}: 2}), or make one that counts the jobs of all workflows: torc limits set ${name} 2`,
  );
}

/** Sets a limit, or with `maximum` null deletes it (TorcError 'not_found'); tells the workflows that it concerns. */
export function changeLimit(
  tx: Transaction,
  { name, workflow_key, maximum }: Request<'limit_delete'> & { maximum: number | null },
): Reply<'limit_set'> {
  const workflowKey = workflow_key === null ? shared : getWorkflow(tx, Number(workflow_key)).workflowKey;
  const numRunning = runningUnder(tx, workflowKey, name);
  const before = limitsNow(tx).maximum(workflowKey, name);
  if (before === null && maximum === null) throw noLimit(tx, workflowKey, name);
  if (before !== maximum) {
    storeLimit(tx, { workflowKey, name, maximum });
    const data = { name, shared: workflowKey === shared, old_maximum: before, maximum };
    const concerned = workflowKey === shared ? workflowsUnder(tx, name) : [workflowKey];
    for (const key of concerned) tx.event({ workflowKey: key, type: 'limit_changed', data });
  }
  return {
    name,
    workflow_key,
    old_maximum: before,
    maximum,
    num_running: numRunning ?? runningUnder(tx, workflowKey, name) ?? 0,
  };
}

function noLimit(tx: Transaction, workflowKey: number, name: string): TorcError {
  const sql = 'SELECT name FROM limits WHERE workflow_key = ?';
  const known = tx.db.all<{ name: string }>(sql, workflowKey).map((row) => row.name);
  const isShared = workflowKey === shared;
  return new TorcError(
    'not_found',
    `${isShared ? 'this server directory' : `workflow ${workflowKey}`} has no limit ${quoted(name)}${didYouMean(name, known)}`,
    isShared ? 'torc limits list; one of a workflow is deleted with -k KEY' : `torc limits list -k ${workflowKey}`,
  );
}

/** How many jobs count towards a limit; null without one. */
function runningUnder(tx: Transaction, workflowKey: number, name: string): number | null {
  if (limitsNow(tx).maximum(workflowKey, name) === null) return null;
  const running = limitsNow(tx).state(workflowKey, name)?.running ?? [];
  return running.reduce((sum, { numRunning }) => sum + numRunning, 0);
}

/** Workflows that go on and have jobs that a shared limit counts. */
function workflowsUnder(tx: Transaction, name: string): number[] {
  const sql = `SELECT DISTINCT s.workflow_key AS key FROM shapes s JOIN workflows w ON w.workflow_key = s.workflow_key
     WHERE s.limits <> '' AND instr(',' || s.limits || ',', ?) > 0 AND w.phase = 'started' AND w.ended_at IS NULL
     ORDER BY 1`;
  const keys = tx.db.all<{ key: number }>(sql, `,${name},`).map(({ key }) => key);
  return keys.filter((key) => limitsNow(tx).maximum(key, name) === null);
}

/** The limits that count the jobs of a workflow, or all shared ones. */
export function listLimits(tx: Transaction, { workflow_key }: Request<'limits_list'>): Reply<'limits_list'> {
  const workflowKey = workflow_key === null ? shared : getWorkflow(tx, Number(workflow_key)).workflowKey;
  const rows = tx.db.all<{ key: number; name: string; maximum: number }>(
    `SELECT max(workflow_key) AS key, name, maximum FROM limits WHERE workflow_key IN (?, ?) GROUP BY name ORDER BY name`,
    workflowKey,
    shared,
  );
  const limits = rows.map(({ key, name, maximum }) => {
    const running = limitsNow(tx).state(key, name)?.running ?? [];
    return {
      name,
      workflow_key: key === shared ? null : String(key),
      maximum,
      num_running: running.reduce((sum, { numRunning }) => sum + numRunning, 0),
      workflows: running.map((each) => ({ workflow_key: String(each.workflowKey), num_running: each.numRunning })),
    };
  });
  return { limits };
}
