/**
 * Actions: what triggers them, once in a run, and that a server that dies in between neither loses nor repeats them.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { TorcError } from '../../src/base/errors.ts';
import { ActionRunner } from '../../src/server/actions/action-runner.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import type { Submission } from '../../src/slurm/commands.ts';
import { closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { FakeSlurm, fakeMachine, queued } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, rule, type TestAction, TestWorker, temporaryDirectory } from '../support/service.ts';

/** Puts what is submitted into its queue; a test may make sbatch fail or never answer. */
class SubmittingSlurm extends FakeSlurm {
  readonly submitted: { name: string; script: string; workingDirectory: string | undefined }[] = [];
  /** What happens after the job is in the queue. */
  afterwards: () => Promise<void> = async () => {};
  refusal: Error | null = null;

  override async sbatch(script?: string, options?: { jobName: string; workingDirectory?: string }): Promise<never> {
    if (this.refusal !== null) throw this.refusal;
    const { jobName: name, workingDirectory } = options as { jobName: string; workingDirectory?: string };
    this.submitted.push({ name, script: script ?? '', workingDirectory });
    const slurmJobId = String(100 + this.submitted.length);
    this.queue.push(queued(slurmJobId, name, 'PENDING'));
    await this.afterwards();
    return { slurmJobId, cluster: null, notice: null } satisfies Submission as never;
  }
}

let directory: string;
let service: Service;
let slurm: SubmittingSlurm;
let runner: ActionRunner | null;

async function open(): Promise<void> {
  service = await openService(directory, systemClock, 'test');
  service.machine = { ...fakeMachine(systemClock), slurm };
  service.beginEpoch();
}

function serve(): void {
  runner = new ActionRunner(service);
  runner.start();
}

/** The process dies: it writes nothing more, and the next one opens the same directory. */
async function die(): Promise<void> {
  service.db.close();
  rmSync(join(directory, 'holder.json'));
  runner = null;
  await open();
}

// such as one about listeners that are never removed
const warnings: string[] = [];
const listen = ({ message }: Error): void => void warnings.push(message);
beforeAll(() => void process.on('warning', listen));
afterAll(() => {
  process.off('warning', listen);
  expect(warnings).toEqual([]);
});

beforeEach(async () => {
  directory = temporaryDirectory();
  slurm = new SubmittingSlurm(systemClock);
  runner = null;
  await open();
});
afterEach(async () => {
  await runner?.close();
  expect(brokenInvariants(service.db)).toEqual([]);
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Firing {
  run_id: number;
  occurrence: number;
  state: string;
  result: { return_codes?: number[]; slurm_job_ids?: string[]; note?: string } | null;
  error: string | null;
}

/** The firings of each action in stored order, oldest first. */
async function firings(key: string): Promise<Firing[][]> {
  const actions = await rows(service, 'actions', key);
  return actions.map((action) => (action.firings as Firing[]).toReversed());
}

/** The runs in which each action fired. */
const runsOf = async (key: string): Promise<number[][]> =>
  (await firings(key)).map((all) => all.map((firing) => firing.run_id));

const until = (condition: () => unknown) => expect.poll(condition, { timeout: 25_000, interval: 20 });
const statesOf = async (key: string) => (await firings(key)).map((all) => all.map((firing) => firing.state));

function create(actions: TestAction[], options: { start?: boolean } = {}): Promise<string> {
  const jobs = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  // b and c behind a
  return createWorkflow(
    service,
    jobs,
    [
      [0, 1],
      [0, 2],
    ],
    { actions, directory, ...options },
  );
}

async function finishAll(key: string, codes: number[] = []): Promise<TestWorker> {
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  for (let n = 0; worker.held.length > 0; n++) await worker.finish(worker.held[0] as number, codes[n] ?? 0);
  return worker;
}

function restart(key: string): Promise<unknown> {
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
  });
}

describe('an action', () => {
  const triggers: TestAction[] = [
    { trigger: 'on_workflow_start' },
    { trigger: 'on_workflow_complete' },
    { trigger: 'on_jobs_ready', jobs: [1, 2] },
    { trigger: 'on_jobs_complete', jobs: [0, 1] },
    { trigger: 'on_worker_start' },
  ];

  it('fires once in each run in which its trigger happens, and not before', async () => {
    const key = await create(triggers, { start: false });
    expect(await runsOf(key)).toEqual([[], [], [], [], []]);
    await service.call('workflow_start', { workflow_key: key, dry_run: true });
    expect(await runsOf(key)).toEqual([[], [], [], [], []]);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    expect(await runsOf(key)).toEqual([[1], [], [], [], []]);
    const worker = await TestWorker.join(service, key);
    expect(await runsOf(key)).toEqual([[1], [], [], [], [1]]);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    expect(await runsOf(key)).toEqual([[1], [], [1], [], [1]]);
    await worker.finish(worker.held[0] as number, 3);
    expect(await runsOf(key)).toEqual([[1], [], [1], [1], [1]]);
    await worker.finish(worker.held[0] as number);
    expect(await runsOf(key)).toEqual([[1], [1], [1], [1], [1]]);
    // b failed and runs again; c does not
    const failed = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which: 'failed' } as const;
    await service.call('jobs_reset', failed);
    expect(await runsOf(key)).toEqual([[1], [1], [1], [1], [1]]);
    await restart(key);
    expect(await runsOf(key)).toEqual([[1, 2], [1], [1, 2], [1], [1]]);
    await finishAll(key);
    const all = [1, 2];
    expect(await runsOf(key)).toEqual([all, all, all, all, all]);
    // nothing is left: no run begins
    await restart(key);
    expect(await runsOf(key)).toEqual([all, all, all, all, all]);
  });

  it('that is persistent fires each time, another one for the first worker only', async () => {
    const key = await create([
      { trigger: 'on_worker_start', persistent: true },
      { trigger: 'on_worker_start' },
      { trigger: 'on_worker_complete', scheduler: 'x', persistent: true },
    ]);
    const workers = [await TestWorker.join(service, key), await TestWorker.join(service, key)];
    for (const worker of workers) await worker.exchange({ leaving: true });
    expect(await runsOf(key)).toEqual([[1, 1], [1], [1, 1]]);
    expect((await firings(key))[0]?.map((firing) => firing.occurrence)).toEqual([1, 2]);
  });

  it('about ready jobs does not fire when all of them are canceled', async () => {
    const key = await create([
      { trigger: 'on_jobs_ready', jobs: [1, 2] },
      { trigger: 'on_jobs_complete', jobs: [1, 2] },
    ]);
    await finishAll(key, [1]);
    expect(await runsOf(key)).toEqual([[], [1]]);
  });

  it('about ready jobs fires when canceled ones become ready because a person marks what failed as done', async () => {
    const key = await create([{ trigger: 'on_jobs_ready', jobs: [1, 2] }]);
    await finishAll(key, [1]);
    const a = String(service.db.get(`SELECT job_key AS k FROM jobs WHERE name = 'a'`)?.k);
    const request = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, job_keys: [a] };
    await service.call('jobs_mark_done', request);
    expect(await runsOf(key)).toEqual([[1]]);
    await finishAll(key);
    expect(await runsOf(key)).toEqual([[1]]);
  });

  it('about jobs that are still ready when the next run begins fires for that run as well', async () => {
    const key = await create([
      { trigger: 'on_jobs_ready', jobs: [0] },
      { trigger: 'on_jobs_ready', jobs: [0, 1] },
    ]);
    const b = String(service.db.get(`SELECT job_key AS k FROM jobs WHERE name = 'b'`)?.k);
    const request = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which: [b] };
    await service.call('jobs_reset', request);
    await restart(key);
    expect(await runsOf(key)).toEqual([[1, 2], []]);
  });

  it('does not fire when a failure handler makes one of its jobs ready again, nor when that attempt ends', async () => {
    const actions: TestAction[] = (['on_jobs_ready', 'on_jobs_complete'] as const).flatMap((trigger) => [
      { trigger, jobs: [0] },
      { trigger, jobs: [0], persistent: true },
    ]);
    const jobs = [{ name: 'a', failureHandler: 0 }];
    const options = { actions, directory, failureHandlers: [[rule({ max_retries: 2 })]] };
    const key = await createWorkflow(service, jobs, [], options);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    for (const returnCode of [3, 3]) {
      await worker.finish(worker.held[0] as number, returnCode);
      expect(await runsOf(key)).toEqual([[1], [1], [], []]);
    }
    await worker.finish(worker.held[0] as number, 3);
    expect(await runsOf(key)).toEqual([[1], [1], [1], [1]]);
    expect(await rows(service, 'jobs', key)).toMatchObject([{ status: 'done', return_code: 3, attempt_id: 3 }]);
  });

  it('is deleted with its workflow, like everything else that belongs to it', async () => {
    const key = await createWorkflow(service, [{ name: 'a', failureHandler: 0, slurmConfig: 0 }, { name: 'b' }], [], {
      actions: [...triggers.slice(0, 2), { trigger: 'on_jobs_ready', jobs: [0, 1] }],
      ...{ directory, failureHandlers: [[rule({ max_retries: 2 })]], slurmConfigs: ['x'] },
    });
    await finishAll(key, [3]);
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    const tables = service.db.all(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`);
    const left = tables.filter(({ name }) => service.db.all(`SELECT * FROM ${name}`).length > 0);
    expect(left.map(({ name }) => name)).toEqual(['meta', 'events']);
    expect(service.db.all('SELECT type FROM events')).toEqual([{ type: 'workflow_deleted' }]);
  });
});

describe('commands', () => {
  it('run one after the other where the workflow was created, until one fails; the workflow continues', async () => {
    const key = await create([
      {
        trigger: 'on_workflow_start',
        commands: ['pwd; echo "$TORC_WORKFLOW_KEY $TORC_WORKFLOW_ID" >&2', 'exit 3', 'touch no'],
      },
      { trigger: 'on_workflow_start', commands: ["echo 'it''s' \"$HOME\" > 'a file'"] },
    ]);
    serve();
    await until(() => statesOf(key)).toEqual([['failed'], ['done']]);
    const [[failed]] = (await firings(key)) as [[Firing]];
    expect(failed).toMatchObject({ result: { return_codes: [0, 3] }, error: 'return code 3 of: exit 3' });
    const firingKey = (await rows(service, 'actions', key))[0]?.firings as { firing_key: string }[];
    const output = join(directory, 'actions', `${firingKey[0]?.firing_key}.out`);
    expect(readFileSync(output, 'utf8')).toBe(`${directory}\n${key} ${key}\n`);
    expect(existsSync(join(directory, 'no'))).toBe(false);
    expect(existsSync(join(directory, 'a file'))).toBe(true);
    expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({
      num_open_actions: 0,
      num_failed_actions: 1,
    });
    const types = (await rows(service, 'events', key)).map((event) => event.type);
    expect(types.filter((type) => String(type).startsWith('action_'))).toEqual(
      expect.arrayContaining(['action_fired', 'action_fired', 'action_done', 'action_failed']),
    );
  });

  it('run sixteen at a time; another one waits until one of them has ended', async () => {
    serve();
    const wait = 'until [ -e go-on ]; do sleep 0.05; done';
    const busy = await create(Array.from({ length: 16 }, () => ({ trigger: 'on_workflow_start', commands: [wait] })));
    const started = () => service.db.get('SELECT count(*) AS n FROM action_firings WHERE began_at IS NOT NULL');
    await until(() => started()).toEqual({ n: 16 });
    const later = await create([{ trigger: 'on_workflow_start', commands: ['true'] }]);
    // the search for actions that the firing set off has come and gone
    for (let n = 0; n < 5; n++) await service.write(() => null);
    expect(await statesOf(later)).toEqual([['pending']]);
    writeFileSync(join(directory, 'go-on'), '');
    await until(() => statesOf(later)).toEqual([['done']]);
    await until(() => statesOf(busy)).toEqual(Array.from({ length: 16 }, () => ['done']));
  });

  it('that had not started when the server died are run by the next one, once', async () => {
    const key = await create([{ trigger: 'on_workflow_start', commands: ['echo x >> ran'] }]);
    await die();
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    await runner?.close();
    await die();
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(readFileSync(join(directory, 'ran'), 'utf8')).toBe('x\n');
  });

  it('that had started are not run again: nobody knows how far they got', async () => {
    const commands = ['echo x >> ran; until test -e go; do sleep 0.02; done; echo y >> ran'];
    const key = await create([{ trigger: 'on_workflow_start', commands }]);
    serve();
    await until(() => existsSync(join(directory, 'ran'))).toBe(true);
    const dead = runner;
    await die();
    serve();
    await until(() => firings(key)).toMatchObject([
      [{ state: 'failed', error: expect.stringMatching(/^interrupted/) }],
    ]);
    await dead?.close().catch(() => {});
    expect(readFileSync(join(directory, 'ran'), 'utf8')).toBe('x\n');
  });

  it('end with the server, which is reported', async () => {
    const key = await create([{ trigger: 'on_workflow_start', commands: ['touch ran; sleep 600'] }]);
    serve();
    await until(() => existsSync(join(directory, 'ran'))).toBe(true);
    await runner?.close();
    expect(await firings(key)).toMatchObject([[{ state: 'failed', error: 'interrupted: the server ended' }]]);
  });
});

describe('nodes', () => {
  const nodes: TestAction[] = [{ trigger: 'on_jobs_ready', jobs: [0], scheduler: 'it\'s "small"', allocations: 2 }];

  async function scheduling(actions = nodes): Promise<string> {
    const key = await create(actions, { start: false });
    await service.call('slurm_config_add', {
      workflow_key: key,
      name: 'it\'s "small"',
      account: 'acc',
      partition: null,
      qos: null,
      walltime_seconds: 600,
      num_nodes: 1,
      ntasks_per_node: null,
      mem: null,
      tmp: null,
      gres: null,
      extra: null,
    });
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    return key;
  }

  const allocations = () => rows(service, 'allocations', null);

  it('are requested with the config of that name, from where the workflow was created', async () => {
    const key = await scheduling();
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(await firings(key)).toMatchObject([[{ result: { slurm_job_ids: ['101', '102'] } }]]);
    expect(slurm.submitted).toHaveLength(2);
    expect(slurm.submitted[0]).toMatchObject({ workingDirectory: directory });
    expect(slurm.submitted[0]?.script).toContain('#SBATCH --account=acc');
    expect(await allocations()).toMatchObject([
      { status: 'submitted', slurm_job_id: '101' },
      { status: 'submitted', slurm_job_id: '102' },
    ]);
  });

  it('are found again by name when the server died after sbatch, and the rest is submitted', async () => {
    const key = await scheduling();
    slurm.afterwards = () => new Promise(() => {});
    serve();
    await until(() => slurm.submitted.length).toBe(1);
    await die();
    slurm.afterwards = async () => {};
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(new Set(slurm.submitted.map(({ name }) => name)).size).toBe(2);
    expect(slurm.submitted).toHaveLength(2);
    expect((await allocations()).map((row) => row.slurm_job_id)).toEqual(['101', '102']);
  });

  it('are submitted when the server died before sbatch', async () => {
    const key = await scheduling();
    slurm.afterwards = () => new Promise(() => {});
    serve();
    await until(() => slurm.submitted.length).toBe(1);
    await die();
    // as if sbatch had never been reached
    slurm.queue = [];
    slurm.submitted.length = 0;
    slurm.afterwards = async () => {};
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(slurm.submitted).toHaveLength(2);
    expect(await allocations()).toHaveLength(2);
  });

  it('wait while Slurm does not say whether it has them', async () => {
    const key = await scheduling();
    slurm.afterwards = () => new Promise(() => {});
    serve();
    await until(() => slurm.submitted.length).toBe(1);
    await die();
    slurm.queueFailure = { reason: 'slurmctld is away', hint: null };
    const asked = slurm.calls.length;
    serve();
    await until(() => slurm.calls.length).toBeGreaterThan(asked);
    await service.write(() => null);
    expect(await statesOf(key)).toEqual([['claimed']]);
    expect(slurm.submitted).toHaveLength(1);
    expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({ num_open_actions: 1 });
  });

  it('that Slurm refuses, or whose config is gone, are reported as a failure', async () => {
    slurm.refusal = new TorcError('slurm', 'sbatch: Invalid account');
    const key = await scheduling([...nodes, { trigger: 'on_workflow_start', scheduler: 'unknown' }]);
    serve();
    await until(() => statesOf(key)).toEqual([['failed'], ['failed']]);
    const errors = (await firings(key)).map((all) => all[0]?.error);
    expect(errors).toEqual([
      expect.stringContaining('Invalid account'),
      expect.stringContaining("has no Slurm config 'unknown'"),
    ]);
  });

  it('are requested with the config of that action even after it was renamed', async () => {
    const key = await scheduling();
    const [config] = await rows(service, 'slurm_configs', key);
    const slurm_config_key = String(config?.slurm_config_key);
    await service.call('slurm_config_modify', { slurm_config_key, changes: { name: "o'ther", account: 'b' } });
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(slurm.submitted[0]?.script).toContain('--account=b');
    expect(await rows(service, 'actions', key)).toMatchObject([{ what: "o'ther x 2" }]);
  });

  it('are not requested when there is nothing left to run', async () => {
    const key = await scheduling([{ ...nodes[0], trigger: 'on_workflow_complete', jobs: [] }] as TestAction[]);
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    serve();
    await until(() => statesOf(key)).toEqual([['done']]);
    expect(await firings(key)).toMatchObject([[{ result: { note: expect.stringContaining('not scheduled') } }]]);
    expect(slurm.submitted).toEqual([]);
  });
});

describe('commands of a worker', () => {
  const actions: TestAction[] = [
    { trigger: 'on_worker_start', commands: ['prepare'] },
    { trigger: 'on_worker_complete', commands: ['tidy'] },
  ];

  async function greet(key: string, workerId: string) {
    return await service.call('worker_hello', {
      protocol: 1,
      worker_id: workerId.repeat(32),
      workflow_key: key,
      hostname: workerId,
      boot_id: 'boot',
      pid: 1,
      cluster: null,
      slurm_job_id: null,
      restart_count: 0,
      allocation_key: null,
      num_cpus: 1,
      memory_bytes: 1024,
      num_gpus: 0,
      max_parallel_jobs: null,
      working_directory: null,
      output_directory: null,
      start_ticks: null,
    });
  }

  const report = (firing: number, error: string | null = null) => ({
    firing,
    return_codes: [error === null ? 0 : 1],
    output_path: '/out',
    error,
  });

  it('come with the answer to its hello, also to a repeated one, and only to that worker', async () => {
    const key = await create(actions);
    const first = await greet(key, 'a');
    expect(first.actions).toMatchObject([
      { when: 'start', commands: ['prepare'], run_id: 1 },
      { when: 'complete', commands: ['tidy'] },
    ]);
    expect((await greet(key, 'a')).actions).toEqual(first.actions);
    expect((await greet(key, 'b')).actions).toBeUndefined();
    // no server runs them
    serve();
    expect(await statesOf(key)).toEqual([['claimed'], []]);
  });

  it('are done when it says so; a report may come twice, also after the worker was told to leave', async () => {
    const key = await create(actions);
    const worker = await TestWorker.join(service, key);
    const [start, complete] = service.db.all('SELECT firing_key FROM action_firings').map((row) => row.firing_key);
    await worker.exchange({ actions: [report(start as number)] });
    expect(await statesOf(key)).toEqual([['done'], []]);
    while (worker.held.length > 0) await worker.finish(worker.held[0] as number);
    expect(await statesOf(key)).toEqual([['done'], []]);
    const last = [report(complete as number, 'return code 1 of: tidy'), report(start as number, 'another')];
    await worker.exchange({ actions: last, leaving: true });
    await worker.exchange({ actions: last, leaving: true });
    expect(await firings(key)).toMatchObject([
      [{ state: 'done', error: null }],
      [{ state: 'failed', error: 'return code 1 of: tidy', result: { return_codes: [1] } }],
    ]);
  });

  it('for its end are free for another worker when it is lost before', async () => {
    const key = await create(actions);
    await greet(key, 'a');
    await service.write((tx) => {
      closeComputeNode(tx, findComputeNode(tx, 'a'.repeat(32))?.computeNodeKey as number, 'lost');
    });
    expect((await greet(key, 'b')).actions).toMatchObject([{ when: 'complete' }]);
    expect(await statesOf(key)).toEqual([['claimed'], []]);
  });
});
