/** An autoscaler in a few words. */
import type { AutoscalerShown } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';

/** `at most 10 nodes, 4 allocations queued, idle for 30s`: what a person has set. */
export function settingsText(shown: AutoscalerShown): string {
  const { min_nodes, max_nodes, max_queued, idle_seconds, walltime_seconds, slurm_config } = shown;
  const parts = [
    ...(min_nodes > 0 ? [`at least ${counted(min_nodes, 'node')}`] : []),
    `at most ${counted(max_nodes, 'node')}`,
    `at most ${max_queued} queued`,
    ...(shown.nodes_per_allocation === null ? [] : [`${counted(shown.nodes_per_allocation, 'node')} an allocation`]),
    ...(walltime_seconds === null ? [] : [`walltime ${formatDuration(walltime_seconds)}`]),
    ...(slurm_config === null ? [] : [`Slurm config ${slurm_config}`]),
    ...(shown.is_chain ? ['one after the other'] : []),
    `idle workers leave after ${formatDuration(idle_seconds)}`,
  ];
  return parts.join(', ');
}

/** `2 of at most 10 nodes, 1 allocation queued: ..why`. */
export function scalingStateText(shown: AutoscalerShown): string {
  const { num_nodes, max_nodes, num_queued_allocations: queued, explanation } = shown;
  const state = `${num_nodes} of at most ${counted(max_nodes, 'node')}`;
  const waiting = queued === 0 ? '' : `, ${counted(queued, 'allocation')} queued`;
  return `${state}${waiting}${explanation === null ? '' : `; ${explanation}`}`;
}
