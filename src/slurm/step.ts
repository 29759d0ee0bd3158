/** The shell text that runs a program as a step of the allocation, on one of its nodes. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { Environment } from '../base/config.ts';
import { shellWord } from '../base/text.ts';
import type { SlurmEnvironment } from './environment.ts';

/** This node of the allocation. */
export interface OwnNode {
  /** As Slurm calls it. */
  nodeName: string;
  /** What the allocation has there; null where Slurm does not manage memory. */
  memoryBytes: number | null;
}

export interface Step {
  /** As Slurm calls the node. */
  nodeName: string;
  /** What its processes may use together; null for all that the allocation has there. */
  memoryBytes: number | null;
  /** What `sacct` shows as its name. */
  name: string;
}

/**
 * What Slurm sets for the allocation as a whole, and srun reads as if it were said of each step. Without the ones about
 * GPUs a step gets all of the node's: torc's own variables name those of the job.
 */
const ofAllocation = [
  ...['SLURM_CPUS_PER_TASK', 'SRUN_CPUS_PER_TASK', 'SLURM_TRES_PER_TASK', 'SLURM_NTASKS', 'SLURM_NPROCS'],
  ...['SLURM_NTASKS_PER_NODE', 'SLURM_NTASKS_PER_CORE', 'SLURM_NTASKS_PER_GPU', 'SLURM_TASKS_PER_NODE'],
  ...['SLURM_DISTRIBUTION', 'SLURM_CPU_BIND', 'SLURM_MEM_BIND', 'SLURM_MEM_PER_CPU', 'SLURM_MEM_PER_GPU'],
  ...['SLURM_GPUS', 'SLURM_GPUS_PER_NODE', 'SLURM_GPUS_PER_TASK', 'SLURM_EXACT', 'SLURM_WHOLE', 'SLURM_HINT'],
];

const longestName = 200;
const mebibyte = 1024 * 1024;

/**
 * Not `--exact`: Slurm gives overlapping steps of that kind the same cores, and steps that do not overlap would wait for
 * memory that nobody stated. torc knows which CPUs are free, so each step may use all of them.
 */
export function stepText({ nodeName, memoryBytes, name }: Step, words: readonly string[]): string {
  const shown = Array.from(name.replace(/\p{Cc}/gu, ' '))
    .slice(0, longestName)
    .join('');
  const options = [
    ...['--overlap', '--nodes=1', '--ntasks=1', '--cpu-bind=none', '--mpi=none', '--input=none', '--export=ALL'],
    ...['--quiet', `--mem=${memoryBytes === null ? 0 : Math.ceil(memoryBytes / mebibyte)}`],
    ...[`--nodelist=${nodeName}`, `--job-name=${shown}`],
  ];
  const srun = ['srun', ...options, '--', ...words].map(shellWord).join(' ');
  return `unset ${ofAllocation.join(' ')}\nexec ${srun}`;
}

/** Where this process could start steps, or why it cannot. */
export type StepPlace = { node: OwnNode } | { problem: string };

/** `slurm` is the allocation that this process runs in. */
export function stepPlace(env: Environment, slurm: SlurmEnvironment | null): StepPlace {
  if (slurm === null) return { problem: 'this worker does not run in an allocation of Slurm' };
  // a worker that a person starts on a login node, beside salloc, could not see the processes of a step
  if (slurm.nodeName === null)
    return { problem: 'SLURMD_NODENAME is not set, so this is not a node of the allocation' };
  if (!isInPath('srun', env.PATH ?? '')) return { problem: 'srun is not in PATH' };
  return { node: { nodeName: slurm.nodeName, memoryBytes: slurm.memoryBytes } };
}

function isInPath(program: string, path: string): boolean {
  return path.split(':').some((folder) => {
    try {
      accessSync(join(folder === '' ? '.' : folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
