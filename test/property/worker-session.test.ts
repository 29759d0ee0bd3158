/** A session against a server that keeps the rules, over a network that loses, delays and reorders. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExchangeReply, FileState } from '../../src/api/contract.ts';
import type { ExchangeRequest } from '../../src/worker/exchange/reports.ts';
import { Session } from '../../src/worker/exchange/session.ts';
import { noNews } from '../support/request-facts.ts';
import { assignment } from '../worker/fake-server.ts';

/** Each step and how often it is taken. */
const weights = {
  send: 6,
  arrive: 6,
  arrive_late: 1,
  lose_request: 1,
  lose_reply: 1,
  reply: 3,
  reply_late: 4,
  claim: 3,
  cancel: 2,
  finish: 2,
  finish_large: 1,
  start: 1,
};
type Step = keyof typeof weights;

const step = fc.oneof(
  ...Object.entries(weights).map(([name, weight]) => ({ weight, arbitrary: fc.constant(name as Step) })),
);

const state = { file_key: 1, is_output: true, size_bytes: 0, modified_us: 0, changed_us: 0, content_hash: null };
/** So many that a request has room for the states of only one such job. */
const manyFiles: FileState[] = Array.from({ length: 20_000 }, () => state);

interface Attempt {
  isOccupying: boolean;
  isCanceled: boolean;
  ended: number;
}

class World {
  readonly session = new Session('w');
  readonly attempts = new Map<number, Attempt>();
  readonly ran = new Set<number>();
  readonly running: number[] = [];
  readonly #requests: ExchangeRequest[] = [];
  readonly #replies: ExchangeReply[] = [];
  #nowMs = 0;
  #lastSeq = 0;

  step(name: Step): void {
    this.#nowMs += 1;
    if (name === 'send') this.#send();
    else if (name === 'arrive') this.#arrive(this.#requests.shift());
    else if (name === 'arrive_late') this.#arrive(this.#requests.pop());
    else if (name === 'lose_request') this.#lose(this.#requests.shift()?.seq);
    else if (name === 'lose_reply') this.#lose(this.#replies.shift()?.seq);
    else if (name === 'reply') this.#receive(this.#replies.shift());
    else if (name === 'reply_late') this.#receive(this.#replies.pop());
    else if (name === 'claim')
      this.attempts.set(this.attempts.size + 1, { isOccupying: true, isCanceled: false, ended: 0 });
    else if (name === 'cancel') this.#cancel();
    else if (name === 'finish') this.#finish();
    else if (name === 'finish_large') this.#finish(this.running[0], manyFiles);
    else this.#start();
  }

  #send(): void {
    // with and without young starts
    const facts = { ...noNews, nowMs: this.#nowMs, withYoungStarts: this.#requests.length % 2 === 0 };
    this.#requests.push(this.session.nextRequest(facts));
  }

  #lose(seq: number | undefined): void {
    if (seq !== undefined) this.session.fail(seq);
  }

  #arrive(request: ExchangeRequest | undefined): void {
    if (request === undefined) return;
    const base = { seq: request.seq, epoch: 1, now: '', leave: false, unknown_worker: false };
    if (request.seq <= this.#lastSeq) {
      this.#replies.push({ ...base, jobs: [], stop: [], reports: [] });
      return;
    }
    this.#lastSeq = request.seq;
    const numLarge = request.finished.filter(({ files = [] }) => files.length > 0).length;
    expect(numLarge).toBeLessThanOrEqual(1);
    const reports: ExchangeReply['reports'] = [];
    for (const { attempt } of request.finished) {
      this.#end(attempt);
      reports.push({ attempt, report: 'finished', answer: 'accepted' });
    }
    for (const attempt of request.returned) {
      expect(this.ran.has(attempt) && this.attempts.get(attempt)?.isOccupying).toBeFalsy();
      this.#end(attempt);
      reports.push({ attempt, report: 'returned', answer: 'accepted' });
    }
    for (const { attempt } of request.started) reports.push({ attempt, report: 'started', answer: 'accepted' });
    const known = new Set([...request.held, ...reports.map((report) => report.attempt)]);
    const occupying = [...this.attempts].filter(([, attempt]) => attempt.isOccupying);
    for (const [key] of occupying) {
      // nothing that was received may be missing: the server would count it as lost
      if (key <= request.ack) expect(known.has(key), `attempt ${key} is neither held nor reported`).toBe(true);
    }
    this.#replies.push({
      ...base,
      jobs: occupying
        .filter(([key, attempt]) => key > request.ack && !attempt.isCanceled)
        .map(([key]) => assignment({ attempt: key, job_key: String(key), command: 'true' })),
      stop: occupying.filter(([, attempt]) => attempt.isCanceled).map(([attempt]) => ({ attempt, reason: 'cancel' })),
      reports,
    });
  }

  #end(key: number): void {
    const attempt = this.attempts.get(key);
    if (attempt === undefined) return;
    attempt.isOccupying = false;
  }

  #receive(reply: ExchangeReply | undefined): void {
    if (reply === undefined) return;
    const received = this.session.receive(reply.seq, reply, this.#nowMs);
    if ('dropped' in received) return;
    for (const { attempt } of received.taken.jobs) {
      expect(this.ran.has(attempt), `attempt ${attempt} runs twice`).toBe(false);
      this.ran.add(attempt);
      this.running.push(attempt);
    }
    for (const { attempt } of received.taken.stop) {
      expect(this.session.isHeld(attempt)).toBe(true);
      if (this.running.includes(attempt)) this.#finish(attempt);
    }
  }

  #start(): void {
    const attempt = this.running.at(-1);
    if (attempt !== undefined) this.session.noteStarted(attempt, 1, this.#nowMs);
  }

  #cancel(): void {
    for (const attempt of this.attempts.values()) if (attempt.isOccupying) attempt.isCanceled = true;
  }

  #finish(attempt = this.running[0], files: FileState[] = []): void {
    if (attempt === undefined) return;
    this.running.splice(this.running.indexOf(attempt), 1);
    const record = this.attempts.get(attempt);
    if (record !== undefined) record.ended += 1;
    this.session.noteFinished({
      attempt,
      startedAtMs: 0,
      endedAtMs: this.#nowMs,
      end: { status: 'done', returnCode: 0, cause: 'success', exitCode: 0, signal: null, detail: null },
      peakMemoryBytes: null,
      averageMemoryBytes: null,
      cpuMs: null,
      files,
    });
  }

  /** A quiet network, in which everything is delivered. */
  settle(): void {
    for (let turn = 0; turn < 4 || this.session.numUnanswered > 0; turn += 1) {
      expect(turn).toBeLessThan(200);
      for (const name of ['send', 'arrive', 'reply'] as const) this.step(name);
      while (this.#requests.length > 0) this.step('arrive');
      while (this.#replies.length > 0) this.step('reply');
      while (this.running.length > 0) this.step('finish');
    }
  }
}

describe('a session over a bad network', () => {
  it('runs each attempt at most once, loses none, and ends with everything reported', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: 'max' }), (history) => {
        const world = new World();
        for (const taken of history) world.step(taken);
        world.settle();
        expect(world.session.numHeld).toBe(0);
        expect(world.session.numUnanswered).toBe(0);
        for (const [key, attempt] of world.attempts) {
          expect(attempt.isOccupying, `attempt ${key} is still thought to run`).toBe(false);
          expect(attempt.ended).toBe(world.ran.has(key) ? 1 : 0);
          if (!attempt.isCanceled) expect(world.ran.has(key), `attempt ${key} never ran`).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
