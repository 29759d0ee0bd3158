/** Jobs that are restricted to workers of one Slurm config. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
