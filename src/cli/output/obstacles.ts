/** What keeps jobs from running however long they wait: they need more than there is, or may run longer than it lasts. */
import type { Api } from '../../api/contract.ts';
import type { Reason } from '../../model/decide/reason.ts';
import { type Obstacle, obstacleText } from '../../model/decide/reason-text.ts';
import { type Context, note } from '../context/context.ts';
import { notePools } from './pool-notes.ts';
import { helpOfLabels, helpOfResources, slurmTime } from './reason-help.ts';

export interface FoundObstacle {
  num_jobs: number;
  reason: Obstacle;
}

const obstacleCodes: readonly Obstacle['code'][] = [
  'larger_than_any_worker',
  'no_worker_with_resources',
  'outlasts_configs',
  'no_worker_with_labels',
  'workers_exclusive',
];

function isObstacle(reason: Reason): reason is Obstacle {
  return obstacleCodes.some((code) => code === reason.code);
}

/** At most this many are told as text. */
const mostTold = 5;

/** Obstacles of the waiting jobs of a workflow, each once, the most jobs first. */
export async function findObstacles(
  api: Api,
  workflowKey: string,
  codes: readonly Obstacle['code'][] = obstacleCodes,
): Promise<FoundObstacle[]> {
  const { demand } = await api.call('demand', { workflow_key: workflowKey, only_obstacles: true });
  const found = new Map<string, FoundObstacle>();
  for (const { num_jobs, reasons } of demand) {
    for (const reason of reasons) {
      if (!isObstacle(reason) || !codes.includes(reason.code)) continue;
      const id = JSON.stringify(reason);
      found.set(id, { num_jobs: num_jobs + (found.get(id)?.num_jobs ?? 0), reason });
    }
  }
  return [...found.values()].toSorted((a, b) => b.num_jobs - a.num_jobs);
}

/** How many waiting jobs of a workflow have one of these obstacles. */
export async function numObstructed(
  api: Api,
  workflowKey: string,
  codes: readonly Obstacle['code'][],
): Promise<number> {
  const { demand } = await api.call('demand', { workflow_key: workflowKey, only_obstacles: true });
  const obstructed = demand.filter(({ reasons }) => reasons.some(({ code }) => codes.some((each) => each === code)));
  return obstructed.reduce((sum, { num_jobs }) => sum + num_jobs, 0);
}

/** One line each. */
export function obstacleLines(context: Context, workflowKey: string, found: readonly FoundObstacle[]): string[] {
  const lines = found
    .slice(0, mostTold)
    .map(({ num_jobs, reason }) => [obstacleText(reason, num_jobs), ...help(context, workflowKey, reason)].join(': '));
  return found.length > mostTold ? [...lines, `.. and ${found.length - mostTold} more`] : lines;
}

function help({ torc }: Context, workflowKey: string, reason: Obstacle): string[] {
  if (reason.code === 'outlasts_configs') {
    return [`${torc} hpc slurm modify-config ${reason.slurm_config_key} -w ${slurmTime(reason.runtime_seconds)}`];
  }
  if (reason.code === 'no_worker_with_labels') return helpOfLabels(torc, workflowKey, reason);
  if (reason.code === 'no_worker_with_resources') return [helpOfResources(torc, workflowKey, reason)];
  if (reason.code === 'workers_exclusive') return [`${torc} jobs run ${workflowKey}`];
  const columns = 'job_key,name,status,num_nodes,num_cpus,memory_bytes,num_gpus';
  return [`${torc} jobs list -k ${workflowKey} -f status=ready --columns ${columns}`];
}

/** Warns of jobs that no Slurm config of their workflow can run: for their stated runtime, or for their labels. */
export async function noteUnfit(context: Context, api: Api, workflowKey: string): Promise<void> {
  const found = await findObstacles(api, workflowKey, ['outlasts_configs']);
  for (const line of obstacleLines(context, workflowKey, found)) note(context, line, 'warning');
  await notePools(context, api, workflowKey, null);
}
