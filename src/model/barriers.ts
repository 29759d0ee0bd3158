/**
 * Hidden barriers: where many jobs wait for the same many jobs, n x m edges become n + m through one node between.
 * What reaches what stays exactly the same.
 */
import type { GraphNode } from './expanded.ts';

export interface Wiring {
  numBarriers: number;
  edges: [GraphNode, GraphNode][];
}

/**
 * Edges for jobs with these upstreams (job numbers without repeats; the order counts nothing). The jobs with the
 * same set of n upstreams, m of them, get a barrier when n * m > n + m. Linear in the length of all lists.
 */
export function wireJobs(upstreams: readonly (readonly number[])[]): Wiring {
  const edges: [GraphNode, GraphNode][] = [];
  const barriers = groupsBySet(upstreams);
  const made = new Map<Group, GraphNode>();
  for (const [job, waitsFor] of upstreams.entries()) {
    const group = barriers.get(job);
    if (group === undefined || waitsFor.length * group.size <= waitsFor.length + group.size) {
      for (const upstream of waitsFor) edges.push([upstream, job]);
      continue;
    }
    let barrier = made.get(group);
    if (barrier === undefined) {
      barrier = -1 - made.size;
      made.set(group, barrier);
      for (const upstream of waitsFor) edges.push([upstream, barrier]);
    }
    edges.push([barrier, job]);
  }
  return { numBarriers: made.size, edges };
}

interface Group {
  size: number;
}

/** Jobs with two or more upstreams, by the set of them; jobs in the same group share one object. */
function groupsBySet(upstreams: readonly (readonly number[])[]): Map<number, Group> {
  const bySet = new Map<string, Group>();
  const byJob = new Map<number, Group>();
  for (const [job, waitsFor] of upstreams.entries()) {
    if (waitsFor.length < 2) continue;
    const key = Int32Array.from(waitsFor).sort().join();
    const group = bySet.get(key) ?? { size: 0 };
    group.size += 1;
    bySet.set(key, group);
    byJob.set(job, group);
  }
  return byJob;
}
