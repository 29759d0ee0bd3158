/** The graph of a stored workflow, small enough to be drawn. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { readDrawing } from '../../storage/lists/drawings.ts';
import { drawFromJobs, onlyGroup } from '../../storage/lists/drawn-jobs.ts';
import { readGroup } from '../../storage/lists/group-jobs.ts';
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
  const { groups, edges } = readDrawing(view, workflowKey) ?? drawFromJobs(view, workflowKey);
  const num_jobs = groups.reduce((sum, group) => sum + group.num_jobs, 0);
  return { workflow_key, name, num_jobs, groups, edges };
}

/** Some jobs of one group. Throws TorcError 'not_found'. */
export function showGroup(
  { view }: ServerContext,
  { workflow_key, job_key, limit }: Request<'graph_group'>,
): Reply<'graph_group'> {
  const { workflowKey } = getWorkflow(view, Number(workflow_key));
  const group = readGroup(view, workflowKey, Number(job_key), limit);
  if (group !== null) return group;
  throw new TorcError('not_found', `workflow ${workflow_key} has no job ${job_key}`, 'torc jobs list');
}
