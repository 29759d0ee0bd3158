/** How long an allocation of an autoscaler should last, and how many short jobs a node takes in turn. */
import { packedMs, type Requirements } from '../job.ts';
import { type FreeNode, fits, take } from './packing.ts';

interface TimedShape {
  need: Requirements;
  supportsTermination: boolean;
  numJobs: number;
  usualMs: number | null;
}

/** A node that would be done sooner is not worth its start. */
const worthwhileMs = 120_000;
/** What an allocation needs beyond its jobs: the start of its worker, and the buffer before its end. */
const marginMs = 120_000;
const spareShare = 1.2;
const stepMs = 300_000;

/** How long a job of the shape takes; null while nobody has said it and none has shown it. */
export function runtimeOf({ need, usualMs }: Pick<TimedShape, 'need' | 'usualMs'>): number | null {
  if (usualMs !== null) return usualMs;
  return need.isRuntimeStated || need.expectedMs !== undefined ? packedMs(need) : null;
}

/** How many jobs of the shape run one after the other in one place before another node is worth its start. */
export function roundsOf(shape: Pick<TimedShape, 'need' | 'usualMs'>): number {
  const runtimeMs = runtimeOf(shape);
  return runtimeMs === null ? 1 : Math.max(1, Math.floor(worthwhileMs / Math.max(1_000, runtimeMs)));
}

interface Work {
  shapes: readonly TimedShape[];
  /** Jobs that wait for others; they are taken to be like those that are ready. */
  numBlocked: number;
  /** A worker of the new allocation. */
  room: FreeNode;
  /** Allocations that share the work. */
  numSharing: number;
  longestMs: number;
}

/**
 * As long as what is left needs: at least the longest job, at most `longestMs`, which it is too where a runtime is not
 * known or a job goes on in the next allocation.
 */
export function chooseWalltime({ shapes, numBlocked, room, numSharing, longestMs }: Work): number {
  const numReady = shapes.reduce((sum, { numJobs }) => sum + numJobs, 0);
  let [workMs, longestJobMs] = [0, 0];
  for (const shape of shapes) {
    const runtimeMs = runtimeOf(shape);
    if (runtimeMs === null || shape.supportsTermination) return longestMs;
    workMs += (shape.numJobs * runtimeMs) / Math.max(1, numFitting(room, shape.need, shape.numJobs));
    // what is stated is enforced, so a job may take all of it
    longestJobMs = Math.max(longestJobMs, shape.need.isRuntimeStated ? packedMs(shape.need) : runtimeMs);
  }
  const sharedMs = numReady === 0 ? 0 : (workMs * (numReady + numBlocked)) / numReady / numSharing;
  const neededMs = Math.max(longestJobMs, sharedMs) * spareShare + marginMs;
  return Math.min(longestMs, Math.ceil(neededMs / stepMs) * stepMs);
}

/** More of them than this say nothing about a node. */
const mostFitting = 4096;

/** How many jobs with these needs run at a time in a room without jobs. */
export function numFitting(room: FreeNode, need: Requirements, most: number): number {
  const free = { ...copyOf(room), timeLeftMs: null };
  let count = 0;
  for (; count < Math.min(most, mostFitting) && fits(free, need); count += 1) take(free, need);
  return count;
}

/** For packing, which changes it. */
export function copyOf(free: FreeNode): FreeNode {
  const named = free.named === null ? null : { ...free.named };
  return { ...free, named, gpus: [...free.gpus], idleNodes: [...free.idleNodes], wholeNode: { ...free.wholeNode } };
}
