/** What a specification says without an effect here: every such key is reported with its place. */
import { ownPrefix } from '../launch.ts';
import type { ExecutionConfig } from './execution-spec.ts';
import { quoted } from './names.ts';
import { type Place, pathText, type SpecPath, type Where } from './problems.ts';
import { type CheckedSpec, type JobSpec, jobsWith } from './spec.ts';

/** How many notes there are at most; the same key of many elements is one. */
const mostNotes = 100;

interface Note extends Place {
  message: string;
  /** How many further elements have it. */
  numMore: number;
}

/** One line for each key, in the order of the file: `FILE:LINE:COL: path: message`. */
export function notesOn(spec: CheckedSpec, file: string, where: Where): string[] {
  const notes = new Notes();
  notes.ofWorkflow(spec);
  const found = notes.all.slice(0, mostNotes);
  const positions = where(found);
  const lines = found.map(({ path, message, numMore }, i) => {
    const { line, column } = positions[i] ?? { line: 1, column: 1 };
    const more = numMore === 0 ? '' : ` (the same for ${numMore} more)`;
    return { line, column, text: `${file}:${line}:${column}: ${pathText(path)} has no effect: ${message}${more}` };
  });
  return lines.sort((a, b) => a.line - b.line || a.column - b.column).map(({ text }) => text);
}

class Notes {
  readonly #notes = new Map<string, Note>();

  get all(): Note[] {
    return [...this.#notes.values()];
  }

  /** `what`: the same for elements that are reported together. */
  #add(path: SpecPath, message: string, what = pathText(path)): void {
    const known = this.#notes.get(what);
    if (known === undefined) this.#notes.set(what, { path, at: 'key', message, numMore: 0 });
    else known.numMore += 1;
  }

  ofWorkflow(spec: CheckedSpec): void {
    if (spec.enable_ro_crate === true) this.#add(['enable_ro_crate'], 'torc writes no RO-Crate');
    if ((spec.access_groups ?? []).length > 0) {
      this.#add(['access_groups'], 'a server serves one person, who owns all its workflows');
    }
    if (spec.dynamic_jobs != null) this.#ofDynamicJobs(spec.dynamic_jobs);
    if (spec.use_pending_failed === true) {
      const instead = 'torc workflows reset-status KEY --failed-only --restart';
      this.#add(['use_pending_failed'], `failed jobs keep their status until you reset them with ${instead}`);
    }
    for (const [i, file] of (spec.files ?? []).entries()) this.#ofFile(file, ['files', i]);
    for (const [i, factory] of (spec.factories ?? []).entries()) {
      if (factory.name != null) this.#add(['factories', i, 'name'], 'nothing names a factory', 'factories name');
    }
    for (const [i, scheduler] of (spec.slurm_schedulers ?? []).entries()) {
      if (scheduler.serialize_allocations !== true) continue;
      const instead = 'allocations wait for each other only as you schedule them: torc hpc slurm schedule-nodes -n 1';
      this.#add(['slurm_schedulers', i, 'serialize_allocations'], instead, 'serialize_allocations');
    }
    if (spec.parameters_file != null) this.#ofParametersFile(spec);
    for (const [i, job] of jobsWith(spec.jobs, ['parameters', 'use_parameters'])) this.#ofParameters(job, ['jobs', i]);
    if (spec.execution_config != null) this.#ofExecution(spec.execution_config);
    if (spec.resource_monitor != null) this.#ofMonitor(spec.resource_monitor);
    this.#ofVariables(spec.env, ['env']);
    for (const [i, job] of jobsWith(spec.jobs, ['env'])) this.#ofVariables(job.env, ['jobs', i, 'env']);
  }

  #ofParametersFile({ jobs, files, user_data }: CheckedSpec): void {
    const elements = [...jobs, ...(files ?? []), ...(user_data ?? [])];
    if (elements.some((each) => each.use_parameters_file === true)) return;
    this.#add(['parameters_file'], 'no job has use_parameters_file: true');
  }

  /** Instances that differ in nothing become one job. A template takes a parameter as the arg of the same name. */
  #ofParameters(job: JobSpec, path: SpecPath): void {
    const { parameters, use_parameters, ...others } = job;
    if (job.template != null || job.factory != null) return;
    const own = Object.keys(parameters ?? {});
    const places: [string, SpecPath][] = [
      ...own.map((name): [string, SpecPath] => [name, [...path, 'parameters', name]]),
      ...(use_parameters ?? []).map((name, k): [string, SpecPath] => [name, [...path, 'use_parameters', k]]),
    ];
    const text = places.length === 0 ? '' : JSON.stringify(others);
    for (const [name, place] of places) {
      if (new RegExp(`(?<!\\$)\\{${name}[:}]`).test(text)) continue;
      const message = `the job ${quoted(job.name)} names it nowhere, and equal jobs become one: write {${name}} in its name`;
      this.#add(place, message, 'a parameter named nowhere');
    }
  }

  #ofDynamicJobs({ max_iterations }: NonNullable<CheckedSpec['dynamic_jobs']>): void {
    if (max_iterations == null) return;
    const instead = 'torc counts the jobs that running jobs add, not the rounds: max_dynamic_jobs limits them';
    this.#add(['dynamic_jobs', 'max_iterations'], instead);
  }

  #ofFile({ st_mtime, identifier }: NonNullable<CheckedSpec['files']>[number], path: SpecPath): void {
    if (st_mtime != null) this.#add([...path, 'st_mtime'], 'torc looks at the file itself', 'st_mtime');
    if (identifier != null) {
      this.#add([...path, 'identifier'], 'torc keeps no identifiers of files; attributes of jobs can', 'identifier');
    }
  }

  #ofExecution(config: ExecutionConfig): void {
    const add = (key: keyof ExecutionConfig, message: string) => this.#add(['execution_config', key], message);
    if (config.timeout_exit_code != null && config.timeout_exit_code !== 152) {
      add('timeout_exit_code', 'the return code of a job that ran too long is 152; a rule can have causes: [timeout]');
    }
    if (config.oom_exit_code != null && config.oom_exit_code !== 137) {
      add('oom_exit_code', 'the return code of a job that took too much memory is 137; a rule can have causes: [oom]');
    }
    if (config.staggered_start != null) add('staggered_start', 'the server takes any number of workers at once');
    if (config.srun_termination_signal != null) {
      add('srun_termination_signal', 'termination_signal and sigterm_lead_seconds warn jobs before their end');
    }
    if (config.enable_cpu_bind === true) add('enable_cpu_bind', 'pin: true binds jobs to their CPUs');
    if (config.srun_mpi != null)
      add('srun_mpi', `write srun --mpi=${config.srun_mpi} into the command, and leave execution: direct`);
  }

  #ofMonitor(monitor: NonNullable<CheckedSpec['resource_monitor']>): void {
    const { enabled, granularity, sample_interval_seconds, generate_plots, jobs, ...others } = monitor;
    const { compute_node: node, flush_interval_seconds: flush, ...unknown } = others;
    const add = (key: string, message: string) => this.#add(['resource_monitor', key], message);
    if (generate_plots === true) add('generate_plots', 'the time series are tables of text that any program can plot');
    if (node != null && node.enabled !== false) {
      add('compute_node', 'torc measures jobs, not nodes: torc results list, torc compute-nodes list');
    }
    if (flush != null) add('flush_interval_seconds', 'each row is written when it is measured');
    for (const key of Object.keys(unknown)) add(key, `it is unknown (${quoted(key)})`);
  }

  #ofVariables(env: CheckedSpec['env'], path: SpecPath): void {
    for (const name of Object.keys(env ?? {})) {
      if (name.startsWith(ownPrefix)) this.#add([...path, name], `torc sets ${ownPrefix}.. itself`, `env ${name}`);
    }
  }
}
