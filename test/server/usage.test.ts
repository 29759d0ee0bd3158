/** What jobs have used is rolled up by the forms of their names, in the transaction that stores their ends. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createWorkflow, finished, freshService, TestWorker } from '../support/service.ts';

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

const usageOf = async (workflow_key: string) => (await fresh.service.call('usage', { workflow_key })).usage;

it('counts attempts that succeeded or ran out of something, once each, and compares them with the request', async () => {
  const jobs = Array.from({ length: 10 }, (_, i) => ({
    name: `work_${i}`,
    memory: 8 * gibibyte,
    runtime: 600,
    cpus: 2,
  }));
  const key = await createWorkflow(fresh.service, [...jobs, { name: 'other' }, { name: 'fails' }]);
  const worker = await TestWorker.join(fresh.service, key, { cpus: 100, memory: 100 * gibibyte });
  const { jobs: given } = await worker.exchange();
  const ends = given.map(({ attempt, job_name }, i) => ({
    ...finished(attempt, job_name === 'fails' ? 1 : 0),
    ...(i === 9 ? { return_code: 137, cause: 'oom' as const } : {}),
    exec_ms: 10_000,
    cpu_ms: 15_000,
    peak_memory_bytes: (i + 1) * 100 * mebibyte,
  }));
  worker.held = worker.held.slice(4);
  await worker.exchange({ finished: ends.slice(0, 4) });
  await worker.exchange({ finished: ends.slice(0, 4) });
  worker.held = [];
  await worker.exchange({ finished: ends.slice(4) });
  const usage = await usageOf(key);
  expect(usage.map(({ stem, num_attempts, num_oom }) => [stem, num_attempts, num_oom])).toEqual([
    ['other', 1, 0],
    ['work_*', 10, 1],
  ]);
  const [, work] = usage;
  expect(work?.memory_bytes).toMatchObject({
    requested: 8 * gibibyte,
    min: 100 * mebibyte,
    max: 1000 * mebibyte,
    finding: 'under_half',
  });
  expect(Math.abs((work?.memory_bytes.median ?? 0) / mebibyte - 500)).toBeLessThan(13);
  expect(work?.memory_bytes.proposed).toBeGreaterThanOrEqual(1165 * mebibyte);
  expect(work?.num_cpus).toMatchObject({ requested: 2, max: 1.5, finding: null });
  expect(work?.runtime_seconds).toMatchObject({ requested: 600, median: 10, proposed: 12, finding: 'under_half' });
  expect(usage[0]?.memory_bytes).toMatchObject({ requested: null, finding: null });
});

it('is part of the transaction: what is rolled back is not counted', async () => {
  const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
  const use = {
    workflowKey: Number(key),
    stem: 'a',
    shapeKey: 1,
    cause: 'success',
    memoryBytes: 1,
    cpuThousandths: 1,
    runtimeMs: 1,
  };
  await fresh.service.write((tx) => {
    tx.rehearse(() => tx.used(use));
    expect(() =>
      tx.savepoint(() => {
        tx.used(use);
        throw new Error('no');
      }),
    ).toThrow('no');
  });
  expect(await usageOf(key)).toEqual([]);
});

it('rolls up names of more than a thousand forms together', async () => {
  const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
  const shapeKey = fresh.service.db.get<{ shape_key: number }>('SELECT shape_key FROM jobs')?.shape_key ?? 0;
  await fresh.service.write((tx) => {
    for (let i = 0; i < 1500; i++) {
      const stem = `s${String.fromCharCode(97 + (i % 26))}${String.fromCharCode(97 + Math.floor(i / 26))}`;
      tx.used({
        workflowKey: Number(key),
        stem,
        shapeKey,
        cause: 'success',
        memoryBytes: 5,
        cpuThousandths: 1,
        runtimeMs: 1,
      });
    }
  });
  const usage = await usageOf(key);
  expect(usage).toHaveLength(1001);
  expect(usage.find(({ stem }) => stem === '(others)')?.num_attempts).toBe(500);
});
