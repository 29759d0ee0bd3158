/**
 * How many nodes a workflow asks Slurm for: a pure decision over what waits, what is there, what is queued and how
 * earlier starts ended. Jobs that wait are packed into what is free and what is coming; what is left over asks for more
 * within the caps. Jobs that wait for others ask for nothing: the nodes of those take them.
 */
import { nextOfChain } from './autoscaling-chain.ts';
import type { OpenAllocation, ScalingInput, WaitingShape, WantedAllocation } from './autoscaling-input.ts';
import { allocationFor, moreNodes } from './autoscaling-more.ts';
import type { ScalingReason } from './autoscaling-reason.ts';
import { bySize, place, type Room, roomsOf, slotsOf } from './autoscaling-rooms.ts';
import { isAsking } from './node-minimum.ts';

export interface ScalingDecision {
  submit: WantedAllocation[];
  cancel: number[];
  /** Queued allocations that no job needs now. */
  unneeded: number[];
  /** When to look again without any news; null for not at all. */
  lookAt: number | null;
  reason: ScalingReason;
}

/** A queued allocation that no job needs is kept for this long: a retry may be about to need it. */
export const patienceMs = 30_000;
/** Without any news. */
const lookEveryMs = 60_000;

export function decideScaling(input: ScalingInput): ScalingDecision {
  const { now, obstacle } = input;
  if (obstacle !== null) {
    const cancel = obstacle.keeps ? [] : input.allocations.filter((one) => one.isCancelable).map(({ key }) => key);
    const isOpen = input.allocations.some(({ isQueued }) => isQueued);
    return { submit: [], cancel, unneeded: [], lookAt: isOpen ? now + lookEveryMs : null, reason: obstacle.reason };
  }
  const rooms = roomsOf(input);
  const left = input.waiting
    .map((shape) => ({ shape, numSlots: slotsOf(shape, input), isLarge: isLarge(shape, input) }))
    .toSorted(bySize);
  for (const one of left) place(one, rooms, input);
  const wanted = input.caps.isChain ? nextOfChain(input) : moreNodes(input, left);
  const spare = spareQueued(input, rooms, wanted.submit.length > 0);
  const overdue = spare.filter((one) => one.unneededSince !== null && now - one.unneededSince >= patienceMs);
  const isIdle = input.waiting.length === 0 && input.allocations.length === 0 && wanted.submit.length === 0;
  const instants = [
    ...(isIdle && wanted.until === null ? [] : [now + lookEveryMs]),
    ...(wanted.until === null ? [] : [wanted.until]),
    ...spare.filter((one) => !overdue.includes(one)).map((one) => (one.unneededSince ?? now) + patienceMs),
  ];
  return {
    submit: wanted.submit,
    cancel: overdue.map(({ key }) => key),
    unneeded: spare.map(({ key }) => key),
    lookAt: instants.length === 0 ? null : Math.max(now + 1, Math.min(...instants)),
    reason: wanted.reason,
  };
}

function isLarge(shape: WaitingShape, input: ScalingInput): boolean {
  if (input.configs.every(({ nodes = [] }) => nodes.length === 0)) return false;
  const chosen = allocationFor(shape, input);
  return chosen === null || isAsking(chosen.allocation.minimum);
}

/** Queued allocations of the autoscaler that no job needs, the newest first; the minimum stays. */
function spareQueued(input: ScalingInput, rooms: readonly Room[], wantsMore: boolean): OpenAllocation[] {
  const { allocations, caps, waiting, numBlocked } = input;
  if (wantsMore) return [];
  const open = allocations.filter(({ isCanceled }) => !isCanceled);
  let numNodes = open.reduce((sum, one) => sum + one.numNodes, 0);
  const isUsed = (key: number): boolean =>
    caps.isChain ? waiting.length + numBlocked > 0 : rooms.some((room) => room.allocation === key && room.isUsed);
  const spare: OpenAllocation[] = [];
  for (const one of open.toReversed()) {
    if (!one.isQueued || !one.isCancelable || isUsed(one.key) || numNodes - one.numNodes < caps.minNodes) continue;
    numNodes -= one.numNodes;
    spare.push(one);
  }
  return spare;
}
