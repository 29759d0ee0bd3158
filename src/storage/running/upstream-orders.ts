/** The order in which jobs declare what they wait for. Stored only where it is not the order of the jobs' keys. */
import type { Transaction } from '../database/transaction.ts';

/** Runs of successive keys: the first key and how many there are. */
export type KeyRun = readonly [first: number, count: number];

export function storeUpstreamOrder(tx: Transaction, jobKey: number, runs: readonly KeyRun[]): void {
  tx.db.run(
    'INSERT INTO upstream_orders (job_key, runs) VALUES (?, ?) ON CONFLICT (job_key) DO NOTHING',
    jobKey,
    JSON.stringify(runs.map(([first, count]) => [first - jobKey, count])),
  );
}

/** The keys as runs in their order; null when they ascend. */
export function runsUnlessAscending(keys: readonly number[]): KeyRun[] | null {
  if (keys.every((key, at) => at === 0 || key > (keys[at - 1] as number))) return null;
  const runs: [number, number][] = [];
  for (const key of keys) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === key) last[1] += 1;
    else runs.push([key, 1]);
  }
  return runs;
}

/** Upstream jobs, which are given in the order of their keys, as their job declares them; later ones come last. */
export function inDeclaredOrder<T extends { jobKey: number }>(tx: Transaction, jobKey: number, jobs: T[]): T[] {
  const sql = 'SELECT runs FROM upstream_orders WHERE job_key = ?';
  const stored = tx.db.get<{ runs: string }>(sql, jobKey);
  if (stored === undefined) return jobs;
  const present = new Map(jobs.map((job) => [job.jobKey, job]));
  const ordered: T[] = [];
  for (const [first, count] of JSON.parse(stored.runs) as [number, number][]) {
    for (let key = jobKey + first; key < jobKey + first + count; key++) {
      const job = present.get(key);
      if (job !== undefined) ordered.push(job);
      present.delete(key);
    }
  }
  return [...ordered, ...present.values()];
}

/** Whether a job declares its upstream jobs in an order other than that of their keys. */
export function hasUpstreamOrder(tx: Transaction, jobKey: number): boolean {
  return tx.db.get('SELECT 1 FROM upstream_orders WHERE job_key = ?', jobKey) !== undefined;
}

export function deleteUpstreamOrder(tx: Transaction, jobKey: number): void {
  tx.db.run('DELETE FROM upstream_orders WHERE job_key = ?', jobKey);
}
