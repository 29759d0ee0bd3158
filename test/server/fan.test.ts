/** One end that concerns many downstream jobs, which then move together. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, statuses, type TestJob, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

/** `first`, 90 jobs that wait for it, of which every third waits for `second` too and every fifth runs in any case, and one job after each. */
async function fan(): Promise<string> {
  const middle = Array.from({ length: 90 }, (_, n): TestJob => ({ name: `m${n}`, cancelOnFailure: n % 5 !== 0 }));
  const last = middle.map(({ name }): TestJob => ({ name: `after_${name}` }));
  const edges = middle.flatMap((_, n): [number, number][] => [
    [0, n + 2],
    ...(n % 3 === 0 ? ([[1, n + 2]] as [number, number][]) : []),
    [n + 2, n + 92],
  ]);
  return createWorkflow(fresh.service, [{ name: 'first' }, { name: 'second' }, ...middle, ...last], edges);
}

async function end(key: string, returnCode: number): Promise<Record<string, string>> {
  const worker = await TestWorker.join(fresh.service, key, { cpus: 1, maxJobs: 1 });
  const [job] = (await worker.exchange()).jobs;
  expect(job?.job_name).toBe('first');
  await worker.finish(job?.attempt ?? 0, returnCode, { draining: true });
  return statuses(fresh.service, key);
}

it('unblocks those that wait for nothing else', async () => {
  const key = await fan();
  const found = await end(key, 0);
  for (let n = 0; n < 90; n++) {
    expect([found[`m${n}`], found[`after_m${n}`]]).toEqual([n % 3 === 0 ? 'blocked' : 'ready', 'blocked']);
  }
  const moves = await rows(fresh.service, 'events', key, { type: 'job_status', new_status: 'ready' });
  expect(moves.length).toBe(60);
});

it('cancels those that need its success, with what comes after them, and names the job that failed', async () => {
  const key = await fan();
  const found = await end(key, 1);
  for (let n = 0; n < 90; n++) {
    const waits = n % 3 === 0 ? 'blocked' : 'ready';
    const expected = n % 5 === 0 ? [waits, 'blocked'] : ['canceled', 'canceled'];
    expect([found[`m${n}`], found[`after_m${n}`]]).toEqual(expected);
  }
  const [first] = await rows(fresh.service, 'jobs', key, { name: 'first' });
  const [one] = await rows(fresh.service, 'jobs', key, { name: 'm1' });
  const { why, events } = await fresh.service.call('job_show', { job_key: String(one?.job_key) });
  expect(why).toContain('first');
  expect(events.find(({ new_status }) => new_status === 'canceled')?.data).toEqual({
    failed_upstream_key: String(first?.job_key),
  });
});
