/** A workflow ready to be stored: every job written out, names resolved to indices, the graph checked. */
import type { Requirements } from './job.ts';

export const jobsSortMethods = ['gpus_runtime_memory', 'gpus_memory_runtime', 'none'] as const;
export type JobsSortMethod = (typeof jobsSortMethods)[number];

export interface ExpandedJob {
  name: string;
  command: string;
  invocationScript: string | null;
  /** Index into `ExpandedWorkflow.requirements`; null for the defaults. */
  requirements: number | null;
  priority: number;
  cancelOnBlockingJobFailure: boolean;
  supportsTermination: boolean;
  /** Indices into `ExpandedWorkflow.files`. */
  inputFiles: readonly number[];
  outputFiles: readonly number[];
  /** Indices into `ExpandedWorkflow.userData`. */
  inputUserData: readonly number[];
  outputUserData: readonly number[];
}

/** A node of the graph: n >= 0 is the n-th job, -1 - b is the b-th barrier. */
export type GraphNode = number;

export interface ExpandedWorkflow {
  name: string;
  description: string | null;
  project: string | null;
  metadata: unknown;
  expirationBufferSeconds: number;
  waitForNewJobsSeconds: number;
  ignoreWorkflowCompletion: boolean;
  waitForHealthyDatabaseMinutes: number;
  jobsSortMethod: JobsSortMethod;
  requirements: readonly (Requirements & { name: string | null })[];
  files: readonly { name: string; path: string }[];
  /** `data` is null while there is none yet. */
  userData: readonly { name: string; data: unknown; isEphemeral: boolean }[];
  numJobs: number;
  /** In stored order; iterated once per use, so that a million jobs need not be in memory at once. */
  jobs: Iterable<ExpandedJob>;
  numBarriers: number;
  /** [upstream, downstream], without repeats and without cycles. */
  edges: readonly (readonly [GraphNode, GraphNode])[];
}
