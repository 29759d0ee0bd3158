/** What each job of a new workflow depends on, by name, with hidden barriers looked through. */
import type { ExpandedWorkflow, GraphNode } from '../model/expanded.ts';

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
  const resolve = (node: GraphNode): string[] =>
    (upstreams.get(node) ?? []).flatMap((upstream) => (upstream >= 0 ? [names[upstream] ?? ''] : resolve(upstream)));
  return resolve;
}
