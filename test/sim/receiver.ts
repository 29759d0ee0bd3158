/**
 * A receiver that is notified of ends and failures, and fails at times. Each message that is due arrives once or
 * more; none tells of a failure that was tried again.
 */
import { TorcError } from '../../src/base/errors.ts';
import type { ToldFacts } from '../../src/model/notification.ts';
import type { Delivery } from '../../src/server/actions/deliver.ts';
import type { Database } from '../../src/storage/database/database.ts';
import type { createWorkflow } from '../support/service.ts';
import type { Check } from './check.ts';
import { Random } from './random.ts';
import type { SimServer } from './server.ts';

type Rules = NonNullable<NonNullable<Parameters<typeof createWorkflow>[3]>['notifications']>;

const ends = ['done', 'failed', 'timeout', 'canceled'] as const;
const isEnd = (event: ToldFacts['event']): boolean => ends.some((end) => end === event);

export class Receiver {
  readonly rules: Rules;
  /** It fails no more. */
  isReliable = false;
  readonly #random: Random;
  readonly #check: Check;
  /** What has arrived, by its id. */
  readonly #taken = new Map<string, ToldFacts>();

  /** Of some seeds nobody is told anything. */
  constructor(seed: number, check: Check) {
    this.#random = new Random(seed ^ 0x7e11);
    this.#check = check;
    const told = [ends, ['job_failed'], [...ends, 'job_failed']] as const;
    const rule = { kind: 'webhook', target: 'https://example.org/hook', token_file: null } as const;
    this.rules = this.#random.chance(0.4) ? [{ ...rule, events: [...this.#random.pick(told)] }] : [];
  }

  /** Carries a message of this server; what one sends that has been replaced does not count. */
  deliver(server: SimServer, { id, facts }: Delivery, ended: AbortSignal): Promise<void> {
    const random = this.#random;
    const isRefused = !this.isReliable && random.chance(0.3);
    const isAnswered = this.isReliable || random.chance(0.7);
    return new Promise((resolve, reject) => {
      const end = (): void => reject(new TorcError('interrupted', 'the server ends', null));
      ended.addEventListener('abort', end);
      server.process.clock.after(random.spread(5, 5_000), () => {
        ended.removeEventListener('abort', end);
        if (!isRefused && !ended.aborted && !server.isSuperseded) this.#take(id, facts);
        if (isRefused || !isAnswered) reject(new TorcError('unusable', 'the receiver does not answer', null));
        else resolve();
      });
    });
  }

  #take(id: string, facts: ToldFacts): void {
    this.#check.note(this.#taken.has(id) ? 'message again' : `message ${facts.event}`);
    this.#taken.set(id, facts);
  }

  /** Whether everything that was written has been sent. */
  isDone(db: Database): boolean {
    return db.get(`SELECT 1 FROM messages WHERE state <> 'sent' LIMIT 1`) === undefined;
  }

  /** Broken rules, each as a sentence. */
  lookAtEnd(db: Database, workflowKey: string): string[] {
    const events = this.rules.flatMap((rule) => rule.events);
    return [
      ...(events.includes('done') ? this.#brokenEnds(db, workflowKey) : []),
      ...(events.includes('job_failed') ? this.#brokenFailures(db, workflowKey) : []),
      ...(this.isDone(db) ? [] : ['a message has not been sent']),
    ];
  }

  /** The ends of runs that are stored are those that were told. */
  #brokenEnds(db: Database, workflowKey: string): string[] {
    const stored = db.all<{ told: string; status: ToldFacts['event'] }>(
      `SELECT 'run ' || (data ->> 'run_id') || ' ' || (data ->> 'status') AS told, data ->> 'status' AS status
       FROM events e WHERE workflow_key = ? AND type = 'workflow_ended' AND NOT (${follows('recovery_planned')}
         AND NOT ${follows('recovery_ended')})`,
      workflowKey,
    );
    const due = new Set(stored.filter(({ status }) => isEnd(status)).map(({ told }) => told));
    const facts = [...this.#taken.values()].filter(({ event }) => isEnd(event));
    const told = new Set(facts.map(({ run_id, event }) => `run ${run_id} ${event}`));
    return [
      ...[...due].filter((end) => !told.has(end)).map((end) => `nobody was told of the end of ${end}`),
      ...[...told].filter((end) => !due.has(end)).map((end) => `somebody was told of the end of ${end}`),
    ];
  }

  #brokenFailures(db: Database, workflowKey: string): string[] {
    const messages = [...this.#taken.values()].filter(({ event }) => event === 'job_failed');
    const again = messages.flatMap(({ jobs, run_id }) =>
      jobs.flatMap(({ job_key, name, attempt_id }) => {
        const found = db.get(
          `WITH told AS (SELECT attempt_key, is_loss FROM attempts WHERE job_key = ? AND attempt_id = ? AND run_id <= ?
             ORDER BY run_id DESC LIMIT 1)
           SELECT 1 FROM told WHERE is_loss = 1
             OR attempt_key IN (SELECT attempt_key FROM events WHERE type = 'job_retried')`,
          job_key,
          attempt_id,
          run_id,
        );
        return found === undefined ? [] : [`somebody was told that job ${name} has failed, which ran again`];
      }),
    );
    const failed = db.all<{ job_key: number; run_id: number }>(
      `SELECT j.job_key, a.run_id FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
       WHERE j.workflow_key = ? AND j.failed = 1 AND a.inherited_from IS NULL`,
      workflowKey,
    );
    const untold = failed.filter(
      ({ job_key, run_id }) =>
        !messages.some((told) => {
          const isNamed = told.jobs.some((job) => job.job_key === String(job_key));
          // a restart may have let it go on
          return told.run_id >= run_id && (isNamed || told.num_concerned > told.jobs.length);
        }),
    );
    return [...again, ...untold.map(({ job_key }) => `nobody was told that job ${job_key} has failed`)];
  }
}

/** Whether an event of this type comes after the event `e` and before the next run begins, as SQL. */
function follows(type: string): string {
  return `EXISTS (SELECT 1 FROM events r WHERE r.workflow_key = e.workflow_key AND r.type = '${type}'
    AND r.event_key > e.event_key AND r.event_key < coalesce((SELECT min(n.event_key) FROM events n
      WHERE n.workflow_key = e.workflow_key AND n.type = 'workflow_restarted' AND n.event_key > e.event_key), 1e15))`;
}
