/** CPUs of jobs: which ones a worker may use, how they lie on the node, which of them a job gets. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { numberList, numbersIn } from '../../src/base/number-list.ts';
import { CpuSets } from '../../src/worker/cpu-sets.ts';
import { allowedCpus, topologyOf, usableTopology } from '../../src/worker/processes/topology.ts';

/** A root directory with these files. */
function rootWith(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'torc-root-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** Two NUMA domains of two cores with two threads each; the siblings of CPU n are n and n + 4. */
const twoDomains = {
  'proc/self/status': 'Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\nMems_allowed_list:\t0-1\n',
  'sys/devices/system/node/node0/cpulist': '0-1,4-5\n',
  'sys/devices/system/node/node1/cpulist': '2-3,6-7\n',
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5, 6, 7].map((cpu) => {
      const path = `sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`;
      return [path, `${cpu % 4},${(cpu % 4) + 4}\n`];
    }),
  ),
};
const topology = [
  [
    [0, 4],
    [1, 5],
  ],
  [
    [2, 6],
    [3, 7],
  ],
];

describe('lists of numbers', () => {
  it.each([
    ['', []],
    ['0', [0]],
    ['0-3,8', [0, 1, 2, 3, 8]],
    ['1,3,5-6', [1, 3, 5, 6]],
  ])('%j', (list, numbers) => {
    expect(numbersIn(list)).toEqual(numbers);
    expect(numberList(numbers)).toBe(list);
  });

  it.each(['-', 'a', '1-', '1,,2', '0-3 8'])('%j is none', (list) => {
    expect(numbersIn(list)).toBeNull();
  });
});

describe('the CPUs of a node', () => {
  it('are those that the kernel allows, in domains and cores', () => {
    const root = rootWith(twoDomains);
    expect(allowedCpus(root)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(topologyOf([0, 1, 2, 3, 4, 5, 6, 7], root)).toEqual(topology);
    expect(topologyOf([1, 6], root)).toEqual([[[1]], [[6]]]);
  });

  it('are those that are online: the kernel also allows others', () => {
    const online = (list: string) => rootWith({ ...twoDomains, 'sys/devices/system/cpu/online': list });
    expect(usableTopology(4, 4, online('0-3\n'))).toEqual({
      topology: [
        [[0], [1]],
        [[2], [3]],
      ],
      problem: null,
    });
    expect(usableTopology(5, null, online('0-3\n')).topology).toBeNull();
    expect(allowedCpus(online('0-255\n'))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    // of a container that counts its CPUs from 0
    expect(allowedCpus(online('16-17\n'))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('are one domain without siblings where the kernel describes nothing', () => {
    const root = rootWith({ 'proc/self/status': 'Cpus_allowed_list:\t2,5-6\n' });
    expect(usableTopology(2, null, root)).toEqual({ topology: [[[2], [5], [6]]], problem: null });
  });

  it('are not known where they cannot be the own ones', () => {
    const root = rootWith(twoDomains);
    expect(usableTopology(8, 8, root).topology).toEqual(topology);
    expect(usableTopology(9, null, root)).toMatchObject({
      topology: null,
      problem: 'the worker gives out 9 CPUs, and this process may use 8',
    });
    expect(usableTopology(4, 4, root)).toMatchObject({
      topology: null,
      problem: 'the allocation has 4 of the 8 CPUs that this process may use, and Slurm has not bound it to them',
    });
    expect(usableTopology(1, null, rootWith({ x: '' })).topology).toBeNull();
  });
});

describe('the CPUs of a job', () => {
  it('lie close together: whole cores, within one domain where that is possible', () => {
    const sets = new CpuSets(topology);
    expect(sets.take(2, 'compact')).toEqual([0, 4]);
    expect(sets.take(4, 'compact')).toEqual([2, 3, 6, 7]);
    expect(sets.take(1, 'compact')).toEqual([1]);
    expect(sets.take(1, 'compact')).toEqual([5]);
    expect(sets.take(1, 'compact')).toBeNull();
    sets.give([2, 3, 6, 7]);
    sets.give([4, 0]);
    expect(sets.take(1, 'compact')).toEqual([0]);
    // half a core is left there, and more than one core is asked for
    expect(sets.take(3, 'compact')).toEqual([2, 3, 6]);
    expect(sets.take(2, 'compact')).toEqual([4, 7]);
  });

  it('use domains and cores evenly when they are spread', () => {
    const sets = new CpuSets(topology);
    expect(sets.take(2, 'spread')).toEqual([0, 2]);
    expect(sets.take(2, 'spread')).toEqual([1, 3]);
    expect(sets.take(4, 'spread')).toEqual([4, 5, 6, 7]);
  });
});
