/**
 * Workers of different sizes and labels whose requests wait: after every commit none of them could take a job that is
 * ready, and none has one that belongs elsewhere. A person moves jobs that wait.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import { claimJobs } from '../../src/storage/running/claims.ts';
import { findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, TestWorker } from '../support/service.ts';

const size = fc.record({
  cpus: fc.integer({ min: 1, max: 4 }),
  gpus: fc.nat(1),
  memory: fc.constantFrom(1000, 4000),
  nodes: fc.constantFrom(1, 1, 2),
  labels: fc.constantFrom<string[][]>([], [], ['a'], ['a', 'b']),
  also_unlabelled: fc.boolean(),
});

const labelsOfJob = fc.constantFrom<string[][]>([], [], [], ['a'], ['b'], ['b', 'a'], ['local'], ['nowhere']);

const job = fc.record({
  cpus: fc.integer({ min: 1, max: 3 }),
  gpuThousandths: fc.constantFrom(0, 0, 0, 500, 1000),
  memory: fc.constantFrom(500, 2000),
  nodes: fc.constantFrom(1, 1, 1, 2),
  labels: labelsOfJob,
  limits: fc.constantFrom<string[][]>([], [], ['x'], ['y'], ['y', 'x']),
  after: fc.array(fc.nat(), { maxLength: 3 }),
});

const concurrency = fc.record({ x: fc.nat(3), y: fc.nat(3), all: fc.option(fc.nat(5)) });

/** Under each limit run as many as it allows now, or no more than before it was lowered. */
function runningUnder({ db }: Service): Record<string, number> {
  const count = (sql: string) => db.get<{ n: number }>(`SELECT count(*) AS n FROM attempts a ${sql}`)?.n ?? 0;
  const named = (name: string) =>
    count(`JOIN jobs j USING (job_key) JOIN shapes s USING (shape_key)
      WHERE a.is_occupying = 1 AND instr(',' || s.limits || ',', ',${name},') > 0`);
  return { x: named('x'), y: named('y'), all: count('WHERE a.is_occupying = 1') };
}

/** A worker that always has a request waiting; `reply` is the reply to the last one. */
interface Waiting {
  worker: TestWorker;
  reply: ExchangeReply | null;
}

function wait(one: Waiting): void {
  one.reply = null;
  void one.worker.exchange().then((reply) => {
    one.reply = reply;
  });
}

/** Runs until no worker is answered any more; workers that are told to leave do so. */
async function settle(present: Set<Waiting>): Promise<void> {
  for (let quiet = 0; quiet < 4; quiet++) {
    await new Promise((resolve) => setImmediate(resolve));
    for (const one of present) {
      if (one.reply === null) continue;
      quiet = 0;
      if (one.reply.leave) present.delete(one);
      else wait(one);
    }
  }
}

function couldClaim(service: Service, { worker }: Waiting): number {
  return inTransaction(service.db, service.clock.now(), (tx) => {
    const node = findComputeNode(tx, worker.workerId);
    return tx.rehearse(() => (node?.isActive ? claimJobs(tx, node, null) : 0));
  });
}

/** Attempts that a worker has although it lacks a label of their job, or takes no jobs without labels. */
function misplaced({ db }: Service): unknown[] {
  return db
    .all<{ attempt_key: number; asked: string; had: string; takes_unlabelled: number }>(
      `SELECT a.attempt_key, s.labels AS asked, n.labels AS had, n.takes_unlabelled FROM attempts a
       JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = j.shape_key
       JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key WHERE a.is_live = 1`,
    )
    .filter(({ asked, had, takes_unlabelled }) => {
      if (asked === '') return takes_unlabelled === 0;
      return asked.split(',').some((label) => !had.split(',').includes(label));
    });
}

it('a job that becomes ready waits only while no waiting worker has room for it', { timeout: 120_000 }, async () => {
  const history = fc.tuple(
    fc.array(size, { minLength: 1, maxLength: 4 }),
    fc.array(job, { minLength: 1, maxLength: 14 }),
    fc.infiniteStream(fc.nat()),
    fc.array(fc.option(fc.tuple(fc.nat(), labelsOfJob)), { minLength: 20, maxLength: 20 }),
    concurrency,
    fc.array(fc.option(concurrency), { minLength: 20, maxLength: 20 }),
  );
  await fc.assert(
    fc.asyncProperty(history, async ([sizes, jobs, picks, moves, first, changes]) => {
      const { service, close } = await freshService();
      try {
        const edges = jobs.flatMap(({ after }, at) =>
          at === 0 ? [] : [...new Set(after.map((n) => n % at))].map((before): [number, number] => [before, at]),
        );
        // one of the two is shared
        await service.call('limit_set', { name: 'x', workflow_key: null, maximum: first.x });
        const key = await createWorkflow(
          service,
          jobs.map((needs, at) => ({ ...needs, name: `j${at}` })),
          edges,
          { limits: { y: first.y }, ...(first.all === null ? {} : { maxConcurrentJobs: first.all }) },
        );
        let limits = first;
        const present = new Set<Waiting>();
        for (const { labels, also_unlabelled, ...capacity } of sizes) {
          const worker = await TestWorker.join(service, key, capacity, null, { labels, also_unlabelled });
          present.add({ worker, reply: null });
        }
        for (const one of present) wait(one);
        await settle(present);
        for (let ends = 0; ; ends++) {
          for (const one of present) expect(couldClaim(service, one)).toBe(0);
          expect(service.numParked).toBe(present.size);
          expect(misplaced(service)).toEqual([]);
          const [at, labels] = moves[ends] ?? [null, []];
          if (at !== null) {
            const job_keys = [String(1 + (at % jobs.length))];
            await service.call('jobs_modify', { job_keys, dry_run: false, changes: { labels } });
            await settle(present);
            for (const one of present) expect(couldClaim(service, one)).toBe(0);
          }
          const change = changes[ends] ?? null;
          const before = runningUnder(service);
          if (change !== null) {
            limits = change;
            await Promise.all([
              service.call('limit_set', { name: 'x', workflow_key: null, maximum: change.x }),
              service.call('limit_set', { name: 'y', workflow_key: key, maximum: change.y }),
              service.call('workflow_modify', { workflow_key: key, changes: { max_concurrent_jobs: change.all } }),
            ]);
            await settle(present);
            for (const one of present) expect(couldClaim(service, one)).toBe(0);
          }
          const now = runningUnder(service);
          for (const [name, maximum] of Object.entries(limits)) {
            const most = Math.max(maximum ?? Number.POSITIVE_INFINITY, before[name] ?? 0);
            expect(now[name]).toBeLessThanOrEqual(most);
          }
          expect(brokenInvariants(service.db)).toEqual([]);
          const busy = [...present].filter(({ worker }) => worker.held.length > 0);
          if (busy.length === 0 || ends > jobs.length) break;
          const one = busy[(picks.next().value as number) % busy.length] as Waiting;
          const { held } = one.worker;
          // ends the request that waits, without news
          const { leave } = await one.worker.finish(held[(picks.next().value as number) % held.length] as number);
          if (leave) present.delete(one);
          await settle(present);
        }
      } finally {
        await close();
      }
    }),
    { numRuns: 60 },
  );
});
