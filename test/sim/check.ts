/** What must hold in a simulated world at every moment, besides what must hold for any stored state. */
import type { EndpointName, ExchangeReply, Request } from '../../src/api/contract.ts';
import type { Database } from '../../src/storage/database/database.ts';
import type { Fact } from '../../src/storage/database/facts.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { brokenChildren } from './children.ts';
import { ConcurrencyCheck } from './concurrency-check.ts';
import { brokenLosses } from './loss-check.ts';
import type { Machines } from './machines.ts';
import { brokenPools } from './pool-check.ts';
import { brokenScaling, type TrueNeed } from './scale-check.ts';
import { brokenValues } from './value-check.ts';

interface StoredEnd {
  attempt_key: number;
  end_status: string;
  return_code: number | null;
  cause: string | null;
  ended_at: number;
  is_loss: number;
}

/** Kinds of facts that each leave a trace in the database. */
interface Counted {
  runsEnded: number;
  attemptsRan: number;
}

const noFacts: Counted = { runsEnded: 0, attemptsRan: 0 };

function storedFacts(db: Database): Counted {
  const [runsEnded, attemptsRan] = db.row<[number, number]>(
    `SELECT (SELECT count(*) FROM events WHERE type = 'workflow_ended' AND json_extract(data, '$.status') <> 'restarted'),
       (SELECT count(*) FROM attempts WHERE exec_ms IS NOT NULL AND started_at IS NOT NULL
         AND inherited_from IS NULL)`,
  ) ?? [0, 0];
  return { runsEnded, attemptsRan };
}

export class Check {
  readonly #machines: Machines;
  /** Broken rules, each as a sentence. */
  readonly broken: string[] = [];
  #db: Database | null = null;
  #isDue = false;
  /** How many rows the connection had changed at the last check. */
  #numChanges = -1;
  /** Ends as they were first stored. */
  readonly #ends = new Map<number, string>();
  /** What workers have been told is stored. */
  readonly #acknowledged = new Map<string, { attempt: number; kind: string; returnCode: number | null }>();
  readonly #concurrency = new ConcurrencyCheck();
  #lastEvent = 0;
  /** Facts that this server's subscribers got, and what was stored when it started. */
  #told: Counted = noFacts;
  #storedBefore: Counted = noFacts;
  numChecks = 0;
  numCommits = 0;
  /** How often each kind of thing was seen. */
  readonly seen = new Map<string, number>();
  /** What jobs need that ask for less at first. */
  trueNeeds: ReadonlyMap<string, TrueNeed> = new Map();

  constructor(machines: Machines) {
    this.#machines = machines;
    machines.onBroken = (words) => this.broken.push(words);
  }

  opened(db: Database): void {
    this.#db = db;
    this.#numChanges = -1;
    this.#isDue = true;
    this.#told = noFacts;
    this.#storedBefore = storedFacts(db);
    this.look();
  }

  closed(): void {
    this.#db = null;
  }

  committed(): void {
    this.numCommits += 1;
    this.#isDue = true;
    // a limit may change again before everything is looked at
    if (this.#db !== null) this.broken.push(...this.#concurrency.look(this.#db));
  }

  /** Subscribers of the running server got the facts of a transaction. */
  told(facts: readonly Fact[]): void {
    const count = (kind: Fact['kind']): number => facts.filter((fact) => fact.kind === kind).length;
    this.#told = {
      runsEnded: this.#told.runsEnded + count('run_ended'),
      attemptsRan: this.#told.attemptsRan + count('attempt_ran'),
    };
    this.#isDue = true;
  }

  /** A worker got a reply. */
  answered(endpoint: EndpointName, request: unknown, reply: unknown): void {
    if (endpoint !== 'exchange') return;
    const { finished } = request as Request<'exchange'>;
    for (const { attempt, report, answer } of (reply as ExchangeReply).reports) {
      this.note(`${report} ${answer}`);
      if (answer !== 'accepted') continue;
      const end = finished.find((one) => one.attempt === attempt);
      const returnCode = report === 'finished' ? (end?.return_code ?? null) : null;
      this.#acknowledged.set(`${report} ${attempt}`, { attempt, kind: report, returnCode });
      this.#isDue = true;
    }
  }

  note(what: string, times = 1): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + times);
  }

  /** Checks everything, if anything was stored or acknowledged since the last check. */
  look(): void {
    this.#lookAtMachines();
    if (!this.#isDue || this.#db === null) return;
    this.#isDue = false;
    const numChanges = this.#db.get('SELECT total_changes() AS n')?.n as number;
    if (numChanges !== this.#numChanges) {
      this.#numChanges = numChanges;
      this.numChecks += 1;
      this.broken.push(...brokenInvariants(this.#db), ...brokenLosses(this.#db), ...brokenPools(this.#db));
      this.broken.push(...brokenChildren(this.#db), ...brokenValues(this.#db));
      this.broken.push(...this.#concurrency.look(this.#db), ...brokenScaling(this.#db, this.trueNeeds));
    }
    this.#lookAtEnds(this.#db);
    this.#lookAtEvents(this.#db);
    this.#lookAtFacts(this.#db);
  }

  /** Subscribers got everything stored exactly once. */
  #lookAtFacts(db: Database): void {
    const stored = storedFacts(db);
    for (const what of ['runsEnded', 'attemptsRan'] as const) {
      const [since, told] = [stored[what] - this.#storedBefore[what], this.#told[what]];
      if (since !== told) this.broken.push(`${what}: ${since} are stored, subscribers got ${told}`);
    }
  }

  #lookAtEnds(db: Database): void {
    const rows = db.all(
      `SELECT attempt_key, end_status, return_code, cause, ended_at, is_live, is_loss FROM attempts
       WHERE end_status IS NOT NULL`,
    );
    const stored = new Map<number, StoredEnd>();
    for (const row of rows) {
      const end = row as unknown as StoredEnd;
      stored.set(end.attempt_key, end);
      // that an allocation was requeued may be known only later
      const cause = end.end_status === 'terminated' && end.cause === 'preempted' ? 'canceled' : end.cause;
      const words = `${end.end_status} ${end.return_code} ${cause} ${end.ended_at}`;
      const before = this.#ends.get(end.attempt_key);
      if (before === undefined) this.#lookAtNewEnd(end);
      else if (before !== words) this.broken.push(`the end of attempt ${end.attempt_key} was ${before}, is ${words}`);
      if (row.is_live === 1) this.broken.push(`attempt ${end.attempt_key} has ended but is live`);
      this.#ends.set(end.attempt_key, words);
    }
    for (const attempt of this.#ends.keys()) {
      if (!stored.has(attempt)) this.broken.push(`the end of attempt ${attempt} was stored but is gone`);
    }
    for (const { attempt, kind, returnCode } of this.#acknowledged.values()) {
      const end = stored.get(attempt);
      if (kind === 'started') continue;
      if (end === undefined) this.broken.push(`the ${kind} of attempt ${attempt} was acknowledged but is not stored`);
      else if (kind === 'finished' && end.return_code !== returnCode)
        this.broken.push(
          `attempt ${attempt} was acknowledged with ${returnCode} but is stored with ${end.return_code}`,
        );
    }
  }

  /** A return code is that of a process that really ended with it; an attempt that was handed back never ran. */
  #lookAtNewEnd(end: StoredEnd): void {
    const process = this.#machines.launched.get(end.attempt_key);
    if (end.end_status === 'returned' && process !== undefined) {
      this.broken.push(`attempt ${end.attempt_key} was handed back but has run`);
    }
    if (end.end_status === 'lost' && end.is_loss === 1 && process !== undefined) this.#machines.checkGone(process);
    if (end.end_status !== 'done') return;
    if (end.cause === 'marked' || end.cause === 'max_wait' || end.cause === 'inherited') {
      if (process !== undefined) this.broken.push(`attempt ${end.attempt_key} is ${end.cause} but has run`);
      return;
    }
    if (end.cause === 'missing_input') {
      if (process !== undefined) this.broken.push(`attempt ${end.attempt_key} had no input but has run`);
      return;
    }
    const exit = process?.exit ?? null;
    const code = exit === null ? null : (exit.code ?? 128 + (exit.signal ?? 0));
    if (code !== end.return_code) {
      this.broken.push(
        `attempt ${end.attempt_key} is stored as done with ${end.return_code}, its process ended with ${code}`,
      );
    }
  }

  #lookAtEvents(db: Database): void {
    const rows = db.all(
      `SELECT event_key, data FROM events WHERE type = 'report_rejected' AND event_key > ?`,
      this.#lastEvent,
    );
    for (const row of rows) {
      this.#lastEvent = Math.max(this.#lastEvent, row.event_key as number);
      this.broken.push(`a report was rejected: ${row.data}`);
    }
  }

  #lookAtMachines(): void {
    const used = new Map<string, number>();
    for (const { workerId, numCpus, machine } of this.#machines.living) {
      const cpus = (used.get(workerId) ?? 0) + numCpus;
      used.set(workerId, cpus);
      const { numCpus: has } = machine.size;
      if (cpus > has) this.broken.push(`worker ${workerId} runs jobs of ${cpus} CPUs on a node with ${has}`);
    }
  }
}
