/** The autoscaler of a server: recorded before sbatch, caps at every instant, failed starts, restarts, few calls. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { reasonText } from '../../src/model/decide/reason-text.ts';
import type { Partition } from '../../src/model/plan/site.ts';
import { ActionRunner } from '../../src/server/actions/action-runner.ts';
import { Autoscaler } from '../../src/server/actions/autoscaler.ts';
import { Reconciler } from '../../src/server/evidence/reconcile.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import type { SlurmAnswer } from '../../src/slurm/answers.ts';
import type { Submission } from '../../src/slurm/commands.ts';
import { FakeClock, FakeSlurm, fakeMachine, queued } from '../support/fake-machine.ts';
import { createWorkflow, rows, type TestJob, TestWorker, temporaryDirectory } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

/** It takes what is submitted, unless it is told otherwise. */
class TakingSlurm extends FakeSlurm {
  readonly submitted: { id: string; script: string; at: number }[] = [];
  readonly canceled: string[][] = [];
  refusal: string | null = null;
  hangs = false;
  readonly #time: FakeClock;
  /** Called before anything is answered. */
  onSbatch: () => void = () => {};

  constructor(clock: FakeClock) {
    super(clock);
    this.#time = clock;
  }

  override async sbatch(script = '', { jobName }: { jobName: string } = { jobName: '' }): Promise<never> {
    this.onSbatch();
    const id = String(101 + this.submitted.length);
    this.submitted.push({ id, script, at: this.#time.monotonic() });
    if (this.refusal !== null) throw new TorcError('slurm', this.refusal);
    this.queue.push(queued(id, jobName, 'PENDING'));
    if (this.hangs) return new Promise(() => {});
    return { slurmJobId: id, cluster: null, notice: null } satisfies Submission as never;
  }

  override async scancel(ids: readonly string[] = []): Promise<never> {
    this.canceled.push([...ids]);
    this.queue = this.queue.map((job) =>
      ids.includes(job.slurmJobId) ? queued(job.slurmJobId, job.name, 'CANCELLED') : job,
    );
    return { kind: 'ok', value: null } satisfies SlurmAnswer<null> as never;
  }
}

let clock: FakeClock;
let directory: string;
let slurm: TakingSlurm;
let service: Service;
let closers: (() => Promise<void> | void)[];

async function serve(callsPerMinute?: number): Promise<void> {
  service = await openService(directory, clock, 'test');
  service.machine = { ...fakeMachine(clock), slurm };
  service.beginEpoch();
  const [timekeeper, reconciler, autoscaler] = [
    new Timekeeper(service),
    new Reconciler(service),
    new Autoscaler(service, callsPerMinute),
  ];
  timekeeper.start();
  reconciler.start();
  autoscaler.start();
  closers = [() => timekeeper.close(), () => reconciler.close(), () => autoscaler.close(), () => service.close()];
  await clock.advance(0);
}

/** The process dies: it writes nothing more. */
function die(): void {
  for (const close of closers.slice(0, 3)) void close();
  service.db.close();
  rmSync(join(directory, 'holder.json'));
}

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  slurm = new TakingSlurm(clock);
  await serve();
});
afterEach(async () => {
  slurm.hangs = false;
  for (const close of closers) await close();
  rmSync(directory, { recursive: true, force: true });
});

const extra = '--cpus-per-task=2';
const jobsOf = (count: number, more: Partial<TestJob> = {}): TestJob[] =>
  Array.from({ length: count }, (_, at) => ({ name: `j${at}`, runtime: 600, ...more }));

async function scaled(jobs: TestJob[], settings: object = {}, edges: [number, number][] = []): Promise<string> {
  const key = await createWorkflow(service, jobs, edges, { slurmConfigs: [{ name: 'c', extra }] });
  await set(key, settings);
  await clock.advance(10);
  return key;
}

function set(workflow_key: string, settings: object = {}, dry_run = false) {
  const output_directory = join(directory, 'out');
  return service.call('workflow_autoscale', { workflow_key, dry_run, settings: { output_directory, ...settings } });
}

/** Lets time pass, a second at a time, until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  for (let seconds = 0; !isSo() && seconds < 600; seconds++) await clock.advance(1_000);
  expect(isSo()).toBe(true);
}

const open = () =>
  service.db.all(`SELECT allocation_key, status FROM allocations WHERE status IN ('recorded', 'submitted', 'running')`);
const shown = async (workflow_key: string) => (await service.call('workflow_show', { workflow_key })).autoscaler;

/** Slurm starts an allocation, whose worker says hello. */
async function start(key: string, id: string, capacity: Parameters<typeof TestWorker.join>[2] = { cpus: 2 }) {
  const allocation = service.db.get('SELECT allocation_key FROM allocations WHERE slurm_job_id = ?', id);
  slurm.queue = slurm.queue.map((job) => (job.slurmJobId === id ? queued(id, job.name, 'RUNNING') : job));
  const place = { slurmJobId: id, hostname: `n${id}`, restartCount: 0 };
  const allocationKey = String(allocation?.allocation_key);
  return TestWorker.join(service, key, capacity, { ...place, allocationKey });
}

it('asks for as many nodes as jobs wait for, within the caps, and for no more', async () => {
  const key = await scaled(jobsOf(9), { max_nodes: 4, max_queued: 3 });
  expect(slurm.submitted).toHaveLength(3);
  const script = slurm.submitted[0]?.script ?? '';
  expect(script).toContain('#SBATCH --time=00:20:00');
  expect(script).toContain('#SBATCH --no-requeue');
  expect(await shown(key)).toMatchObject({
    num_nodes: 3,
    num_queued_allocations: 3,
    reason: { code: 'at_max_queued' },
  });
  const worker = await start(key, '101');
  await worker.exchange();
  await clock.advance(3_000);
  expect(slurm.submitted).toHaveLength(4);
  await start(key, '102');
  await clock.advance(300_000);
  expect(slurm.submitted).toHaveLength(4);
  expect(await shown(key)).toMatchObject({ num_nodes: 4, reason: { code: 'at_max', max_nodes: 4 } });
});

it('records an allocation before sbatch, and says the same in a dry run', async () => {
  const seen: number[] = [];
  slurm.onSbatch = () => void seen.push(open().length);
  const key = await createWorkflow(service, jobsOf(6), [], { slurmConfigs: [{ name: 'c', extra }] });
  const dry = await set(key, {}, true);
  expect(await shown(key)).toBeNull();
  const done = await set(key);
  expect({ ...done, dry_run: true }).toEqual(dry);
  await clock.advance(10);
  expect(seen).toEqual([1, 2, 3]);
  const names = dry.allocations.map(({ name }) => name);
  expect((await rows(service, 'allocations', key)).map(({ name }) => name)).toEqual(names);
});

it('does not repeat an sbatch of which the server died, and finds what it left', async () => {
  slurm.hangs = true;
  const key = await scaled(jobsOf(2), { max_nodes: 1 });
  expect(slurm.submitted).toHaveLength(1);
  die();
  slurm.hangs = false;
  await serve();
  await clock.advance(30_000);
  expect(slurm.submitted).toHaveLength(1);
  const [allocation] = await rows(service, 'allocations', key);
  expect(allocation).toMatchObject({ status: 'submitted', slurm_job_id: '101' });
});

it('forgives what never arrived, after the time in which it could have been found', async () => {
  slurm.hangs = true;
  await scaled(jobsOf(2), { max_nodes: 1 });
  slurm.queue = [];
  die();
  slurm.hangs = false;
  await serve();
  await clock.advance(500_000);
  expect(slurm.submitted).toHaveLength(1);
  await clock.advance(300_000);
  expect(slurm.submitted).toHaveLength(2);
  expect(open()).toHaveLength(1);
});

describe('when starts fail', () => {
  it('backs off, says why, and goes on by itself', async () => {
    slurm.refusal = 'sbatch: QOSMaxSubmitJobPerUserLimit';
    const key = await scaled(jobsOf(9));
    await clock.advance(600_000);
    // 0, 10 s, 20 s, then 1, 2 and 4 minutes later
    expect(slurm.submitted.map(({ at }) => Math.round((at - (slurm.submitted[0]?.at ?? 0)) / 1000))).toEqual([
      0, 10, 30, 90, 210, 450,
    ]);
    expect(await shown(key)).toMatchObject({ num_nodes: 0, reason: { code: 'backs_off', num_failed: 6 } });
    expect((await shown(key))?.explanation).toContain('6 starts in a row failed, the last: sbatch: QOSMax');
    const [row] = await rows(service, 'jobs', key);
    const { reasons } = await service.call('job_show', { job_key: String(row?.job_key) });
    expect(reasons).toMatchObject([{ code: 'waits_for_nodes', scaling: { code: 'backs_off', num_failed: 6 } }]);
    expect(reasons.map((reason) => reasonText(reason)).join()).toContain(
      'It waits for a node (autoscaler: waiting until',
    );
    const events = await rows(service, 'events', key, { type: 'autoscaler_backs_off' });
    expect(events).toHaveLength(4);
    slurm.refusal = null;
    await clock.advance(500_000);
    expect(slurm.submitted).toHaveLength(7);
    const worker = await start(key, '107');
    const { jobs } = await worker.exchange();
    await worker.finish(jobs[0]?.attempt as number);
    await clock.advance(3_000);
    expect(slurm.submitted.length).toBeGreaterThan(8);
  });

  it('does not wait until a wall clock that was set back has caught up', async () => {
    slurm.refusal = 'sbatch: Unable to contact slurm controller';
    const key = await scaled(jobsOf(9));
    await clock.advance(120_000);
    expect(slurm.submitted).toHaveLength(4);
    clock.set(-7_200_000);
    slurm.refusal = null;
    await clock.advance(180_000);
    expect(slurm.submitted.length).toBeGreaterThan(4);
    expect(await shown(key)).toMatchObject({ num_nodes: 1 });
  });

  it('an allocation whose worker ran no job counts, one that nobody needed does not', async () => {
    const key = await scaled(jobsOf(2), { max_nodes: 1 });
    for (let id = 101; id <= 103; id++) {
      await until(() => slurm.submitted.length === id - 100);
      slurm.queue = slurm.queue.map((job) => queued(job.slurmJobId, job.name, 'FAILED'));
      await until(() => open().length === 0);
    }
    await clock.advance(3_000);
    expect(await shown(key)).toMatchObject({ reason: { code: 'backs_off', num_failed: 3 } });
    expect((await shown(key))?.explanation).toContain('Slurm job 103 ended without running a job (FAILED)');
    await set(key, { max_nodes: 2 });
    await clock.advance(10);
    expect(slurm.submitted).toHaveLength(4);
  });
});

it('cancels what is queued when nobody needs it, in one command', async () => {
  const key = await scaled(jobsOf(6));
  expect(slurm.submitted).toHaveLength(3);
  await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
  await clock.advance(3_000);
  expect(slurm.canceled).toEqual([['101', '102', '103']]);
  await clock.advance(120_000);
  expect(open()).toEqual([]);
  expect(slurm.canceled).toHaveLength(1);
  expect(service.db.get(`SELECT 1 FROM due WHERE kind = 'autoscale'`)).toBeUndefined();
});

describe('its workers', () => {
  /** What an idle worker is told in a run that goes on. */
  async function idle(settings: object): Promise<{ seconds: number; holdMs: number | undefined }> {
    const key = await scaled([...jobsOf(1), { name: 'held', hold: true }], settings);
    const calls: unknown[] = [];
    const spied = { ...service, call: service.call.bind(service) } as Service;
    spied.call = async (endpoint, request, options) => {
      const reply = await service.call(endpoint, request, options);
      if (endpoint === 'worker_hello') calls.push(reply);
      return reply;
    };
    const [allocation] = await rows(service, 'allocations', key);
    const place = { slurmJobId: '101', hostname: 'n1', restartCount: 0 };
    const allocationKey = String(allocation?.allocation_key);
    const worker = await TestWorker.join(spied, key, { cpus: 2 }, { ...place, allocationKey });
    const { jobs } = await worker.exchange();
    const waiting = worker.finish(jobs[0]?.attempt as number);
    const { reports } = await waiting;
    expect(reports).toHaveLength(1);
    const parked = worker.exchange();
    await clock.advance(40_000);
    const [hello] = calls as { settings: { wait_for_new_jobs_seconds: number } }[];
    return { seconds: hello?.settings.wait_for_new_jobs_seconds ?? -1, holdMs: (await parked).hold_ms };
  }

  it('leave soon when they are idle', async () => {
    expect(await idle({ idle_seconds: 7 })).toEqual({ seconds: 7, holdMs: undefined });
  });

  it('stay for the minimum', async () => {
    const told = await idle({ idle_seconds: 7, min_nodes: 1 });
    expect(told.seconds).toBe(7);
    expect(told.holdMs).toBeGreaterThan(10_000);
  });
});

it('calls Slurm no more often than it may', async () => {
  for (const close of closers) await close();
  await serve(3);
  const key = await scaled(jobsOf(40), { max_nodes: 20, max_queued: 20 });
  expect(slurm.submitted).toHaveLength(3);
  await clock.advance(59_000);
  expect(slurm.submitted).toHaveLength(3);
  expect(await shown(key)).toMatchObject({ reason: { code: 'submits' } });
  await clock.advance(60_000);
  expect(slurm.submitted).toHaveLength(6);
});

it('asks Slurm how things are twice a minute at most, with a thousand allocations', async () => {
  const key = await scaled(jobsOf(2_100), { max_nodes: 1_000, max_queued: 1_000 });
  await until(() => slurm.submitted.length === 30);
  const names = Array.from({ length: 960 }, (_, at) => `by_hand_${at}`);
  const fields = { num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/o' };
  await service.call('allocations_record', {
    workflow_key: key,
    slurm_config_key: '1',
    allocations: names.map((name) => ({ name, ...fields })),
  });
  slurm.queue.push(...names.map((name, at) => queued(String(5_000 + at), name, 'PENDING')));
  await until(() => slurm.submitted.length === 40);
  const before = slurm.calls.length;
  await clock.advance(600_000);
  expect(open()).toHaveLength(1_000);
  expect(slurm.calls.length - before).toBeGreaterThan(8);
  expect(slurm.calls.length - before).toBeLessThanOrEqual(20);
  expect(slurm.submitted).toHaveLength(40);
});

it('a chain queues the next allocation after the one that runs', async () => {
  const key = await scaled(jobsOf(40), { max_nodes: 2, is_chain: true });
  expect(slurm.submitted).toHaveLength(1);
  const worker = await start(key, '101');
  await worker.exchange();
  await clock.advance(3_000);
  expect(slurm.submitted).toHaveLength(2);
  expect(slurm.submitted[1]?.script).toContain('#SBATCH --dependency=afterany:101');
  await clock.advance(300_000);
  expect(slurm.submitted).toHaveLength(2);
});

it('refuses what makes no sense, and changes nothing', async () => {
  const key = await createWorkflow(service, jobsOf(1), [], { slurmConfigs: [{ name: 'c', num_nodes: 4 }] });
  const refused = (settings: object) => expect(set(key, settings)).rejects;
  await refused({ min_nodes: 20 }).toMatchObject({ code: 'usage' });
  await refused({ max_nodes: 3 }).toMatchObject({ code: 'usage' });
  await refused({ is_chain: true, max_nodes: 7 }).toMatchObject({ code: 'usage' });
  await refused({ slurm_config_key: '99' }).toMatchObject({ code: 'not_found' });
  expect(await shown(key)).toBeNull();
});

it('turned off, it leaves what is queued and says so', async () => {
  const key = await scaled(jobsOf(4), {});
  const reply = await service.call('workflow_autoscale', { workflow_key: key, dry_run: false, settings: null });
  expect(reply).toMatchObject({ autoscaler: null, queued_slurm_job_ids: ['101', '102'] });
  await clock.advance(120_000);
  expect(slurm.submitted).toHaveLength(2);
  expect(slurm.canceled).toEqual([]);
});

/** A partition of whole nodes with 8 CPUs and 128 GiB, for up to half an hour; others are larger. */
function putSite(others: object[] = [], more: Partial<Partition> = {}): Promise<unknown> {
  const { partitions, ...site } = siteExample;
  const [main] = partitions.map((one) => ({ ...one, gives_whole_nodes: true, max_time_seconds: 1800, ...more }));
  const nodes = (main?.nodes ?? []).flatMap((kind) =>
    [{}, ...others].map((size) => ({ ...kind, num_cpus: 8, ...size })),
  );
  return service.call('site_put', { site: { ...site, partitions: [{ ...(main as Partition), nodes }] } });
}

describe('the profile of the cluster', () => {
  it('says how large nodes are before any worker has come', async () => {
    await putSite();
    const key = await createWorkflow(service, jobsOf(20), [], { slurmConfigs: [{ name: 'c' }] });
    await set(key);
    await clock.advance(10);
    // 20 jobs of one CPU, 8 at a time on each
    expect(slurm.submitted).toHaveLength(3);
  });

  it('asks for the memory of whole nodes where Slurm gives less of it to those who ask for none', async () => {
    await putSite();
    const gib = 1024 ** 3;
    const key = await createWorkflow(service, jobsOf(1, { memory: 64 * gib }), [], { slurmConfigs: [{ name: 'c' }] });
    await set(key, { max_queued: 1 });
    await clock.advance(10);
    const asked = () => slurm.submitted.map(({ script }) => /^#SBATCH --(mem|mincpus)=.*$/gm.exec(script)?.[0] ?? null);
    expect(asked()).toEqual([null]);
    // DefMemPerCPU
    await start(key, '101', { cpus: 8, memory: 16 * gib });
    await until(() => slurm.submitted.length === 2);
    expect(asked()).toEqual([null, '#SBATCH --mem=131072M']);
  });

  it('knows from the profile what Slurm gives, and asks for more before any worker has come', async () => {
    await putSite([], { default_memory: { per: 'cpu', bytes: 2 * 1024 ** 3 } });
    const jobs = [...jobsOf(1, { memory: 64 * 1024 ** 3 }), { name: 'small' }];
    const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c' }] });
    await set(key, { max_queued: 1 });
    await clock.advance(10);
    expect(slurm.submitted.map(({ script }) => /^#SBATCH --mem=.*$/m.exec(script)?.[0])).toEqual([
      '#SBATCH --mem=131072M',
    ]);
  });

  it('caps the walltime by the time limit of the partition, and nothing is asked for what takes longer', async () => {
    await putSite();
    const jobs = [{ name: 'any' }, { name: 'long', runtime: 2000 }];
    const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c' }] });
    await set(key);
    await clock.advance(10);
    expect(slurm.submitted.map(({ script }) => /--time=(\S+)/.exec(script)?.[1])).toEqual(['00:30:00']);
  });
});

describe('whole nodes of several sizes', () => {
  const large = { num_cpus: 32, memory_bytes: 1024 ** 4, num_nodes: 2 };
  const minimum = { num_cpus: 32, memory_bytes: 1024 ** 4, num_gpus: null };
  const asked = () => slurm.submitted.map(({ script }) => /--mincpus=.*|--mem=.*/g.exec(script)?.[0] ?? null);

  async function mixed(jobs: TestJob[], settings: object = {}): Promise<string> {
    await putSite([large]);
    const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c' }] });
    await set(key, settings);
    await clock.advance(10);
    return key;
  }

  it('a job that fits only the larger ones gets an allocation that asks for one', async () => {
    const key = await mixed(jobsOf(1, { cpus: 20 }));
    expect(slurm.submitted.map(({ script }) => script)).toEqual([
      expect.stringMatching(/^#SBATCH --mincpus=32\n#SBATCH --mem=1048576M$/m),
    ]);
    const { records } = await service.call('list', {
      ...{ list: 'allocations', workflow_key: key, filters: [], sort_by: null, reverse: false, limit: 9, skip: 0 },
    });
    expect(records).toMatchObject([{ min_cpus: 32, min_memory_bytes: 1024 ** 4, min_gpus: null }]);
  });

  it('of which Slurm gives less memory than they have are asked for it only where a job needs it', async () => {
    await putSite([large], { default_memory: { per: 'node', bytes: 1024 ** 3 } });
    const jobs = [
      { name: 'a', cpus: 20 },
      { name: 'b', cpus: 20, memory: 512 * 1024 ** 3 },
    ];
    const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c' }] });
    await set(key);
    await clock.advance(10);
    const options = slurm.submitted.map(({ script }) => script.match(/(?<=^#SBATCH )--(mincpus|mem)=\S+/gm)?.join(' '));
    expect(options.toSorted()).toEqual(['--mincpus=32', '--mincpus=32 --mem=1048576M']);
  });

  it('a dry run says so', async () => {
    await putSite([large]);
    const key = await createWorkflow(service, jobsOf(1, { cpus: 20 }), [], { slurmConfigs: [{ name: 'c' }] });
    const { allocations } = await set(key, {}, true);
    expect(allocations).toMatchObject([{ action: 'submit', minimum }]);
  });

  it('what a worker has shown on one of them says nothing about the others', async () => {
    const key = await mixed(jobsOf(2, { cpus: 20 }), { max_queued: 1 });
    expect(asked()).toEqual(['--mincpus=32']);
    await start(key, '101', { cpus: 32, memory: 1024 ** 4 });
    await until(() => slurm.submitted.length === 2);
    expect(asked()).toEqual(['--mincpus=32', '--mincpus=32']);
  });

  it('a job that is too large for a worker waits for the allocation that asks for more', async () => {
    const key = await mixed(jobsOf(1, { cpus: 20 }));
    await TestWorker.join(service, key, { cpus: 2 });
    const codes = async () => {
      const { demand } = await service.call('demand', { workflow_key: key });
      return demand.flatMap(({ reasons }) => reasons.map(({ code }) => code));
    };
    expect(await codes()).toEqual(['waits_for_allocation']);
    // the next one is not asked for yet
    service.db.run('UPDATE allocations SET min_cpus = 4');
    expect(await codes()).toEqual(['waits_for_nodes']);
    await service.call('workflow_autoscale', { workflow_key: key, dry_run: false, settings: null });
    expect(await codes()).toEqual(['larger_than_any_worker']);
  });

  it('a job that fits none of them is too large, also where others are asked for', async () => {
    const key = await mixed([{ name: 'a', cpus: 64 }, ...jobsOf(1, { cpus: 20 })], { max_queued: 1 });
    await TestWorker.join(service, key, { cpus: 2 });
    const { demand } = await service.call('demand', { workflow_key: key });
    expect(
      Object.fromEntries(demand.map(({ num_cpus, reasons }) => [num_cpus, reasons.map(({ code }) => code)])),
    ).toEqual({
      20: ['waits_for_allocation'],
      64: ['larger_than_any_worker'],
    });
  });
});

describe('with no node and no job that may start, it looks again when', () => {
  const setLicence = (maximum: number) => service.call('limit_set', { name: 'licence', workflow_key: null, maximum });

  it('a shared limit is raised, which concerns only workflows with jobs under it', async () => {
    await setLicence(0);
    const key = await scaled(jobsOf(2, { limits: ['licence'] }));
    // it waits for another limit
    await service.call('limit_set', { name: 'other', workflow_key: null, maximum: 0 });
    await scaled(jobsOf(2, { limits: ['other'] }));
    const looks = () => service.db.all(`SELECT workflow_key FROM due WHERE kind = 'autoscale'`);
    await until(() => looks().length === 0);
    expect(await shown(key)).toMatchObject({ reason: { code: 'nothing_ready', num_blocked: 2 } });
    expect(slurm.submitted).toHaveLength(0);
    await setLicence(2);
    await clock.advance(10);
    expect(looks()).toEqual([{ workflow_key: Number(key) }]);
    await until(() => slurm.submitted.length === 1);
  });

  it('a job of another workflow frees the slot of a shared limit', async () => {
    await setLicence(1);
    const licensed = { limits: ['licence'] };
    const worker = await TestWorker.join(service, await createWorkflow(service, jobsOf(1, licensed)));
    const { jobs } = await worker.exchange();
    expect(jobs).toHaveLength(1);
    await scaled(jobsOf(2, licensed));
    await clock.advance(10_000);
    expect(slurm.submitted).toHaveLength(0);
    await worker.finish(jobs[0]?.attempt as number);
    await until(() => slurm.submitted.length === 1);
  });
});

it('a start that no job needed is no failure, whatever waits that no Slurm config takes', async () => {
  const jobs = [...jobsOf(1), { name: 'huge', cpus: 64, runtime: 600 }];
  const key = await createWorkflow(service, jobs, [], { slurmConfigs: [{ name: 'c', extra }] });
  await set(key);
  await clock.advance(10);
  expect(slurm.submitted).toHaveLength(1);
  const local = await TestWorker.join(service, key, { cpus: 2 });
  await local.exchange();
  const worker = await start(key, '101');
  await worker.exchange({ leaving: true });
  slurm.queue = slurm.queue.map((job) => queued(job.slurmJobId, job.name, 'COMPLETED'));
  await until(() => service.db.get('SELECT outcome FROM allocations')?.outcome !== null);
  expect(service.db.all('SELECT outcome FROM allocations')).toEqual([{ outcome: 'needless' }]);
});

it('an action that schedules nodes has no more than the maximum leaves, and says so', async () => {
  const actions = [{ trigger: 'on_workflow_start' as const, scheduler: 'c', allocations: 5 }];
  const options = { slurmConfigs: [{ name: 'c', extra }], actions, directory };
  const key = await createWorkflow(service, jobsOf(20), [], { ...options, start: false });
  await set(key, { max_nodes: 3, max_queued: 10 });
  const runner = new ActionRunner(service);
  runner.start();
  closers.unshift(() => runner.close());
  await service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data: false });
  await until(() => service.db.get('SELECT 1 FROM action_firings WHERE ended_at IS NOT NULL') !== undefined);
  await clock.advance(5_000);
  expect(open()).toHaveLength(3);
  const { records } = await service.call('list', {
    ...{ list: 'actions', workflow_key: key, filters: [], sort_by: null, reverse: false, limit: 10, skip: 0 },
  });
  expect(JSON.stringify(records)).toContain('not scheduled: the maximum of the autoscaler is 3 nodes');
});
