/** A plan of allocations for people and for programs. */
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { minimumRecord } from '../../model/decide/node-minimum.ts';
import { packedMs } from '../../model/job.ts';
import { labelsIn } from '../../model/labels.ts';
import { type Misfit, minimumOf } from '../../model/plan/places.ts';
import {
  type AllocationPlan,
  type PlannedAllocations,
  type PlanOptions,
  planAllocations,
} from '../../model/plan/plan.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import type { PlannedJobs } from '../input/planned-jobs.ts';
import { misfitText } from '../output/misfit-text.ts';

const hourMs = 3_600_000;

export interface AllocationRecord {
  /** Of the Slurm config that it would have. */
  name: string;
  partition: string;
  starts: 'workflow_start' | 'jobs_ready';
  /** The job whose being ready brings them. */
  starts_with_job: string | null;
  stages: number[];
  num_allocations: number;
  /** Further ones, each when one of these has reached its end. */
  num_replacements: number;
  num_nodes: number;
  walltime_seconds: number;
  /** On each node. */
  num_cpus: number;
  memory_bytes: number;
  num_gpus: number;
  gpu_type: string | null;
  /** Of these, what is more than the smallest nodes of the partition have; null for nothing. */
  minimum: ReturnType<typeof minimumRecord>;
  labels: string[];
  jobs_at_once: number;
  num_jobs: number;
  /** Null: they do not come. */
  start_seconds: number | null;
  end_seconds: number | null;
  node_hours: number;
  /** When Slurm could start one of them now; null where it was not asked. */
  estimate: EstimateRecord | null;
}

/** What sbatch --test-only says: an instant, or why Slurm would refuse it. */
export interface EstimateRecord {
  start_time: string | null;
  wait_seconds: number | null;
  refusal: string | null;
  /** What Slurm answered when that cannot be read. */
  problem: string | null;
}

/** Null `start_seconds`: none of its jobs starts. */
interface StageRecord {
  stage: number;
  num_jobs: number;
  start_seconds: number | null;
  end_seconds: number | null;
}

interface MisfitRecord {
  first_job: string;
  num_jobs: number;
  stage: number;
  reason: Misfit;
  text: string;
}

export interface NodePlan {
  workflow_key: string | null;
  name: string;
  cluster: string;
  num_jobs: number;
  allocations: AllocationRecord[];
  stages: StageRecord[];
  end_seconds: number;
  /** While workers are there. */
  node_hours: number;
  /** If every allocation lasted as long as its walltime. */
  node_hours_asked: number;
  idle_share: number;
  misfits: MisfitRecord[];
  /** Jobs that wait for those, or for more allocations than the caps allow. */
  num_jobs_left: number;
  notes: string[];
}

/** Plans allocations for the jobs on the cluster. */
export function nodePlan(jobs: PlannedJobs, site: SiteProfile, options: PlanOptions): NodePlan {
  const { groups, firstJobs } = jobs;
  const plan = planAllocations(groups, site, jobs.rules, options);
  const names = new Set<string>();
  const allocations = plan.allocations.map((each) => allocationRecord(each, jobs, plan, names));
  const asked = plan.allocations.map((each) => {
    return (each.numAllocations + each.numReplacements) * each.segment.numNodes * each.walltimeMs;
  });
  const misfits = plan.misfits.map(({ group, misfit }): MisfitRecord => {
    const { numJobs, stage } = groups[group] as (typeof groups)[number];
    const first_job = firstJobs[group] ?? '';
    return { first_job, num_jobs: numJobs, stage, reason: misfit, text: misfitText(misfit, numJobs) };
  });
  const planned = plan.allocations.reduce((sum, { numJobs }) => sum + numJobs, 0);
  const unfit = misfits.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
  return {
    workflow_key: jobs.workflowKey,
    name: jobs.name,
    cluster: site.cluster,
    num_jobs: jobs.numJobs,
    allocations,
    stages: stageRecords(jobs, plan),
    end_seconds: Math.round(plan.endMs / 1000),
    node_hours: hours(plan.nodeMs),
    node_hours_asked: hours(asked.reduce((sum, ms) => sum + ms, 0)),
    idle_share: Math.round(plan.idleShare * 1000) / 1000,
    misfits,
    num_jobs_left: jobs.numJobs - planned - unfit,
    notes: notesOn(jobs),
  };
}

function hours(ms: number): number {
  return Math.round((ms / hourMs) * 100) / 100;
}

function allocationRecord(
  each: PlannedAllocations,
  { groups, firstJobs }: PlannedJobs,
  plan: AllocationPlan,
  names: Set<string>,
): AllocationRecord {
  const { place, numNodes, withGpus, labels } = each.segment;
  const stages = [...new Set(each.segment.groups.map((group) => groups[group]?.stage ?? 0))];
  const stem = plan.allocations.length === 1 ? place.partition.name : `${place.partition.name}_stage${stages[0]}`;
  let name = stem;
  for (let n = 2; names.has(name); n++) name = `${stem}_${n}`;
  names.add(name);
  return {
    name,
    partition: place.partition.name,
    starts: each.startsWith === null ? 'workflow_start' : 'jobs_ready',
    starts_with_job: each.startsWith === null ? null : (firstJobs[each.startsWith] ?? null),
    stages,
    num_allocations: each.numAllocations,
    num_replacements: each.numReplacements,
    num_nodes: numNodes,
    walltime_seconds: each.walltimeMs / 1000,
    num_cpus: place.numCpus,
    memory_bytes: place.memoryBytes,
    num_gpus: withGpus ? place.numGpus : 0,
    gpu_type: withGpus && place.kind.gpus.length === 1 ? (place.kind.gpus[0]?.type ?? null) : null,
    minimum: minimumRecord({ ...minimumOf(place), ...(withGpus ? {} : { numGpus: null }) }),
    labels: labelsIn(labels),
    jobs_at_once: Math.max(0, ...each.jobsAtOnce),
    num_jobs: each.numJobs,
    start_seconds: each.startMs === null ? null : Math.round(each.startMs / 1000),
    end_seconds: each.startMs === null ? null : Math.round(each.endMs / 1000),
    node_hours: hours(each.nodeMs),
    estimate: null,
  };
}

function stageRecords({ groups }: PlannedJobs, { simulated }: AllocationPlan): StageRecord[] {
  const stages = new Map<number, StageRecord>();
  for (const [index, { stage, numJobs }] of groups.entries()) {
    const known = stages.get(stage) ?? { stage, num_jobs: 0, start_seconds: null, end_seconds: null };
    const { startMs, endMs } = simulated.groups[index] ?? { startMs: null, endMs: 0 };
    known.num_jobs += numJobs;
    if (startMs !== null) {
      known.start_seconds = Math.min(known.start_seconds ?? Number.POSITIVE_INFINITY, Math.round(startMs / 1000));
      known.end_seconds = Math.max(known.end_seconds ?? 0, Math.round(endMs / 1000));
    }
    stages.set(stage, known);
  }
  return [...stages.values()].sort((a, b) => a.stage - b.stage);
}

function notesOn({ groups, hasOwnConfig }: PlannedJobs): string[] {
  const notes: string[] = [];
  const guessed = groups.filter(({ isRuntimeKnown }) => !isRuntimeKnown);
  if (guessed.length > 0) {
    const taken = [...new Set(guessed.map(({ need }) => formatDuration(packedMs(need) / 1000)))].join(', ');
    const numJobs = guessed.reduce((sum, group) => sum + group.numJobs, 0);
    notes.push(`${counted(numJobs, 'job')} without a runtime, taken to run for ${taken}`);
  }
  const bound = groups.filter((_, index) => hasOwnConfig[index] === true);
  if (bound.length > 0) {
    const numJobs = bound.reduce((sum, group) => sum + group.numJobs, 0);
    notes.push(`${counted(numJobs, 'job')} with a scheduler, planned as if any allocation could run them`);
  }
  return notes;
}
