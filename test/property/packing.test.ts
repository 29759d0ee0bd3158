import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FreeNode, fits, giveBack, idleWorker, nextInOrder, pack, take } from '../../src/model/decide/packing.ts';
import { type Candidate, ReadyQueues } from '../../src/model/decide/ready-queues.ts';
import type { Requirements } from '../../src/model/job.ts';

const need: fc.Arbitrary<Requirements> = fc.record({
  numCpus: fc.integer({ min: 1, max: 8 }),
  memoryBytes: fc.integer({ min: 0, max: 100 }),
  gpuThousandths: fc.constantFrom(0, 0, 250, 500, 1000, 2000),
  numNodes: fc.constantFrom(1, 1, 1, 2, 3),
  runtimeMs: fc.integer({ min: 0, max: 100 }),
  isMemoryStated: fc.boolean(),
  isRuntimeStated: fc.boolean(),
});

const worker = fc
  .record({
    numNodes: fc.integer({ min: 1, max: 5 }),
    busyNodes: fc.nat(31),
    numCpus: fc.integer({ min: 0, max: 16 }),
    memoryBytes: fc.integer({ min: 0, max: 200 }),
    numGpus: fc.integer({ min: 0, max: 3 }),
    maxParallelJobs: fc.integer({ min: 0, max: 10 }),
    timeLeftMs: fc.option(fc.integer({ min: 0, max: 100 })),
  })
  .map(({ busyNodes, timeLeftMs, ...offer }): FreeNode => {
    const free = idleWorker(offer, timeLeftMs);
    // busy ones have one job more than the walk sees
    return { ...free, idleNodes: free.idleNodes.filter((index) => (busyNodes >> index) % 2 === 0) };
  });

const shapes = fc.array(
  fc.record({
    need,
    sortRank: fc.integer({ min: 0, max: 3 }),
    priorities: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 6 }),
  }),
  { maxLength: 6 },
);

interface Job {
  jobKey: number;
  priority: number;
  sortRank: number;
  need: Requirements;
}

interface TestShape {
  shapeKey: number;
  sortRank: number;
  need: Requirements;
}

function queuesOf(shapeList: { need: Requirements; sortRank: number; priorities: number[] }[]): {
  queues: ReadyQueues<TestShape>;
  jobs: Job[];
} {
  let next = 1;
  const jobs: Job[] = [];
  const owns = shapeList.map(({ need: request, sortRank, priorities }): Candidate[] => {
    const own = [...priorities].sort((a, b) => b - a).map((priority) => ({ jobKey: next++, priority }));
    jobs.push(...own.map((candidate) => ({ ...candidate, sortRank, need: request })));
    return own;
  });
  const heads = shapeList.flatMap(({ need: request, sortRank }, shapeKey) =>
    (owns[shapeKey] ?? []).slice(0, 1).map((head) => ({ shape: { shapeKey, sortRank, need: request }, head })),
  );
  const queues = new ReadyQueues(heads, ({ shapeKey }, skip, atMost) =>
    (owns[shapeKey] ?? []).slice(skip, skip + atMost),
  );
  return { queues, jobs };
}

const admission = { needOf: (shape: TestShape): Requirements => shape.need, take: () => undefined };

function copy(free: FreeNode): FreeNode {
  return { ...free, gpus: [...free.gpus], idleNodes: [...free.idleNodes] };
}

describe('packing', () => {
  it('never exceeds CPUs, memory, slots, time, any GPU or the nodes of the worker', () => {
    fc.assert(
      fc.property(worker, shapes, (start, shapeList) => {
        const { queues } = queuesOf(shapeList);
        const placed = pack(copy(start), queues.walk(), admission);
        const packed = placed.filter((p) => p.need.numNodes === 1);
        const total = (of: (request: Requirements) => number) => packed.reduce((sum, p) => sum + of(p.need), 0);
        expect(total((r) => r.numCpus)).toBeLessThanOrEqual(start.numCpus);
        expect(total((r) => r.memoryBytes)).toBeLessThanOrEqual(start.memoryBytes);
        expect(placed.length).toBeLessThanOrEqual(start.slots);
        const used = start.gpus.map(() => 0);
        const wholeNodes: number[] = [];
        for (const { need: request, gpuIndices, nodeIndices } of placed) {
          const isWide = request.numNodes > 1;
          expect(gpuIndices.length).toBe(Math.ceil(request.gpuThousandths / 1000));
          expect(nodeIndices.length).toBe(request.numNodes);
          if (isWide) {
            wholeNodes.push(...nodeIndices);
            expect(request.numCpus).toBeLessThanOrEqual(start.numCpus);
            expect(request.memoryBytes).toBeLessThanOrEqual(start.memoryBytes);
            expect(gpuIndices.every((index) => index < start.gpus.length)).toBe(true);
          }
          for (const index of isWide ? [] : gpuIndices)
            used[index] = (used[index] ?? 0) + Math.min(1000, request.gpuThousandths);
          if (start.timeLeftMs !== null && request.isRuntimeStated) {
            expect(request.runtimeMs).toBeLessThanOrEqual(start.timeLeftMs);
          }
        }
        expect(start.idleNodes).toEqual(expect.arrayContaining(wholeNodes));
        expect(new Set(wholeNodes).size).toBe(wholeNodes.length);
        if (wholeNodes.includes(0)) expect(packed).toEqual([]);
        for (const thousandths of used) expect(thousandths).toBeLessThanOrEqual(1000);
        expect(new Set(placed.map((p) => p.jobKey)).size).toBe(placed.length);
      }),
    );
  });

  it('equals the plain walk: always the first in claim order that fits', () => {
    fc.assert(
      fc.property(worker, shapes, (start, shapeList) => {
        const { queues, jobs } = queuesOf(shapeList);
        const free = copy(start);
        const placed = pack(free, queues.walk(), admission).map((p) => p.jobKey);
        // reference: take one job after the other from the sorted list, skipping what does not fit
        const walk = copy(start);
        const expected: number[] = [];
        const order = [...jobs].sort(
          (a, b) => b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey,
        );
        for (const job of order) {
          if (!fits(walk, job.need)) continue;
          expected.push(job.jobKey);
          take(walk, job.need);
        }
        expect(placed).toEqual(expected);
        expect(free).toEqual(walk);
      }),
    );
  });

  it('looks ahead in claim order, up to the first long job, for as much work as requested', () => {
    const runtimes = fc.array(fc.option(fc.integer({ min: 1, max: 30 })), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(worker, shapes, runtimes, fc.nat(200), fc.nat(20), (start, shapeList, usual, workMs, most) => {
        const { queues, jobs } = queuesOf(shapeList);
        const runtimeOf = (of: { need: Requirements }) =>
          usual[shapeList.findIndex((shape) => shape.need === of.need) % 10] ?? null;
        const order = [...jobs].sort(
          (a, b) => b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey,
        );
        const whole = copy(start);
        const expected: number[] = [];
        let leftMs = workMs;
        for (const job of order) {
          if (!fits(whole, job.need)) continue;
          const runtimeMs = runtimeOf(job);
          if (runtimeMs === null || leftMs <= 0 || expected.length === most) break;
          leftMs -= runtimeMs;
          expected.push(job.jobKey);
        }
        const placed = nextInOrder(start, queues.walk(), admission, runtimeOf, { workMs, most });
        expect(placed.map(({ jobKey }) => jobKey)).toEqual(expected);
      }),
    );
  });
});

describe('queues of ready jobs', () => {
  const change = fc.record({
    shapeKey: fc.nat(4),
    priority: fc.nat(2),
    pick: fc.nat(),
    isAdded: fc.boolean(),
    numClaimed: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(100) }),
  });
  const inOrder = (a: Candidate, b: Candidate) => b.priority - a.priority || a.jobKey - b.jobKey;

  /** The first jobs in claim order are claimed, as far as the queues are known. */
  const claimFirst = (
    queues: ReadyQueues<{ shapeKey: number; sortRank: number }> | null,
    stored: Candidate[][],
    most: number,
  ) => {
    const walk = queues?.walk();
    const claimed: { jobKey: number; shapeKey: number }[] = [];
    for (let next = walk?.peek() ?? null; next !== null && claimed.length < most; next = walk?.peek() ?? null) {
      claimed.push({ jobKey: next.head.jobKey, shapeKey: next.queue.shape.shapeKey });
      walk?.take();
    }
    for (const { jobKey, shapeKey } of claimed) {
      const own = stored[shapeKey] as Candidate[];
      own.splice(
        own.findIndex((job) => job.jobKey === jobKey),
        1,
      );
    }
    queues?.removeFirst(claimed);
  };

  it('follow jobs that come and go, whatever is known of each queue', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 600, size: 'max' }), fc.nat(400), (changes, from) => {
        // what the database has: by shape, in claim order
        const stored: Candidate[][] = [[], [], [], [], []];
        const shapeOf = (shapeKey: number) => ({ shapeKey, sortRank: shapeKey % 3 });
        const fetch = ({ shapeKey }: { shapeKey: number }, skip: number, atMost: number) =>
          (stored[shapeKey] as Candidate[]).slice(skip, skip + atMost);
        let queues: ReadyQueues<ReturnType<typeof shapeOf>> | null = null;
        for (const [index, { shapeKey, priority, pick, isAdded, numClaimed }] of changes.entries()) {
          const own = stored[shapeKey] as Candidate[];
          if (index === from % changes.length) {
            const heads = stored.flatMap((list, key) =>
              list.slice(0, 1).map((head) => ({ shape: shapeOf(key), head: { ...head } })),
            );
            queues = new ReadyQueues(heads, fetch);
          }
          if (numClaimed > 0) {
            claimFirst(queues, stored, numClaimed);
            continue;
          }
          // jobs become ready in any order of their keys
          const job = isAdded ? { jobKey: 1 + ((index * 7919) % 1009), priority } : own[pick % own.length];
          if (job === undefined) continue;
          if (isAdded) own.push(job);
          else own.splice(own.indexOf(job), 1);
          own.sort(inOrder);
          if (isAdded) queues?.add(shapeKey, { ...job }, () => shapeOf(shapeKey));
          else queues?.remove(shapeKey, { ...job });
        }
        if (queues === null) return;
        const walk = queues.walk();
        const walked: number[] = [];
        for (let next = walk.peek(); next !== null; next = walk.peek()) {
          walked.push(next.head.jobKey);
          walk.take();
        }
        const expected = stored
          .flatMap((list, shapeKey) => list.map((job) => ({ ...job, ...shapeOf(shapeKey) })))
          .sort((a, b) => b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey);
        expect(walked).toEqual(expected.map(({ jobKey }) => jobKey));
      }),
    );
  });
});

describe('giving back', () => {
  it('leaves a worker as it was, in whatever order its jobs end', () => {
    fc.assert(
      fc.property(worker, fc.array(fc.tuple(need, fc.nat())), (given, jobs) => {
        const whole = idleWorker({ ...offerOf(given), maxParallelJobs: given.slots }, given.timeLeftMs);
        const free = structuredClone(whole);
        const taken = jobs.flatMap(([each, order]) =>
          fits(free, each) ? [{ each, order, share: take(free, each) }] : [],
        );
        let onOwnNode = taken.filter(({ each }) => each.numNodes === 1).length;
        for (const { each, share } of taken.toSorted((a, b) => a.order - b.order)) {
          if (each.numNodes === 1) onOwnNode -= 1;
          giveBack(free, each, share, each.numNodes === 1 && onOwnNode === 0);
        }
        expect(free).toEqual(whole);
      }),
    );
  });
});

function offerOf({ wholeNode, gpus, idleNodes }: FreeNode) {
  const { numCpus, memoryBytes } = wholeNode;
  return { numNodes: Math.max(1, idleNodes.length), numCpus, memoryBytes, numGpus: gpus.length };
}
