/** Many jobs in few allocations: each runs once, nodes are never overcommitted, dependents follow at once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireCluster, until } from './cluster.ts';
import type { ComputeNodeRow, ResultRow, Scheduled } from './rows.ts';
import { makeSite, type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

interface Past {
  results: ResultRow[];
  nodes: ComputeNodeRow[];
}

function at(instant: string | null): number {
  return Date.parse(instant ?? '');
}

/** The most of something that was in use at any one instant. */
function mostAtOnce(results: readonly ResultRow[], amount: (result: ResultRow) => number): number {
  const changes = results.flatMap((result) => [
    { atMs: at(result.start_time), by: amount(result) },
    { atMs: at(result.end_time), by: -amount(result) },
  ]);
  // what ends in a millisecond makes room for what starts in it
  changes.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  let now = 0;
  let most = 0;
  for (const { by } of changes) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

function expectNoOvercommit({ results, nodes }: Past): void {
  for (const node of nodes) {
    const here = results.filter((result) => result.compute_node_key === node.compute_node_key);
    const cpus = mostAtOnce(here, (result) => result.num_cpus);
    const memoryBytes = mostAtOnce(here, (result) => result.memory_bytes);
    expect(cpus, `cpus of ${node.hostname}`).toBeLessThanOrEqual(node.num_cpus);
    expect(memoryBytes, `memory of ${node.hostname}`).toBeLessThanOrEqual(node.memory_bytes);
    for (let index = 0; index < node.num_gpus; index += 1) {
      const users = here.filter((result) => result.gpu_indices?.includes(index));
      expect(
        mostAtOnce(users, () => 1),
        `GPU ${index} of ${node.hostname}`,
      ).toBeLessThanOrEqual(1);
    }
  }
}

describe.concurrent('300 jobs in three allocations', () => {
  const numJobs = 300;
  const shapes = [
    { name: 'tiny', num_cpus: 1, memory: '50m', runtime: 'PT1M' },
    { name: 'fat', num_cpus: 1, memory: '700m', runtime: 'PT2M' },
    { name: 'pair', num_cpus: 2, memory: '300m', runtime: 'PT1M' },
    { name: 'wide', num_cpus: 4, memory: '100m', runtime: 'PT3M' },
  ];
  // whose allocation may have to wait for other tests
  const whole = { name: 'whole', num_cpus: 4, memory: '100m', runtime: 'PT10M' };
  const durations = [0.1, 0.2, 0.4, 0.1, 0.8, 0.1, 2];
  const note = 'echo "$TORC_JOB_KEY $TORC_ATTEMPT_ID $(hostname) $SLURM_JOB_ID" >> "ran/$TORC_JOB_KEY"';
  const diamond = [
    {
      name: 'prepare',
      command: `${note}; cat input > f1 && cp f1 f2`,
      input_files: ['input'],
      output_files: ['f1', 'f2'],
    },
    { name: 'left', command: `${note}; sleep 0.3; rev f1 > f3`, input_files: ['f1'], output_files: ['f3'] },
    { name: 'right', command: `${note}; sleep 0.6; rev f2 > f4`, input_files: ['f2'], output_files: ['f4'] },
    { name: 'finish', command: `${note}; cat f3 f4 > f5`, input_files: ['f3', 'f4'], output_files: ['f5'] },
  ];
  let site: Site;
  let key: string;
  let past: Past;
  let scheduled: Scheduled;

  beforeAll(async () => {
    site = await makeSite('many');
    await site.write('input', 'drawn\n');
    await site.startServer();
    // three jobs that wait for each other, each as wide as a node: all take part, however late an allocation starts
    const meet = 'touch "here/$SLURM_JOB_ID"; until [ "$(ls here | wc -l)" -eq 3 ]; do sleep 0.2; done';
    const meeting = Array.from({ length: 3 }, (_, i) => ({
      name: `meeting ${i}`,
      command: `${note}; ${meet}`,
      resource_requirements: 'whole',
      priority: 1,
    }));
    const sleepers = Array.from({ length: numJobs - diamond.length - meeting.length }, (_, i) => ({
      name: `job ${i}`,
      command: `${note}; sleep ${durations[i % durations.length]}`,
      resource_requirements: shapes[i % shapes.length]?.name,
    }));
    key = await site.start({
      name: 'many jobs',
      resource_requirements: [...shapes, whole],
      files: ['input', 'f1', 'f2', 'f3', 'f4', 'f5'].map((name) => ({ name, path: `${site.path}/${name}` })),
      jobs: [...sleepers.slice(0, 100), ...diamond, ...meeting, ...sleepers.slice(100)],
    });
    await site.addConfig(key, '-w', '00:20:00', '-m', '1800', '-e', '--cpus-per-task=4');
    await site.makeFolder('ran');
    await site.makeFolder('here');
    scheduled = await site.schedule(key, '-n', '3');
    await site.ended(key);
    await site.queueEmpty();
    past = { results: await site.results(key), nodes: await site.computeNodes(key) };
  });
  afterAll(() => site.remove(past === undefined));

  it('are all done, each exactly once', async () => {
    expect(await site.shown(key)).toMatchObject({
      status: 'done',
      num_jobs: numJobs,
      num_done: numJobs,
      num_failed: 0,
    });
    const recorded = past.results.map((r) => [
      r.job_key,
      `${r.job_key} ${r.attempt_id} ${r.hostname} ${r.slurm_job_id}\n`,
    ]);
    expect(await site.files('ran')).toEqual(new Map(recorded as [string, string][]));
    expect(past.results).toHaveLength(numJobs);
    expect(past.results.every((result) => result.cause === 'success' && result.return_code === 0)).toBe(true);
    expect(await site.read('f5')).toBe('nward\nnward\n');
  });

  it('ran on at least two nodes, and the list of results names node and Slurm job', () => {
    const ids = new Set(scheduled.allocations.map((allocation) => allocation.slurm_job_id));
    expect(ids.size).toBe(3);
    expect(past.results.filter((result) => !ids.has(result.slurm_job_id))).toEqual([]);
    expect(new Set(past.results.map((result) => result.hostname)).size).toBeGreaterThanOrEqual(2);
    const placeOf = new Map(past.nodes.map((node) => [node.compute_node_key, `${node.hostname} ${node.slurm_job_id}`]));
    for (const result of past.results) {
      expect(`${result.hostname} ${result.slurm_job_id}`).toBe(placeOf.get(result.compute_node_key));
    }
  });

  it('never took more cpus or memory than a node has', () => {
    expect(past.nodes.map((node) => node.num_cpus)).toEqual([4, 4, 4]);
    expectNoOvercommit(past);
    // no proof when there was nothing to pack
    expect(Math.max(...past.nodes.map((node) => jobsAtOnce(past, node)))).toBeGreaterThanOrEqual(3);
  });

  it('leaves no allocation behind: each ends by itself soon after the last job', async () => {
    const lastJobMs = Math.max(...past.results.map((result) => at(result.end_time)));
    for (const { slurm_job_id: id } of scheduled.allocations) {
      const end = await site.slurmEnd(id);
      expect(end.state).toBe('COMPLETED');
      // 15 s are meant; what is asserted leaves room for a busy machine, and is far from the 20 minutes that it has
      expect(end.endMs - lastJobMs).toBeLessThan(240_000);
    }
    expect(await site.queue()).toEqual([]);
    await until('nothing of them counts as active', async () => {
      const allocations = await site.allocations(key);
      const nodes = await site.computeNodes(key);
      const isActive = nodes.some((node) => node.is_active || node.num_running > 0);
      return allocations.length === 3 && allocations.every(({ status }) => status === 'ended') && !isActive;
    });
  });
});

function jobsAtOnce({ results }: Past, node: ComputeNodeRow): number {
  return mostAtOnce(
    results.filter((result) => result.compute_node_key === node.compute_node_key),
    () => 1,
  );
}

describe.concurrent('GPU jobs on two nodes', () => {
  let site: Site;
  let past: Past;

  beforeAll(async () => {
    site = await makeSite('gpus');
    await site.startServer();
    await site.makeFolder('saw');
    await site.makeFolder('here');
    const command = 'echo "$CUDA_VISIBLE_DEVICES" >> "saw/$TORC_JOB_KEY"; sleep 0.5';
    // two jobs that wait for each other: both nodes take part, however late the second allocation starts
    const meet = `${command}; touch "here/$(hostname)"; until [ "$(ls here | wc -l)" -eq 2 ]; do sleep 0.1; done`;
    const needs = ['none', 'one', 'two', 'one', 'one'];
    const key = await site.start({
      name: 'GPU jobs',
      resource_requirements: [
        { name: 'none', num_cpus: 1, memory: '20m', runtime: 'PT1M' },
        { name: 'one', num_cpus: 1, memory: '20m', num_gpus: 1, runtime: 'PT1M' },
        { name: 'two', num_cpus: 1, memory: '20m', num_gpus: 2, runtime: 'PT1M' },
        // its allocation may have to wait for other tests
        { name: 'meeting', num_cpus: 1, memory: '20m', num_gpus: 2, runtime: 'PT10M' },
      ],
      jobs: Array.from({ length: 40 }, (_, i) => ({
        name: `job ${i}`,
        command: i < 2 ? meet : command,
        resource_requirements: i < 2 ? 'meeting' : needs[i % needs.length],
        priority: i < 2 ? 1 : 0,
      })),
    });
    await site.addConfig(key, '-p', 'gpu', '-g', 'gpu:2', '-w', '30', '-m', '600', '-e', '--cpus-per-task=4');
    await site.schedule(key, '-n', '2');
    await site.ended(key);
    past = { results: await site.results(key), nodes: await site.computeNodes(key) };
  });
  afterAll(() => site.remove(past === undefined));

  it('never share a GPU, and see exactly those that they were given', async () => {
    expect(past.results.map((result) => result.cause)).toEqual(Array.from({ length: 40 }, () => 'success'));
    expect(new Set(past.nodes.map((node) => node.hostname))).toEqual(new Set(['c3', 'c4']));
    expect(past.nodes.map((node) => node.num_gpus)).toEqual([2, 2]);
    expectNoOvercommit(past);
    const given = past.results.map((result) => [result.job_key, `${(result.gpu_indices ?? []).join(',')}\n`]);
    expect(await site.files('saw')).toEqual(new Map(given as [string, string][]));
    const inUse = new Set(
      past.results.flatMap((result) => (result.gpu_indices ?? []).map((i) => `${result.hostname} ${i}`)),
    );
    expect([...inUse].sort()).toEqual(['c3 0', 'c3 1', 'c4 0', 'c4 1']);
  });
});

describe.concurrent('jobs that depend on others', () => {
  const chain = Array.from({ length: 5 }, (_, i) => ({
    name: `link ${i}`,
    command: 'sleep 1',
    depends_on: i === 0 ? [] : [`link ${i - 1}`],
  }));
  const fan = Array.from({ length: 8 }, (_, i) => ({
    name: `fan ${i}`,
    command: `sleep 0.${i}`,
    depends_on: ['link 4'],
  }));
  const jobs = [...chain, ...fan, { name: 'last', command: 'true', depends_on: fan.map((job) => job.name) }];

  it('start within a second of the last of those, while workers are idle', async (context) => {
    const site = await siteFor(context, 'dependents');
    await site.startServer();
    const key = await site.start({ name: 'chain and fan', jobs });
    await site.addConfig(key, '-w', '10', '-m', '100', '-e', '--cpus-per-task=4');
    await site.schedule(key, '-n', '2');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: jobs.length });
    const results = new Map((await site.results(key)).map((result) => [result.job_name, result]));
    // how long each had to wait, by what it waited for
    const waits = new Map<string, number>();
    for (const { name, depends_on: upstreams } of jobs.filter((job) => job.depends_on.length > 0)) {
      const lastEndMs = Math.max(...upstreams.map((upstream) => at(results.get(upstream)?.end_time ?? null)));
      const waitedMs = at(results.get(name)?.start_time ?? null) - lastEndMs;
      expect(waitedMs, name).toBeGreaterThanOrEqual(0);
      const after = upstreams.join();
      waits.set(after, Math.max(waitedMs, waits.get(after) ?? 0));
    }
    expect(waits.size).toBe(6);
    // 1 s for each is meant. A machine that stands still for a moment delays one of them, polls of 20 s that nobody answers delay all.
    expect([...waits.values()].reduce((sum, waitedMs) => sum + waitedMs)).toBeLessThan(30_000);
  });
});
