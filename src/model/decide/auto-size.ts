/** New jobs ask for what earlier jobs with names of the same form have used. */
import type { AutoSize, JobSize, SizedField, SizeNote } from '../auto-size.ts';
import type { ExpandedJob, ExpandedWorkflow } from '../expanded.ts';
import { defaultRequirements, type FromData } from '../job.ts';
import { stemOf } from '../usage.ts';
import type { Room } from './scaling.ts';

/** Fewer attempts say too little. */
export const leastAttempts = 3;

/** In bytes or milliseconds. */
export interface Measured {
  n: number;
  p95: number;
  max: number;
  proposed: number;
}

export interface EarlierUse {
  memory: Measured | null;
  runtime: Measured | null;
}

/** The most that a job can have, by its Slurm config. */
export type RoomOf = (scheduler: number | null) => Pick<Room, 'memoryBytes' | 'runtimeMs'>;

type Need = ExpandedWorkflow['requirements'][number];

/** Jobs with names of one form that ask for the same and run on the same. */
interface Group {
  size: JobSize;
  requirements: number | null;
  /** What they ask for from now on; null where that is as before. */
  need: Need | null;
}

/** At most this many forms of names without measurements are listed. */
const mostListed = 1000;

/** The workflow with new requests, and for each form of its jobs' names what changed or why nothing did. */
export function autoSized(
  workflow: ExpandedWorkflow,
  { workflowKeys, use }: { workflowKeys: readonly string[]; use: ReadonlyMap<string, EarlierUse> },
  roomOf: RoomOf,
): ExpandedWorkflow & { autoSize: AutoSize } {
  const groups = new Map<string, { group: Group; number: number }>();
  const groupOf = new Int32Array(workflow.numJobs).fill(-1);
  let numUnlisted = 0;
  let index = 0;
  for (const job of workflow.jobs) {
    const stem = stemOf(job.name);
    const id = `${job.requirements ?? ''} ${job.scheduler ?? ''} ${stem}`;
    let found = groups.get(id);
    if (found === undefined && (use.has(stem) || groups.size < mostListed)) {
      found = { group: newGroup(workflow, job, stem, use.get(stem), roomOf(job.scheduler)), number: groups.size };
      groups.set(id, found);
    }
    if (found === undefined) numUnlisted += 1;
    else {
      found.group.size.num_jobs += 1;
      groupOf[index] = found.number;
    }
    index += 1;
  }
  const all = [...groups.values()].map(({ group }) => group);
  const { requirements, places } = rewritten(workflow, all, numUnlisted > 0);
  return {
    ...workflow,
    requirements,
    jobs: withRequirements(workflow.jobs, groupOf, places),
    autoSize: { workflow_keys: [...workflowKeys], sizes: all.map(({ size }) => size), num_unlisted: numUnlisted },
  };
}

function newGroup(
  { requirements, schedulers }: ExpandedWorkflow,
  job: ExpandedJob,
  stem: string,
  use: EarlierUse | undefined,
  room: ReturnType<RoomOf>,
): Group {
  const before: Need = (job.requirements === null ? undefined : requirements[job.requirements]) ?? {
    ...defaultRequirements,
    name: null,
  };
  const memory = memorySize(before, use?.memory ?? null, room.memoryBytes);
  const runtime = runtimeSize(before, use?.runtime ?? null, room.runtimeMs);
  const need = withRuntime(withMemory(before, memory.new_request), runtime.new_request);
  const isSame = memory.new_request === memory.requested && runtime.new_request === runtime.requested;
  return {
    requirements: job.requirements,
    need: isSame ? null : need,
    size: {
      stem,
      resource_requirements: before.name,
      scheduler: job.scheduler === null ? null : (schedulers[job.scheduler]?.name ?? null),
      num_jobs: 0,
      num_attempts: use?.runtime?.n ?? 0,
      memory_bytes: memory,
      runtime_seconds: inSeconds(runtime),
    },
  };
}

/** Memory without a limit is stated for packing where it is not the default. */
function memorySize(before: Need, measured: Measured | null, most: number | null): SizedField {
  const { isMemoryStated, memoryBytes, fromData } = before;
  const isGiven = isMemoryStated || memoryBytes !== defaultRequirements.memoryBytes;
  return sized(isGiven ? memoryBytes : null, measured, { most, isFromData: isFromData(fromData, 'memory') });
}

function runtimeSize(before: Need, measured: Measured | null, most: number | null): SizedField {
  const { isRuntimeStated, runtimeMs, expectedMs = null, fromData } = before;
  // a job may not be stopped before it is expected to end
  const least = isRuntimeStated ? (expectedMs ?? 0) : 0;
  const requested = isRuntimeStated ? runtimeMs : expectedMs;
  return sized(requested, measured, { most, least, isFromData: isFromData(fromData, 'runtime') });
}

function isFromData(fromData: FromData | undefined, field: 'memory' | 'runtime'): boolean {
  return fromData?.[field] !== undefined;
}

function sized(
  requested: number | null,
  measured: Measured | null,
  { most, least = 0, isFromData }: { most: number | null; least?: number; isFromData: boolean },
): SizedField {
  const { p95 = null, max = null } = measured ?? {};
  const same = (note: SizeNote, proposed: number | null = null): SizedField => {
    return { requested, p95, max, proposed, new_request: requested, note };
  };
  if (isFromData) return same('from_data');
  if (measured === null) return same('not_measured');
  const { proposed } = measured;
  if (measured.n < leastAttempts) return same('few_attempts', proposed);
  const wanted = Math.max(proposed, least);
  const new_request = Math.min(wanted, most ?? wanted);
  const note = new_request < wanted ? 'scheduler' : wanted > proposed ? 'expected_runtime' : null;
  return { requested, p95, max, proposed, new_request, note };
}

function withMemory(need: Need, value: number | null): Need {
  return value === null ? need : { ...need, memoryBytes: value };
}

/** A job that states no runtime has no limit, and gets none: it is expected to take so long. */
function withRuntime(need: Need, value: number | null): Need {
  if (value === null) return need;
  if (!need.isRuntimeStated) return { ...need, expectedMs: value };
  const { expectedMs, ...others } = need;
  const isShorter = expectedMs !== undefined && expectedMs < value;
  return { ...others, runtimeMs: value, ...(isShorter ? { expectedMs } : {}) };
}

function inSeconds({ requested, p95, max, proposed, new_request, note }: SizedField): SizedField {
  const seconds = (value: number | null): number | null => (value === null ? null : Math.round(value) / 1000);
  return {
    requested: seconds(requested),
    p95: seconds(p95),
    max: seconds(max),
    proposed: seconds(proposed),
    new_request: seconds(new_request),
    note,
  };
}

/**
 * Requirements that only jobs of one group have are changed in their place; of others each group gets a changed copy.
 * `places`: by group, the index of what its jobs require; undefined where that stays.
 */
function rewritten(
  { requirements }: ExpandedWorkflow,
  groups: readonly Group[],
  hasOtherJobs: boolean,
): { requirements: Need[]; places: (number | undefined)[] } {
  const all = [...requirements];
  const names = new Set(all.map(({ name }) => name));
  const numGroups = new Map<number | null, number>();
  for (const group of groups) numGroups.set(group.requirements, (numGroups.get(group.requirements) ?? 0) + 1);
  const places = groups.map(({ requirements: before, need, size }) => {
    if (need === null) return undefined;
    if (before !== null && numGroups.get(before) === 1 && !hasOtherJobs) {
      all[before] = need;
      return undefined;
    }
    const name = freeName([size.resource_requirements, size.stem].filter((word) => word !== null).join(' '), names);
    names.add(name);
    return all.push({ ...need, name }) - 1;
  });
  return { requirements: all, places };
}

function freeName(wanted: string, taken: ReadonlySet<string | null>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted} ${number}`;
  return name;
}

function withRequirements(
  jobs: ExpandedWorkflow['jobs'],
  groupOf: Int32Array,
  places: readonly (number | undefined)[],
): ExpandedWorkflow['jobs'] {
  return {
    *[Symbol.iterator]() {
      let index = 0;
      for (const job of jobs) {
        const place = places[groupOf[index] ?? -1];
        index += 1;
        yield place === undefined ? job : { ...job, requirements: place };
      }
    },
  };
}
