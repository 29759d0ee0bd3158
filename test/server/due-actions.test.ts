/** Actions with due rows: Slurm gave no answer, or a worker never reported the result of its commands. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ActionRunner } from '../../src/server/actions/action-runner.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import type { Submission } from '../../src/slurm/commands.ts';
import { closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { FakeClock, FakeSlurm, fakeMachine, queued } from '../support/fake-machine.ts';
import { createWorkflow, rows, type TestAction, TestWorker, temporaryDirectory } from '../support/service.ts';

/** Its first submission never returns, as if the server died meanwhile. */
class HangingSlurm extends FakeSlurm {
  numSubmitted = 0;
  override sbatch(_path?: string, options?: { jobName: string }): Promise<never> {
    this.numSubmitted += 1;
    const slurmJobId = String(100 + this.numSubmitted);
    this.queue.push(queued(slurmJobId, options?.jobName ?? '', 'PENDING'));
    if (this.numSubmitted === 1) return new Promise(() => {});
    return Promise.resolve({ slurmJobId, cluster: null, notice: null } satisfies Submission as never);
  }
}

let clock: FakeClock;
let directory: string;
let slurm: HangingSlurm;
let service: Service;
let closers: (() => Promise<void> | void)[];

async function serve(): Promise<void> {
  service = await openService(directory, clock, 'test');
  service.machine = { ...fakeMachine(clock), slurm };
  service.beginEpoch();
  const [timekeeper, runner] = [new Timekeeper(service), new ActionRunner(service)];
  timekeeper.start();
  runner.start();
  closers = [() => timekeeper.close(), () => runner.close(), () => service.close()];
  await clock.advance(0);
}

/** The process dies: it writes nothing more. */
function die(): void {
  closers[0]?.();
  service.db.close();
  rmSync(join(directory, 'holder.json'));
}

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  slurm = new HangingSlurm(clock);
  await serve();
});
afterEach(async () => {
  for (const close of closers) await close();
  rmSync(directory, { recursive: true, force: true });
});

async function firing(key: string): Promise<Record<string, unknown>> {
  const [action] = await rows(service, 'actions', key);
  const [newest = {}] = (action?.firings ?? []) as Record<string, unknown>[];
  return newest;
}

it('nodes are requested again a minute later, by the server of that time, and not before', async () => {
  const options = {
    slurmConfigs: ['c'],
    actions: [{ trigger: 'on_workflow_start', scheduler: 'c' } as const],
    directory,
  };
  const key = await createWorkflow(service, [{ name: 'a' }], [], options);
  await expect.poll(() => slurm.numSubmitted).toBe(1);
  die();
  slurm.queueFailure = { reason: 'slurmctld is away', hint: null };
  await serve();
  const isPutOff = () => service.db.get(`SELECT 1 FROM due WHERE kind = 'firing'`) !== undefined;
  await expect.poll(isPutOff).toBe(true);
  expect(await firing(key)).toMatchObject({ state: 'claimed', num_attempts: 2 });
  slurm.queueFailure = null;
  die();
  await serve();
  await clock.advance(59_000);
  expect(await firing(key)).toMatchObject({ state: 'claimed', num_attempts: 2 });
  await clock.advance(1_000);
  await expect.poll(() => firing(key)).toMatchObject({ state: 'done', num_attempts: 3 });
  expect(slurm.numSubmitted).toBe(1);
  expect(service.db.all('SELECT * FROM due')).toEqual([]);
});

it('the commands of a worker that ended without a report are given up after a quarter of an hour', async () => {
  const actions: TestAction[] = [{ trigger: 'on_worker_start', commands: ['prepare'] }];
  const key = await createWorkflow(service, [{ name: 'a' }], [], { actions, directory });
  const [silent, honest] = [await TestWorker.join(service, key), await TestWorker.join(service, key)];
  const close = (worker: TestWorker) =>
    service.write((tx) => closeComputeNode(tx, findComputeNode(tx, worker.workerId)?.computeNodeKey as number, 'lost'));
  await close(silent);
  await close(honest);
  // the action fires once in a run: only the first worker was given its commands
  expect(service.db.all('SELECT kind FROM due')).toEqual([{ kind: 'worker_commands' }]);
  await clock.advance(15 * 60_000 - 1);
  expect(await firing(key)).toMatchObject({ state: 'claimed' });
  await clock.advance(1);
  expect(await firing(key)).toMatchObject({ state: 'failed', error: expect.stringContaining('interrupted') });
});

it('the wait ends when a worker reports its commands after its end', async () => {
  const actions: TestAction[] = [{ trigger: 'on_worker_start', commands: ['prepare'] }];
  const key = await createWorkflow(service, [{ name: 'a' }], [], { actions, directory });
  const worker = await TestWorker.join(service, key);
  await service.write((tx) =>
    closeComputeNode(tx, findComputeNode(tx, worker.workerId)?.computeNodeKey as number, 'lost'),
  );
  const { firing_key } = await firing(key);
  const report = { firing: Number(firing_key), return_codes: [0], output_path: '/out', error: null };
  await worker.exchange({ actions: [report], leaving: true });
  expect(await firing(key)).toMatchObject({ state: 'done' });
  expect(service.db.all('SELECT * FROM due')).toEqual([]);
});
