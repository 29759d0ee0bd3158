/** One job's whole story: every attempt with its files, its events, what it waits for and why. */
import type { JobShown, RecordOf } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { reasonText } from '../../model/decide/reason-text.ts';
import { shownEnvironment } from '../../model/launch.ts';
import type { Transaction } from '../database/transaction.ts';
import { type JobFacts, reasonsOfJob } from '../demand/job-reasons.ts';
import { jobLaunch, workflowEnvironment } from '../running/launch.ts';
import { attempts } from './attempts.ts';
import { columns, type ListDefinition } from './columns.ts';
import { outcomeSql } from './definitions/jobs.ts';
import { definitions } from './list-definitions.ts';
import { lastRecords, readList } from './lists.ts';
import { type StoredAttempt, withPlace } from './log-places.ts';

/** Rows of each kind that a story holds at most. */
const mostRows = 1000;

/** The columns of jobs, and whether the job's limits were stated or are defaults. */
const story: ListDefinition = {
  ...definitions.jobs,
  columns: [
    ...definitions.jobs.columns,
    ...columns('flag', ['is_memory_stated', 's.is_memory_stated'], ['is_runtime_stated', 's.is_runtime_stated']),
  ],
};

/**
 * The upstream or downstream nodes of a job, through barriers: UNION keeps each once, so that no barrier is walked
 * twice. The CROSS JOIN after it keeps SQLite from scanning all jobs in the order of the result.
 */
const neighbours = {
  upstream: `WITH RECURSIVE near (node) AS (SELECT upstream FROM edges WHERE downstream = ?
    UNION SELECT e.upstream FROM near JOIN edges e ON e.downstream = near.node WHERE near.node < 0)`,
  downstream: `WITH RECURSIVE near (node) AS (SELECT downstream FROM edges WHERE upstream = ?
    UNION SELECT e.downstream FROM near JOIN edges e ON e.upstream = near.node WHERE near.node < 0)`,
} as const;

/** Everything about one job; `isServed`: whether this process answers workers. Throws TorcError 'not_found'. */
export function jobStory(tx: Transaction, jobKey: number, isServed: boolean): JobShown {
  const [job] = lastRecords<JobShown['job']>(tx.db, story, 'j.job_key = ?', [jobKey], 1);
  if (job === undefined) throw new TorcError('not_found', `there is no job ${jobKey}`, 'torc jobs list');
  const workflowKey = Number(job.workflow_key);
  const tries = lastRecords<StoredAttempt>(
    tx.db,
    attempts,
    'a.workflow_key = ? AND a.job_key = ?',
    [workflowKey, jobKey],
    mostRows,
  );
  const diagnosis = job.orphaned ? (tries.at(-1)?.diagnosis ?? null) : null;
  const upstream = jobsNear(tx, 'upstream', jobKey);
  const downstream = jobsNear(tx, 'downstream', jobKey);
  const { env, ...launch } = jobLaunch(tx, jobKey);
  const reasons = reasonsOfJob(tx, job, { diagnosis, upstreams: unfinishedUpstreams(tx, jobKey), isServed });
  return {
    job,
    why: reasons.length === 0 ? null : reasons.map((reason) => reasonText(reason, job.cause)).join(' '),
    reasons,
    diagnosis,
    attempts: tries.map(withPlace),
    events: eventsOf(tx, workflowKey, jobKey),
    input_files: filesOf(tx, jobKey, false),
    output_files: filesOf(tx, jobKey, true),
    input_user_data: userDataOf(tx, jobKey, false),
    output_user_data: userDataOf(tx, jobKey, true),
    upstream: upstream.jobs,
    num_upstream: upstream.total,
    downstream: downstream.jobs,
    num_downstream: downstream.total,
    env: shownEnvironment({ ...workflowEnvironment(tx, workflowKey), ...env }),
    launch,
  };
}

/** The newest events of a job, oldest first. */
function eventsOf(tx: Transaction, workflowKey: number, jobKey: number): RecordOf<'events'>[] {
  const filters = [{ column: 'job_key', value: String(jobKey) }];
  const request = { list: 'events', workflow_key: String(workflowKey), filters, sort_by: null, reverse: true } as const;
  return readList(tx.db, { ...request, filters, limit: mostRows, skip: 0 }).records.reverse() as RecordOf<'events'>[];
}

function filesOf(tx: Transaction, jobKey: number, isOutput: boolean): RecordOf<'files'>[] {
  const condition = 'file_key IN (SELECT file_key FROM job_files WHERE job_key = ? AND is_output = ?)';
  return lastRecords<RecordOf<'files'>>(tx.db, definitions.files, condition, [jobKey, isOutput ? 1 : 0], mostRows);
}

function userDataOf(tx: Transaction, jobKey: number, isOutput: boolean): RecordOf<'user_data'>[] {
  const condition = 'user_data_key IN (SELECT user_data_key FROM job_user_data WHERE job_key = ? AND is_output = ?)';
  return lastRecords<RecordOf<'user_data'>>(
    tx.db,
    definitions.user_data,
    condition,
    [jobKey, isOutput ? 1 : 0],
    mostRows,
  );
}

type Neighbour = JobShown['upstream'][number];

function jobsNear(
  tx: Transaction,
  direction: keyof typeof neighbours,
  jobKey: number,
): { jobs: Neighbour[]; total: number } {
  const near = neighbours[direction];
  const jobs = tx.db.all<Omit<Neighbour, 'job_key'> & { job_key: number }>(
    `${near} SELECT j.job_key, j.name, j.status, ${outcomeSql} AS outcome FROM near
     CROSS JOIN jobs j ON j.job_key = near.node LEFT JOIN attempts a ON a.attempt_key = j.attempt_key ORDER BY j.job_key LIMIT ?`,
    jobKey,
    mostRows,
  );
  const total =
    jobs.length < mostRows
      ? jobs.length
      : (tx.db.get<{ n: number }>(`${near} SELECT count(*) AS n FROM near WHERE node > 0`, jobKey)?.n ?? 0);
  return {
    jobs: jobs.map((row) => ({ ...row, job_key: String(row.job_key) })),
    total,
  };
}

/** How many upstream jobs have not ended, and the first of them. */
function unfinishedUpstreams(tx: Transaction, jobKey: number): JobFacts['upstreams'] {
  const rows = tx.db.all<{ job_key: number; name: string; status: string; total: number }>(
    `${neighbours.upstream} SELECT j.job_key, j.name, j.status, count(*) OVER () AS total
     FROM near CROSS JOIN jobs j ON j.job_key = near.node
     WHERE j.status NOT IN ('done', 'canceled', 'disabled') ORDER BY j.job_key LIMIT 3`,
    jobKey,
  );
  return {
    total: rows[0]?.total ?? 0,
    first: rows.map(({ job_key, name, status }) => ({ job_key: String(job_key), name, status })),
  };
}
