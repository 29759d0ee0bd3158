/**
 * Workflows that recover by themselves, in some worlds. Checks at every commit that they do so no more often than they may,
 * that jobs which failed by themselves stay, and that only what ran out of memory or time gets more.
 */
import type { Database } from '../../src/storage/database/database.ts';
import type { rule } from '../support/service.ts';
import type { Check } from './check.ts';
import { Random } from './random.ts';

type Handlers = ReturnType<typeof rule>[][];

interface SimRecovery {
  settings: { max_recoveries: number } | null;
  /** How often jobs that run out of something are tried again in their run; null for as often as they need. */
  maxRetries: number | null;
  /** Lost jobs wait for the recovery: what they ask for then shows whether it takes victims for culprits. */
  leavesLost: boolean;
}

/** Null settings for a world without any; other random numbers of the world stay as they are. */
export function randomRecovery(seed: number): SimRecovery {
  const random = new Random(seed ^ 0x5ec0);
  if (!random.chance(0.35)) return { settings: null, maxRetries: null, leavesLost: false };
  const settings = { max_recoveries: random.int(1, 4) };
  return { settings, maxRetries: random.pick([0, 0, 1, null]), leavesLost: random.chance(0.5) };
}

/** The last handler is that of the jobs that run out of something. */
export function withFewerRetries(handlers: Handlers, { maxRetries }: SimRecovery): Handlers {
  if (maxRetries === null) return handlers;
  const last = (handlers.at(-1) ?? []).map((one) => ({ ...one, max_retries: maxRetries }));
  return [...handlers.slice(0, -1), last];
}

interface JobRow {
  job_key: number;
  name: string;
  status: string;
  /** It has a failed result of a cause that no larger request cures. */
  is_hopeless: number;
}

export class RecoveryCheck {
  readonly settings: SimRecovery['settings'];
  readonly #check: Check;
  #lastEvent = 0;
  /** The jobs at the last commit that failed by themselves. */
  #hopeless = new Set<number>();

  constructor({ settings }: SimRecovery, check: Check) {
    this.settings = settings;
    this.#check = check;
  }

  /** After every COMMIT of a server that has the directory. */
  committed(db: Database): void {
    if (this.settings === null) return;
    const jobs = db.all<JobRow>(
      `SELECT j.job_key, j.name, j.status, j.status = 'done' AND j.failed = 1
         AND a.cause NOT IN ('oom', 'job_timeout') AS is_hopeless
       FROM jobs j LEFT JOIN attempts a ON a.attempt_key = j.attempt_key WHERE j.workflow_key = 1`,
    );
    const news = db.all<{ event_key: number; type: string }>(
      `SELECT event_key, type FROM events WHERE event_key > ? AND workflow_key = 1
         AND type IN ('workflow_recovered', 'recovery_failed', 'jobs_reset', 'workflow_restarted')`,
      this.#lastEvent,
    );
    this.#lastEvent = Math.max(this.#lastEvent, ...news.map(({ event_key }) => event_key));
    const recovered = news.filter(({ type }) => type === 'workflow_recovered');
    // a person may have done something else in the same transaction
    const isAlone = !news.some(({ type }) => type === 'jobs_reset') && news.length === 2 * recovered.length;
    if (recovered.length > 0 && isAlone) this.#lookAtHopeless(db, jobs);
    if (news.some(({ type }) => type !== 'jobs_reset')) this.#lookAtNumber(db);
    this.#lookAtScaled(db);
    this.#hopeless = new Set(jobs.filter(({ is_hopeless }) => is_hopeless === 1).map(({ job_key }) => job_key));
  }

  #lookAtNumber(db: Database): void {
    const most = this.settings?.max_recoveries ?? 0;
    const sql = `SELECT count(*) AS n FROM events WHERE type IN ('workflow_recovered', 'recovery_failed')`;
    const count = db.get<{ n: number }>(sql)?.n ?? 0;
    if (count > most) this.#check.broken.push(`the workflow has recovered ${count} times, at most ${most} are allowed`);
  }

  /** Such a job runs again only behind another one that does, or has done so since. */
  #lookAtHopeless(db: Database, jobs: readonly JobRow[]): void {
    this.#check.note('recoveries that were looked at');
    for (const { job_key, name, status } of jobs) {
      if (!this.#hopeless.has(job_key) || status === 'done') continue;
      const isBehind = db.get(
        `WITH RECURSIVE up (node) AS (SELECT upstream FROM edges WHERE downstream = ?
           UNION SELECT e.upstream FROM edges e JOIN up ON e.downstream = up.node)
         SELECT 1 FROM up JOIN jobs j ON j.job_key = up.node WHERE j.status NOT IN ('done', 'canceled', 'disabled')
           OR j.attempt_key > (SELECT attempt_key FROM jobs WHERE job_key = ?)`,
        job_key,
        job_key,
      );
      if (isBehind === undefined) this.#check.broken.push(`job ${name} failed by itself, and a recovery runs it again`);
    }
  }

  #lookAtScaled(db: Database): void {
    const wrong = db.all<{ attempt_key: number; cause: string | null; role: string | null }>(
      `SELECT attempt_key, coalesce(cause, lost_cause) AS cause, json_extract(diagnosis, '$.role') AS role FROM attempts
       WHERE scaled IS NOT NULL AND (coalesce(cause, lost_cause) NOT IN ('oom', 'job_timeout')
         OR return_code IS NULL AND json_extract(diagnosis, '$.role') IS NOT 'culprit')`,
    );
    for (const { attempt_key, cause, role } of wrong)
      this.#check.broken.push(`attempt ${attempt_key} ended by ${cause} as a ${role}, and its job asks for more`);
  }
}
