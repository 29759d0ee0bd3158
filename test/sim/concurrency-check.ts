/**
 * No claim goes beyond a limit. Every attempt counts whose process may exist; what runs when a limit is lowered goes on, so
 * there may be as many as before, or as many as the limit was or is, whichever is most.
 */
import type { Database } from '../../src/storage/database/database.ts';

interface Seen {
  maximum: number;
  numRunning: number;
}

const limited = `SELECT l.name || ' of ' || l.workflow_key AS name, l.maximum, (SELECT count(*) FROM attempts a JOIN jobs j ON j.job_key = a.job_key
      JOIN shapes s ON s.shape_key = j.shape_key WHERE a.is_occupying = 1
        AND instr(',' || s.limits || ',', ',' || l.name || ',') > 0
        AND a.workflow_key = CASE l.workflow_key WHEN 0 THEN a.workflow_key ELSE l.workflow_key END) AS numRunning
    FROM limits l
  UNION ALL
  SELECT 'all of ' || w.workflow_key, w.max_concurrent_jobs,
    (SELECT count(*) FROM attempts a WHERE a.workflow_key = w.workflow_key AND a.is_occupying = 1)
  FROM workflows w WHERE w.max_concurrent_jobs IS NOT NULL`;

export class ConcurrencyCheck {
  #seen = new Map<string, Seen>();

  /** Broken rules, each as a sentence. */
  look(db: Database): string[] {
    const now = new Map(
      db.all<Seen & { name: string }>(limited).map(({ name, ...seen }): [string, Seen] => [name, seen]),
    );
    const broken = [...now].flatMap(([name, { maximum, numRunning }]) => {
      const before = this.#seen.get(name);
      // without a limit before, anything may run
      const most = before === undefined ? numRunning : Math.max(maximum, before.maximum, before.numRunning);
      return numRunning > most ? [`${numRunning} jobs run under the limit ${name}, which allows ${most}`] : [];
    });
    this.#seen = now;
    return broken;
  }
}
