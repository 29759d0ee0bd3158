/** Random jobs on random nodes: no CPU is given twice at any instant. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuPlacements } from '../../src/model/launch.ts';
import { CpuSets, type Topology } from '../../src/worker/cpu-sets.ts';

const nodes: fc.Arbitrary<Topology> = fc
  .array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 })
  .map((domains) => {
    let next = 0;
    // numbers of a real node are not contiguous
    return domains.map((cores) => cores.map((threads) => Array.from({ length: threads }, () => (next += 3))));
  });

const steps = fc.array(
  fc.oneof(
    fc.record({ count: fc.integer({ min: 1, max: 12 }), placement: fc.constantFrom(...cpuPlacements) }),
    fc.record({ end: fc.nat(20) }),
  ),
  { maxLength: 60 },
);

describe('CPUs of jobs', () => {
  it('are disjoint, as many as asked for, and all of them can be used', () => {
    fc.assert(
      fc.property(nodes, steps, (topology, all) => {
        const sets = new CpuSets(topology);
        const cpus = new Set(topology.flat(2));
        const running: number[][] = [];
        for (const step of all) {
          if ('end' in step) {
            const [ended] = running.splice(step.end % Math.max(1, running.length), 1);
            sets.give(ended ?? []);
            continue;
          }
          const used = new Set(running.flat());
          const taken = sets.take(step.count, step.placement);
          if (step.count > cpus.size - used.size) expect(taken).toBeNull();
          else {
            expect(new Set(taken).size).toBe(step.count);
            expect(taken?.every((cpu) => cpus.has(cpu) && !used.has(cpu))).toBe(true);
            expect(taken).toEqual(taken?.toSorted((a, b) => a - b));
            running.push(taken ?? []);
          }
        }
      }),
    );
  });

  it('lie in one domain when they are compact and one has room', () => {
    fc.assert(
      fc.property(nodes, fc.array(fc.integer({ min: 1, max: 8 }), { maxLength: 8 }), (topology, counts) => {
        const sets = new CpuSets(topology);
        const domainOf = new Map(topology.flatMap((cores, domain) => cores.flat().map((cpu) => [cpu, domain])));
        const free = topology.map((cores) => cores.flat().length);
        for (const count of counts) {
          const hadRoom = free.some((room) => room >= count);
          const domains = (sets.take(count, 'compact') ?? []).map((cpu) => domainOf.get(cpu) ?? -1);
          if (hadRoom) expect(new Set(domains).size).toBe(1);
          for (const domain of domains) free[domain] = (free[domain] ?? 0) - 1;
        }
      }),
    );
  });
});
