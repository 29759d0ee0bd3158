/** Reasons as sentences for people: the one place that puts them into English. */
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Dimension } from '../job.ts';
import { amountsText } from '../named-resources.ts';
import { scalingText } from './autoscaling-text.ts';
import type { Reason, Size } from './reason.ts';

/** A full sentence that makes sense by itself and next to others. `cause`: that of the job's result. */
export function reasonText(reason: Reason, cause: string | null = null): string {
  switch (reason.code) {
    case 'workflow_not_started':
      return 'Its workflow has not started.';
    case 'waits_for_restart':
      return 'It was reset and waits for a restart of its workflow.';
    case 'workflow_canceled':
      return 'Its workflow was canceled.';
    case 'workflow_paused':
      return 'Its workflow is paused.';
    case 'workflow_timed_out':
      return 'The timeout of its run is over; a restart goes on with it.';
    case 'workflow_stopping':
      return 'A restart is stopping the running jobs first.';
    case 'waits_for_upstreams':
      return upstreamsText(reason);
    case 'held':
      return heldText(reason);
    case 'no_server':
      return `No server is running, so its ${workers(reason.num_workers)} cannot get jobs.`;
    case 'no_worker':
      return 'There is no worker to run it.';
    case 'waits_for_allocation':
      return `It waits for ${queuedText(reason)}.`;
    case 'waits_for_nodes':
      return `It waits for a node (autoscaler: ${scalingText(reason.scaling)}).`;
    case 'no_worker_of_config':
      return `Only workers of Slurm config ${configName(reason)} may take it, and there are none.`;
    case 'no_worker_with_labels':
      return labelsText(reason);
    case 'workers_exclusive':
      return reason.num_workers === 1
        ? 'It has no labels, and its only worker takes only jobs with labels.'
        : `It has no labels, and all ${workers(reason.num_workers)} take only jobs with labels.`;
    case 'workers_silent':
      return reason.num_workers === 1
        ? 'Its only worker is not responding.'
        : `None of its ${workers(reason.num_workers)} is responding.`;
    case 'larger_than_any_worker':
      return `It needs ${largerText(reason)}.`;
    case 'no_worker_with_resources':
      return `It needs ${namedText(reason)}.`;
    case 'outlasts_workers':
      return `It needs ${formatDuration(reason.runtime_seconds)}, but its workers have at most ${formatDuration(reason.longest_seconds)} left.`;
    case 'outlasts_configs':
      return `It may run for ${outlastsText(reason)}.`;
    case 'waits_for_limit':
      return limitText(reason);
    case 'waits_for_room':
      return `It waits until a worker has room for ${sizeText(reason.needed)}${withNamed(reason.resources)}.`;
    case 'waits_for_turn':
      return 'It waits for its turn.';
    case 'claimed':
      return `The worker on ${reason.hostname} has taken it and has not started it yet.`;
    case 'worker_silent':
      return `It may or may not be running: its worker on ${reason.hostname} was last heard from at ${reason.last_heartbeat}.`;
    case 'lost':
      return reason.explanation ?? 'Its worker is gone and left no result; nothing more is known yet.';
    case 'succeeded':
      if (cause === 'marked') return 'Somebody marked it as done.';
      return cause === 'inherited' ? 'Its result is inherited from another workflow.' : 'It succeeded.';
    case 'failed':
      if (reason.cause === 'max_wait') return 'It was ready for longer than its max_wait and never started.';
      return `It failed with return code ${reason.return_code} (${reason.cause}).`;
    case 'forgiven':
      return `It ended with return code ${reason.return_code}, which counts as success (task_failure_is_success).`;
    case 'terminated':
      if (reason.cause === 'oom') {
        return 'The kernel killed it because another job took the memory of the node (oom); a restart runs it again.';
      }
      return `torc stopped it before it ended (${reason.cause ?? 'no known cause'}); a restart runs it again.`;
    case 'canceled_by_person':
      return 'Somebody canceled it.';
    case 'max_failures':
      return `It never ran because its run had reached ${reason.max_failures ?? 'its number of'} ${reason.max_failures === 1 ? 'failure' : 'failures'} (max_failures).`;
    case 'upstream_failed':
      return upstreamFailedText(reason);
    case 'disabled':
      return 'It is disabled: no run includes it until it is reset.';
  }
}

/** What keeps this many jobs from ever running, as a clause: `2 jobs need 64 CPUs; no worker has more than 2 CPUs`. */
export function obstacleText(reason: Obstacle, numJobs: number): string {
  const jobs = counted(numJobs, 'job');
  const need = numJobs === 1 ? 'needs' : 'need';
  switch (reason.code) {
    case 'outlasts_configs':
      return `${jobs} may run for ${outlastsText(reason)}`;
    case 'no_worker_with_labels':
      return `${jobs} ${need} a worker with ${allLabels(reason.labels)}${lackText(reason)}`;
    case 'workers_exclusive':
      return `${jobs} ${numJobs === 1 ? 'has' : 'have'} no labels, and the ${counted(reason.num_workers, 'worker')} here ${reason.num_workers === 1 ? 'takes' : 'take'} only jobs with labels`;
    case 'larger_than_any_worker':
      return `${jobs} ${need} ${largerText(reason)}`;
    case 'no_worker_with_resources':
      return `${jobs} ${need} ${namedText(reason)}`;
  }
}

/** `2 allocations that are queued in Slurm (Priority)`. */
function queuedText({ num_allocations: n, slurm_reason, has_started }: Of<'waits_for_allocation'>): string {
  if (has_started) {
    return `the ${n === 1 ? 'worker' : 'workers'} of ${counted(n, 'allocation')} that Slurm has started`;
  }
  const why = slurm_reason === null || slurm_reason === 'None' ? '' : ` (${slurm_reason})`;
  return `${counted(n, 'allocation')} that ${n === 1 ? 'is' : 'are'} queued in Slurm${why}`;
}

function configName({ slurm_config_key, slurm_config }: Of<'no_worker_of_config'>): string {
  return slurm_config === null ? slurm_config_key : JSON.stringify(slurm_config);
}

function labelsText(reason: Of<'no_worker_with_labels'>): string {
  const { labels, nearest } = reason;
  const all = allLabels(labels);
  if (nearest === null) return `It needs a worker with ${all}, and there is no worker.`;
  const isNone = nearest.missing.length === labels.length;
  if (isNone) return `No worker has ${labels.length === 1 ? all : `any of ${all}`}.`;
  return `No worker has all of ${all}${lackText(reason)}.`;
}

/** What the nearest worker lacks, where it has at least one of the labels. */
function lackText({ labels, nearest }: Of<'no_worker_with_labels'>): string {
  if (nearest === null || nearest.missing.length === labels.length) return '';
  return `; the worker on ${nearest.hostname} lacks ${labelWords(nearest.missing)}`;
}

function allLabels(labels: readonly string[]): string {
  return `the ${labels.length === 1 ? 'label' : 'labels'} ${labelWords(labels)}`;
}

export function labelWords(labels: readonly string[]): string {
  return labels.map((label) => JSON.stringify(label)).join(', ');
}

type Of<C extends Reason['code']> = Extract<Reason, { code: C }>;

export type Obstacle = Of<
  | 'larger_than_any_worker'
  | 'no_worker_with_resources'
  | 'outlasts_configs'
  | 'no_worker_with_labels'
  | 'workers_exclusive'
>;

function outlastsText({ runtime_seconds, longest_seconds, slurm_config }: Of<'outlasts_configs'>): string {
  const name = JSON.stringify(slurm_config);
  const longest = `the longest allocation, of Slurm config ${name}, lasts ${formatDuration(longest_seconds)}`;
  return `${formatDuration(runtime_seconds)}, but ${longest}`;
}

function upstreamsText({ total, first }: Of<'waits_for_upstreams'>): string {
  if (total === null) return 'It waits for upstream jobs.';
  const named = first.map(({ name, status }) => `${JSON.stringify(name)} (${status})`).join(', ');
  const more = total > first.length ? ` and ${total - first.length} more` : '';
  return `It waits for ${counted(total, 'upstream job')}: ${named}${more}.`;
}

function heldText({ kind, until, detail }: Of<'held'>): string {
  const end = until === null ? '' : ` until ${until}`;
  if (kind === 'person') return 'It is held until somebody releases it.';
  if (kind === 'requirements')
    return `Its resource requirements are not known${detail === undefined ? '' : `: ${detail}`}.`;
  return kind === 'retry' ? `It failed and waits${end} for its next attempt.` : `It is held back (${kind})${end}.`;
}

function upstreamFailedText({ job_key, name, end }: Of<'upstream_failed'>): string {
  const named = name === null ? job_key : `${job_key} ${JSON.stringify(name)}`;
  return `It never ran because its upstream job ${named} ${end === 'canceled' ? 'was canceled' : 'failed'}.`;
}

/** Only the dimensions that keep it from fitting are named. */
function largerText({ needed, largest, dimensions, is_past }: Of<'larger_than_any_worker'>): string {
  if (dimensions.length === 0) {
    const all = (['cpus', 'memory', 'gpus', 'nodes'] as const).filter((each) => isWorthSaying(each, needed));
    return `${parts(all, needed)} together; no worker ${is_past ? 'had' : 'has'} all of that`;
  }
  const missing = dimensions.filter((each) => each === 'gpus' && largest.num_gpus === 0);
  const short = dimensions.filter((each) => !missing.includes(each));
  const clauses = [
    ...(short.length === 0 ? [] : [`${is_past ? 'had' : 'has'} more than ${parts(short, largest)}`]),
    ...missing.map(() => `${is_past ? 'had' : 'has'} a GPU`),
  ];
  const worker = is_past ? 'no worker so far' : 'no worker';
  return `${parts(dimensions, needed)}; ${clauses.map((clause) => `${worker} ${clause}`).join(', and ')}`;
}

/** `2 fpga; no worker has more than 1`. */
function namedText({ needed, largest, is_past }: Of<'no_worker_with_resources'>): string {
  const worker = `no worker ${is_past ? 'so far had' : 'has'}`;
  const names = Object.keys(needed);
  if (names.every((name) => (largest[name] ?? 0) >= (needed[name] ?? 0))) {
    return `${amountsText(needed)} together; ${worker} all of that`;
  }
  const clauses = names.map((name) =>
    largest[name] ? `${worker} more than ${largest[name]} ${name}` : `${worker} ${name}`,
  );
  return `${amountsText(needed)}; ${clauses.join(', and ')}`;
}

function withNamed(amounts: Readonly<Record<string, number>>): string {
  return Object.keys(amounts).length === 0 ? '' : ` with ${amountsText(amounts)}`;
}

function isWorthSaying(dimension: Dimension, size: Size): boolean {
  if (dimension === 'gpus') return size.num_gpus > 0;
  return dimension !== 'nodes' || size.num_nodes > 1;
}

const partText: Readonly<Record<Dimension, (size: Size) => string>> = {
  cpus: (size) => counted(size.num_cpus, 'CPU'),
  memory: (size) => `${formatMemory(size.memory_bytes)} of memory`,
  gpus: (size) => counted(size.num_gpus, 'GPU'),
  nodes: (size) => counted(size.num_nodes, 'node'),
};

function parts(dimensions: readonly Dimension[], size: Size): string {
  const words = dimensions.map((dimension) => partText[dimension](size));
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function sizeText(size: Size): string {
  const each = parts(
    (['cpus', 'memory', 'gpus'] as const).filter((dimension) => isWorthSaying(dimension, size)),
    size,
  );
  return size.num_nodes === 1 ? each : `${each} on each of ${size.num_nodes} nodes`;
}

function workers(count: number): string {
  return counted(count, 'worker');
}

function counted(count: number, one: string): string {
  return `${count} ${count === 1 ? one : `${one}s`}`;
}

function limitText({
  limit,
  maximum,
  num_running: n,
  shared,
  workflows,
}: Extract<Reason, { code: 'waits_for_limit' }>) {
  const what =
    limit === null
      ? 'the max_concurrent_jobs of its workflow'
      : shared
        ? `the shared limit ${limit}`
        : `the limit ${limit} of its workflow`;
  if (maximum === 0 && n === 0) return `It waits for ${what}, which is 0.`;
  const where = workflows.map(({ workflow_key, num_running }) => `${workflow_key}: ${num_running}`).join(', ');
  const of = shared && n > 0 ? ` (workflow ${where})` : '';
  return `It waits for ${what}: ${n} of ${maximum} ${n === 1 ? 'runs' : 'run'}${of}.`;
}
