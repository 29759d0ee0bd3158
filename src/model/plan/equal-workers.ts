/** Equal workers that ask for jobs one after the other: they are not simulated one by one where they claim the same. */
import { type FreeNode, isFull } from '../decide/packing.ts';
import { type Claimed, claim } from './claims.ts';
import type { GroupProgress } from './progress.ts';
import type { ReadyGroup } from './ready-groups.ts';

/** Workers that stay equal. */
export interface EqualPart {
  count: number;
  free: FreeNode;
  /** By each of them. */
  claimed: readonly Claimed[];
}

/** What each of some workers ends before it claims other jobs. */
export interface Ending {
  count: number;
  batches: readonly Claimed[];
}

/**
 * What workers claim of which each has `free`: those that claim the same as one part, those that claim nothing last. Claims
 * that would go round and round are made for one round, and counted for the others.
 */
export function claimOfEqual(
  free: FreeNode,
  endings: readonly Ending[],
  progress: GroupProgress,
  isAdmitted: (group: ReadyGroup) => boolean,
): EqualPart[] {
  const parts = new Map<string, EqualPart>();
  for (const { count, batches } of endings) {
    let round: EqualPart[] = [];
    let longest = 1;
    if (count > 1) progress.mark();
    for (let left = count; left > 0; ) {
      progress.ended(batches, 1);
      const own = count === 1 && endings.length === 1 ? free : copyOf(free);
      const claimed = isFull(own) ? [] : claim(own, progress.order(), isAdmitted);
      progress.started(claimed.map(({ group }) => group));
      round.push(partOf(parts, own, claimed));
      left -= 1;
      if (left === 0) break;
      const times = progress.numRepeats(batches, round.length, Math.floor(left / round.length));
      left -= times * round.length;
      repeat(round, times, progress);
      progress.ended(batches, times * round.length);
      // longer and longer rounds are looked for while there is none
      if (times === 0 && round.length < longest) continue;
      longest = times === 0 ? 2 * longest : 1;
      round = [];
      progress.mark();
    }
  }
  return [...parts.values()].sort((a, b) => b.claimed.length - a.claimed.length);
}

function repeat(round: readonly EqualPart[], times: number, progress: GroupProgress): void {
  if (times === 0) return;
  const groups = new Set<ReadyGroup>();
  for (const part of round) {
    part.count += times;
    for (const { group, numJobs } of part.claimed) {
      group.start(numJobs * times);
      groups.add(group);
    }
  }
  progress.started([...groups]);
}

function partOf(parts: Map<string, EqualPart>, free: FreeNode, claimed: readonly Claimed[]): EqualPart {
  const id = claimed.map(claimText).join();
  const part = parts.get(id) ?? { count: 0, free, claimed };
  part.count += 1;
  parts.set(id, part);
  return part;
}

/** The same for jobs that leave the same room. */
export function claimText({ group, numJobs, shares }: Claimed): string {
  return `${group.index}:${numJobs}${shares.length === 0 ? '' : JSON.stringify(shares)}`;
}

/** What is in lists that only ever are replaced need not be copied; not a spread, as in `idleWorker`. */
function copyOf(free: FreeNode): FreeNode {
  const { numCpus, memoryBytes, gpuThousandths, named, gpus, idleNodes, wholeNode, slots, timeLeftMs } = free;
  const own = { gpus: [...gpus], named: named === null ? null : { ...named } };
  return { numCpus, memoryBytes, gpuThousandths, ...own, idleNodes, wholeNode, slots, timeLeftMs };
}
