/** What a decision of an autoscaler is made from. Durations in milliseconds, instants in milliseconds UTC. */
import type { Requirements } from '../job.ts';
import type { ResourceSet } from '../named-resources.ts';
import type { ScalingReason } from './autoscaling-reason.ts';
import type { ChosenNodes, NodeMinimum } from './node-minimum.ts';
import type { NodeSize } from './node-size.ts';
import type { FreeNode } from './packing.ts';
import type { Belonging, Pool } from './pools.ts';

/** What a person allows. */
export interface ScalingCaps {
  minNodes: number;
  /** Nodes of all allocations that are queued or running. */
  maxNodes: number;
  /** Allocations that have not started. */
  maxQueued: number;
  walltimeMs: number | null;
  nodesPerAllocation: number | null;
  /** One allocation runs at a time, and the next one waits for its end. */
  isChain: boolean;
}

export interface ScalingConfig {
  key: number;
  name: string;
  pool: Pool;
  walltimeMs: number;
  numNodes: number;
  /** Null while it is not known. */
  size: NodeSize | null;
  /** Where a minimum chooses among nodes of several sizes: those that there are; missing where it does not. */
  nodes?: readonly ChosenNodes[];
  /** Named resources of each node; missing for none. */
  resources?: ResourceSet;
}

/** Ready jobs that ask for the same. */
export interface WaitingShape extends Belonging {
  need: Requirements;
  supportsTermination: boolean;
  /** As many of them as limits let run. */
  numJobs: number;
  /** What they have taken lately; null while that is not known. */
  usualMs: number | null;
}

/** An allocation that is queued or running. */
export interface OpenAllocation {
  key: number;
  config: number;
  numNodes: number;
  oneWorkerPerNode: boolean;
  walltimeMs: number;
  /** Missing for none. */
  minimum?: NodeMinimum;
  isQueued: boolean;
  /** The autoscaler's own, known to Slurm, and not canceled yet. */
  isCancelable: boolean;
  isCanceled: boolean;
  unneededSince: number | null;
  /** Until its end; null while that is not known. */
  timeLeftMs: number | null;
}

/** A worker that may take jobs. */
export interface ScalingWorker {
  pool: Pool;
  walltimeMs: number | null;
  idle: FreeNode;
  free: FreeNode;
}

export interface ScalingInput {
  now: number;
  caps: ScalingCaps;
  /** Why nothing may be asked for; null where it may. `keeps`: what is queued stays. */
  obstacle: { reason: ScalingReason; keeps: boolean } | null;
  configs: readonly ScalingConfig[];
  waiting: readonly WaitingShape[];
  /** Jobs that wait for others. */
  numBlocked: number;
  workers: readonly ScalingWorker[];
  allocations: readonly OpenAllocation[];
  /** Nodes of allocations that have ended, and that Slurm may not have taken back yet. */
  numLeaving: number;
  /** Failed starts since the last that worked, the newest last. */
  failures: readonly { at: number; words: string }[];
  maxParallelJobs: number | null;
  leadMs: number;
}

export interface WantedAllocation {
  config: number;
  numNodes: number;
  oneWorkerPerNode: boolean;
  walltimeMs: number;
  /** Missing for none. */
  minimum?: NodeMinimum;
  /** It starts after the end of this allocation. */
  after: number | null;
}
