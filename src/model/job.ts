/**
 * The words of the domain as types: what a job asks for, what a worker offers, how an attempt ended.
 * Bytes, milliseconds and thousandths of a GPU are integers.
 */
import type { ResourceSet } from './named-resources.ts';
import type { Cause, JobStatus } from './status.ts';

/** What a job occupies while it runs. */
export interface Resources {
  numCpus: number;
  memoryBytes: number;
  /** Thousandths of a GPU; whole GPUs are multiples of 1000. */
  gpuThousandths: number;
}

/** The dimensions in which a job can be larger than a worker. */
export const dimensions = ['cpus', 'memory', 'gpus', 'nodes'] as const;
export type Dimension = (typeof dimensions)[number];

/**
 * What a job asks for. `runtimeMs` and `memoryBytes` serve the packing; they are enforced only where someone stated
 * them. A job without a stated or expected runtime fits into any time that is left.
 */
export interface Requirements extends Resources {
  numNodes: number;
  runtimeMs: number;
  isMemoryStated: boolean;
  isRuntimeStated: boolean;
  /** How long it is expected to run, at most its stated runtime; missing where that is the same. */
  expectedMs?: number;
  /** Named resources, on each of its nodes; missing for none. */
  resources?: ResourceSet;
}

/** How long a job is taken to run when it is packed. */
export function packedMs({ runtimeMs, expectedMs }: Pick<Requirements, 'runtimeMs' | 'expectedMs'>): number {
  return expectedMs ?? runtimeMs;
}

/** Fields of requirements that can come from data, by their keys in a specification. */
export const fieldsFromData = ['num_cpus', 'memory', 'num_gpus', 'runtime'] as const;
export type FieldFromData = (typeof fieldsFromData)[number];

/** The texts of fields that name data. */
export type FromData = Partial<Record<FieldFromData, string>>;

/** What a job without resource requirements gets: for packing and order only. */
export const defaultRequirements: Requirements = {
  numCpus: 1,
  memoryBytes: 1024 * 1024,
  gpuThousandths: 0,
  numNodes: 1,
  runtimeMs: 60_000,
  isMemoryStated: false,
  isRuntimeStated: false,
};

/** Whether a job can have this number of GPUs: a fraction of one in thousandths, or whole ones. */
export function isGpuCount(value: number): boolean {
  const thousandths = Math.round(value * 1000);
  return Math.abs(thousandths - value * 1000) < 1e-6 && (value < 1 || thousandths % 1000 === 0);
}

/** How an attempt ended, as the worker reports it. */
export interface AttemptEnd {
  status: Extract<JobStatus, 'done' | 'canceled' | 'terminated'>;
  /** 0 to 255 for `done`, null otherwise. */
  returnCode: number | null;
  cause: Cause;
  /** The raw exit code, when the process exited. */
  exitCode: number | null;
  /** The raw signal number, when the process was killed. */
  signal: number | null;
  /** One sentence of evidence, or null. */
  detail: string | null;
}
