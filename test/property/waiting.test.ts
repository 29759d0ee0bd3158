/** Workers of different sizes whose requests wait: after every commit none of them could take a job that is ready. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import { claimJobs } from '../../src/storage/running/claims.ts';
import { findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { createWorkflow, freshService, TestWorker } from '../support/service.ts';

const size = fc.record({
  cpus: fc.integer({ min: 1, max: 4 }),
  gpus: fc.nat(1),
  memory: fc.constantFrom(1000, 4000),
  nodes: fc.constantFrom(1, 1, 2),
});

const job = fc.record({
  cpus: fc.integer({ min: 1, max: 3 }),
  gpuThousandths: fc.constantFrom(0, 0, 0, 500, 1000),
  memory: fc.constantFrom(500, 2000),
  nodes: fc.constantFrom(1, 1, 1, 2),
  after: fc.array(fc.nat(), { maxLength: 3 }),
});

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

it('a job that becomes ready waits only while no waiting worker has room for it', { timeout: 120_000 }, async () => {
  const history = fc.tuple(
    fc.array(size, { minLength: 1, maxLength: 4 }),
    fc.array(job, { minLength: 1, maxLength: 14 }),
    fc.infiniteStream(fc.nat()),
  );
  await fc.assert(
    fc.asyncProperty(history, async ([sizes, jobs, picks]) => {
      const { service, close } = await freshService();
      try {
        const edges = jobs.flatMap(({ after }, at) =>
          at === 0 ? [] : [...new Set(after.map((n) => n % at))].map((before): [number, number] => [before, at]),
        );
        const key = await createWorkflow(
          service,
          jobs.map((needs, at) => ({ ...needs, name: `j${at}` })),
          edges,
        );
        const present = new Set<Waiting>();
        for (const capacity of sizes)
          present.add({ worker: await TestWorker.join(service, key, capacity), reply: null });
        for (const one of present) wait(one);
        await settle(present);
        for (let ends = 0; ; ends++) {
          for (const one of present) expect(couldClaim(service, one)).toBe(0);
          expect(service.numParked).toBe(present.size);
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
