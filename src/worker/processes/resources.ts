/** What this machine offers to a worker outside Slurm. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, hostname, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Environment, environment } from '../../base/config.ts';
import { cgroupCpus, openCgroupMemory } from './cgroup.ts';
import { type GpuMaker, gpusHere } from './gpus.ts';

export interface MachineResources {
  hostname: string;
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  gpuMaker: GpuMaker;
  /** What the maker's variable calls the GPU of each index. */
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

/** Sites let Slurm give a CPU out several times, but not more often than this. */
const mostShares = 8;

/** The CPUs that Slurm states, unless the machine cannot have that many; `problem` then says so. */
export function believedCpus(
  stated: number,
  found = Math.max(cpus().length, availableParallelism()),
): { numCpus: number; problem: string | null } {
  if (stated <= found * mostShares) return { numCpus: stated, problem: null };
  return { numCpus: found, problem: `Slurm states ${stated} CPUs, the machine has ${found}: using ${found}` };
}

/** The GPUs to use of those that were found, when a person asks for a number; null for all. */
export function chosenGpus(
  asked: number | null,
  { gpuIds }: Pick<MachineResources, 'gpuIds'>,
): { gpuIds: string[]; problem: string | null } {
  if (asked === null || asked <= gpuIds.length)
    return { gpuIds: gpuIds.slice(0, asked ?? gpuIds.length), problem: null };
  if (gpuIds.length > 0) return { gpuIds, problem: `--gpus ${asked}: only ${gpuIds.length} found on this machine` };
  const believed = Array.from({ length: asked }, (_, index) => String(index));
  const names = believed.length === 1 ? 'index 0' : `indices 0 to ${asked - 1}`;
  return { gpuIds: believed, problem: `--gpus ${asked}: none found on this machine; jobs get the ${names}` };
}

/** The processors that this process may use and its cgroup gives time for, the memory within its limit, and the GPUs. */
export function machineResources(env: Environment = environment(), root = '/'): MachineResources {
  const { maker, ids } = gpusHere(env, null, root);
  const limitBytes = openCgroupMemory(root).limitBytes();
  return {
    hostname: hostname(),
    // some versions of node look at the limit of the cgroup themselves
    numCpus: Math.max(1, Math.floor(Math.min(availableParallelism(), cgroupCpus(root) ?? Number.POSITIVE_INFINITY))),
    memoryBytes: Math.min(totalmem(), limitBytes ?? Number.POSITIVE_INFINITY),
    numGpus: ids.length,
    gpuMaker: maker,
    gpuIds: ids,
  };
}
