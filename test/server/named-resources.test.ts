/** Named resources of nodes: who has them, who gets them, why a job waits for them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportLines } from '../../src/cli/documents/export-document.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import type { Service } from '../../src/server/service.ts';
import { freshService, rows, statuses, TestWorker } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

const place = { workingDirectory: '/w', outputDirectory: '/w/output' };
const spec = {
  resource_requirements: [
    { name: 'one', num_cpus: 1, resources: { fpga: 1 } },
    { name: 'much', num_cpus: 1, resources: { fpga: 2, scratch_gb: 200 } },
  ],
  slurm_schedulers: [{ name: 's', account: 'a', gres: 'gpu:2,fpga:xilinx:3', resources: { scratch_gb: 500 } }],
  jobs: [
    { name: 'a', command: 'x', resource_requirements: 'one' },
    { name: 'b', command: 'x', resource_requirements: 'one' },
    { name: 'c', command: 'x', resource_requirements: 'much' },
    { name: 'd', command: 'x' },
  ],
};

async function started(): Promise<string> {
  const workflow = expandValue({ name: 'w', ...spec }, { file: 'spec' }).workflow;
  const { workflow_key } = await createWorkflow(service, workflow, () => {}, place);
  await service.call('workflow_start', { workflow_key, dry_run: false, ignore_missing_data: true });
  return workflow_key;
}

const worker = (key: string, resources?: Record<string, number>): Promise<TestWorker> =>
  TestWorker.join(service, key, { cpus: 8 }, null, resources === undefined ? {} : { resources });
const given = async (from: TestWorker) => (await from.exchange()).jobs.map((job) => [job.job_name, job.resources]);
const reasonsOf = async (key: string, name: string) => {
  const [job] = await rows(service, 'jobs', key, { name });
  const { demand } = await service.call('demand', { workflow_key: key });
  const { why } = await service.call('job_show', { job_key: String(job?.job_key) });
  const row = demand.find(({ resources }) => (resources.fpga ?? 0) === (name === 'c' ? 2 : 1));
  return { why, reasons: row?.reasons.filter(({ code }) => code !== 'no_server') };
};

describe('a worker with named resources', () => {
  it('gives out as many as it has, and again what ended jobs had', async () => {
    const key = await started();
    const first = await worker(key, { fpga: 2, scratch_gb: 200 });
    const jobs = await given(first);
    expect(jobs).toContainEqual(['d', undefined]);
    expect(jobs.filter(([name]) => name !== 'd')).toHaveLength(2);
    expect(jobs).toContainEqual(['a', { fpga: 1 }]);
    expect((await statuses(service, key)).c).toBe('ready');
    for (const attempt of [...first.held]) await first.finish(attempt);
    expect((await statuses(service, key)).c).toBe('submitted_pending');
  });

  it('is the only one that takes jobs which ask for them', async () => {
    const key = await started();
    expect(await given(await worker(key))).toEqual([['d', undefined]]);
    expect(await given(await worker(key, { fpga: 1 }))).toEqual([['a', { fpga: 1 }]]);
  });

  it('has those of its Slurm config, and those that its gres names', async () => {
    const key = await started();
    const [config] = await rows(service, 'slurm_configs', key);
    expect(config?.resources).toBe('scratch_gb=500');
    const { allocation_keys } = await service.call('allocations_record', {
      workflow_key: key,
      slurm_config_key: String(config?.slurm_config_key),
      allocations: [{ name: 'x', num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' }],
    });
    const allocation = { slurmJobId: '1', hostname: 'n', restartCount: 0, allocationKey: String(allocation_keys[0]) };
    await TestWorker.join(service, key, { cpus: 8 }, allocation, { resources: { licence: 1 } });
    const [node] = await rows(service, 'compute_nodes', key);
    expect(node?.resources).toBe('fpga=3,licence=1,scratch_gb=500');
  });
});

describe('a job that asks for more than any worker has', () => {
  it('says so', async () => {
    const key = await started();
    await worker(key, { fpga: 1 });
    const { why, reasons } = await reasonsOf(key, 'c');
    const needed = { fpga: 2, scratch_gb: 200 };
    const largest = { fpga: 1, scratch_gb: 0 };
    expect(reasons).toEqual([{ code: 'no_worker_with_resources', needed, largest, is_past: false }]);
    expect(why).toContain(
      'It needs 2 fpga and 200 scratch_gb; no worker has more than 1 fpga, and no worker has scratch_gb.',
    );
  });

  it('waits for room where they are in use', async () => {
    const key = await started();
    const busy = await worker(key, { fpga: 2, scratch_gb: 200 });
    await busy.exchange();
    const { why, reasons } = await reasonsOf(key, 'c');
    expect(reasons).toMatchObject([{ code: 'waits_for_room', resources: { fpga: 2, scratch_gb: 200 } }]);
    expect(why).toContain('has room for 1 CPU and 1M of memory with 2 fpga and 200 scratch_gb.');
  });
});

describe('stored requirements', () => {
  it('can be changed, and are in exports', async () => {
    const key = await started();
    const [one] = await rows(service, 'resource_requirements', key, { name: 'one' });
    const modified = await service.call('resource_requirements_modify', {
      resource_requirements_key: String(one?.resource_requirements_key),
      dry_run: false,
      changes: { resources: { tape: 2 } },
    });
    expect(modified.changes).toEqual([{ field: 'resources', old_value: 'fpga=1', new_value: 'tape=2' }]);
    expect(await given(await worker(key, { tape: 2 }))).toContainEqual(['a', { tape: 2 }]);
    const shown = await service.call('workflow_show', { workflow_key: key });
    let text = '';
    for await (const piece of exportLines(service, shown, { results: false, events: false })) text += piece;
    const { requirements, schedulers } = loadWorkflow(text, { file: 'export.json' }).workflow;
    expect(requirements.map(({ name, resources }) => [name, resources])).toEqual([
      ['one', 'tape=2'],
      ['much', 'fpga=2,scratch_gb=200'],
    ]);
    expect(schedulers[0]?.resources).toBe('scratch_gb=500');
  });
});
