/**
 * What a planned worker claims: what `pack` gives to a real one, but jobs that follow each other in claim order are claimed
 * in one step where they are of one group, or of the same groups in turns.
 */
import { type FreeNode, fits, isFull, type Share, take } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';
import { areOfOneRank, compareGroups, numBefore, type ReadyGroup } from './ready-groups.ts';

/** Jobs of a group that start on a worker at the same instant. */
export interface Claimed {
  group: ReadyGroup;
  numJobs: number;
  /** What each has, unless they are plain. */
  shares: Share[];
}

const ofPlain: Share[] = [];

/**
 * Groups in the order in which their first jobs are claimed, with these jobs started. `order`: those with ready jobs in
 * claim order. Changes `free`.
 */
export function claim(
  free: FreeNode,
  order: readonly ReadyGroup[],
  isAdmitted: (group: ReadyGroup) => boolean,
): Claimed[] {
  const all: Claimed[] = [];
  /** Those with further jobs, in claim order: all of one rank, because others follow when none of it are left. */
  const begun: Claimed[] = [];
  for (let position = 0; !isFull(free); ) {
    const fresh = position < order.length ? (order[position] as ReadyGroup) : null;
    const first = begun.length > 0 ? (begun[0] as Claimed) : null;
    if (fresh !== null && (first === null || compareGroups(fresh, first.group) < 0)) {
      position += 1;
      // what is free only shrinks: what does not fit now will not fit later
      if (!isAdmitted(fresh) || !fits(free, fresh.need)) continue;
      const claimed = { group: fresh, numJobs: 0, shares: fresh.isPlain ? ofPlain : [] };
      all.push(claimed);
      begun.unshift(claimed);
    } else if (first === null) {
      break;
    } else if (claimTurns(free, begun, fresh)) {
      continue;
    } else if (!fits(free, first.group.need)) {
      begun.shift();
      continue;
    }
    claimOfFirst(free, begun, position < order.length ? (order[position] as ReadyGroup) : null);
  }
  return all;
}

/** Claims as many jobs of each group as there are turns in which there is room for one of each; false for none. */
function claimTurns(free: FreeNode, begun: Claimed[], fresh: ReadyGroup | null): boolean {
  const { group: first } = begun[0] as Claimed;
  const { group: last } = begun[begun.length - 1] as Claimed;
  // a turn is over before the first of them goes on
  if (numBefore(first, last) > 1) return false;
  let most = fresh !== null && areOfOneRank(first, fresh) ? fresh.jobKey - last.jobKey : free.slots;
  let numCpus = 0;
  let memoryBytes = 0;
  for (const { group } of begun) {
    if (!group.isPlain) return false;
    numCpus += group.need.numCpus;
    memoryBytes += group.need.memoryBytes;
    most = Math.min(most, group.numAvailable);
  }
  const numTurns = Math.min(most, Math.floor(free.slots / begun.length), roomFor(free, { numCpus, memoryBytes }));
  if (numTurns < 1) return false;
  for (const claimed of begun) claimPlain(free, claimed, numTurns);
  if (numTurns === most) removeSpent(begun);
  return true;
}

function removeSpent(begun: Claimed[]): void {
  const left = begun.filter(({ group }) => group.numAvailable > 0);
  begun.splice(0, begun.length, ...left);
}

/** Claims jobs of the first group, of which one fits, until another one is next, and puts the group in its place. */
function claimOfFirst(free: FreeNode, begun: Claimed[], fresh: ReadyGroup | null): void {
  const first = begun[0] as Claimed;
  const { group } = first;
  if (group.isPlain) {
    let most = Math.min(group.numAvailable, free.slots, roomFor(free, group.need));
    if (fresh !== null && areOfOneRank(group, fresh)) most = Math.min(most, numBefore(group, fresh));
    if (begun.length > 1) most = Math.min(most, numBefore(group, (begun[1] as Claimed).group));
    claimPlain(free, first, most);
  } else {
    first.shares.push(take(free, group.need));
    first.numJobs += 1;
    group.start(1);
  }
  if (group.numAvailable === 0) begun.shift();
  else moveBack(begun);
}

function moveBack(begun: Claimed[]): void {
  const first = begun[0] as Claimed;
  let place = 1;
  for (; place < begun.length; place++) {
    const next = begun[place] as Claimed;
    if (compareGroups(next.group, first.group) > 0) break;
    begun[place - 1] = next;
  }
  begun[place - 1] = first;
}

/** How many plain jobs that need so much there is room for. */
function roomFor({ numCpus, memoryBytes }: FreeNode, need: Pick<Requirements, 'numCpus' | 'memoryBytes'>): number {
  const byCpus = Math.floor(numCpus / need.numCpus);
  return need.memoryBytes === 0 ? byCpus : Math.min(byCpus, Math.floor(memoryBytes / need.memoryBytes));
}

/** As `take` for each of so many plain jobs. */
function claimPlain(free: FreeNode, claimed: Claimed, numJobs: number): void {
  const { need } = claimed.group;
  free.slots -= numJobs;
  free.numCpus -= numJobs * need.numCpus;
  free.memoryBytes -= numJobs * need.memoryBytes;
  if (free.idleNodes.length > 0 && free.idleNodes[0] === 0) free.idleNodes = free.idleNodes.slice(1);
  claimed.numJobs += numJobs;
  claimed.group.start(numJobs);
}

/** As `giveBack` for each of so many plain jobs; `isLast`: no other job is on the worker's own node. */
export function giveBackPlain(free: FreeNode, { group: { need }, numJobs }: Claimed, isLast: boolean): void {
  free.slots += numJobs;
  free.numCpus += numJobs * need.numCpus;
  free.memoryBytes += numJobs * need.memoryBytes;
  if (isLast) free.idleNodes = [0, ...free.idleNodes];
}
