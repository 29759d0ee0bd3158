/**
 * Hidden barriers: where many jobs wait for the same many jobs, n x m edges become n + m through one node between.
 * Reachability stays exactly the same.
 */
import type { GraphNode } from '../expanded.ts';

export interface Wiring {
  numBarriers: number;
  edges: [GraphNode, GraphNode][];
}

/** Job numbers without repeats, in any order. All jobs that wait for the same set share one list object. */
type JobSet = readonly number[];

/**
 * Edges for jobs with these upstreams (job numbers without repeats; the order does not matter). The jobs with the
 * same set of n upstreams, m of them, get a barrier when n * m > n + m. Linear in the length of all lists.
 *
 * `shared` are further sets that jobs wait for, each with those jobs; a set is not written out for each job when a
 * barrier costs less.
 */
export function wireJobs(upstreams: readonly JobSet[], shared: ReadonlyMap<JobSet, JobSet> = new Map()): Wiring {
  const wiring = new Barriers();
  if (shared.size === 0 && upstreams.every((set) => set.length === 0)) return wiring;
  const direct = [...upstreams];
  for (const [set, jobs] of shared) {
    if (isWorthIt(set.length, jobs.length)) wiring.join(set, jobs);
    else for (const job of jobs) direct[job] = [...new Set([...(direct[job] ?? []), ...set])];
  }
  const groups = groupsBySet(direct);
  for (const [job, waitsFor] of direct.entries()) {
    const group = groups.get(job);
    if (group === undefined || !isWorthIt(waitsFor.length, group.jobs.length)) {
      for (const upstream of waitsFor) wiring.edges.push([upstream, job]);
    } else if (group.jobs[0] === job) wiring.join(waitsFor, group.jobs);
  }
  return { numBarriers: wiring.numBarriers, edges: wiring.edges };
}

function isWorthIt(numUpstreams: number, numDownstreams: number): boolean {
  return numUpstreams * numDownstreams > numUpstreams + numDownstreams;
}

class Barriers {
  readonly edges: [GraphNode, GraphNode][] = [];
  numBarriers = 0;

  join(upstreams: JobSet, downstreams: JobSet): void {
    this.numBarriers += 1;
    const barrier = -this.numBarriers;
    for (const upstream of upstreams) this.edges.push([upstream, barrier]);
    for (const downstream of downstreams) this.edges.push([barrier, downstream]);
  }
}

interface Group {
  jobs: number[];
}

/** Jobs with two or more upstreams, by the set of them; jobs in the same group share one object. */
function groupsBySet(upstreams: readonly JobSet[]): Map<number, Group> {
  const bySet = new Map<string, Group>();
  const byJob = new Map<number, Group>();
  for (const [job, waitsFor] of upstreams.entries()) {
    if (waitsFor.length < 2) continue;
    const key = Int32Array.from(waitsFor).sort().join();
    const group = bySet.get(key) ?? { jobs: [] };
    group.jobs.push(job);
    bySet.set(key, group);
    byJob.set(job, group);
  }
  return byJob;
}
