/** What a workflow asks for that this version of torc reads and checks, but cannot run yet. */
import type { ExpandedWorkflow } from './expanded.ts';

/** Each part that is missing, as a phrase; empty when the workflow can run as it is written. */
export function unsupportedParts(workflow: ExpandedWorkflow): string[] {
  const missing: [boolean, string][] = [
    [workflow.requirements.some(({ numNodes }) => numNodes > 1), 'jobs on several nodes (num_nodes)'],
  ];
  return missing.flatMap(([isMissing, part]) => (isMissing ? [part] : []));
}
