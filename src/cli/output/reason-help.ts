/** The commands that help a job that waits, by the reasons for which it does. */
import { shellWord } from '../../base/text.ts';
import type { Reason, Size } from '../../model/decide/reason.ts';
import type { Dimension } from '../../model/job.ts';
import type { Context } from '../context/context.ts';

interface Subject {
  workflow_key: string;
  job_key: string;
}

type Of<C extends Reason['code']> = Extract<Reason, { code: C }>;

/** Commands to choose from, each as it is typed; none where nothing but waiting helps. */
export function reasonHelp({ torc }: Pick<Context, 'torc'>, job: Subject, reasons: readonly Reason[]): string[] {
  const find = <C extends Reason['code']>(code: C): Of<C> | undefined =>
    reasons.find((reason): reason is Of<C> => reason.code === code);
  const schedule = `${torc} -k ${job.workflow_key} hpc slurm schedule-nodes`;
  const has = (...codes: Reason['code'][]): boolean => codes.some((code) => find(code) !== undefined);

  if (has('workflow_not_started')) return [`${torc} workflows start ${job.workflow_key}`];
  if (has('waits_for_restart', 'workflow_canceled', 'terminated'))
    return [`${torc} workflows restart ${job.workflow_key}`];
  if (has('no_server')) return [`${torc} server start --daemon`];
  if (find('held')?.kind === 'requirements') return [`${torc} jobs modify ${job.job_key} --memory SIZE`];
  const limit = find('waits_for_limit');
  // one that is in use has room again by itself
  if (limit?.maximum === 0) return [helpOfLimit(torc, job.workflow_key, limit)];
  const larger = find('larger_than_any_worker');
  if (larger !== undefined) return helpOfSize(torc, job, larger);
  const named = find('no_worker_with_resources');
  if (named !== undefined) return [helpOfResources(torc, job.workflow_key, named)];
  const config = find('outlasts_configs');
  if (config !== undefined) {
    const walltime = slurmTime(config.runtime_seconds);
    return [`${torc} hpc slurm modify-config ${config.slurm_config_key} -w ${walltime}`];
  }
  const restricted = find('no_worker_of_config');
  if (restricted !== undefined) return [`${schedule} -s ${restricted.slurm_config_key} -n 1`];
  const labelled = find('no_worker_with_labels');
  if (labelled !== undefined) return helpOfLabels(torc, job.workflow_key, labelled);
  if (has('workers_exclusive')) return [`${torc} jobs run ${job.workflow_key}`];
  if (has('no_worker')) return [`${torc} jobs run ${job.workflow_key}`, `${schedule} -n 1`];
  if (has('outlasts_workers')) return [`${schedule} -n 1`];
  const scaling = find('waits_for_nodes')?.scaling;
  if (scaling?.code === 'fits_no_config') return [`${torc} -k ${job.workflow_key} hpc slurm list-configs`];
  if (scaling !== undefined) return [`${torc} workflows autoscale ${job.workflow_key} --dry-run`];
  if (has('waits_for_allocation')) return [`${torc} hpc slurm allocations -k ${job.workflow_key}`];
  if (has('workers_silent')) return [`${torc} compute-nodes list -k ${job.workflow_key}`];
  if (has('workflow_paused')) return [`${torc} workflows resume ${job.workflow_key}`];
  if (find('held')?.kind === 'person') return [`${torc} jobs release ${job.job_key}`];
  const ended = helpOfEnd(torc, job, reasons);
  if (ended.length > 0) return ended;
  const upstream = find('waits_for_upstreams')?.first[0] ?? find('upstream_failed');
  return upstream === undefined ? [] : [`${torc} why ${upstream.job_key}`];
}

/** Of a job that does not wait. */
function helpOfEnd(torc: string, { workflow_key, job_key }: Subject, reasons: readonly Reason[]): string[] {
  const [reason] = reasons;
  switch (reason?.code) {
    case 'lost':
      return [`${torc} jobs diagnose ${job_key}`, `${torc} workflows restart ${workflow_key} --dry-run`];
    case 'failed': {
      const rerun = `${torc} rerun-failed ${workflow_key} --dry-run`;
      // no process ran that could have written something
      return reason.cause === 'max_wait' ? [rerun] : [`${torc} jobs logs ${job_key}`, rerun];
    }
    case 'canceled_by_person':
    case 'disabled':
      return [`${torc} jobs reset-status ${job_key}`];
    case 'max_failures':
    case 'workflow_timed_out':
      return [`${torc} workflows restart ${workflow_key} --dry-run`];
    default:
      return [];
  }
}

function helpOfLimit(torc: string, workflowKey: string, { limit, shared }: Of<'waits_for_limit'>): string {
  if (limit === null) return `${torc} workflows modify ${workflowKey} --max-concurrent-jobs N`;
  return `${torc} limits set ${shellWord(limit)} N${shared ? '' : ` -k ${workflowKey}`}`;
}

/** A Slurm config that has the labels, else a worker here: what asks only for `local` needs none given. */
export function helpOfLabels(torc: string, workflowKey: string, reason: Of<'no_worker_with_labels'>): string[] {
  const schedule = `${torc} -k ${workflowKey} hpc slurm schedule-nodes`;
  if (reason.slurm_config_key !== null) return [`${schedule} -s ${reason.slurm_config_key} -n 1`];
  if (reason.labels.includes('slurm')) return [];
  const given = reason.labels.filter((label) => label !== 'local').map((label) => ` --label ${shellWord(label)}`);
  return [`${torc} jobs run ${workflowKey}${given.join('')}`];
}

/** A worker that is said to have what is missing. */
export function helpOfResources(torc: string, workflowKey: string, { needed }: Of<'no_worker_with_resources'>): string {
  const given = Object.entries(needed).map(([name, amount]) => ` --resource ${name}=${amount}`);
  return `${torc} jobs run ${workflowKey}${given.join('')}`;
}

const sizeOptions: Readonly<Record<Dimension, (largest: Size) => string>> = {
  cpus: (largest) => `--num-cpus ${largest.num_cpus}`,
  memory: (largest) => `--memory ${Math.floor(largest.memory_bytes / 1024 ** 2)}m`,
  gpus: (largest) => `--num-gpus ${largest.num_gpus}`,
  nodes: () => '',
};

/** A job of several nodes needs an allocation that has them; any other can ask for less. */
function helpOfSize(
  torc: string,
  job: Subject,
  { dimensions, largest, needed }: Of<'larger_than_any_worker'>,
): string[] {
  if (dimensions.includes('nodes')) {
    return [
      `${torc} -k ${job.workflow_key} hpc slurm add-config -n ${needed.num_nodes} .. (then schedule-nodes without -S)`,
    ];
  }
  const options = dimensions.map((dimension) => sizeOptions[dimension](largest));
  return options.length === 0 ? [] : [`${torc} jobs modify ${job.job_key} ${options.join(' ')}`];
}

/** A walltime for jobs of this runtime: a tenth more, because that is the most that is kept for the end. */
export function slurmTime(runtimeSeconds: number): string {
  const minutes = Math.ceil(runtimeSeconds / 0.9 / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:00`;
}
