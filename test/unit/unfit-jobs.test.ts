/** Which jobs no allocation can hold, by their Slurm configs and by what the cluster offers. */
import { describe, expect, it } from 'vitest';
import type { NodeSize } from '../../src/model/decide/node-size.ts';
import { poolOfConfig } from '../../src/model/decide/pools.ts';
import { defaultRequirements, type Requirements } from '../../src/model/job.ts';
import { type AskedConfig, longestOfPartitions, nodesOfConfig } from '../../src/model/plan/config-places.ts';
import type { SiteProfile } from '../../src/model/plan/site.ts';
import { type JudgedConfig, unfitOf } from '../../src/model/plan/unfit.ts';
import { siteExample } from '../support/site.ts';

const gib = 1024 ** 3;
const hourMs = 3_600_000;

function asked(changes: Partial<AskedConfig> = {}): AskedConfig {
  return { partition: null, walltimeMs: hourMs, ntasksPerNode: null, mem: null, gres: null, extra: null, ...changes };
}

function config(key: number, changes: Partial<AskedConfig & { labels: string; mostNodes: number }> = {}): JudgedConfig {
  const { labels = '', mostNodes = null, ...others } = changes;
  const pool = poolOfConfig({ key, name: `c${key}`, labels, alsoUnlabelled: false });
  return { key, name: `c${key}`, pool, mostNodes, ...asked(others) };
}

function job(need: Partial<Requirements>, others: { slurmConfigKey?: number; labels?: string } = {}) {
  const { slurmConfigKey = 0, labels = '' } = others;
  return { need: { ...defaultRequirements, ...need }, supportsTermination: false, slurmConfigKey, labels };
}

describe('without a profile of the cluster', () => {
  it('only what the Slurm config states keeps a job out', () => {
    const small = [config(1, { mem: '4g', ntasksPerNode: 2, extra: '--cpus-per-task=4', gres: 'gpu:1' })];
    const codeOf = (need: Partial<Requirements>) => unfitOf(job(need), small, null)?.misfit.code ?? null;
    expect(codeOf({ memoryBytes: 4 * gib, numCpus: 8, gpuThousandths: 1000 })).toBeNull();
    expect(codeOf({ memoryBytes: 4 * gib + 1 })).toBe('larger_than_any_node');
    expect(codeOf({ numCpus: 9 })).toBe('larger_than_any_node');
    expect(codeOf({ gpuThousandths: 2000 })).toBe('larger_than_any_node');
    expect(unfitOf(job({ numCpus: 900, memoryBytes: 9000 * gib }), [config(1)], null)).toBeNull();
    expect(unfitOf(job({ numCpus: 900 }), [], null)).toBeNull();
  });

  it('a stated runtime is held against the walltime, an unknown one is not', () => {
    const runtime = { runtimeMs: hourMs + 1000, isRuntimeStated: true };
    expect(unfitOf(job(runtime), [config(1)], null)).toMatchObject({ isWalltime: true, config: { key: 1 } });
    expect(unfitOf({ ...job(runtime), supportsTermination: true }, [config(1)], null)).toBeNull();
    expect(unfitOf(job({ runtimeMs: hourMs, isRuntimeStated: true }), [config(1)], null)).toBeNull();
    expect(unfitOf(job({ runtimeMs: 9 * hourMs }), [config(1)], null)).toBeNull();
  });
});

describe('with a profile', () => {
  it('the partition of the Slurm config counts, the default one where it names none', () => {
    const need = { memoryBytes: 200 * gib };
    expect(unfitOf(job(need), [config(1)], siteExample)?.misfit).toMatchObject({
      largest: { memory_bytes: 128 * gib },
    });
    expect(unfitOf(job(need), [config(1, { partition: 'gpu' })], siteExample)).toBeNull();
    expect(unfitOf(job(need), [config(1, { partition: 'main,gpu' })], siteExample)).toBeNull();
    // the profile may be old
    expect(unfitOf(job(need), [config(1, { partition: 'new' })], siteExample)).toBeNull();
  });

  it('one Slurm config that holds a job is enough, if its workers may take it', () => {
    const configs = [config(1), config(2, { partition: 'gpu', labels: 'large' })];
    const need = { memoryBytes: 200 * gib };
    expect(unfitOf(job(need, { labels: 'large' }), configs, siteExample)).toBeNull();
    expect(unfitOf(job(need), configs, siteExample)).toMatchObject({ config: { name: 'c1' } });
    expect(unfitOf(job(need, { slurmConfigKey: 2 }), configs, siteExample)).toBeNull();
    expect(unfitOf(job(need, { labels: 'local' }), configs, siteExample)).toBeNull();
  });

  it('without a Slurm config the whole cluster counts, with nodes that are down', () => {
    const down = structuredClone(siteExample);
    for (const partition of down.partitions) for (const kind of partition.nodes) kind.num_usable = 0;
    expect(unfitOf(job({ memoryBytes: 500 * gib }), [], down)).toBeNull();
    expect(unfitOf(job({ memoryBytes: 600 * gib }), [], down)).toMatchObject({ config: null });
    const day = { runtimeMs: 25 * hourMs, isRuntimeStated: true };
    expect(unfitOf(job(day), [], down)?.misfit).toMatchObject({ code: 'outlasts_partitions', partition: 'gpu' });
  });

  it('the time limit of the partition counts where it is shorter than the walltime', () => {
    const long = { runtimeMs: 5 * hourMs, isRuntimeStated: true };
    const found = unfitOf(job(long), [config(1, { walltimeMs: 10 * hourMs })], siteExample);
    expect(found).toMatchObject({ isWalltime: false, misfit: { partition: 'main', longest_seconds: 4 * 3600 } });
    expect(longestOfPartitions({ partition: null }, siteExample)).toEqual({ partition: 'main', ms: 4 * hourMs });
    expect(longestOfPartitions({ partition: 'main,gpu' }, siteExample)).toEqual({ partition: 'gpu', ms: 24 * hourMs });
  });

  it('nodes are limited by the partition, and by the allocation where that does not grow', () => {
    const gpu = config(1, { partition: 'gpu' });
    expect(unfitOf(job({ numNodes: 4 }), [gpu], siteExample)).toBeNull();
    expect(unfitOf(job({ numNodes: 5 }), [gpu], siteExample)?.misfit).toMatchObject({ dimensions: ['nodes'] });
    expect(unfitOf(job({ numNodes: 4 }), [{ ...gpu, mostNodes: 2 }], siteExample)?.misfit).toMatchObject({
      largest: { num_nodes: 2 },
    });
  });

  it('a Slurm config that asks for more than any node has is left to Slurm', () => {
    const huge = config(1, { mem: '300g' });
    expect(unfitOf(job({ memoryBytes: 300 * gib }), [huge], siteExample)).toBeNull();
    expect(unfitOf(job({ memoryBytes: 301 * gib }), [huge], siteExample)).not.toBeNull();
  });

  it('GPUs that an allocation of part of a node does not ask for are not there; whole nodes have theirs', () => {
    const gpus = { gpuThousandths: 4000 };
    const on = (changes: Partial<AskedConfig>) =>
      unfitOf(job(gpus), [config(1, { partition: 'gpu', ...changes })], siteExample);
    expect(on({})?.misfit).toMatchObject({ dimensions: ['gpus'], largest: { num_gpus: 0 } });
    expect(on({ gres: 'gpu:4' })).toBeNull();
    expect(on({ extra: '--gpus-per-node=4' })).toBeNull();
    expect(on({ extra: '--exclusive' })).toBeNull();
  });

  it('CPUs are given in whole cores', () => {
    const threads = structuredClone(siteExample);
    for (const partition of threads.partitions) for (const kind of partition.nodes) kind.threads_per_core = 2;
    const three = config(1, { ntasksPerNode: 3 });
    expect(unfitOf(job({ numCpus: 4 }), [three], threads)).toBeNull();
    expect(unfitOf(job({ numCpus: 4 }), [three], siteExample)).not.toBeNull();
  });
});

describe('the size of a node for the autoscaler', () => {
  const shown = { numCpus: 7, memoryBytes: 7 * gib, numGpus: 0 };
  const sizeOf = (...given: Parameters<typeof nodesOfConfig>) => nodesOfConfig(...given).size;

  it('is what a worker has shown, then what is asked for, then a whole node of the partition', () => {
    const whole = asked({ extra: '--exclusive' });
    expect(sizeOf(whole, siteExample, shown)).toEqual(shown);
    expect(sizeOf(asked({ ntasksPerNode: 4, mem: '2g' }), siteExample, null)).toMatchObject({ numCpus: 4 });
    expect(sizeOf(whole, siteExample, null)).toEqual({ numCpus: 32, memoryBytes: 128 * gib, numGpus: 0 });
    expect(sizeOf({ ...whole, mem: '100g' }, siteExample, null)).toMatchObject({ memoryBytes: 100 * gib });
    expect(sizeOf({ ...whole, partition: 'gpu' }, siteExample, null)).toMatchObject({ numGpus: 4 });
  });

  it('stays unknown where nothing tells it', () => {
    expect(sizeOf(asked(), siteExample, null)).toBeNull();
    expect(sizeOf(asked({ extra: '--exclusive' }), null, null)).toBeNull();
    expect(sizeOf(asked({ extra: '--exclusive -C bigmem' }), siteExample, null)).toBeNull();
    expect(sizeOf(asked({ extra: '--exclusive', partition: 'new' }), siteExample, null)).toBeNull();
  });

  it('is the least of the nodes that have what is asked for', () => {
    expect(sizeOf(asked({ extra: '--exclusive' }), mixed, null)).toMatchObject({ numCpus: 32 });
    const large = { numCpus: 64, memoryBytes: 900 * gib, numGpus: 0 };
    expect(sizeOf(asked({ extra: '--exclusive', mem: '900g' }), mixed, null)).toEqual(large);
    expect(sizeOf(asked({ extra: '--exclusive --mincpus=33', mem: '900g' }), mixed, null)).toEqual(large);
    expect(sizeOf(asked({ extra: '--exclusive --mincpus=33' }), mixed, null)).toMatchObject({ numCpus: 64 });
  });

  it('is no more than the smallest, whatever one worker has shown', () => {
    const whole = asked({ extra: '--exclusive' });
    const large = { numCpus: 64, memoryBytes: 1024 * gib, numGpus: 0 };
    expect(sizeOf(whole, mixed, large)).toEqual({ numCpus: 32, memoryBytes: 128 * gib, numGpus: 0 });
    // a site that gives less memory than nodes have
    expect(sizeOf(whole, mixed, { ...large, memoryBytes: 64 * gib })).toMatchObject({ memoryBytes: 64 * gib });
  });

  it('is what Slurm gives those who ask for no memory, and more of it may be asked for', () => {
    const sites = [siteExample, mixed].map((site) => structuredClone(site));
    for (const site of sites) {
      for (const one of site.partitions) one.default_memory = { per: 'cpu', bytes: 2 * gib };
    }
    const [alike, several] = sites as [SiteProfile, SiteProfile];
    const whole = asked({ extra: '--exclusive' });
    const memory = (config: AskedConfig, site: SiteProfile, seen: NodeSize | null = null) => {
      const { size, nodes } = nodesOfConfig(config, site, seen);
      return [size?.memoryBytes, ...nodes.map(({ memoryBytes }) => memoryBytes)].map((bytes) => (bytes ?? 0) / gib);
    };
    expect(memory(whole, siteExample)).toEqual([128]);
    expect(memory(whole, alike)).toEqual([64, 128]);
    expect(memory(whole, several)).toEqual([64, 128, 1024]);
    // on the larger one, which has 64 CPUs
    expect(memory(whole, several, { numCpus: 64, memoryBytes: 128 * gib, numGpus: 0 })).toEqual([64, 128, 1024]);
    expect(memory({ ...whole, mem: '100g' }, alike)).toEqual([100]);
    expect(memory({ ...whole, mem: '0' }, alike)).toEqual([128]);
    expect(memory({ ...whole, extra: '--exclusive --mem-per-cpu=3G' }, alike)).toEqual([128]);
    // binds, and asks for nothing
    expect(memory({ ...whole, extra: '--exclusive --mem-bind=local' }, alike)).toEqual([64, 128]);
    for (const one of alike.partitions) one.default_memory = { per: 'node', bytes: 8 * gib };
    expect(memory(whole, alike)).toEqual([8, 128]);
    for (const one of alike.partitions) one.default_memory = { per: 'node', bytes: 999 * gib };
    expect(memory(whole, alike)).toEqual([128]);
  });

  it('may be chosen where whole nodes have several sizes and nothing else chooses', () => {
    const numNodes = (changes: Partial<AskedConfig>, site: SiteProfile | null = mixed) =>
      nodesOfConfig(asked({ extra: '--exclusive', ...changes }), site, shown).nodes.map((one) => one.numNodes);
    expect(numNodes({})).toEqual([40, 2]);
    expect(numNodes({ mem: '200g' })).toEqual([]);
    expect(numNodes({ extra: '' })).toEqual([]);
    // those of one size have more memory than was shown
    expect(numNodes({}, siteExample)).toEqual([40]);
    expect(numNodes({ mem: '7g' }, siteExample)).toEqual([]);
    expect(numNodes({}, null)).toEqual([]);
    for (const option of ['-C big', '--mem=4G', '--mincpus=4', '--gres=gpu:1', '-G1', '--mem-per-cpu=1G']) {
      expect(numNodes({ extra: `--exclusive ${option}` })).toEqual([]);
    }
    for (const option of ['--mem-bind=local', '--gres-flags=enforce-binding']) {
      expect(numNodes({ extra: `--exclusive ${option}` })).toEqual([40, 2]);
    }
  });
});

/** The first partition has 40 nodes of 32 CPUs and 128 GiB, and two that are larger. */
const mixed = structuredClone(siteExample);
const [main] = mixed.partitions;
const [usual] = main?.nodes ?? [];
if (main !== undefined && usual !== undefined)
  main.nodes.push({ ...usual, num_nodes: 2, num_cpus: 64, memory_bytes: 1024 * gib });
