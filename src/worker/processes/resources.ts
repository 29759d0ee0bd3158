/** What this machine offers to a worker outside Slurm. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Environment, environment } from '../../base/config.ts';
import { openCgroupMemory } from './cgroup.ts';

export interface MachineResources {
  hostname: string;
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  /** What CUDA_VISIBLE_DEVICES calls the GPU of each index. */
  gpuIds: string[];
}

/** Identifies this boot of the machine: process ids are valid within one boot. Empty when the kernel does not say. */
export function bootId(root = '/'): string {
  try {
    return readFileSync(join(root, 'proc/sys/kernel/random/boot_id'), 'utf8').trim();
  } catch {
    return '';
  }
}

/** GPUs as CUDA counts them: the listed ones up to the first invalid entry, else every NVIDIA device file. */
function gpuIds(env: Environment, root: string): string[] {
  const listed = env.CUDA_VISIBLE_DEVICES;
  if (listed !== undefined) {
    const ids = listed.split(',').map((id) => id.trim());
    const end = ids.findIndex((id) => id === '' || id.startsWith('-') || /^nodevfiles$/i.test(id));
    return [...new Set(end < 0 ? ids : ids.slice(0, end))];
  }
  try {
    const devices = readdirSync(join(root, 'dev')).flatMap((name) => /^nvidia(\d+)$/.exec(name)?.[1] ?? []);
    return devices.sort((a, b) => Number(a) - Number(b)).map((_, index) => String(index));
  } catch {
    return [];
  }
}

/** The processors that this process may use, the memory within its cgroup's limit, and the GPUs. */
export function machineResources(env: Environment = environment(), root = '/'): MachineResources {
  const ids = gpuIds(env, root);
  const limitBytes = openCgroupMemory(root).limitBytes();
  return {
    hostname: hostname(),
    numCpus: Math.max(1, availableParallelism()),
    memoryBytes: Math.min(totalmem(), limitBytes ?? Number.POSITIVE_INFINITY),
    numGpus: ids.length,
    gpuIds: ids,
  };
}
