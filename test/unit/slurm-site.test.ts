/** The profile of a cluster, from what scontrol prints. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { siteProfile } from '../../src/model/plan/site.ts';
import { type ParsedSite, parseSite } from '../../src/slurm/site.ts';

const versions = ['22.05', '24.11'] as const;
const text = (version: string, name: string) =>
  readFileSync(new URL(`../fixtures/slurm/${version}/site-${name}.txt`, import.meta.url), 'utf8');
const parsed = (
  version: string,
  changed: { nodes?: string; partitions?: string; config?: string; qos?: string } = {},
): ParsedSite =>
  parseSite({
    config: text(version, 'config'),
    partitions: text(version, 'partitions'),
    nodes: text(version, 'nodes'),
    qos: '',
    ...changed,
  });
const gib = 1024 ** 3;
const mib = 1024 ** 2;

describe.each(versions)('the words of Slurm %s', (version) => {
  const { site, numUnparsed } = parsed(version);
  const partition = (name: string) => site?.partitions.find((each) => each.name === name);

  it('are understood as a whole and fit into what is stored', () => {
    expect(numUnparsed).toBe(0);
    expect(siteProfile().parse(site)).toEqual(site);
    expect(site?.cluster).toBe('torc');
    expect(site?.slurm_version).toMatch(version);
    expect(site?.partitions.map(({ name }) => name)).toEqual(['main', 'gpu', 'short', 'whole', 'shared', 'retired']);
  });

  it('say the limits of partitions', () => {
    expect(partition('main')).toMatchObject({
      is_default: true,
      is_up: true,
      max_time_seconds: null,
      default_time_seconds: null,
      max_nodes: null,
      gives_whole_nodes: false,
      qos: null,
      allowed_accounts: null,
      allowed_qos: null,
      max_cpus_per_node: null,
      max_memory_bytes_per_node: null,
    });
    expect(partition('short')).toMatchObject({
      is_default: false,
      max_time_seconds: 4 * 3600,
      default_time_seconds: 3600,
      max_nodes: 2,
    });
    expect(partition('whole')).toMatchObject({ max_time_seconds: 2 * 86_400, gives_whole_nodes: true });
    expect(partition('shared')).toMatchObject({
      allowed_accounts: ['lab', 'vision'],
      allowed_qos: ['normal'],
      max_cpus_per_node: 3,
      max_memory_bytes_per_node: 1500 * mib,
    });
    expect(partition('retired')).toMatchObject({ is_up: false });
  });

  it('count nodes by kind: those that can be used, and those that are idle', () => {
    const small = { num_cpus: 4, memory_bytes: 2000 * mib, gpus: [], sockets: 4, cores_per_socket: 1, num_nodes: 2 };
    const fake = { ...small, gpus: [{ type: 'fake', count: 2 }], num_usable: 2, num_idle: 2 };
    // one of the small ones is drained
    expect(partition('main')?.nodes).toMatchObject([{ ...small, num_usable: 1, num_idle: 1 }, fake]);
    expect(partition('gpu')?.nodes).toMatchObject([fake]);
  });
});

describe('odd words', () => {
  it('cost their own line only', () => {
    const nodes = `slurm_load_node: something\nNodeName=x State=IDLE\n${text('22.05', 'nodes')}`;
    const { site, numUnparsed } = parsed('22.05', { nodes });
    expect(numUnparsed).toBe(2);
    expect(site?.partitions[0]?.nodes[0]?.num_nodes).toBe(2);
  });

  it('of nodes that are powered down until they are needed, and of some that nobody can use', () => {
    const node = 'CPUTot=8 Gres=gpu:2 RealMemory=4096 ThreadsPerCore=2 Partitions=short';
    const states = ['IDLE+CLOUD+POWERED_DOWN', 'ALLOCATED+CLOUD', 'DOWN*+NOT_RESPONDING', 'IDLE+MAINT+RESERVED'];
    const nodes = states.map((state, at) => `NodeName=n${at} State=${state} ${node}\n`).join('');
    const kind = parsed('22.05', { nodes }).site?.partitions.find(({ name }) => name === 'short')?.nodes[0];
    expect(kind).toMatchObject({ num_nodes: 4, num_usable: 3, num_idle: 1, threads_per_core: 2 });
    expect(kind?.gpus).toEqual([{ type: null, count: 2 }]);
  });

  it('of a node that has several kinds of GPUs, and memory for jobs only after the site has taken its part', () => {
    const nodes =
      'NodeName=a CPUTot=8 Gres=gpu:a100:2(S:0),gpu:t4:1(S:1),mps:200 RealMemory=4096 MemSpecLimit=1024 State=MIXED Partitions=short';
    const kind = parsed('22.05', { nodes }).site?.partitions.find(({ name }) => name === 'short')?.nodes[0];
    expect(kind).toMatchObject({ num_cpus: 8, memory_bytes: 3 * gib, num_usable: 1, num_idle: 0 });
    expect(kind?.gpus).toEqual([
      { type: 'a100', count: 2 },
      { type: 't4', count: 1 },
    ]);
  });

  it('without the name of a cluster there is no profile', () => {
    expect(parsed('22.05', { config: 'SLURM_VERSION = 22.05.8\n' }).site).toBeNull();
    expect(parsed('22.05', { partitions: '', nodes: '' }).site?.partitions).toEqual([]);
  });
});

it.each(versions)('what Slurm %s gives without being asked: of the partition, else of the cluster', (version) => {
  const defaults = (changed: object = {}) =>
    parsed(version, changed).site?.partitions.map((partition) => partition.default_memory);
  const ofCluster = { per: 'cpu', bytes: 200 * mib };
  expect(defaults()).toEqual(Array(6).fill(ofCluster));
  const own: Record<string, string> = {
    gpu: 'DefMemPerCPU=500',
    short: 'DefMemPerNode=1000',
    whole: 'DefMemPerCPU=UNLIMITED',
  };
  const partitions = text(version, 'partitions').replace(/^PartitionName=(\w+).*$/gm, (line, name) =>
    line.replace('DefMemPerNode=UNLIMITED', own[name] ?? 'DefMemPerNode=UNLIMITED'),
  );
  const ofPartitions = [
    { per: 'cpu', bytes: 500 * mib },
    { per: 'node', bytes: 1000 * mib },
  ];
  expect(defaults({ partitions })).toEqual([ofCluster, ...ofPartitions, ofCluster, ofCluster, ofCluster]);
  const config = text(version, 'config');
  const ofNodes = config.replace(/^DefMemPerCPU .*$/m, 'DefMemPerNode           = UNLIMITED');
  const none = undefined;
  expect(defaults({ partitions, config: ofNodes })).toEqual([none, ...ofPartitions, none, none, none]);
  // memory that Slurm does not give out is not limited either
  expect(defaults({ partitions, config: config.replace('CR_CPU_MEMORY', 'CR_CPU') })).toEqual(Array(6).fill(none));
});

it.each(versions)('the time limit of the QOS of a partition counts where it is shorter, with Slurm %s', (version) => {
  const withQos: Record<string, string> = { short: 'Quick', whole: 'normal', shared: 'long', main: 'unknown' };
  const partitions = text(version, 'partitions').replace(/^PartitionName=(\w+).*$/gm, (line, name) =>
    line.replace('QoS=N/A', `QoS=${withQos[name] ?? 'N/A'}`),
  );
  const qos = 'normal|3-00:00:00\nquick|02:00:00\nlong|7-00:00:00\nfree|\n';
  const limits = (changed: object) =>
    parsed(version, changed).site?.partitions.map(({ name, max_time_seconds }) => [name, max_time_seconds]);
  const hours = 3600;
  expect(limits({ partitions, qos })).toEqual([
    ['main', null],
    ['gpu', null],
    ['short', 2 * hours],
    ['whole', 48 * hours],
    ['shared', 7 * 24 * hours],
    ['retired', null],
  ]);
  expect(limits({ partitions })).toEqual(limits({}));
});
