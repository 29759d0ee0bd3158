/** A workflow ready to be stored: every job written out, names resolved to indices, the graph checked. */
import type { AutoSize } from './auto-size.ts';
import type { FromData, Requirements } from './job.ts';
import type { Environment, Execution, Launch, StdioMode } from './launch.ts';
import type { ResourceSet } from './named-resources.ts';
import type { NotificationRule } from './notification.ts';
import type { FailureRule } from './retry.ts';

export { type StdioMode, stdioModes } from './launch.ts';

export const jobsSortMethods = ['gpus_runtime_memory', 'gpus_memory_runtime', 'none'] as const;
export type JobsSortMethod = (typeof jobsSortMethods)[number];

export const triggerTypes = [
  'on_workflow_start',
  'on_workflow_complete',
  'on_jobs_ready',
  'on_jobs_complete',
  'on_worker_start',
  'on_worker_complete',
] as const;
export const actionTypes = ['run_commands', 'schedule_nodes'] as const;
export const schedulerTypes = ['slurm', 'local'] as const;
export const monitorGranularities = ['summary', 'time_series'] as const;

/** Signals that a job can use to write a checkpoint. */
export const terminationSignals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'] as const;
export type TerminationSignal = (typeof terminationSignals)[number];

/** Texts by which people find workflows and jobs. */
export type Attributes = Readonly<Record<string, string>>;

export interface ExpandedJob {
  name: string;
  command: string;
  /** The command with its op args left open; undefined when it has none. */
  identity?: string;
  invocationScript: string | null;
  /** Index into `ExpandedWorkflow.requirements`; null for the defaults. */
  requirements: number | null;
  /** Index into `ExpandedWorkflow.failureHandlers`. */
  failureHandler: number | null;
  /** Index into `ExpandedWorkflow.schedulers`. */
  scheduler: number | null;
  /** It runs only on workers that have all of them; undefined for none. */
  labels?: readonly string[];
  /** Names of limits under which it runs; undefined for none. */
  limits?: readonly string[];
  priority: number;
  cancelOnBlockingJobFailure: boolean;
  supportsTermination: boolean;
  /** It counts as successful whatever code it exits with. */
  taskFailureIsSuccess?: boolean;
  /** It does not start until somebody releases it. */
  isHeld?: boolean;
  /** How long it may be ready without starting; undefined for ever. */
  maxWaitMs?: number;
  attributes?: Attributes;
  /** How its process is started; undefined where it is as for all others. */
  launch?: Launch;
  /** Indices into `ExpandedWorkflow.files`. */
  inputFiles: readonly number[];
  outputFiles: readonly number[];
  /** Indices into `ExpandedWorkflow.userData`. */
  inputUserData: readonly number[];
  outputUserData: readonly number[];
}

/** What happens after a failure, by the first rule that fits the exit code. */
export interface ExpandedFailureHandler {
  name: string;
  /** Written as `max_retries`, `retry_delay` and `retry_backoff` of jobs. */
  isPlain?: boolean;
  rules: readonly FailureRule[];
}

/** The settings of a Slurm config, with the workflow's defaults in them. */
export interface ExpandedScheduler {
  name: string;
  account: string;
  partition: string | null;
  qos: string | null;
  walltimeSeconds: number;
  numNodes: number;
  ntasksPerNode: number | null;
  mem: string | null;
  tmp: string | null;
  gres: string | null;
  /** Further options of sbatch, as words of a shell. */
  extra: string | null;
  /** What its workers are given; undefined for none. */
  labels?: readonly string[];
  /** Its workers take jobs without labels although they were given some. */
  alsoUnlabelled?: boolean;
  /** Its place among the fallbacks of jobs that have outgrown their own; undefined for none. */
  fallbackOrder?: number;
  /** Named resources of each of its nodes; undefined for none. */
  resources?: ResourceSet;
}

export interface ExpandedAction {
  triggerType: (typeof triggerTypes)[number];
  actionType: (typeof actionTypes)[number];
  /** Numbers of the jobs that the trigger is about; empty for other triggers. */
  jobs: readonly number[];
  commands: readonly string[];
  /** Index into `ExpandedWorkflow.schedulers`. */
  scheduler: number | null;
  schedulerType: (typeof schedulerTypes)[number] | null;
  numAllocations: number;
  startOneWorkerPerNode: boolean;
  maxParallelJobs: number | null;
  persistent: boolean;
}

export interface ResourceMonitor {
  enabled: boolean;
  granularity: (typeof monitorGranularities)[number];
  sampleIntervalSeconds: number;
  generatePlots: boolean;
}

/** A node of the graph: n >= 0 is the n-th job, -1 - b is the b-th barrier. */
export type GraphNode = number;

export interface ExpandedWorkflow {
  name: string;
  /** What the workflow is made with; undefined for its name. */
  tool?: string;
  /** What makes it the same workflow again, as `argsText` writes it; undefined for one that is new each time. */
  args?: string;
  description: string | null;
  project: string | null;
  metadata: unknown;
  attributes?: Attributes;
  /** Environment variables of every job; undefined for none. */
  env?: Environment;
  expirationBufferSeconds: number;
  waitForNewJobsSeconds: number;
  ignoreWorkflowCompletion: boolean;
  waitForHealthyDatabaseMinutes: number;
  jobsSortMethod: JobsSortMethod;
  stdio: StdioMode;
  /** Whether jobs run only on the CPUs that they are given, and what starts them; undefined for false and `direct`. */
  pin?: true;
  execution?: Execution;
  /** How often in a run a job comes back whose attempt was lost by infrastructure. */
  maxLosses: number;
  /** At most this many jobs may be added by its running jobs; undefined for the default. */
  maxDynamicJobs?: number;
  /** With this many failures in a run nothing more starts, and what waits is canceled; undefined for no limit. */
  maxFailures?: number;
  /** So many of its jobs run at once; undefined for as many as fit. */
  maxConcurrentJobs?: number;
  /** Its own limits; undefined for none. */
  limits?: readonly { name: string; maximum: number }[];
  /** This long after its start nothing more of a run starts; undefined for never. */
  timeoutMs?: number;
  /** Sent to jobs with `supportsTermination` this long before their time is over. */
  terminationSignal: TerminationSignal;
  sigtermLeadSeconds: number;
  /** Whether the folders of declared output files are made before a job starts. */
  createOutputFolders: boolean;
  requirements: readonly (Requirements & { name: string | null; fromData?: FromData })[];
  /** `written`: the path before variables and `~` were replaced, where there were any. */
  files: readonly { name: string; path: string; written?: string }[];
  /** Numbers of the files and user data that jobs read and none writes, with the name of the first reader. */
  fromOutside: Record<'files' | 'userData', Iterable<{ number: number; reader: string }>>;
  /** `data` is null while there is none yet. */
  userData: readonly { name: string; data: unknown; isEphemeral: boolean }[];
  numJobs: number;
  /** In stored order; iterated once per use, so that a million jobs need not be in memory at once. */
  jobs: Iterable<ExpandedJob>;
  numBarriers: number;
  /** [upstream, downstream], without repeats and without cycles. */
  edges: readonly (readonly [GraphNode, GraphNode])[];
  failureHandlers: readonly ExpandedFailureHandler[];
  schedulers: readonly ExpandedScheduler[];
  /**
   * What jobs wait for in the order in which they declare it, as runs of successive jobs: the first and how many.
   * Undefined, or missing for a job, where the numbers of the jobs ascend.
   */
  upstreamOrders?: ReadonlyMap<number, readonly (readonly [number, number])[]>;
  /** How many jobs name a scheduler. */
  numJobsWithScheduler: number;
  resourceMonitor: ResourceMonitor | null;
  actions: readonly ExpandedAction[];
  /** Undefined when the specification says nothing about them. */
  notifications?: readonly NotificationRule[];
  usePendingFailed: boolean;
  /** How requests follow from what earlier jobs have used; undefined where they are as written. */
  autoSize?: AutoSize;
  /** The keys and indices that lead to the job of this number in the document; undefined where there is none. */
  pathOf?: (job: number) => readonly (string | number)[];
  /** What the specification says without an effect, each with its place; undefined for nothing. */
  notes?: readonly string[];
  /** Parameters of the workflow that a job has in braces and does not use, by its written name. */
  unusedParameters: readonly { job: string; parameters: readonly string[] }[];
}

/** For a workflow that consists only of jobs. */
export const noFurtherParts = {
  failureHandlers: [],
  schedulers: [],
  numJobsWithScheduler: 0,
  resourceMonitor: null,
  actions: [],
  usePendingFailed: false,
  unusedParameters: [],
  fromOutside: { files: [], userData: [] },
} as const satisfies Partial<ExpandedWorkflow>;
