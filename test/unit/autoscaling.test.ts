/** What an autoscaler decides: from what waits, what is there, what is queued and how earlier starts ended. */
import { describe, expect, it } from 'vitest';
import { decideScaling } from '../../src/model/decide/autoscaling.ts';
import type { OpenAllocation, ScalingInput, WaitingShape } from '../../src/model/decide/autoscaling-input.ts';
import { scalingText } from '../../src/model/decide/autoscaling-text.ts';
import { judgeStart, type StartFacts, waitAfterFailures } from '../../src/model/decide/failed-starts.ts';
import { nodeSize } from '../../src/model/decide/node-size.ts';
import { idleWorker } from '../../src/model/decide/packing.ts';
import { anyConfig } from '../../src/model/decide/pools.ts';
import { defaultRequirements, type Requirements } from '../../src/model/job.ts';

const now = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
const gib = 1024 ** 3;
const pool = { config: 1, labels: '', takesUnlabelled: true };
const size = { numCpus: 4, memoryBytes: 16 * gib, numGpus: 0 };

function shape(numJobs: number, need: Partial<Requirements> = {}, more: Partial<WaitingShape> = {}): WaitingShape {
  const whole = { ...defaultRequirements, isRuntimeStated: true, runtimeMs: hourMs, ...need };
  const place = { slurmConfigKey: anyConfig, labels: '', supportsTermination: false };
  return { need: whole, numJobs, usualMs: null, ...place, ...more };
}

function allocation(key: number, fields: Partial<OpenAllocation> = {}): OpenAllocation {
  const states = { isQueued: true, isCancelable: true, isCanceled: false, unneededSince: null, timeLeftMs: null };
  return { key, config: 1, numNodes: 1, oneWorkerPerNode: false, walltimeMs: 4 * hourMs, ...states, ...fields };
}

function input(
  fields: Partial<Omit<ScalingInput, 'caps'>> & { caps?: Partial<ScalingInput['caps']> } = {},
): ScalingInput {
  const { caps, ...rest } = fields;
  const none = { walltimeMs: null, nodesPerAllocation: null, isChain: false };
  return {
    now,
    obstacle: null,
    configs: [{ key: 1, name: 'c', pool, walltimeMs: 4 * hourMs, numNodes: 1, size }],
    waiting: [],
    numBlocked: 0,
    workers: [],
    allocations: [],
    numLeaving: 0,
    failures: [],
    maxParallelJobs: null,
    leadMs: 30_000,
    ...rest,
    caps: { minNodes: 0, maxNodes: 10, maxQueued: 4, ...none, ...caps },
  };
}

const worker = (numCpus: number, freeCpus: number, timeLeftMs: number | null = null) => {
  const idle = idleWorker({ ...size, numCpus, numNodes: 1, maxParallelJobs: null }, timeLeftMs);
  return { pool, walltimeMs: 4 * hourMs, idle, free: { ...idle, numCpus: freeCpus } };
};
const numNodes = (fields: Parameters<typeof input>[0]) => decideScaling(input(fields)).submit.length;
const failed = (...minutesAgo: number[]) => minutesAgo.map((m) => ({ at: now - m * 60_000, words: 'no' }));

describe('more nodes', () => {
  it('are as many as what waits fills', () => {
    expect(numNodes({ waiting: [shape(9)] })).toBe(3);
    expect(numNodes({ waiting: [shape(3, { numCpus: 3 })] })).toBe(3);
    expect(numNodes({ waiting: [shape(2, { numCpus: 3 }), shape(2)] })).toBe(2);
    expect(numNodes({ waiting: [shape(4, { memoryBytes: 8 * gib })] })).toBe(2);
    expect(numNodes({ waiting: [] })).toBe(0);
  });

  it('are fewer by what is free, what is queued and what is coming', () => {
    expect(numNodes({ waiting: [shape(9)], workers: [worker(4, 4)] })).toBe(2);
    expect(numNodes({ waiting: [shape(9)], workers: [worker(4, 1)], allocations: [allocation(1)] })).toBe(1);
    expect(numNodes({ waiting: [shape(9)], allocations: [allocation(1), allocation(2), allocation(3)] })).toBe(0);
    // what runs long does not fit into what is left, and a canceled one does not come
    expect(numNodes({ waiting: [shape(1)], workers: [worker(4, 4, hourMs / 2)] })).toBe(1);
    expect(numNodes({ waiting: [shape(1)], allocations: [allocation(1, { isCanceled: true })] })).toBe(1);
  });

  it('never exceed the caps, whatever is on its way out', () => {
    const caps = { maxNodes: 3, maxQueued: 2 };
    expect(numNodes({ waiting: [shape(100)], caps })).toBe(2);
    const running = allocation(1, { isQueued: false });
    expect(numNodes({ waiting: [shape(100)], caps, allocations: [running, allocation(2)] })).toBe(1);
    expect(numNodes({ waiting: [shape(100)], caps, allocations: [running, running, running] })).toBe(0);
    expect(numNodes({ waiting: [shape(100)], caps, allocations: [running, running], numLeaving: 1 })).toBe(0);
    expect(decideScaling(input({ waiting: [shape(100)], caps, numLeaving: 3 })).reason).toEqual({
      code: 'at_max',
      max_nodes: 3,
    });
  });

  it('are not asked for jobs that wait for others', () => {
    const decision = decideScaling(input({ numBlocked: 50 }));
    expect(decision).toMatchObject({ submit: [], lookAt: null, reason: { code: 'nothing_ready', num_blocked: 50 } });
  });

  it('are one at first where nobody knows how large a node is', () => {
    const configs = [{ key: 1, name: 'c', pool, walltimeMs: 4 * hourMs, numNodes: 1, size: null }];
    expect(numNodes({ waiting: [shape(900)], configs })).toBe(1);
    expect(numNodes({ waiting: [shape(900)], configs, allocations: [allocation(1)] })).toBe(0);
  });

  it('let short jobs take turns', () => {
    const short = { runtimeMs: 10_000 };
    expect(numNodes({ waiting: [shape(96, short)] })).toBe(2);
    expect(numNodes({ waiting: [shape(40, short)], workers: [worker(4, 0)] })).toBe(0);
    expect(numNodes({ waiting: [shape(12, {}, { usualMs: 1_000 })] })).toBe(1);
  });

  it('are of the size that each job needs, where Slurm configs have nodes of different sizes', () => {
    const large = { numCpus: 16, memoryBytes: 64 * gib, numGpus: 0 };
    const config = (key: number, of: typeof size) => ({
      key,
      name: `c${key}`,
      pool: { ...pool, config: key },
      walltimeMs: 4 * hourMs,
      numNodes: 1,
      size: of,
    });
    const configs = [config(1, size), config(2, large)];
    const configsFor = (...waiting: WaitingShape[]) =>
      decideScaling(input({ configs, waiting }))
        .submit.map((one) => one.config)
        .sort();
    expect(configsFor(shape(1, { numCpus: 12 }))).toEqual([2]);
    expect(configsFor(shape(1, { memoryBytes: 32 * gib }))).toEqual([2]);
    // what the large node has left takes small jobs; the others get small nodes
    expect(configsFor(shape(4), shape(1, { numCpus: 12 }))).toEqual([2]);
    expect(configsFor(shape(11), shape(1, { numCpus: 12 }))).toEqual([1, 1, 2]);
    // small workers are no reason to wait
    const workers = [worker(4, 4), worker(4, 4)];
    const beside = decideScaling(input({ configs, workers, waiting: [shape(1, { numCpus: 12 })] }));
    expect(beside.submit).toMatchObject([{ config: 2 }]);
  });

  it('come as allocations that are wide enough, of a Slurm config that takes the job', () => {
    const wide = decideScaling(input({ waiting: [shape(1, { numNodes: 3 })] }));
    expect(wide.submit).toMatchObject([{ numNodes: 3, oneWorkerPerNode: false }]);
    const pairs = decideScaling(input({ waiting: [shape(16)], caps: { nodesPerAllocation: 2 } }));
    expect(pairs.submit).toMatchObject([1, 2].map(() => ({ numNodes: 2, oneWorkerPerNode: true })));
    const misfit = decideScaling(input({ waiting: [shape(2, { numCpus: 5 })] }));
    expect(misfit).toMatchObject({ submit: [], reason: { code: 'fits_no_config', num_jobs: 2 } });
    // short ones are counted as jobs, not as turns
    const short = decideScaling(input({ waiting: [shape(7, { numCpus: 5, runtimeMs: 60_000 })] }));
    expect(short.reason).toEqual({ code: 'fits_no_config', num_jobs: 7 });
    expect(numNodes({ waiting: [shape(1, { runtimeMs: 5 * hourMs })] })).toBe(0);
    expect(numNodes({ waiting: [shape(1, {}, { slurmConfigKey: 2 })] })).toBe(0);
  });

  it('last as long as what is left needs, at most as long as the Slurm config says', () => {
    const walltime = (fields: Parameters<typeof input>[0]) => decideScaling(input(fields)).submit[0]?.walltimeMs;
    const job = { runtimeMs: 1_200_000 };
    expect(walltime({ waiting: [shape(4, job)] })).toBe(1_800_000);
    expect(walltime({ waiting: [shape(4, job)], numBlocked: 12 })).toBe(6_000_000);
    // the others run elsewhere, if anywhere
    expect(walltime({ waiting: [shape(4, job), shape(9, { resources: 'fpga=1' })] })).toBe(1_800_000);
    expect(walltime({ waiting: [shape(4, job)], numBlocked: 10_000 })).toBe(4 * hourMs);
    expect(walltime({ waiting: [shape(4, { isRuntimeStated: false })] })).toBe(4 * hourMs);
    expect(walltime({ waiting: [shape(4, job)], caps: { walltimeMs: 2 * hourMs } })).toBe(2 * hourMs);
    expect(walltime({ waiting: [shape(4, job)], caps: { walltimeMs: 9 * hourMs } })).toBe(4 * hourMs);
  });

  it('are there for the minimum even when nothing waits', () => {
    expect(numNodes({ caps: { minNodes: 2 } })).toBe(2);
    expect(numNodes({ caps: { minNodes: 2 }, allocations: [allocation(1)] })).toBe(1);
  });
});

describe('where whole nodes have several sizes', () => {
  const large = { numCpus: 16, memoryBytes: 64 * gib, numGpus: 0 };
  const memory = { numCpus: 4, memoryBytes: 128 * gib, numGpus: 0 };
  const nodes = [
    { ...size, partition: 'p', numNodes: 20 },
    { ...large, partition: 'p', numNodes: 2 },
    { ...memory, partition: 'p', numNodes: 1 },
  ].map((node) => ({ ...node, unaskedMemoryBytes: node.memoryBytes }));
  const configs = [{ key: 1, name: 'c', pool, walltimeMs: 4 * hourMs, numNodes: 1, size, nodes }];
  const of = (fields: Parameters<typeof input>[0]) => decideScaling(input({ configs, ...fields }));
  const minimums = (fields: Parameters<typeof input>[0]) => of(fields).submit.map(({ minimum }) => minimum);
  const cpus = { numCpus: 16, memoryBytes: 64 * gib, numGpus: null };
  const none = { numCpus: null, memoryBytes: null, numGpus: null };
  const waiting = [shape(1, { numCpus: 12 })];

  it('an allocation asks for what every node has that is large enough for its jobs', () => {
    expect(minimums({ waiting })).toEqual([cpus]);
    expect(minimums({ waiting: [shape(1, { memoryBytes: 100 * gib })] })).toEqual([
      { numCpus: null, memoryBytes: 128 * gib, numGpus: null },
    ]);
    // either of the two kinds that are larger
    expect(minimums({ waiting: [shape(1, { memoryBytes: 32 * gib })] })).toEqual([
      { numCpus: null, memoryBytes: 64 * gib, numGpus: null },
    ]);
    expect(minimums({ waiting: [shape(1)] })).toEqual([none]);
    expect(of({ waiting: [shape(3, { numCpus: 12, memoryBytes: 100 * gib })] }).reason).toEqual({
      code: 'fits_no_config',
      num_jobs: 3,
    });
  });

  it('there are as many of them as an allocation has nodes', () => {
    expect(of({ waiting: [shape(1, { numCpus: 12, numNodes: 2 })] }).submit).toMatchObject([
      { numNodes: 2, minimum: cpus },
    ]);
    expect(of({ waiting: [shape(1, { numCpus: 12, numNodes: 3 })] }).reason.code).toBe('fits_no_config');
  });

  it('smaller jobs fill what is left there, and the others get any node', () => {
    expect(minimums({ waiting: [shape(4), ...waiting] })).toEqual([cpus]);
    expect(minimums({ waiting: [shape(11), ...waiting] })).toEqual([cpus, none, none]);
  });

  it('a Slurm config that takes a job as it is comes first', () => {
    const other = { key: 2, name: 'd', pool: { ...pool, config: 2 }, walltimeMs: 4 * hourMs, numNodes: 1, size: large };
    expect(of({ waiting, configs: [...configs, other] }).submit).toMatchObject([{ config: 2, minimum: none }]);
  });

  it('a queued allocation has what it asks for, and no more than the smallest node else', () => {
    expect(minimums({ waiting, allocations: [allocation(1)] })).toEqual([cpus]);
    expect(minimums({ waiting, allocations: [allocation(1, { minimum: cpus })] })).toEqual([]);
    // small jobs leave it to those that need it
    const both = [shape(4), ...waiting];
    const queued = [allocation(1, { minimum: cpus }), allocation(2)];
    expect(of({ waiting: both, allocations: queued })).toMatchObject({ submit: [], unneeded: [] });
    expect(of({ waiting: [shape(4)], allocations: queued }).unneeded).toEqual([1]);
  });

  it('jobs with much memory and few CPUs keep their node from those with more CPUs', () => {
    const minimum = { numCpus: null, memoryBytes: 128 * gib, numGpus: null };
    const queued = [allocation(1, { minimum }), allocation(2)];
    const jobs = [shape(1, { numCpus: 4 }), shape(1, { memoryBytes: 100 * gib })];
    expect(of({ waiting: jobs, allocations: queued })).toMatchObject({ submit: [], unneeded: [] });
  });

  it('one place in the queue is left to jobs that fit anywhere while nothing else takes them', () => {
    const jobs = [shape(9, { numCpus: 12 }), shape(40, { numCpus: 4 })];
    expect(minimums({ waiting: jobs })).toEqual([cpus, cpus, cpus, none]);
    expect(minimums({ waiting: jobs, caps: { maxNodes: 2 } })).toEqual([cpus, none]);
    expect(minimums({ waiting: jobs, caps: { maxQueued: 1 } })).toEqual([cpus]);
    expect(minimums({ waiting: jobs, allocations: [allocation(1)] })).toEqual([cpus, cpus, cpus]);
    // but none to those that fit nowhere
    const nowhere = [shape(9, { numCpus: 12 }), shape(1, { numCpus: 99 })];
    expect(minimums({ waiting: nowhere })).toEqual([cpus, cpus, cpus, cpus]);
    expect(minimums({ waiting: jobs, allocations: [allocation(1, { minimum: cpus })] })).toEqual([cpus, cpus, none]);
  });

  it('a chain asks for what the first job needs', () => {
    expect(minimums({ waiting, caps: { isChain: true, maxNodes: 2 } })).toEqual([cpus]);
  });
});

describe('after failed starts', () => {
  it('it waits longer each time, and tells why', () => {
    expect([0, 1, 2, 3, 4, 5, 30].map(waitAfterFailures)).toEqual([0, 10e3, 20e3, 60e3, 120e3, 240e3, 1800e3]);
    const decision = decideScaling(input({ waiting: [shape(9)], failures: failed(5, 4, 0.5) }));
    expect(decision).toMatchObject({ submit: [], lookAt: now + 30_000, reason: { code: 'backs_off', num_failed: 3 } });
    expect(scalingText(decision.reason)).toContain('3 starts in a row failed, the last: no');
  });

  it('then tries with a single allocation, and never gives up', () => {
    expect(numNodes({ waiting: [shape(99)], failures: failed(5, 4, 3) })).toBe(1);
    expect(numNodes({ waiting: [shape(99)], failures: failed(5, 4, 3), allocations: [allocation(1)] })).toBe(0);
    const many = Array.from({ length: 20 }, () => 31);
    expect(numNodes({ waiting: [shape(99)], failures: failed(...many) })).toBe(1);
  });

  it('a start is judged by whether a job ran there', () => {
    const start: StartFacts = {
      ...{ status: 'ended', slurmState: 'COMPLETED', isAnswered: true, isCanceled: false, endedForMs: 1000 },
      ...{ busyForMs: null, hasEndedJob: false, isWanted: true },
    };
    expect(judgeStart(start)).toBe('nothing');
    expect(judgeStart({ ...start, isWanted: false })).toBe('needless');
    expect(judgeStart({ ...start, isCanceled: true })).toBe('needless');
    expect(judgeStart({ ...start, status: 'refused' })).toBe('nothing');
    expect(judgeStart({ ...start, status: 'refused', isAnswered: false })).toBe('needless');
    expect(judgeStart({ ...start, hasEndedJob: true, slurmState: 'NODE_FAIL' })).toBe('worked');
    expect(judgeStart({ ...start, busyForMs: 5000, slurmState: 'NODE_FAIL' })).toBe('nothing');
    expect(judgeStart({ ...start, busyForMs: 5000, slurmState: 'PREEMPTED' })).toBe('worked');
    expect(judgeStart({ ...start, busyForMs: 5000, slurmState: null })).toBeNull();
    expect(judgeStart({ ...start, status: 'running' })).toBeNull();
    expect(judgeStart({ ...start, status: 'running', busyForMs: 90_000 })).toBe('worked');
  });
});

describe('queued allocations', () => {
  const old = now - 31_000;

  it('are canceled when no job has needed them for a while', () => {
    const two = [allocation(1, { unneededSince: old }), allocation(2)];
    expect(decideScaling(input({ allocations: two }))).toMatchObject({ cancel: [1], unneeded: [2, 1] });
    expect(decideScaling(input({ allocations: [allocation(2)] })).lookAt).toBe(now + 30_000);
    expect(decideScaling(input({ allocations: two, waiting: [shape(1)] }))).toMatchObject({
      cancel: [],
      unneeded: [2],
    });
  });

  it('stay while they are needed, for the minimum, and when they are not its own', () => {
    const one = [allocation(1, { unneededSince: old })];
    expect(decideScaling(input({ allocations: one, waiting: [shape(1)] })).cancel).toEqual([]);
    expect(decideScaling(input({ allocations: one, caps: { minNodes: 1 } })).cancel).toEqual([]);
    expect(
      decideScaling(input({ allocations: [allocation(1, { unneededSince: old, isCancelable: false })] })).cancel,
    ).toEqual([]);
  });

  it('go at once when the run is over, and stay in a pause', () => {
    const over = { reason: { code: 'not_running' } as const, keeps: false };
    expect(decideScaling(input({ obstacle: over, allocations: [allocation(1)] })).cancel).toEqual([1]);
    const paused = { reason: { code: 'paused' } as const, keeps: true };
    expect(decideScaling(input({ obstacle: paused, allocations: [allocation(1)] })).cancel).toEqual([]);
  });
});

describe('a chain', () => {
  const caps = { isChain: true, maxNodes: 2 };
  const running = allocation(1, { isQueued: false, timeLeftMs: hourMs });

  it('has one allocation, and the next one queued when that will not do everything', () => {
    expect(decideScaling(input({ caps, waiting: [shape(99)] })).submit).toMatchObject([{ after: null }]);
    const busy = { caps, waiting: [shape(99)], workers: [worker(4, 0)], allocations: [running] };
    expect(decideScaling(input(busy)).submit).toMatchObject([{ after: 1 }]);
    expect(numNodes({ ...busy, allocations: [running, allocation(2)] })).toBe(0);
    expect(numNodes({ ...busy, waiting: [shape(4, { runtimeMs: 60_000 })] })).toBe(0);
    expect(numNodes({ ...busy, waiting: [] })).toBe(0);
  });

  it('goes on for the jobs that a Slurm config takes, and not for others', () => {
    const misfits = [shape(3, { resources: 'fpga=1' }), shape(2, { numCpus: 5 })];
    expect(decideScaling(input({ caps, waiting: [...misfits, shape(9)] })).submit).toMatchObject([{ after: null }]);
    const idle = { caps, waiting: misfits, workers: [worker(4, 4)], allocations: [running] };
    for (const fields of [idle, { ...idle, numBlocked: 4 }, { caps, waiting: misfits }]) {
      const decided = decideScaling(input(fields));
      expect(decided).toMatchObject({ submit: [], reason: { code: 'fits_no_config', num_jobs: 5 } });
    }
  });
});

it('the size of a node is what the newest worker has shown, else what the Slurm config asks for', () => {
  const texts = { ntasksPerNode: null, mem: null, gres: null, extra: null };
  expect(nodeSize(texts, size)).toEqual(size);
  expect(nodeSize({ ...texts, extra: '--exclusive' }, null)).toBeNull();
  expect(nodeSize({ ...texts, extra: '--qos=x --cpus-per-task=8', mem: '2048' }, null)).toEqual({
    ...{ numCpus: 8, memoryBytes: 2 * gib, numGpus: 0 },
  });
  const two = nodeSize({ ...texts, ntasksPerNode: 2, extra: '-c4', mem: '16G', gres: 'gpu:a100:2,shard:4' }, null);
  expect(two).toEqual({ numCpus: 8, memoryBytes: 16 * gib, numGpus: 2 });
});
