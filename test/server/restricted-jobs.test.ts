/** Jobs that are restricted to workers of one Slurm config, or to workers with labels. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import { createWorkflow, freshService, rows, statuses, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  await fresh.close();
});

const jobs = [
  { name: 'any' },
  { name: 'cpu', slurmConfig: 0 },
  { name: 'gpu', slurmConfig: 1 },
  { name: 'wide', slurmConfig: 1, cpus: 2 },
];

const workflow = (): Promise<string> => createWorkflow(fresh.service, jobs, [], { slurmConfigs: ['cpu', 'gpu "x"'] });

let numAllocations = 0;
async function workerOf(key: string, config: string): Promise<TestWorker> {
  numAllocations += 1;
  const configs = await rows(fresh.service, 'slurm_configs', key, { name: config });
  const name = `allocation ${numAllocations}`;
  const { allocation_keys } = await fresh.service.call('allocations_record', {
    workflow_key: key,
    slurm_config_key: String(configs[0]?.slurm_config_key),
    allocations: [{ name, num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' }],
  });
  const place = { slurmJobId: String(numAllocations), hostname: 'n', restartCount: 0 };
  return TestWorker.join(fresh.service, key, { cpus: 8 }, { ...place, allocationKey: String(allocation_keys[0]) });
}

const localWorker = (key: string, hello: Partial<Request<'worker_hello'>> = {}): Promise<TestWorker> =>
  TestWorker.join(fresh.service, key, { cpus: 8 }, null, hello);

const claimed = async (key: string): Promise<string[]> =>
  Object.entries(await statuses(fresh.service, key)).flatMap(([name, status]) => (status === 'ready' ? [] : [name]));
const whyOf = async (key: string, name: string) => {
  const [job] = await rows(fresh.service, 'jobs', key, { name });
  return (await fresh.service.call('job_show', { job_key: String(job?.job_key) })).why;
};

it('an allocation that another command has recorded is a conflict in words', async () => {
  const key = await workflow();
  const [config] = await rows(fresh.service, 'slurm_configs', key);
  const record = () =>
    fresh.service.call('allocations_record', {
      workflow_key: key,
      slurm_config_key: String(config?.slurm_config_key),
      allocations: [
        { name: 'twice', num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' },
      ],
    });
  await record();
  await expect(record()).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('another command is scheduling nodes'),
  });
});

describe('jobs with a scheduler', () => {
  it('go only to workers of its Slurm config, other jobs to any worker', async () => {
    const key = await workflow();
    await (await workerOf(key, 'cpu')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu']);
    await (await workerOf(key, 'gpu "x"')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu', 'gpu', 'wide']);
  });

  it('also go to a worker outside allocations, so that a workflow can run on one machine', async () => {
    const key = await workflow();
    await (await TestWorker.join(fresh.service, key, { cpus: 8 })).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu', 'gpu', 'wide']);
  });

  it('name the workers that they wait for, and each config counts the jobs that wait for its workers', async () => {
    const key = await workflow();
    const cpu = await workerOf(key, 'cpu');
    await cpu.exchange();
    expect(await whyOf(key, 'gpu')).toBe('Only workers of Slurm config "gpu \\"x\\"" may take it, and there are none.');
    const configs = await rows(fresh.service, 'slurm_configs', key);
    expect(configs.map(({ name, num_ready_jobs }) => [name, num_ready_jobs])).toEqual([
      ['cpu', 0],
      ['gpu "x"', 2],
    ]);
    await workerOf(key, 'gpu "x"');
    expect(await whyOf(key, 'gpu')).toBe('It waits for its turn.');
  });

  it('can be added later', async () => {
    const key = await workflow();
    const [need] = await rows(fresh.service, 'resource_requirements', key);
    const job = (name: string, resource_requirements: string | null) => ({
      ...{ name, command: 'true', invocation_script: null, resource_requirements, scheduler: 'gpu "x"' },
      ...{ failure_handler: null, priority: 0, cancel_on_blocking_job_failure: true, supports_termination: false },
      ...{ depends_on: [], input_files: [], output_files: [], input_user_data: [], output_user_data: [] },
    });
    const added = [job('with', String(need?.name)), job('without', null)];
    await fresh.service.call('jobs_add', { workflow_key: key, jobs: added });
    await (await workerOf(key, 'cpu')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu']);
    await (await workerOf(key, 'gpu "x"')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu', 'gpu', 'wide', 'with', 'without']);
  });

  it('keep their restriction when their requirements change', async () => {
    const key = await workflow();
    const find = async (name: string) => (await rows(fresh.service, 'jobs', key, { name }))[0];
    const changes = { num_cpus: 3 };
    await fresh.service.call('job_modify', { job_key: String((await find('gpu'))?.job_key), dry_run: false, changes });
    const [, , , wide] = await rows(fresh.service, 'resource_requirements', key);
    await fresh.service.call('resource_requirements_modify', {
      resource_requirements_key: String(wide?.resource_requirements_key),
      dry_run: false,
      changes: { num_cpus: 1 },
    });
    expect([(await find('gpu'))?.num_cpus, (await find('wide'))?.num_cpus]).toEqual([3, 1]);
    // workers of another config
    const [any] = await rows(fresh.service, 'resource_requirements', key);
    await fresh.service.call('resource_requirements_assign', {
      resource_requirements_key: String(any?.resource_requirements_key),
      job_keys: [String((await find('gpu'))?.job_key), String((await find('any'))?.job_key)],
    });
    expect(await find('gpu')).toMatchObject({ num_cpus: 1, resource_requirements: any?.name, scheduler: 'gpu "x"' });
    expect(await find('any')).toMatchObject({ scheduler: null });
    await (await workerOf(key, 'cpu')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu']);
    await (await workerOf(key, 'gpu "x"')).exchange();
    expect(await claimed(key)).toEqual(['any', 'cpu', 'gpu', 'wide']);
  });
});

describe('jobs with labels', () => {
  const labelled = [
    { name: 'plain' },
    { name: 'bound', slurmConfig: 1 },
    { name: 'fast', labels: ['fast'] },
    { name: 'site', labels: ['site', 'fast', 'site'] },
    { name: 'here', labels: ['local'] },
    { name: 'there', labels: ['slurm', 'cpu'] },
  ];
  const slurmConfigs = [
    'cpu',
    { name: 'special', labels: ['site'] },
    { name: 'both', labels: ['fast'], also_unlabelled: true },
  ];
  const stored = (): Promise<string> => createWorkflow(fresh.service, labelled, [], { slurmConfigs });

  it('go only to workers that have all of them, which take no other jobs unless they are told to', async () => {
    const key = await stored();
    await (await localWorker(key, { labels: ['fast', 'other'] })).exchange();
    expect(await claimed(key)).toEqual(['fast', 'here']);
    await (await localWorker(key, { labels: ['site', 'fast'], also_unlabelled: true })).exchange();
    expect(await claimed(key)).toEqual(['plain', 'bound', 'fast', 'site', 'here']);
  });

  it('find the labels that every worker has by itself, which keep no other job away', async () => {
    const key = await stored();
    await (await localWorker(key)).exchange();
    expect(await claimed(key)).toEqual(['plain', 'bound', 'here']);
    await (await workerOf(key, 'cpu')).exchange();
    expect(await claimed(key)).toEqual(['plain', 'bound', 'here', 'there']);
    const nodes = await rows(fresh.service, 'compute_nodes', key);
    expect(nodes.map(({ labels, takes_unlabelled }) => [labels, takes_unlabelled])).toEqual([
      ['local', true],
      ['cpu,slurm', true],
    ]);
  });

  it('find the labels of the Slurm config; a job that names the config needs none', async () => {
    const key = await stored();
    await (await workerOf(key, 'special')).exchange();
    expect(await claimed(key)).toEqual(['bound']);
    await (await workerOf(key, 'both')).exchange();
    expect(await claimed(key)).toEqual(['plain', 'bound', 'fast']);
    expect(await rows(fresh.service, 'compute_nodes', key, { labels: 'slurm,site' })).toMatchObject([
      { labels: 'site,slurm,special', takes_unlabelled: false },
    ]);
    expect((await rows(fresh.service, 'jobs', key, { labels: 'fast' })).map(({ name }) => name)).toEqual([
      'fast',
      'site',
    ]);
    expect(await rows(fresh.service, 'jobs', key, { labels: '' })).toHaveLength(2);
  });

  it('and what is called local or slurm cannot be given', async () => {
    const key = await stored();
    await expect(localWorker(key, { labels: ['slurm'] })).rejects.toMatchObject({ code: 'usage' });
    await expect(
      createWorkflow(fresh.service, [], [], { slurmConfigs: [{ labels: ['local'] }] }),
    ).rejects.toMatchObject({
      code: 'usage',
      message: 'every worker has the label "local" or "slurm" by itself: "local" cannot be given',
    });
    await expect(localWorker(key, { labels: ['a b'] })).rejects.toMatchObject({ code: 'usage' });
  });

  it('say which labels no worker has, and that all workers want labels', async () => {
    const key = await stored();
    const special = await workerOf(key, 'special');
    await special.exchange();
    expect(await whyOf(key, 'site')).toMatch(
      /^No worker has all of the labels "fast", "site"; the worker on n lacks "fast"\.$/,
    );
    expect(await whyOf(key, 'plain')).toBe('It has no labels, and its only worker takes only jobs with labels.');
    const { demand } = await fresh.service.call('demand', { workflow_key: key });
    expect(demand.map(({ labels, reasons }) => [labels, reasons[0]?.code])).toEqual(
      expect.arrayContaining([
        [null, 'workers_exclusive'],
        ['fast', 'no_worker_with_labels'],
        ['fast,site', 'no_worker_with_labels'],
        ['cpu,slurm', 'no_worker_with_labels'],
      ]),
    );
  });

  it('move to other workers while they wait, which get them at once; running ones stay', async () => {
    const key = await stored();
    const { service } = fresh;
    const keyOf = async (name: string) => String((await rows(service, 'jobs', key, { name }))[0]?.job_key);
    const site = await localWorker(key, { labels: ['site'] });
    await site.exchange();
    const waiting = site.exchange();
    const [fast, plain, running] = [await keyOf('fast'), await keyOf('plain'), await keyOf('here')];
    expect(await statuses(service, key)).toMatchObject({ here: 'submitted_pending', fast: 'ready', plain: 'ready' });
    const job_keys = [fast, plain, running];
    const move = (dry_run: boolean) =>
      service.call('jobs_modify', { job_keys, dry_run, changes: { labels: ['site'] } });
    const moved = {
      jobs: [
        { job_key: fast, job_name: 'fast', changes: [{ field: 'labels', old_value: 'fast', new_value: 'site' }] },
        { job_key: plain, job_name: 'plain', changes: [{ field: 'labels', old_value: null, new_value: 'site' }] },
      ],
      running: [running],
    };
    expect(await move(true)).toEqual({ dry_run: true, ...moved });
    expect(await move(false)).toEqual({ dry_run: false, ...moved });
    expect((await waiting).jobs.map(({ job_name }) => job_name)).toEqual(['plain', 'fast']);

    const cpu = await workerOf(key, 'cpu');
    await cpu.exchange();
    const bound = { job_keys: [await keyOf('bound')], dry_run: false };
    const parked = cpu.exchange();
    await expect(service.call('jobs_modify', { ...bound, changes: { scheduler: 'cqu' } })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('has no Slurm config "cqu"; did you mean "cpu"?'),
    });
    const reply = await service.call('jobs_modify', { ...bound, changes: { scheduler: 'cpu' } });
    expect(reply.jobs[0]?.changes).toEqual([{ field: 'scheduler', old_value: 'special', new_value: 'cpu' }]);
    expect((await parked).jobs.map(({ job_name }) => job_name)).toEqual(['bound']);
    await service.call('jobs_modify', { job_keys: [await keyOf('site')], dry_run: false, changes: { labels: [] } });
    expect(await rows(service, 'jobs', key, { name: 'site' })).toMatchObject([{ labels: null, status: 'ready' }]);
  });

  it('keep them when what they need changes, and in copies', async () => {
    const key = await stored();
    const { service } = fresh;
    const [, , , site] = await rows(service, 'resource_requirements', key);
    const resource_requirements_key = String(site?.resource_requirements_key);
    await service.call('resource_requirements_modify', {
      resource_requirements_key,
      dry_run: false,
      changes: { num_cpus: 2 },
    });
    const copy = { workflow_key: key, how: 'clone', dry_run: false, name: null } as const;
    const { workflow_key } = await service.call('workflow_copy', copy);
    for (const each of [key, String(workflow_key)]) {
      expect(await rows(service, 'jobs', each, { name: 'site' })).toMatchObject([{ labels: 'fast,site', num_cpus: 2 }]);
      const configs = await rows(service, 'slurm_configs', each);
      expect(configs.map(({ labels, also_unlabelled }) => [labels, also_unlabelled])).toEqual([
        [null, false],
        ['site', false],
        ['fast', true],
      ]);
    }
  });
});
