/** What a worker keeps on disk while the server does not answer, and when it tries again. */
import { describe, expect, it } from 'vitest';
import type { SpooledReport } from '../../src/api/spool.ts';
import { silentLog } from '../../src/base/log.ts';
import { Session } from '../../src/worker/exchange/session.ts';
import { WithoutServer } from '../../src/worker/exchange/without-server.ts';
import { FakeClock } from '../support/fake-machine.ts';

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
    isFenced: async () => false,
    fenced() {},
    wrote: () => look(),
  });
  const look = (): number => withoutServer.lookAtSpool(false);
  const returned = (attempt: number): void => session.noteReturned(attempt, clock.monotonic());
  return { clock, session, withoutServer, look, returned, written, tried, isRemoved: () => isRemoved };
}

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
