/** Reasons of autoscalers as clauses for people: the one place that puts them into English. */
import { counted } from '../../base/text.ts';
import type { ScalingReason } from './autoscaling-reason.ts';

/** A clause without a capital and a full stop. */
export function scalingText(reason: ScalingReason): string {
  switch (reason.code) {
    case 'not_running':
      return 'the workflow has nothing to run';
    case 'paused':
      return 'the workflow is paused';
    case 'no_config':
      return 'the workflow has no Slurm config';
    case 'nothing_ready':
      return reason.num_blocked === 0
        ? 'no job waits for a node'
        : `no job can start now; ${counted(reason.num_blocked, 'job')} ${reason.num_blocked === 1 ? 'waits' : 'wait'} for other jobs`;
    case 'enough':
      return reason.num_queued === 0
        ? 'the workers that are here take all ready jobs'
        : 'what is queued and running takes all ready jobs';
    case 'submits':
      return `${counted(reason.num_allocations, 'allocation')} more for ready jobs`;
    case 'at_max':
      return `the maximum is ${counted(reason.max_nodes, 'node')}`;
    case 'at_max_queued':
      return `at most ${counted(reason.max_queued, 'allocation')} may be queued`;
    case 'fits_no_config':
      return `no Slurm config has the room, the walltime or the named resources for ${counted(reason.num_jobs, 'ready job')}`;
    case 'backs_off':
      return `waiting until ${reason.until}: ${failuresText(reason.num_failed)}, the last: ${reason.last_failure}`;
    case 'tries_one':
      return `${failuresText(reason.num_failed)}; one allocation shows whether they work again`;
    case 'too_many_calls':
      return `waiting until ${reason.until}: at most ${reason.calls_per_minute} Slurm commands a minute`;
  }
}

function failuresText(numFailed: number): string {
  return numFailed === 1 ? 'a start failed' : `${numFailed} starts in a row failed`;
}
