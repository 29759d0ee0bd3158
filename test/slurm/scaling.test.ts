/** Requests that grow on real nodes: a job that ran out of memory or time gets more of it, and those beside it do not. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { WorkflowShown } from '../../src/api/contract.ts';
import { requireCluster } from './cluster.ts';
import { elsewhere, hogThatTakesTheWorkerAlong, hold, lostCauses, mebibyte, ramp } from './losing.ts';
import type { ResultRow } from './rows.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

const scheduler = (name: string, mem: string, walltime = '00:10:00'): object => ({
  ...{ name, account: 'torc', mem, walltime },
  extra: `--cpus-per-task=2 ${elsewhere}`,
});

/** So that a worker sees what is over its limit before the node's memory is used up. */
const slowly = 200;

const rule = (scale: object): object => ({ max_retries: 9, scale });

/** Stores the workflow, lets it have nodes by itself, and starts it. */
async function startWithNodes(site: Site, spec: object): Promise<string> {
  await site.startServer('ctl', 10);
  const created = await site.say(['-F', 'json', 'workflows', 'create', '-'], { input: JSON.stringify(spec) });
  const { workflow_key: key } = JSON.parse(created) as { workflow_key: string };
  await site.say(['workflows', 'autoscale', key, '--max', '3', '--idle', '2s']);
  await site.say(['workflows', 'start', key]);
  return key;
}

/** What is recorded of each attempt: what it asked for, in mebibytes and seconds, how it ended, and what followed. */
async function attemptsOf(site: Site, key: string, name: string) {
  const rows = (await site.results(key)).filter(({ job_name }) => job_name === name);
  return rows
    .toSorted((a, b) => a.attempt_id - b.attempt_id)
    .map((row) => [
      row.requested_memory_bytes === null ? null : Number(row.requested_memory_bytes) / mebibyte,
      row.requested_runtime_seconds,
      row.cause,
      (row.scaled as { why: string } | null)?.why ?? null,
    ]);
}

async function attempt(site: Site, key: string, name: string, number: number): Promise<ResultRow> {
  const row = (await site.results(key)).find((one) => one.job_name === name && one.attempt_id === number);
  if (row === undefined) throw new Error(`${name} has no attempt ${number}`);
  return row;
}

/** How the workflow ended, and what to say when that is not what was expected. */
async function endOf(site: Site, key: string): Promise<[WorkflowShown, string]> {
  const ended = await site.ended(key);
  const told = (await site.results(key)).map(({ job_name, attempt_id, cause, detail, scaled }) => {
    return JSON.stringify({ job_name, attempt_id, cause, detail, scaled });
  });
  return [ended, told.join('\n')];
}

describe.concurrent('a request', () => {
  it('grows until the job fits or until the end of what workers have; nothing else of it changes, and nobody else grows', async (context) => {
    const site = await siteFor(context, 'grows');
    const key = await startWithNodes(site, {
      name: 'grows',
      resource_requirements: [
        { name: 'small', num_cpus: 1, memory: '100m', runtime: 'PT1M' },
        { name: 'brief', num_cpus: 1, memory: '60m', runtime: 'PT2S' },
      ],
      failure_handlers: [{ name: 'grow', rules: [rule({ memory: 2, runtime: 2 })] }],
      slurm_schedulers: [scheduler('node', '600M')],
      jobs: [
        { name: 'big', command: ramp(260, slowly), resource_requirements: 'small', failure_handler: 'grow' },
        { name: 'sibling', command: hold(20, 1), resource_requirements: 'small', failure_handler: 'grow' },
        { name: 'beyond', command: ramp(1000, slowly), resource_requirements: 'small', failure_handler: 'grow' },
        {
          name: 'late',
          command: 'test "$TORC_ATTEMPT_ID" = 3 || sleep 600',
          resource_requirements: 'brief',
          failure_handler: 'grow',
        },
      ],
    });
    expect(...(await endOf(site, key))).toMatchObject({ status: 'failed', num_done: 4, num_failed: 1, run_id: 1 });
    expect(await attemptsOf(site, key, 'big')).toEqual([
      [100, 60, 'oom', 'memory 100M -> 200M'],
      [200, 60, 'oom', 'memory 200M -> 400M'],
      [400, 60, 'success', null],
    ]);
    expect(await attemptsOf(site, key, 'sibling')).toEqual([[100, 60, 'success', null]]);
    expect(await attemptsOf(site, key, 'late')).toEqual([
      [60, 2, 'job_timeout', 'runtime 2.0 s -> 4.0 s'],
      [60, 4, 'job_timeout', 'runtime 4.0 s -> 8.0 s'],
      [60, 8, 'success', null],
    ]);
    expect(await attemptsOf(site, key, 'beyond')).toEqual([
      [100, 60, 'oom', 'memory 100M -> 200M'],
      [200, 60, 'oom', 'memory 200M -> 400M'],
      [400, 60, 'oom', 'memory 400M -> 600M, not 800M: 600M is the most that its workers have'],
      [600, 60, 'oom', 'memory stays 600M: that is the most that its workers have, so the job is not tried again'],
    ]);
    // what they used
    expect((await attempt(site, key, 'big', 1)).peak_memory_bytes).toBeGreaterThan(100 * mebibyte);
    expect((await attempt(site, key, 'big', 3)).peak_memory_bytes).toBeGreaterThan(260 * mebibyte);
    // the same for a person
    const told = await site.say(['jobs', 'show', 'big', '-k', key]);
    expect(told).toMatch(/^after 1: memory 100M -> 200M\nafter 2: memory 200M -> 400M$/m);
    expect(told).toMatch(/^resources: +1 CPU, 400M of memory, runtime 1m 00s$/m);
    const capped = await site.say(['jobs', 'show', 'beyond', '-k', key]);
    expect(capped).toMatch(/^after 4: memory stays 600M: that is the most that its workers have/m);
  });

  it('beyond what its Slurm config gives moves the job to a fallback, which gets nodes; at the end of that it is capped', async (context) => {
    const site = await siteFor(context, 'falls-back');
    const key = await startWithNodes(site, {
      name: 'falls back',
      resource_requirements: [
        { name: 'heavy', num_cpus: 1, memory: '200m', runtime: 'PT30S' },
        { name: 'slow', num_cpus: 1, memory: '60m', runtime: 'PT4S' },
      ],
      failure_handlers: [
        { name: 'twice', rules: [rule({ memory: 2 })] },
        { name: 'more', rules: [rule({ runtime: 20 })] },
        { name: 'much', rules: [rule({ runtime: 1000 })] },
      ],
      slurm_schedulers: [scheduler('small', '300M', '00:01:00'), scheduler('large', '600M', '00:10:00')],
      fallback_schedulers: ['large'],
      jobs: [
        {
          ...{ name: 'heavy', command: ramp(260, slowly), resource_requirements: 'heavy' },
          ...{ scheduler: 'small', failure_handler: 'twice' },
        },
        {
          ...{ name: 'slow', command: 'sleep 15', resource_requirements: 'slow' },
          ...{ scheduler: 'small', failure_handler: 'more' },
        },
        {
          ...{ name: 'capped', command: 'sleep 15', resource_requirements: 'slow' },
          ...{ scheduler: 'large', failure_handler: 'much' },
        },
      ],
    });
    expect(...(await endOf(site, key))).toMatchObject({ status: 'done', num_done: 3, run_id: 1 });
    expect(await attemptsOf(site, key, 'heavy')).toEqual([
      [200, 30, 'oom', 'memory 200M -> 400M, in large'],
      [400, 30, 'success', null],
    ]);
    expect(await attemptsOf(site, key, 'slow')).toEqual([
      [60, 4, 'job_timeout', 'runtime 4.0 s -> 1m 20s, in large'],
      [60, 80, 'success', null],
    ]);
    expect(await attemptsOf(site, key, 'capped')).toEqual([
      [...[60, 4, 'job_timeout'], 'runtime 4.0 s -> 10m 00s, not 1h 07m: 10m 00s is the most that its workers have'],
      [60, 600, 'success', null],
    ]);
    await site.queueEmpty();
  });
});

describe.concurrent('a job beside one that takes the memory of the node', () => {
  const jobs = (hog: string, victim: string): object[] => [
    { name: 'victim', command: victim, resource_requirements: 'kept', failure_handler: 'grow', priority: 1 },
    { name: 'hog', command: hog, failure_handler: 'grow' },
  ];
  const spec = (name: string, given: object[]): object => ({
    name,
    resource_requirements: [{ name: 'kept', num_cpus: 1, memory: '300m', runtime: 'PT8M' }],
    failure_handlers: [{ name: 'grow', rules: [rule({ memory: 2 })] }],
    slurm_schedulers: [scheduler('small', '400M'), scheduler('large', '900M')],
    fallback_schedulers: ['large'],
    jobs: given.map((job) => ({ ...job, scheduler: 'small' })),
  });

  it('and is killed in its place comes back with the request it had', async (context) => {
    const site = await siteFor(context, 'in-its-place');
    const big = `node -e 'const b = Buffer.alloc(220 * 2 ** 20, 1); require("fs").writeFileSync("held", ""); setTimeout(() => b.length, 600000)'`;
    const key = await startWithNodes(
      site,
      spec(
        'in its place',
        jobs(`until [ -e held ]; do sleep 0.2; done; ${ramp(400)}`, `test "$TORC_ATTEMPT_ID" != 1 || exec ${big}`),
      ),
    );
    expect(...(await endOf(site, key))).toMatchObject({ status: 'done', num_done: 2, run_id: 1 });
    expect(await attemptsOf(site, key, 'victim')).toEqual([
      [300, 480, 'oom', null],
      [300, 480, 'success', null],
    ]);
    const killed = await attempt(site, key, 'victim', 1);
    expect(killed).toMatchObject({ status: 'terminated', return_code: null });
    expect(killed.detail).toMatch(/^the kernel killed it because hog took the memory of the node; it requested 300M/);
    expect(await site.say(['jobs', 'show', 'victim', '-k', key])).toMatch(
      /^after 1: the kernel killed it because hog took/m,
    );
    // its worker went on, and the other one got more
    const grown = await attemptsOf(site, key, 'hog');
    expect(grown[0]).toEqual([null, null, 'oom', expect.stringMatching(/^memory none stated -> \d+M/)]);
    expect(grown.at(-1)).toEqual([expect.any(Number), null, 'success', null]);
    expect(await attempt(site, key, 'hog', 1)).toMatchObject({ status: 'done', return_code: 137 });
    expect((await attempt(site, key, 'hog', 1)).compute_node_key).toBe(killed.compute_node_key);
  });

  it('and dies with the whole allocation comes back with the request it had; the other one comes back with more', async (context) => {
    const site = await siteFor(context, 'with-it');
    const key = await startWithNodes(
      site,
      spec(
        'with it',
        jobs(
          `test "$TORC_ATTEMPT_ID" = 1 || exit 0\n${hogThatTakesTheWorkerAlong}`,
          'test "$TORC_ATTEMPT_ID" != 1 || exec sleep 600',
        ),
      ),
    );
    expect(...(await endOf(site, key))).toMatchObject({ status: 'done', num_done: 2, run_id: 1 });
    expect(await lostCauses(site, 'victim', key)).toEqual(['oom']);
    expect(await attemptsOf(site, key, 'victim')).toEqual([
      [300, 480, 'oom', null],
      [300, 480, 'success', null],
    ]);
    expect((await attempt(site, key, 'victim', 1)).detail).toMatch(/It ended with hog/);
    const grown = await attemptsOf(site, key, 'hog');
    expect(grown[0]).toEqual([null, null, 'oom', expect.stringMatching(/^memory none stated -> \d+M/)]);
    expect(grown.at(-1)).toEqual([expect.any(Number), null, 'success', null]);
    expect(await attempt(site, key, 'hog', 1)).toMatchObject({ status: 'lost', return_code: null });
  });
});
