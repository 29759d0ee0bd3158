/** Limits on jobs that run at once: of a workflow, of jobs that name one, of several workflows. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/server/service.ts';
import { soundnessSteps } from '../../src/storage/database/soundness.ts';
import { giveUpAttempt } from '../../src/storage/running/attempts.ts';
import { giveBack } from '../../src/storage/running/completion.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, type TestJob, TestWorker } from '../support/service.ts';

let service: Service;
let end: () => Promise<void>;
beforeEach(async () => {
  const fresh = await freshService();
  service = fresh.service;
  end = fresh.close;
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  expect([...soundnessSteps(service.db)].flatMap((look) => look())).toEqual([]);
  await end();
});

const jobs = (count: number, changes: Partial<TestJob> = {}): TestJob[] =>
  Array.from({ length: count }, (_, n) => ({ name: `j${n}`, ...changes }));
const modify = (key: string, changes: object) => service.call('workflow_modify', { workflow_key: key, changes });
const set = (name: string, maximum: number, workflow_key: string | null = null) =>
  service.call('limit_set', { name, workflow_key, maximum });
const running = (key: string): number =>
  service.db.get<{ n: number }>(
    `SELECT count(*) AS n FROM jobs WHERE workflow_key = ? AND status IN ('submitted', 'submitted_pending')`,
    Number(key),
  )?.n ?? 0;
const moment = () => new Promise((resolve) => setImmediate(resolve));
/** Reports ends and asks for jobs; returns how many it got. A request that waits is ended by the next one. */
async function take(worker: TestWorker, ended: number[] = []): Promise<number> {
  worker.held = worker.held.filter((attempt) => !ended.includes(attempt));
  const before = worker.held.length;
  void worker.exchange({ finished: ended.map((attempt) => finished(attempt)) });
  for (let n = 0; n < 4; n++) await moment();
  return worker.held.length - before;
}
const whyOf = async (key: string, name: string) => {
  const [job] = await rows(service, 'jobs', key, { name });
  return await service.call('job_show', { job_key: job?.job_key as string });
};

describe('max_concurrent_jobs', () => {
  it('is changed while jobs run: 50, then 2, then none, then 5; nothing that runs is stopped', async () => {
    const key = await createWorkflow(service, jobs(60), [], { maxConcurrentJobs: 50 });
    const worker = await TestWorker.join(service, key, { cpus: 100 });
    expect(await take(worker)).toBe(50);
    await modify(key, { max_concurrent_jobs: 2 });
    expect(running(key)).toBe(50);
    // 47 end: three still run, and one more may not start
    expect(await take(worker, worker.held.slice(0, 47))).toBe(0);
    expect(await take(worker, worker.held.slice(0, 2))).toBe(1);
    await modify(key, { max_concurrent_jobs: 0 });
    expect(await take(worker, worker.held.slice(0, 2))).toBe(0);
    expect((await whyOf(key, 'j59')).reasons).toContainEqual({
      code: 'waits_for_limit',
      limit: null,
      maximum: 0,
      num_running: 0,
      shared: false,
      workflows: [],
    });
    await modify(key, { max_concurrent_jobs: 5 });
    expect(await take(worker)).toBe(5);
    await modify(key, { max_concurrent_jobs: null });
    expect(await take(worker)).toBe(4);
  });

  it('counts what ran before it was set, and wakes a waiting worker when it is raised', async () => {
    const key = await createWorkflow(service, jobs(8));
    const worker = await TestWorker.join(service, key, { cpus: 3 });
    const other = await TestWorker.join(service, key, { cpus: 3 });
    expect(await take(worker)).toBe(3);
    await modify(key, { max_concurrent_jobs: 3 });
    const waiting = other.exchange();
    await moment();
    expect(service.numParked).toBe(1);
    await modify(key, { max_concurrent_jobs: 5 });
    expect((await waiting).jobs).toHaveLength(2);
  });

  it('counts what ran before it was set, as the first thing that a server does after its start', async () => {
    const key = await createWorkflow(service, jobs(8));
    const worker = await TestWorker.join(service, key, { cpus: 3 });
    expect(await take(worker)).toBe(3);
    service.db.mirrors.clear();
    await modify(key, { max_concurrent_jobs: 3 });
    expect(await take(await TestWorker.join(service, key, { cpus: 3 }))).toBe(0);
  });

  it('wakes a waiting worker when another one that takes no more jobs leaves a slot', async () => {
    const key = await createWorkflow(service, jobs(2));
    await modify(key, { max_concurrent_jobs: 1 });
    const [worker, other] = [await TestWorker.join(service, key), await TestWorker.join(service, key)];
    expect(await take(worker)).toBe(1);
    const waiting = other.exchange();
    await moment();
    await worker.finish(worker.held[0] as number, 0, { draining: true });
    expect((await waiting).jobs).toHaveLength(1);
  });
});

describe('a named limit', () => {
  it('lets other jobs pass, and a job with several needs room under each', async () => {
    const list: TestJob[] = [
      { name: 'both', limits: ['a', 'b'] },
      { name: 'a1', limits: ['a'] },
      { name: 'a2', limits: ['a'] },
      { name: 'free' },
      { name: 'b1', limits: ['b'] },
    ];
    const key = await createWorkflow(service, list, [], { limits: { a: 2, b: 1 } });
    const worker = await TestWorker.join(service, key, { cpus: 10 });
    expect(await take(worker)).toBe(3);
    const started = (await rows(service, 'jobs', key, { status: 'submitted_pending' })).map(({ name }) => name);
    expect(started).toEqual(['both', 'a1', 'free']);
    expect((await whyOf(key, 'b1')).why).toBe('It waits for the limit b of its workflow: 1 of 1 runs.');
    expect((await rows(service, 'jobs', key, { limits: 'a' })).map(({ name }) => name)).toEqual(['both', 'a1', 'a2']);
    expect(await take(worker, worker.held.slice(0, 1))).toBe(2);
  });

  it('is refused where nobody has set it', async () => {
    const created = createWorkflow(service, [{ name: 'j', limits: ['matlb'] }], [], { limits: { matlab: 1 } });
    await expect(created).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^job "j" names the limit "matlb", .*did you mean "matlab"/),
      hint: expect.stringContaining('torc limits set matlb 2'),
    });
  });

  it('counts a job whose worker is silent until its process is known to be gone', async () => {
    const key = await createWorkflow(service, jobs(2, { limits: ['a'] }), [], { limits: { a: 1 } });
    const [first, second] = [await TestWorker.join(service, key), await TestWorker.join(service, key)];
    expect(await take(first)).toBe(1);
    // the job is given up and ready again while its process may still run
    await service.write((tx) => {
      giveUpAttempt(tx, first.held[0] as number);
      const job = { jobKey: 1, workflowKey: Number(key), status: 'submitted_pending', failed: false } as const;
      giveBack(tx, job, { by: 'loss' });
    });
    expect(service.db.get('SELECT is_live, is_occupying FROM attempts')).toEqual({ is_live: 0, is_occupying: 1 });
    expect(await take(second)).toBe(0);
    const waiting = second.exchange();
    await moment();
    // whoever waits is woken even when nothing has looked at the limits since the server's start
    service.db.mirrors.clear();
    await first.finish(first.held[0] as number, 0, { draining: true });
    expect((await waiting).jobs).toHaveLength(1);
  });

  it('can be taken from jobs that do not run, and given to them', async () => {
    const key = await createWorkflow(service, jobs(3, { limits: ['a'] }), [], { limits: { a: 1, b: 0 } });
    const worker = await TestWorker.join(service, key);
    expect(await take(worker)).toBe(1);
    const change = (job_key: string, limits: string[]) =>
      service.call('job_modify', { job_key, dry_run: false, changes: { limits } });
    await expect(change('1', [])).rejects.toMatchObject({ code: 'conflict' });
    await expect(change('2', ['c'])).rejects.toMatchObject({ code: 'usage' });
    expect((await change('3', ['b'])).changes).toEqual([{ field: 'limits', old_value: 'a', new_value: 'b' }]);
    const waiting = (await TestWorker.join(service, key)).exchange();
    await moment();
    await change('2', []);
    expect((await waiting).jobs).toMatchObject([{ job_key: '2' }]);
  });

  it('gives no jobs ahead of time', async () => {
    const key = await createWorkflow(service, jobs(40, { limits: ['a'] }), [], { limits: { a: 100 } });
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    await worker.exchange();
    for (let n = 0; n < 10; n++) await worker.finish(worker.held[0] as number);
    expect(running(key)).toBe(2);
  });

  it('comes with a clone, and with the export', async () => {
    const key = await createWorkflow(service, jobs(3, { limits: ['a'] }), [], {
      limits: { a: 1 },
      maxConcurrentJobs: 9,
    });
    const copied = await service.call('workflow_copy', {
      workflow_key: key,
      dry_run: false,
      how: 'clone',
      name: null,
      user: 'tester',
    });
    const clone = copied.workflow_key as string;
    expect((await service.call('limits_list', { workflow_key: clone })).limits).toMatchObject([
      { name: 'a', maximum: 1 },
    ]);
    const page = await service.call('workflow_export', { workflow_key: clone, part: 'head', limit: 10, skip: 0 });
    expect(page.head?.workflow).toMatchObject({ limits: { a: 1 }, max_concurrent_jobs: 9 });
  });
});

describe('a limit of all workflows', () => {
  it('of 3 over two workflows is never exceeded, and a slot goes to the worker that waits for it', async () => {
    await set('licence', 3);
    const keys = [
      await createWorkflow(service, jobs(6, { limits: ['licence'] })),
      await createWorkflow(service, jobs(6, { limits: ['licence'] })),
    ];
    const [a, b] = await Promise.all(keys.map((key) => TestWorker.join(service, key, { cpus: 8 })));
    if (a === undefined || b === undefined) throw new Error('no workers');
    const most = () => running(keys[0] as string) + running(keys[1] as string);
    const waiting = new Set<TestWorker>();
    // whoever waits is answered by a commit: no poll ends in this test
    const settle = async () => {
      for (let n = 0; n < 8; n++) {
        for (const worker of [a, b].filter((one) => !waiting.has(one))) {
          waiting.add(worker);
          void worker.exchange().then(() => waiting.delete(worker));
        }
        await moment();
      }
    };
    expect(await take(a)).toBe(3);
    await settle();
    expect((await whyOf(keys[1] as string, 'j0')).why).toBe(
      `It waits for the shared limit licence: 3 of 3 run (workflow ${keys[0]}: 3).`,
    );
    let [ends, turns] = [0, 0];
    for (let worker = a; most() > 0; worker = worker === a ? b : a) {
      const [attempt] = worker.held;
      if (attempt === undefined) continue;
      const other = worker === a ? b : a;
      const before = other.held.length;
      await worker.finish(attempt, 0);
      ends += 1;
      await settle();
      if (other.held.length > before) turns += 1;
      expect(most()).toBe(Math.min(3, 12 - ends));
    }
    expect(ends).toBe(12);
    expect(turns).toBeGreaterThan(3);
  });

  it('wakes the workers of every workflow when it is raised or deleted, unless they have one of their own', async () => {
    await set('licence', 0);
    const limited = jobs(4, { limits: ['licence'] });
    const keys = [await createWorkflow(service, limited), await createWorkflow(service, limited)];
    const workers = await Promise.all(keys.map((key) => TestWorker.join(service, key, { cpus: 1 })));
    const replies = workers.map((worker) => worker.exchange());
    await moment();
    expect(service.numParked).toBe(2);
    expect(await set('licence', 1, keys[1])).toMatchObject({ old_maximum: null, maximum: 1, num_running: 0 });
    expect((await replies[1])?.jobs).toHaveLength(1);
    expect(service.numParked).toBe(1);
    expect(await service.call('limit_delete', { name: 'licence', workflow_key: null })).toMatchObject({
      old_maximum: 0,
    });
    expect((await replies[0])?.jobs).toHaveLength(1);
    expect(
      (await rows(service, 'events', keys[0] as string, { type: 'limit_changed' })).map(({ data }) => data),
    ).toEqual([{ name: 'licence', shared: true, old_maximum: 0, maximum: null }]);
    await expect(service.call('limit_delete', { name: 'licence', workflow_key: null })).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
