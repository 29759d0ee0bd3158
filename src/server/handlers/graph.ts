/** The graph of a stored workflow, small enough to be drawn. */
import type { Reply, Request } from '../../api/contract.ts';
import { groupJobs } from '../../model/graph/job-groups.ts';
import { readDrawing } from '../../storage/lists/drawings.ts';
import { loadDrawn, onlyGroup } from '../../storage/lists/drawn-jobs.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';

/** Reads every job and edge once, unless all jobs are alike or the groups were stored when the workflow was created. */
export function drawWorkflow(
  { view }: ServerContext,
  { workflow_key }: Request<'workflow_graph'>,
): Reply<'workflow_graph'> {
  const { workflowKey, name } = getWorkflow(view, Number(workflow_key));
  const only = onlyGroup(view, workflowKey);
  if (only !== null) return { workflow_key, name, num_jobs: only.num_jobs, groups: [only], edges: [] };
  const { groups, edges } = readDrawing(view, workflowKey) ?? groupJobs(loadDrawn(view, workflowKey));
  const num_jobs = groups.reduce((sum, group) => sum + group.num_jobs, 0);
  return { workflow_key, name, num_jobs, groups, edges };
}
