/** From a specification to a workflow that can be stored: names become numbers, the graph is wired and checked. */
import { parseDuration, parseMemory } from '../base/units.ts';
import { wireJobs } from './barriers.ts';
import { DataFlow, fileFlow, type Uses, userDataFlow } from './data-flow.ts';
import type { ExpandedJob, ExpandedWorkflow, GraphNode } from './expanded.ts';
import { buildGraph, findCycles, topologicalOrder } from './graph.ts';
import type { Requirements } from './job.ts';
import { NameTable } from './name-table.ts';
import { quoted } from './names.ts';
import type { JobSpec, RequirementsSpec, WorkflowSpec } from './spec.ts';
import { Findings, type SpecPath, type Where } from './spec-problems.ts';
import { substitute } from './variables.ts';

/** What torc's format says where a specification says nothing. */
export const specDefaults = {
  expirationBufferSeconds: 180,
  waitForNewJobsSeconds: 90,
  ignoreWorkflowCompletion: false,
  waitForHealthyDatabaseMinutes: 20,
  jobsSortMethod: 'gpus_runtime_memory',
  cancelOnBlockingJobFailure: true,
  supportsTermination: false,
  priority: 0,
  isEphemeral: false,
  numGpus: 0,
  numNodes: 1,
  /** For packing and order; not a limit. */
  runtimeMs: 3_600_000,
} as const;

/**
 * The workflow that a specification describes. Throws SpecError with every unknown or repeated name, every file
 * and user data with two producers, and the cycles.
 */
export function expandSpec(spec: WorkflowSpec, options: { file: string; where: Where }): ExpandedWorkflow {
  const findings = new Findings();
  const expanded = expandInto(spec, findings);
  findings.throwIfAny(options.file, options.where);
  return expanded;
}

/** The same, with the problems added to findings; the workflow is worth something only when none were added. */
export function expandInto(spec: WorkflowSpec, findings: Findings): ExpandedWorkflow {
  const { jobs, upstreams } = new Expansion(spec, findings).run();
  const { numBarriers, edges } = wireJobs(upstreams);
  addCycles(spec, numBarriers, edges, findings);
  const defaults = specDefaults;
  return {
    name: spec.name,
    description: spec.description ?? null,
    project: spec.project ?? null,
    metadata: spec.metadata ?? null,
    expirationBufferSeconds: spec.compute_node_expiration_buffer_seconds ?? defaults.expirationBufferSeconds,
    waitForNewJobsSeconds: spec.compute_node_wait_for_new_jobs_seconds ?? defaults.waitForNewJobsSeconds,
    ignoreWorkflowCompletion: spec.compute_node_ignore_workflow_completion ?? defaults.ignoreWorkflowCompletion,
    waitForHealthyDatabaseMinutes:
      spec.compute_node_wait_for_healthy_database_minutes ?? defaults.waitForHealthyDatabaseMinutes,
    jobsSortMethod: spec.jobs_sort_method ?? defaults.jobsSortMethod,
    requirements: (spec.resource_requirements ?? []).map(requirementsOf),
    files: (spec.files ?? []).map(({ name, path }) => ({ name, path })),
    userData: (spec.user_data ?? []).map(({ name, data, is_ephemeral }) => ({
      name,
      data: data ?? null,
      isEphemeral: is_ephemeral ?? specDefaults.isEphemeral,
    })),
    numJobs: jobs.length,
    jobs,
    numBarriers,
    edges,
  };
}

function requirementsOf(spec: RequirementsSpec): Requirements & { name: string } {
  const runtime = spec.runtime ?? null;
  return {
    name: spec.name,
    numCpus: spec.num_cpus,
    memoryBytes: parseMemory(spec.memory),
    gpuThousandths: Math.round((spec.num_gpus ?? specDefaults.numGpus) * 1000),
    numNodes: spec.num_nodes ?? specDefaults.numNodes,
    runtimeMs: runtime === null ? specDefaults.runtimeMs : Math.round(parseDuration(runtime) * 1000),
    isMemoryStated: true,
    isRuntimeStated: runtime !== null,
  };
}

class Expansion {
  readonly #spec: WorkflowSpec;
  readonly #findings: Findings;
  readonly #jobs: NameTable;
  readonly #requirements: NameTable;
  readonly #files: DataFlow;
  readonly #userData: DataFlow;

  constructor(spec: WorkflowSpec, findings: Findings) {
    this.#spec = spec;
    this.#findings = findings;
    this.#jobs = new NameTable('jobs', spec, findings);
    this.#requirements = new NameTable('resource_requirements', spec, findings);
    this.#files = new DataFlow(fileFlow, spec, findings);
    this.#userData = new DataFlow(userDataFlow, spec, findings);
  }

  run(): { jobs: ExpandedJob[]; upstreams: number[][] } {
    const jobs = this.#spec.jobs.map((job, i) => this.#job(job, i));
    for (const [i, job] of jobs.entries()) {
      this.#files.claimOutputs(job.outputFiles, i);
      this.#userData.claimOutputs(job.outputUserData, i);
    }
    const lastSeenBy = new Int32Array(jobs.length).fill(-1);
    const upstreams = jobs.map((job, i) => this.#upstreams(job, i, lastSeenBy));
    return { jobs, upstreams };
  }

  #job(job: JobSpec, i: number): ExpandedJob {
    const files = this.#files.listed(job, i);
    const userData = this.#userData.listed(job, i);
    const substituted = (text: string, key: 'command' | 'invocation_script') =>
      this.#substituted(text, ['jobs', i, key], files, userData);
    const command = substituted(job.command, 'command');
    const script = job.invocation_script ?? null;
    const invocationScript = script === null ? null : substituted(script, 'invocation_script');
    const wanted = job.resource_requirements ?? null;
    return {
      name: job.name,
      command,
      invocationScript,
      requirements: wanted === null ? null : this.#requirements.find(wanted, ['jobs', i, 'resource_requirements']),
      priority: job.priority ?? specDefaults.priority,
      cancelOnBlockingJobFailure: job.cancel_on_blocking_job_failure ?? specDefaults.cancelOnBlockingJobFailure,
      supportsTermination: job.supports_termination ?? specDefaults.supportsTermination,
      inputFiles: [...files.input],
      outputFiles: [...files.output],
      inputUserData: [...userData.input],
      outputUserData: [...userData.output],
    };
  }

  #substituted(text: string, path: SpecPath, files: Uses, userData: Uses): string {
    return substitute(text, {
      file: (direction, name) => {
        const file = this.#files.use(files, direction, name, path);
        return file === null ? null : (this.#spec.files?.[file]?.path ?? null);
      },
      userData: (direction, name) => this.#userData.use(userData, direction, name, path),
      refuse: (message) => this.#findings.add(path, () => message),
    });
  }

  /** The jobs that a job waits for, each once: those it names, then the producers of what it reads. */
  #upstreams(job: ExpandedJob, i: number, lastSeenBy: Int32Array): number[] {
    const upstreams: number[] = [];
    const waitFor = (upstream: number): void => {
      if (lastSeenBy[upstream] === i) return;
      lastSeenBy[upstream] = i;
      upstreams.push(upstream);
    };
    for (const [k, name] of (this.#spec.jobs[i]?.depends_on ?? []).entries()) {
      const upstream = this.#jobs.find(name, ['jobs', i, 'depends_on', k]);
      if (upstream === null) continue;
      if (upstream !== i) waitFor(upstream);
      else this.#findings.add(['jobs', i, 'depends_on', k], () => `the job ${quoted(name)} depends on itself`);
    }
    this.#files.eachProducer(job.inputFiles, i, waitFor);
    this.#userData.eachProducer(job.inputUserData, i, waitFor);
    return upstreams;
  }
}

/** How many names of a cycle are shown from its beginning; a longer one is cut before its last. */
const shownOfCycle = 10;

function addCycles(
  spec: WorkflowSpec,
  numBarriers: number,
  edges: readonly (readonly [GraphNode, GraphNode])[],
  findings: Findings,
): void {
  const graph = buildGraph(spec.jobs.length, numBarriers, edges);
  if (topologicalOrder(graph).length === graph.numNodes) return;
  for (const nodes of findCycles(graph)) {
    const jobs = nodes.filter((node) => node < spec.jobs.length);
    const names = jobs.map((job) => spec.jobs[job]?.name ?? '');
    findings.add(placeInCycle(spec, jobs[0] ?? 0, names.at(-1) ?? ''), () => cycleText(names));
  }
}

function cycleText(names: readonly string[]): string {
  const written = names.map((name) => (/^[\w.+@:/ -]{1,60}$/.test(name) ? name : quoted(name)));
  const middle = written.length > shownOfCycle + 1 ? [`.. (${written.length} jobs) ..`] : [];
  const shown = middle.length > 0 ? [...written.slice(0, shownOfCycle), ...middle, ...written.slice(-1)] : written;
  return `a cycle, in which no job could ever start: ${[...shown, written[0]].join(' -> ')}`;
}

/** Where the job says that it waits for the one before it in the cycle; through files or data, the job itself. */
function placeInCycle(spec: WorkflowSpec, job: number, before: string): SpecPath {
  const k = spec.jobs[job]?.depends_on?.indexOf(before) ?? -1;
  return k < 0 ? ['jobs', job] : ['jobs', job, 'depends_on', k];
}
