/**
 * Every job that succeeded has left its own result value, and has been given those that its upstream jobs have now, unless
 * one of them ran again beside it.
 */
import { createHash } from 'node:crypto';
import type { Database } from '../../src/storage/database/database.ts';
import { resultOf } from './data-uses.ts';

interface Row {
  job_key: number;
  attempt_key: number;
  inputs_digest: string | null;
  result: string | null;
  return_code: number;
}

/** Broken rules, each as a sentence. */
export function brokenValues(db: Database): string[] {
  const rows = db.all<Row>(
    `SELECT j.job_key, a.attempt_key, a.inputs_digest, a.result, a.return_code FROM jobs j
     JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.status = 'done' AND a.cause NOT IN ('marked', 'inherited', 'max_wait')`,
  );
  return rows.flatMap(({ job_key, attempt_key, inputs_digest, result, return_code }) => {
    const left = return_code === 0 ? resultOf(attempt_key) : undefined;
    const expected = left === undefined ? null : JSON.stringify(left);
    if (result !== expected) return [`attempt ${attempt_key} left ${expected}, stored is ${result}`];
    const isAsNow = inputs_digest === digestOfUpstreams(db, job_key);
    return isAsNow || isBehind(db, job_key)
      ? []
      : [`attempt ${attempt_key} of job ${job_key} was given other values than there are`];
  });
}

/** The nodes before a job, through barriers. */
const near = `WITH RECURSIVE near (node) AS (SELECT upstream FROM edges WHERE downstream = ?
  UNION SELECT e.upstream FROM near JOIN edges e ON e.downstream = near.node WHERE near.node < 0)`;

/** Whether the last that was known of the upstream job when its consumer was claimed is that it is canceled, with or without an attempt. */
const wasCanceledBefore = `'canceled' IN (
  (SELECT c.new_status FROM events c WHERE c.job_key = u.job_key AND c.type = 'job_status'
    AND c.event_key < own.claim_event ORDER BY c.event_key DESC LIMIT 1),
  (SELECT p.end_status FROM attempts p WHERE p.job_key = u.job_key AND p.claim_event < own.claim_event
    ORDER BY p.attempt_key DESC LIMIT 1))`;

/**
 * Whether an upstream job has to run again, or has done so, after this one: a restart let it go on, or a restart or a job
 * marked as done brought back what the job was allowed to do without. The next restart sees that.
 */
function isBehind(db: Database, jobKey: number): boolean {
  const later = db.get(
    `${near} SELECT 1 FROM jobs j JOIN attempts own ON own.attempt_key = j.attempt_key
     JOIN jobs u ON u.job_key IN (SELECT node FROM near) LEFT JOIN attempts a ON a.attempt_key = u.attempt_key
     WHERE j.job_key = ? AND (u.status <> 'done' OR a.claim_event > own.claim_event) AND EXISTS (
       SELECT 1 FROM events e WHERE e.workflow_key = j.workflow_key AND e.event_key > own.claim_event
         AND (e.type = 'workflow_restarted' AND e.event_key < own.end_event
           OR e.type = 'workflow_restarted' AND ${wasCanceledBefore}
           OR e.type = 'jobs_marked' AND (u.status <> 'done' OR e.event_key < a.claim_event)))`,
    jobKey,
    jobKey,
  );
  return later !== undefined;
}

function digestOfUpstreams(db: Database, jobKey: number): string | null {
  const upstreams = db.all<{ name: string; result: string }>(
    `${near} SELECT j.name, a.result FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.job_key IN (SELECT node FROM near) AND j.status = 'done' AND a.result IS NOT NULL ORDER BY j.job_key`,
    jobKey,
  );
  if (upstreams.length === 0) return null;
  const text = upstreams.map(({ name, result }) => JSON.stringify([name, result])).join('');
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
