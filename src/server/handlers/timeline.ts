/** When attempts, workers and allocations of a workflow ran, and how busy its nodes were. */
import type { Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { slotsOf } from '../../model/decide/slots.ts';
import { binStart, type Period, periodOf, TimeBins } from '../../model/decide/time-bins.ts';
import { Utilization } from '../../model/decide/utilization.ts';
import {
  eachSpan,
  eachUse,
  type ShownSpan,
  shownSpans,
  type TimedAllocation,
  type TimedWorker,
  timedAllocations,
  timedWorkers,
  timeOfRun,
} from '../../storage/lists/timeline.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';
import { inParts } from './parts.ts';

interface Scene {
  workflowKey: number;
  /** Null where nothing has run, and no allocation was submitted. */
  period: Period | null;
  /** Those that had time in common with the period. */
  workers: TimedWorker[];
  allocations: TimedAllocation[];
  now: number;
}

function sceneOf(
  { db, view, clock }: ServerContext,
  { workflow_key, run_id, from, to, num_bins }: Request<'utilization'>,
): Scene {
  const { workflowKey } = getWorkflow(view, Number(workflow_key));
  const now = clock.now();
  const run = run_id === null ? null : timeOfRun(db, workflowKey, run_id);
  if (run === null && run_id !== null) {
    const hint = `torc workflows runs ${workflow_key}`;
    throw new TorcError('not_found', `workflow ${workflow_key} has no run ${run_id}`, hint);
  }
  const workers = timedWorkers(db, workflowKey);
  const allocations = timedAllocations(db, workflowKey);
  const starts = [...workers.map((each) => each.startedAt), ...allocations.map((each) => each.submittedAt)];
  const ends = [...workers, ...allocations].map((each) => each.endedAt ?? now);
  const first = from === null ? (run?.startedAt ?? least(starts)) : Date.parse(from);
  const last = to === null ? (run === null ? -least(ends.map((end) => -end)) : (run.endedAt ?? now)) : Date.parse(to);
  if (from !== null && to !== null && last <= first) {
    throw new TorcError('usage', 'the time would end before it begins', 'Give a later end or an earlier beginning.');
  }
  const isEmpty = starts.length === 0 || !(first < Number.POSITIVE_INFINITY);
  const period = isEmpty ? null : periodOf(first, Math.max(first, last), num_bins);
  const isWithin = (start: number, end: number | null): boolean =>
    period !== null && start <= period.to && (end ?? now) >= period.from;
  return {
    workflowKey,
    period,
    workers: workers.filter((each) => isWithin(each.startedAt, each.endedAt)),
    allocations: allocations.filter((each) => isWithin(each.submittedAt, each.endedAt)),
    now,
  };
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function windowOf({ workflowKey, now }: Scene, { from, to }: Period) {
  return { workflowKey, from, to, now };
}

/** Reads the attempts once, in parts: what it keeps of them is bounded by the request. */
export async function showTimeline(
  context: ServerContext,
  request: Request<'timeline'>,
  signal?: AbortSignal,
): Promise<Reply<'timeline'>> {
  const scene = sceneOf(context, request);
  const { period, allocations } = scene;
  const hosts = request.hostnames === null ? null : new Set(request.hostnames);
  const chosen = scene.workers.filter(({ hostname }) => hosts === null || hosts.has(hostname));
  const workers = chosen.slice(request.skip_workers, request.skip_workers + request.max_workers);
  const { found, atOnce } =
    period === null
      ? { found: [], atOnce: null }
      : await spansOf(context, scene, period, workers, request.max_spans, signal);
  const numSpans = found.reduce((sum, each) => sum + each.numSpans, 0);
  const isDrawn = numSpans <= request.max_spans;
  const spans = isDrawn ? placedSpans(context, found) : null;
  return {
    workflow_key: request.workflow_key,
    from: isoInstant(period?.from ?? null),
    to: isoInstant(period?.to ?? null),
    num_workers: chosen.length,
    workers: found.map(({ worker, numSpans: num_spans }) => ({
      ...shownWorker(worker),
      num_spans,
      num_slots: spans?.numSlots.get(worker.computeNodeKey) ?? (isDrawn ? 0 : null),
    })),
    num_allocations: allocations.length,
    allocations: allocations.slice(-limits.timelineAllocations).map(shownAllocation),
    num_spans: numSpans,
    spans: spans?.spans ?? null,
    bins: isDrawn || period === null ? null : binsOf(period, found),
    at_once: atOnce,
  };
}

/** What a worker ran: the keys of its attempts while they are few, and how many at what time. */
interface WorkerSpans {
  worker: TimedWorker;
  numSpans: number;
  attemptKeys: number[];
  running: TimeBins;
  failed: number[];
}

async function spansOf(
  { db }: ServerContext,
  scene: Scene,
  period: Period,
  workers: readonly TimedWorker[],
  mostSpans: number,
  signal: AbortSignal | undefined,
): Promise<{ found: WorkerSpans[]; atOnce: Reply<'timeline'>['at_once'] }> {
  const byKey = new Map<number, WorkerSpans>();
  for (const worker of workers) {
    const failed = Array.from({ length: period.numBins }, () => 0);
    const kept = { numSpans: 0, attemptKeys: [], running: new TimeBins(period), failed };
    byKey.set(worker.computeNodeKey, { worker, ...kept });
  }
  const atOnce = new TimeBins(period);
  let numSpans = 0;
  const each = ([key, start, end, attempt, hasFailed]: Parameters<Parameters<typeof eachSpan>[2]['each']>[0]): void => {
    // also of workers that are not asked for
    atOnce.add(start, end, 1);
    const spans = byKey.get(key);
    if (spans === undefined) return;
    numSpans += 1;
    spans.numSpans += 1;
    spans.running.add(start, end, 1);
    if (numSpans <= mostSpans) spans.attemptKeys.push(attempt);
    const bin = Math.min(period.numBins - 1, Math.floor((end - period.from) / period.binMs));
    if (hasFailed === 1 && end <= period.to) spans.failed[bin] = (spans.failed[bin] ?? 0) + 1;
  };
  await inParts(signal, (after) => eachSpan(db, windowOf(scene, period), { after, each }));
  return {
    found: [...byKey.values()],
    atOnce: { bin_seconds: period.binMs / 1000, num_running: atOnce.averages() },
  };
}

/** Each in a slot of its worker. */
function placedSpans({ db }: ServerContext, found: readonly WorkerSpans[]) {
  const keys = found.flatMap(({ attemptKeys }) => attemptKeys);
  const byWorker = new Map<number, ShownSpan[]>(found.map(({ worker }) => [worker.computeNodeKey, []]));
  for (const span of shownSpans(db, keys)) byWorker.get(span.computeNodeKey)?.push(span);
  const numSlots = new Map<number, number>();
  const spans = [...byWorker].flatMap(([computeNodeKey, own]) => {
    const slots = slotsOf(
      own.map((span) => ({ start: span.startedAt, end: span.endedAt ?? Number.POSITIVE_INFINITY })),
    );
    const most = slots.reduce((sum, slot) => Math.max(sum, slot + 1), 0);
    numSlots.set(computeNodeKey, most);
    return own.map((span, index) => shownSpan(span, slots[index] ?? 0)).sort((a, b) => a.slot - b.slot);
  });
  return { spans, numSlots };
}

function binsOf({ binMs }: Period, found: readonly WorkerSpans[]): Reply<'timeline'>['bins'] {
  const workers = found.map(({ worker, running, failed }) => ({
    compute_node_key: String(worker.computeNodeKey),
    running: running.averages(),
    failed,
  }));
  return { bin_seconds: binMs / 1000, workers };
}

function shownSpan(span: ShownSpan, slot: number): NonNullable<Reply<'timeline'>['spans']>[number] {
  type Shown = NonNullable<Reply<'timeline'>['spans']>[number];
  return {
    compute_node_key: String(span.computeNodeKey),
    slot,
    job_key: String(span.jobKey),
    job_name: span.jobName,
    run_id: span.runId,
    attempt_id: span.attemptId,
    started_at: isoInstant(span.startedAt),
    ended_at: isoInstant(span.endedAt),
    outcome: span.outcome as Shown['outcome'],
    cause: span.cause as Shown['cause'],
    return_code: span.returnCode,
    num_cpus: span.numCpus,
    num_gpus: span.gpuThousandths / 1000,
  };
}

function shownWorker(worker: TimedWorker) {
  return {
    compute_node_key: String(worker.computeNodeKey),
    hostname: worker.hostname,
    allocation_key: worker.allocationKey === null ? null : String(worker.allocationKey),
    slurm_job_id: worker.slurmJobId,
    num_nodes: worker.numNodes,
    num_cpus: worker.numCpus,
    memory_bytes: worker.memoryBytes,
    num_gpus: worker.numGpus,
    started_at: isoInstant(worker.startedAt),
    ended_at: isoInstant(worker.endedAt),
  };
}

function shownAllocation(allocation: TimedAllocation): Reply<'timeline'>['allocations'][number] {
  return {
    allocation_key: String(allocation.allocationKey),
    name: allocation.name,
    slurm_job_id: allocation.slurmJobId,
    status: allocation.status as Reply<'timeline'>['allocations'][number]['status'],
    num_nodes: allocation.numNodes,
    submitted_at: isoInstant(allocation.submittedAt),
    started_at: isoInstant(allocation.startedAt),
    ended_at: isoInstant(allocation.endedAt),
  };
}

/** Sums the attempts once, in parts, into bins. */
export async function showUtilization(
  context: ServerContext,
  request: Request<'utilization'>,
  signal?: AbortSignal,
): Promise<Reply<'utilization'>> {
  const scene = sceneOf(context, request);
  const { period, workers, allocations, now } = scene;
  const { workflow_key } = request;
  if (period === null) {
    return { workflow_key, from: null, to: null, bin_seconds: null, num_attempts: 0, bins: [], average: null };
  }
  const sums = new Utilization(period);
  for (const worker of workers) sums.addWorker(worker, worker.endedAt ?? now);
  for (const { submittedAt, startedAt, endedAt, numNodes } of allocations) {
    sums.addPending(submittedAt, startedAt ?? endedAt ?? now, numNodes);
  }
  await inParts(signal, (after) =>
    eachUse(context.db, windowOf(scene, period), { after, each: (row) => sums.addAttempt(row) }),
  );
  return {
    workflow_key,
    from: isoInstant(period.from),
    to: isoInstant(period.to),
    bin_seconds: period.binMs / 1000,
    num_attempts: sums.numAttempts,
    bins: sums.bins().map((bin, index) => ({ start: isoInstant(binStart(period, index)), ...bin })),
    average: sums.average(),
  };
}
