/** What jobs state is what they get: memory and time limits of jobs, and the time that is left of an allocation. */
import { beforeAll, describe, expect, it } from 'vitest';
import { requireCluster, until } from './cluster.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

const mebibyte = 1024 ** 2;

/** Holds so many mebibytes of memory for as many seconds. */
function hold(mebibytes: number, seconds: number): string {
  return `node -e 'const b = Buffer.alloc(${mebibytes} * 2 ** 20, 1); setTimeout(() => b.length, ${seconds * 1000})'`;
}

describe.concurrent('limits of jobs', () => {
  it('stop what takes too much or too long, with all it has started; neighbours and worker go on', async (context) => {
    const site = await siteFor(context, 'limits');
    await site.startServer();
    // two grandchildren: one in the job's session, one in a session of its own
    const family = 'sleep 9876 & setsid sleep 9875 & ';
    const key = await site.start({
      name: 'limits',
      resource_requirements: [
        { name: 'small', num_cpus: 1, memory: '150m', runtime: 'PT2M' },
        { name: 'short', num_cpus: 1, memory: '150m', runtime: 'PT2S' },
      ],
      jobs: [
        { name: 'hog', command: `${family}${hold(300, 60)}`, resource_requirements: 'small', priority: 2 },
        { name: 'late', command: `${family}sleep 9874`, resource_requirements: 'short', priority: 2 },
        { name: 'stubborn', command: `trap '' TERM; ${family}wait`, resource_requirements: 'short', priority: 2 },
        {
          name: 'neighbour',
          command: 'until [ -e look ]; do sleep 0.2; done; ps -u hpc -o args= > left',
          resource_requirements: 'small',
          priority: 2,
        },
        { name: 'within', command: hold(60, 4), resource_requirements: 'small' },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '1000', '-e', '--cpus-per-task=4');
    await site.schedule(key, '-n', '1');
    const isStopped = async () => (await site.shown(key)).num_failed === 3;
    await until('three jobs are stopped', isStopped);
    await site.write('look', '');
    expect(await site.ended(key)).toMatchObject({ status: 'failed', num_done: 5, num_failed: 3 });
    const results = new Map((await site.results(key)).map((result) => [result.job_name, result]));
    const hog = results.get('hog');
    expect(hog).toMatchObject({ status: 'done', return_code: 137, cause: 'oom' });
    expect(hog?.peak_memory_bytes).toBeGreaterThan(150 * mebibyte);
    for (const name of ['late', 'stubborn']) {
      const result = results.get(name);
      expect(result).toMatchObject({ status: 'done', return_code: 152, cause: 'job_timeout' });
      expect(Number(result?.exec_time_seconds)).toBeGreaterThanOrEqual(2);
    }
    for (const name of ['neighbour', 'within']) {
      expect(results.get(name)).toMatchObject({ status: 'done', return_code: 0, cause: 'success' });
    }
    expect(results.get('within')?.peak_memory_bytes).toBeGreaterThan(60 * mebibyte);
    expect(new Set([...results.values()].map((result) => result.compute_node_key)).size).toBe(1);
    // seen while the allocation was there: its end takes everything with it
    expect(await site.read('left')).not.toMatch(/sleep 987[4-6]/);
  });

  it('put a kill by the kernel down to the job that was most over its request', async (context) => {
    const site = await siteFor(context, 'kernel');
    await site.startServer();
    const key = await site.start({
      name: 'kernel',
      // without stated memory torc enforces nothing: the allocation's limit does
      jobs: [
        { name: 'hog', command: hold(600, 60) },
        { name: 'neighbour', command: 'sleep 5' },
      ],
    });
    await site.addConfig(key, '-w', '10', '-m', '300', '-e', '--cpus-per-task=2');
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'failed', num_done: 2, num_failed: 1 });
    const results = new Map((await site.results(key)).map((result) => [result.job_name, result]));
    expect(results.get('hog')).toMatchObject({ status: 'done', return_code: 137, cause: 'oom' });
    expect(results.get('neighbour')).toMatchObject({ status: 'done', return_code: 0, cause: 'success' });
  });
});

describe.concurrent('the end of an allocation', () => {
  async function statuses(site: Site, key: string): Promise<Record<string, string>> {
    return Object.fromEntries((await site.jobs(key)).map((job) => [job.name, job.status]));
  }

  it('keeps out a job that would not end in time; a later one that is shorter runs, a longer allocation takes it', async (context) => {
    const site = await siteFor(context, 'time-left');
    await site.startServer();
    const key = await site.start({
      name: 'time left',
      compute_node_wait_for_new_jobs_seconds: 0,
      jobs_sort_method: 'none',
      resource_requirements: [
        { name: 'long', num_cpus: 1, memory: '20m', runtime: 'PT10M' },
        { name: 'short', num_cpus: 1, memory: '20m', runtime: 'PT10S' },
      ],
      jobs: [
        { name: 'long', command: 'true', resource_requirements: 'long', priority: 5 },
        { name: 'short', command: 'true', resource_requirements: 'short' },
      ],
    });
    const brief = await site.addConfig(key, '-N', 'brief', '-w', '5', '-m', '100');
    const ample = await site.addConfig(key, '-N', 'ample', '-w', '30', '-m', '100');
    const first = await site.schedule(key, '-n', '1', '-s', brief);
    // the worker has seen both jobs when it leaves, because there is nothing that it could do
    await until(
      'the first worker has come and gone',
      async () => (await site.computeNodes(key))[0]?.is_active === false,
    );
    expect(await statuses(site, key)).toEqual({ long: 'ready', short: 'done' });
    const second = await site.schedule(key, '-n', '1', '-s', ample);
    await site.ended(key);
    expect(await statuses(site, key)).toEqual({ long: 'done', short: 'done' });
    const places = (await site.results(key)).map((result) => [result.job_name, result.slurm_job_id]);
    expect(Object.fromEntries(places)).toEqual({
      short: first.allocations[0]?.slurm_job_id,
      long: second.allocations[0]?.slurm_job_id,
    });
  });
});

describe.concurrent('torc run inside of an allocation', () => {
  it('keeps to the share of the node and leaves nothing behind', async (context) => {
    const site = await siteFor(context, 'inside');
    await site.write('commands.txt', Array.from({ length: 4 }, () => `(setsid sleep 9871 &); sleep 0.5\n`).join(''));
    // so that only the worker can have ended what the jobs left
    await site.write('script', '#!/bin/bash\ntorc run commands.txt && ps -u hpc -o args= > left\n');
    const words = ['--chdir', site.path, '--mem=100', '--cpus-per-task=1', '--wait', '--output=slurm.out'];
    const ran = await site.command(['sbatch', ...words, 'script']);
    expect({ ...ran, said: await site.read('slurm.out') }).toMatchObject({ exitCode: 0 });
    expect(await site.read('left')).not.toContain('sleep 9871');
    const nodes = await site.computeNodes('1');
    expect(nodes).toMatchObject([{ num_cpus: 1, memory_bytes: 100 * mebibyte, is_active: false }]);
    const starts = (await site.results('1')).map((result) => [result.start_time, result.end_time] as const);
    expect(starts).toHaveLength(4);
    for (const [i, [start]] of starts.entries()) expect(i === 0 || start >= (starts[i - 1]?.[1] ?? '')).toBe(true);
  });
});
