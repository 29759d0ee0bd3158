// The rows of claims and completions written by SQLite alone, with the fewest statements, in the tables and with the indexes
// of torc: what a server cannot go below without writing less. Sends the processor time of each job to its parent.
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { createNoops } from './simulated.mjs';
import { inDirectory, openFresh } from './support.mjs';

const { numJobs, numWorkers, perExchange } = JSON.parse(process.argv[2]);

/** As many as the server takes at most. */
const reportsPerBatch = 1000;

const insertAttempts = `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, num_cpus,
    memory_bytes, gpu_thousandths, claimed_at, is_ahead, claim_event, shape_key)
  SELECT workflow_key, job_key, 1, 1, ?, 1, 1024, 0, ?, 1, ?, shape_key FROM json_each(?) k
    CROSS JOIN jobs ON job_key = k.value ORDER BY k.key`;
const claimJobs = `UPDATE jobs SET status = 'submitted_pending', attempt_key = ? + k.key FROM json_each(?) k
  WHERE job_key = k.value`;
const endAttempt = `UPDATE attempts SET is_live = 0, is_occupying = 0, end_event = ?, started_at = ?, ended_at = ?,
    end_status = 'done', return_code = 0, cause = 'success', exit_code = 0, exec_ms = ? WHERE attempt_key = ?`;
const endJobs = `UPDATE jobs SET status = 'done' WHERE job_key IN (SELECT value FROM json_each(?))`;
const insertEvent = `INSERT INTO events (at, workflow_key, type, data) VALUES (?, 1, 'job_moves', ?)`;

const cpu = await inDirectory(async (directory) => {
  const service = await openFresh(directory);
  await createNoops(service, numJobs);
  await service.close();
  const db = new Sqlite(join(directory, 'torc.db'));
  for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL', 'cache_size = -32768'])
    db.pragma(pragma);
  const jobKeys = db.prepare('SELECT job_key FROM jobs ORDER BY job_key').pluck().all();
  const before = process.cpuUsage();
  writeAll(db, jobKeys);
  const { user, system } = process.cpuUsage(before);
  db.close();
  return (user + system) / numJobs;
});
process.send(cpu, () => process.exit(0));

/** Each exchange ends what the worker got in its last one, and claims as much; a transaction has as many as of the server. */
function writeAll(db, jobKeys) {
  const [event, insert, claim, endOne, end] = [insertEvent, insertAttempts, claimJobs, endAttempt, endJobs].map((sql) =>
    db.prepare(sql),
  );
  const held = Array.from({ length: numWorkers }, () => ({ jobKeys: [], first: 0 }));
  const exchange = (worker, next) => {
    const now = Date.now();
    const last = held[worker];
    const moves = [...last.jobKeys, ...next].map((_, index) => `${last.first + index}u`);
    const eventKey = event.run(now, JSON.stringify(moves)).lastInsertRowid;
    for (const index of last.jobKeys.keys()) endOne.run(eventKey, now, now, 1, last.first + index);
    end.run(JSON.stringify(last.jobKeys));
    const keys = JSON.stringify(next);
    const first = Number(insert.run(worker + 1, now, eventKey, keys).lastInsertRowid) - next.length + 1;
    claim.run(first, keys);
    held[worker] = { jobKeys: next, first };
  };
  const perTransaction = Math.ceil(reportsPerBatch / perExchange);
  let [next, turn] = [0, 0];
  while (next < jobKeys.length || held.some((one) => one.jobKeys.length > 0)) {
    db.transaction(() => {
      for (let n = 0; n < perTransaction; n++, turn++, next += perExchange)
        exchange(turn % numWorkers, jobKeys.slice(next, next + perExchange));
    }).immediate();
  }
}
