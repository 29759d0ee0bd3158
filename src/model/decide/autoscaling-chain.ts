/** Chains: one allocation runs at a time, and the next one is queued while it works. */
import type { OpenAllocation, ScalingInput } from './autoscaling-input.ts';
import { Allowance, allocationFor, backingOff, enough, type Wanted, walltimeOf } from './autoscaling-more.ts';
import { numFitting, runtimeOf } from './autoscaling-time.ts';

/** The next allocation of a chain: queued while the one before it runs, when that will not do everything. */
export function nextOfChain(given: ScalingInput): Wanted {
  // what no Slurm config takes must neither hold up the others nor keep the chain going
  const waiting = given.waiting.filter((shape) => allocationFor(shape, given) !== null);
  const misfits = given.waiting.reduce((sum, { numJobs }) => sum + numJobs, 0);
  if (waiting.length === 0 && misfits > 0) {
    return { submit: [], until: null, reason: { code: 'fits_no_config', num_jobs: misfits } };
  }
  const input = { ...given, waiting };
  const { allocations, caps, failures, now, numBlocked } = input;
  const open = allocations.filter(({ isCanceled }) => !isCanceled);
  const [running] = open.filter(({ isQueued }) => !isQueued);
  if (waiting.length + numBlocked === 0) return { submit: [], until: null, reason: enough(input) };
  if (open.some(({ isQueued }) => isQueued))
    return { submit: [], until: null, reason: { code: 'enough', num_queued: 1 } };
  const first = waiting[0];
  if (first === undefined && running === undefined) return { submit: [], until: null, reason: enough(input) };
  const resting = backingOff(failures, now);
  if (resting !== null) return resting;
  const same = input.configs.find(({ key }) => key === running?.config);
  const wanted = first === undefined ? null : allocationFor(first, input);
  const allocation =
    wanted?.allocation ??
    (running === undefined || same === undefined
      ? null
      : {
          config: running.config,
          numNodes: running.numNodes,
          oneWorkerPerNode: running.oneWorkerPerNode,
          walltimeMs: Math.min(same.walltimeMs, caps.walltimeMs ?? same.walltimeMs),
          ...(running.minimum === undefined ? {} : { minimum: running.minimum }),
          after: null,
        });
  // its Slurm config is gone
  if (allocation === null) return { submit: [], until: null, reason: enough(input) };
  if (running !== undefined && !outlasts(input, running)) return { submit: [], until: null, reason: enough(input) };
  const allowance = new Allowance(input);
  if (!allowance.takes(allocation.numNodes, caps)) {
    return { submit: [], until: null, reason: allowance.reason ?? enough(input) };
  }
  const walltimeMs = walltimeOf(allocation, input, 1);
  const submit = [{ ...allocation, walltimeMs, after: running?.key ?? null }];
  return { submit, until: null, reason: { code: 'submits', num_allocations: 1 } };
}

/** Whether what waits takes longer than the running allocation lasts; taken so while it is not known. */
function outlasts({ waiting, numBlocked, workers }: ScalingInput, { timeLeftMs }: OpenAllocation): boolean {
  const numReady = waiting.reduce((sum, { numJobs }) => sum + numJobs, 0);
  if (timeLeftMs === null || workers.length === 0 || numReady === 0) return true;
  let workMs = 0;
  for (const shape of waiting) {
    const runtimeMs = runtimeOf(shape);
    if (runtimeMs === null) return true;
    const numPlaces = workers.reduce((sum, { idle }) => sum + numFitting(idle, shape.need, shape.numJobs), 0);
    workMs += (shape.numJobs * runtimeMs) / Math.max(1, numPlaces);
  }
  return (workMs * (numReady + numBlocked)) / numReady > timeLeftMs;
}
