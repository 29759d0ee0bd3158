/** When the worker calls the server: how many requests at a time, how soon, how patiently. */
import { describe, expect, it } from 'vitest';
import type { Api, ExchangeReply, Reply } from '../../src/api/contract.ts';
import type { Clock } from '../../src/base/clock.ts';
import { TorcError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Exchanger } from '../../src/worker/exchange/exchanger.ts';
import type { ExchangeRequest } from '../../src/worker/exchange/reports.ts';
import { Session, type Taken } from '../../src/worker/exchange/session.ts';
import { noNews } from '../support/request-facts.ts';
import { defaultSettings } from '../worker/fake-server.ts';

interface Call {
  endpoint: string;
  request: ExchangeRequest;
  atMs: number;
  timeoutMs: number | undefined;
  answer(given?: Partial<ExchangeReply>): Promise<void>;
  fail(): Promise<void>;
}

/** Lets everything run that does not wait for the clock. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function start(random = 1) {
  let nowMs = 0;
  let timers: { atMs: number; call: () => void }[] = [];
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, call) {
      const timer = { atMs: nowMs + delayMs, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
  };
  const calls: Call[] = [];
  const api: Api = {
    call(endpoint, request, options) {
      return new Promise((resolve, reject) => {
        calls.push({
          endpoint,
          request: request as unknown as ExchangeRequest,
          atMs: nowMs,
          timeoutMs: options?.timeoutMs,
          async answer(given = {}) {
            const { seq } = request as unknown as ExchangeRequest;
            const base = { seq, epoch: 1, now: '2026-01-01T00:00:00Z', jobs: [], stop: [], reports: [] };
            const hello = { answer: 'welcome', epoch: 1, settings: defaultSettings };
            const reply =
              endpoint === 'worker_hello' ? hello : { ...base, leave: false, unknown_worker: false, ...given };
            resolve(reply as unknown as Reply<typeof endpoint>);
            await settled();
          },
          async fail() {
            reject(new TorcError('unreachable', 'nobody there'));
            await settled();
          },
        });
      });
    },
    async close() {},
  };
  const session = new Session('w');
  const taken: Taken[] = [];
  const exchanger = new Exchanger(
    session,
    {
      facts: () => noNews,
      endsDelayMs: () => 0,
      hello: () => ({}) as never,
      greeted() {},
      refused() {},
      taken: (news) => taken.push(news),
      incompatible() {},
      contactChanged() {},
    },
    { api, clock, log: silentLog, random: () => random },
  );
  exchanger.poke();
  return {
    session,
    exchanger,
    calls,
    last: () => calls.at(-1) as Call,
    returned: async (attempt: number) => {
      session.noteReturned(attempt, nowMs);
      exchanger.poke();
      await settled();
    },
    /** Moves the clock, running what is due on the way. */
    pass: async (ms: number) => {
      const endMs = nowMs + ms;
      for (;;) {
        const due = timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
        if (due === undefined) break;
        timers = timers.filter((timer) => timer !== due);
        nowMs = Math.max(nowMs, due.atMs);
        due.call();
        await settled();
      }
      nowMs = endMs;
    },
  };
}

async function greeted(random?: number) {
  const world = start(random);
  await settled();
  await world.last().answer();
  return world;
}

describe('requests', () => {
  it('begin with a hello; then one is parked and nothing else is sent', async () => {
    const world = await greeted();
    await world.pass(30_000);
    expect(world.calls.map(({ endpoint }) => endpoint)).toEqual(['worker_hello', 'exchange']);
  });

  it('carry news at once, besides the parked one; more news waits for the answer', async () => {
    const world = await greeted();
    await world.returned(1);
    expect(world.last().request).toMatchObject({ seq: 2, returned: [1] });
    await world.returned(2);
    await world.returned(3);
    expect(world.calls).toHaveLength(3);
    await world.last().answer({ reports: [{ attempt: 1, report: 'returned', answer: 'accepted' }] });
    expect(world.last().request).toMatchObject({ seq: 3, returned: [2, 3] });
    // the parked one was ended by the server; its late reply changes nothing
    await world.calls[1]?.answer({ jobs: [] });
    expect(world.calls).toHaveLength(4);
  });

  it('do not wait forever for a slow answer, and are never more than two', async () => {
    const world = await greeted();
    world.session.noteReturned(1, 0);
    await world.calls[1]?.answer();
    expect(world.last().request).toMatchObject({ seq: 2, returned: [1] });
    await world.returned(2);
    await world.pass(999);
    expect(world.calls).toHaveLength(3);
    await world.pass(1);
    expect(world.last().request).toMatchObject({ seq: 3, returned: [1, 2] });
    await world.returned(3);
    await world.pass(10_000);
    expect(world.calls).toHaveLength(4);
  });

  it('with only a start wait a little for other news', async () => {
    const world = await greeted();
    world.session.noteStarted(1, 77, 0);
    world.exchanger.poke();
    await world.pass(99);
    expect(world.calls).toHaveLength(2);
    await world.pass(1);
    expect(world.last().request.started).toMatchObject([{ attempt: 1, pid: 77, age_ms: 100 }]);
  });

  it('wait for the end of a short job when the last reply had jobs', async () => {
    const world = await greeted();
    await world.last().answer({ jobs: [{ attempt: 1 } as never] });
    expect(world.calls).toHaveLength(2);
    world.session.noteReturned(1, 0);
    world.exchanger.poke();
    await world.pass(0);
    expect(world.calls).toHaveLength(3);
    expect(world.last().request).toMatchObject({ seq: 2, ack: 1, returned: [1] });
    const reports = [{ attempt: 1, report: 'returned', answer: 'accepted' } as const];
    await world.last().answer({ reports, jobs: [{ attempt: 2 } as never] });
    await world.pass(9);
    expect(world.calls).toHaveLength(3);
    await world.pass(1);
    expect(world.last().request).toMatchObject({ seq: 3, ack: 2, held: [2] });
  });

  it('are not sent in a tight loop to a server that answers at once with nothing', async () => {
    const world = await greeted();
    for (let turn = 0; turn < 10; turn += 1) {
      await world.last().answer();
      await world.pass(1_000);
    }
    const gaps = world.calls.slice(2).map((call, index) => call.atMs - (world.calls[index + 1]?.atMs ?? 0));
    expect(gaps[0]).toBe(50);
    expect(gaps[1]).toBeGreaterThanOrEqual(100);
    expect(world.calls.length).toBeLessThanOrEqual(12);
  });
});

describe('a server that answers at once with nothing', () => {
  it('still gets news at once, but not repeatedly the same reports that it does not answer', async () => {
    const world = await greeted();
    for (let turn = 0; turn < 5; turn += 1) {
      await world.last().answer();
      await world.pass(1_000);
    }
    await world.last().answer();
    const before = world.calls.length;
    await world.returned(1);
    expect(world.calls.length).toBe(before + 1);
    for (let turn = 0; turn < 5; turn += 1) {
      await world.last().answer();
      await world.pass(1_000);
    }
    expect(world.calls.length).toBeLessThanOrEqual(before + 7);
    expect(world.last().request.returned).toEqual([1]);
  });
});

describe('a server that is away', () => {
  it('is tried again after 0.1 to 3 s, less and less often', async () => {
    for (const [random, expected] of [
      [1, [400, 800, 1600, 3000, 3000, 3000]],
      [0, [100, 100, 100, 100, 100, 100]],
    ] as const) {
      const world = await greeted(random);
      const gaps: number[] = [];
      for (let turn = 0; turn < 6; turn += 1) {
        const { atMs } = world.last();
        await world.last().fail();
        await world.pass(5_000);
        gaps.push(world.last().atMs - atMs);
      }
      expect(gaps).toEqual(expected.map((gap, index) => gap + (index === 0 ? 0 : 5_000 - (expected[index - 1] ?? 0))));
      expect(world.exchanger.lostSinceMs).toBe(0);
    }
  });

  it('gets everything in a request with a new number when it is back', async () => {
    const world = await greeted();
    await world.returned(1);
    const failed = world.last();
    await world.calls[1]?.fail();
    await failed.fail();
    await world.pass(5_000);
    expect(world.last().request).toMatchObject({ returned: [1] });
    expect(world.last().request.seq).toBeGreaterThan(failed.request.seq);
    await world.last().answer({ reports: [{ attempt: 1, report: 'returned', answer: 'repeated' }] });
    expect([world.exchanger.lostSinceMs, world.session.numUnanswered]).toEqual([null, 0]);
  });

  it('gets requests with a short timeout from a worker in a hurry', async () => {
    const world = await greeted();
    world.exchanger.hurry(900);
    await settled();
    expect(world.last()).toMatchObject({ timeoutMs: 900 });
    for (const call of world.calls.slice(1)) await call.fail();
    const { atMs } = world.last();
    await world.pass(400);
    expect(world.last().atMs - atMs).toBe(400);
  });

  it('is believed about its clock', async () => {
    const world = await greeted();
    await world.pass(2_000);
    await world.last().answer();
    expect(world.exchanger.toServerTime(1_500)).toBe(Date.parse('2026-01-01T00:00:00Z') - 500);
  });

  it('gets another hello when it does not know the worker', async () => {
    const world = await greeted();
    await world.last().answer({ unknown_worker: true });
    await world.pass(100);
    expect(world.last().endpoint).toBe('worker_hello');
    await world.last().answer();
    expect(world.last()).toMatchObject({ endpoint: 'exchange', request: { seq: 2 } });
  });
});
