/** Short jobs that a worker gets ahead of time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, statuses, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

const many = (count: number, fields = {}) => Array.from({ length: count }, (_, n) => ({ name: `j${n}`, ...fields }));
const alike = { memory: 1024 };

/** Ends the oldest job that the worker holds, after this long. */
async function end(worker: TestWorker, runtimeMs: number) {
  const attempt = worker.held.shift() as number;
  return await worker.exchange({ finished: [{ ...finished(attempt), exec_ms: runtimeMs }] });
}

describe('short jobs', () => {
  it('are given ahead once a few have ended, for at most a tenth of a second of work in all', async () => {
    const key = await createWorkflow(fresh.service, many(200, alike));
    const worker = await TestWorker.join(fresh.service, key, { cpus: 2 });
    await worker.exchange();
    expect(worker.held).toHaveLength(2);
    for (let n = 0; n < 3; n++) expect((await end(worker, 10)).jobs).toHaveLength(1);
    // two run, and behind each of them are ten of ten milliseconds
    await end(worker, 10);
    expect(worker.held).toHaveLength(22);
    await end(worker, 10);
    expect(worker.held).toHaveLength(22);
    // another worker still gets its own
    const other = await TestWorker.join(fresh.service, key, { cpus: 2 });
    await other.exchange();
    expect(other.held).toHaveLength(2);
  });

  it('are given ahead only while some end, and count as running once they have started', async () => {
    const key = await createWorkflow(fresh.service, many(100, alike));
    const worker = await TestWorker.join(fresh.service, key, { cpus: 2 });
    await worker.exchange();
    for (let n = 0; n < 4; n++) await end(worker, 50);
    expect(worker.held).toHaveLength(6);
    const [, , third, fourth] = worker.held as [number, number, number, number];
    // jobs that were handed back are not given ahead again at once
    const back = worker.held.splice(4);
    await worker.exchange({ returned: back });
    expect(worker.held).toHaveLength(4);
    const begun = [third, fourth].map((attempt) => ({ attempt, age_ms: 0, pid: 1 }));
    await worker.exchange({ started: begun });
    // a repeated report is answered at once, while an empty exchange waits for work
    expect(await worker.exchange({ started: begun })).toMatchObject({ jobs: [], reports: [{}, {}] });
    expect(Object.values(await statuses(fresh.service, key)).filter((status) => status === 'submitted')).toHaveLength(
      2,
    );
  });

  it('are given ahead in equal shares, which shrink as workers come and grow as they leave', async () => {
    const key = await createWorkflow(fresh.service, many(700, alike));
    const join = () => TestWorker.join(fresh.service, key);
    const worker = await join();
    await worker.exchange();
    const show = () => fresh.service.call('workflow_show', { workflow_key: key });
    expect(await show()).toMatchObject({ num_active_workers: 1 });
    const others = await Promise.all(Array.from({ length: 1023 }, join));
    expect(await show()).toMatchObject({ num_active_workers: 1024 });
    for (let n = 0; n < 5; n++) await end(worker, 1);
    // of 1,024 workers each has 128 behind the four that run
    expect(worker.held).toHaveLength(4 + 128);
    await Promise.all(others.slice(0, 512).map((other) => other.exchange({ leaving: true })));
    await end(worker, 1);
    expect(worker.held).toHaveLength(4 + 256);
  });

  it('never overtake an earlier job in claim order that would fit this worker', async () => {
    const jobs = [...many(30, alike), { name: 'wide', cpus: 2, priority: 1 }];
    const key = await createWorkflow(
      fresh.service,
      jobs,
      jobs.slice(0, 6).map((_, n): [number, number] => [n, 30]),
    );
    const worker = await TestWorker.join(fresh.service, key, { cpus: 2 });
    await worker.exchange();
    for (let n = 0; n < 5; n++) await end(worker, 10);
    expect(worker.held.length).toBeGreaterThan(10);
    // the last job that the wide one waited for: now that is next, and takes the node when it is empty
    while (worker.held.length > 2) await end(worker, 10);
    expect((await statuses(fresh.service, key)).wide).toBe('ready');
    // smaller jobs still fill up the node, but are not queued before the wide one
    while ((await statuses(fresh.service, key)).wide === 'ready') {
      await end(worker, 10);
      expect(worker.held.length).toBeLessThanOrEqual(2);
    }
    expect(worker.held).toHaveLength(1);
  });

  it('that were given ahead are stopped when their workflow is canceled', async () => {
    const key = await createWorkflow(fresh.service, many(100, alike));
    const worker = await TestWorker.join(fresh.service, key, { cpus: 2 });
    await worker.exchange();
    for (let n = 0; n < 4; n++) await end(worker, 10);
    const held = [...worker.held];
    expect(held.length).toBeGreaterThan(10);
    await fresh.service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    const { stop } = await worker.exchange();
    expect(stop.map(({ attempt }) => attempt)).toEqual(held);
    worker.held = [];
    await worker.exchange({ returned: held });
    expect(new Set(Object.values(await statuses(fresh.service, key)))).toEqual(new Set(['done', 'canceled']));
  });
});
