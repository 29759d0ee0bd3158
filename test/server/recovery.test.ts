/** Recovery: one plan brings back what a larger request or another node cures, and nothing else. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reply, Request } from '../../src/api/contract.ts';
import type { Partition } from '../../src/model/plan/site.ts';
import { gatherEvidence } from '../../src/server/evidence/gather.ts';
import type { Service } from '../../src/server/service.ts';
import { applyEvidence } from '../../src/storage/evidence/apply.ts';
import { accounted, FakeClock, type FakeMachine, fakeMachine, queued } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const gibibyte = 1024 ** 3;
const huge = { cpus: 8, memory: 64 * gibibyte };

let clock: FakeClock;
let service: Service;
let machine: FakeMachine;
let close: () => Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  ({ service, close } = await freshService(clock));
  machine = fakeMachine(clock);
  service.machine = machine;
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

type Recover = NonNullable<Request<'workflow_restart'>['recover']>;
const usual: Recover = { memory_factor: 1.5, runtime_factor: 1.5, retry_unknown: false };

function recover(
  key: string,
  choice: Partial<Recover> = {},
  more: Partial<Request<'workflow_restart'>> = {},
): Promise<Reply<'workflow_restart'>> {
  return service.call('workflow_restart', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    ignore_missing_data: false,
    only_uninitialized: false,
    keep_running: false,
    force: false,
    assume_stopped: false,
    working_directory: '/',
    recover: { ...usual, ...choice },
    ...more,
  });
}

const dry = { dry_run: true };

type Options = NonNullable<Parameters<typeof createWorkflow>[3]>;

/** How a job ends. */
const ends = {
  oom: { return_code: 137, cause: 'oom', peak_memory_bytes: gibibyte },
  timeout: { return_code: 152, cause: 'job_timeout' },
  wrong: { return_code: 1, cause: 'exit_code' },
  fine: { return_code: 0, cause: 'success' },
} as const;

/** A workflow whose jobs have ended as their names say; one of each, with a job behind each unless it ends well. */
async function ended(names: (keyof typeof ends)[], options: Options = {}): Promise<string> {
  const failureHandler = options.failureHandlers === undefined ? undefined : 0;
  const config = options.slurmConfigs === undefined ? {} : { slurmConfig: 0 };
  const jobs = names.map((name) => ({ name, memory: gibibyte, runtime: 600, failureHandler, ...config }));
  const behind = names.map((name) => ({ name: `after ${name}`, memory: gibibyte, runtime: 600 }));
  const edges = names.map((_, index): [number, number] => [index, names.length + index]);
  const key = await createWorkflow(service, [...jobs, ...behind], edges, options);
  const worker = await TestWorker.join(service, key, huge);
  let { jobs: given } = await worker.exchange();
  while (given.length > 0) {
    const finishing = given.map(({ attempt, job_name }) => {
      const { return_code, ...end } = ends[(names as string[]).includes(job_name) ? (job_name as 'oom') : 'fine'];
      return { ...finished(attempt, return_code), ...end };
    });
    worker.held = [];
    ({ jobs: given } = await worker.exchange({ finished: finishing }));
  }
  await worker.exchange({ leaving: true, draining: true });
  return key;
}

const requestsOf = async (key: string): Promise<Record<string, unknown[]>> =>
  Object.fromEntries(
    (await rows(service, 'jobs', key)).map((job) => [
      job.name,
      [Number(job.memory_bytes) / gibibyte, job.runtime_seconds, job.scheduler],
    ]),
  );

describe('a recovery', () => {
  it('gives more to what ran out, leaves other failures, and is the plan of its dry run', async () => {
    const key = await ended(['oom', 'timeout', 'wrong', 'fine']);
    const before = service.db.all('SELECT max(event_key) AS n FROM events');
    const planned = await recover(key, {}, dry);
    expect(service.db.all('SELECT max(event_key) AS n FROM events')).toEqual(before);
    expect(await requestsOf(key)).toMatchObject({ oom: [1, 600, null], timeout: [1, 600, null] });
    expect(planned.changes.map(({ job_name, new_status, reason }) => [job_name, new_status, reason])).toEqual([
      ['oom', 'ready', 'out of memory: memory 1G -> 1.5G'],
      ['timeout', 'ready', 'out of time: runtime 10m 00s -> 15m 00s'],
      ['after oom', 'blocked', 'was canceled'],
      ['after timeout', 'blocked', 'was canceled'],
    ]);
    expect(planned.kept.map(({ job_name, reason }) => [job_name, reason])).toEqual([
      ['wrong', 'failed with return code 1: torc jobs reset-status 3'],
      ['after wrong', 'wrong failed with return code 1: torc jobs reset-status 3'],
    ]);
    expect(planned.recovered).toMatchObject({
      groups: [
        { kind: 'memory', num_jobs: 1, num_recovered: 1, factor: 1.5 },
        { kind: 'runtime', num_jobs: 1, num_recovered: 1, factor: 1.5 },
        { kind: 'other', num_jobs: 1, num_recovered: 0, factor: null },
      ],
      scaled: [
        { job_name: 'oom', field: 'memory_bytes', old_value: gibibyte, new_value: 1.5 * gibibyte, limited_by: null },
        { job_name: 'timeout', field: 'runtime_seconds', old_value: 600, new_value: 900 },
      ],
      num_scaled: 2,
      nodes_by: 'nobody',
      nodes: [],
    });
    const applied = await recover(key);
    expect(applied).toEqual({ ...planned, dry_run: false });
    expect(await requestsOf(key)).toMatchObject({
      oom: [1.5, 600, null],
      timeout: [1, 900, null],
      wrong: [1, 600, null],
      'after oom': [1, 600, null],
    });
    expect(await statuses(service, key)).toMatchObject({
      oom: 'ready',
      timeout: 'ready',
      wrong: 'done',
      fine: 'done',
      'after oom': 'blocked',
      'after wrong': 'canceled',
    });
    expect(await rows(service, 'runs' as 'jobs', key)).toMatchObject([{ how: 'start' }, { how: 'recover' }]);
    expect((await rows(service, 'events', key, { type: 'job_scaled' })).map(({ job_name }) => job_name)).toHaveLength(
      2,
    );
  });

  it('that comes a second time changes nothing', async () => {
    const key = await ended(['oom']);
    await recover(key);
    const again = await recover(key);
    expect(again).toMatchObject({ begins_run: false, run_id: 2, num_ready: 1, changes: [], recovered: { groups: [] } });
    expect(await requestsOf(key)).toMatchObject({ oom: [1.5, 600, null] });
  });

  it('of a plan that is no longer true is refused, and changes nothing', async () => {
    const key = await ended(['oom']);
    const { state } = await recover(key, {}, dry);
    const both = await Promise.allSettled([1, 2].map(() => recover(key, {}, { expected_state: state })));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await requestsOf(key)).toMatchObject({ oom: [1.5, 600, null] });
    expect(await rows(service, 'events', key, { type: 'job_scaled' })).toHaveLength(1);
  });

  it('takes other factors, and leaves a group whose factor is null', async () => {
    const key = await ended(['oom', 'timeout']);
    const { recovered, kept } = await recover(key, { memory_factor: null, runtime_factor: 3 });
    expect(recovered?.groups).toEqual([
      { kind: 'memory', num_jobs: 1, num_recovered: 0, factor: null },
      { kind: 'runtime', num_jobs: 1, num_recovered: 1, factor: 3 },
    ]);
    expect(kept.map(({ job_name }) => job_name)).toEqual(['oom', 'after oom']);
    expect(await requestsOf(key)).toMatchObject({ oom: [1, 600, null], timeout: [1, 1800, null] });
  });

  it('runs other failures again as they were, on request', async () => {
    const key = await ended(['wrong', 'oom']);
    const { recovered, num_ready } = await recover(key, { retry_unknown: true });
    expect(recovered).toMatchObject({ num_scaled: 1 });
    expect(num_ready).toBe(2);
    expect(await requestsOf(key)).toMatchObject({ wrong: [1, 600, null], oom: [1.5, 600, null] });
  });

  it('begins no run where nothing is left that it cures', async () => {
    const key = await ended(['wrong']);
    expect(await recover(key)).toMatchObject({ begins_run: false, run_id: 1, num_changes: 0, num_kept: 2 });
    expect(await statuses(service, key)).toEqual({ wrong: 'done', 'after wrong': 'canceled' });
  });

  it('leaves what a person canceled, and refuses a workflow that was', async () => {
    const key = await createWorkflow(service, [
      { name: 'oom', memory: gibibyte },
      { name: 'unwanted', memory: gibibyte },
      { name: 'long', memory: gibibyte },
    ]);
    const jobKeys = (await rows(service, 'jobs', key)).map(({ job_key }) => String(job_key));
    const worker = await TestWorker.join(service, key, { ...huge, maxJobs: 1 });
    const { jobs } = await worker.exchange();
    const plan = { dry_run: false, expected_state: null, skip: 0 };
    await service.call('jobs_cancel', { workflow_key: key, ...plan, job_keys: jobKeys.slice(1) });
    worker.held = [];
    await worker.exchange({ finished: [{ ...finished(jobs[0]?.attempt as number, 137), ...ends.oom }] });
    const { kept } = await recover(key);
    expect(kept).toMatchObject([
      { job_name: 'unwanted', status: 'canceled', reason: 'was canceled' },
      { job_name: 'long', status: 'canceled' },
    ]);
    expect(await statuses(service, key)).toEqual({ oom: 'ready', unwanted: 'canceled', long: 'canceled' });
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await expect(recover(key)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('canceled'),
    });
  });

  it('is refused while jobs run, unless they may', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await expect(recover(key)).rejects.toMatchObject({
      code: 'conflict',
      hint: `--keep-running lets them continue; torc watch ${key} --recover recovers when the run has ended.`,
    });
    expect(await recover(key, {}, { keep_running: true })).toMatchObject({ num_running: 1, num_changes: 0 });
    const [job] = await rows(service, 'jobs', key);
    const plan = { dry_run: false, expected_state: null, skip: 0 };
    await service.call('jobs_cancel', { workflow_key: key, ...plan, job_keys: [String(job?.job_key)] });
    await expect(recover(key, {}, { keep_running: true })).rejects.toMatchObject({
      code: 'conflict',
      hint: 'Try again when they have ended.',
    });
  });
});

describe('the request of a job', () => {
  const scale = (given: NonNullable<ReturnType<typeof rule>['scale']>) => ({
    failureHandlers: [[rule({ exit_codes: [], causes: ['oom', 'job_timeout'], max_retries: 0, scale: given })]],
  });

  it('grows as its own rule says, and not beyond its max', async () => {
    const key = await ended(['oom', 'timeout'], scale({ memory: { factor: 4 }, max: { memory: 2 * gibibyte } }));
    const { changes } = await recover(key);
    expect(changes.slice(0, 2).map(({ reason }) => reason)).toEqual([
      'out of memory: memory 1G -> 2G, not 4G: 2G is the max of its rule',
      'out of time: runtime 10m 00s -> 15m 00s',
    ]);
  });

  it('that cannot grow keeps its job from coming back; the plan says so', async () => {
    const key = await ended(['oom', 'timeout'], scale({ memory: { factor: 4 }, max: { memory: gibibyte } }));
    const { recovered, kept } = await recover(key);
    expect(recovered?.groups[0]).toMatchObject({ kind: 'memory', num_jobs: 1, num_recovered: 0 });
    expect(kept[0]).toMatchObject({
      job_name: 'oom',
      reason: 'out of memory: memory stays 1G: that is the max of its rule, so the job is not tried again',
    });
    expect(await rows(service, 'events', key, { type: 'job_not_scaled' })).toEqual([]);
  });

  it('is limited by what the workers of its Slurm config have', async () => {
    const key = await ended(['oom', 'timeout'], {
      slurmConfigs: [{ name: 's', mem: '1200M', walltime_seconds: 700 }],
    });
    const { changes } = await recover(key);
    expect(changes.slice(0, 2).map(({ reason }) => reason)).toEqual([
      'out of memory: memory 1G -> 1.2G, not 1.5G: 1.2G is the most that its workers have',
      'out of time: runtime 10m 00s -> 11m 40s, not 15m 00s: 11m 40s is the most that its workers have',
    ]);
  });

  it('that a person has raised since stays as it is, and the job comes back', async () => {
    const key = await ended(['oom']);
    const [job] = await rows(service, 'jobs', key, { name: 'oom' });
    const changes = { memory_bytes: 5 * gibibyte };
    await service.call('job_modify', { job_key: String(job?.job_key), dry_run: false, changes });
    expect(await recover(key)).toMatchObject({ num_ready: 1, recovered: { num_scaled: 0 } });
    expect(await requestsOf(key)).toMatchObject({ oom: [5, 600, null] });
  });

  it('that is not known leaves its job for a person', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const attempt = worker.held.shift() as number;
    await worker.exchange({ finished: [{ ...finished(attempt, 137), cause: 'oom' }] });
    const { kept, begins_run } = await recover(key);
    expect(begins_run).toBe(false);
    expect(kept[0]?.reason).toBe('out of memory: it states no memory, and it is not known how much it used');
  });
});

describe('jobs that were lost', () => {
  /** `big` has taken the memory of its node, and the worker with it; `small` was beside it. Both are left. */
  async function lost(): Promise<string> {
    const key = await createWorkflow(
      service,
      ['big', 'small'].map((name) => ({ name, memory: gibibyte })),
      [],
      { slurmConfigs: ['c'] },
    );
    await service.call('workflow_modify', { workflow_key: key, changes: { max_losses: 0 } });
    const allocationKey = await allocate(key, 'x', '7');
    const slurm = { slurmJobId: '7', hostname: 'c1', restartCount: 0, allocationKey };
    const worker = await TestWorker.join(service, key, { cpus: 2, memory: 16 * gibibyte }, slurm);
    await worker.exchange();
    const [big = 0, small = 0] = worker.held;
    const sample = (attempt: number, peak: number) => ({
      attempt,
      memory_bytes: 1,
      peak_memory_bytes: peak,
      cpu_ms: 5,
    });
    const started = worker.held.map((attempt) => ({ attempt, age_ms: 0, pid: 1 }));
    await worker.exchange({ samples: [sample(big, 3 * gibibyte), sample(small, 900)], draining: true, started });
    machine.slurm.queue = [queued('7', 'x', 'OUT_OF_MEMORY')];
    machine.slurm.accounts = [accounted('7', 'x', 'OUT_OF_MEMORY')];
    await clock.advance(200_000);
    for (const _ of [1, 2]) {
      const gathering = gatherEvidence(service, { workflowKey: null, isAsked: true });
      await clock.advance(20_000);
      const evidence = await gathering;
      await service.write((tx) => applyEvidence(tx, evidence));
    }
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'submitted' });
    return key;
  }

  async function allocate(key: string, name: string, slurmJobId: string): Promise<string> {
    const [config] = await rows(service, 'slurm_configs', key);
    const place = { num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/out' };
    const { allocation_keys } = await service.call('allocations_record', {
      workflow_key: key,
      slurm_config_key: String(config?.slurm_config_key),
      allocations: [{ name, ...place }],
    });
    const allocation_key = allocation_keys[0] as string;
    await service.call('allocation_confirm', { allocation_key, slurm_job_id: slurmJobId, cluster: 'lab', error: null });
    return allocation_key;
  }

  it('come back: the one that took the memory with more, its victim as it was; on a node as before', async () => {
    const key = await lost();
    const planned = await recover(key, {}, dry);
    expect(planned.changes.map(({ job_name, reason }) => [job_name, reason])).toEqual([
      ['big', 'out of memory: memory 1G -> 5G'],
      ['small', 'lost: out of memory'],
    ]);
    expect(planned.recovered).toMatchObject({
      groups: [
        { kind: 'memory', num_jobs: 1, num_recovered: 1 },
        { kind: 'lost', num_jobs: 1, num_recovered: 1 },
      ],
      nodes_by: 'earlier',
      nodes: [{ slurm_config: 'c', num_allocations: 1, num_nodes: 1, one_worker_per_node: false }],
      output_directory: '/out',
    });
    expect(await recover(key)).toEqual({ ...planned, dry_run: false });
    expect(await requestsOf(key)).toMatchObject({ big: [5, 60, null], small: [1, 60, null] });
    expect(await statuses(service, key)).toEqual({ big: 'ready', small: 'ready' });
    expect(await rows(service, 'allocations', key)).toHaveLength(1);
  });

  it('stay lost where their group is left', async () => {
    const key = await lost();
    const { kept } = await recover(key, { memory_factor: null });
    expect(kept).toMatchObject([{ job_name: 'big', status: 'submitted', reason: 'lost: out of memory' }]);
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'ready' });
    const worker = await TestWorker.join(service, key, huge);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({ status: 'failed' });
    await recover(key);
    expect(await statuses(service, key)).toEqual({ big: 'ready', small: 'done' });
  });

  it('need larger nodes of a partition where they have outgrown the others', async () => {
    const [main] = siteExample.partitions as [Partition];
    const [kind] = main.nodes as [Partition['nodes'][number]];
    const nodes = [4, 64].map((size) => ({ ...kind, num_cpus: 2, memory_bytes: size * gibibyte }));
    const partitions = [{ ...main, gives_whole_nodes: true, nodes }];
    await service.call('site_put', { site: { ...siteExample, partitions } });
    const minimum = { num_cpus: null, memory_bytes: 64 * gibibyte, num_gpus: null };
    expect((await recover(await lost())).recovered?.nodes).toMatchObject([{ num_allocations: 1, minimum }]);
  });

  it('need nodes for what is ready and has no room, not for what is queued already', async () => {
    const key = await lost();
    await recover(key);
    await allocate(key, 'y', '8');
    expect((await recover(key)).recovered).toMatchObject({ nodes_by: 'earlier', nodes: [] });
  });
});
