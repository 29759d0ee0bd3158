/** The metrics of a server: what there is from the database, what happened from the counters, and the process. */
import { cpuUsage, memoryUsage } from 'node:process';
import { allocationStatuses, jobStatuses, workflowStatuses } from '../../model/status.ts';
import { readMetrics } from '../../storage/lists/metrics.ts';
import type { ServerContext } from '../context.ts';
import type { Counters } from './counters.ts';
import type { Metric, Sample } from './exposition.ts';

/** Workflows whose jobs are counted one by one; of all together there are sums. */
export const mostWorkflows = 50;

type Context = Pick<ServerContext, 'db' | 'clock' | 'info' | 'epoch' | 'startedAt' | 'numQueued' | 'claimSeconds'>;

export function metricsOf(context: Context, counters: Counters, numViewers: number): Metric[] {
  const found = readMetrics(context.db, mostWorkflows);
  const { workers, held } = found;
  return [
    gauge('torc_build_info', 'The version of torc, and which server of this directory it is.', [
      { labels: { version: context.info.version, epoch: String(context.epoch) }, value: 1 },
    ]),
    gauge('torc_workflows', 'Workflows by status, without archived ones.', byStatus(workflowStatuses, found.workflows)),
    gauge('torc_jobs', 'Jobs by status, of all workflows that are not archived.', byStatus(jobStatuses, found.jobs)),
    gauge('torc_failed_jobs', 'Jobs that are done and failed.', [{ value: found.numFailedJobs }]),
    gauge(
      'torc_workflow_jobs',
      `Jobs by status, of each of the newest ${mostWorkflows} workflows that have started and not ended.`,
      found.unfinished.map(({ workflow_key, name, status, n }) => ({
        labels: { workflow_key: String(workflow_key), workflow: name, status },
        value: n,
      })),
    ),
    gauge('torc_workers', 'Workers that have not ended, by whether they are heard from.', [
      { labels: { state: 'heard' }, value: workers.num_active - workers.num_silent },
      { labels: { state: 'silent' }, value: workers.num_silent },
    ]),
    gauge('torc_worker_cpus', 'CPUs of workers that have not ended.', [{ value: workers.num_cpus }]),
    gauge('torc_worker_cpus_used', 'CPUs of these workers that jobs hold.', [{ value: held.num_cpus }]),
    gauge('torc_worker_memory_bytes', 'Memory of these workers.', [{ value: workers.memory_bytes }]),
    gauge('torc_worker_memory_used_bytes', 'Memory of these workers that jobs asked for.', [
      { value: held.memory_bytes },
    ]),
    gauge('torc_worker_gpus', 'GPUs of these workers.', [{ value: workers.num_gpus }]),
    gauge('torc_running_attempts', 'Attempts that these workers have.', [{ value: held.num_attempts }]),
    gauge('torc_allocations', 'Slurm allocations by status.', byStatus(allocationStatuses, found.allocations)),
    ...happened(counters),
    claimSeconds(context.claimSeconds),
    gauge('torc_database_bytes', 'Size of the database.', [{ value: found.databaseBytes }]),
    ...(counters.lastBackupAt === null
      ? []
      : [
          gauge('torc_last_backup_timestamp_seconds', 'When torc server backup was last made through this server.', [
            { value: counters.lastBackupAt / 1000 },
          ]),
        ]),
    gauge('torc_waiting_requests', 'Requests that wait for the next transaction.', [{ value: context.numQueued }]),
    gauge('torc_viewers', 'Clients that follow events.', [{ value: numViewers }]),
    ...loopDelay(counters),
    ...processMetrics(context),
  ];
}

function happened(counters: Counters): Metric[] {
  const ends = [...counters.endsByCause];
  const numEnds = ends.reduce((sum, [, n]) => sum + n, 0);
  return [
    counter('torc_claims', 'Jobs that workers were given since the server started.', [{ value: counters.numClaims }]),
    counter(
      'torc_attempts_ended',
      'Attempts whose end a worker has reported since the server started, by cause.',
      ends.map(([cause, value]) => ({ labels: { cause }, value })),
    ),
    {
      name: 'torc_attempt_runtime_seconds',
      type: 'summary',
      help: 'How long these attempts ran.',
      samples: [
        { suffix: '_sum', value: counters.runtimeSeconds },
        { suffix: '_count', value: numEnds },
      ],
    },
    counter('torc_runs_ended', 'Runs of workflows that have ended since the server started.', [
      { value: counters.numRunsEnded },
    ]),
    counter('torc_transactions', 'Transactions since the server started.', [{ value: counters.numTransactions }]),
    counter(
      'torc_requests',
      'Requests since the server started, by endpoint and HTTP status.',
      [...counters.requests].map(([name, value]) => {
        const [endpoint = '', code = ''] = name.split(' ');
        return { labels: { endpoint, code }, value };
      }),
    ),
  ];
}

function claimSeconds(taken: ServerContext['claimSeconds']): Metric {
  const counts = taken.cumulative;
  const bucket = (le: string, value: number): Sample => ({ suffix: '_bucket', labels: { le }, value });
  return {
    name: 'torc_claim_seconds',
    type: 'histogram',
    help: 'From the request of a worker to the reply that gives it jobs, since the server started; not where it had to wait for jobs.',
    samples: [
      ...taken.bounds.map((bound, at) =>
        bucket(Number.isInteger(bound) ? `${bound}.0` : String(bound), counts[at] ?? 0),
      ),
      bucket('+Inf', taken.count),
      { suffix: '_sum', value: taken.sum },
      { suffix: '_count', value: taken.count },
    ],
  };
}

function loopDelay(counters: Counters): Metric[] {
  const delay = counters.takeLoopDelay();
  if (delay === null) return [];
  const help = 'How late timers of the server are since the last scrape,';
  return [
    gauge('torc_event_loop_delay_mean_seconds', `${help} on average.`, [{ value: delay.meanSeconds }]),
    gauge('torc_event_loop_delay_max_seconds', `${help} at most.`, [{ value: delay.maxSeconds }]),
  ];
}

function processMetrics({ startedAt }: Context): Metric[] {
  const { user, system } = cpuUsage();
  return [
    counter('process_cpu_seconds', 'Processor time of the server.', [{ value: (user + system) / 1e6 }]),
    gauge('process_resident_memory_bytes', 'Memory of the server.', [{ value: memoryUsage.rss() }]),
    gauge('process_start_time_seconds', 'When the server started.', [{ value: startedAt / 1000 }]),
  ];
}

/** A sample of each status, also where there is none. */
function byStatus(statuses: readonly string[], found: readonly { status: string; n: number }[]): Sample[] {
  const counts = new Map(found.map(({ status, n }) => [status, n]));
  return statuses.map((status) => ({ labels: { status }, value: counts.get(status) ?? 0 }));
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'counter', help, samples };
}
