/**
 * Which allocations a workflow needs: a pure function of its groups of jobs and what a cluster offers. Numbers of
 * allocations and walltimes are found by running the packing over a simulated clock.
 */
import { poolOfConfig } from '../decide/pools.ts';
import { noLabels } from '../labels.ts';
import type { JobGroup } from './groups.ts';
import { choosePlace, jobsAtOnce, type Misfit, offerOf, type Place, placesOf } from './places.ts';
import { type Segment, segmentsOf } from './segments.ts';
import { type PlannedWorkers, type Simulated, simulate, type WorkerRules } from './simulation.ts';
import type { SiteProfile } from './site.ts';
import { longestMsOf, mostRounds, roundedWalltime, type Sized, sizeOfSegment } from './sizing.ts';

export interface PlanOptions {
  /** Nodes of the allocations of one segment; null for as many as help. */
  maxNodes: number | null;
  /** Allocations in all; null for as many as help. */
  maxAllocations: number | null;
  /** Null for the partition's own limit. */
  maxWalltimeMs: number | null;
  /** Null for any that is up. */
  partition: string | null;
  maxParallelJobs: number | null;
  /** How long allocations are taken to wait in Slurm's queue. */
  queueMs: number;
}

/** Equal allocations that are submitted at the same time. */
export interface PlannedAllocations {
  segment: Segment;
  numAllocations: number;
  walltimeMs: number;
  /** Further ones, each when one of these has reached its end. */
  numReplacements: number;
  /** The group whose first ready job brings them; null for the start. */
  startsWith: number | null;
  /** By group of the segment: how many of its jobs run at once on one allocation. */
  jobsAtOnce: number[];
  /** Null when none comes. */
  startMs: number | null;
  endMs: number;
  /** While workers are there. */
  nodeMs: number;
  numJobs: number;
}

export interface AllocationPlan {
  allocations: PlannedAllocations[];
  misfits: { group: number; misfit: Misfit }[];
  /** Groups without room within the caps, with the jobs that are left. */
  left: { group: number; numJobs: number }[];
  simulated: Simulated;
  endMs: number;
  nodeMs: number;
  /** The part of the CPUs of those nodes without a job. */
  idleShare: number;
}

export function planAllocations(
  groups: readonly JobGroup[],
  site: SiteProfile,
  rules: WorkerRules,
  options: PlanOptions,
): AllocationPlan {
  const places = placesOf(site, options.partition);
  const caps = { longestMs: options.maxWalltimeMs, mostNodes: options.maxNodes };
  const chosen = groups.map((group) => choosePlace(group, places, caps));
  const placeOf = chosen.map((each) => ('code' in each ? null : each));
  const misfits = chosen.flatMap((each, group) => ('code' in each ? [{ group, misfit: each }] : []));
  const runnable = withoutMisfits(groups, new Set(misfits.map(({ group }) => group)));
  const segments = segmentsOf(runnable, placeOf, options.maxParallelJobs);
  const sized = sizeAll(runnable, segments, rules, options);
  let planned = sized.map((each) => plannedWorkers(runnable, each, options));
  let simulated = simulate(runnable, planned, rules);
  if (simulated.groups.some(({ numLeft }) => numLeft > 0)) {
    planned = lastingLonger(runnable, planned, sized, { rules, options });
    simulated = simulate(runnable, planned, rules);
  }
  return assembled(runnable, { sized, planned, simulated, misfits });
}

/** What cannot run has no jobs in the simulation, and neither has what waits for it. */
function withoutMisfits(groups: readonly JobGroup[], misfits: ReadonlySet<number>): JobGroup[] {
  const gone = new Set(misfits);
  for (let size = -1; size !== gone.size; ) {
    size = gone.size;
    for (const [index, { waitsFor }] of groups.entries())
      if (waitsFor.some(({ group }) => gone.has(group))) gone.add(index);
  }
  return groups.map((group, index) => (gone.has(index) ? { ...group, numJobs: 0, waitsFor: [] } : group));
}

/** `maxAllocations`: what the caps leave for it. */
type SizedWithin = Sized & { maxAllocations: number };

/** The earlier ones first take what the caps leave. */
function sizeAll(groups: readonly JobGroup[], segments: readonly Segment[], rules: WorkerRules, options: PlanOptions) {
  const used = segments.filter(({ groups: these }) => these.some((index) => (groups[index] as JobGroup).numJobs > 0));
  let left = options.maxAllocations ?? Number.POSITIVE_INFINITY;
  return used.map((segment, at): SizedWithin => {
    // every later one gets at least one
    const most = Math.max(1, left - (used.length - at - 1));
    const sized = {
      ...sizeOfSegment(groups, segment, rules, { ...options, maxAllocations: most }),
      maxAllocations: most,
    };
    left -= Math.min(most, sized.numAllocations + sized.numReplacements);
    return sized;
  });
}

/** Workers also take jobs of other segments, so that some may be needed for longer than their own take. */
function lastingLonger(
  groups: readonly JobGroup[],
  planned: readonly PlannedWorkers[],
  sized: readonly SizedWithin[],
  { rules, options }: { rules: WorkerRules; options: PlanOptions },
): PlannedWorkers[] {
  const longest = sized.map(({ segment }) => longestMsOf(segment, options));
  const within = sized.map(({ maxAllocations, numAllocations }) => roundsOf(maxAllocations, numAllocations));
  const unlimited = planned.map((each, index) => {
    return { ...each, walltimeMs: longest[index] as number, replacements: within[index] as number };
  });
  const { workers } = simulate(groups, unlimited, rules);
  return unlimited.map((each, index) => {
    const needed = roundedWalltime(workers[index]?.neededMs ?? 0, rules);
    return { ...each, walltimeMs: Math.min(each.walltimeMs, Math.max(planned[index]?.walltimeMs ?? 0, needed)) };
  });
}

function roundsOf(maxAllocations: number, numAllocations: number): number {
  return Math.min(mostRounds, Math.floor(maxAllocations / numAllocations) - 1);
}

function plannedWorkers(groups: readonly JobGroup[], sized: SizedWithin, options: PlanOptions): PlannedWorkers {
  const { segment, numAllocations, walltimeMs, numReplacements, maxAllocations } = sized;
  return {
    offer: offerOf(segment.place, segment.numNodes, options.maxParallelJobs, segment.withGpus),
    walltimeMs,
    count: numAllocations,
    pool: poolOf(segment),
    startsWith: beginning(groups, segment),
    delayMs: options.queueMs,
    replacements: numReplacements === 0 ? 0 : roundsOf(maxAllocations, numAllocations),
  };
}

export function poolOf({ labels }: Pick<Segment, 'labels'>) {
  return poolOfConfig({ key: 1, name: 'planned', labels, alsoUnlabelled: labels === noLabels });
}

/** The group that brings the allocations; null when its jobs are ready at the start. */
function beginning(groups: readonly JobGroup[], { groups: these }: Segment): number | null {
  const first = these[0] as number;
  const stage = (groups[first] as JobGroup).stage;
  const atStart = these.some((index) => (groups[index] as JobGroup).waitsFor.length === 0);
  return stage === 1 || atStart ? null : first;
}

function assembled(
  groups: readonly JobGroup[],
  parts: Pick<AllocationPlan, 'simulated' | 'misfits'> & { sized: readonly Sized[]; planned: PlannedWorkers[] },
): AllocationPlan {
  const { sized, planned, simulated, misfits } = parts;
  const allocations = sized.map((each, index): PlannedAllocations => {
    const told = simulated.workers[index] as Simulated['workers'][number];
    const workers = planned[index] as PlannedWorkers;
    return {
      segment: each.segment,
      numAllocations: each.numAllocations,
      walltimeMs: workers.walltimeMs,
      numReplacements: Math.max(0, told.numStarted - each.numAllocations),
      startsWith: workers.startsWith,
      jobsAtOnce: each.segment.groups.map((group) => jobsAtOnce(groups[group] as JobGroup, workers.offer)),
      startMs: told.firstStartMs,
      endMs: told.lastEndMs,
      nodeMs: told.presentMs * each.segment.numNodes,
      numJobs: told.numJobs,
    };
  });
  const nodeMs = allocations.reduce((sum, each) => sum + each.nodeMs, 0);
  const cpuMs = allocations.reduce((sum, each) => sum + each.nodeMs * each.segment.place.numCpus, 0);
  return {
    allocations,
    misfits,
    left: simulated.groups.flatMap(({ numLeft }, group) => (numLeft === 0 ? [] : [{ group, numJobs: numLeft }])),
    simulated,
    endMs: simulated.endMs,
    nodeMs,
    idleShare: cpuMs === 0 ? 0 : 1 - Math.min(1, simulated.cpuMs / cpuMs),
  };
}

export type { Place };
