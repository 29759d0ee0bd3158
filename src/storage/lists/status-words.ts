/** What people of torc 1.0 and Slurm call a status, and the command that lists such jobs or results here. */

/** By the word in lower case. */
export type OtherWords = Readonly<Record<string, string>>;

function words(command: string, ...names: string[]): OtherWords {
  return Object.fromEntries(names.map((name) => [name, command]));
}

function ends(list: 'jobs' | 'results'): OtherWords {
  return {
    ...words(`torc ${list} list --failed`, 'failed', 'fail', 'failure', 'error'),
    ...words(
      `torc ${list} list -f outcome=success`,
      ...['completed', 'complete', 'finished', 'success', 'successful', 'succeeded'],
    ),
    ...words(`torc ${list} list -f cause=job_timeout`, 'timeout', 'timed_out'),
    ...words(`torc ${list} list -f cause=oom`, 'out_of_memory', 'oom'),
    ...words(`torc ${list} list -f cause=node_failure`, 'node_fail'),
  };
}

export const otherJobStatuses: OtherWords = {
  ...ends('jobs'),
  ...words('torc jobs list --running', 'running'),
  ...words('torc jobs list --waiting', 'waiting', 'queued', 'scheduled'),
  // a worker of torc 1.0 has it and has not started it; Slurm's is waiting
  ...words('torc jobs list -f status=blocked,ready,submitted_pending', 'pending'),
  ...words('torc jobs list -f orphaned=true', 'lost', 'orphaned'),
  ...words('torc jobs list -f held=true', 'held', 'hold'),
  ...words('torc jobs list --failed', 'pending_failed'),
};

export const otherResultStatuses: OtherWords = ends('results');
