/** Why a single job does not run: from its status, and for a waiting job from its row of the demand. */
import type { ListRecord } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { reasonsOf, type WaitingJob, type WaitingStatus, waitingStatuses } from '../../model/decide/demand.ts';
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import type { Reason } from '../../model/decide/reason.ts';
import type { Transaction } from '../database/transaction.ts';
import { findShape } from '../running/shapes.ts';
import { readSituation } from './situation.ts';

export interface JobFacts {
  /** Of a job that lost its worker. */
  diagnosis: Diagnosis | null;
  /** How many have not ended, and the first of them. */
  upstreams: { total: number; first: { job_key: string; name: string; status: string }[] };
  isServed: boolean;
}

/** All reasons for a row of the list of jobs, the nearest first; none while it runs. */
export function reasonsOfJob(tx: Transaction, job: ListRecord, facts: JobFacts): Reason[] {
  if (job.orphaned === true) return [{ code: 'lost', explanation: facts.diagnosis?.explanation ?? null }];
  const status = waitingStatuses.find((each) => each === job.status);
  if (status !== undefined) {
    const situation = readSituation(tx, Number(job.workflow_key), facts.isServed);
    return reasonsOf(waitingJob(tx, Number(job.job_key), status, facts), situation);
  }
  return otherReasons(tx, job);
}

function waitingJob(tx: Transaction, jobKey: number, status: WaitingStatus, { upstreams }: JobFacts): WaitingJob {
  const job = tx.db.get<{ shape_key: number }>('SELECT shape_key FROM jobs WHERE job_key = ?', jobKey);
  const { need, slurmConfigKey, labels, supportsTermination, limits } = findShape(tx, job?.shape_key ?? 0);
  return {
    status,
    need,
    slurmConfigKey,
    labels,
    supportsTermination,
    limits,
    upstreams: upstreams.total === 0 ? null : upstreams,
    holds: tx.db.all<WaitingJob['holds'][number]>(
      `SELECT kind, CASE WHEN count(*) = count(until) THEN max(until) END AS until, max(detail) AS detail
       FROM holds WHERE job_key = ? GROUP BY kind ORDER BY kind`,
      jobKey,
    ),
  };
}

function otherReasons(tx: Transaction, job: ListRecord): Reason[] {
  const { hostname, return_code, cause } = job as Record<string, string | null> & { return_code: number | null };
  switch (job.status) {
    case 'submitted_pending':
      return [{ code: 'claimed', hostname: hostname ?? null }];
    case 'done':
      if (job.outcome === 'success') return [{ code: 'succeeded' }];
      return [{ code: job.outcome === 'forgiven' ? 'forgiven' : 'failed', return_code, cause: cause ?? null }];
    case 'terminated':
      return [{ code: 'terminated', cause: cause ?? null }];
    case 'disabled':
      return [{ code: 'disabled' }];
    case 'canceled':
      return [reasonOfCancel(tx, job)];
    default:
      return silence(tx, Number(job.job_key));
  }
}

function reasonOfCancel(tx: Transaction, { job_key, workflow_key, failed_upstream_key }: ListRecord): Reason {
  if (failed_upstream_key === null) {
    const cutOff = failuresBefore(tx, Number(job_key));
    if (cutOff !== null) return cutOff;
    const sql = 'SELECT is_canceled FROM workflows WHERE workflow_key = ?';
    const isWhole = tx.db.get<{ is_canceled: number }>(sql, Number(workflow_key))?.is_canceled === 1;
    return { code: isWhole ? 'workflow_canceled' : 'canceled_by_person' };
  }
  const upstream = tx.db.get<{ name: string; status: string }>(
    'SELECT name, status FROM jobs WHERE job_key = ?',
    Number(failed_upstream_key),
  );
  const end = upstream?.status === 'canceled' ? 'canceled' : 'failed';
  return { code: 'upstream_failed', job_key: String(failed_upstream_key), name: upstream?.name ?? null, end };
}

/** The reason of a job that was canceled because its run had too many failures; null for any other one. */
function failuresBefore(tx: Transaction, jobKey: number): Reason | null {
  const row = tx.db.get<{ reason: string | null; max_failures: number | null }>(
    `SELECT json_extract(data, '$.reason') AS reason, json_extract(data, '$.max_failures') AS max_failures
     FROM events WHERE job_key = ? AND new_status = 'canceled' ORDER BY event_key DESC LIMIT 1`,
    jobKey,
  );
  return row?.reason === 'max_failures' ? { code: 'max_failures', max_failures: row.max_failures } : null;
}

/** Of a running job: none while its worker is responding. */
function silence(tx: Transaction, jobKey: number): Reason[] {
  const node = tx.db.get<{ hostname: string; last_heartbeat_at: number }>(
    `SELECT n.hostname, n.last_heartbeat_at FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
     WHERE j.job_key = ? AND n.contact_lost_at IS NOT NULL`,
    jobKey,
  );
  if (node === undefined) return [];
  const last_heartbeat = isoInstant(node.last_heartbeat_at) as string;
  return [{ code: 'worker_silent', hostname: node.hostname, last_heartbeat }];
}
