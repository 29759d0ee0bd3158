/** Workflows that recover by themselves: how often, when, with which nodes, and who learns of the end. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import { TorcError } from '../../src/base/errors.ts';
import { Recoverer } from '../../src/server/actions/recoverer.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import type { Submission } from '../../src/slurm/commands.ts';
import { FakeClock, FakeSlurm, fakeMachine, queued } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import {
  createWorkflow,
  finished,
  rows,
  statuses,
  type TestAction,
  type TestJob,
  TestWorker,
  temporaryDirectory,
} from '../support/service.ts';

const gibibyte = 1024 ** 3;

class TakingSlurm extends FakeSlurm {
  readonly submitted: string[] = [];
  refusal: string | null = null;
  onSbatch: () => void = () => {};

  override async sbatch(_: string = '', { jobName }: { jobName: string } = { jobName: '' }): Promise<never> {
    this.onSbatch();
    if (this.refusal !== null) throw new TorcError('slurm', this.refusal);
    this.submitted.push(jobName);
    const slurmJobId = String(100 + this.submitted.length);
    this.queue.push(queued(slurmJobId, jobName, 'PENDING'));
    return { slurmJobId, cluster: null, notice: null } satisfies Submission as never;
  }
}

let clock: FakeClock;
let directory: string;
let slurm: TakingSlurm;
let service: Service;
let closers: (() => Promise<void> | void)[];

async function serve(): Promise<void> {
  service = await openService(directory, clock, 'test');
  service.machine = { ...fakeMachine(clock), slurm };
  service.beginEpoch();
  const [timekeeper, recoverer] = [new Timekeeper(service), new Recoverer(service)];
  timekeeper.start();
  recoverer.start();
  closers = [() => timekeeper.close(), () => recoverer.close(), () => service.close()];
  await clock.advance(0);
}

async function stopServing(): Promise<void> {
  for (const close of closers) await close();
}

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  slurm = new TakingSlurm(clock);
  await serve();
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await stopServing();
  rmSync(directory, { recursive: true, force: true });
});

type Settings = Request<'workflow_modify'>['changes']['recovery'];
const set = (workflow_key: string, recovery: Settings) =>
  service.call('workflow_modify', { workflow_key, changes: { recovery } });

const completion: TestAction = { trigger: 'on_workflow_complete', commands: ['true'] };
const firings = (): number => service.db.get<{ n: number }>('SELECT count(*) AS n FROM action_firings')?.n ?? 0;
const show = (workflow_key: string) => service.call('workflow_show', { workflow_key });
const line = async (key: string) => {
  const request = { workflow_keys: [key], user: null, limit: 1, state: null, wait_seconds: 0 };
  return (await service.call('status', request)).workflows[0];
};
const events = async (key: string, type: string) =>
  (await rows(service, 'events', key, { type })).map(({ data }) => data as Record<string, unknown>);

/** With recoveries, and an action at its end. */
async function created(jobs: TestJob[], settings: Settings = {}, edges: [number, number][] = [], more: object = {}) {
  const key = await createWorkflow(service, jobs, edges, { actions: [completion], directory, ...more });
  await set(key, settings);
  return key;
}

type End = 'oom' | 'exit_code' | 'success';

/** A worker takes what is ready, ends each job as is said, and leaves. */
async function work(key: string, ends: Record<string, End>): Promise<string[]> {
  const worker = await TestWorker.join(service, key, { cpus: 8, memory: 1000 * gibibyte });
  const { jobs } = await worker.exchange();
  worker.held = [];
  const codes = { oom: 137, exit_code: 1, success: 0 };
  const finishing = jobs.map(({ attempt, job_name }) => {
    const cause = ends[job_name] ?? 'success';
    return { ...finished(attempt, codes[cause]), cause, peak_memory_bytes: 1024 };
  });
  await worker.exchange({ finished: finishing, draining: true });
  await worker.exchange({ leaving: true, draining: true });
  await clock.advance(10);
  return jobs.map(({ job_name }) => job_name);
}

const hungry = { name: 'hungry', memory: gibibyte };
const memoryOf = async (key: string) => Number((await rows(service, 'jobs', key))[0]?.memory_bytes) / gibibyte;

describe('a failed run', () => {
  it('is followed by another one with more, at most as often as is allowed; then its end is told', async () => {
    const key = await created([hungry], { max_recoveries: 2 });
    await work(key, { hungry: 'oom' });
    expect(await show(key)).toMatchObject({ run_id: 2, status: 'waiting', recovery: { num_recoveries: 1 } });
    expect(await memoryOf(key)).toBe(1.5);
    expect(await line(key)).toMatchObject({ has_ended: false });
    expect(firings()).toBe(0);
    await work(key, { hungry: 'oom' });
    // nothing has come of the first one
    expect(await line(key)).toMatchObject({ has_ended: false, status: 'failed', recovers_at: expect.any(String) });
    await clock.advance(61_000);
    expect(await show(key)).toMatchObject({ run_id: 3, recovery: { num_recoveries: 2, next_at: null } });
    expect(await memoryOf(key)).toBe(2.25);
    await work(key, { hungry: 'oom' });
    await clock.advance(600_000);
    expect(await show(key)).toMatchObject({ run_id: 3, status: 'failed' });
    expect(await line(key)).toMatchObject({ has_ended: true, recovers_at: null });
    expect(firings()).toBe(1);
    expect(await events(key, 'workflow_recovered')).toMatchObject([
      { number: 1, max_recoveries: 2, run_id: 2, why: '1 job ran out of memory', num_scaled: 1, num_ready: 1 },
      { number: 2, run_id: 3 },
    ]);
    expect(await events(key, 'recovery_ended')).toMatchObject([
      { num_recoveries: 2, why: 'it has recovered 2 times, which is its maximum' },
    ]);
    expect((await rows(service, 'runs' as 'jobs', key)).map(({ how }) => how)).toEqual(['start', 'recover', 'recover']);
  });

  it('that has brought something is followed at once, one that has not after a minute, then two', async () => {
    const key = await created([hungry, { name: 'other', memory: gibibyte }], { max_recoveries: 9 });
    const dueIn = async () => (Date.parse((await line(key))?.recovers_at ?? '') - clock.now()) / 1000;
    await work(key, { hungry: 'oom', other: 'oom' });
    expect((await show(key)).run_id).toBe(2);
    await work(key, { hungry: 'oom' });
    expect((await show(key)).run_id).toBe(3);
    await work(key, { hungry: 'oom' });
    expect(await dueIn()).toBeCloseTo(60, 0);
    await clock.advance(60_000);
    await work(key, { hungry: 'oom' });
    expect(await dueIn()).toBeCloseTo(120, 0);
    await clock.advance(120_000);
    await work(key, {});
    expect(await show(key)).toMatchObject({ status: 'done', recovery: { num_recoveries: 4 } });
    expect(firings()).toBe(1);
  });

  it('of jobs that failed by themselves has ended, unless they are to run again too', async () => {
    const wrong = { name: 'wrong', memory: gibibyte };
    const key = await created([wrong]);
    await work(key, { wrong: 'exit_code' });
    expect(await line(key)).toMatchObject({ has_ended: true });
    expect(firings()).toBe(1);
    const other = await created([wrong], { retry_unknown: true, max_recoveries: 1 });
    await work(other, { wrong: 'exit_code' });
    expect(await show(other)).toMatchObject({ run_id: 2, num_ready: 1 });
    expect(await memoryOf(other)).toBe(1);
  });

  it('leaves jobs that failed by themselves as they are', async () => {
    const key = await created([hungry, { name: 'wrong', memory: gibibyte }]);
    await work(key, { hungry: 'oom', wrong: 'exit_code' });
    expect(await statuses(service, key)).toEqual({ hungry: 'ready', wrong: 'done' });
    await work(key, {});
    await clock.advance(600_000);
    expect(await show(key)).toMatchObject({ run_id: 2, status: 'failed', num_failed: 1 });
    expect(firings()).toBe(1);
  });

  it('that a limit of failures or a person has ended is not followed', async () => {
    const jobs = [hungry, { name: 'long', memory: gibibyte }];
    const limited = await created(jobs, {}, [[0, 1]], { maxFailures: 1 });
    await work(limited, { hungry: 'oom' });
    const canceled = await created(jobs, {}, [[0, 1]]);
    await service.call('workflow_cancel', { workflow_key: canceled, dry_run: false });
    await clock.advance(600_000);
    expect(await show(limited)).toMatchObject({ run_id: 1, status: 'failed', cut_off_by: 'max_failures' });
    expect(await show(canceled)).toMatchObject({ run_id: 1, status: 'canceled' });
    expect(await events(limited, 'recovery_planned')).toEqual([]);
  });

  it('whose requests cannot grow ends; its end is told once', async () => {
    const key = await created([{ ...hungry, slurmConfig: 0 }], {}, [], { slurmConfigs: [{ name: 'c', mem: '1G' }] });
    await work(key, { hungry: 'oom' });
    expect(await show(key)).toMatchObject({ run_id: 1, status: 'failed', recovery: { num_recoveries: 0 } });
    expect(await events(key, 'recovery_ended')).toMatchObject([{ why: expect.stringContaining('nothing is left') }]);
    expect(firings()).toBe(1);
  });
});

describe('what a person does meanwhile', () => {
  /** A recovery is due in a minute. */
  async function pending(): Promise<string> {
    const key = await created([hungry], { max_recoveries: 5 });
    await work(key, { hungry: 'oom' });
    await work(key, { hungry: 'oom' });
    expect(await line(key)).toMatchObject({ has_ended: false, recovers_at: expect.any(String) });
    expect(firings()).toBe(0);
    return key;
  }
  const restart = (key: string, more: Partial<Request<'workflow_restart'>> = {}) =>
    service.call('workflow_restart', {
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
      ...more,
    });
  const automatic = { memory_factor: null, runtime_factor: null, retry_unknown: false, automatic: true };

  it('turning it off tells the end of the run', async () => {
    const key = await pending();
    await set(key, null);
    expect(await line(key)).toMatchObject({ has_ended: true });
    expect(firings()).toBe(1);
    await clock.advance(600_000);
    expect(await show(key)).toMatchObject({ run_id: 2, recovery: null });
  });

  it('setting it so that nothing is left that it cures tells the end of the run', async () => {
    const key = await created([hungry], { retry_unknown: true });
    await work(key, { hungry: 'exit_code' });
    await work(key, { hungry: 'exit_code' });
    expect(await line(key)).toMatchObject({ has_ended: false, recovers_at: expect.any(String) });
    await set(key, { retry_unknown: false });
    expect(await line(key)).toMatchObject({ has_ended: true, recovers_at: null });
    expect(firings()).toBe(1);
  });

  it('recovering it now takes the place of what was due', async () => {
    const key = await pending();
    await restart(key, { recover: { memory_factor: 2, runtime_factor: 2, retry_unknown: false } });
    await clock.advance(600_000);
    expect(await show(key)).toMatchObject({ run_id: 3, recovery: { num_recoveries: 1, next_at: null } });
    expect(await memoryOf(key)).toBe(3);
  });

  it('two at the same time are one', async () => {
    const key = await pending();
    const both = await Promise.allSettled([restart(key, { recover: automatic }), restart(key, { recover: automatic })]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await clock.advance(600_000);
    expect(await show(key)).toMatchObject({ run_id: 3, recovery: { num_recoveries: 2 } });
    await expect(restart(key, { recover: automatic })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('a dry run of what is due changes nothing', async () => {
    const key = await pending();
    const planned = await restart(key, { recover: automatic, dry_run: true });
    expect(await restart(key, { recover: automatic })).toEqual({ ...planned, dry_run: false });
  });

  it('setting it after a run has failed recovers that run', async () => {
    const key = await createWorkflow(service, [hungry]);
    await work(key, { hungry: 'oom' });
    expect(await line(key)).toMatchObject({ has_ended: true });
    await set(key, { max_recoveries: 1, memory_factor: 4 });
    await clock.advance(10);
    expect(await show(key)).toMatchObject({ run_id: 2, recovery: { num_recoveries: 1 } });
    expect(await memoryOf(key)).toBe(4);
  });

  it('stopping the server only delays it: the next server recovers', async () => {
    const key = await pending();
    await stopServing();
    await clock.advance(600_000);
    await serve();
    await clock.advance(10);
    expect(await show(key)).toMatchObject({ run_id: 3, recovery: { num_recoveries: 2 } });
  });

  it('what keeps it from recovering is told, counts, and ends it', async () => {
    const key = await pending();
    const base = join(directory, 'gone');
    service.db.run('UPDATE workflows SET base_directory = ? WHERE workflow_key = ?', base, Number(key));
    service.db.run(`INSERT INTO files (workflow_key, name, path) VALUES (?, 'f', 'in.txt')`, Number(key));
    service.db.run('INSERT INTO job_files (job_key, file_key, is_output) SELECT job_key, file_key, 0 FROM jobs, files');
    const isOver = async () => (await events(key, 'recovery_ended')).length > 0;
    for (let seconds = 0; seconds < 1200 && !(await isOver()); seconds += 5) await clock.advance(5_000);
    expect(await show(key)).toMatchObject({
      run_id: 2,
      status: 'failed',
      recovery: { num_recoveries: 5, next_at: null },
    });
    const failed = await events(key, 'recovery_failed');
    expect(failed.map(({ number }) => number)).toEqual([2, 3, 4, 5]);
    expect(failed[0]?.why).toContain(base);
    expect(await events(key, 'recovery_ended')).toMatchObject([{ num_recoveries: 5 }]);
    expect(firings()).toBe(1);
  });
});

describe('nodes for what has recovered', () => {
  async function allocated(more: Partial<TestJob> = {}): Promise<string> {
    const key = await created([{ ...hungry, ...more }], { max_recoveries: 5 }, [], { slurmConfigs: ['c'] });
    const [config] = await rows(service, 'slurm_configs', key);
    const place = { num_nodes: 1, one_worker_per_node: false, script_path: '/s' };
    await service.call('allocations_record', {
      workflow_key: key,
      slurm_config_key: String(config?.slurm_config_key),
      allocations: [{ name: `first ${key}`, ...place, output_directory: join(directory, 'out') }],
    });
    service.db.run(`UPDATE allocations SET status = 'ended', slurm_job_id = '7', ended_at = 1`);
    return key;
  }

  it('are asked for once the workers of the run before have left, each recorded before sbatch', async () => {
    const key = await allocated();
    let recorded: unknown[] = [];
    slurm.onSbatch = () => {
      recorded = service.db.all(`SELECT name, output_directory FROM allocations WHERE status = 'recorded'`);
    };
    await work(key, { hungry: 'oom' });
    expect(slurm.submitted).toEqual([]);
    await clock.advance(21_000);
    expect(slurm.submitted).toHaveLength(1);
    expect(recorded).toEqual([{ name: slurm.submitted[0], output_directory: join(directory, 'out') }]);
    await clock.advance(600_000);
    expect(slurm.submitted).toHaveLength(1);
  });

  it('are asked for although a person has set the recoveries again meanwhile', async () => {
    const key = await allocated();
    await work(key, { hungry: 'oom' });
    await set(key, { max_recoveries: 4 });
    await clock.advance(21_000);
    expect(slurm.submitted).toHaveLength(1);
    expect(await show(key)).toMatchObject({ recovery: { max_recoveries: 4, num_recoveries: 0 } });
  });

  it('are not asked for when a worker has taken the jobs', async () => {
    const key = await allocated();
    await work(key, { hungry: 'oom' });
    const worker = await TestWorker.join(service, key, { memory: 1000 * gibibyte });
    expect((await worker.exchange()).jobs).toHaveLength(1);
    await clock.advance(30_000);
    expect(slurm.submitted).toEqual([]);
  });

  it('are asked for by the next server when the first one has died', async () => {
    const key = await allocated();
    await work(key, { hungry: 'oom' });
    await stopServing();
    await clock.advance(600_000);
    await serve();
    await clock.advance(10);
    expect(slurm.submitted).toHaveLength(1);
    expect((await show(key)).run_id).toBe(2);
  });

  it('that Slurm refuses are asked for again after a minute, then two; each time an event says why', async () => {
    const key = await allocated();
    slurm.refusal = 'no such account';
    await work(key, { hungry: 'oom' });
    const refused = () => rows(service, 'allocations', key, { status: 'refused' });
    await clock.advance(21_000);
    expect(await refused()).toMatchObject([{ error: 'no such account' }]);
    await clock.advance(61_000);
    expect(await refused()).toHaveLength(2);
    const why = { why: 'no such account', due_at: expect.any(String) };
    expect(await events(key, 'recovery_nodes_refused')).toMatchObject([
      { ...why, num_refused: 1 },
      { ...why, num_refused: 2 },
    ]);
    slurm.refusal = null;
    await clock.advance(60_000);
    expect(slurm.submitted).toEqual([]);
    await clock.advance(61_000);
    expect(slurm.submitted).toHaveLength(1);
    await clock.advance(900_000);
    expect(slurm.submitted).toHaveLength(1);
  });

  it('that Slurm keeps refusing are asked for again as often as it may recover', async () => {
    const key = await allocated();
    slurm.refusal = 'no such account';
    await set(key, { max_recoveries: 2 });
    await work(key, { hungry: 'oom' });
    await clock.advance(900_000);
    expect(await rows(service, 'allocations', key, { status: 'refused' })).toHaveLength(3);
    expect((await events(key, 'recovery_nodes_refused')).at(-1)).toMatchObject({ num_refused: 3, due_at: null });
    expect((await show(key)).run_id).toBe(2);
  });

  it('are left to the autoscaler', async () => {
    const key = await allocated();
    const settings = { output_directory: join(directory, 'out') };
    await service.call('workflow_autoscale', { workflow_key: key, dry_run: false, settings });
    await work(key, { hungry: 'oom' });
    await clock.advance(60_000);
    expect(slurm.submitted).toEqual([]);
    expect((await show(key)).run_id).toBe(2);
  });
});
