import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  type FreeNode,
  fits,
  idleWorker,
  nextInOrder,
  pack,
  type ShapeQueue,
} from '../../src/model/decide/packing.ts';
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

function queuesOf(shapeList: { need: Requirements; sortRank: number; priorities: number[] }[]): {
  queues: ShapeQueue[];
  jobs: Job[];
} {
  let next = 1;
  const jobs: Job[] = [];
  const queues = shapeList.map(({ need: request, sortRank, priorities }): ShapeQueue => {
    const own: Candidate[] = [...priorities].sort((a, b) => b - a).map((priority) => ({ jobKey: next++, priority }));
    jobs.push(...own.map((candidate) => ({ ...candidate, sortRank, need: request })));
    let position = 0;
    return {
      need: request,
      sortRank,
      runtimeMs: null,
      peek: () => own[position] ?? null,
      advance: () => void position++,
    };
  });
  return { queues, jobs };
}

function copy(free: FreeNode): FreeNode {
  return { ...free, gpus: [...free.gpus], idleNodes: [...free.idleNodes] };
}

describe('packing', () => {
  it('never exceeds CPUs, memory, slots, time, any GPU or the nodes of the worker', () => {
    fc.assert(
      fc.property(worker, shapes, (start, shapeList) => {
        const { queues } = queuesOf(shapeList);
        const placed = pack(copy(start), queues);
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
        const placed = pack(free, queues).map((p) => p.jobKey);
        // reference: take one job after the other from the sorted list, skipping what does not fit
        const walk = copy(start);
        const expected: number[] = [];
        const order = [...jobs].sort(
          (a, b) => b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey,
        );
        for (const job of order) {
          if (!fits(walk, job.need)) continue;
          expected.push(job.jobKey);
          const one: ShapeQueue = { need: job.need, sortRank: 0, runtimeMs: null, ...single(job) };
          pack(walk, [one]);
        }
        expect(placed).toEqual(expected);
        expect(free).toEqual(walk);
      }),
    );
  });

  it('looks ahead in claim order, up to the first long job, for as much work as requested', () => {
    const runtimes = fc.array(fc.option(fc.integer({ min: 1, max: 30 })), { minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(shapes, runtimes, fc.nat(200), fc.nat(20), (shapeList, usual, workMs, most) => {
        const { queues, jobs } = queuesOf(shapeList);
        for (const [index, queue] of queues.entries()) queue.runtimeMs = usual[index % 10] ?? null;
        const runtimeOf = (job: Job) => queues.find((queue) => queue.need === job.need)?.runtimeMs ?? null;
        const order = [...jobs].sort(
          (a, b) => b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey,
        );
        const expected: number[] = [];
        let leftMs = workMs;
        for (const job of order) {
          const runtimeMs = runtimeOf(job);
          if (runtimeMs === null || leftMs <= 0 || expected.length === most) break;
          leftMs -= runtimeMs;
          expected.push(job.jobKey);
        }
        expect(nextInOrder(queues, workMs, most).map(({ jobKey }) => jobKey)).toEqual(expected);
      }),
    );
  });
});

function single(job: Job): Pick<ShapeQueue, 'peek' | 'advance'> {
  let isTaken = false;
  const advance = (): void => {
    isTaken = true;
  };
  return { peek: () => (isTaken ? null : { jobKey: job.jobKey, priority: 0 }), advance };
}
