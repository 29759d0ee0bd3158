/** What allocations and other workers had, and what their jobs made of it, in node-hours and CPU-hours. */

/** A worker, and the time for which it had its nodes; milliseconds. */
export interface WorkerTime {
  computeNodeKey: number;
  /** Null for one that torc did not submit. */
  allocationKey: number | null;
  slurmJobId: string | null;
  hostname: string;
  /** Each start of a requeued allocation has its own workers. */
  restartCount: number;
  numNodes: number;
  /** Of each node. */
  numCpus: number;
  startedAt: number;
  /** Null while it runs. */
  endedAt: number | null;
}

/** Of all attempts of one worker: CPU-milliseconds that they had, and that they used. */
export interface JobTime {
  numAttempts: number;
  hadMs: number;
  usedMs: number;
}

export interface Hours {
  num_workers: number;
  num_attempts: number;
  node_hours: number;
  cpu_hours: number;
  /** Of CPUs that jobs had, whether they used them or not. */
  job_cpu_hours: number;
  used_cpu_hours: number;
  /** Of the CPU-hours, those without a job; null without any. */
  idle_share: number | null;
  /** Of the CPU-hours, those that jobs used. */
  efficiency: number | null;
}

export interface AllocationHours extends Hours {
  /** Null for a worker outside of torc's allocations. */
  allocation_key: string | null;
  slurm_job_id: string | null;
  /** Of a worker outside of torc's allocations, and of an allocation with one worker. */
  hostname: string | null;
  num_nodes: number;
  is_running: boolean;
  /** Milliseconds. */
  startedAt: number;
  endedAt: number | null;
}

/** One row for each allocation that has had a worker, and for each worker outside of them, in the order of their starts. */
export function allocationHours(
  workers: readonly WorkerTime[],
  { numNodes, jobs, now }: { numNodes: ReadonlyMap<number, number>; jobs: ReadonlyMap<number, JobTime>; now: number },
): AllocationHours[] {
  const groups = new Map<string, WorkerTime[]>();
  for (const worker of workers) {
    const { allocationKey, computeNodeKey } = worker;
    const id = allocationKey === null ? `worker ${computeNodeKey}` : `allocation ${allocationKey}`;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [worker]);
    else group.push(worker);
  }
  return [...groups.values()]
    .map((group) => hoursOf(group, { numNodes, jobs, now }))
    .sort((a, b) => a.startedAt - b.startedAt);
}

function hoursOf(
  group: readonly WorkerTime[],
  { numNodes: sizes, jobs, now }: Parameters<typeof allocationHours>[1],
): AllocationHours {
  const [first] = group as readonly [WorkerTime];
  const numNodes = sizes.get(first.allocationKey ?? 0) ?? Math.max(...group.map((worker) => worker.numNodes));
  const numCpus = Math.max(...group.map((worker) => worker.numCpus));
  const isRunning = group.some(({ endedAt }) => endedAt === null);
  const heldMs = heldFor(group, now);
  const times = group.map(({ computeNodeKey }) => jobs.get(computeNodeKey));
  const sum = (field: keyof JobTime): number => times.reduce((total, time) => total + (time?.[field] ?? 0), 0);
  return {
    allocation_key: first.allocationKey === null ? null : String(first.allocationKey),
    slurm_job_id: group.find(({ slurmJobId }) => slurmJobId !== null)?.slurmJobId ?? null,
    hostname: new Set(group.map(({ hostname }) => hostname)).size === 1 ? first.hostname : null,
    num_nodes: numNodes,
    is_running: isRunning,
    startedAt: Math.min(...group.map(({ startedAt }) => startedAt)),
    endedAt: isRunning ? null : Math.max(...group.map(({ endedAt }) => endedAt ?? 0)),
    ...withShares({
      num_workers: group.length,
      num_attempts: sum('numAttempts'),
      node_hours: hours(heldMs * numNodes),
      cpu_hours: hours(heldMs * numNodes * numCpus),
      job_cpu_hours: hours(sum('hadMs')),
      used_cpu_hours: hours(sum('usedMs')),
    }),
  };
}

/** From the first worker of each start until its last one ended: between two starts a requeued allocation has no nodes. */
function heldFor(group: readonly WorkerTime[], now: number): number {
  const starts = new Map<number, { from: number; to: number }>();
  for (const { restartCount, startedAt, endedAt } of group) {
    const { from, to } = starts.get(restartCount) ?? { from: startedAt, to: startedAt };
    starts.set(restartCount, { from: Math.min(from, startedAt), to: Math.max(to, endedAt ?? now) });
  }
  return [...starts.values()].reduce((total, { from, to }) => total + (to - from), 0);
}

/** Of all rows together. */
export function totalHours(rows: readonly Hours[]): Hours {
  const sum = (field: 'num_workers' | 'num_attempts' | (typeof hourFields)[number]): number =>
    rows.reduce((total, row) => total + row[field], 0);
  return withShares({
    num_workers: sum('num_workers'),
    num_attempts: sum('num_attempts'),
    node_hours: rounded(sum('node_hours')),
    cpu_hours: rounded(sum('cpu_hours')),
    job_cpu_hours: rounded(sum('job_cpu_hours')),
    used_cpu_hours: rounded(sum('used_cpu_hours')),
  });
}

const hourFields = ['node_hours', 'cpu_hours', 'job_cpu_hours', 'used_cpu_hours'] as const;

/** Jobs may have more CPUs than there are: where people say so, and while clocks disagree. */
function withShares(sums: Omit<Hours, 'idle_share' | 'efficiency'>): Hours {
  const { cpu_hours: all, job_cpu_hours: had, used_cpu_hours: used } = sums;
  const share = (part: number): number | null => (all === 0 ? null : Math.round((part / all) * 10_000) / 10_000);
  return { ...sums, idle_share: share(Math.max(0, all - had)), efficiency: share(used) };
}

const hourMs = 3_600_000;

/** A millionth of an hour is less than what is measured. */
function rounded(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function hours(ms: number): number {
  return rounded(ms / hourMs);
}
