/** How much of what workers had was given to attempts, and how much of that they used, over time. */
import { type Period, TimeBins } from './time-bins.ts';

/** Averages over a piece of time. */
export interface Busy {
  num_nodes: number;
  num_pending_nodes: number;
  num_running: number;
  num_cpus: number;
  job_cpus: number;
  used_cpus: number | null;
  memory_bytes: number;
  job_memory_bytes: number;
  used_memory_bytes: number | null;
  num_gpus: number;
  job_gpus: number;
}

const fields = [
  'num_nodes',
  'num_pending_nodes',
  'num_running',
  'num_cpus',
  'job_cpus',
  'used_cpus',
  'memory_bytes',
  'job_memory_bytes',
  'used_memory_bytes',
  'num_gpus',
  'job_gpus',
] as const satisfies readonly (keyof Busy)[];

/** [worker, start, end, CPUs, bytes, thousandths of GPUs, milliseconds of CPU time, average bytes] */
type Use = readonly [number, number, number, number, number, number, number | null, number | null];

/** Adds up workers and attempts in any order. */
export class Utilization {
  readonly #bins: Readonly<Record<keyof Busy, TimeBins>>;
  readonly #numBins: number;
  #hasCpuTimes = false;
  #hasMemory = false;
  numAttempts = 0;

  constructor(period: Period) {
    this.#numBins = period.numBins;
    this.#bins = Object.fromEntries(fields.map((field) => [field, new TimeBins(period)])) as Record<
      keyof Busy,
      TimeBins
    >;
  }

  /** Sizes are those of each of its nodes. */
  addWorker(
    worker: { startedAt: number; numNodes: number; numCpus: number; memoryBytes: number; numGpus: number },
    end: number,
  ): void {
    const { startedAt, numNodes, numCpus, memoryBytes, numGpus } = worker;
    this.#bins.num_nodes.add(startedAt, end, numNodes);
    this.#bins.num_cpus.add(startedAt, end, numNodes * numCpus);
    this.#bins.memory_bytes.add(startedAt, end, numNodes * memoryBytes);
    this.#bins.num_gpus.add(startedAt, end, numNodes * numGpus);
  }

  /** Nodes of an allocation that waited. */
  addPending(from: number, to: number, numNodes: number): void {
    this.#bins.num_pending_nodes.add(from, to, numNodes);
  }

  addAttempt([, start, end, numCpus, memoryBytes, gpuThousandths, cpuMs, usedBytes]: Use): void {
    this.numAttempts += 1;
    this.#bins.num_running.add(start, end, 1);
    this.#bins.job_cpus.add(start, end, numCpus);
    this.#bins.job_memory_bytes.add(start, end, memoryBytes);
    this.#bins.job_gpus.add(start, end, gpuThousandths / 1000);
    if (cpuMs !== null && end > start) {
      this.#hasCpuTimes = true;
      this.#bins.used_cpus.add(start, end, cpuMs / (end - start));
    }
    if (usedBytes !== null) {
      this.#hasMemory = true;
      this.#bins.used_memory_bytes.add(start, end, usedBytes);
    }
  }

  bins(): Busy[] {
    const averages = fields.map((field) => this.#bins[field].averages());
    return Array.from({ length: this.#numBins }, (_, bin) => this.#busy(averages.map((values) => values[bin] ?? 0)));
  }

  average(): Busy {
    return this.#busy(fields.map((field) => this.#bins[field].average()));
  }

  /** In the order of the fields. */
  #busy(values: readonly number[]): Busy {
    const busy = Object.fromEntries(fields.map((field, index) => [field, values[index] ?? 0])) as Record<
      keyof Busy,
      number
    >;
    return {
      ...busy,
      used_cpus: this.#hasCpuTimes ? busy.used_cpus : null,
      used_memory_bytes: this.#hasMemory ? busy.used_memory_bytes : null,
    };
  }
}
