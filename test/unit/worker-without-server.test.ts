/** What a worker keeps on disk while the server does not answer, and when it looks for the server's word to stop. */
import { describe, expect, it } from 'vitest';
import type { SpooledReport } from '../../src/api/spool.ts';
import { silentLog } from '../../src/base/log.ts';
import { Session } from '../../src/worker/exchange/session.ts';
import { WithoutServer } from '../../src/worker/exchange/without-server.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { noNews } from '../support/request-facts.ts';

/** A worker whose spool fails as often as `failures` says. */
function worker(failures: number) {
  const clock = new FakeClock();
  const session = new Session('w');
  const written: number[][] = [];
  const tried: number[][] = [];
  let left = failures;
  let isRemoved = false;
  const withoutServer = new WithoutServer({
    session,
    clock,
    log: silentLog,
    exchanger: { lostSinceMs: null, lastContactMs: 0, toServerTime: (atMs) => atMs },
    effects: {
      isFenced: async () => false,
      spool: {
        async append(reports: readonly SpooledReport[]) {
          const attempts = reports.map(({ attempt }) => attempt);
          tried.push(attempts);
          await new Promise<void>((resolve) => clock.after(100, resolve));
          left -= 1;
          if (left >= 0) return false;
          written.push(attempts);
          return true;
        },
        remove: async () => {
          isRemoved = true;
        },
      },
    },
    fenced() {},
    cleared() {},
    wrote: () => look(),
  });
  const look = (): number => withoutServer.lookAtSpool(false);
  const returned = (attempt: number): void => session.noteReturned(attempt, clock.monotonic());
  return { clock, session, withoutServer, look, returned, written, tried, isRemoved: () => isRemoved };
}

/** A worker that has asked the server now and was answered. */
function answered() {
  const clock = new FakeClock();
  const session = new Session('w');
  const happened: string[] = [];
  const looks: ((isFenced: boolean) => void)[] = [];
  const withoutServer = new WithoutServer({
    session,
    clock,
    log: silentLog,
    exchanger: { lostSinceMs: null, lastContactMs: 0, toServerTime: (atMs) => atMs },
    effects: {
      isFenced: () => new Promise((resolve) => looks.push(resolve)),
      spool: { append: async () => true, remove: async () => {} },
    },
    fenced: () => happened.push('fenced'),
    cleared: () => happened.push('cleared'),
    wrote() {},
  });
  const ask = (): { answer(): void } => {
    const { seq } = session.nextRequest({ ...noNews, nowMs: clock.monotonic() });
    const reply = { seq, epoch: 1, now: '', jobs: [], stop: [], reports: [], leave: false, unknown_worker: false };
    return { answer: () => session.receive(seq, reply, clock.monotonic()) };
  };
  ask().answer();
  /** Answers the look that was begun last. */
  const find = async (isFenced: boolean): Promise<void> => {
    looks.at(-1)?.(isFenced);
    await clock.advance(0);
  };
  return { clock, withoutServer, happened, looks, ask, find };
}

describe('a worker that starts a job', () => {
  it('looks for nothing while the server has just answered', async () => {
    const { clock, withoutServer, looks } = answered();
    clock.stall(14_000);
    expect([withoutServer.mayStart(), looks.length]).toEqual([true, 0]);
  });

  it('looks first when it has stood still, once for all that ask, and counts that look from its beginning', async () => {
    const { clock, withoutServer, happened, looks, find } = answered();
    clock.stall(16_000);
    expect([withoutServer.mayStart(), withoutServer.beforeStart() === null]).toEqual([false, false]);
    clock.stall(10_000);
    await find(false);
    expect([looks.length, happened, withoutServer.mayStart()]).toEqual([1, ['cleared'], true]);
    clock.stall(6_000);
    expect(withoutServer.mayStart()).toBe(false);
    await find(true);
    expect([looks.length, happened]).toEqual([2, ['cleared', 'fenced']]);
  });

  it('takes an answer for as old as its request, which the server may have answered long ago', () => {
    const { clock, withoutServer, ask } = answered();
    const request = ask();
    clock.stall(16_000);
    request.answer();
    expect(withoutServer.mayStart()).toBe(false);
    ask().answer();
    expect(withoutServer.mayStart()).toBe(true);
  });

  it.each([60_000, -60_000])('looks first when only the wall clock has moved (%i ms)', async (byMs) => {
    const { clock, withoutServer, find } = answered();
    clock.set(byMs);
    expect(withoutServer.mayStart()).toBe(false);
    await find(false);
    expect(withoutServer.mayStart()).toBe(true);
  });
});

describe('reports that the server does not answer', () => {
  it('are written again after a failure, until they are on disk', async () => {
    const { clock, look, returned, written, tried, session } = worker(2);
    returned(1);
    await clock.advance(1_000);
    look();
    await clock.advance(100);
    expect([tried, written, session.oldestUnspooledMs()]).toEqual([[[1]], [], clock.monotonic() - 1_100]);
    returned(2);
    // both are due, but a file system that has just failed is left alone for a while
    for (let turn = 0; turn < 4; turn += 1) {
      await clock.advance(1_000);
      expect(look()).toBeGreaterThan(clock.monotonic());
    }
    await clock.advance(1_000);
    look();
    await clock.advance(100);
    expect(tried).toEqual([[1], [1, 2]]);
    await clock.advance(10_000);
    look();
    await clock.advance(100);
    expect([tried.length, written, session.oldestUnspooledMs()]).toEqual([3, [[1, 2]], null]);
    expect(look()).toBe(Number.POSITIVE_INFINITY);
  });

  it('are written once while a write is in progress', async () => {
    const { clock, look, returned, written } = worker(0);
    returned(1);
    await clock.advance(1_000);
    look();
    expect(look()).toBe(Number.POSITIVE_INFINITY);
    await clock.advance(5_000);
    expect(written).toEqual([[1]]);
  });

  it.each([
    ['has failed', 1],
    ['is about to fail', 0],
  ])("are written at the worker's end when an earlier write %s", async (_what, waitMs) => {
    const { clock, look, returned, written, withoutServer } = worker(1);
    returned(1);
    await clock.advance(1_000);
    look();
    await clock.advance(waitMs * 200);
    returned(2);
    const closed = withoutServer.close();
    await clock.advance(200);
    await closed;
    expect(written).toEqual([[1, 2]]);
  });

  it('leave no spool behind if they are acknowledged after all', async () => {
    const { withoutServer, isRemoved } = worker(0);
    await withoutServer.close();
    expect(isRemoved()).toBe(true);
  });
});
