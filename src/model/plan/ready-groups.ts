/** Groups of jobs as planned workers see them: how many jobs are ready, and which one is next in claim order. */
import { anyConfig, type Belonging } from '../decide/pools.ts';
import type { Requirements } from '../job.ts';
import type { JobGroup, Wait } from './groups.ts';
import { needOf } from './need.ts';

export class ReadyGroup {
  readonly index: number;
  readonly numJobs: number;
  readonly waitsFor: readonly Wait[];
  readonly runtimeMs: number;
  readonly need: Requirements;
  /** Whether a job has just some of the CPUs and the memory of the worker's own node: then all have the same. */
  readonly isPlain: boolean;
  readonly belonging: Belonging;
  readonly priority: number;
  readonly sortRank: number;
  /** Of the next job to start: the jobs of a group are numbered as if no others were between them. */
  jobKey: number;
  /** What it was when the places of the groups were marked. */
  markedKey = 0;
  numReady = 0;
  numStarted = 0;
  numEnded = 0;
  /** Whether jobs of it were claimed since its place among the others was last found. */
  isOutOfPlace = false;

  constructor(group: JobGroup, index: number) {
    const { numJobs, waitsFor, runtimeMs, priority, sortRank, labels, firstJob } = group;
    const need = needOf(group);
    const { numNodes, gpuThousandths, resources, numCpus } = need;
    this.index = index;
    this.numJobs = numJobs;
    this.waitsFor = waitsFor;
    this.runtimeMs = runtimeMs;
    this.need = need;
    this.isPlain = numNodes === 1 && gpuThousandths === 0 && resources === undefined && numCpus > 0;
    this.belonging = { slurmConfigKey: anyConfig, labels };
    this.priority = priority;
    this.sortRank = sortRank;
    this.jobKey = firstJob;
  }

  /** Jobs that are ready and have not started. */
  get numAvailable(): number {
    return this.numReady - this.numStarted;
  }

  start(numJobs: number): void {
    this.numStarted += numJobs;
    this.jobKey += numJobs;
    this.isOutOfPlace = true;
  }
}

/** Whether they follow each other in claim order only by the numbers of their jobs. */
export function areOfOneRank(a: ReadyGroup, b: ReadyGroup): boolean {
  return a.priority === b.priority && a.sortRank === b.sortRank;
}

/** Claim order: where jobs have the same number, in the order of their groups. */
export function compareGroups(a: ReadyGroup, b: ReadyGroup): number {
  return b.priority - a.priority || a.sortRank - b.sortRank || a.jobKey - b.jobKey || a.index - b.index;
}

/** How many jobs of the first of two groups of one rank come before the next job of the second one. */
export function numBefore(first: ReadyGroup, second: ReadyGroup): number {
  return second.jobKey - first.jobKey + (first.index < second.index ? 1 : 0);
}
