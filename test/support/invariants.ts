/** What must hold for the whole stored state after every step; each broken rule is a sentence. */

import type { Concurrency } from '../../src/model/decide/concurrency.ts';
import { isAllowed, type JobStatus, type Mover } from '../../src/model/status.ts';
import { stemOf } from '../../src/model/usage.ts';
import type { Database } from '../../src/storage/database/database.ts';
import { summedAttempts } from '../../src/storage/database/worker-times.ts';
import { definitions } from '../../src/storage/lists/list-definitions.ts';
import { activeComputeNodes } from '../../src/storage/running/active-compute-nodes.ts';
import { concurrency } from '../../src/storage/running/limits.ts';
import { readyQueues } from '../../src/storage/running/ready-jobs.ts';

interface JobRow {
  job_key: number;
  status: JobStatus;
  failed: number;
  num_blockers: number;
  num_failed_upstreams: number;
  attempt_key: number | null;
}

/** Nodes that nothing downstream waits for any more. `terminated` is not ended. */
const ended = new Set<JobStatus>(['done', 'canceled', 'disabled']);
const movers: Mover[] = [
  'start',
  'unblock',
  'cancel',
  'claim',
  'report',
  'retry',
  'restart',
  'reset',
  'disable',
  'hold',
  'loss',
  'mark',
  'expire',
  'import',
];

export function brokenInvariants(db: Database): string[] {
  const broken: string[] = [];
  const jobs = db.all(
    'SELECT job_key, status, failed, num_blockers, num_failed_upstreams, attempt_key FROM jobs',
  ) as unknown as JobRow[];
  const byKey = new Map(jobs.map((job) => [job.job_key, job]));
  const upstreams = new Map<number, number[]>();
  for (const { upstream, downstream } of db.all('SELECT * FROM edges')) {
    const list = upstreams.get(downstream as number) ?? [];
    list.push(upstream as number);
    upstreams.set(downstream as number, list);
  }
  const barriers = db.all('SELECT * FROM barriers');
  const hasEnded = (node: number): boolean => {
    const job = byKey.get(node);
    if (job !== undefined) return ended.has(job.status);
    return (upstreams.get(node) ?? []).every(hasEnded);
  };
  const hasFailed = (node: number): boolean => {
    const job = byKey.get(node);
    if (job !== undefined) return job.status === 'canceled' || (job.status === 'done' && job.failed === 1);
    return (upstreams.get(node) ?? []).some(hasFailed);
  };
  const count = (node: number, test: (upstream: number) => boolean) => (upstreams.get(node) ?? []).filter(test).length;

  const holds = new Map<number, number>();
  for (const hold of db.all<{ job_key: number }>('SELECT job_key FROM holds')) {
    holds.set(hold.job_key, (holds.get(hold.job_key) ?? 0) + 1);
  }
  for (const job of jobs) {
    const numHolds = holds.get(job.job_key) ?? 0;
    const unfinished = count(job.job_key, (upstream) => !hasEnded(upstream)) + numHolds;
    if (job.num_blockers !== unfinished) {
      broken.push(`job ${job.job_key}: counter ${job.num_blockers}, unfinished upstreams and holds ${unfinished}`);
    }
    const failed = count(job.job_key, hasFailed);
    if (job.num_failed_upstreams !== failed) {
      broken.push(`job ${job.job_key}: ${job.num_failed_upstreams} failed upstreams counted, there are ${failed}`);
    }
    if (job.status === 'ready' && unfinished > 0)
      broken.push(`job ${job.job_key} is ready although upstream jobs are unfinished`);
    if (job.status === 'blocked' && unfinished === 0)
      broken.push(`job ${job.job_key} is blocked but waits for nothing`);
  }
  for (const barrier of barriers) {
    const node = -(barrier.barrier_key as number);
    const unfinished = count(node, (upstream) => !hasEnded(upstream));
    if (barrier.num_blockers !== unfinished) {
      broken.push(`barrier ${node}: counter ${barrier.num_blockers}, unfinished upstreams ${unfinished}`);
    }
    const failed = count(node, hasFailed);
    if (barrier.num_failed_upstreams !== failed) {
      broken.push(`barrier ${node}: ${barrier.num_failed_upstreams} failed upstreams counted, there are ${failed}`);
    }
  }
  broken.push(...brokenActions(db));
  broken.push(...brokenAttempts(db, byKey), ...brokenCounts(db), ...brokenEvents(db), ...brokenCapacity(db));
  broken.push(
    ...brokenNodes(db),
    ...brokenHolds(db),
    ...brokenPauses(db),
    ...brokenLimits(db),
    ...brokenWaits(db),
    ...brokenRuns(db),
    ...brokenOrphans(db),
    ...brokenHistory(db),
    ...brokenQueues(db),
    ...brokenWorkerCounts(db),
    ...brokenConcurrency(db),
    ...brokenStems(db),
    ...brokenTimes(db),
  );
  return broken;
}

/**
 * A hold that ends by itself has its due row and belongs to a waiting job; a due row of a hold has its hold. No job that
 * is held can be claimed.
 */
function brokenHolds(db: Database): string[] {
  const broken = db
    .all(
      `SELECT h.hold_key, h.until, d.due_at, j.status FROM holds h LEFT JOIN jobs j USING (job_key)
       LEFT JOIN due d ON d.kind = 'hold' AND d.subject_key = h.hold_key
       WHERE h.until IS NOT d.due_at OR (h.kind = 'retry' AND j.status IS NOT 'blocked')
         OR j.status IS NULL OR j.status IN ('ready', 'submitted_pending', 'submitted')`,
    )
    .map((row) => `hold ${row.hold_key} until ${row.until} of a ${row.status} job is due at ${row.due_at}`);
  const stray = `SELECT * FROM due WHERE kind = 'hold' AND subject_key NOT IN (SELECT hold_key FROM holds)`;
  return [
    ...broken,
    ...db.all(stray).map((row) => `due row ${row.due_key} belongs to hold ${row.subject_key}, which is gone`),
  ];
}

/** The sums of each worker are those of its attempts that are no longer live. */
export function brokenTimes(db: Database): string[] {
  return db
    .all<Record<string, number>>(
      `WITH really AS (SELECT ${summedAttempts} FROM attempts a JOIN compute_nodes USING (compute_node_key)
         WHERE a.is_live = 0 AND a.started_at IS NOT NULL GROUP BY 1)
       SELECT compute_node_key, json_array(t.num_attempts, t.had_ms, t.used_ms) AS stored,
         json_array(r.num_attempts, r.had_ms, r.used_ms) AS really
       FROM worker_times t FULL JOIN really r USING (compute_node_key)
       WHERE coalesce(t.num_attempts, 0) <> coalesce(r.num_attempts, 0)
         OR coalesce(t.had_ms, 0) <> coalesce(r.had_ms, 0) OR coalesce(t.used_ms, 0) <> coalesce(r.used_ms, 0)`,
    )
    .map(
      ({ compute_node_key, stored, really }) => `worker ${compute_node_key} is stored as ${stored}, and is ${really}`,
    );
}

/** A job that is counted is counted once, by the form of its name and what it asks for now. */
function brokenStems(db: Database): string[] {
  const jobs = new Map<string, number>();
  for (const { name, stem, workflow_key, shape_key } of db.all<{ name: string; stem: string } & Record<string, number>>(
    `SELECT j.name, s.stem, j.workflow_key, j.shape_key FROM jobs j
       JOIN stems s ON s.stem_key = j.stem_key AND s.workflow_key = j.workflow_key`,
  )) {
    if (stem !== stemOf(name)) return [`the job ${name} is counted as ${stem}`];
    const id = `${workflow_key} ${stem} ${shape_key}`;
    jobs.set(id, (jobs.get(id) ?? 0) + 1);
  }
  const counted = db.all<{ id: string; n: number }>(
    `SELECT r.workflow_key || ' ' || s.stem || ' ' || r.shape_key AS id, r.num_jobs AS n
     FROM stem_requests r JOIN stems s ON s.stem_key = r.stem_key AND s.workflow_key = r.workflow_key
     WHERE r.num_jobs <> 0`,
  );
  const differences = counted.filter(({ id, n }) => jobs.get(id) !== n);
  const numStrays = db.all(
    `SELECT 1 FROM jobs WHERE stem_key NOT IN (SELECT stem_key FROM stems)
     UNION ALL SELECT 1 FROM stem_requests WHERE stem_key NOT IN (SELECT stem_key FROM stems)
     UNION ALL SELECT 1 FROM jobs j WHERE stem_key IS NULL
       AND (SELECT count(*) FROM stems s WHERE s.workflow_key = j.workflow_key) < 1000`,
  ).length;
  return [
    ...differences.map(({ id, n }) => `${n} jobs are counted as ${id}, there are ${jobs.get(id) ?? 0}`),
    ...(counted.length < jobs.size ? [`${jobs.size} forms and requests of jobs, ${counted.length} counted`] : []),
    ...(numStrays > 0 ? [`${numStrays} jobs or counts without a form of names`] : []),
  ];
}

/** The ready jobs that are kept in memory are those of the database, in claim order. */
function brokenQueues(db: Database): string[] {
  return [...db.mirrors.peek(readyQueues)].flatMap(([workflowKey, queues]) => {
    const stored = db.all<{ job_key: number }>(
      `SELECT j.job_key FROM jobs j JOIN shapes s USING (shape_key) WHERE j.workflow_key = ? AND j.status = 'ready'
       ORDER BY j.priority DESC, s.sort_rank, j.job_key`,
      workflowKey,
    );
    const walk = queues.walk();
    const known: number[] = [];
    for (let next = walk.peek(); next !== null; next = walk.peek()) {
      known.push(next.head.jobKey);
      walk.take();
    }
    const expected = stored.map((row) => row.job_key);
    if (known.join() === expected.join()) return [];
    return [`ready jobs of workflow ${workflowKey} in memory: ${known.join()}; stored: ${expected.join()}`];
  });
}

/** The workers that are counted in memory are those of the database. */
function brokenWorkerCounts(db: Database): string[] {
  return [...db.mirrors.peek(activeComputeNodes)].flatMap(([workflowKey, known]) => {
    const stored = activeComputeNodes.load(db, workflowKey);
    return known === stored ? [] : [`workers of workflow ${workflowKey} in memory: ${known}; stored: ${stored}`];
  });
}

/**
 * Every occupying attempt of a limited job counts, and nothing else does. What is kept in memory is what is stored. That no
 * claim goes beyond a limit is seen by the tests that know when it was lowered.
 */
function brokenConcurrency(db: Database): string[] {
  const broken = db
    .all(
      `SELECT a.attempt_key, a.limits, s.limits AS of_job FROM attempts a
         JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = j.shape_key
       WHERE a.is_live = 1 AND a.is_occupying = 1 AND coalesce(a.limits, '') <> s.limits`,
    )
    .map((row) => `counts towards other limits: ${JSON.stringify(row)}`);
  const known = db.mirrors.peek(concurrency).get(0);
  if (known === undefined) return broken;
  const stored = concurrency.load(db, 0);
  const asText = (state: Concurrency) =>
    db
      .all<{ workflow_key: number; name: string }>(
        `SELECT workflow_key, l.name FROM workflows,
           (SELECT '' AS name UNION SELECT name FROM limits) l ORDER BY 1, 2`,
      )
      .map(({ workflow_key: key, name }) => JSON.stringify([key, name, state.room(key, name)]))
      .join();
  if (asText(known) !== asText(stored)) broken.push(`limits in memory: ${asText(known)}; stored: ${asText(stored)}`);
  return broken;
}

/** Nothing is claimed while a workflow is paused. */
function brokenPauses(db: Database): string[] {
  return db
    .all(
      `SELECT a.attempt_key FROM attempts a JOIN workflows w USING (workflow_key)
       WHERE w.paused_at IS NOT NULL AND a.claim_event > (SELECT max(event_key) FROM events e
         WHERE e.workflow_key = w.workflow_key AND e.type = 'workflow_paused')`,
    )
    .map((row) => `attempt ${row.attempt_key} was claimed while its workflow is paused`);
}

/**
 * After the timeout of a run, or its last failure, nothing is claimed; then nothing waits either. A run has as many
 * failures as are counted.
 */
function brokenLimits(db: Database): string[] {
  const late = db.all(
    `SELECT a.attempt_key FROM attempts a JOIN workflows w USING (workflow_key)
     WHERE (w.has_timed_out = 1 OR w.has_failed_out = 1) AND a.claim_event > (SELECT max(event_key) FROM events e
       WHERE e.workflow_key = w.workflow_key AND e.type IN ('workflow_timed_out', 'max_failures_reached'))`,
  );
  const waiting = db.all(
    `SELECT j.job_key, j.status FROM jobs j JOIN workflows w USING (workflow_key)
     WHERE w.has_failed_out = 1 AND w.cancel_below IS NULL AND j.status IN ('ready', 'blocked')`,
  );
  const counts = db.all(
    `SELECT w.workflow_key, w.num_failures, w.max_failures FROM workflows w
     WHERE w.phase = 'started' AND w.ended_at IS NULL AND w.is_canceled = 0 AND w.has_timed_out = 0
       AND w.has_failed_out = 0 AND w.max_failures IS NOT NULL AND w.num_failures >= w.max_failures`,
  );
  const overdue = db.all(
    `SELECT w.workflow_key FROM workflows w LEFT JOIN due d ON d.kind = 'run_timeout' AND d.subject_key = w.workflow_key
     WHERE w.phase = 'started' AND w.has_timed_out = 0 AND w.is_canceled = 0 AND w.has_failed_out = 0
       AND (d.due_key IS NOT NULL) <> (w.timeout_ms IS NOT NULL AND w.ended_at IS NULL)`,
  );
  return [
    ...late.map(({ attempt_key }) => `attempt ${attempt_key} was claimed after its run was cut off`),
    ...waiting.map(({ job_key, status }) => `job ${job_key} is ${status} after the last failure of its run`),
    ...counts.map(
      (row) => `workflow ${row.workflow_key} goes on with ${row.num_failures} of ${row.max_failures} failures`,
    ),
    ...overdue.map(({ workflow_key }) => `the timeout of workflow ${workflow_key} has no due row, or one too many`),
  ];
}

/**
 * A ready job that may not wait for ever has its instant, and its workflow a due row that is not later; one that waited
 * too long never started, and not too little.
 */
function brokenWaits(db: Database): string[] {
  const unwatched = db.all(
    `SELECT j.job_key, j.expires_at, d.due_at FROM jobs j JOIN workflows w USING (workflow_key)
     LEFT JOIN due d ON d.kind = 'max_wait' AND d.subject_key = w.workflow_key
     WHERE j.status = 'ready' AND j.max_wait_ms IS NOT NULL AND (j.expires_at IS NULL OR (w.phase = 'started'
       AND w.is_canceled = 0 AND w.has_timed_out = 0 AND w.has_failed_out = 0 AND w.is_stopping = 0
       AND (d.due_at IS NULL OR d.due_at > j.expires_at)))`,
  );
  const wrong = db.all(
    `SELECT a.attempt_key FROM attempts a JOIN jobs j USING (job_key) WHERE a.cause = 'max_wait'
       AND (a.started_at IS NOT NULL OR a.return_code <> 153 OR a.ended_at - a.claimed_at < j.max_wait_ms)`,
  );
  return [
    ...unwatched.map(
      (row) => `job ${row.job_key} may wait until ${row.expires_at}, its workflow is due at ${row.due_at}`,
    ),
    ...wrong.map(({ attempt_key }) => `result ${attempt_key} is not of a job that waited too long`),
  ];
}

/**
 * A started run has ended exactly when no job is left that could still run without a person, and then its actions
 * fired, once.
 */
function brokenRuns(db: Database): string[] {
  const broken: string[] = [];
  for (const run of db.all<{ workflow_key: number; run_id: number; ended_at: number | null; active: number }>(
    `SELECT w.workflow_key, w.run_id, w.ended_at, (SELECT count(*) FROM jobs j WHERE j.workflow_key = w.workflow_key
         AND (j.status IN ('submitted', 'submitted_pending') OR (j.status = 'ready' AND w.has_timed_out = 0))
         AND NOT EXISTS (SELECT 1 FROM orphans o WHERE o.attempt_key = j.attempt_key AND o.is_left = 1))
       + (SELECT count(*) FROM holds h WHERE h.workflow_key = w.workflow_key AND h.until IS NOT NULL
         AND w.has_timed_out = 0)
       + (SELECT count(*) FROM holds h JOIN jobs j USING (job_key) WHERE h.workflow_key = w.workflow_key
         AND h.kind <> 'retry' AND w.has_timed_out = 0 AND j.status = 'blocked'
         AND j.num_blockers = (SELECT count(*) FROM holds o WHERE o.job_key = j.job_key)) AS active
     FROM workflows w WHERE w.phase = 'started' AND w.cancel_below IS NULL AND (w.is_stopping = 0 OR w.is_canceled = 1)`,
  )) {
    const name = `run ${run.run_id} of workflow ${run.workflow_key}`;
    if (run.active > 0 && run.ended_at !== null) broken.push(`${name} has ended but has ${run.active} active jobs`);
    if (run.active === 0 && run.ended_at === null) broken.push(`${name} has no active job but has not ended`);
  }
  for (const action of db.all<{ action_key: number }>(
    `SELECT a.action_key FROM actions a JOIN workflows w USING (workflow_key)
     WHERE a.trigger_type = 'on_workflow_complete' AND w.ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM action_firings f
       WHERE f.action_key = a.action_key AND f.run_id = w.run_id)
       AND EXISTS (SELECT 1 FROM events e WHERE e.workflow_key = w.workflow_key AND e.type = 'workflow_ended'
         AND json_extract(e.data, '$.run_id') = w.run_id)`,
  )) {
    broken.push(`action ${action.action_key} has not fired at the end of the run`);
  }
  for (const { workflow_key, run_id, n } of db.all<{ workflow_key: number; run_id: number; n: number }>(
    // an end that a recovery was to follow has not been announced
    `SELECT workflow_key, json_extract(data, '$.run_id') AS run_id, count(*) AS n FROM events e
     WHERE type = 'workflow_ended' AND json_extract(data, '$.status') <> 'restarted'
       AND coalesce((SELECT type FROM events n WHERE n.workflow_key = e.workflow_key AND n.event_key > e.event_key
         AND n.type IN ('workflow_ended', 'recovery_planned') ORDER BY n.event_key LIMIT 1), '') <> 'recovery_planned'
     GROUP BY 1, 2 HAVING n > 1`,
  )) {
    broken.push(`the end of run ${run_id} of workflow ${workflow_key} was told ${n} times`);
  }
  return broken;
}

/** Orphans are exactly the live attempts without a process. */
function brokenOrphans(db: Database): string[] {
  const orphans = db.all<{ attempt_key: number; is_orphan: number }>(
    `SELECT a.attempt_key, o.attempt_key IS NOT NULL AS is_orphan FROM attempts a LEFT JOIN orphans o USING (attempt_key)
     WHERE (a.is_live = 1 AND a.is_occupying = 0) <> (o.attempt_key IS NOT NULL)
     UNION ALL SELECT attempt_key, 1 FROM orphans WHERE attempt_key NOT IN (SELECT attempt_key FROM attempts)`,
  );
  return orphans.map(({ attempt_key, is_orphan }) =>
    is_orphan === 1
      ? `attempt ${attempt_key} is an orphan, but not live without a process`
      : `attempt ${attempt_key} is live without a process, but no orphan`,
  );
}

/** Each normal move of an attempt is in the history once, in the row that the attempt names. */
function brokenHistory(db: Database): string[] {
  return db
    .all<{ attempt_key: number; named: number; found: number }>(
      `WITH moves AS (SELECT e.event_key, CAST(m.value AS INTEGER) AS attempt_key, substr(m.value, -1) AS letter
         FROM events e CROSS JOIN json_each(e.data) m WHERE e.type = 'job_moves'),
       history AS (SELECT m.attempt_key, count(*) AS found, sum(m.event_key IS CASE m.letter
           WHEN 'c' THEN a.claim_event WHEN 's' THEN a.start_event ELSE a.end_event END) AS right_ones
         FROM moves m CROSS JOIN attempts a ON a.attempt_key = m.attempt_key GROUP BY 1)
       SELECT a.attempt_key, coalesce(h.found, 0) AS found,
         (a.claim_event IS NOT NULL) + (a.start_event IS NOT NULL) + (a.end_event IS NOT NULL) AS named
       FROM attempts a LEFT JOIN history h ON h.attempt_key = a.attempt_key
       WHERE named <> coalesce(h.found, 0) OR named <> coalesce(h.right_ones, 0)`,
    )
    .map((row) => `attempt ${row.attempt_key} names ${row.named} moves, the history has ${row.found}`);
}

function brokenActions(db: Database): string[] {
  const met: Record<string, string> = {
    on_jobs_ready: `j.status NOT IN ('uninitialized', 'blocked')`,
    on_jobs_complete: `j.status IN ('done', 'canceled', 'disabled')`,
  };
  const broken: string[] = [];
  for (const row of db.all('SELECT * FROM action_jobs WHERE job_key NOT IN (SELECT job_key FROM jobs)')) {
    broken.push(`action ${row.action_key} waits for job ${row.job_key}, which does not exist`);
  }
  for (const action of db.all('SELECT a.*, w.run_id FROM actions a JOIN workflows w USING (workflow_key)')) {
    const { action_key: key, run_id: runId } = action;
    const trigger = action.trigger_type as string;
    const numFirings = (run: unknown): unknown =>
      db.get('SELECT count(*) AS n FROM action_firings WHERE action_key = ? AND run_id = ?', key, run)?.n;
    // imported runs fire no actions
    const imported = db.get(
      `SELECT max(json_extract(data, '$.run_id')) AS run FROM events WHERE type = 'workflow_imported' AND workflow_key = ?`,
      action.workflow_key,
    );
    const firstRun = ((imported?.run as number | null) ?? 0) + 1;
    for (let run = firstRun; run <= (runId as number); run++) {
      const n = numFirings(run);
      if (trigger === 'on_workflow_start' && n !== 1) broken.push(`action ${key} fired ${n} times in run ${run}`);
    }
    const numJobs = db.get('SELECT count(*) AS n FROM action_jobs WHERE action_key = ?', key)?.n;
    if (action.num_jobs !== numJobs) broken.push(`action ${key} counts ${action.num_jobs} jobs, it has ${numJobs}`);
    const condition = met[trigger];
    if (condition === undefined) continue;
    const jobs = 'FROM action_jobs aj JOIN jobs j USING (job_key) LEFT JOIN attempts a USING (attempt_key)';
    const unmet = db.get(`SELECT count(*) AS n ${jobs} WHERE aj.action_key = ? AND NOT (${condition})`, key)?.n;
    if (action.num_unmet !== unmet)
      broken.push(`action ${key} counts ${action.num_unmet} jobs to wait for, there are ${unmet}`);
    // a job that was claimed in this run became ready in it, and if it is done it ended in it; one that was reset and
    // then canceled does not run any more, and no action waits when none of its jobs will run; a job that is retried, or
    // that kept running across the restart and came back by itself, may have become ready in the previous run
    const cameBack = `EXISTS (SELECT 1 FROM events e JOIN attempts p USING (attempt_key) WHERE e.job_key = j.job_key
      AND e.type = 'job_status' AND e.new_status = 'ready' AND p.run_id < a.run_id
      AND (p.is_loss = 1 OR e.old_status LIKE 'submitted%')
      AND e.event_key > (SELECT max(r.event_key) FROM events r
        WHERE r.workflow_key = j.workflow_key AND r.type = 'workflow_restarted'))`;
    const counted =
      trigger === 'on_jobs_ready'
        ? `j.status NOT IN ('canceled', 'disabled') AND j.num_retries = 0 AND NOT ${cameBack}`
        : `j.status = 'done'`;
    const hasMoved = db.get(
      `SELECT 1 ${jobs} WHERE aj.action_key = ? AND a.run_id = ? AND a.cause IS NOT 'marked' AND ${counted}`,
      key,
      runId,
    );
    if (unmet === 0 && hasMoved !== undefined && numFirings(runId) === 0 && (runId as number) >= firstRun) {
      broken.push(`action ${key} (${trigger}) has not fired in run ${runId}`);
    }
    if (action.is_persistent === 0 && (numFirings(runId) as number) > 1) broken.push(`action ${key} fired twice`);
  }
  return broken;
}

function brokenAttempts(db: Database, jobs: Map<number, JobRow>): string[] {
  const broken: string[] = [];
  const live = new Map<number, number>();
  for (const attempt of db.all('SELECT job_key, attempt_key FROM attempts WHERE is_live = 1')) {
    const jobKey = attempt.job_key as number;
    if (live.has(jobKey)) broken.push(`job ${jobKey} has two live attempts`);
    live.set(jobKey, attempt.attempt_key as number);
  }
  for (const job of jobs.values()) {
    const isClaimed = job.status === 'submitted' || job.status === 'submitted_pending';
    if (isClaimed !== live.has(job.job_key))
      broken.push(`job ${job.job_key} is ${job.status}, live attempt: ${!isClaimed}`);
    if (isClaimed && live.get(job.job_key) !== job.attempt_key) broken.push(`job ${job.job_key} names another attempt`);
  }
  return broken;
}

function brokenCounts(db: Database): string[] {
  return db
    .all(
      `SELECT c.workflow_key, c.status, c.failed, c.n, (SELECT count(*) FROM jobs j
         WHERE j.workflow_key = c.workflow_key AND j.status = c.status AND j.failed = c.failed) AS really
       FROM job_counts c`,
    )
    .filter((row) => row.n !== row.really)
    .map((row) => `workflow ${row.workflow_key}: ${row.n} jobs counted as ${row.status}, there are ${row.really}`);
}

function brokenEvents(db: Database): string[] {
  const { columns, from, joins } = definitions.events;
  const selected = columns.map(({ name, sql = name }) => `${sql} AS ${name}`).join(', ');
  return db
    .all(
      `SELECT min(event_key) AS event_key, old_status, new_status FROM (SELECT ${selected} FROM ${from} ${joins})
       WHERE type = 'job_status' GROUP BY old_status, new_status`,
    )
    .filter((e) => !movers.some((by) => isAllowed(e.old_status as JobStatus, e.new_status as JobStatus, by)))
    .map((e) => `event ${e.event_key}: ${e.old_status} -> ${e.new_status} is not in the table`);
}

function brokenCapacity(db: Database): string[] {
  return db
    .all(
      `SELECT n.compute_node_key, n.num_cpus, n.memory_bytes, sum(a.num_cpus) AS cpus, sum(a.memory_bytes) AS memory
       FROM compute_nodes n JOIN attempts a ON a.compute_node_key = n.compute_node_key
         AND a.is_occupying = 1 AND a.is_ahead = 0 AND a.num_nodes = 1
       GROUP BY n.compute_node_key HAVING cpus > n.num_cpus OR memory > n.memory_bytes`,
    )
    .map((row) => `node ${row.compute_node_key} is overbooked: ${row.cpus} CPUs, ${row.memory} bytes`);
}

/**
 * No worker has occupying attempts on more nodes than it has, or on a whole node besides others. Those given ahead of
 * time wait in the worker until their node is free.
 */
function brokenNodes(db: Database): string[] {
  const broken: string[] = [];
  const occupied = new Map<string, number>();
  for (const row of db.all(
    `SELECT a.attempt_key, a.num_nodes, a.node_indices, a.compute_node_key, n.num_nodes AS has FROM attempts a JOIN compute_nodes n USING (compute_node_key)
     WHERE a.is_occupying = 1 AND a.is_ahead = 0`,
  )) {
    const [key, isWide] = [row.attempt_key, row.num_nodes !== 1];
    const nodes = row.node_indices === null ? [0] : (JSON.parse(row.node_indices as string) as number[]);
    if (nodes.length !== row.num_nodes) broken.push(`attempt ${key} has ${nodes.length} nodes of ${row.num_nodes}`);
    for (const node of nodes) {
      if (node < 0 || node >= (row.has as number)) broken.push(`attempt ${key} is on node ${node} of ${row.has}`);
      const place = `${row.compute_node_key} ${node}`;
      const neighbour = occupied.get(place);
      if (neighbour !== undefined && (isWide || neighbour > 1)) broken.push(`attempt ${key} is not alone on ${place}`);
      occupied.set(place, Math.max(neighbour ?? 0, row.num_nodes as number));
    }
  }
  return broken;
}
