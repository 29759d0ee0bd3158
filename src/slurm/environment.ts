/** Reads a worker's identity, its share of the node and its time from Slurm's environment variables. */
import type { Environment } from '../base/config.ts';
import { slurmMemoryBytes } from '../base/units.ts';
import { expandHostList } from './host-list.ts';

export interface SlurmEnvironment {
  slurmJobId: string;
  cluster: string | null;
  /** How often Slurm has requeued this allocation; 0 the first time. */
  restartCount: number;
  jobName: string | null;
  nodeName: string | null;
  /** Position of this node within the allocation, from 0. */
  nodeId: number;
  numNodes: number;
  /** All nodes of the allocation, this one first; empty when Slurm's list cannot be read. */
  nodeNames: string[];
  /** Null when Slurm does not say; then the machine or its cgroup decides. */
  numCpus: number | null;
  /** Null when Slurm states no memory limit. */
  memoryBytes: number | null;
  /** Values for CUDA_VISIBLE_DEVICES, in order: indices, or names such as `GPU-..`. */
  gpuIds: string[];
  startTimeMs: number | null;
  endTimeMs: number | null;
  walltimeSeconds: number | null;
}

function textOf(value: string | undefined): string | null {
  const trimmed = value?.trim() ?? '';
  return trimmed === '' ? null : trimmed;
}

function wholeNumber(value: string | undefined): number | null {
  const text = textOf(value);
  if (text === null || !/^[0-9]{1,15}$/.test(text)) return null;
  return Number(text);
}

function positive(value: string | undefined): number | null {
  const number = wholeNumber(value);
  return number === null || number === 0 ? null : number;
}

/** A node's entry in a compressed list such as `4(x2),3` (4, 4, 3). Null beyond its end or when unreadable. */
export function perNodeValue(list: string, nodeId: number): number | null {
  let first = 0;
  for (const part of list.split(',')) {
    const match = /^([0-9]{1,9})(?:\(x([0-9]{1,9})\))?$/.exec(part.trim());
    if (match === null) return null;
    const next = first + Number(match[2] ?? 1);
    if (nodeId < next) return Number(match[1]);
    first = next;
  }
  return null;
}

function cpusOf(env: Environment, nodeId: number): number | null {
  const onNode = positive(env.SLURM_CPUS_ON_NODE);
  if (onNode !== null) return onNode;
  const list = textOf(env.SLURM_JOB_CPUS_PER_NODE);
  const value = list === null ? null : perNodeValue(list, nodeId);
  return value === 0 ? null : value;
}

function deviceList(value: string | undefined): string[] {
  const words = (value ?? '').split(',').map((word) => word.trim());
  const devices: string[] = [];
  for (const word of words) {
    const range = /^([0-9]{1,4})-([0-9]{1,4})$/.exec(word);
    if (range === null) {
      // CUDA stops reading at the first -1; Slurm writes NoDevFiles where a gres has no devices.
      if (word === '-1' || word.toLowerCase() === 'nodevfiles') break;
      if (word !== '') devices.push(word);
    } else {
      for (let index = Number(range[1]); index <= Number(range[2]); index += 1) devices.push(String(index));
    }
  }
  return [...new Set(devices)];
}

/**
 * CUDA_VISIBLE_DEVICES comes first because only its values are valid inside the allocation: where a cgroup hides other
 * devices, Slurm renumbers from 0 there while SLURM_JOB_GPUS keeps the node's own numbers.
 */
function gpusOf(env: Environment): string[] {
  for (const value of [env.CUDA_VISIBLE_DEVICES, env.SLURM_STEP_GPUS, env.SLURM_JOB_GPUS]) {
    if (value !== undefined) return deviceList(value);
  }
  const count = wholeNumber(env.SLURM_GPUS_ON_NODE) ?? 0;
  return Array.from({ length: Math.min(count, 1024) }, (_, index) => String(index));
}

function memoryLimit(env: Environment, numCpus: number | null, numGpus: number): number | null {
  const perNode = slurmMemoryBytes(env.SLURM_MEM_PER_NODE);
  if (perNode !== null) return perNode;
  const perCpu = slurmMemoryBytes(env.SLURM_MEM_PER_CPU);
  if (perCpu !== null && numCpus !== null) return perCpu * numCpus;
  const perGpu = slurmMemoryBytes(env.SLURM_MEM_PER_GPU);
  return perGpu !== null && numGpus > 0 ? perGpu * numGpus : null;
}

function nodeNamesOf(env: Environment, nodeName: string | null, nodeId: number): string[] {
  const names = expandHostList(env.SLURM_JOB_NODELIST ?? env.SLURM_NODELIST ?? '') ?? [];
  const own = nodeName ?? names[nodeId];
  if (own === undefined || !names.includes(own)) return [];
  return [own, ...names.filter((name) => name !== own)];
}

interface Times {
  startTimeMs: number | null;
  endTimeMs: number | null;
  walltimeSeconds: number | null;
}

/** From the start of an allocation until its worker looks at the clock: a prolog and a slow file system. */
const longestStartMs = 180_000;

/**
 * Slurm's own end where it is given (Slurm 23.02 and newer), else the start of the script plus the requested walltime. The
 * clocks of slurmctld, of the first node and of this one may differ. A start in the future shows that, and so does one
 * long ago for the worker of the script, which starts with the allocation: then the length counts from now.
 */
function timesOf(env: Environment, nowMs: number, statedWalltimeSeconds: number | null): Times {
  const startSeconds = positive(env.SLURM_JOB_START_TIME) ?? positive(env.TORC_ALLOCATION_START);
  const endSeconds = positive(env.SLURM_JOB_END_TIME);
  const startedMs = startSeconds === null ? nowMs : startSeconds * 1000;
  const isAhead = statedWalltimeSeconds !== null && nowMs - startedMs > longestStartMs;
  const shiftMs = startedMs > nowMs || isAhead ? nowMs - startedMs : 0;
  const startTimeMs = startSeconds === null ? null : startedMs + shiftMs;
  if (endSeconds !== null && (startSeconds === null || endSeconds > startSeconds)) {
    const walltimeSeconds = startSeconds === null ? statedWalltimeSeconds : endSeconds - startSeconds;
    return { startTimeMs, endTimeMs: endSeconds * 1000 + shiftMs, walltimeSeconds };
  }
  if (statedWalltimeSeconds === null) return { startTimeMs, endTimeMs: null, walltimeSeconds: null };
  const endTimeMs = startedMs + shiftMs + statedWalltimeSeconds * 1000;
  return { startTimeMs, endTimeMs, walltimeSeconds: statedWalltimeSeconds };
}

/**
 * The allocation that this process runs in, or null outside Slurm. Never throws: what is missing or unreadable is null.
 * `walltimeSeconds` is the walltime that the script requested, for the worker that it starts; Slurm's own times override it.
 * Instants are on this node's clock.
 */
export function slurmEnvironment(
  env: Environment,
  nowMs: number,
  walltimeSeconds: number | null = null,
): SlurmEnvironment | null {
  const slurmJobId = textOf(env.SLURM_JOB_ID) ?? textOf(env.SLURM_JOBID);
  if (slurmJobId === null) return null;
  const nodeId = wholeNumber(env.SLURM_NODEID) ?? 0;
  const nodeName = textOf(env.SLURMD_NODENAME);
  const numCpus = cpusOf(env, nodeId);
  const gpuIds = gpusOf(env);
  return {
    slurmJobId,
    cluster: textOf(env.SLURM_CLUSTER_NAME),
    restartCount: wholeNumber(env.SLURM_RESTART_COUNT) ?? 0,
    jobName: textOf(env.SLURM_JOB_NAME),
    nodeName,
    nodeId,
    numNodes: positive(env.SLURM_JOB_NUM_NODES) ?? positive(env.SLURM_NNODES) ?? 1,
    nodeNames: nodeNamesOf(env, nodeName, nodeId),
    numCpus,
    memoryBytes: memoryLimit(env, numCpus, gpuIds.length),
    gpuIds,
    ...timesOf(env, nowMs, walltimeSeconds),
  };
}
