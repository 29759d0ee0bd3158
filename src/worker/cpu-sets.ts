/** Which CPUs each running job of a worker has for itself. The cost of a set grows only with the cores of the node. */
import type { CpuPlacement } from '../model/launch.ts';

/** The CPUs that a worker may use: NUMA domains, of cores, of the numbers of their hardware threads. */
export type Topology = readonly (readonly (readonly number[])[])[];

interface Core {
  cpus: readonly number[];
  free: number[];
}

interface Domain {
  cores: Core[];
  numFree: number;
}

export class CpuSets {
  readonly #domains: Domain[];
  readonly #placeOf = new Map<number, { domain: Domain; core: Core }>();
  #numFree: number;

  constructor(topology: Topology) {
    this.#domains = topology.map((cores) => ({
      cores: cores.map((cpus) => ({ cpus, free: [...cpus] })),
      numFree: cores.reduce((sum, cpus) => sum + cpus.length, 0),
    }));
    for (const domain of this.#domains) {
      for (const core of domain.cores) for (const cpu of core.cpus) this.#placeOf.set(cpu, { domain, core });
    }
    this.#numFree = this.#placeOf.size;
  }

  /** CPUs that no other job has, in ascending order; null when there are not enough. */
  take(count: number, placement: CpuPlacement): number[] | null {
    if (count > this.#numFree) return null;
    this.#numFree -= count;
    const taken: number[] = [];
    while (taken.length < count) {
      const isSpread = placement === 'spread';
      const domain = tightest(this.#domains, ({ numFree }) => numFree, isSpread ? all : count - taken.length);
      if (domain === null) break;
      for (let left = isSpread ? 1 : Math.min(count - taken.length, domain.numFree); left > 0; ) {
        const core = tightest(domain.cores, ({ free }) => free.length, isSpread ? all : left);
        const some = core?.free.splice(0, left) ?? [];
        if (some.length === 0) break;
        left -= some.length;
        domain.numFree -= some.length;
        taken.push(...some);
      }
    }
    return taken.length < 2 ? taken : taken.sort((a, b) => a - b);
  }

  /** The job that had them is over. */
  give(cpus: readonly number[]): void {
    for (const cpu of cpus) {
      const place = this.#placeOf.get(cpu);
      if (place === undefined) continue;
      place.core.free.push(cpu);
      place.core.free.sort((a, b) => a - b);
      place.domain.numFree += 1;
      this.#numFree += 1;
    }
  }
}

/** More than any has: then the one with the most is chosen. */
const all = Number.POSITIVE_INFINITY;

/** The first of those with the least that is enough; where none has enough, of those with the most. Null when none has any. */
function tightest<T>(candidates: readonly T[], freeOf: (each: T) => number, wanted: number): T | null {
  let best: T | null = null;
  let bestFree = 0;
  for (const each of candidates) {
    const free = freeOf(each);
    const isBetter = bestFree < wanted ? free > bestFree : free >= wanted && free < bestFree;
    if (!isBetter) continue;
    best = each;
    bestFree = free;
  }
  return best;
}
