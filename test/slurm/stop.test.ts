/** Allocations that end, and people who end things: jobs are stopped and recorded, nothing is left on the nodes. */
import { beforeAll, describe, expect, it } from 'vitest';
import { output, requireCluster, run, until } from './cluster.ts';
import type { ComputeNodeRow } from './rows.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

/** Jobs that end only when they are made to, with a grandchild in the job's session and one in its own. */
const endless = 'sleep 987 & setsid sleep 986 & sleep 985';
const unlikeExit = { status: 'terminated', return_code: null, cause: 'walltime' };

async function running(site: Site, key: string, numJobs: number): Promise<void> {
  await until(`${numJobs} jobs run`, async () => {
    const jobs = await site.jobs(key);
    return jobs.filter((job) => job.status === 'submitted').length === numJobs;
  });
}

async function closed(site: Site, key: string, numWorkers: number): Promise<ComputeNodeRow[]> {
  return until(`${numWorkers} workers have come and gone`, async () => {
    const nodes = await site.computeNodes(key);
    return nodes.length >= numWorkers && nodes.every((node) => !node.is_active) && nodes;
  });
}

/** Lowers the time limit of an allocation to the first whole minute of it that leaves time to warn its workers. */
async function limitSoon(slurmJobId: string): Promise<void> {
  const [now = 0, start = 0] = (
    await output(['bash', '-c', 'date +%s; SLURM_TIME_FORMAT=%s squeue -h -j "$1" -o %S', 'bash', slurmJobId])
  )
    .trim()
    .split('\n')
    .map(Number);
  const minutes = Math.ceil((now - start + 45) / 60);
  await output(['scontrol', 'update', `JobId=${slurmJobId}`, `TimeLimit=${minutes}`]);
}

/** From the start of its allocation, however long the worker took to begin. */
async function lifeSeconds(site: Site, node: ComputeNodeRow): Promise<number> {
  return (Date.parse(node.ended_at ?? '') - (await site.slurmEnd(node.slurm_job_id)).startMs) / 1000;
}

describe.concurrent('the end of an allocation', () => {
  const checkpoint = `trap 'echo saved > saved; exit 0' TERM; while :; do sleep 0.1; done`;
  const jobs = [
    { name: 'endless', command: endless },
    { name: 'careful', command: checkpoint, supports_termination: true },
    { name: 'third', command: endless },
    { name: 'fourth', command: endless },
  ];

  /** Two allocations with a processor for each of the jobs: two on one node, and one on each of two nodes. */
  async function fill(site: Site, key: string, walltime: string): Promise<string[]> {
    const config = ['-w', walltime, '-m', '200'];
    const one = await site.addConfig(key, '-N', 'one', ...config, '-e', '--cpus-per-task=2');
    const two = await site.addConfig(key, '-N', 'two', ...config, '-n', '2');
    const first = await site.schedule(key, '-n', '1', '-s', one);
    const second = await site.schedule(key, '-n', '1', '-s', two, '-S');
    return [...first.allocations, ...second.allocations].map((allocation) => allocation.slurm_job_id);
  }

  async function expectCleanEnd(site: Site, key: string, ids: readonly string[]): Promise<void> {
    const results = await site.results(key);
    expect(results.map((result) => result.job_name).toSorted()).toEqual(jobs.map((job) => job.name).toSorted());
    for (const result of results) expect(result).toMatchObject(unlikeExit);
    expect(await site.read('saved')).toBe('saved\n');
    // not TIMEOUT: all was over before Slurm ended it
    for (const id of ids) expect((await site.slurmEnd(id)).state).toBe('COMPLETED');
    expect(await orphans(site, key)).toEqual([]);
    await site.processesGone();
  }

  it('is foreseen by the worker: jobs are stopped, reported and gone before Slurm kills', async (context) => {
    const site = await siteFor(context, 'walltime');
    await site.startServer();
    const key = await site.start({ name: 'walltime', jobs });
    const ids = await fill(site, key, '1');
    const nodes = await closed(site, key, 3);
    expect(nodes).toHaveLength(3);
    for (const node of nodes) expect(await lifeSeconds(site, node)).toBeGreaterThan(40);
    expect(await site.logs()).not.toContain('"signal"');
    await expectCleanEnd(site, key, ids);
  });

  it('is announced by Slurm when the limit was lowered; the signal reaches every worker', async (context) => {
    const site = await siteFor(context, 'lowered');
    await site.startServer();
    const key = await site.start({ name: 'lowered', jobs });
    const ids = await fill(site, key, '30');
    await running(site, key, jobs.length);
    for (const id of ids) await limitSoon(id);
    const nodes = await closed(site, key, 3);
    expect(nodes).toHaveLength(3);
    expect((await site.logs()).match(/"signal":"warning"/g)).toHaveLength(3);
    await expectCleanEnd(site, key, ids);
  });
});

async function orphans(site: Site, key: string): Promise<string[]> {
  return (await site.jobs(key)).filter((job) => job.orphaned).map((job) => job.name);
}

describe.concurrent('scancel of an allocation in the middle of jobs', () => {
  it.for([
    { name: 'with a worker on its first node', config: ['-e', '--cpus-per-task=2'], schedule: [], numWorkers: 1 },
    { name: 'with a worker on each node', config: ['-n', '2'], schedule: ['-S'], numWorkers: 2 },
  ])('$name: jobs are terminated and reported, nothing is left', async ({ config, schedule, numWorkers }, context) => {
    const site = await siteFor(context, 'scancel');
    await site.startServer();
    const jobs = ['one', 'two'].map((name) => ({ name, command: endless }));
    const key = await site.start({ name: 'scancel', jobs });
    await site.addConfig(key, '-w', '10', '-m', '100', ...config);
    const scheduled = await site.schedule(key, '-n', '1', ...schedule);
    await running(site, key, 2);
    const id = scheduled.allocations[0]?.slurm_job_id ?? '';
    expect((await run(['scancel', id])).exitCode).toBe(0);
    const nodes = await closed(site, key, numWorkers);
    expect(nodes).toHaveLength(numWorkers);
    for (const result of await site.results(key)) {
      // long before its time was over
      expect(result).toMatchObject({ ...unlikeExit, cause: 'canceled', detail: expect.stringMatching(/ended early/) });
    }
    expect(await site.results(key)).toHaveLength(2);
    expect(await orphans(site, key)).toEqual([]);
    const end = await site.slurmEnd(id);
    expect(end.state).toMatch(/^CANCELLED/);
    // by the worker itself inside of KillWait, not found out later by others
    expect((await site.logs()).match(/"reason":"stopped",.*"msg":"ended"/g)).toHaveLength(numWorkers);
    await site.processesGone();
    await site.queueEmpty();
  });
});

describe.concurrent('torc workflows cancel', () => {
  it('stops what runs, with all it has started, and takes waiting allocations back', async (context) => {
    const site = await siteFor(context, 'cancel');
    await site.startServer();
    const jobs = [
      ...['one', 'two', 'three', 'four'].map((name) => ({ name, command: endless })),
      { name: 'behind', command: 'true', depends_on: ['one'] },
    ];
    const key = await site.start({ name: 'cancel', jobs });
    const now = await site.addConfig(key, '-N', 'now', '-w', '10', '-m', '100', '-e', '--cpus-per-task=2');
    const later = await site.addConfig(key, '-N', 'later', '-w', '10', '-m', '100', '-e', '--hold');
    const atWork = await site.schedule(key, '-n', '2', '-s', now);
    const waiting = await site.schedule(key, '-n', '1', '-s', later);
    await running(site, key, 4);
    expect(await site.queue()).toHaveLength(3);
    const plan = await site.json<CancelPlan>(['workflows', 'cancel', key, '--dry-run']);
    expect((await site.shown(key)).status).toBe('running');
    const canceled = await site.json<CancelPlan>(['workflows', 'cancel', key]);
    expect({ ...canceled, dry_run: true }).toEqual(plan);
    const ids = [...atWork.allocations, ...waiting.allocations].map((allocation) => allocation.slurm_job_id);
    expect(canceled.slurm_job_ids.toSorted()).toEqual(ids.toSorted());
    await site.queueEmpty();
    await site.processesGone();
    await closed(site, key, 2);
    expect(await site.shown(key)).toMatchObject({ status: 'canceled', num_canceled: 5, num_done: 0 });
    for (const result of await site.results(key))
      expect(result).toMatchObject({ status: 'canceled', cause: 'canceled' });
    expect(await orphans(site, key)).toEqual([]);
    expect((await site.slurmEnd(waiting.allocations[0]?.slurm_job_id ?? '')).state).toMatch(/^CANCELLED/);
  });
});

interface CancelPlan {
  dry_run: boolean;
  slurm_job_ids: string[];
}
