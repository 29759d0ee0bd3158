/**
 * Random workers and jobs over time, packed as the server does and given their parts as the worker does: at no instant does
 * anything belong to two jobs.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fits, idleWorker, take, withdrawNamed } from '../../src/model/decide/packing.ts';
import { cpuPlacements } from '../../src/model/launch.ts';
import { amountsIn, resourceSet } from '../../src/model/named-resources.ts';
import { Admission } from '../../src/worker/admission.ts';
import type { GivenJob } from '../../src/worker/processes/job-runner.ts';
import { assignment } from '../worker/fake-server.ts';

const worker = fc.record({
  cores: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 8 }),
  numGpus: fc.nat(3),
  named: fc.record({ fpga: fc.nat(3), scratch_gb: fc.nat(20) }),
});

const job = fc.record({
  cpus: fc.integer({ min: 1, max: 4 }),
  gpuThousandths: fc.constantFrom(0, 0, 250, 500, 700, 1000, 2000),
  named: fc.record({ fpga: fc.constantFrom(0, 0, 1, 2), scratch_gb: fc.constantFrom(0, 0, 5, 11) }),
  cpu_placement: fc.constantFrom(...cpuPlacements),
});

const steps = fc.array(fc.oneof({ weight: 2, arbitrary: job }, fc.record({ end: fc.nat(9) })), { maxLength: 60 });

interface Interval {
  what: string;
  share: number;
  from: number;
  until: number;
}

/** At each instant, of each thing at most 1. */
function overlaps(intervals: readonly Interval[]): string[] {
  return intervals.flatMap(({ what, from }) => {
    const together = intervals.filter((other) => other.what === what && other.from <= from && from < other.until);
    return together.reduce((sum, { share }) => sum + share, 0) > 1000 ? [`${what} at ${from}`] : [];
  });
}

describe('what running jobs have', () => {
  it('belongs to one of them: CPUs, GPUs (their shares together at most one), units of named resources', () => {
    fc.assert(
      fc.property(worker, steps, ({ cores, numGpus, named }, all) => {
        let next = 0;
        const topology = [cores.map((threads) => Array.from({ length: threads }, () => next++))];
        const offer = { numNodes: 1, numCpus: next, memoryBytes: 1, numGpus, maxParallelJobs: null };
        const resources = resourceSet(named);
        const admission = new Admission({ numCpus: next, memoryBytes: 1, maxParallelJobs: null, topology });
        const running: { given: GivenJob; gpus: number[]; share: number; parts: Interval[] }[] = [];
        const past: Interval[] = [];
        let now = 0;
        for (const step of all) {
          now += 1;
          if ('end' in step) {
            const [ended] = running.splice(step.end % Math.max(1, running.length), 1);
            if (ended === undefined) continue;
            admission.release(ended.given.attempt);
            for (const part of ended.parts) part.until = now;
            continue;
          }
          // free is what occupying attempts leave, as at a claim
          const free = idleWorker({ ...offer, resources }, null);
          for (const { given, gpus, share } of running) {
            free.numCpus -= given.num_cpus;
            for (const gpu of gpus) free.gpus[gpu] = (free.gpus[gpu] ?? 0) - share;
            withdrawNamed(free, resourceSet(given.resources ?? {}));
          }
          const asked = resourceSet(step.named);
          const plain = { numCpus: step.cpus, memoryBytes: 0, gpuThousandths: step.gpuThousandths, numNodes: 1 };
          const stated = { runtimeMs: 1, isMemoryStated: false, isRuntimeStated: false };
          const need = { ...plain, ...stated, ...(asked === '' ? {} : { resources: asked }) };
          if (!fits(free, need)) continue;
          const { gpuIndices } = take(free, need);
          admission.add(
            assignment({
              ...{ attempt: now, job_key: String(now), command: 'x', num_cpus: step.cpus, memory_bytes: 0 },
              ...{ cpu_placement: step.cpu_placement, gpu_indices: gpuIndices },
              ...(asked === '' ? {} : { resources: amountsIn(asked) }),
            }),
          );
          const given = admission.next();
          if (given === null) throw new Error('the worker does not start what the server gave');
          expect(given.cpus).toHaveLength(step.cpus);
          const units = Object.entries(given.units ?? {}).flatMap(([name, numbers]) => {
            expect(numbers).toHaveLength(amountsIn(asked)[name] ?? 0);
            expect(Math.max(-1, ...numbers)).toBeLessThan(named[name as 'fpga']);
            return numbers.map((unit) => `${name} ${unit}`);
          });
          const share = Math.min(1000, step.gpuThousandths);
          const part = (what: string, of = 1000): Interval => ({
            what,
            share: of,
            from: now,
            until: Number.POSITIVE_INFINITY,
          });
          const parts = [
            ...(given.cpus ?? []).map((cpu) => part(`cpu ${cpu}`)),
            ...gpuIndices.map((gpu) => part(`gpu ${gpu}`, share)),
            ...units.map((unit) => part(unit)),
          ];
          expect(gpuIndices).toHaveLength(Math.ceil(step.gpuThousandths / 1000));
          past.push(...parts);
          running.push({ given, gpus: gpuIndices, share, parts });
        }
        expect(overlaps(past)).toEqual([]);
      }),
    );
  });
});
