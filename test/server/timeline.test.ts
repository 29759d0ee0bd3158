/** When attempts, workers and allocations ran, and how busy the nodes were. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ExchangeReply, Request } from '../../src/api/contract.ts';
import { isoInstant } from '../../src/base/clock.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';

const gibibyte = 1024 ** 3;
const whole = { run_id: null, from: null, to: null };

let clock: FakeClock;
let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  clock = new FakeClock();
  fresh = await freshService(clock);
});
afterEach(() => fresh.close());

const timeline = (workflow_key: string, asked: Partial<Request<'timeline'>> = {}) =>
  fresh.service.call('timeline', {
    ...{ workflow_key, ...whole, hostnames: null, max_workers: 100, skip_workers: 0, max_spans: 1000, num_bins: 4 },
    ...asked,
  });
const utilization = (workflow_key: string, asked: Partial<Request<'utilization'>> = {}) =>
  fresh.service.call('utilization', { workflow_key, ...whole, num_bins: 4, ...asked });

/** The attempts of a reply by the names of their jobs, started now. */
async function start(worker: TestWorker, { jobs }: ExchangeReply): Promise<Map<string, number>> {
  await worker.exchange({ started: jobs.map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 })) });
  return new Map(jobs.map(({ job_name, attempt }) => [job_name, attempt]));
}

async function end(worker: TestWorker, attempt: number, ranMs: number, returnCode = 0, cpuMs: number | null = null) {
  worker.held = worker.held.filter((each) => each !== attempt);
  const report = { ...finished(attempt, returnCode), start_age_ms: ranMs, age_ms: 0, exec_ms: ranMs, cpu_ms: cpuMs };
  return await worker.exchange({ finished: [report] });
}

/** `a` (2 CPUs) for 20 s and `b` (1 CPU, failed) for 10 s on a node of 3 CPUs; then `c` runs there; 40 s in all. */
async function scene() {
  const key = await createWorkflow(fresh.service, [
    { name: 'a', cpus: 2, memory: 3 * gibibyte },
    { name: 'b', memory: gibibyte },
    { name: 'c', cpus: 1, memory: gibibyte, gpuThousandths: 500 },
  ]);
  const worker = await TestWorker.join(fresh.service, key, { cpus: 3, memory: 4 * gibibyte, gpus: 1 });
  const first = await start(worker, await worker.exchange());
  expect([...first.keys()].sort()).toEqual(['a', 'b']);
  const from = clock.now();
  await clock.advance(10_000);
  const second = await start(worker, await end(worker, first.get('b') ?? 0, 10_000, 1, 5_000));
  expect([...second.keys()]).toEqual(['c']);
  await clock.advance(10_000);
  await end(worker, first.get('a') ?? 0, 20_000, 0, 40_000);
  await clock.advance(20_000);
  return { key, worker, from, attempts: new Map([...first, ...second]) };
}

it('nothing has run yet', async () => {
  const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
  expect(await timeline(key)).toMatchObject({
    from: null,
    to: null,
    workers: [],
    num_spans: 0,
    spans: [],
    bins: null,
    at_once: null,
  });
  expect(await utilization(key)).toMatchObject({ from: null, bin_seconds: null, bins: [], average: null });
  await expect(timeline('99')).rejects.toMatchObject({ code: 'not_found' });
  await expect(utilization(key, { run_id: 7 })).rejects.toMatchObject({ code: 'not_found' });
});

it('each attempt is a span in a slot of its worker', async () => {
  const { key, from } = await scene();
  const { spans, workers, ...rest } = await timeline(key);
  const at = (seconds: number): string => isoInstant(from + seconds * 1000);
  expect(rest).toMatchObject({ from: at(0), to: at(40), num_workers: 1, num_spans: 3, bins: null });
  expect(workers).toMatchObject([{ num_cpus: 3, num_gpus: 1, ended_at: null, num_spans: 3, num_slots: 2 }]);
  const place = { compute_node_key: workers[0]?.compute_node_key, run_id: 1, attempt_id: 1 };
  const slotOf = (name: string) => spans?.find(({ job_name }) => job_name === name)?.slot;
  expect(slotOf('c')).toBe(slotOf('b'));
  expect(spans?.toSorted((a, b) => String(a.job_name).localeCompare(String(b.job_name)))).toMatchObject([
    { ...place, job_name: 'a', started_at: at(0), ended_at: at(20), outcome: 'success', num_cpus: 2 },
    { ...place, job_name: 'b', started_at: at(0), ended_at: at(10), outcome: 'failed', return_code: 1 },
    { ...place, job_name: 'c', started_at: at(10), ended_at: null, outcome: null, cause: null, num_gpus: 0.5 },
  ]);
});

it('more attempts than asked for are counted by time', async () => {
  const { key } = await scene();
  const { spans, bins, workers, num_spans } = await timeline(key, { max_spans: 2 });
  expect({ spans, num_spans }).toEqual({ spans: null, num_spans: 3 });
  expect(workers).toMatchObject([{ num_spans: 3, num_slots: null }]);
  expect(bins).toMatchObject({ bin_seconds: 10, workers: [{ running: [2, 2, 1, 1], failed: [0, 1, 0, 0] }] });
});

it('how many attempts of all workers ran at once is in each reply, the same as by the utilization', async () => {
  const { key, from, attempts } = await scene();
  const at = (seconds: number): string => isoInstant(from + seconds * 1000);
  expect((await timeline(key)).at_once).toEqual({ bin_seconds: 10, num_running: [2, 2, 1, 1] });
  await TestWorker.join(fresh.service, key, { cpus: 1 });
  const [own, other] = fresh.service.db
    .allRows<[number]>('SELECT compute_node_key FROM compute_nodes ORDER BY started_at')
    .map(([each]) => each);
  const like = attempts.get('a') ?? 0;
  const more: [worker: number | undefined, nodes: number, from: number, to: number | null][] = [
    // to a border of bins, from one, for no time, over all of it, a few milliseconds, one that runs, and beyond the end
    [own, 1, 3, 10],
    [other, 3, 10, 20],
    [own, 1, 20, 20],
    [other, 2, 0, 40],
    [own, 1, 19.997, 20.001],
    [other, 1, 33, null],
    [own, 1, 39, 45],
  ];
  await fresh.service.write((tx) => {
    for (const [index, [worker, nodes, first, last]] of more.entries()) {
      tx.db.run(
        `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, is_live, is_occupying, num_cpus,
           num_nodes, memory_bytes, gpu_thousandths, claimed_at, started_at, ended_at, end_status, cause, return_code)
         SELECT workflow_key, job_key, 1, ?, ?, 0, 0, 1, ?, 1, 0, 0, ?, ?, 'done', 'success', 0
         FROM attempts WHERE attempt_key = ?`,
        ...[index + 2, worker, nodes, from + first * 1000, last === null ? null : from + last * 1000, like],
      );
    }
  });
  const same = async (asked: Partial<Request<'utilization'>>): Promise<number[]> => {
    const { bins, bin_seconds } = await utilization(key, asked);
    const num_running = bins.map((bin) => bin.num_running);
    const paged = { max_workers: 1, skip_workers: 1 };
    for (const part of [{}, { max_spans: 1 }, paged, { hostnames: ['elsewhere'] }]) {
      expect((await timeline(key, { ...asked, ...part })).at_once).toEqual({ bin_seconds, num_running });
    }
    return num_running;
  };
  expect(await same({})).toEqual([3.7, 4.0003, 2.0001, 2.8]);
  for (const num_bins of [1, 3, 7, 300]) await same({ num_bins });
  expect(await same({ from: at(10), to: at(20), num_bins: 1 })).toEqual([4.0003]);
  await same({ from: at(9.999), to: at(33.333), num_bins: 11 });
  await same({ run_id: 1 });
});

it('a period shows what ran in it', async () => {
  const { key, from } = await scene();
  const at = (seconds: number): string => isoInstant(from + seconds * 1000);
  const names = async (asked: Partial<Request<'timeline'>>) =>
    (await timeline(key, asked)).spans?.map(({ job_name }) => job_name).sort();
  expect(await names({ from: at(25), to: at(30) })).toEqual(['c']);
  expect(await names({ to: at(5) })).toEqual(['a', 'b']);
  expect(await names({ run_id: 1 })).toEqual(['a', 'b', 'c']);
  await expect(timeline(key, { from: at(5), to: at(5) })).rejects.toMatchObject({ code: 'usage' });
  const { bins } = await utilization(key, { from: at(5), to: at(15), num_bins: 2 });
  expect(bins.map(({ start, num_running, job_cpus }) => [start, num_running, job_cpus])).toEqual([
    [at(5), 2, 3],
    [at(10), 2, 3],
  ]);
});

it('workers come in pages and by node', async () => {
  const { key } = await scene();
  const other = await TestWorker.join(fresh.service, key, { cpus: 1 });
  const { workers } = await timeline(key);
  const [first, second] = workers.map(({ hostname }) => hostname);
  const hosts = async (asked: Partial<Request<'timeline'>>) => {
    const { workers, num_workers, num_spans } = await timeline(key, asked);
    return [workers.map(({ hostname }) => hostname), num_workers, num_spans];
  };
  const spansOf = (index: number): number => workers[index]?.num_spans ?? -1;
  expect(await hosts({ max_workers: 1 })).toEqual([[first], 2, spansOf(0)]);
  expect(await hosts({ max_workers: 1, skip_workers: 1 })).toEqual([[second], 2, spansOf(1)]);
  expect(await hosts({ hostnames: [second ?? ''] })).toEqual([[second], 1, spansOf(1)]);
  expect(await hosts({ hostnames: ['elsewhere'] })).toEqual([[], 0, 0]);
  await other.exchange({ leaving: true });
  await clock.advance(10_000);
  const late = { from: isoInstant(clock.now() - 5000), to: isoInstant(clock.now()) };
  expect((await hosts(late))[1]).toBe(1);
});

it('what nodes had, what attempts were given and what they used, on average', async () => {
  const { key } = await scene();
  const { bins, bin_seconds, num_attempts, average } = await utilization(key);
  expect({ bin_seconds, num_attempts }).toEqual({ bin_seconds: 10, num_attempts: 3 });
  const had = { num_nodes: 1, num_cpus: 3, memory_bytes: 4 * gibibyte, num_gpus: 1, num_pending_nodes: 0 };
  const unmeasured = { used_memory_bytes: null };
  expect(bins).toMatchObject([
    // the CPU time of an attempt is spread evenly over it: 2 of `a` and 0.5 of `b`
    { ...had, num_running: 2, job_cpus: 3, used_cpus: 2.5, job_memory_bytes: 4 * gibibyte, job_gpus: 0, ...unmeasured },
    { ...had, num_running: 2, job_cpus: 3, used_cpus: 2, job_memory_bytes: 4 * gibibyte, job_gpus: 0.5 },
    { ...had, num_running: 1, job_cpus: 1, used_cpus: 0, job_memory_bytes: gibibyte, job_gpus: 0.5 },
    { ...had, num_running: 1, job_cpus: 1, used_cpus: 0, job_memory_bytes: gibibyte, job_gpus: 0.5 },
  ]);
  expect(average).toMatchObject({ ...had, num_running: 1.5, job_cpus: 2, used_cpus: 1.125, job_gpus: 0.375 });
  const { total } = await fresh.service.call('usage_hours', { workflow_key: key });
  expect((average?.job_cpus ?? 0) * 40).toBeCloseTo(total.job_cpu_hours * 3600, 2);
  expect((average?.used_cpus ?? 0) * 40).toBeCloseTo(total.used_cpu_hours * 3600, 2);
  expect((average?.num_cpus ?? 0) * 40).toBeCloseTo(total.cpu_hours * 3600, 2);
});

it('an allocation waits until Slurm starts it, or gives it up', async () => {
  const { key, from } = await scene();
  await fresh.service.write((tx) => {
    const allocation = (
      name: string,
      nodes: number,
      submitted: number | null,
      began: number | null,
      ended: number | null,
    ) =>
      tx.db.run(
        `INSERT INTO allocations (workflow_key, slurm_config_key, name, status, num_nodes, one_worker_per_node, script_path,
           output_directory, created_at, slurm_job_id, submitted_at, started_at, ended_at)
         VALUES (?, 1, ?, ?, ?, 0, 's', 'o', 0, ?, ?, ?, ?)`,
        ...[Number(key), name, ended === null ? 'running' : 'ended', nodes, name.length === 1 ? '17' : null],
        ...[submitted, began, ended].map((seconds) => (seconds === null ? null : from + seconds * 1000)),
      );
    allocation('w', 2, 0, 20, null);
    allocation('x', 4, 10, null, 15);
    allocation('refused', 8, null, null, null);
  });
  expect((await utilization(key)).bins.map((bin) => bin.num_pending_nodes)).toEqual([2, 4, 0, 0]);
  const { allocations, num_allocations } = await timeline(key);
  expect(num_allocations).toBe(2);
  expect(allocations).toMatchObject([
    { name: 'w', status: 'running', num_nodes: 2, slurm_job_id: '17', ended_at: null },
    { name: 'x', status: 'ended', num_nodes: 4, started_at: null, ended_at: isoInstant(from + 15_000) },
  ]);
});

/** 25,000 attempts of a second, one each millisecond from the beginning on, after those that there are. */
async function addMany(from: number, like: number): Promise<void> {
  await fresh.service.write((tx) => {
    tx.db.run(
      `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, is_live, is_occupying, num_cpus,
         memory_bytes, gpu_thousandths, claimed_at, started_at, ended_at, end_status, cause, return_code)
       WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
       SELECT a.workflow_key, a.job_key, 1, n.i + 1, a.compute_node_key, 0, 0, 1, 1, 0, 0, ? + n.i, ? + n.i + 1000,
         'done', 'success', 0
       FROM n CROSS JOIN attempts a WHERE a.attempt_key = ?`,
      from,
      from,
      like,
    );
  });
}

it('many attempts are read in parts, each once', async () => {
  const { key, attempts, from } = await scene();
  const { db } = fresh.service;
  await addMany(from, attempts.get('c') ?? 0);
  const listed = (await rows(fresh.service, 'results', key)).length;
  expect(listed).toBe(10_000);
  const sum = db.get<{ n: number; ms: number }>(
    'SELECT count(*) AS n, sum(coalesce(ended_at, ?) - started_at) AS ms FROM attempts WHERE started_at IS NOT NULL',
    clock.now(),
  );
  const { num_attempts, average } = await utilization(key, { num_bins: 1000 });
  expect(num_attempts).toBe(sum?.n);
  expect((average?.num_running ?? 0) * 40_000).toBeCloseTo(sum?.ms ?? 0, -1);
  const { num_spans, bins } = await timeline(key);
  expect(num_spans).toBe(sum?.n);
  const running = bins?.workers[0]?.running ?? [];
  expect(running.reduce((total, each) => total + each * 10_000, 0)).toBeCloseTo(sum?.ms ?? 0, -1);
});

it('parts of which it is known that they ran at another time are not read, unless something in them goes on', async () => {
  const { key, worker, attempts, from } = await scene();
  const c = attempts.get('c') ?? 0;
  await addMany(from, c);
  const at = (seconds: number): string => isoInstant(from + seconds * 1000);
  const read = vi.spyOn(fresh.service.db, 'allRows');
  /** How many attempts ran, and how many of the three parts were read. */
  const between = async (first: number, last: number): Promise<[number, number]> => {
    read.mockClear();
    const { num_attempts } = await utilization(key, { from: at(first), to: at(last) });
    const found = [num_attempts, read.mock.calls.length] as [number, number];
    read.mockClear();
    const { num_spans } = await timeline(key, { from: at(first), to: at(last) });
    expect([num_spans, read.mock.calls.length]).toEqual(found);
    return found;
  };
  read.mockClear();
  expect((await utilization(key)).num_attempts).toBe(25_003);
  expect(read).toHaveBeenCalledTimes(3);
  // in the first part `c` runs on, and the last one gets new attempts
  expect(await between(35, 40)).toEqual([1, 2]);
  await clock.advance(20_000);
  expect(await between(50, 60)).toEqual([1, 2]);
  await end(worker, c, 45_000);
  await clock.advance(10_000);
  expect(await between(58, 70)).toEqual([1, 2]);
  // now the first part is known as well
  expect(await between(62, 70)).toEqual([0, 1]);
  expect(await between(12, 13)).toEqual([await exactly(from + 12_000, from + 13_000), 3]);
});

/** How many attempts ran between two instants. */
async function exactly(from: number, to: number): Promise<number> {
  const sql = 'SELECT count(*) FROM attempts WHERE started_at <= ? AND ended_at >= ?';
  return fresh.service.db.row<[number]>(sql, to, from)?.[0] ?? -1;
}
