/**
 * Schedules in a simulated world. Each instant is accounted for and makes at most one workflow, whatever becomes of
 * servers, disks and clocks; none waits while a server runs.
 */
import type { Request } from '../../src/api/contract.ts';
import type { Database } from '../../src/storage/database/database.ts';
import type { Check } from './check.ts';
import { Random } from './random.ts';
import type { Fault, SimServer } from './server.ts';

/** An instant that a running server has seen is carried out this soon: a full disk delays it twice. */
const latestMs = 40_000;
const periodMs = 30_000;

type Added = Request<'schedule_add'>;

/** The schedules of a seed: of some none, so that their histories are those of a world without any. */
export function schedulesOf(seed: number): Added[] {
  const random = new Random(seed ^ 0x5c4ed);
  if (!random.chance(0.3)) return [];
  const overlaps = ['allow', 'skip', 'replace'] as const;
  const timings = [
    { cron: '*/30 * * * * *', every_ms: null },
    { cron: null, every_ms: periodMs },
  ];
  return timings.map((timing, index) => ({
    name: `s${index}`,
    ...timing,
    items: null,
    time_zone: 'Europe/Berlin',
    overlap: random.pick(overlaps),
    catch_up: random.pick(['none', 'once'] as const),
    max_catch_up: 1,
    paused: false,
    specification: { text, file: 'w.json', syntax: 'json', ...place },
    dry_run: false,
  }));
}

const text = JSON.stringify({
  name: 'w',
  jobs: [{ name: 'a', command: 'true' }],
  actions: [{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' }],
});
const place = { working_directory: '/w', output_directory: '/w', home: '/', variables: {} };

interface Row {
  schedule_key: number;
  name: string;
  next_at: number;
  overlap: string;
  catch_up: string;
}

export class ScheduleCheck {
  readonly #check: Check;
  /** The first instant of each schedule of the calendar. */
  readonly #firstAt = new Map<string, number>();
  /** Since when a tick has been waiting, or a schedule been late, while the same server served. */
  readonly #since = new Map<string, number>();
  readonly #random: Random;
  /** Servers die while they work for an instant. */
  isDangerous = true;
  #server: SimServer | null = null;

  constructor(seed: number, check: Check) {
    this.#random = new Random(seed ^ 0xd1e5);
    this.#check = check;
  }

  added(name: string, firstAt: string | undefined): void {
    if (firstAt !== undefined) this.#firstAt.set(name, Date.parse(firstAt));
  }

  /** What strikes the server that has just seen an instant; null for nothing. */
  fault(): { fault: Fault; countdown: number } | null {
    if (!this.isDangerous || this.#firstAt.size === 0 || !this.#random.chance(0.2)) return null;
    this.#check.note('deaths at an instant');
    // a workflow is made in a few transactions, and what may count twice is stored by one of them
    const at = this.#random.pick(['statement', 'before_commit', 'after_commit', 'after_commit'] as const);
    return { fault: { kind: 'crash', at }, countdown: this.#random.int(0, at === 'statement' ? 40 : 6) };
  }

  look(server: SimServer | null, nowMs: number): void {
    if (this.#firstAt.size === 0) return;
    const isServing = server?.process.isAlive === true && !server.process.isFrozen;
    if (!isServing || server !== this.#server) this.#since.clear();
    this.#server = server;
    if (!isServing) return;
    const { db } = server.service;
    for (const row of db.all<Row>('SELECT schedule_key, name, next_at, overlap, catch_up FROM schedules')) {
      if (row.name === 's0') this.#lookForLost(db, row);
      this.#lookForOverlap(db, row);
    }
    this.#lookForTwice(db);
    this.#lookForWaiting(db, nowMs, server.process.clock.now());
  }

  /** The instants from the first to the next one are those that have a row. */
  #lookForLost(db: Database, { name, schedule_key, next_at }: Row): void {
    const noted = db.get<{ n: number; unknown: number }>(
      `SELECT coalesce(sum(num_instants), 0) AS n, count(*) - count(num_instants) AS unknown FROM ticks
       WHERE schedule_key = ? AND origin <> 'by_hand'`,
      schedule_key,
    );
    const numPassed = (next_at - (this.#firstAt.get(name) ?? next_at)) / periodMs;
    if (noted?.unknown === 0 && noted.n !== numPassed) {
      this.#check.broken.push(`schedule ${name}: ${numPassed} instants have passed, ${noted.n} are accounted for`);
    }
    const late = `SELECT 1 FROM ticks t JOIN schedules s USING (schedule_key)
      WHERE s.catch_up = 'none' AND t.origin = 'late' AND t.state <> 'missed'`;
    if (db.get(late) !== undefined) this.#check.broken.push('a missed instant was made up for against the rule');
  }

  #lookForTwice(db: Database): void {
    const twice = db.all<{ attributes: string; n: number }>(
      `SELECT attributes, count(*) AS n FROM workflows WHERE phase NOT IN ('creating', 'deleting')
         AND json_extract(attributes, '$.schedule') IS NOT NULL AND parent_workflow_key IS NULL
       GROUP BY attributes HAVING n > 1 OR max(run_id) > 1`,
    );
    for (const { attributes, n } of twice)
      this.#check.broken.push(`${n} workflows, or more runs than one, of ${attributes}`);
  }

  #lookForOverlap(db: Database, { name, schedule_key, overlap }: Row): void {
    if (overlap === 'allow') return;
    const live = db.get<{ n: number }>(
      `SELECT count(*) AS n FROM ticks t JOIN workflows w ON w.workflow_key = t.workflow_key
       WHERE t.schedule_key = ? AND w.phase = 'started' AND w.ended_at IS NULL AND w.is_canceled = 0`,
      schedule_key,
    );
    if ((live?.n ?? 0) > 1) this.#check.broken.push(`${live?.n} workflows of schedule ${name} run at once`);
  }

  #lookForWaiting(db: Database, nowMs: number, wallMs: number): void {
    const waiting = db.all<{ what: string }>(
      `SELECT 'tick ' || tick_key AS what FROM ticks WHERE state IN ('pending', 'created', 'queued')
       UNION ALL SELECT 'schedule ' || name FROM schedules WHERE next_at <= ?`,
      wallMs,
    );
    const whats = new Set(waiting.map(({ what }) => what));
    for (const what of this.#since.keys()) if (!whats.has(what)) this.#since.delete(what);
    for (const what of whats) {
      const sinceMs = this.#since.get(what) ?? nowMs;
      this.#since.set(what, sinceMs);
      // the clock was set forward while the owner of time slept, at most a minute
      const most = what.startsWith('tick') ? latestMs : latestMs + 60_000;
      if (nowMs - sinceMs > most) this.#check.broken.push(`${what} has been waiting for ${(nowMs - sinceMs) / 1000} s`);
    }
  }

  /** Notes what became of the instants. */
  count(db: Database): void {
    const sql = 'SELECT origin, state, count(*) AS n FROM ticks GROUP BY origin, state';
    for (const { origin, state, n } of db.all<{ origin: string; state: string; n: number }>(sql)) {
      this.#check.note(`instant ${origin} ${state}`, n);
    }
  }
}
