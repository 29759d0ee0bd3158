import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JobShown } from '../../src/api/contract.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
  fresh.service.lastHeard.beginServing();
});
afterEach(() => fresh.close());

const shown = (key: number): Promise<JobShown> => fresh.service.call('job_show', { job_key: String(key) });
const why = async (key: number): Promise<string | null> => (await shown(key)).why;

const hello = {
  protocol: 1,
  worker_id: 'f'.repeat(32),
  hostname: 'node1',
  boot_id: 'boot',
  pid: 1,
  cluster: null,
  slurm_job_id: null,
  restart_count: 0,
  allocation_key: null,
  num_cpus: 2,
  memory_bytes: 1024 ** 3,
  num_gpus: 0,
  max_parallel_jobs: null,
  working_directory: '/work dir',
  output_directory: '/out dir',
  start_ticks: null,
};

describe('why a job does not run', () => {
  it('names what it waits for, from before the start to its end', async () => {
    const { service } = fresh;
    const jobs = [{ name: 'odd "name"\n' }, { name: 'b', cpus: 3 }, { name: 'big', cpus: 64 }, { name: 'last' }];
    const key = await createWorkflow(
      service,
      jobs,
      [
        [0, -1],
        [1, -1],
        [2, -1],
        [-1, 3],
      ],
      { numBarriers: 1, start: false },
    );
    expect(await why(1)).toBe('Its workflow has not started.');
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    expect(await why(1)).toBe('There is no worker to run it.');
    expect(await why(4)).toBe('It waits for 3 upstream jobs: "odd \\"name\\"\\n" (ready), "b" (ready), "big" (ready).');
    const worker = await TestWorker.join(service, key, { cpus: 3 });
    expect(await why(3)).toBe('It needs 64 CPUs; no worker has more than 3 CPUs.');
    expect(await why(2)).toBe('It waits for its turn.');
    const { jobs: claimed } = await worker.exchange();
    expect(claimed).toHaveLength(1);
    expect(await why(1)).toMatch(/^The worker on host\d+ has taken it and has not started it yet\.$/);
    expect(await why(2)).toMatch(/waits until a worker has room for 3 CPUs/);
    const attempt = claimed[0]?.attempt ?? 0;
    await worker.exchange({ started: [{ attempt, age_ms: 0, pid: 5 }] });
    expect(await why(1)).toBeNull();
    service.db.run('UPDATE compute_nodes SET contact_lost_at = 1');
    expect(await why(1)).toMatch(
      /^It may or may not be running: its worker on host\d+ was last heard from at 20.*Z\.$/,
    );
    service.db.run('UPDATE compute_nodes SET contact_lost_at = NULL');
    await worker.finish(attempt, 7);
    expect(await why(1)).toBe('It failed with return code 7 (exit_code).');
    expect((await shown(4)).upstream[0]).toMatchObject({ job_key: '1', status: 'done', outcome: 'failed' });
    expect(await why(4)).toBe('It never ran because its upstream job 1 "odd \\"name\\"\\n" failed.');
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect(await why(3)).toBe('Its workflow was canceled.');
    await expect(shown(99)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('knows runtimes that do not fit into what is left of an allocation', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'long', runtime: 7200 }]);
    await TestWorker.join(service, key);
    service.db.run(
      `INSERT INTO allocations (workflow_key, slurm_config_key, name, status, num_nodes,
      one_worker_per_node, script_path, output_directory, created_at, expires_at)
      VALUES (1, 1, 'x', 'running', 1, 0, '', '', 0, ?)`,
      service.clock.now() + 630_000,
    );
    service.db.run('UPDATE compute_nodes SET allocation_key = 1');
    // 180 s are kept for the end of the allocation
    expect(await why(1)).toMatch(/^It needs 2h 00m, but its workers have at most 7m [0-3]\ds left\.$/);
    service.db.run('UPDATE compute_nodes SET contact_lost_at = 1');
    expect(await why(1)).toMatch(/^Its only worker is not responding\. It needs 2h 00m, but /);
  });
});

describe('the story of a job', () => {
  it('has every attempt with its place, also one that has not ended', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await service.call('worker_hello', { ...hello, workflow_key: key });
    const exchange = {
      protocol: 1,
      worker_id: hello.worker_id,
      epoch: 0,
      ack: 0,
      held: [],
      started: [],
      finished: [],
      returned: [],
      samples: [],
      time_left_ms: null,
      draining: false,
      leaving: false,
    };
    const { jobs } = await service.call('exchange', { ...exchange, seq: 1 });
    const stem = '/out dir/job_stdio/0000/job_1_run_1_attempt_1';
    const place = { stdout_path: `${stem}.out`, stderr_path: `${stem}.err`, hostname: 'node1' };
    expect((await shown(1)).attempts).toMatchObject([
      { run_id: 1, attempt_id: 1, status: null, cause: null, ...place },
    ]);
    const attempt = jobs[0]?.attempt ?? 0;
    await service.call('exchange', { ...exchange, seq: 2, ack: attempt, finished: [finished(attempt, 2)] });
    await service.call('jobs_reset', {
      workflow_key: key,
      dry_run: false,
      expected_state: null,
      skip: 0,
      which: 'all',
    });
    const story = await shown(1);
    expect(story.attempts).toMatchObject([{ status: 'done', outcome: 'failed', return_code: 2, ...place }]);
    // the result is from the past: the job itself has none now
    expect(story.job).toMatchObject({ status: 'uninitialized', return_code: null, cause: null });
    expect(story.why).toBe('It was reset and waits for a restart of its workflow.');
    expect(story.events.map((event) => event.new_status)).toEqual(['submitted_pending', 'done', 'uninitialized']);
  });

  it('counts neighbours through barriers once each, and lists the first thousand', async () => {
    const { service } = fresh;
    const wide = 1200;
    const jobs = Array.from({ length: wide + 1 }, (_, at) => ({ name: `j${at}` }));
    const all: [number, number][] = jobs.slice(0, wide).flatMap((_, at): [number, number][] => [
      [at, -1],
      [at, -2],
    ]);
    // two barriers lead to the same job, one of them also through a third
    const edges: [number, number][] = [...all, [-1, wide], [-2, -3], [-3, wide], [0, wide]];
    await createWorkflow(service, jobs, edges, { numBarriers: 3 });
    const last = await shown(wide + 1);
    expect(last).toMatchObject({ num_upstream: wide, num_downstream: 0, downstream: [] });
    expect(last.upstream.map((job) => job.job_key)).toEqual(Array.from({ length: 1000 }, (_, at) => String(at + 1)));
    expect(last.why).toMatch(/^It waits for 1200 upstream jobs: "j0" \(ready\), .* and 1197 more\.$/);
    expect((await shown(1)).downstream).toEqual([
      { job_key: String(wide + 1), name: `j${wide}`, status: 'blocked', outcome: null },
    ]);
  });
});

describe('the place of output', () => {
  const folder = `/out dir/job_stdio/worker_${hello.worker_id}`;
  const combined = { log_kind: 'combined', stdout_path: `${folder}/combined.gz`, stderr_path: `${folder}/combined.gz` };
  const place = async (key: number) => (await shown(key)).attempts[0];

  async function combining(...names: string[]): Promise<{ key: string; worker: TestWorker; attempts: number[] }> {
    const { service } = fresh;
    const key = await createWorkflow(
      service,
      names.map((name) => ({ name })),
    );
    await service.call('workflow_modify', { workflow_key: key, changes: { stdio: 'combined' } });
    const worker = await TestWorker.join(service, key, {}, null, { ...hello, num_cpus: 8 });
    await worker.exchange();
    return { key, worker, attempts: [...worker.held] };
  }

  it('is what the worker reported, whatever happens to the workflow', async () => {
    const { key, worker, attempts } = await combining('a', 'b', 'c', 'd');
    const [a, b, c, d] = attempts as [number, number, number, number];
    const { service } = fresh;
    expect(await place(1)).toMatchObject({ log_kind: 'unknown', stdout_path: null, stderr_path: null });
    await service.call('workflow_modify', { workflow_key: key, changes: { stdio: 'none' } });
    const again = await service.call('worker_hello', { ...hello, workflow_key: key });
    expect(again.settings.stdio).toBe('combined');
    const started = [a, b, c, d].map((attempt, at) => ({ attempt, age_ms: 1, pid: 9, log_slot: at + 1 }));
    await worker.exchange({ started });
    expect(await place(1)).toMatchObject({
      log_kind: 'slot',
      stdout_path: `${folder}/slot_1.out`,
      stderr_path: `${folder}/slot_1.err`,
    });
    worker.held = [];
    await worker.exchange({
      finished: [
        { ...finished(a), log: { kind: 'combined', offset: 2 ** 40, length: 77 } },
        { ...finished(b, 1), log: { kind: 'empty' } },
        { ...finished(c), log: { kind: 'slot', slot: 3 } },
        // an end without a report of where its output is
        finished(d),
      ],
    });
    expect(await place(1)).toMatchObject({ ...combined, log_offset: 2 ** 40, log_length: 77 });
    expect(await place(2)).toMatchObject({ log_kind: 'empty', stdout_path: null });
    expect(await place(3)).toMatchObject({ log_kind: 'files', stdout_path: `${folder}/slot_3.out` });
    expect(await place(4)).toMatchObject({ log_kind: 'slot', stdout_path: `${folder}/slot_4.out` });
  });

  it('is taken from a late report too: other jobs may use its files by then', async () => {
    const { key, worker, attempts } = await combining('a');
    const [attempt] = attempts as [number];
    const { service } = fresh;
    await worker.exchange({ started: [{ attempt, age_ms: 1, pid: 9, log_slot: 1 }] });
    await service.write((tx) => tx.db.run('UPDATE compute_nodes SET contact_lost_at = 1'));
    await service.call('workflow_restart', {
      workflow_key: key,
      dry_run: false,
      expected_state: null,
      skip: 0,
      ignore_missing_data: false,
      only_uninitialized: false,
      keep_running: false,
      force: true,
      assume_stopped: false,
      working_directory: '/',
    });
    expect(await place(1)).toMatchObject({ log_kind: 'slot' });
    worker.held = [];
    const log = { kind: 'combined' as const, offset: 5, length: 6 };
    const late = await worker.exchange({ finished: [{ ...finished(attempt, 3), log }], draining: true });
    expect(late.reports).toMatchObject([{ answer: 'superseded' }]);
    expect(await place(1)).toMatchObject({ ...combined, log_offset: 5, log_length: 6 });
  });
});

describe('results', () => {
  it('are those of the newest attempt of each job when only the latest are asked for', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const worker = await TestWorker.join(service, key);
    const { jobs } = await worker.exchange();
    for (const job of jobs) await worker.finish(job.attempt, 1);
    const reset = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which: ['1'] };
    await service.call('jobs_reset', reset);
    await service.call('workflow_restart', {
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
    const second = await TestWorker.join(service, key);
    const [again] = (await second.exchange()).jobs;
    const list = { list: 'results', workflow_key: key, filters: [], sort_by: null, reverse: false, limit: 10, skip: 0 };
    const latest = async () => (await service.call('list', { ...list, list: 'results', latest_only: true })).records;
    // a running attempt is not a result yet
    expect(await latest()).toMatchObject([{ run_id: 1 }, { run_id: 1 }]);
    await second.finish(again?.attempt ?? 0, 0);
    expect(await rows(service, 'results', key)).toHaveLength(3);
    expect(await latest()).toMatchObject([
      { job_key: '2', run_id: 1, outcome: 'failed' },
      { job_key: '1', run_id: 2, outcome: 'success' },
    ]);
    await expect(service.call('list', { ...list, list: 'jobs', latest_only: true })).rejects.toMatchObject({
      code: 'usage',
    });
    expect(await rows(service, 'jobs', key, { job_key: '1,2,77' })).toHaveLength(2);
  });
});

describe('candidates for completion', () => {
  it('are at most 100, keys before names, of the workflow that is meant, and read from an index', async () => {
    const { service } = fresh;
    const jobs = (prefix: string, n: number) => Array.from({ length: n }, (_, at) => ({ name: `${prefix}_${at}` }));
    const first = await createWorkflow(service, jobs('sim', 150), [], { start: false });
    await createWorkflow(service, jobs('other', 5), [], { start: false });
    const of = async (prefix: string, workflow: string | null = null, kind: 'jobs' | 'workflows' = 'jobs') =>
      (await service.call('candidates', { kind, workflow, prefix })).candidates.map(({ value }) => value);
    expect(await of('')).toEqual(['other_0', 'other_1', 'other_2', 'other_3', 'other_4']);
    expect(await of('sim_1', first)).toHaveLength(61);
    expect(await of('s', first)).toHaveLength(100);
    expect(await of('14', first)).toEqual(['14', ...Array.from({ length: 10 }, (_, at) => String(140 + at))]);
    expect(await of('nothing', first)).toEqual([]);
    expect(await of('1', null, 'workflows')).toEqual(['1']);
    expect(await of('', '99')).toEqual([]);
  });
});
