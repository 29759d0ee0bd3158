/** Jobs that no allocation can ever hold: for their size or their runtime, in any of the Slurm configs that may take them. */
import { anyConfig, type Belonging, mayTake, type Pool, poolOfConfig } from '../decide/pools.ts';
import type { ExpandedJob, ExpandedWorkflow } from '../expanded.ts';
import { defaultRequirements, packedMs, type Requirements } from '../job.ts';
import { labelSet, labelsIn } from '../labels.ts';
import { type AskedConfig, longestOfPartitions, placesOfConfig } from './config-places.ts';
import { choosePlace, type Misfit, type Place, placeOf } from './places.ts';
import type { SiteProfile } from './site.ts';

/** A Slurm config as jobs are judged by it. */
export interface JudgedConfig extends AskedConfig {
  key: number;
  name: string;
  pool: Pool;
  /** Of an allocation; null where a job gets as many nodes as it needs. */
  mostNodes: number | null;
}

export interface JudgedJob extends Belonging {
  need: Requirements;
  supportsTermination: boolean;
}

/** Why a job fits nowhere. */
export interface Unfit {
  /** The Slurm config that comes nearest; null where there is none, and the cluster itself is too small. */
  config: { key: number; name: string } | null;
  misfit: Misfit;
  /** The walltime of the Slurm config is what is too short, not the time limit of its partition. */
  isWalltime: boolean;
}

/** Null for a job that fits somewhere, and for one that cannot be judged: only local workers or none may take it. */
export function unfitOf(job: JudgedJob, configs: readonly JudgedConfig[], site: SiteProfile | null): Unfit | null {
  if (labelsIn(job.labels).includes('local')) return null;
  const able = configs.filter(({ pool }) => mayTake(pool, job));
  if (configs.length === 0) return unfitForSite(job, site);
  let nearest: Unfit | null = null;
  for (const config of able) {
    const found = unfitFor(job, config, site);
    if (found === null) return null;
    // one that is only too short comes nearer than one that is too small
    if (nearest === null || (found.isWalltime && !nearest.isWalltime)) nearest = found;
  }
  return nearest;
}

function unfitForSite(job: JudgedJob, site: SiteProfile | null): Unfit | null {
  if (site === null) return null;
  const places = site.partitions.flatMap((partition) => {
    return partition.nodes.map((kind) => placeOf(partition, { ...kind, num_usable: kind.num_nodes }));
  });
  const misfit = misfitIn(job, places, { longestMs: null, mostNodes: null });
  return misfit === null ? null : { config: null, misfit, isWalltime: false };
}

function unfitFor(job: JudgedJob, config: JudgedConfig, site: SiteProfile | null): Unfit | null {
  const { key, name, walltimeMs, mostNodes } = config;
  const there = placesOfConfig(config, site) ?? [];
  // an allocation that no node can give is for Slurm to refuse, which it does at once
  const places = there.length === 0 ? [placeAsked(config)] : there;
  const misfit = misfitIn(job, places, { longestMs: walltimeMs, mostNodes });
  const limitMs = longestOfPartitions(config, site)?.ms ?? Number.POSITIVE_INFINITY;
  const isWalltime = misfit?.code === 'outlasts_partitions' && walltimeMs <= limitMs;
  return misfit === null ? null : { config: { key, name }, misfit, isWalltime };
}

/** The profile does not say which nodes have named resources, and a job without a runtime fits into any time. */
function misfitIn(
  { need, supportsTermination }: JudgedJob,
  places: readonly Place[],
  caps: { longestMs: number | null; mostNodes: number | null },
): Misfit | null {
  const { resources: _, ...plain } = need;
  const isTimed = need.isRuntimeStated || need.expectedMs !== undefined;
  const group = { need: plain, runtimeMs: isTimed ? packedMs(need) : 0, supportsTermination };
  const chosen = choosePlace(group, places, caps);
  return 'code' in chosen ? chosen : null;
}

/** Without a profile: as much as is asked for, and without an end of what is not. */
function placeAsked(config: JudgedConfig): Place {
  const most = Number.MAX_SAFE_INTEGER;
  const kind = { num_nodes: 100_000, num_usable: 100_000, num_idle: 0, num_cpus: most, memory_bytes: most };
  const whole = { sockets: null, cores_per_socket: null, threads_per_core: null, gpus: [{ type: null, count: 1024 }] };
  const limits = { max_time_seconds: null, default_time_seconds: null, max_nodes: null, min_nodes: 0, qos: null };
  const others = {
    max_cpus_per_node: null,
    max_memory_bytes_per_node: null,
    allowed_qos: null,
    allowed_accounts: null,
  };
  const state = { name: 'unknown', is_default: true, is_up: true, gives_whole_nodes: false };
  const partition = { ...state, ...limits, ...others, nodes: [{ ...kind, ...whole }] };
  const unknown = { cluster: 'unknown', slurm_version: null, partitions: [partition] };
  return (placesOfConfig({ ...config, partition: null }, unknown) as Place[])[0] as Place;
}

/** Jobs of a specification that ask for the same and fit nowhere. */
export interface UnfitJobs extends Unfit {
  /** The number of the first of them, and its name. */
  firstJob: number;
  name: string;
  numJobs: number;
}

/**
 * The jobs of a specification that fit nowhere, those that ask for the same together. `grows`: allocations get as many nodes
 * as a job needs, whatever their Slurm config says.
 */
export function unfitJobs(workflow: ExpandedWorkflow, site: SiteProfile | null, grows: boolean): UnfitJobs[] {
  const configs = configsOf(workflow, grows);
  const needs: Requirements[] = [...workflow.requirements, defaultRequirements];
  if (needs.every((need) => fitsEverywhere(need, configs, site))) return [];
  const found = new Map<string, UnfitJobs | null>();
  let number = -1;
  for (const job of workflow.jobs) {
    number += 1;
    const id = JSON.stringify([job.requirements, job.scheduler, job.supportsTermination, job.labels]);
    const known = found.get(id);
    if (known === undefined) {
      const unfit = unfitOf(judged(job, needs), configs, site);
      found.set(id, unfit === null ? null : { ...unfit, firstJob: number, name: job.name, numJobs: 1 });
    } else if (known !== null) known.numJobs += 1;
  }
  return [...found.values()].filter((each) => each !== null);
}

/** So that the jobs themselves need not be looked at. */
function fitsEverywhere(need: Requirements, configs: readonly JudgedConfig[], site: SiteProfile | null): boolean {
  const job = { need, supportsTermination: false, slurmConfigKey: anyConfig, labels: labelSet([]) };
  if (configs.length === 0) return unfitForSite(job, site) === null;
  return configs.every((config) => unfitFor(job, config, site) === null);
}

function judged(
  { requirements, scheduler, labels, supportsTermination }: ExpandedJob,
  needs: Requirements[],
): JudgedJob {
  return {
    need: needs[requirements ?? needs.length - 1] as Requirements,
    supportsTermination,
    slurmConfigKey: scheduler === null ? anyConfig : scheduler + 1,
    labels: labelSet([...(labels ?? [])]),
  };
}

/** Their keys are their places from 1. */
function configsOf({ schedulers }: ExpandedWorkflow, grows: boolean): JudgedConfig[] {
  return schedulers.map((scheduler, index) => {
    const { name, partition, walltimeSeconds, ntasksPerNode, mem, gres, extra, labels, alsoUnlabelled } = scheduler;
    const key = index + 1;
    const set = labelSet([...(labels ?? [])]);
    const pool = poolOfConfig({ key, name, labels: set, alsoUnlabelled: alsoUnlabelled === true });
    const texts = { partition, ntasksPerNode, mem, gres, extra };
    return {
      ...{ key, name, pool, ...texts },
      walltimeMs: walltimeSeconds * 1000,
      mostNodes: grows ? null : scheduler.numNodes,
    };
  });
}
