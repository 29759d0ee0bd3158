/** The allocations that are submitted for a workflow in the step that creates it, and the Slurm config that they get. */
import { TorcError } from '../../base/errors.ts';
import { parseWalltime } from '../../base/units.ts';
import { specDefaults } from '../../model/expand/defaults.ts';
import type { ExpandedScheduler, ExpandedWorkflow } from '../../model/expanded.ts';
import type { Context } from '../context/context.ts';
import { isOnPath } from './programs.ts';

export interface SubmissionOptions {
  /** How many. */
  allocations?: number;
  account?: string;
  partition?: string;
  qos?: string;
  /** In Slurm's format. */
  walltime?: string;
  maxParallelJobs?: number;
  output?: string;
  /** The server asks for nodes by itself instead, for this many at most. */
  autoscale?: boolean;
  max?: number;
  /** Also with jobs that no allocation can run. */
  force?: boolean;
}

/** Whether one of them was typed that only allocations have. */
export function namesAllocations(options: SubmissionOptions): boolean {
  const { allocations, account, partition, qos, walltime, autoscale } = options;
  return [allocations, account, partition, qos, walltime, autoscale].some((option) => option !== undefined);
}

/** Throws TorcError 'slurm' before anything is stored where nothing can be submitted. */
export function requireSbatch({ env }: Context): void {
  if (isOnPath('sbatch', env.PATH ?? '')) return;
  const hint = 'Type it on a login node, or run it here: torc run SPEC, torc exec --local.';
  throw new TorcError('slurm', 'there is no sbatch on this machine; nothing was stored or submitted', hint);
}

/**
 * The workflow with a Slurm config that has what was typed: its only one, else a new one. Throws TorcError 'usage' where
 * it has several.
 */
export function withScheduler(
  context: Context,
  spec: string,
  workflow: ExpandedWorkflow,
  options: SubmissionOptions,
): ExpandedWorkflow {
  const [first, second] = workflow.schedulers;
  const typed = typedParts(options);
  if (first === undefined)
    return { ...workflow, schedulers: [{ ...newScheduler(context, workflow, options), ...typed }] };
  if (Object.keys(typed).length === 0) return workflow;
  if (second === undefined) return { ...workflow, schedulers: [{ ...first, ...typed }] };
  const { account, ...others } = typed;
  if (account !== undefined && Object.keys(others).length === 0) {
    return { ...workflow, schedulers: workflow.schedulers.map((one) => ({ ...one, account })) };
  }
  throw new TorcError(
    'usage',
    `${spec} has ${workflow.schedulers.length} Slurm configs, so -p, -q and -t are ambiguous`,
    'Change them in the specification; -a is for all of them.',
  );
}

function typedParts({ account, partition, qos, walltime }: SubmissionOptions): Partial<ExpandedScheduler> {
  return {
    ...(account === undefined ? {} : { account }),
    ...(partition === undefined ? {} : { partition }),
    ...(qos === undefined ? {} : { qos: qos === '' ? null : qos }),
    ...(walltime === undefined ? {} : { walltimeSeconds: parseWalltime(walltime) }),
  };
}

/**
 * As the configuration files say; without a walltime there, an hour, and as long as the longest job and the time in which
 * its end is written down.
 */
function newScheduler(
  { env, settings }: Context,
  workflow: ExpandedWorkflow,
  options: SubmissionOptions,
): ExpandedScheduler {
  const { requirements, expirationBufferSeconds } = workflow;
  const runtimes = requirements.filter((need) => need.isRuntimeStated).map(({ runtimeMs }) => runtimeMs / 1000);
  const longest = Math.max(0, ...runtimes);
  const needed = longest === 0 ? 0 : Math.ceil((longest + expirationBufferSeconds) / 60) * 60;
  const { account, partition, qos, walltime, nodes, mem } = settings;
  return {
    name: 'default',
    account: account ?? env.SBATCH_ACCOUNT ?? '',
    partition: partition ?? null,
    qos: qos ?? null,
    walltimeSeconds:
      walltime === undefined ? Math.max(parseWalltime(specDefaults.walltime), needed) : parseWalltime(walltime),
    numNodes: Math.max(nodes ?? 1, ...requirements.map(({ numNodes }) => numNodes)),
    ntasksPerNode: null,
    mem: null,
    tmp: null,
    gres: null,
    extra: null,
    ...sizeOf(workflow, options),
    ...(mem === undefined ? {} : { mem }),
  };
}

const workerBytes = 256 * 1024 ** 2;

/** Whole nodes, or room for exactly those jobs that run at a time: one, or as many as `-j` says. */
function sizeOf(
  { requirements, numJobs }: ExpandedWorkflow,
  { allocations = 1, maxParallelJobs }: SubmissionOptions,
): Partial<ExpandedScheduler> {
  const [need, ...others] = requirements;
  const atATime = Math.min(maxParallelJobs ?? Number.POSITIVE_INFINITY, Math.ceil(numJobs / allocations));
  const isWhole = others.length > 0 || (need?.numNodes ?? 1) > 1 || (maxParallelJobs === undefined && atATime > 1);
  const numGpus = Math.ceil(
    (Math.max(0, ...requirements.map((one) => one.gpuThousandths)) / 1000) * (isWhole ? 1 : atATime),
  );
  const gres = numGpus === 0 ? {} : { gres: `gpu:${numGpus}` };
  if (isWhole) return { extra: '--exclusive', ...gres };
  const memory = need?.isMemoryStated === true ? { mem: megabytes(need.memoryBytes * atATime + workerBytes) } : {};
  return { extra: `--cpus-per-task=${(need?.numCpus ?? 1) * atATime}`, ...memory, ...gres };
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)}M`;
}
