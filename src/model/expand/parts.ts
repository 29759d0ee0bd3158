/** The parts of a workflow besides its jobs: Slurm schedulers, actions, the resource monitor. */
import { parseWalltime } from '../../base/units.ts';
import type { ExpandedAction, ExpandedScheduler, ResourceMonitor } from '../expanded.ts';
import { labelSet, labelsIn } from '../labels.ts';
import { resourceSet } from '../named-resources.ts';
import { quoted } from '../spec/names.ts';
import { PatternProblem } from '../spec/pattern-syntax.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { ActionSpec } from '../spec/reactions.ts';
import type { CheckedSpec, SlurmSchedulerSpec } from '../spec/spec.ts';
import { specDefaults } from './defaults.ts';
import type { JobExpansion } from './jobs.ts';
import { type NameTable, unnamed } from './name-table.ts';
import { Template } from './template.ts';

/** Options of sbatch that each scheduler or torc itself sets. */
const notDefaults = ['partition', 'nodes', 'walltime', 'time', 'mem', 'gres', 'name', 'job-name'];

const longOption = /^[a-z][a-z0-9-]*$/;

/** sbatch writes its options with dashes between the words. */
function meantOption(key: string): string {
  const meant = key.replace(/^-+/, '').replaceAll('_', '-').toLowerCase();
  return longOption.test(meant) ? `; did you mean ${quoted(meant)}?` : '';
}

/** The schedulers with what `slurm_defaults` adds to each. */
export function expandSchedulers(spec: CheckedSpec, schedulers: NameTable, findings: Findings): ExpandedScheduler[] {
  const defaults = new Map<string, string | number | boolean>();
  for (const [key, value] of Object.entries(spec.slurm_defaults ?? {})) {
    const path = ['slurm_defaults', key];
    if (!longOption.test(key)) {
      findings.add(
        path,
        () => `${quoted(key)} is not a long option of sbatch, written without --${meantOption(key)}`,
        'key',
      );
    } else if (notDefaults.includes(key)) {
      findings.add(path, () => `${quoted(key)} cannot be a default: ${reasonFor(key)}`, 'key');
    } else defaults.set(key, value);
  }
  const fallbacks = fallbackOrder(spec, schedulers, findings);
  return (spec.slurm_schedulers ?? []).map((scheduler, i) => {
    const order = fallbacks.indexOf(i);
    const expanded = schedulerOf(scheduler, defaults, ['slurm_schedulers', i], findings);
    return order < 0 ? expanded : { ...expanded, fallbackOrder: order };
  });
}

/** The numbers of the schedulers that jobs fall back to, in order. */
function fallbackOrder(
  { fallback_schedulers }: CheckedSpec,
  schedulers: NameTable,
  findings: Findings,
): (number | null)[] {
  const names = fallback_schedulers ?? [];
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) === i) continue;
    findings.add(['fallback_schedulers', i], () => `${quoted(name)} is in the list already`);
  }
  return names.map((name, i) => schedulers.find(name, ['fallback_schedulers', i]));
}

function reasonFor(key: string): string {
  if (key === 'name' || key === 'job-name') return 'torc finds its allocations by their names';
  return `set it in each of the slurm_schedulers${key === 'time' ? ', as walltime' : ''}`;
}

function schedulerOf(
  scheduler: SlurmSchedulerSpec,
  defaults: ReadonlyMap<string, string | number | boolean>,
  path: SpecPath,
  findings: Findings,
): ExpandedScheduler {
  const rest = new Map(defaults);
  const taken = (key: string) => {
    const value = rest.get(key);
    rest.delete(key);
    return value === undefined ? null : String(value);
  };
  const account = scheduler.account ?? taken('account');
  if (account === null)
    findings.add([...path, 'account'], () => 'is missing; it is required, here or in slurm_defaults');
  const ntasks = taken('ntasks-per-node');
  if (ntasks !== null && !/^[1-9][0-9]{0,8}$/.test(ntasks)) {
    findings.addOnce(
      ['slurm_defaults', 'ntasks-per-node'],
      ntasks,
      () => `found ${quoted(ntasks)}, expected a whole number`,
    );
  }
  // an empty qos means none, for clusters without the usual one
  const qos = (scheduler.qos ?? taken('qos') ?? specDefaults.qos) || null;
  const partsOf = { qos, tmp: scheduler.tmp ?? taken('tmp') };
  for (const key of ['account', 'qos', 'tmp']) rest.delete(key);
  const labels = labelsIn(labelSet(scheduler.labels ?? []));
  return {
    name: scheduler.name ?? unnamed,
    account: account ?? '',
    partition: scheduler.partition ?? null,
    ...partsOf,
    walltimeSeconds: parseWalltime(scheduler.walltime ?? specDefaults.walltime),
    numNodes: scheduler.nodes ?? 1,
    ntasksPerNode: scheduler.ntasks_per_node ?? (ntasks === null ? null : Number(ntasks)),
    mem: scheduler.mem ?? null,
    gres: scheduler.gres ?? null,
    extra: extraOf(scheduler.extra ?? null, rest),
    ...(labels.length === 0 ? {} : { labels }),
    ...(scheduler.also_unlabelled === true ? { alsoUnlabelled: true } : {}),
    ...(scheduler.resources == null ? {} : { resources: resourceSet(scheduler.resources) }),
  };
}

/** Defaults as options in front of those of the scheduler, which therefore win. */
function extraOf(own: string | null, defaults: ReadonlyMap<string, string | number | boolean>): string | null {
  const options = [...defaults].flatMap(([key, value]) => {
    if (value === false) return [];
    return [value === true ? `--${key}` : `--${key}=${word(String(value))}`];
  });
  const all = own === null || own.trim() === '' ? options : [...options, own];
  return all.length === 0 ? null : all.join(' ');
}

function word(text: string): string {
  return /^[\w.,:/=@%+*-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

export function expandResourceMonitor(spec: CheckedSpec): ResourceMonitor | null {
  const monitor = spec.resource_monitor ?? null;
  if (monitor === null) return null;
  return {
    enabled: monitor.jobs?.enabled ?? monitor.enabled ?? false,
    granularity: monitor.jobs?.granularity ?? monitor.granularity ?? 'summary',
    sampleIntervalSeconds: monitor.sample_interval_seconds ?? specDefaults.sampleIntervalSeconds,
    generatePlots: monitor.generate_plots ?? false,
  };
}

export function expandActions(
  specs: readonly ActionSpec[],
  jobs: JobExpansion,
  schedulers: NameTable,
  findings: Findings,
): ExpandedAction[] {
  return specs.map((action, i) => {
    const path = ['actions', i];
    const isAboutJobs = action.trigger_type === 'on_jobs_ready' || action.trigger_type === 'on_jobs_complete';
    const named = (action.jobs ?? []).length + (action.job_name_regexes ?? []).length;
    if (isAboutJobs && named === 0) {
      findings.add(path, () => `${action.trigger_type} needs jobs or job_name_regexes`);
    }
    if (action.action_type === 'run_commands' && (action.commands ?? []).length === 0) {
      findings.add(path, () => 'run_commands needs commands');
    }
    if (action.action_type === 'schedule_nodes' && !action.scheduler && action.scheduler_type !== 'local') {
      findings.add(path, () => 'schedule_nodes needs a scheduler');
    }
    const isSlurm = action.scheduler_type !== 'local';
    return {
      triggerType: action.trigger_type,
      actionType: action.action_type,
      jobs: jobsOfAction(action, jobs, path, findings),
      commands: action.commands ?? [],
      scheduler: action.scheduler && isSlurm ? schedulers.find(action.scheduler, [...path, 'scheduler']) : null,
      schedulerType: action.scheduler_type ?? null,
      numAllocations: action.num_allocations ?? 1,
      startOneWorkerPerNode: action.start_one_worker_per_node ?? false,
      maxParallelJobs: action.max_parallel_jobs ?? null,
      persistent: action.persistent ?? false,
    };
  });
}

/** The numbers of the jobs that an action names or matches, in ascending order. */
function jobsOfAction(
  action: ActionSpec,
  { jobs, matcher }: JobExpansion,
  path: SpecPath,
  findings: Findings,
): number[] {
  const found = new Set<number>();
  for (const [k, name] of (action.jobs ?? []).entries()) {
    const numbers = jobs.refer(Template.of(name, null), 0);
    if (numbers === null) jobs.table.refuseUnknown(name, [...path, 'jobs', k]);
    else for (const number of typeof numbers === 'number' ? [numbers] : numbers) found.add(number);
  }
  for (const [k, pattern] of (action.job_name_regexes ?? []).entries()) {
    const place = [...path, 'job_name_regexes', k];
    try {
      const numbers = matcher.matching(pattern);
      if (numbers.length === 0) findings.add(place, () => `no job has a name that matches ${quoted(pattern)}`);
      for (const number of numbers) found.add(number);
    } catch (error) {
      if (!(error instanceof PatternProblem)) throw error;
      findings.add(place, () => error.message);
    }
  }
  return [...found].sort((a, b) => a - b);
}
