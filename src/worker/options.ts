/** What a worker is told, what it needs, and how it ends. */
import type { Api } from '../api/contract.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Amounts } from '../model/named-resources.ts';
import type { StepPlace } from '../slurm/step.ts';
import type { Topology } from './cpu-sets.ts';
import type { StopSource, WorkerEffects } from './effects.ts';
import type { GpuMaker } from './processes/gpus.ts';

export interface WorkerOptions {
  /** The server directory. Reports that cannot be delivered are kept below `workers/WORKER_ID/` in it. */
  directory: string;
  workflowKey: string;
  /** Absolute; the jobs' output goes below `job_stdio/` there. */
  outputDirectory: string;
  /**
   * `nodeNames` are the nodes that the worker owns, its own first; the rest is what each of them has. `gpuIds` holds what
   * the variable of their maker calls the GPU of each index.
   */
  capacity: {
    nodeNames: string[];
    numCpus: number;
    memoryBytes: number;
    numGpus: number;
    gpuIds: string[];
    /** Missing for NVIDIA. */
    gpuMaker?: GpuMaker;
    /** The CPUs that the jobs share; null, or missing, where they are not known. */
    topology?: Topology | null;
  };
  /** Jobs that do not say otherwise run only on the CPUs that they are given. */
  pin?: boolean;
  /** Where jobs that want it run as steps of the allocation; missing for nowhere. */
  steps?: StepPlace;
  maxParallelJobs: number | null;
  /** Jobs that ask for labels find it by these; with some it takes no other jobs, unless `alsoUnlabelled`. */
  labels?: readonly string[];
  alsoUnlabelled?: boolean;
  /** Named resources of each of its nodes; missing for none. */
  resources?: Amounts;
  /** Milliseconds since 1970: the end of the allocation or of the time limit itself, without any buffer. */
  deadlineMs: number | null;
  /** The whole length of the allocation; null takes what is left of it at the start. */
  walltimeSeconds: number | null;
  /** Overrides the workflow's own setting. */
  waitForNewJobsSeconds: number | null;
  identity: {
    hostname: string;
    cluster: string | null;
    slurmJobId: string | null;
    /** The Slurm job inside of which a person started it. */
    enclosingSlurmJobId?: string;
    restartCount: number;
    allocationKey: string | null;
  };
}

export interface WorkerDependencies {
  api: Api;
  clock: Clock;
  log: Log;
  signals: StopSource;
  /** Tells the person who started the worker; what it says is in the log too. */
  warn?(text: string): void;
  /** Defaults to this machine's own. */
  effects?: WorkerEffects;
}

/**
 * `complete`: nothing is left to do. `idle`: no work came for a while. `deadline`: the time was over. `stopped`: by a
 * signal. `gone`: the server has given this worker up. `server_lost`: it was idle and the server stayed away.
 */
export interface WorkerExit {
  reason: 'complete' | 'idle' | 'deadline' | 'stopped' | 'gone' | 'server_lost';
  numJobs: number;
  /** Jobs that are `done` with a return code other than 0. */
  numFailed: number;
}
