/** What jobs have used is rolled up by the forms of their names, in the transaction that stores their ends. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addValue, emptySketch, readSketch } from '../../src/model/usage.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import type { Use } from '../../src/storage/database/usage-roll-up.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, finished, freshService, TestWorker } from '../support/service.ts';

const gibibyte = 1024 ** 3;
const mebibyte = 1024 ** 2;

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

const usageOf = async (workflow_key: string) => (await fresh.service.call('usage', { workflow_key })).usage;

it('counts attempts that succeeded, once each, and compares them with the request', async () => {
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
    ['work_*', 10, 0],
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
  expect(work?.runtime_seconds).toMatchObject({ requested: 600, median: 10, proposed: 60, finding: 'under_half' });
  expect(usage[0]?.memory_bytes).toMatchObject({ requested: null, finding: null });
});

it('an attempt that ran out of its request has used all of it, whatever was measured', async () => {
  const jobs = ['a1', 'a2', 'b1', 'c1'].map((name) => ({ name, memory: 8 * gibibyte, runtime: 600 }));
  const key = await createWorkflow(fresh.service, [...jobs, { name: 'free' }]);
  const worker = await TestWorker.join(fresh.service, key, { cpus: 100, memory: 100 * gibibyte });
  const { jobs: given } = await worker.exchange();
  // a person changes what they ask for while they run
  const [requirements] = fresh.service.db.all<{ resource_requirements_key: number }>(
    "SELECT resource_requirements_key FROM jobs WHERE name = 'c1'",
  );
  await fresh.service.call('resource_requirements_modify', {
    resource_requirements_key: String(requirements?.resource_requirements_key),
    dry_run: false,
    changes: { memory_bytes: 20 * gibibyte },
  });
  const ends = { a1: 'success', a2: 'oom', b1: 'job_timeout', c1: 'oom', free: 'oom' } as const;
  const peaks = { a1: 100, a2: 300, b1: 200, c1: null, free: 50 };
  worker.held = [];
  await worker.exchange({
    finished: given.map(({ attempt, job_name }) => {
      const peak = peaks[job_name as keyof typeof peaks];
      return {
        ...finished(attempt, 0),
        cause: ends[job_name as keyof typeof ends],
        exec_ms: job_name === 'b1' ? 599_990 : 10_000,
        peak_memory_bytes: peak === null ? null : peak * mebibyte,
      };
    }),
  });
  const [a, b, c, free] = await usageOf(key);
  expect(a).toMatchObject({ stem: 'a*', num_oom: 1, memory_bytes: { min: 100 * mebibyte, max: 8 * gibibyte } });
  expect(b?.runtime_seconds).toMatchObject({ requested: 600, max: 600, proposed: 720, finding: 'exceeded' });
  expect(c?.memory_bytes).toMatchObject({ requested: 20 * gibibyte, max: 8 * gibibyte });
  expect(free?.memory_bytes).toMatchObject({ requested: null, max: 50 * mebibyte, finding: null });
});

it('requests are those of the jobs as they are now, of jobs with such names', async () => {
  const asks = { a1: 600, a2: 900, a3: 1200, b1: 600 };
  const jobs = Object.entries(asks).map(([name, runtime]) => ({ name, runtime, hold: name === 'a3' }));
  const key = await createWorkflow(fresh.service, [...jobs, { name: 'a4' }]);
  const worker = await TestWorker.join(fresh.service, key, { cpus: 100 });
  const { jobs: given } = await worker.exchange();
  worker.held = [];
  await worker.exchange({ finished: given.map(({ attempt }) => ({ ...finished(attempt, 0), exec_ms: 100_000 })) });
  const runtimes = async () =>
    (await usageOf(key)).map(({ runtime_seconds: r }) => [r.requested_min, r.requested, r.finding]);
  expect(await runtimes()).toEqual([
    [600, 1200, 'under_half'],
    [600, 600, 'under_half'],
  ]);
  const row = fresh.service.db.get<{ job_key: number }>("SELECT job_key FROM jobs WHERE name = 'a3'");
  await fresh.service.call('jobs_modify', {
    job_keys: [String(row?.job_key)],
    dry_run: false,
    changes: { runtime_ms: 60_000 },
  });
  expect(await runtimes()).toEqual([
    [60, 900, 'exceeded'],
    [600, 600, 'under_half'],
  ]);
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

it('is the same as if it had been computed from all attempts, through failures of transactions and another opening', async () => {
  const workflows = [0, 1].map(() => createWorkflow(fresh.service, [{ name: 'a' }]));
  const keys = (await Promise.all(workflows)).map(Number);
  const shapeKey = fresh.service.db.get<{ shape_key: number }>('SELECT shape_key FROM jobs')?.shape_key ?? 0;
  const model = new Map<string, Use[]>();
  const stored = new Set<Use>();
  const someUse = fc.record({
    workflowKey: fc.constantFrom(...keys),
    // more than are kept in memory
    stem: fc.integer({ min: 0, max: 700 }).map((n) => `s${n}`),
    shapeKey: fc.constant(shapeKey),
    cause: fc.constantFrom('success', 'oom', 'job_timeout'),
    memoryBytes: fc.option(fc.integer({ min: 0, max: 2 ** 40 })),
    cpuThousandths: fc.option(fc.integer({ min: 0, max: 64_000 })),
    runtimeMs: fc.integer({ min: 0, max: 10 ** 9 }),
  });
  const someStep = fc.record({
    uses: fc.array(someUse, { maxLength: 200, size: 'max' }),
    fails: fc.boolean(),
    reopens: fc.boolean(),
  });
  for (const { uses, fails, reopens } of fc.sample(fc.array(someStep, { minLength: 30, maxLength: 30 }), 1).flat()) {
    const { db } = fresh.service;
    const write = () =>
      inTransaction(db, 1, (tx) => {
        for (const use of uses) tx.used(use);
        if (!fails) return;
        // what is collected is written, and then all of it is rolled back
        tx.finish();
        throw new Error('no');
      });
    if (fails) expect(write).toThrow('no');
    else {
      write();
      for (const use of uses) {
        const id = `${use.workflowKey} ${use.stem}`;
        model.set(id, [...(model.get(id) ?? []), use]);
        stored.add(use);
      }
    }
    if (reopens) db.mirrors.clear();
  }
  expect(stored.size).toBeGreaterThan(0);
  const sketchOf = (values: (number | null)[]) => {
    const sketch = emptySketch();
    for (const value of values) if (value !== null) addValue(sketch, value);
    return sketch;
  };
  const rows = fresh.service.db.all<Record<string, string>>('SELECT * FROM usage');
  expect(rows).toHaveLength(model.size);
  for (const row of rows) {
    const uses = model.get(`${row.workflow_key} ${row.stem}`) ?? [];
    expect(row).toMatchObject({
      num_oom: uses.filter(({ cause }) => cause === 'oom').length,
      num_timeouts: uses.filter(({ cause }) => cause === 'job_timeout').length,
    });
    expect(readSketch(row.memory ?? '')).toEqual(sketchOf(uses.map((use) => use.memoryBytes)));
    expect(readSketch(row.cpus ?? '')).toEqual(sketchOf(uses.map((use) => use.cpuThousandths)));
    expect(readSketch(row.runtime ?? '')).toEqual(sketchOf(uses.map((use) => use.runtimeMs)));
  }
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

it('is merged over earlier workflows of a name and a user, the newest ten that have measured', async () => {
  const finishAll = async (key: string, peaks: readonly number[], cause = 'success' as 'success' | 'oom') => {
    const worker = await TestWorker.join(fresh.service, key, { cpus: 100, memory: 100 * gibibyte });
    const { jobs: given } = await worker.exchange();
    worker.held = [];
    await worker.exchange({
      finished: given.map(({ attempt }, i) => ({
        ...finished(attempt, cause === 'oom' ? 137 : 0),
        cause,
        exec_ms: 200_000,
        peak_memory_bytes: (peaks[i] ?? 0) * mebibyte,
      })),
    });
  };
  const create = (name: string, memory = 8 * gibibyte) =>
    createWorkflow(
      fresh.service,
      [
        { name: 'work_1', memory },
        { name: 'work_2', memory },
      ],
      [],
      { name },
    );
  const ask = (name: string, workflow_key: string | null = null) =>
    fresh.service.call('usage_earlier', { name, workflow_key });
  expect(await ask('w')).toEqual({ workflow_keys: [], usage: [] });
  const first = await create('w');
  await finishAll(first, [900, 1000]);
  const unmeasured = await create('w');
  const second = await create('w');
  await finishAll(second, [100, 200]);
  const other = await create('other', gibibyte);
  await finishAll(other, [400, 400], 'oom');
  const merged = await ask('w');
  expect(merged.workflow_keys).toEqual([second, first]);
  expect(merged.usage).toMatchObject([
    { stem: 'work_*', memory: { n: 4, max: 1000 * mebibyte }, runtime: { n: 4, max: 200_000, proposed: 240_000 } },
  ]);
  // within 2.5 % of 1.2 times the largest
  expect((merged.usage[0]?.memory?.proposed ?? 0) / mebibyte).toBeCloseTo(1200, -2);
  expect((await ask('w', first)).usage[0]?.memory).toMatchObject({ n: 2, max: 1000 * mebibyte });
  expect(await ask('w', unmeasured)).toEqual({ workflow_keys: [], usage: [] });
  // the attempts ran out of a gibibyte, which was not enough
  expect((await ask('other')).usage[0]?.memory).toMatchObject({ max: gibibyte, proposed: 1229 * mebibyte });
  // another person's workflows do not count
  fresh.service.db.run("UPDATE workflows SET user = 'somebody' WHERE workflow_key = ?", Number(second));
  expect((await ask('w')).workflow_keys).toEqual([first]);
  for (let i = 0; i < 11; i += 1) await finishAll(await create('w'), [50, 50]);
  const { workflow_keys, usage } = await ask('w');
  expect(workflow_keys).toHaveLength(10);
  expect(usage[0]?.memory).toMatchObject({ n: 20, max: 50 * mebibyte });
});

it('node-hours are those of allocations and workers, and what their attempts had and used', async () => {
  const clock = new FakeClock();
  const { service, close } = await freshService(clock);
  try {
    const key = await createWorkflow(service, [
      { name: 'a', cpus: 2 },
      { name: 'b', cpus: 1 },
      { name: 'c', cpus: 4, nodes: 2 },
      { name: 'd' },
    ]);
    const worker = await TestWorker.join(service, key, { cpus: 3, memory: gibibyte });
    const { jobs: given } = await worker.exchange();
    expect(given).toHaveLength(2);
    const attemptOf = (name: string) => given.find(({ job_name }) => job_name === name)?.attempt ?? 0;
    const started = given.map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 }));
    await worker.exchange({ started });
    await clock.advance(18_000);
    worker.held = [attemptOf('b')];
    const end = {
      ...finished(attemptOf('a'), 1),
      age_ms: 0,
      exec_ms: 18_000,
      cpu_ms: 12_000,
      start_age_ms: 18_000,
    };
    await worker.exchange({ finished: [end] });
    await clock.advance(18_000);
    const ask = async () => await service.call('usage_hours', { workflow_key: key });
    const { allocations, total } = await ask();
    expect(allocations).toMatchObject([
      { allocation_key: null, num_nodes: 1, is_running: true, ended_at: null, num_workers: 1 },
    ]);
    // two CPUs for 18 seconds, and one that still runs for 36; 'd' has been claimed and has not started
    expect(total).toMatchObject({ num_attempts: 2, node_hours: 0.01, cpu_hours: 0.03, job_cpu_hours: 0.02 });
    expect(total).toMatchObject({ used_cpu_hours: 0.003333, idle_share: 0.3333, efficiency: 0.1111 });
    const wide = await TestWorker.join(service, key, { nodes: 2, cpus: 4, memory: gibibyte });
    const { jobs: two } = await wide.exchange();
    expect(two.map(({ job_name }) => job_name)).toEqual(['c']);
    await wide.exchange({ started: two.map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 })) });
    await clock.advance(36_000);
    // an attempt has its CPUs on each of its nodes
    expect((await ask()).allocations[1]).toMatchObject({
      num_nodes: 2,
      node_hours: 0.02,
      cpu_hours: 0.08,
      job_cpu_hours: 0.08,
      idle_share: 0,
    });
    // an allocation counts all of its nodes, however many workers it has
    await service.write((tx) => {
      tx.db.run(
        `INSERT INTO allocations (allocation_key, workflow_key, slurm_config_key, name, status, num_nodes, one_worker_per_node,
           script_path, output_directory, created_at) VALUES (5, ?, 1, 'w', 'running', 3, 0, 's', 'o', 0)`,
        Number(key),
      );
      tx.db.run('UPDATE compute_nodes SET allocation_key = 5 WHERE num_nodes = 2');
    });
    const inAllocation = { allocation_key: '5', num_nodes: 3, node_hours: 0.03, cpu_hours: 0.12, idle_share: 0.3333 };
    expect((await ask()).allocations[1]).toMatchObject(inAllocation);
  } finally {
    await close();
  }
});
