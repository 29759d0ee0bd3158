/**
 * What must hold of a stored state, as queries that find what is broken: one row for each broken thing. They come in
 * steps that take some milliseconds each (but for the integrity of a large table), so that others are served in between.
 */
import type { Problem } from '../../api/maintenance.ts';
import { jobStatuses } from '../../model/status.ts';
import type { Database } from './database.ts';

/** Keys of jobs or attempts that one step looks at. */
const keysPerStep = 2_000;
/** Problems that one step names at most; a database with more of them needs its backup. */
const mostPerStep = 100;

export type SoundnessStep = () => Problem[];

/** An ended upstream no longer holds anything back; `terminated` is not ended. */
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

/** About the jobs of a range of keys in stored workflows: what is broken, and the sentence that says so. */
const jobChecks: readonly [condition: string, words: string][] = [
  [`j.status NOT IN ${knownStatuses}`, `'has the unknown status ' || j.status`],
  [
    `j.num_blockers <> ${ofNode(unfinished, 'j.job_key')} + ${holds}`,
    `'waits for ' || j.num_blockers || ' others by its counter; really it is ' ||
      (${ofNode(unfinished, 'j.job_key')} + ${holds})`,
  ],
  [
    `j.num_failed_upstreams <> ${ofNode(failed, 'j.job_key')}`,
    `'has ' || j.num_failed_upstreams || ' failed upstream jobs by its counter; really it is ' ||
      ${ofNode(failed, 'j.job_key')}`,
  ],
  [`j.status = 'ready' AND j.num_blockers > 0`, `'is ready although it waits for others'`],
  [`j.status = 'blocked' AND j.num_blockers = 0`, `'is blocked although it waits for nothing'`],
  [`j.status IN ${claimed} AND ${liveAttempts} = 0`, `'is ' || j.status || ' without a running attempt'`],
  [`j.status NOT IN ${claimed} AND ${liveAttempts} > 0`, `'is ' || j.status || ' although an attempt of it runs'`],
  [`${liveAttempts} > 1`, `'has ' || ${liveAttempts} || ' running attempts'`],
  [
    `j.status IN ${claimed} AND NOT EXISTS
      (SELECT 1 FROM attempts a WHERE a.attempt_key = j.attempt_key AND a.job_key = j.job_key AND a.is_live = 1)`,
    `'does not name its running attempt'`,
  ],
  ['NOT EXISTS (SELECT 1 FROM shapes s WHERE s.shape_key = j.shape_key)', `'has lost what it asks for'`],
  [
    `EXISTS (SELECT 1 FROM edges e WHERE e.downstream = j.job_key
      AND NOT EXISTS (SELECT 1 FROM jobs u WHERE u.job_key = e.upstream)
      AND NOT EXISTS (SELECT 1 FROM barriers b WHERE b.barrier_key = -e.upstream))`,
    `'depends on a job that is not there'`,
  ],
];
const jobQueries = jobChecks.map(
  ([condition, words]) =>
    `SELECT j.workflow_key, j.job_key, j.name AS job_name, ${words} AS words
     FROM jobs j JOIN workflows w ON w.workflow_key = j.workflow_key
     WHERE j.job_key > ? AND j.job_key <= ? AND w.phase NOT IN ('creating', 'deleting') AND (${condition})
     LIMIT ${mostPerStep}`,
);
const strayJobs = `SELECT j.workflow_key, j.job_key, j.name AS job_name, 'belongs to a workflow that is not there' AS words
  FROM jobs j WHERE j.job_key > ? AND j.job_key <= ?
    AND NOT EXISTS (SELECT 1 FROM workflows w WHERE w.workflow_key = j.workflow_key) LIMIT ${mostPerStep}`;
const strayAttempts = `SELECT a.workflow_key, a.job_key, NULL AS job_name,
    'is not there, but its attempt ' || a.attempt_id || ' of run ' || a.run_id || ' is' AS words
  FROM attempts a WHERE a.attempt_key > ? AND a.attempt_key <= ?
    AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.job_key = a.job_key) LIMIT ${mostPerStep}`;

/** About everything at once: there are few of these, or an index makes it fast. */
const wholeQueries = [
  `SELECT g.workflow_key, 'group ' || g.barrier_key || ' of jobs counts ' || g.num_blockers || ' unfinished and ' ||
     g.num_failed_upstreams || ' failed upstream jobs; really it is ' || ${ofNode(unfinished, '-g.barrier_key')} ||
     ' and ' || ${ofNode(failed, '-g.barrier_key')} AS words
   FROM barriers g JOIN workflows w ON w.workflow_key = g.workflow_key
   WHERE w.phase NOT IN ('creating', 'deleting') AND (g.num_blockers <> ${ofNode(unfinished, '-g.barrier_key')}
     OR g.num_failed_upstreams <> ${ofNode(failed, '-g.barrier_key')}) LIMIT ${mostPerStep}`,
  `SELECT n.workflow_key, 'the jobs on ' || n.hostname || ' (compute node ' || n.compute_node_key ||
     ') take more than it has' AS words
   FROM compute_nodes n JOIN attempts a ON a.compute_node_key = n.compute_node_key
     AND a.is_occupying = 1 AND a.is_ahead = 0 AND a.num_nodes = 1
   GROUP BY n.compute_node_key HAVING sum(a.num_cpus) > n.num_cpus OR sum(a.memory_bytes) > n.memory_bytes
   LIMIT ${mostPerStep}`,
];

const countQuery = `SELECT c.workflow_key, c.n || ' jobs are counted as ' || c.status || '; really it is ' || c.really AS words
  FROM (SELECT workflow_key, status, n, (SELECT count(*) FROM jobs j WHERE j.workflow_key = c.workflow_key
      AND j.status = c.status AND j.failed = c.failed) AS really FROM job_counts c WHERE workflow_key = ?) c
  WHERE c.n <> c.really`;

/** The steps of a whole check. Each throws the database's own error where the file is too damaged to be read. */
export function* soundnessSteps(db: Database): Generator<SoundnessStep> {
  for (const table of tableNames(db)) yield () => integrity(db, table);
  yield () => foreignKeys(db);
  for (const sql of wholeQueries) yield () => problems(db, sql);
  for (const { workflow_key: key } of db.all(`SELECT workflow_key FROM workflows WHERE phase <> 'creating'`)) {
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
  return db.get('PRAGMA user_version')?.user_version as number;
}

function tableNames(db: Database): string[] {
  return db.all(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`).map((row) => row.name as string);
}

function integrity(db: Database, table: string): Problem[] {
  const rows = db.all(`PRAGMA integrity_check("${table.replaceAll('"', '""')}")`);
  const words = rows.map((row) => String(row.integrity_check)).filter((text) => text !== 'ok');
  return words.map((text) => ({ kind: 'damaged', ...nowhere, message: `table ${table}: ${text}` }));
}

function foreignKeys(db: Database): Problem[] {
  return db.all('PRAGMA foreign_key_check').map(({ table, rowid, parent }) => ({
    kind: 'inconsistent',
    ...nowhere,
    message: `row ${rowid} of ${table} refers to a row of ${parent} that is not there`,
  }));
}

const nowhere = { workflow_key: null, job_key: null, job_name: null };

function problems(db: Database, sql: string, ...values: unknown[]): Problem[] {
  return db.all(sql, ...values).map((row) => {
    const name = row.job_name == null ? '' : ` '${row.job_name}'`;
    const what = row.job_key == null ? '' : `job ${row.job_key}${name} `;
    return {
      kind: 'inconsistent',
      workflow_key: String(row.workflow_key),
      job_key: row.job_key == null ? null : String(row.job_key),
      job_name: (row.job_name as string | undefined) ?? null,
      message: `workflow ${row.workflow_key}: ${what}${row.words}`,
    };
  });
}

/** The keys of a table in ranges of so many rows; a restored database has wide gaps between them. */
function* ranges(db: Database, table: 'jobs' | 'attempts', key: string): Generator<[after: number, last: number]> {
  const sql = `SELECT max(${key}) AS last FROM (SELECT ${key} FROM ${table} WHERE ${key} > ? ORDER BY 1 LIMIT ${keysPerStep})`;
  for (let after = 0; ; ) {
    const last = db.get(sql, after)?.last as number | null;
    if (last === null) return;
    yield [after, last];
    after = last;
  }
}
