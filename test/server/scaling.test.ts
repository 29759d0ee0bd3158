// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are written like that
/** A job that ran out of memory or time is tried again with more: only that grows, and only for this job. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Partition } from '../../src/model/plan/site.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const gibibyte = 1024 ** 3;
const huge = { cpus: 8, memory: 1024 * gibibyte };

type Fresh = Awaited<ReturnType<typeof freshService>>;
type Options = NonNullable<Parameters<typeof createWorkflow>[3]>;

let fresh: Fresh;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

const scaling = (given: NonNullable<ReturnType<typeof rule>['scale']>, more: Parameters<typeof rule>[0] = {}) =>
  rule({ exit_codes: [], causes: ['oom', 'job_timeout'], max_retries: 9, scale: given, ...more });

/** Jobs `big` and `sibling` with the same requirements and the same rule. */
async function pair(
  rules: ReturnType<typeof rule>[],
  options: Options = {},
  { slurmConfig, labels }: { slurmConfig?: number; labels?: string[] } = {},
) {
  const jobs = ['big', 'sibling'].map((name) => ({
    ...{ name, memory: 10 * gibibyte, runtime: 600, failureHandler: 0 },
    ...(slurmConfig === undefined ? {} : { slurmConfig }),
    ...(labels === undefined ? {} : { labels }),
  }));
  const key = await createWorkflow(fresh.service, jobs, [], { failureHandlers: [rules], ...options });
  // the same requirements, not only equal ones
  fresh.service.db.run(
    'UPDATE jobs SET resource_requirements_key = (SELECT min(resource_requirements_key) FROM jobs WHERE workflow_key = ?)',
    key,
  );
  return key;
}

async function requestOf(key: string, name: string) {
  const [job] = await rows(fresh.service, 'jobs', key, { name });
  return [job?.memory_bytes as number, job?.runtime_seconds, job?.scheduler];
}

/** Ends the first attempt that the worker holds, for lack of memory or time. */
async function runsOut(worker: TestWorker, cause: 'oom' | 'job_timeout', peak: number | null = null) {
  const attempt = worker.held.shift() as number;
  const end = { ...finished(attempt, cause === 'oom' ? 137 : 152), cause, peak_memory_bytes: peak };
  return await worker.exchange({ finished: [end] });
}

/** The first worker of the only Slurm config, on a node of 25 GiB. */
async function workerOf(key: string, labels: string[] = []): Promise<TestWorker> {
  const { allocation_keys } = await fresh.service.call('allocations_record', {
    workflow_key: key,
    slurm_config_key: String((await rows(fresh.service, 'slurm_configs', key))[0]?.slurm_config_key),
    allocations: [{ name: 'n', num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' }],
  });
  const place = { slurmJobId: '7', hostname: 'c1', restartCount: 0, allocationKey: allocation_keys[0] as string };
  const size = { memory: 25 * gibibyte, maxJobs: 1 };
  return await TestWorker.join(fresh.service, key, size, place, { labels });
}

describe('a job that ran out of memory', () => {
  it('is tried again with more, from what was last tried; its sibling and its runtime stay', async () => {
    const key = await pair([scaling({ memory: { factor: 1.5 }, runtime: { factor: 2 } })]);
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    for (const expected of [15, 22.5, 33.75]) {
      const { jobs } = await runsOut(worker, 'oom', 16 * gibibyte);
      expect(jobs).toMatchObject([{ job_name: 'big', memory_bytes: expected * gibibyte, runtime_ms: 600_000 }]);
    }
    expect(await requestOf(key, 'big')).toEqual([33.75 * gibibyte, 600, null]);
    expect(await requestOf(key, 'sibling')).toEqual([10 * gibibyte, 600, null]);
    const results = await rows(fresh.service, 'results', key);
    expect(results.map((row) => [row.requested_memory_bytes, row.peak_memory_bytes])).toEqual(
      [10, 15, 22.5].map((asked) => [asked * gibibyte, 16 * gibibyte]),
    );
    expect(results[0]?.scaled).toEqual({
      field: 'memory_bytes',
      old_value: 10 * gibibyte,
      new_value: 15 * gibibyte,
      wanted_value: 15 * gibibyte,
      limited_by: null,
      scheduler: null,
      why: 'memory 10G -> 15G',
    });
    const events = await rows(fresh.service, 'events', key, { type: 'job_scaled' });
    expect(events.map(({ data }) => (data as { why: string }).why)).toEqual([
      'memory 10G -> 15G',
      'memory 15G -> 22.5G',
      'memory 22.5G -> 33.8G',
    ]);
    const requirements = await rows(fresh.service, 'resource_requirements', key);
    expect(requirements.every(({ memory_bytes }) => memory_bytes === 10 * gibibyte)).toBe(true);
  });

  it('keeps its larger request in a copy', async () => {
    const key = await pair([scaling({ memory: { factor: 2 } }, { max_retries: 1 })]);
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    await runsOut(worker, 'oom');
    await runsOut(worker, 'oom');
    expect(await statuses(fresh.service, key)).toEqual({ big: 'done', sibling: 'submitted_pending' });
    expect(await requestOf(key, 'big')).toEqual([20 * gibibyte, 600, null]);
    const copy = { workflow_key: key, how: 'clone', dry_run: false, name: null } as const;
    const copied = (await fresh.service.call('workflow_copy', copy)).workflow_key as string;
    expect(await requestOf(copied, 'big')).toEqual([20 * gibibyte, 600, null]);
  });

  it('stops at the max of its rule; one that needs more than that fails for good', async () => {
    const key = await pair([scaling({ memory: { factor: 2 }, max: { memory: 15 * gibibyte } })]);
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    expect((await runsOut(worker, 'oom')).jobs).toMatchObject([{ job_name: 'big', memory_bytes: 15 * gibibyte }]);
    expect((await runsOut(worker, 'oom')).jobs).toMatchObject([{ job_name: 'sibling' }]);
    expect((await rows(fresh.service, 'jobs', key, { name: 'big' }))[0]).toMatchObject({
      status: 'done',
      cause: 'oom',
    });
    const why = (await rows(fresh.service, 'results', key)).map(({ scaled }) => (scaled as { why: string }).why);
    expect(why).toEqual([
      'memory 10G -> 15G, not 20G: 15G is the max of its rule',
      'memory stays 15G: that is the max of its rule, so the job is not tried again',
    ]);
    expect(await rows(fresh.service, 'events', key, { type: 'job_not_scaled' })).toHaveLength(1);
  });

  it('and whose rule scales nothing of that is tried again with the same', async () => {
    const key = await pair([scaling({ memory: { factor: 2 } }, { causes: ['oom', 'signal', 'job_timeout'] })]);
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    expect((await runsOut(worker, 'job_timeout')).jobs).toMatchObject([
      { memory_bytes: 10 * gibibyte, runtime_ms: 600_000 },
    ]);
    const attempt = worker.held.shift() as number;
    const { jobs } = await worker.exchange({ finished: [{ ...finished(attempt, 137), cause: 'signal', signal: 9 }] });
    expect(jobs).toMatchObject([{ job_name: 'big', memory_bytes: 10 * gibibyte, runtime_ms: 600_000 }]);
    expect(await rows(fresh.service, 'events', key, { type: 'job_scaled' })).toEqual([]);
  });

  it('because another one took the memory of its node comes back with what it had, as often as it may be lost', async () => {
    const key = await pair([scaling({ memory: { factor: 2 } })]);
    fresh.service.db.run('UPDATE workflows SET max_losses = 1');
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    const killed = (attempt: number) => {
      const end = { ...finished(attempt, 0), cause: 'oom' as const, return_code: null, signal: 9 };
      return worker.exchange({ finished: [{ ...end, status: 'terminated', peak_memory_bytes: 9 * gibibyte }] });
    };
    expect((await killed(worker.held.shift() as number)).jobs).toMatchObject([
      { job_name: 'big', memory_bytes: 10 * gibibyte },
    ]);
    expect((await rows(fresh.service, 'jobs', key, { name: 'big' }))[0]).toMatchObject({ num_retries: 0 });
    expect((await killed(worker.held.shift() as number)).jobs).toMatchObject([{ job_name: 'sibling' }]);
    expect(await requestOf(key, 'big')).toEqual([10 * gibibyte, 600, null]);
    expect(await statuses(fresh.service, key)).toMatchObject({ big: 'terminated' });
    // it says nothing about what the job needs
    expect(await fresh.service.call('usage', { workflow_key: key })).toEqual({ usage: [] });
  });

  it('where none was stated, asks for what it used and more', async () => {
    const jobs = [{ name: 'a', failureHandler: 0 }];
    const key = await createWorkflow(fresh.service, jobs, [], {
      failureHandlers: [[scaling({ memory: { peak: 1.5 } })]],
    });
    const worker = await TestWorker.join(fresh.service, key, huge);
    await worker.exchange();
    expect((await runsOut(worker, 'oom', 4 * gibibyte)).jobs).toMatchObject([{ memory_bytes: 6 * gibibyte }]);
    expect((await rows(fresh.service, 'results', key))[0]).toMatchObject({
      requested_memory_bytes: null,
      scaled: { old_value: null, why: 'memory none stated -> 6G' },
    });
  });
});

describe('a job that ran out of time', () => {
  it('gets more of it and the same memory', async () => {
    const key = await pair([scaling({ memory: { factor: 1.5 }, runtime: { values: [900_000, 3_600_000] } })]);
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    for (const runtime_ms of [900_000, 3_600_000]) {
      const { jobs } = await runsOut(worker, 'job_timeout');
      expect(jobs).toMatchObject([{ job_name: 'big', memory_bytes: 10 * gibibyte, runtime_ms }]);
    }
    expect((await runsOut(worker, 'job_timeout')).jobs).toMatchObject([{ job_name: 'sibling', runtime_ms: 600_000 }]);
    expect((await rows(fresh.service, 'results', key)).at(-1)?.scaled).toMatchObject({ limited_by: 'list' });
  });
});

describe('above what its Slurm config gives', () => {
  const configs = [
    { name: 'small', mem: '12G', walltime_seconds: 900 },
    { name: 'brief', mem: '64G', walltime_seconds: 300, fallback_order: 0 },
    { name: 'large', mem: '32G', walltime_seconds: 7200, fallback_order: 1 },
  ];

  it('a job takes the next fallback that gives it, then the most that there is', async () => {
    const key = await pair(
      [scaling({ memory: { factor: 2 }, runtime: { factor: 2 } })],
      { slurmConfigs: configs },
      { slurmConfig: 0 },
    );
    const worker = await TestWorker.join(fresh.service, key, { ...huge, maxJobs: 1 });
    await worker.exchange();
    await runsOut(worker, 'oom');
    expect(await requestOf(key, 'big')).toEqual([20 * gibibyte, 600, 'large']);
    await runsOut(worker, 'oom');
    expect(await requestOf(key, 'big')).toEqual([32 * gibibyte, 600, 'large']);
    await runsOut(worker, 'job_timeout');
    expect(await requestOf(key, 'big')).toEqual([32 * gibibyte, 1200, 'large']);
    expect(await requestOf(key, 'sibling')).toEqual([10 * gibibyte, 600, 'small']);
    const why = (await rows(fresh.service, 'results', key)).map(({ scaled }) => (scaled as { why: string }).why);
    expect(why).toEqual([
      'memory 10G -> 20G, in large',
      'memory 20G -> 32G, not 40G: 32G is the most that its workers have',
      'runtime 10m 00s -> 20m 00s',
    ]);
  });

  it.each([
    ['also of the nodes that were seen', []],
    ['also of one that has more labels than its config', ['extra']],
  ])('a job without a config gets the most that any worker has, %s', async (_, labels) => {
    const key = await pair(
      [scaling({ memory: { factor: 4 } })],
      { slurmConfigs: [{ name: 'node', mem: null }] },
      { labels },
    );
    const db = fresh.service.db;
    const worker = await workerOf(key, labels);
    expect(db.get('SELECT count(*) AS n FROM compute_nodes')).toEqual({ n: 1 });
    await worker.exchange();
    expect((await runsOut(worker, 'oom')).jobs).toMatchObject([{ job_name: 'big', memory_bytes: 25 * gibibyte }]);
  });
});

it('a job gets as much as the largest node of a partition that gives whole nodes of several sizes', async () => {
  const [main] = siteExample.partitions as [Partition];
  const [kind] = main.nodes as [Partition['nodes'][number]];
  const nodes = [25, 64].map((size) => ({ ...kind, memory_bytes: size * gibibyte }));
  const mixed = { ...siteExample, partitions: [{ ...main, gives_whole_nodes: true, nodes }] };
  await fresh.service.call('site_put', { site: mixed });
  const key = await pair(
    [scaling({ memory: { factor: 4 } })],
    { slurmConfigs: [{ name: 'node', mem: null }] },
    { slurmConfig: 0 },
  );
  const worker = await workerOf(key);
  await worker.exchange();
  await runsOut(worker, 'oom');
  expect(await requestOf(key, 'big')).toEqual([40 * gibibyte, 600, 'node']);
});

it('requirements that come from data still come from data, except for what has grown', async () => {
  const jobs = [
    {
      name: 'a',
      fromData: { num_cpus: '${user_data.input.size.cpus}', memory: '${user_data.input.size.memory}' },
      reads: [0],
      failureHandler: 0,
    },
  ];
  const userData = [{ name: 'size', data: { cpus: 2, memory: '1g' }, is_ephemeral: false }];
  const options = { userData, failureHandlers: [[scaling({ memory: { factor: 2 } })]] };
  const key = await createWorkflow(fresh.service, jobs, [], options);
  const worker = await TestWorker.join(fresh.service, key, huge);
  await worker.exchange();
  expect((await runsOut(worker, 'oom')).jobs).toMatchObject([{ num_cpus: 2, memory_bytes: 2 * gibibyte }]);
  const stored = fresh.service.db.all(
    'SELECT d.fields FROM jobs j JOIN requirements_from_data d ON d.resource_requirements_key = j.resource_requirements_key',
  );
  expect(stored).toEqual([{ fields: JSON.stringify({ num_cpus: '${user_data.input.size.cpus}' }) }]);
});
