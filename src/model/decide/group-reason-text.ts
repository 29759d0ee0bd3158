/** What keeps several jobs from running, as clauses and as a few words: for overviews, where `reasonText` speaks of one. */
import { formatDuration } from '../../base/units.ts';
import type { Reason } from './reason.ts';
import { obstacleText, reasonText } from './reason-text.ts';

/** `5 jobs wait for a worker; there is none`. */
export function groupReasonText(reason: Reason, numJobs: number): string {
  const one = numJobs === 1;
  const jobs = `${numJobs} ${one ? 'job' : 'jobs'}`;
  const wait = `${jobs} ${one ? 'waits' : 'wait'}`;
  switch (reason.code) {
    case 'larger_than_any_worker':
    case 'no_worker_with_resources':
    case 'outlasts_configs':
    case 'no_worker_with_labels':
    case 'workers_exclusive':
      return obstacleText(reason, numJobs);
    case 'workflow_not_started':
      return `${wait} for the start of the workflow`;
    case 'waits_for_restart':
      return `${jobs} ${one ? 'was' : 'were'} reset and ${one ? 'waits' : 'wait'} for a restart`;
    case 'workflow_paused':
      return `${wait}; the workflow is paused`;
    case 'workflow_timed_out':
      return `${wait}; the timeout of the run is over`;
    case 'workflow_stopping':
      return `${wait} until the restart has stopped the running jobs`;
    case 'held':
      return heldText(reason, jobs, one);
    case 'no_server':
      return `${wait}; no server answers the ${plural(reason.num_workers, 'worker')}`;
    case 'no_worker':
      return `${wait} for a worker; there is none`;
    case 'no_worker_of_config':
      return `${wait} for a worker of Slurm config ${reason.slurm_config ?? reason.slurm_config_key}; there is none`;
    case 'workers_silent':
      return `${wait}; ${reason.num_workers === 1 ? 'the worker does not answer' : `none of the ${reason.num_workers} workers answers`}`;
    case 'outlasts_workers':
      return `${jobs} may run for ${formatDuration(reason.runtime_seconds)}, but the workers have at most ${formatDuration(reason.longest_seconds)} left`;
    case 'waits_for_allocation':
    case 'waits_for_nodes':
    case 'waits_for_limit':
    case 'waits_for_room':
      return `${wait} ${reasonText(reason)
        .replace(/^It waits /, '')
        .replace(/\.$/, '')}`;
    default:
      return `${jobs}: ${reasonText(reason).replace(/\.$/, '')}`;
  }
}

function heldText({ kind, until }: Extract<Reason, { code: 'held' }>, jobs: string, one: boolean): string {
  const are = one ? 'is' : 'are';
  if (kind === 'person') return `${jobs} ${are} held until somebody releases ${one ? 'it' : 'them'}`;
  if (kind === 'retry') {
    return `${jobs} failed and ${one ? 'waits' : 'wait'} for the next attempt${until === null ? '' : `, at ${until}`}`;
  }
  if (kind === 'requirements')
    return `${jobs} ${one ? 'waits' : 'wait'} for data that the resource requirements come from`;
  return `${jobs} ${are} held back (${kind})`;
}

/** For a narrow column: `no worker`, `2 queued in Slurm`. */
export function shortReason(reason: Reason): string {
  switch (reason.code) {
    case 'workflow_not_started':
      return 'not started';
    case 'waits_for_restart':
      return 'needs a restart';
    case 'workflow_canceled':
      return 'canceled';
    case 'workflow_paused':
      return 'paused';
    case 'workflow_timed_out':
      return 'timed out';
    case 'workflow_stopping':
      return 'stopping';
    case 'held':
      return reason.kind === 'retry' ? 'retries later' : reason.kind === 'person' ? 'held' : `held (${reason.kind})`;
    case 'no_server':
      return 'no server';
    case 'no_worker':
    case 'no_worker_of_config':
      return 'no worker';
    case 'waits_for_allocation':
      return `${reason.num_allocations} ${reason.has_started ? 'starting' : 'queued in Slurm'}`;
    case 'waits_for_nodes':
      return 'waits for nodes';
    case 'no_worker_with_labels':
      return `no worker with ${reason.labels.join(', ')}`;
    case 'workers_exclusive':
      return 'no worker without labels';
    case 'workers_silent':
      return 'workers silent';
    case 'larger_than_any_worker':
      return 'too large for workers';
    case 'outlasts_workers':
    case 'outlasts_configs':
      return 'too long for workers';
    case 'waits_for_limit':
      return `limit ${reason.limit ?? 'max_concurrent_jobs'}`;
    case 'waits_for_room':
      return 'no room';
    default:
      return reason.code.replaceAll('_', ' ');
  }
}

function plural(count: number, one: string): string {
  return count === 1 ? one : `${count} ${one}s`;
}
