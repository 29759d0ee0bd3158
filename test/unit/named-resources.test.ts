/** Named resources: how they are written, and that they count wherever jobs are packed. */
import { describe, expect, it } from 'vitest';
import { roomsOfNew } from '../../src/model/decide/autoscaling-rooms.ts';
import { copyOf } from '../../src/model/decide/autoscaling-time.ts';
import { fits, idleWorker, take } from '../../src/model/decide/packing.ts';
import { defaultRequirements } from '../../src/model/job.ts';
import {
  amountsIn,
  amountsText,
  problemOfResources,
  resourceSet,
  resourcesOfGres,
} from '../../src/model/named-resources.ts';
import { Admission } from '../../src/worker/admission.ts';
import { assignment } from '../worker/fake-server.ts';

const need = { ...defaultRequirements, resources: 'fpga=2' };

describe('a set of named resources', () => {
  it('is one text in the order of names, without those that are 0', () => {
    expect(resourceSet({ scratch_gb: 200, fpga: 1, tape: 0 })).toBe('fpga=1,scratch_gb=200');
    expect(amountsIn('fpga=1,scratch_gb=200')).toEqual({ fpga: 1, scratch_gb: 200 });
    expect(amountsIn(resourceSet({}))).toEqual({});
    expect(amountsText({ a: 1, b: 2, c: 3 })).toBe('1 a, 2 b and 3 c');
  });

  it.each([
    ['gpu:2', {}],
    ['gpu:a100:2,fpga:xilinx:3(S:0-1)', { fpga: 3 }],
    ['gres/fpga:1,fpga:2,nic', { fpga: 3, nic: 1 }],
    ['', {}],
  ])('of the gres %j is %j', (gres, amounts) => {
    expect(resourcesOfGres(gres)).toEqual(amounts);
  });

  it.each([{ FPGA: 1 }, { '': 1 }, { gpus: 1 }, { fpga: 1.5 }, { fpga: -1 }, { fpga: '2' }])(
    '%j is none',
    (amounts) => {
      expect(problemOfResources(amounts)).not.toBeNull();
    },
  );

  it('has any other names', () => {
    expect(problemOfResources({ fpga: 1, scratch_gb: 200 })).toBeNull();
  });
});

describe('packing', () => {
  it('gives out what there is, on each node', () => {
    const offer = { numNodes: 3, numCpus: 8, memoryBytes: 2 ** 40, numGpus: 0, maxParallelJobs: null };
    expect(fits(idleWorker(offer, null), need)).toBe(false);
    const free = idleWorker({ ...offer, resources: 'fpga=3' }, null);
    const before = copyOf(free);
    take(free, need);
    expect([fits(free, need), fits(before, need)]).toEqual([false, true]);
    expect(fits(free, { ...need, resources: 'fpga=1' })).toBe(true);
    const wide = { ...need, numNodes: 2 };
    expect(fits(free, wide)).toBe(true);
    expect(fits(free, { ...wide, resources: 'fpga=4' })).toBe(false);
    const all = copyOf(before);
    take(all, { ...need, numNodes: 3 });
    expect(all.named).toEqual({});
  });

  it('of new allocations counts those of the Slurm config', () => {
    const config = { key: 1, name: 's', walltimeMs: 1, numNodes: 1, size: null };
    const pool = { config: 1, labels: '', takesUnlabelled: true };
    const allocation = { numNodes: 1, oneWorkerPerNode: false, walltimeMs: 3_600_000 };
    const roomFor = (resources: string) =>
      roomsOfNew(allocation, { ...config, pool, resources }, null, null).some(({ free }) => fits(free, need));
    expect([roomFor(''), roomFor('fpga=1'), roomFor('fpga=2')]).toEqual([false, false, true]);
  });
});

describe('a job with named resources', () => {
  it('does not get the place of another: the numbers of its units are its own', () => {
    const admission = new Admission({ numCpus: 1, memoryBytes: 2 ** 40, maxParallelJobs: null });
    const job = (attempt: number) =>
      assignment({ attempt, job_key: String(attempt), command: 'x', resources: { fpga: 1 } });
    for (const attempt of [1, 2]) admission.add(job(attempt));
    expect(admission.next()?.units).toEqual({ fpga: [0] });
    expect(admission.nextToQueue(() => true)).toBeNull();
    admission.release(1);
    expect(admission.next()?.units).toEqual({ fpga: [0] });
  });
});
