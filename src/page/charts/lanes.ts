/** On which CPUs of a worker attempts are drawn: a lane for each CPU. Which ones they really ran on is not recorded. */

export interface Busy {
  start: number;
  end: number;
  numCpus: number;
}

/** Lanes beside each other: the first, and how many. */
export type Stretch = readonly [first: number, count: number];

/** For each span, the lowest lanes that are free at its start; `spans` are in the order of their starts. */
export function lanesOf(spans: readonly Busy[]): { places: Stretch[][]; numLanes: number } {
  const freeAt: number[] = [];
  const places = spans.map(({ start, end, numCpus }) => {
    const stretches: [number, number][] = [];
    let left = Math.max(1, numCpus);
    for (let lane = 0; left > 0; lane += 1) {
      if ((freeAt[lane] ?? Number.NEGATIVE_INFINITY) > start) continue;
      freeAt[lane] = end;
      left -= 1;
      const last = stretches.at(-1);
      if (last !== undefined && last[0] + last[1] === lane) last[1] += 1;
      else stretches.push([lane, 1]);
    }
    return stretches;
  });
  return { places, numLanes: freeAt.length };
}
