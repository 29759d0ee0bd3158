import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import { version } from '../../src/base/version.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import {
  createWorkflow,
  finished,
  freshService,
  rows,
  statuses,
  TestWorker,
  temporaryDirectory,
} from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

describe('claiming', () => {
  it('packs by CPUs, memory and slots in claim order and backfills', async () => {
    const key = await createWorkflow(service, [
      { name: 'wide', cpus: 3 },
      { name: 'too wide', cpus: 2 },
      { name: 'small', cpus: 1 },
      { name: 'other', cpus: 1 },
    ]);
    const worker = await TestWorker.join(service, key, { cpus: 4 });
    const reply = await worker.exchange();
    expect(reply.jobs.map((job) => job.job_name)).toEqual(['wide', 'small']);
  });

  it('gives no more jobs at a time than the worker says its node can run now', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }, { name: 'd' }]);
    const worker = await TestWorker.join(service, key, { cpus: 4 });
    const first = await worker.exchange({ max_parallel_jobs: 2 });
    expect(first.jobs.map((job) => job.job_name)).toEqual(['a', 'b']);
    const parked = worker.exchange({ max_parallel_jobs: 2 });
    const other = await createWorkflow(service, [{ name: 'elsewhere' }]);
    expect(other).not.toBe(key);
    const second = await worker.exchange({ max_parallel_jobs: 3 });
    expect(second.jobs.map((job) => job.job_name)).toContain('c');
    expect((await parked).jobs).toEqual([]);
    expect((await worker.exchange()).jobs.map((job) => job.job_name)).toContain('d');
  });

  it('takes the higher priority first, then the stored order', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', priority: 5 }, { name: 'c' }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const first = await worker.exchange();
    expect(first.jobs.map((job) => job.job_name)).toEqual(['b']);
    const second = await worker.finish(first.jobs[0]?.attempt ?? 0);
    expect(second.jobs.map((job) => job.job_name)).toEqual(['a']);
  });

  it('starts no job that needs longer than the time left, but a later one that is shorter', async () => {
    const key = await createWorkflow(service, [
      { name: 'long', runtime: 3600 },
      { name: 'short', runtime: 60 },
      { name: 'unstated' },
    ]);
    const worker = await TestWorker.join(service, key);
    const reply = await worker.exchange({ time_left_ms: 65_000 });
    expect(reply.jobs.map((job) => job.job_name).sort()).toEqual(['short', 'unstated']);
  });

  it('never gives one whole GPU to two jobs, and shares one between fractions', async () => {
    const key = await createWorkflow(service, [
      { name: 'one', gpuThousandths: 1000 },
      { name: 'half a', gpuThousandths: 500 },
      { name: 'half b', gpuThousandths: 500 },
      { name: 'two', gpuThousandths: 2000 },
    ]);
    const worker = await TestWorker.join(service, key, { gpus: 2 });
    const reply = await worker.exchange();
    const indices = Object.fromEntries(reply.jobs.map((job) => [job.job_name, job.gpu_indices]));
    expect(indices).toEqual({ one: [0], 'half a': [1], 'half b': [1] });
  });

  it('does not believe that a worker is free when a reply was lost: it gets the same jobs again', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    const lost = await worker.exchange();
    worker.held = [];
    worker.ack = 0;
    const again = await worker.exchange();
    expect(again.jobs).toEqual(lost.jobs);
    expect(await rows(service, 'jobs', key, { status: 'ready' })).toHaveLength(1);
  });
});

describe('reports', () => {
  it('records an end once, however often it is reported', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const worker = await TestWorker.join(service, key);
    const [job] = (await worker.exchange()).jobs;
    const attempt = job?.attempt ?? 0;
    const first = await worker.finish(attempt);
    expect(first.reports).toEqual([{ attempt, report: 'finished', answer: 'accepted' }]);
    expect(first.jobs.map((next) => next.job_name)).toEqual(['b']);
    const second = await worker.finish(attempt);
    expect(second.reports).toEqual([{ attempt, report: 'finished', answer: 'repeated' }]);
    expect(await rows(service, 'results', key)).toHaveLength(1);
  });

  it('refuses a report of an attempt that belongs to another worker', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    const stranger = await TestWorker.join(service, key);
    const [job] = (await worker.exchange()).jobs;
    const reply = await stranger.exchange({ finished: [finished(job?.attempt ?? 0)] });
    expect(reply.reports[0]?.answer).toBe('rejected');
    expect(await statuses(service, key)).toEqual({ a: 'submitted_pending' });
  });

  it('a start that comes after the end, or twice, changes nothing', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    const [job] = (await worker.exchange()).jobs;
    const attempt = job?.attempt ?? 0;
    const started = [{ attempt, age_ms: 1, pid: 7 }];
    expect((await worker.exchange({ started })).reports[0]?.answer).toBe('accepted');
    expect((await worker.exchange({ started })).reports[0]?.answer).toBe('repeated');
    await worker.finish(attempt, 3);
    expect((await worker.exchange({ started })).reports[0]?.answer).toBe('repeated');
    expect(await rows(service, 'jobs', key)).toMatchObject([
      { status: 'done', outcome: 'failed', return_code: 3, cause: 'exit_code', orphaned: false },
    ]);
  });

  it('makes a job that is handed back unstarted ready again, as the next attempt of the run', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    const [job] = (await worker.exchange()).jobs;
    worker.held = [];
    const reply = await worker.exchange({ returned: [job?.attempt ?? 0] });
    expect(reply.jobs).toMatchObject([{ job_name: 'a', attempt_id: 2 }]);
  });

  it('make a job ready again that its worker forgot', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const [job] = (await worker.exchange()).jobs;
    worker.held = [];
    const reply = await worker.exchange();
    expect(job?.job_name).toBe('a');
    expect(reply.jobs).toMatchObject([{ job_name: 'a', run_id: 1, attempt_id: 2 }]);
    expect(await rows(service, 'results', key)).toMatchObject([
      { job_name: 'a', attempt_id: 1, status: 'lost', cause: 'worker_lost' },
    ]);
  });
});

describe('dependencies', () => {
  it('cancels everything downstream of a failed job and names that job; other branches continue', async () => {
    // a -> b0, b1; b0 -> c0; b1 -> c1; c0, c1 -> d
    const names = ['a', 'b0', 'b1', 'c0', 'c1', 'd'];
    const edges: [number, number][] = [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 4],
      [3, 5],
      [4, 5],
    ];
    const key = await createWorkflow(
      service,
      names.map((name) => ({ name })),
      edges,
    );
    const worker = await TestWorker.join(service, key);
    let reply = await worker.exchange();
    const failing = 'b1';
    while (worker.held.length > 0) {
      const attempt = worker.held[0] as number;
      const name = (await rows(service, 'jobs', key, { status: 'submitted_pending' }))[0]?.name;
      reply = await worker.finish(attempt, name === failing ? 1 : 0);
    }
    expect(reply.leave).toBe(true);
    expect(await statuses(service, key)).toEqual({
      a: 'done',
      b0: 'done',
      b1: 'done',
      c0: 'done',
      c1: 'canceled',
      d: 'canceled',
    });
    const [b1] = await rows(service, 'jobs', key, { name: failing });
    const [d] = await rows(service, 'jobs', key, { name: 'd' });
    expect(d?.failed_upstream_key).toBe(b1?.job_key);
    expect((await service.call('workflow_show', { workflow_key: key })).status).toBe('failed');
  });

  it('a job with cancel_on_blocking_job_failure off runs after a failed and after a canceled upstream', async () => {
    const key = await createWorkflow(
      service,
      [{ name: 'a' }, { name: 'b' }, { name: 'c', cancelOnFailure: false }],
      [
        [0, 1],
        [1, 2],
      ],
    );
    const worker = await TestWorker.join(service, key);
    const [a] = (await worker.exchange()).jobs;
    const reply = await worker.finish(a?.attempt ?? 0, 1);
    expect(reply.jobs.map((job) => job.job_name)).toEqual(['c']);
    expect(await statuses(service, key)).toMatchObject({ b: 'canceled' });
  });

  it('passes failure and end through a barrier', async () => {
    // two upstreams, a barrier, two downstreams, one of which runs in spite of failures
    const key = await createWorkflow(
      service,
      [{ name: 'u0' }, { name: 'u1' }, { name: 'd0' }, { name: 'd1', cancelOnFailure: false }],
      [
        [0, -1],
        [1, -1],
        [-1, 2],
        [-1, 3],
      ],
      { numBarriers: 1 },
    );
    const worker = await TestWorker.join(service, key);
    const [u0, u1] = (await worker.exchange()).jobs;
    await worker.finish(u0?.attempt ?? 0, 9);
    expect(await statuses(service, key)).toMatchObject({ d0: 'canceled', d1: 'blocked' });
    const reply = await worker.finish(u1?.attempt ?? 0);
    expect(reply.jobs.map((job) => job.job_name)).toEqual(['d1']);
  });

  it('cancels behind a barrier whose upstreams all fail at once, one because of the other', async () => {
    const edges: [number, number][] = [
      [0, -1],
      [1, -1],
      [0, 1],
      [-1, 2],
    ];
    const key = await createWorkflow(service, [{ name: 'u0' }, { name: 'u1' }, { name: 'd' }], edges, {
      numBarriers: 1,
    });
    const worker = await TestWorker.join(service, key);
    const [u0] = (await worker.exchange()).jobs;
    await worker.finish(u0?.attempt ?? 0, 9);
    expect(await statuses(service, key)).toEqual({ u0: 'done', u1: 'canceled', d: 'canceled' });
  });
});

describe('long poll', () => {
  it('wakes an idle worker in the transaction that unblocks a job', async () => {
    const key = await createWorkflow(
      service,
      [{ name: 'a' }, { name: 'b' }, { name: 'c' }],
      [
        [0, 1],
        [0, 2],
      ],
    );
    const busy = await TestWorker.join(service, key, { cpus: 1 });
    const idle = await TestWorker.join(service, key, { cpus: 1 });
    const [a] = (await busy.exchange()).jobs;
    const waiting = idle.exchange();
    const reply = await busy.finish(a?.attempt ?? 0);
    const given = [...reply.jobs, ...(await waiting).jobs];
    expect(given.map((job) => job.job_name).sort()).toEqual(['b', 'c']);
    expect(reply.jobs).toHaveLength(1);
  });

  it('gives jobs that become ready to the waiting worker that has room for them; a full one keeps waiting', async () => {
    const jobs = [
      { name: 'first' },
      { name: 'long' },
      { name: 'wide', cpus: 4 },
      { name: 'gpu', gpuThousandths: 1000 },
    ];
    const key = await createWorkflow(
      service,
      [...jobs, { name: 'last', cpus: 2 }],
      [
        [0, 2],
        [0, 3],
        [2, 4],
      ],
    );
    const ender = await TestWorker.join(service, key, { cpus: 1 });
    const [first] = (await ender.exchange()).jobs;
    const full = await TestWorker.join(service, key, { cpus: 3, maxJobs: 1 });
    const [long] = (await full.exchange()).jobs;
    const big = await TestWorker.join(service, key, { cpus: 4 });
    const withGpu = await TestWorker.join(service, key, { cpus: 1, gpus: 1 });
    const waiting = [full.exchange(), big.exchange(), withGpu.exchange()];
    expect((await ender.finish(first?.attempt ?? 0)).jobs).toEqual([]);
    const names = async (reply?: Promise<ExchangeReply>) => (await reply)?.jobs.map((job) => job.job_name);
    expect([await names(waiting[1]), await names(waiting[2])]).toEqual([['wide'], ['gpu']]);
    expect(service.numParked).toBe(1);

    // with its request the server forgets that it was full
    expect((await full.finish(long?.attempt ?? 0)).jobs).toEqual([]);
    const roomy = full.exchange();
    const [wide] = (await waiting[1])?.jobs ?? [];
    await big.finish(wide?.attempt ?? 0, 0, { draining: true });
    expect(await names(roomy)).toEqual(['last']);
  });

  it('ends the parked request when a newer one comes, and answers an older one with nothing', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const busy = await TestWorker.join(service, key);
    const idle = await TestWorker.join(service, key);
    await busy.exchange();
    const first = idle.exchange();
    const second = idle.exchange();
    expect(await first).toMatchObject({ seq: 1, jobs: [], leave: false });
    idle.seq = 0;
    expect(await idle.exchange()).toMatchObject({ seq: 1, jobs: [] });
    idle.seq = 2;
    const third = idle.exchange({ leaving: true });
    expect(await second).toMatchObject({ seq: 2 });
    expect(await third).toMatchObject({ leave: true });
  });

  it('tells idle workers to leave when the last job of the workflow has ended', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const busy = await TestWorker.join(service, key);
    const idle = await TestWorker.join(service, key);
    const [a] = (await busy.exchange()).jobs;
    const waiting = idle.exchange();
    expect((await busy.finish(a?.attempt ?? 0)).leave).toBe(true);
    expect((await waiting).leave).toBe(true);
    expect(await rows(service, 'compute_nodes', key, { is_active: 'true' })).toEqual([]);
  });
});

describe('cancel', () => {
  it('cancels unclaimed jobs at once, stops the rest, and records how they end', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[0, 1]]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const [a] = (await worker.exchange()).jobs;
    const waiting = worker.exchange();
    const plan = await service.call('workflow_cancel', { workflow_key: key, dry_run: true });
    expect(plan.changes.map((change) => [change.job_name, change.old_status])).toEqual([
      ['a', 'submitted_pending'],
      ['b', 'blocked'],
      ['c', 'ready'],
    ]);
    expect(await statuses(service, key)).toMatchObject({ b: 'blocked', c: 'ready' });
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect((await waiting).stop).toEqual([{ attempt: a?.attempt, reason: 'cancel' }]);
    const end = {
      ...finished(a?.attempt ?? 0),
      status: 'canceled' as const,
      return_code: null,
      cause: 'canceled' as const,
    };
    worker.held = [];
    expect((await worker.exchange({ finished: [end] })).leave).toBe(true);
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled', c: 'canceled' });
    expect((await service.call('workflow_show', { workflow_key: key })).status).toBe('canceled');
  });
});

describe('a batch', () => {
  it('fails for the member whose part goes wrong, and for no other', async () => {
    const broken = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const sound = await createWorkflow(service, [{ name: 'c' }]);
    const unlucky = await TestWorker.join(service, broken, { cpus: 1 });
    const other = await TestWorker.join(service, sound);
    service.db.run('DELETE FROM shapes WHERE workflow_key = ?', Number(broken));
    service.db.mirrors.clear();
    const [bad, good] = await Promise.allSettled([unlucky.exchange(), other.exchange()]);
    expect(bad.status).toBe('rejected');
    expect(good).toMatchObject({ status: 'fulfilled', value: { jobs: [{ job_name: 'c' }] } });
    expect(await rows(service, 'events', broken, { new_status: 'submitted_pending' })).toEqual([]);
  });
});

describe('workers of one allocation', () => {
  it('are one per node and start; a requeued one takes over, and its predecessor gets no more work', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    const join = (hostname: string, restartCount: number) =>
      TestWorker.join(service, key, { cpus: 1 }, { slurmJobId: '7', hostname, restartCount });
    const first = await join('n1', 0);
    await join('n2', 0);
    await expect(join('n1', 0)).rejects.toMatchObject({ code: 'conflict' });
    const [a] = (await first.exchange()).jobs;
    const second = await join('n1', 1);
    await expect(join('n1', 0)).rejects.toThrow('gone');
    expect((await second.exchange()).jobs.map((job) => job.job_name)).toEqual(['b']);
    const last = await first.finish(a?.attempt ?? 0);
    expect(last.reports[0]?.answer).toBe('accepted');
    expect(last).toMatchObject({ jobs: [], leave: true });
  });
});

describe('cancel and the end of an allocation', () => {
  it('a canceled job stays canceled when its allocation ends first', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    const [a] = (await worker.exchange()).jobs;
    const attempt = a?.attempt ?? 0;
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    worker.held = [];
    await worker.exchange({
      finished: [{ ...finished(attempt), status: 'terminated', return_code: null, cause: 'walltime', exit_code: null }],
    });
    expect(await statuses(service, key)).toEqual({ a: 'canceled' });
  });
});

describe('delete', () => {
  it('removes a workflow with everything that belongs to it, and leaves the others alone', async () => {
    const make = () =>
      createWorkflow(
        service,
        [{ name: 'u0' }, { name: 'u1' }, { name: 'd' }],
        [
          [0, -1],
          [1, -1],
          [-1, 2],
        ],
        { numBarriers: 1 },
      );
    const other = await make();
    const count = () =>
      ['jobs', 'edges', 'barriers', 'events', 'attempts', 'workflows', 'shapes', 'job_counts'].map(
        (table) => service.db.get(`SELECT count(*) AS n FROM ${table}`)?.n,
      );
    const before = count();
    const key = await make();
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await expect(service.call('workflow_delete', { workflow_key: key, dry_run: false })).rejects.toThrow(
      /1 job is running/,
    );
    while (worker.held.length > 0) await worker.finish(worker.held[0] as number);
    const plan = await service.call('workflow_delete', { workflow_key: key, dry_run: true });
    expect(plan).toMatchObject({ num_jobs: 3, num_results: 3 });
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    // what is left says who deleted it
    expect(await rows(service, 'events', key)).toMatchObject([{ type: 'workflow_deleted' }]);
    service.db.run('DELETE FROM events WHERE workflow_key = ?', Number(key));
    expect(count()).toEqual(before);
    await expect(service.call('workflow_show', { workflow_key: key })).rejects.toMatchObject({ code: 'not_found' });
    expect(await statuses(service, other)).toEqual({ u0: 'ready', u1: 'ready', d: 'blocked' });
  });
});

describe('a worker that another database has greeted', () => {
  it('is refused with its greetings and requests, and does not end this server', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const other = await freshService();
    try {
      const key1 = await createWorkflow(other.service, [{ name: 'b' }]);
      const worker = await TestWorker.join(other.service, key1);
      const database = other.service.info.identity;
      expect((await worker.exchange({ database })).jobs).toHaveLength(1);
      const refusal = {
        code: 'other_database',
        message: expect.stringContaining(`is in ${service.info.directory} now`),
      };
      const late = { database, worker_id: worker.workerId, epoch: 1_000 };
      await expect(TestWorker.join(service, key, {}, null, { database })).rejects.toMatchObject(refusal);
      const newcomer = await TestWorker.join(service, key);
      await expect(newcomer.exchange(late)).rejects.toMatchObject(refusal);
      expect(service.isLost).toBe(false);
      // a worker of an older version names none
      expect((await newcomer.exchange({ database: service.info.identity })).jobs).toHaveLength(1);
    } finally {
      await other.close();
    }
  });
});

describe('an exchange', () => {
  it('with another major protocol is refused, whatever it looks like, with the message for a hello', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    const refusal = {
      code: 'incompatible',
      exitCode: 5,
      message: `the worker speaks protocol 2, the server (torc ${version()}) protocol 1`,
    };
    await expect(worker.exchange({ protocol: 2 })).rejects.toMatchObject(refusal);
    const joining = TestWorker.join(service, key, {}, null, { protocol: 2 });
    await expect(joining).rejects.toMatchObject(refusal);
    const unreadable = { protocol: 2, who: 'a worker of the next version' } as never;
    await expect(service.call('exchange', unreadable)).rejects.toMatchObject(refusal);
    await expect(service.call('worker_hello', unreadable)).rejects.toMatchObject(refusal);
    expect((await worker.exchange()).jobs).toHaveLength(1);
  });

  it('of a worker that was silent for long is accepted with any number, so that none is remembered forever', async () => {
    const clock = new FakeClock();
    const directory = temporaryDirectory();
    const server = await openService(directory, clock, 'test');
    const request = (workerId: string, seq: number) =>
      server.call('exchange', {
        protocol: 1,
        worker_id: workerId,
        seq,
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
      });
    expect((await request('w', 5)).unknown_worker).toBe(true);
    // an older one gets an empty reply
    expect((await request('w', 5)).unknown_worker).toBe(false);
    clock.stall(600_001);
    expect((await request('w', 5)).unknown_worker).toBe(false);
    for (let n = 0; n < 1_000; n++) await request(`other ${n}`, 1);
    expect((await request('w', 5)).unknown_worker).toBe(true);
    await server.close();
    rmSync(directory, { recursive: true });
  });
});
