/** The dependencies of the jobs of a new workflow, by name, with barriers resolved. */
import type { ExpandedWorkflow, GraphNode } from '../../model/expanded.ts';

/** Names of the direct upstreams of each job, by the job's number; the order is that of the edges. */
export function upstreamNames(workflow: ExpandedWorkflow): (job: number) => string[] {
  const names: string[] = [];
  for (const job of workflow.jobs) names.push(job.name);
  const upstreams = new Map<GraphNode, GraphNode[]>();
  for (const [upstream, downstream] of workflow.edges) {
    const known = upstreams.get(downstream);
    if (known === undefined) upstreams.set(downstream, [upstream]);
    else known.push(upstream);
  }
  const ofBarriers = new Map<GraphNode, string[]>();
  const resolve = (node: GraphNode): string[] => {
    const known = ofBarriers.get(node);
    if (known !== undefined) return known;
    const found = new Set<string>();
    for (const upstream of upstreams.get(node) ?? []) {
      if (upstream >= 0) found.add(names[upstream] ?? '');
      else for (const name of resolve(upstream)) found.add(name);
    }
    const list = [...found];
    if (node < 0) ofBarriers.set(node, list);
    return list;
  };
  return resolve;
}
