/** The graph of a stored workflow, small enough to be drawn. */
import type { Reply, Request } from '../../api/contract.ts';
import { groupJobs } from '../../model/graph/job-groups.ts';
import { jobStatuses } from '../../model/status.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { jobNames, loadJobs } from '../../storage/runs/restart.ts';
import type { ServerContext } from '../context.ts';

/** Reads every job and edge once. */
export function drawWorkflow(
  { view }: ServerContext,
  { workflow_key }: Request<'workflow_graph'>,
): Reply<'workflow_graph'> {
  const { workflowKey, name } = getWorkflow(view, Number(workflow_key));
  const { numJobs, graph, status, failed } = loadJobs(view, workflowKey);
  const countedAs = (job: number) => (failed[job] === 1 ? 'failed' : (jobStatuses[status[job] as number] as string));
  const grouped = groupJobs({ numJobs, graph, names: () => jobNames(view, workflowKey), countedAs });
  return { workflow_key, name, num_jobs: numJobs, ...grouped };
}
