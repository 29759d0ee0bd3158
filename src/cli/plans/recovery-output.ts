/** What a recovery makes of the failures of a workflow, as text. */
import type { Recovered, RestartPlan } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { failureWords } from '../../model/decide/recovery.ts';
import type { Context } from '../context/context.ts';
import { minimumText } from '../output/minimum-text.ts';
import { cellText } from '../output/table.ts';

type Group = Recovered['groups'][number];

/** A line for each kind of failure, with what becomes of it. */
export function groupsText(context: Context, workflowKey: string, { groups }: Recovered): string {
  return groups
    .map((group) => `${failureWords(group.kind, group.num_jobs)}: ${treatment(context, workflowKey, group)}\n`)
    .join('');
}

function treatment({ torc }: Context, workflowKey: string, group: Group): string {
  const { kind, num_jobs, num_recovered, factor } = group;
  const left = num_jobs - num_recovered;
  const again = `${num_jobs === 1 ? 'runs' : 'run'} again as before`;
  if (kind === 'other') {
    if (left === 0) return again;
    return `left (${torc} logs analyze ${workflowKey}; --retry-unknown runs ${num_jobs === 1 ? 'it' : 'them'} again)`;
  }
  const isScaled = kind === 'memory' || kind === 'runtime';
  if (isScaled && factor === null)
    return `left (${torc} jobs modify JOB --${kind} .. gives ${num_jobs === 1 ? 'it' : 'them'} more)`;
  const how = isScaled ? `${kind} x${factor}, or as their own rules say` : again;
  if (left === 0) return how;
  return `${num_recovered === 0 ? '' : `${how}; `}${left} left, see below`;
}

/** Where the nodes for the ready jobs come from. */
export function nodesText(plan: RestartPlan, recovered: Recovered, slurmJobIds: readonly string[]): string {
  const { nodes, nodes_by } = recovered;
  if (nodes_by === 'autoscaler') return 'nodes: the autoscaler of the workflow asks for them\n';
  if (nodes_by === 'actions') return 'nodes: the actions of the workflow ask for them\n';
  if (nodes.length === 0) return '';
  const parts = nodes.map(({ num_allocations, num_nodes, slurm_config, minimum }) => {
    const size = num_nodes === 1 ? '' : ` of ${num_nodes} nodes`;
    const least = minimumText(minimum);
    const nodesWith = least === null ? '' : `, nodes with ${least}`;
    return `${counted(num_allocations, 'allocation')}${size} with Slurm config ${cellText(slurm_config)}${nodesWith}`;
  });
  const ids =
    slurmJobIds.length === 0 ? '' : `: Slurm ${slurmJobIds.length === 1 ? 'job' : 'jobs'} ${slurmJobIds.join(' ')}`;
  return `${plan.dry_run ? 'would submit' : 'submitted'} ${parts.join(' and ')}${ids}\n`;
}
