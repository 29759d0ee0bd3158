/**
 * Makes the profile of a cluster from `scontrol show config`, `show partition` and `show node`, the latter two with
 * `--oneliner`, and from the limits of QOS where sacctmgr tells them. It never throws: lines that cannot be read are counted and left out.
 */
import { numGpusOf } from '../model/plan/nodes.ts';
import type { Gpus, NodeKind, Partition, SiteProfile } from '../model/plan/site.ts';
import { parseCount, parseDuration, presentText } from './fields.ts';

export interface SiteTexts {
  config: string;
  partitions: string;
  nodes: string;
  /** Of `sacctmgr --parsable2 --noheader show qos format=Name,MaxWall`; empty where that does not answer. */
  qos: string;
}

export interface ParsedSite {
  /** Null when the cluster does not say its name. */
  site: SiteProfile | null;
  numUnparsed: number;
}

const mebibyte = 1024 * 1024;

export function parseSite(texts: SiteTexts): ParsedSite {
  const config = configValues(texts.config);
  const partitions = records(texts.partitions, 'PartitionName', (fields) => partitionOf(fields, config));
  const nodes = records(texts.nodes, 'NodeName', nodeOf);
  const cluster = clusterNameIn(texts.config);
  const kinds = kindsByPartition(nodes.found);
  const longest = longestByQos(texts.qos);
  const numUnparsed = partitions.numUnparsed + nodes.numUnparsed;
  if (cluster === null) return { site: null, numUnparsed };
  return {
    site: {
      cluster,
      slurm_version: presentText(config.get('SLURM_VERSION')),
      partitions: partitions.found.map((partition) => ({
        ...partition,
        max_time_seconds: shorter(partition.max_time_seconds, longest.get(partition.qos?.toLowerCase() ?? '') ?? null),
        nodes: kinds.get(partition.name) ?? [],
      })),
    },
    numUnparsed,
  };
}

/** Whether a partition has a QOS of its own, whose limits hold for all its jobs. */
export function hasPartitionQos(partitions: string): boolean {
  return /(?:^|\s)QoS=(?!N\/A(?:\s|$)|\(null\))\S/m.test(partitions);
}

/** `short|04:00:00`, in seconds; a QOS without a limit has no time. Accounting keeps all names in lower case. */
function longestByQos(text: string): Map<string, number> {
  const limits = text.split('\n').flatMap((line) => {
    const [name = '', time] = line.trim().split('|');
    const seconds = parseDuration(time);
    return name === '' || seconds === null ? [] : [[name.toLowerCase(), seconds] as const];
  });
  return new Map(limits);
}

const shorter = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other);

/** Of `scontrol show config`. */
export function clusterNameIn(config: string): string | null {
  return presentText(configValues(config).get('ClusterName'));
}

/** `ClusterName             = site`; further words of the output have no equals sign. */
function configValues(text: string): Map<string, string> {
  const lines = text.split('\n').flatMap((line) => {
    const match = /^\s*([A-Za-z_]+)\s+=\s?(.*)$/.exec(line);
    return match?.[1] === undefined ? [] : [[match[1], match[2] ?? ''] as const];
  });
  return new Map(lines);
}

function records<T>(text: string, first: string, read: (fields: Map<string, string>) => T | null) {
  const found: T[] = [];
  let numUnparsed = 0;
  for (const line of text.split('\n')) {
    if (line.trim() === '' || /^No (partitions|nodes) in the system/i.test(line)) continue;
    const record = line.startsWith(`${first}=`) ? read(fieldsOf(line)) : null;
    if (record === null) numUnparsed += 1;
    else found.push(record);
  }
  return { found, numUnparsed };
}

/** `Name=value Name=value`; the first value of a name counts, as texts at the end may contain anything. */
function fieldsOf(line: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const word of line.trim().split(/\s+(?=[A-Za-z][A-Za-z0-9/:_]*=)/)) {
    const equals = word.indexOf('=');
    const name = word.slice(0, equals);
    if (equals > 0 && !fields.has(name)) fields.set(name, word.slice(equals + 1));
  }
  return fields;
}

function partitionOf(fields: Map<string, string>, config: Map<string, string>): Partition | null {
  const name = presentText(fields.get('PartitionName'));
  if (name === null) return null;
  const mebibytes = parseCount(fields.get('MaxMemPerNode'));
  return {
    name,
    is_default: fields.get('Default') === 'YES',
    is_up: fields.get('State') === 'UP',
    max_time_seconds: parseDuration(fields.get('MaxTime')),
    default_time_seconds: parseDuration(fields.get('DefaultTime')),
    max_nodes: parseCount(fields.get('MaxNodes')),
    min_nodes: parseCount(fields.get('MinNodes')) ?? 0,
    max_cpus_per_node: parseCount(fields.get('MaxCPUsPerNode')),
    max_memory_bytes_per_node: mebibytes === null ? null : mebibytes * mebibyte,
    ...defaultMemory(fields, config),
    gives_whole_nodes: (fields.get('OverSubscribe') ?? fields.get('Shared') ?? '').startsWith('EXCLUSIVE'),
    qos: presentText(fields.get('QoS')),
    allowed_qos: listOf(fields.get('AllowQos')),
    allowed_accounts: listOf(fields.get('AllowAccounts')),
    nodes: [],
  };
}

/** Of the partition, else of the cluster; it means nothing where Slurm does not give out memory. */
function defaultMemory(
  fields: Map<string, string>,
  config: Map<string, string>,
): Pick<Partition, 'default_memory'> | null {
  if (!/memory/i.test(config.get('SelectTypeParameters') ?? '')) return null;
  for (const from of [fields, config]) {
    for (const [name, per] of [
      ['DefMemPerCPU', 'cpu'],
      ['DefMemPerNode', 'node'],
    ] as const) {
      const mebibytes = parseCount(from.get(name));
      if (mebibytes !== null && mebibytes > 0) return { default_memory: { per, bytes: mebibytes * mebibyte } };
    }
  }
  return null;
}

/** Null for `ALL` and for a list that is not printed. */
function listOf(text: string | undefined): string[] | null {
  const present = presentText(text);
  return present === null || present === 'ALL' ? null : present.split(',');
}

interface Node {
  partitions: string[];
  kind: Omit<NodeKind, 'num_nodes' | 'num_usable' | 'num_idle'>;
  isUsable: boolean;
  isIdle: boolean;
}

function nodeOf(fields: Map<string, string>): Node | null {
  const numCpus = parseCount(fields.get('CPUEfctv')) ?? parseCount(fields.get('CPUTot'));
  const mebibytes = parseCount(fields.get('RealMemory'));
  if (numCpus === null || mebibytes === null) return null;
  const kept = parseCount(fields.get('MemSpecLimit')) ?? 0;
  const words = (fields.get('State') ?? '').split('+').map((word) => word.replace(/[*~#!%$@^-]+$/, ''));
  const isUsable = !words.some((word) => unusable.has(word));
  return {
    partitions: presentText(fields.get('Partitions'))?.split(',') ?? [],
    kind: {
      num_cpus: numCpus,
      sockets: parseCount(fields.get('Sockets')),
      cores_per_socket: parseCount(fields.get('CoresPerSocket')),
      threads_per_core: parseCount(fields.get('ThreadsPerCore')),
      memory_bytes: Math.max(0, mebibytes - kept) * mebibyte,
      gpus: gpusIn(fields.get('Gres')),
    },
    isUsable,
    isIdle: isUsable && words[0] === 'IDLE' && !words.some((word) => busy.has(word)),
  };
}

/** Words of a node's state with which it takes no jobs until somebody sees to it. */
const unusable = new Set(['DOWN', 'DRAIN', 'FAIL', 'FAILING', 'ERROR', 'UNKNOWN', 'FUTURE', 'INVAL', 'NOT_RESPONDING']);
/** With which an idle node takes none now. */
const busy = new Set(['MAINT', 'RESERVED', 'COMPLETING', 'PLANNED', 'REBOOT', 'POWERING_DOWN', 'BLOCKED']);

/** `gpu:a100:4(S:0-1),gpu:2,nvme:3600`. */
function gpusIn(gres: string | undefined): Gpus[] {
  const words = (presentText(gres) ?? '').replace(/\([^)]*\)/g, '').split(',');
  return words.flatMap((word) => {
    const [name, ...rest] = word.split(':');
    if (name !== 'gpu') return [];
    const last = rest.at(-1) ?? '1';
    const count = parseCount(last) ?? 1;
    const types = parseCount(last) === null ? rest : rest.slice(0, -1);
    return [{ type: types[0] ?? null, count }];
  });
}

/** The most usual kind of each partition first. */
function kindsByPartition(nodes: readonly Node[]): Map<string, NodeKind[]> {
  const kinds = new Map<string, Map<string, NodeKind>>();
  for (const { partitions, kind, isUsable, isIdle } of nodes) {
    const id = JSON.stringify(kind);
    for (const name of partitions) {
      const known = kinds.get(name) ?? new Map<string, NodeKind>();
      kinds.set(name, known);
      const sum = known.get(id) ?? { num_nodes: 0, num_usable: 0, num_idle: 0, ...kind };
      sum.num_nodes += 1;
      if (isUsable) sum.num_usable += 1;
      if (isIdle) sum.num_idle += 1;
      known.set(id, sum);
    }
  }
  const ordered = (found: Map<string, NodeKind>): NodeKind[] =>
    [...found.values()].sort((a, b) => b.num_nodes - a.num_nodes || numGpusOf(a) - numGpusOf(b));
  return new Map([...kinds].map(([name, found]) => [name, ordered(found)]));
}
