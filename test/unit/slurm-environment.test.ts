import { describe, expect, it } from 'vitest';
import { perNodeValue, slurmEnvironment } from '../../src/slurm/environment.ts';

const nowMs = 1_800_000_000_000;
const mebibyte = 1024 * 1024;
const allocation = { SLURM_JOB_ID: '26' };
const read = (env: Record<string, string>, walltimeSeconds?: number) => {
  const found = slurmEnvironment({ ...allocation, ...env }, nowMs, walltimeSeconds);
  if (found === null) throw new Error('not in an allocation');
  return found;
};

describe('slurmEnvironment', () => {
  it.each([[{}], [{ SLURM_JOB_ID: '' }], [{ SLURM_CPUS_ON_NODE: '4' }]])('is null outside of Slurm: %j', (env) => {
    expect(slurmEnvironment(env, nowMs)).toBeNull();
  });

  it('reads what Slurm 22.05 gives a step on the second of two nodes', () => {
    const found = read(
      {
        SLURMD_NODENAME: 'c2',
        SLURM_CLUSTER_NAME: 'torc',
        SLURM_CPUS_ON_NODE: '4',
        SLURM_JOB_CPUS_PER_NODE: '4(x2)',
        SLURM_JOB_NAME: 'w1',
        SLURM_JOB_NODELIST: 'c[1-2]',
        SLURM_JOB_NUM_NODES: '2',
        SLURM_MEM_PER_NODE: '600',
        SLURM_NODEID: '1',
        SLURM_PROCID: '1',
        TORC_ALLOCATION_START: String(nowMs / 1000 - 10),
      },
      300,
    );
    expect(found).toEqual({
      slurmJobId: '26',
      cluster: 'torc',
      restartCount: 0,
      jobName: 'w1',
      nodeName: 'c2',
      nodeId: 1,
      numNodes: 2,
      nodeNames: ['c2', 'c1'],
      numCpus: 4,
      memoryBytes: 600 * mebibyte,
      gpuIds: [],
      startTimeMs: nowMs - 10_000,
      endTimeMs: nowMs + 290_000,
      walltimeSeconds: 300,
    });
  });

  it('names the nodes of the allocation with its own first, or none when that is unknown', () => {
    const names = (list: string, own?: string) =>
      read({ SLURM_JOB_NODELIST: list, ...(own === undefined ? {} : { SLURMD_NODENAME: own }) }).nodeNames;
    expect(names('n[1-3]', 'n3')).toEqual(['n3', 'n1', 'n2']);
    expect(names('n[1-3]')).toEqual(['n1', 'n2', 'n3']);
    expect(names('n[1-3]', 'login')).toEqual([]);
    expect(names('n[1-3', 'n1')).toEqual([]);
  });

  it('is null or empty for everything that is missing', () => {
    expect(read({})).toEqual({
      slurmJobId: '26',
      cluster: null,
      restartCount: 0,
      jobName: null,
      nodeName: null,
      nodeId: 0,
      numNodes: 1,
      nodeNames: [],
      numCpus: null,
      memoryBytes: null,
      gpuIds: [],
      startTimeMs: null,
      endTimeMs: null,
      walltimeSeconds: null,
    });
  });

  it('reads the restart count', () => {
    expect(read({ SLURM_RESTART_COUNT: '3' }).restartCount).toBe(3);
    expect(read({ SLURM_RESTART_COUNT: '-1' }).restartCount).toBe(0);
  });
});

describe('cpus', () => {
  it.each([
    ['4(x2),3', 0, 4],
    ['4(x2),3', 1, 4],
    ['4(x2),3', 2, 3],
    ['4(x2),3', 3, null],
    ['16', 0, 16],
    ['4,1', 1, 1],
    ['4(x', 0, null],
    ['', 0, null],
    ['4(x2)3', 0, null],
  ])('%j at node %d is %j', (list, nodeId, expected) => {
    expect(perNodeValue(list, nodeId)).toBe(expected);
  });

  it('prefers the node’s own value to the list, and the list to nothing', () => {
    const list = { SLURM_JOB_CPUS_PER_NODE: '4(x2),3', SLURM_NODEID: '2' };
    expect(read({ ...list, SLURM_CPUS_ON_NODE: '7' }).numCpus).toBe(7);
    expect(read(list).numCpus).toBe(3);
    expect(read({ SLURM_CPUS_ON_NODE: '0' }).numCpus).toBeNull();
    expect(read({ SLURM_CPUS_ON_NODE: 'four' }).numCpus).toBeNull();
  });
});

describe('memory', () => {
  it.each([
    [{ SLURM_MEM_PER_NODE: '4096' }, 4096 * mebibyte],
    [{ SLURM_MEM_PER_NODE: '4G' }, 4096 * mebibyte],
    [{ SLURM_MEM_PER_CPU: '200', SLURM_CPUS_ON_NODE: '3' }, 600 * mebibyte],
    [{ SLURM_MEM_PER_GPU: '1000', CUDA_VISIBLE_DEVICES: '0,1' }, 2000 * mebibyte],
    // --mem=0 means all memory of the node: there is no limit to state here
    [{ SLURM_MEM_PER_NODE: '0' }, null],
    [{ SLURM_MEM_PER_NODE: '' }, null],
    [{ SLURM_MEM_PER_NODE: 'lots' }, null],
    [{ SLURM_MEM_PER_NODE: '-5' }, null],
    [{ SLURM_MEM_PER_CPU: '200' }, null],
  ])('%j', (env, expected) => {
    expect(read(env as Record<string, string>).memoryBytes).toBe(expected);
  });
});

describe('GPUs', () => {
  it.each([
    [{ CUDA_VISIBLE_DEVICES: '0,1', SLURM_JOB_GPUS: '2,3' }, ['0', '1']],
    [{ CUDA_VISIBLE_DEVICES: 'GPU-8a1, MIG-2' }, ['GPU-8a1', 'MIG-2']],
    [{ CUDA_VISIBLE_DEVICES: '', SLURM_JOB_GPUS: '2,3' }, []],
    [{ CUDA_VISIBLE_DEVICES: '0,-1,2' }, ['0']],
    [{ CUDA_VISIBLE_DEVICES: 'NoDevFiles' }, []],
    [{ CUDA_VISIBLE_DEVICES: '1,1,0' }, ['1', '0']],
    [{ SLURM_STEP_GPUS: '3', SLURM_JOB_GPUS: '2,3' }, ['3']],
    [{ SLURM_JOB_GPUS: '0-2,5' }, ['0', '1', '2', '5']],
    [{ SLURM_GPUS_ON_NODE: '2' }, ['0', '1']],
    [{ SLURM_GPUS_ON_NODE: 'gpu:2' }, []],
  ])('%j', (env, expected) => {
    expect(read(env as Record<string, string>).gpuIds).toEqual(expected);
  });
});

describe('time', () => {
  const second = nowMs / 1000;

  it('takes the end that Slurm names, and the walltime between its start and end', () => {
    const env = { SLURM_JOB_START_TIME: String(second - 60), SLURM_JOB_END_TIME: String(second + 540) };
    expect(read({ ...env, TORC_ALLOCATION_START: String(second - 50) }, 1)).toMatchObject({
      startTimeMs: nowMs - 60_000,
      endTimeMs: nowMs + 540_000,
      walltimeSeconds: 600,
    });
  });

  it('adds the walltime to the script’s start', () => {
    expect(read({ TORC_ALLOCATION_START: String(second - 100) }, 600).endTimeMs).toBe(nowMs + 500_000);
  });

  it('counts from now when there is no start or one in the future', () => {
    expect(read({}, 600).endTimeMs).toBe(nowMs + 600_000);
    expect(read({ TORC_ALLOCATION_START: String(second + 5000) }, 600).endTimeMs).toBe(nowMs + 600_000);
  });

  it.each([
    ['ahead by ten minutes', 600],
    ['behind by ten minutes', -600],
  ])('of Slurm or of the first node means nothing on a node whose clock is %s', (_, offset) => {
    const start = second - offset - 5;
    const leftMs = (env: Record<string, string>) => (read(env, 900).endTimeMs ?? 0) - nowMs;
    const slurm = { SLURM_JOB_START_TIME: String(start), SLURM_JOB_END_TIME: String(start + 900) };
    expect(leftMs(slurm)).toBe(900_000);
    expect(leftMs({ TORC_ALLOCATION_START: String(start) })).toBe(900_000);
  });

  it('of Slurm counts for a worker that somebody starts late, also on a node whose clock is behind', () => {
    const late = { SLURM_JOB_START_TIME: String(second - 600), SLURM_JOB_END_TIME: String(second + 300) };
    expect(read(late).endTimeMs).toBe(nowMs + 300_000);
    const behind = { SLURM_JOB_START_TIME: String(second + 600), SLURM_JOB_END_TIME: String(second + 1500) };
    expect(read(behind)).toMatchObject({ startTimeMs: nowMs, endTimeMs: nowMs + 900_000 });
  });

  it('does not believe an end before the start', () => {
    const env = { SLURM_JOB_START_TIME: String(second), SLURM_JOB_END_TIME: String(second - 1) };
    expect(read(env, 600).endTimeMs).toBe(nowMs + 600_000);
  });

  it('has no end without a walltime', () => {
    expect(read({ TORC_ALLOCATION_START: String(second) })).toMatchObject({ endTimeMs: null, walltimeSeconds: null });
  });
});
