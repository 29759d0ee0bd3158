/**
 * Invariants of a stored state, as queries that return a row for each violation. They come in steps of a few
 * milliseconds (except for the integrity of a large table), so that others are served in between.
 */
import type { Problem } from '../../api/maintenance.ts';
import { jobStatuses } from '../../model/status.ts';
import type { Database } from './database.ts';

/** How many jobs or attempts one step looks at. */
const keysPerStep = 2_000;
/** How many problems one step lists at most; a database with more of them needs to be restored from a backup. */
const mostPerStep = 100;

export type SoundnessStep = () => Problem[];

/** Upstreams that hold a node back; a `terminated` one does, since it has not ended. */
const unfinished = `(SELECT count(*) FROM edges e
  LEFT JOIN jobs u ON u.job_key = e.upstream LEFT JOIN barriers b ON b.barrier_key = -e.upstream
  WHERE e.downstream = %NODE% AND (u.status NOT IN ('done', 'canceled', 'disabled') OR b.num_blockers > 0))`;
const failed = `(SELECT count(*) FROM edges e
  LEFT JOIN jobs u ON u.job_key = e.upstream LEFT JOIN barriers b ON b.barrier_key = -e.upstream
  WHERE e.downstream = %NODE%
    AND (u.status = 'canceled' OR u.status = 'done' AND u.failed = 1 OR b.num_failed_upstreams > 0))`;
const ofNode = (sql: string, node: string): string => sql.replaceAll('%NODE%', node);
const holds = '(SELECT count(*) FROM holds h WHERE h.job_key = j.job_key)';
const claimed = `('submitted', 'submitted_pending')`;
const liveAttempts = `(SELECT count(*) FROM attempts a
  WHERE a.workflow_key = j.workflow_key AND a.job_key = j.job_key AND a.is_live = 1)`;
const knownStatuses = `(${jobStatuses.map((status) => `'${status}'`).join(', ')})`;

/** Checks of the jobs in a range of keys: the condition that must not hold, and the words that report it. */
const jobChecks: readonly [condition: string, words: string][] = [
  [`j.status NOT IN ${knownStatuses}`, `'has the unknown status ' || j.status`],
  [
    `j.num_blockers <> ${ofNode(unfinished, 'j.job_key')} + ${holds}`,
    `'has num_blockers ' || j.num_blockers || ', which should be ' ||
      (${ofNode(unfinished, 'j.job_key')} + ${holds})`,
  ],
  [
    `j.num_failed_upstreams <> ${ofNode(failed, 'j.job_key')}`,
    `'has num_failed_upstreams ' || j.num_failed_upstreams || ', which should be ' ||
      ${ofNode(failed, 'j.job_key')}`,
  ],
  [`j.status = 'ready' AND j.num_blockers > 0`, `'is ready although it waits for other jobs'`],
  [`j.status = 'blocked' AND j.num_blockers = 0`, `'is blocked although it waits for nothing'`],
  [`j.status IN ${claimed} AND ${liveAttempts} = 0`, `'is ' || j.status || ' without a running attempt'`],
  [`j.status NOT IN ${claimed} AND ${liveAttempts} > 0`, `'is ' || j.status || ' although an attempt of it runs'`],
  [`${liveAttempts} > 1`, `'has ' || ${liveAttempts} || ' running attempts'`],
  [
    `j.status IN ${claimed} AND NOT EXISTS
      (SELECT 1 FROM attempts a WHERE a.attempt_key = j.attempt_key AND a.job_key = j.job_key AND a.is_live = 1)`,
    `'does not name its running attempt'`,
  ],
  ['NOT EXISTS (SELECT 1 FROM shapes s WHERE s.shape_key = j.shape_key)', `'has no stored resource requirements'`],
  [
    `EXISTS (SELECT 1 FROM edges e WHERE e.downstream = j.job_key
      AND NOT EXISTS (SELECT 1 FROM jobs u WHERE u.job_key = e.upstream)
      AND NOT EXISTS (SELECT 1 FROM barriers b WHERE b.barrier_key = -e.upstream))`,
    `'depends on a job that does not exist'`,
  ],
];
const jobQueries = jobChecks.map(
  ([condition, words]) =>
    `SELECT j.workflow_key, j.job_key, j.name AS job_name, ${words} AS words
     FROM jobs j JOIN workflows w ON w.workflow_key = j.workflow_key
     WHERE j.job_key > ? AND j.job_key <= ? AND w.phase NOT IN ('creating', 'deleting') AND (${condition})
     LIMIT ${mostPerStep}`,
);
const strayJobs = `SELECT j.workflow_key, j.job_key, j.name AS job_name, 'belongs to a workflow that does not exist' AS words
  FROM jobs j WHERE j.job_key > ? AND j.job_key <= ?
    AND NOT EXISTS (SELECT 1 FROM workflows w WHERE w.workflow_key = j.workflow_key) LIMIT ${mostPerStep}`;
const strayAttempts = `SELECT a.workflow_key, a.job_key, NULL AS job_name,
    'does not exist, but its attempt ' || a.attempt_id || ' of run ' || a.run_id || ' does' AS words
  FROM attempts a WHERE a.attempt_key > ? AND a.attempt_key <= ?
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = a.job_key) LIMIT ${mostPerStep}`;

/** Checks of the whole database at once: their tables are small, or an index makes them fast. */
const wholeQueries = [
  `SELECT g.workflow_key, 'group ' || g.barrier_key || ' of jobs has num_blockers ' || g.num_blockers ||
     ' and num_failed_upstreams ' || g.num_failed_upstreams || ', which should be ' || ${ofNode(unfinished, '-g.barrier_key')} ||
     ' and ' || ${ofNode(failed, '-g.barrier_key')} AS words
   FROM barriers g JOIN workflows w ON w.workflow_key = g.workflow_key
   WHERE w.phase NOT IN ('creating', 'deleting') AND (g.num_blockers <> ${ofNode(unfinished, '-g.barrier_key')}
     OR g.num_failed_upstreams <> ${ofNode(failed, '-g.barrier_key')}) LIMIT ${mostPerStep}`,
  `SELECT n.workflow_key, 'the jobs on ' || n.hostname || ' (compute node ' || n.compute_node_key ||
     ') use more than it has' AS words
   FROM compute_nodes n JOIN attempts a ON a.compute_node_key = n.compute_node_key
     AND a.is_occupying = 1 AND a.is_ahead = 0 AND a.num_nodes = 1
   GROUP BY n.compute_node_key HAVING sum(a.num_cpus) > n.num_cpus OR sum(a.memory_bytes) > n.memory_bytes
   LIMIT ${mostPerStep}`,
];

const countQuery = `SELECT c.workflow_key, 'the count of ' || c.status || ' jobs is ' || c.n || ', which should be ' || c.really AS words
  FROM (SELECT workflow_key, status, n, (SELECT count(*) FROM jobs j WHERE j.workflow_key = c.workflow_key
      AND j.status = c.status AND j.failed = c.failed) AS really FROM job_counts c WHERE workflow_key = ?) c
  WHERE c.n <> c.really`;

/** The steps of a complete check. Each throws the database's own error where the file is too damaged to be read. */
export function* soundnessSteps(db: Database): Generator<SoundnessStep> {
  for (const table of tableNames(db)) yield () => integrity(db, table);
  yield () => foreignKeys(db);
  for (const sql of wholeQueries) yield () => problems(db, sql);
  const created = `SELECT workflow_key FROM workflows WHERE phase <> 'creating'`;
  for (const { workflow_key: key } of db.all<{ workflow_key: number }>(created)) {
    yield () => problems(db, countQuery, key);
  }
  for (const [first, last] of ranges(db, 'jobs', 'job_key')) {
    yield () => [...jobQueries, strayJobs].flatMap((sql) => problems(db, sql, first, last));
  }
  for (const [first, last] of ranges(db, 'attempts', 'attempt_key')) {
    yield () => problems(db, strayAttempts, first, last);
  }
}

export function schemaVersion(db: Database): number {
  return db.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
}

export function countRows(db: Database, table: 'workflows' | 'jobs' | 'attempts'): number {
  return db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0;
}

function tableNames(db: Database): string[] {
  const sql = `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`;
  return db.all<{ name: string }>(sql).map(({ name }) => name);
}

function integrity(db: Database, table: string): Problem[] {
  const rows = db.all<{ integrity_check: string }>(`PRAGMA integrity_check("${table.replaceAll('"', '""')}")`);
  const words = rows.map((row) => row.integrity_check).filter((text) => text !== 'ok');
  return words.map((text) => ({ kind: 'damaged', ...nowhere, message: `table ${table}: ${text}` }));
}

function foreignKeys(db: Database): Problem[] {
  return db
    .all<{ table: string; rowid: number; parent: string }>('PRAGMA foreign_key_check')
    .map(({ table, rowid, parent }) => ({
      kind: 'inconsistent',
      ...nowhere,
      message: `row ${rowid} of ${table} refers to a row of ${parent} that does not exist`,
    }));
}

const nowhere = { workflow_key: null, job_key: null, job_name: null };

interface ProblemRow {
  workflow_key: number;
  /** Of problems of a job. */
  job_key?: number;
  job_name?: string | null;
  words: string;
}

function problems(db: Database, sql: string, ...values: unknown[]): Problem[] {
  return db.all<ProblemRow>(sql, ...values).map((row) => {
    const { job_key: jobKey, job_name: jobName = null } = row;
    const name = jobName === null ? '' : ` '${jobName}'`;
    const what = jobKey === undefined ? '' : `job ${jobKey}${name} `;
    return {
      kind: 'inconsistent',
      workflow_key: String(row.workflow_key),
      job_key: jobKey === undefined ? null : String(jobKey),
      job_name: jobName,
      message: `workflow ${row.workflow_key}: ${what}${row.words}`,
    };
  });
}

/** The keys of a table in ranges of `keysPerStep` rows; a restored database has wide gaps between its keys. */
function* ranges(db: Database, table: 'jobs' | 'attempts', key: string): Generator<[after: number, last: number]> {
  const sql = `SELECT max(${key}) AS last FROM (SELECT ${key} FROM ${table} WHERE ${key} > ? ORDER BY 1 LIMIT ${keysPerStep})`;
  for (let after = 0; ; ) {
    const last = db.get<{ last: number | null }>(sql, after)?.last ?? null;
    if (last === null) return;
    yield [after, last];
    after = last;
  }
}
