/** Facts of a transaction: the end of a run is in the commit that causes it, and every subscriber gets it once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import type { Fact } from '../../src/storage/database/facts.ts';
import { getWorkflow, stateToken } from '../../src/storage/running/workflows.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
let told: Fact[][];

beforeEach(async () => {
  fresh = await freshService();
  told = [];
  fresh.service.subscribe((facts) => told.push([...facts]));
});
afterEach(() => fresh.close());

const runsEnded = () => told.flat().filter((fact) => fact.kind === 'run_ended');

/** A run whose last job is claimed by a worker that has not seen it, and canceled. */
async function lastJobUnseen(): Promise<{ key: string; worker: TestWorker; idle: TestWorker }> {
  const { service } = fresh;
  const key = await createWorkflow(service, [{ name: 'only' }], [], {
    actions: [{ trigger: 'on_workflow_complete' }],
    directory: fresh.directory,
  });
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  const idle = await TestWorker.join(service, key);
  await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
  return { key, worker, idle };
}

describe('the end of a run', () => {
  it('is derived in the commit in which a worker leaves with the last job', async () => {
    const { service } = fresh;
    const { key, worker } = await lastJobUnseen();
    expect(runsEnded()).toEqual([]);
    await worker.exchange({ leaving: true, ack: 0, held: [] });
    const [workflow] = await rows(service, 'workflows', key);
    expect(workflow).toMatchObject({ status: 'canceled', ended_at: expect.any(String) });
    expect(await rows(service, 'events', key, { type: 'workflow_ended' })).toHaveLength(1);
    expect(runsEnded()).toMatchObject([{ workflowKey: Number(key), runId: 1, status: 'canceled' }]);
    expect(await rows(service, 'actions', key)).toMatchObject([{ num_firings: 1 }]);
  });

  it('reaches another worker in the same batch, whatever the order of the two', async () => {
    const { service } = fresh;
    const { worker, idle } = await lastJobUnseen();
    // both requests are taken into one transaction
    const waiting = idle.exchange();
    const leaving = worker.exchange({ leaving: true, ack: 0, held: [] });
    expect((await leaving).leave).toBe(true);
    expect((await waiting).leave).toBe(true);
    expect(service.numParked).toBe(0);
  });

  it('comes with a cancel, whatever a restart that was stopping jobs has left behind', async () => {
    const { service } = fresh;
    for (const hasEnded of [false, true]) {
      const key = await createWorkflow(service, [{ name: 'only' }]);
      const worker = await TestWorker.join(service, key);
      await worker.exchange();
      await service.call('workflow_stop_running', { workflow_key: key, stop: true });
      if (hasEnded) await worker.finish(worker.held[0] as number);
      await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
      if (!hasEnded) await worker.finish(worker.held[0] as number);
      expect(await rows(service, 'workflows', key)).toMatchObject([{ ended_at: expect.any(String) }]);
    }
    expect(runsEnded()).toHaveLength(2);
  });

  it('is undone when a job is added that can run', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'only' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    expect(await rows(service, 'workflows', key)).toMatchObject([{ ended_at: expect.any(String) }]);
    await service.call('jobs_add', { workflow_key: key, jobs: [added] });
    expect(await rows(service, 'workflows', key)).toMatchObject([{ ended_at: null }]);
  });
});

describe('facts', () => {
  const kinds = () => told.flat().map(({ kind }) => kind);

  it('of runs, workers and user data are told as these come and go', async () => {
    const { service } = fresh;
    const userData = [{ name: 'datum', data: null, is_ephemeral: true }];
    const key = await createWorkflow(service, [{ name: 'only', writes: [0] }], [], { userData });
    expect(told.flat().find(({ kind }) => kind === 'run_started')).toMatchObject({
      workflowKey: Number(key),
      runId: 1,
    });
    const worker = await TestWorker.join(service, key);
    expect(kinds()).toContain('worker_joined');
    await worker.exchange();
    const report = { ...finished(worker.held[0] as number), user_data: [{ name: 'datum', data: 1 }] };
    worker.held = [];
    expect(kinds()).not.toContain('user_data_written');
    await worker.exchange({ finished: [report], leaving: true });
    expect(kinds().filter((kind) => kind === 'user_data_written' || kind === 'worker_left')).toEqual([
      'user_data_written',
      'worker_left',
    ]);
    told.length = 0;
    const request = { workflow_key: key, expected_state: null, skip: 0 };
    await service.call('workflow_restart', { ...request, ...restart, dry_run: true });
    expect(kinds()).toEqual([]);
    await service.call('workflow_restart', { ...request, ...restart, dry_run: false });
    expect(told.flat().find(({ kind }) => kind === 'run_started')).toMatchObject({ runId: 2 });
    expect(kinds()).toContain('user_data_written');
  });

  it('of allocations are told when they change, not whenever Slurm is asked', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'only' }], [], { slurmConfigs: ['c'] });
    const [config] = await rows(service, 'slurm_configs', key);
    const allocation = { name: 'n', num_nodes: 1, one_worker_per_node: false, script_path: 's', output_directory: 'o' };
    const { allocation_keys } = await service.call('allocations_record', {
      workflow_key: key,
      slurm_config_key: String(config?.slurm_config_key),
      allocations: [allocation],
    });
    const changed = () => told.flat().filter(({ kind }) => kind === 'allocation_changed').length;
    expect(changed()).toBe(1);
    const answer = { slurm_job_id: '77', cluster: null, error: null };
    await service.call('allocation_confirm', { allocation_key: String(allocation_keys[0]), ...answer });
    expect(changed()).toBe(2);
    const hello = { slurmJobId: '77', hostname: 'h', restartCount: 0, allocationKey: String(allocation_keys[0]) };
    const worker = await TestWorker.join(service, key, {}, hello);
    expect(changed()).toBe(3);
    await worker.exchange({ leaving: true });
    expect(changed()).toBe(4);
  });
});

describe('a request in the same batch as the report of a worker', () => {
  it('counts the jobs as they stand after it', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'only' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const reply = worker.finish(worker.held[0] as number);
    const plan = await service.call('workflow_cancel', { workflow_key: key, dry_run: true });
    await reply;
    expect(plan).toMatchObject({ num_changes: 0, changes: [] });
  });

  it('gets a state that the claims after it change', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', cpus: 4 }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const reply = worker.finish(worker.held[0] as number);
    const state = await service.write((tx) => stateToken(tx, Number(key)));
    expect((await reply).jobs).toHaveLength(1);
    expect(stateToken(service.view, Number(key))).not.toBe(state);
  });
});

describe('subscribers', () => {
  it('do not get the facts of a failed member of a batch', async () => {
    const { service } = fresh;
    const failing = service.write((tx) => {
      tx.tell({ kind: 'jobs_ready', workflowKey: 77 });
      throw new Error('planted');
    });
    const other = service.write((tx) => tx.tell({ kind: 'jobs_ready', workflowKey: 78 }));
    await expect(failing).rejects.toThrow('planted');
    await other;
    expect(told.flat().map((fact) => ('workflowKey' in fact ? fact.workflowKey : null))).toEqual([78]);
  });

  it('get the facts of a report once, although the reports of its worker are applied again', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const [a, b] = worker.held as [number, number];
    service.db.run(
      `CREATE TEMP TRIGGER planted BEFORE UPDATE ON attempts WHEN NEW.return_code = 99
       BEGIN SELECT RAISE(ABORT, 'planted'); END`,
    );
    const { reports } = await worker.exchange({ finished: [finished(a), finished(b, 99)], held: [] });
    expect(reports.map(({ answer }) => answer)).toEqual(['accepted', 'rejected']);
    expect(told.flat().filter((fact) => fact.kind === 'attempt_ran')).toHaveLength(1);
    const moves = await rows(service, 'events', key, { new_status: 'done' });
    expect(moves).toHaveLength(1);
  });

  it('continue when one of them fails, and stop when they want to', async () => {
    const { service } = fresh;
    const end = service.subscribe(() => {
      throw new Error('planted');
    });
    const later: Fact[] = [];
    service.subscribe((facts) => later.push(...facts));
    await service.write((tx) => tx.tell({ kind: 'jobs_ready', workflowKey: 1 }));
    expect(later).toHaveLength(1);
    end();
    await service.write((tx) => tx.tell({ kind: 'jobs_ready', workflowKey: 1 }));
    expect(later).toHaveLength(2);
  });
});

it('a workflow that has timed out is shown as such everywhere', async () => {
  const { service } = fresh;
  const key = await createWorkflow(service, [{ name: 'only' }]);
  await service.write((tx) => tx.db.run('UPDATE workflows SET has_timed_out = 1 WHERE workflow_key = ?', Number(key)));
  expect(getWorkflow(service.view, Number(key)).hasTimedOut).toBe(true);
});

const added: Request<'jobs_add'>['jobs'][number] = {
  name: 'more',
  command: 'true',
  invocation_script: null,
  priority: 0,
  cancel_on_blocking_job_failure: true,
  supports_termination: false,
  resource_requirements: null,
  failure_handler: null,
  scheduler: null,
  depends_on: [],
  input_files: [],
  output_files: [],
  input_user_data: [],
  output_user_data: [],
};

const restart = {
  ignore_missing_data: false,
  only_uninitialized: false,
  keep_running: false,
  force: false,
  assume_stopped: false,
  working_directory: '/',
};
