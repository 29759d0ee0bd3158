import { describe, expect, it } from 'vitest';
import { type Assignment, type ExchangeReply, protocolVersion, type ReportAnswer } from '../../src/api/contract.ts';
import { type RequestFacts, Session, type Taken } from '../../src/worker/exchange/session.ts';
import type { FinishedAttempt } from '../../src/worker/processes/job-runner.ts';
import { noNews } from '../support/request-facts.ts';
import { assignment } from '../worker/fake-server.ts';

const facts: RequestFacts = { nowMs: 1_000, ...noNews };

function job(attempt: number): Assignment {
  return assignment({ attempt, job_key: String(attempt), command: 'true' });
}

function reply(seq: number, given: Partial<ExchangeReply> = {}): ExchangeReply {
  const now = '2026-01-01T00:00:00.000Z';
  return { seq, epoch: 1, now, jobs: [], stop: [], reports: [], leave: false, unknown_worker: false, ...given };
}

function finished(attempt: number, endedAtMs = 900): FinishedAttempt {
  return {
    attempt,
    startedAtMs: 400,
    endedAtMs,
    end: { status: 'done', returnCode: 0, cause: 'success', exitCode: 0, signal: null, detail: null },
    peakMemoryBytes: null,
    averageMemoryBytes: null,
    cpuMs: null,
  };
}

function taken(session: Session, answer: ExchangeReply): Taken {
  const received = session.receive(answer.seq, answer, 1_000);
  if ('dropped' in received) throw new Error(`dropped: ${received.dropped}`);
  return received.taken;
}

function send(session: Session, given: Partial<RequestFacts> = {}) {
  return session.nextRequest({ ...facts, ...given });
}

function answered(attempt: number, report: ReportAnswer['report']): ReportAnswer {
  return { attempt, report, answer: 'accepted' };
}

describe('requests', () => {
  it('speak the protocol of the contract', () => {
    expect(send(new Session('w')).protocol).toBe(protocolVersion);
  });

  it('of a worker of short jobs leave out young starts, which the ends of these jobs will carry', () => {
    const session = new Session('w');
    send(session);
    taken(session, reply(1, { jobs: [job(4), job(7)] }));
    session.noteStarted(4, 99, 880);
    session.noteStarted(7, 98, 920);
    const second = send(session, { withYoungStarts: false });
    expect(second).toMatchObject({ held: [4, 7], started: [{ attempt: 4 }] });
    expect(session.newsDueMs()).toBe(1_020);
    taken(session, reply(2, { reports: [answered(4, 'started')] }));
    session.noteFinished(finished(7));
    expect(send(session, { withYoungStarts: false })).toMatchObject({ started: [], finished: [{ attempt: 7 }] });
  });

  it('are numbered from 1 and carry one snapshot of what is held and reported', () => {
    const session = new Session('w');
    expect(send(session)).toMatchObject({ seq: 1, ack: 0, held: [], epoch: 0 });
    taken(session, reply(1, { jobs: [job(4), job(7)] }));
    session.noteStarted(4, 99, 800);
    expect(send(session)).toMatchObject({
      seq: 2,
      ack: 7,
      held: [4, 7],
      epoch: 1,
      started: [{ attempt: 4, pid: 99, age_ms: 200 }],
    });
    session.noteFinished(finished(4));
    const third = send(session, { nowMs: 1_100.4 });
    expect(third).toMatchObject({ held: [7], started: [] });
    expect(third.finished).toMatchObject([
      { attempt: 4, start_age_ms: 700, age_ms: 200, exec_ms: 500, return_code: 0 },
    ]);
  });

  it('never contain negative ages or times', () => {
    const session = new Session('w');
    session.noteFinished(finished(1, 2_000));
    expect(send(session, { timeLeftMs: -3.5 })).toMatchObject({ time_left_ms: 0, finished: [{ age_ms: 0 }] });
  });

  it('repeat every report until it is answered, whatever the answer', () => {
    const session = new Session('w');
    session.noteFinished(finished(1));
    session.noteReturned(2, 900);
    for (let turn = 0; turn < 3; turn += 1) {
      const request = send(session);
      expect([request.finished.length, request.returned]).toEqual([1, [2]]);
      session.fail(request.seq);
    }
    const { seq } = send(session);
    expect(taken(session, reply(seq, { reports: [answered(1, 'finished')] })).numAnswered).toBe(1);
    const last = send(session);
    expect([last.finished, last.returned]).toEqual([[], [2]]);
    for (const answer of ['repeated', 'superseded', 'rejected'] as const) {
      session.noteReturned(3, 900);
      const request = send(session);
      taken(session, reply(request.seq, { reports: [{ attempt: 3, report: 'returned', answer }] }));
      expect(send(session).returned).not.toContain(3);
    }
  });
});

describe('what is news', () => {
  it('is an end at once, a start a little later, and nothing that is in progress', () => {
    const session = new Session('w');
    expect(session.newsDueMs()).toBe(Number.POSITIVE_INFINITY);
    taken(session, reply(send(session).seq, { jobs: [job(1), job(2)] }));
    session.noteStarted(1, 5, 1_000);
    expect(session.newsDueMs()).toBe(1_100);
    session.noteFinished(finished(1));
    expect(session.newsDueMs()).toBe(0);
    const { seq } = send(session);
    expect(session.newsDueMs()).toBe(Number.POSITIVE_INFINITY);
    session.fail(seq);
    expect(session.newsDueMs()).toBe(0);
  });
});

describe('memory that grew', () => {
  it('is news at once, but not more often than every half second', () => {
    const session = new Session('w');
    session.noteGrowth(1_000);
    expect(session.newsDueMs()).toBe(1_000);
    send(session, { nowMs: 1_000 });
    expect(session.newsDueMs()).toBe(Number.POSITIVE_INFINITY);
    session.noteGrowth(1_100);
    session.noteGrowth(1_400);
    expect(session.newsDueMs()).toBe(1_500);
    send(session, { nowMs: 1_500 });
    session.noteGrowth(9_000);
    expect(session.newsDueMs()).toBe(9_000);
  });
});

describe('ends with large reports', () => {
  const large = (attempt: number): FinishedAttempt => ({
    ...finished(attempt),
    userData: [{ name: 'd', data: 'x'.repeat(5 * 2 ** 20) }],
  });

  it('share a request only if there is room, and none counts as lost', () => {
    const session = new Session('w');
    taken(session, reply(send(session).seq, { jobs: [job(1), job(2), job(3), job(4)] }));
    for (const attempt of [1, 2]) session.noteFinished(large(attempt));
    session.noteFinished(finished(3));
    session.noteReturned(4, 950);
    const first = send(session, { leaving: true });
    expect(first.finished.map(({ attempt }) => attempt)).toEqual([1, 3]);
    expect(first).toMatchObject({ held: [2], returned: [4], leaving: false });
    const reports = [answered(1, 'finished'), answered(3, 'finished'), answered(4, 'returned')];
    expect(taken(session, reply(first.seq, { reports })).wasLeaving).toBe(false);
    expect(session.newsDueMs()).toBe(0);
    const second = send(session, { leaving: true });
    expect(second.finished.map(({ attempt }) => attempt)).toEqual([2]);
    expect(second).toMatchObject({ held: [], leaving: true });
  });
});

describe('replies', () => {
  it('give each attempt once, however often they name it', () => {
    const session = new Session('w');
    const first = send(session);
    const second = send(session);
    expect(taken(session, reply(first.seq, { jobs: [job(1)] })).jobs).toHaveLength(1);
    expect(taken(session, reply(second.seq, { jobs: [job(1), job(2)] })).jobs.map((given) => given.attempt)).toEqual([
      2,
    ]);
    expect(taken(session, reply(send(session).seq, { jobs: [job(2)] })).jobs).toEqual([]);
  });

  it('are dropped when a newer one came first', () => {
    const session = new Session('w');
    const first = send(session);
    const second = send(session);
    taken(session, reply(second.seq, { jobs: [job(3)] }));
    expect(session.receive(first.seq, reply(first.seq, { jobs: [job(2)] }), 1_000)).toEqual({ dropped: 'stale' });
    expect(session.isHeld(2)).toBe(false);
    expect(session.receive(second.seq, reply(second.seq, { jobs: [job(4)] }), 1_000)).toEqual({ dropped: 'stale' });
  });

  it('are dropped when they answer no request or come from an older server', () => {
    const session = new Session('w');
    expect(session.receive(17, reply(17), 1_000)).toEqual({ dropped: 'stale' });
    expect(session.acceptEpoch(5)).toBe(true);
    const { seq } = send(session);
    expect(session.receive(seq, reply(seq, { epoch: 4, jobs: [job(1)] }), 1_000)).toEqual({ dropped: 'old_epoch' });
    expect(session.acceptEpoch(4)).toBe(false);
    expect(send(session)).toMatchObject({ epoch: 5, held: [], ack: 0 });
  });

  it('belong to the first database that told its identity, and to no other', () => {
    const session = new Session('w');
    session.noteDatabase(undefined);
    expect(send(session)).not.toHaveProperty('database');
    session.noteDatabase(7);
    session.noteDatabase(8);
    expect(send(session)).toMatchObject({ database: 7 });
  });

  it('count as news when they answer a start whose end was reported first', () => {
    const session = new Session('w');
    taken(session, reply(send(session).seq, { jobs: [job(1)] }));
    session.noteStarted(1, 5, 900);
    const { seq } = send(session);
    session.noteFinished(finished(1));
    expect(taken(session, reply(seq, { reports: [answered(1, 'started')] })).numAnswered).toBe(1);
    expect(send(session)).toMatchObject({ started: [], finished: [{ attempt: 1 }] });
  });

  it('do not clear reports that they do not answer', () => {
    const session = new Session('w');
    session.noteFinished(finished(1));
    const { seq } = send(session);
    // the server ended the parked request with an empty reply
    expect(taken(session, reply(seq))).toMatchObject({ numAnswered: 0 });
    expect(session.newsDueMs()).toBe(0);
  });
});

describe('stops', () => {
  it('of a held attempt are passed on once, and again for the next attempt', () => {
    const session = new Session('w');
    taken(session, reply(send(session).seq, { jobs: [job(1)] }));
    const stop = [{ attempt: 1, reason: 'cancel' as const }];
    expect(taken(session, reply(send(session).seq, { stop })).stop).toEqual(stop);
    expect(taken(session, reply(send(session).seq, { stop })).stop).toEqual([]);
  });

  it('of an attempt that never came are remembered and reported as never started', () => {
    const session = new Session('w');
    const stop = [{ attempt: 6, reason: 'cancel' as const }];
    taken(session, reply(send(session).seq, { stop }));
    const request = send(session);
    expect(request).toMatchObject({ returned: [6], held: [] });
    expect(taken(session, reply(request.seq, { jobs: [job(6), job(7)] })).jobs.map((given) => given.attempt)).toEqual([
      7,
    ]);
  });

  it('in the same reply as the attempt keep it from running', () => {
    const session = new Session('w');
    const both = reply(send(session).seq, { jobs: [job(2)], stop: [{ attempt: 2, reason: 'cancel' }] });
    expect(taken(session, both)).toMatchObject({ jobs: [], stop: [] });
    expect(send(session)).toMatchObject({ ack: 2, held: [], returned: [2] });
  });

  it('of an attempt whose end is being reported change nothing', () => {
    const session = new Session('w');
    taken(session, reply(send(session).seq, { jobs: [job(1)] }));
    session.noteFinished(finished(1));
    const stopping = reply(send(session).seq, { stop: [{ attempt: 1, reason: 'cancel' }] });
    expect(taken(session, stopping).stop).toEqual([]);
    expect(send(session)).toMatchObject({ finished: [{ attempt: 1 }], returned: [] });
  });
});

describe('what goes to the spool', () => {
  it('is each end and return until it is spooled, with instants of the server', () => {
    const session = new Session('w');
    session.noteStarted(3, 1, 100);
    session.noteFinished(finished(1, 500));
    session.noteReturned(2, 800);
    expect(session.oldestUnspooledMs()).toBe(500);
    const first = session.reportsForSpool(600, (atMs) => atMs + 10_000);
    expect(first).toMatchObject([
      { worker_id: 'w', attempt: 1, started_at_ms: 10_400, ended_at_ms: 10_500, finished: { return_code: 0 } },
    ]);
    expect(session.oldestUnspooledMs()).toBe(500);
    session.noteSpooled(first);
    expect(session.oldestUnspooledMs()).toBe(800);
    const second = session.reportsForSpool(Number.POSITIVE_INFINITY, (atMs) => atMs);
    expect(second).toMatchObject([{ attempt: 2, finished: null, started_at_ms: null, ended_at_ms: 800 }]);
    session.noteSpooled(second);
    expect(session.oldestUnspooledMs()).toBeNull();
    expect(session.numUnanswered).toBe(3);
  });

  it('includes files and user data, and waits from when an end was noted, not from when it happened', () => {
    const session = new Session('w');
    const files = [
      { file_key: 3, is_output: true, size_bytes: -1, modified_us: null, changed_us: null, content_hash: null },
    ];
    const userData = [{ name: 'a "b"', data: { x: [null] } }];
    session.noteFinished({ ...finished(1, 500), files, userData }, 2_700);
    expect(session.oldestUnspooledMs()).toBe(2_700);
    const [spooled] = session.reportsForSpool(Number.POSITIVE_INFINITY, (atMs) => atMs);
    expect(spooled).toMatchObject({ ended_at_ms: 500, finished: { files, user_data: userData } });
  });
});
