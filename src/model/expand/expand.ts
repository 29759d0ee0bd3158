/** From a specification to a workflow that can be stored: names become numbers, the graph is wired and checked. */
import type { ReadText } from '../../base/text-files.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import type { ExpandedWorkflow } from '../expanded.ts';
import { type Wiring, wireJobs } from '../graph/barriers.ts';
import { buildGraph, findCycles, topologicalOrder } from '../graph/graph.ts';
import { argsText } from '../identity.ts';
import { defaultRequirements, type FromData, type Requirements } from '../job.ts';
import { environmentOf, modeOf } from '../launch.ts';
import { neededResources } from '../named-resources.ts';
import { quoted } from '../spec/names.ts';
import { withoutData } from '../spec/needs-from-data.ts';
import { Findings, type Where } from '../spec/problems.ts';
import type { CheckedSpec, RequirementsSpec } from '../spec/spec.ts';
import { specDefaults } from './defaults.ts';
import { expandFailureHandlers } from './failure-handlers.ts';
import type { PathPlace } from './file-paths.ts';
import { JobExpansion } from './jobs.ts';
import { NameTable } from './name-table.ts';
import { expandNotifications } from './notifications.ts';
import { expandActions, expandResourceMonitor, expandSchedulers } from './parts.ts';
import { SweepReader } from './sweeps.ts';
import { parametersIn } from './template.ts';
import { UpstreamOrders } from './upstream-orders.ts';
import { checkNeeds, checkValues } from './value-checks.ts';

/**
 * The workflow that a specification describes. Throws SpecError with every unknown or repeated name, every file
 * and user data with two producers, invalid sweeps and patterns, and the cycles.
 */
export function expandSpec(
  spec: CheckedSpec,
  options: { file: string; where: Where; place?: PathPlace | undefined; readText?: ReadText | undefined },
): ExpandedWorkflow {
  const findings = new Findings();
  const place = options.place ?? null;
  const expanded = expandInto(spec, findings, place, options.readText ?? place?.readText ?? null);
  findings.throwIfAny(options.file, options.where);
  return expanded;
}

/** The same, with the problems added to findings; the workflow is valid only when none were added. */
export function expandInto(
  spec: CheckedSpec,
  findings: Findings,
  place: PathPlace | null = null,
  files: ReadText | null = null,
): ExpandedWorkflow {
  const tables = {
    requirements: NameTable.of('resource_requirements', spec, findings),
    failureHandlers: NameTable.of('failure_handlers', spec, findings),
    schedulers: NameTable.of('slurm_schedulers', spec, findings),
  };
  const jobs = new JobExpansion(spec, new SweepReader(spec, findings, files), tables, place, findings);
  const { numBarriers, edges, upstreamOrders } = wire(jobs);
  const isLimited = spec.execution_config?.limit_resources ?? true;
  const requirements = (spec.resource_requirements ?? []).map((given) => requirementsOf(given, isLimited));
  checkValues(jobs, findings);
  checkNeeds(jobs, requirements, jobs.userData, findings);
  addCycles(jobs, { numBarriers, edges }, findings);
  const defaults = specDefaults;
  return {
    name: spec.name,
    ...identityOf(spec),
    description: spec.description ?? null,
    project: spec.project ?? null,
    metadata: spec.metadata ?? null,
    ...attributesOf(spec),
    ...envOf(spec),
    expirationBufferSeconds:
      spec.compute_node_expiration_buffer_seconds ??
      spec.execution_config?.sigkill_headroom_seconds ??
      defaults.expirationBufferSeconds,
    waitForNewJobsSeconds: spec.compute_node_wait_for_new_jobs_seconds ?? defaults.waitForNewJobsSeconds,
    ignoreWorkflowCompletion: spec.compute_node_ignore_workflow_completion ?? defaults.ignoreWorkflowCompletion,
    waitForHealthyDatabaseMinutes:
      spec.compute_node_wait_for_healthy_database_minutes ?? defaults.waitForHealthyDatabaseMinutes,
    jobsSortMethod: spec.jobs_sort_method ?? defaults.jobsSortMethod,
    stdio: spec.stdio ?? (spec.execution_config?.stdio == null ? defaults.stdio : modeOf(spec.execution_config.stdio)),
    ...sharedLaunch(spec),
    maxLosses: spec.max_losses ?? defaults.maxLosses,
    ...(spec.max_dynamic_jobs == null ? {} : { maxDynamicJobs: spec.max_dynamic_jobs }),
    ...runLimits(spec, findings),
    ...concurrency(spec),
    terminationSignal:
      spec.termination_signal ?? spec.execution_config?.termination_signal ?? defaults.terminationSignal,
    sigtermLeadSeconds:
      spec.sigterm_lead_seconds ?? spec.execution_config?.sigterm_lead_seconds ?? defaults.sigtermLeadSeconds,
    createOutputFolders: spec.create_output_folders ?? defaults.createOutputFolders,
    requirements,
    files: jobs.files,
    fromOutside: jobs.fromOutside,
    userData: jobs.userData,
    numJobs: jobs.jobs.length,
    jobs: { [Symbol.iterator]: () => jobs.expanded() },
    pathOf: (job) => jobs.jobs.elementOf(job).path,
    numBarriers,
    edges,
    ...(upstreamOrders.size === 0 ? {} : { upstreamOrders }),
    failureHandlers: [...expandFailureHandlers(spec.failure_handlers ?? [], findings), ...jobs.plainRetries.handlers],
    schedulers: expandSchedulers(spec, tables.schedulers, findings),
    numJobsWithScheduler: jobs.numJobsWithScheduler,
    resourceMonitor: expandResourceMonitor(spec),
    actions: expandActions(spec.actions ?? [], jobs, tables.schedulers, findings),
    ...expandNotifications(spec.notifications, place, findings),
    usePendingFailed: spec.use_pending_failed ?? false,
    unusedParameters: unusedParameters(spec, jobs),
  };
}

/** How all jobs start that do not say it themselves. */
function sharedLaunch({
  pin,
  execution,
  execution_config: config,
}: CheckedSpec): Pick<ExpandedWorkflow, 'pin' | 'execution'> {
  const isStep = execution === 'slurm' || config?.mode === 'slurm' || config?.mode === 'auto';
  return { ...(pin === true ? { pin } : {}), ...(isStep ? { execution: 'slurm' } : {}) };
}

function identityOf({ tool, args, workflow_args }: CheckedSpec): Pick<ExpandedWorkflow, 'tool' | 'args'> {
  const text = argsText(args ?? workflow_args);
  return { ...(tool == null ? {} : { tool }), ...(text === null ? {} : { args: text }) };
}

function attributesOf(spec: CheckedSpec): Pick<ExpandedWorkflow, 'attributes'> {
  const given = Object.entries(spec.attributes ?? spec.workflow_attributes ?? {});
  if (given.length === 0) return {};
  return { attributes: Object.fromEntries(given.map(([name, value]) => [name, String(value)])) };
}

function envOf({ env }: CheckedSpec): Pick<ExpandedWorkflow, 'env'> {
  const given = environmentOf(env);
  return given === null ? {} : { env: given };
}

/** What cuts a run off: `fail_fast` is a limit of one failure. */
function runLimits(spec: CheckedSpec, findings: Findings): Pick<ExpandedWorkflow, 'maxFailures' | 'timeoutMs'> {
  const { fail_fast, max_failures, timeout } = spec;
  if (fail_fast === true && max_failures != null && max_failures > 1) {
    findings.add(['fail_fast'], () => `means max_failures: 1, but max_failures is ${max_failures}`);
  }
  const maxFailures = fail_fast === true ? 1 : max_failures;
  return {
    ...(maxFailures == null ? {} : { maxFailures }),
    ...(timeout == null ? {} : { timeoutMs: Math.max(1, Math.round(parseDuration(timeout) * 1000)) }),
  };
}

/** How many jobs run at once. */
function concurrency({ max_concurrent_jobs: most, limits }: CheckedSpec) {
  const own = Object.entries(limits ?? {}).map(([name, maximum]) => ({ name: name.normalize(), maximum }));
  return {
    ...(most == null ? {} : { maxConcurrentJobs: most }),
    ...(own.length === 0 ? {} : { limits: own }),
  };
}

function unusedParameters(spec: CheckedSpec, { jobs }: JobExpansion): ExpandedWorkflow['unusedParameters'] {
  const shared = Object.keys(spec.parameters ?? {});
  if (shared.length === 0) return [];
  const found: { job: string; parameters: string[] }[] = [];
  for (const { writtenName: job, command, script, sweep } of jobs.elements) {
    const named = parametersIn([job, command.written, script?.written ?? ''].join('\n'));
    const own = new Set(sweep?.parameters.map(({ name }) => name));
    const parameters = shared.filter((name) => named.has(name) && !own.has(name));
    if (parameters.length > 0) found.push({ job, parameters });
  }
  return found;
}

/** What comes from data is that of a job without requirements until it is known; without limits, memory is for packing only. */
function requirementsOf(
  given: RequirementsSpec,
  isLimited: boolean,
): Requirements & { name: string; fromData?: FromData } {
  const { spec, fromData } = withoutData(given);
  const runtime = spec.runtime ?? null;
  const expected = spec.expected_runtime ?? null;
  return {
    name: spec.name,
    numCpus: spec.num_cpus ?? defaultRequirements.numCpus,
    memoryBytes: spec.memory == null ? defaultRequirements.memoryBytes : parseMemory(spec.memory),
    gpuThousandths: Math.round((spec.num_gpus ?? specDefaults.numGpus) * 1000),
    numNodes: spec.num_nodes ?? specDefaults.numNodes,
    runtimeMs: runtime === null ? specDefaults.runtimeMs : Math.round(parseDuration(runtime) * 1000),
    isMemoryStated: isLimited && spec.memory != null,
    isRuntimeStated: runtime !== null,
    ...(fromData === null ? {} : { fromData }),
    ...(expected === null ? {} : { expectedMs: Math.round(parseDuration(expected) * 1000) }),
    ...neededResources(spec.resources ?? {}),
  };
}

const nothing: readonly number[] = [];

/** The edges between the jobs; sets of upstreams that many jobs share are not written out for each of them. */
function wire(jobs: JobExpansion): Wiring & { upstreamOrders: Map<number, [number, number][]> } {
  const numJobs = jobs.jobs.length;
  const lastSeenBy = new Int32Array(numJobs).fill(-1);
  const sets = new SharedSets();
  const upstreams = new Array<readonly number[]>(numJobs).fill(nothing);
  const orders = new UpstreamOrders();
  for (let job = 0; job < numJobs; job++) {
    const waitsFor: number[] = [];
    const waitFor = (upstream: number | readonly number[]): void => {
      if (typeof upstream !== 'number') sets.add(upstream, job, waitFor);
      else if (lastSeenBy[upstream] !== job) {
        lastSeenBy[upstream] = job;
        waitsFor.push(upstream);
      }
    };
    const declared: (number | readonly number[])[] = [];
    jobs.eachUpstream(job, (upstream) => {
      declared.push(upstream);
      waitFor(upstream);
    });
    orders.note(job, declared);
    if (waitsFor.length > 0) upstreams[job] = waitsFor;
  }
  return { ...wireJobs(upstreams, sets.jobs), upstreamOrders: orders.runs };
}

/** Sets of jobs that others wait for as a whole, each with the jobs that do; the same members are the same set. */
class SharedSets {
  readonly jobs = new Map<readonly number[], number[]>();
  readonly #canonical = new Map<readonly number[], readonly number[]>();
  readonly #byMembers = new Map<string, readonly number[]>();
  readonly #members = new Map<readonly number[], ReadonlySet<number>>();
  readonly #withOneOfItsOwn = new Set<readonly number[]>();

  /** Lets a job wait for a set; for a short one, or the first of its own members, one by one without itself. */
  add(given: readonly number[], job: number, waitFor: (upstream: number) => void): void {
    const set = this.#known(given);
    const isFirstMember = this.#members.get(set)?.has(job) === true && !this.#withOneOfItsOwn.has(set);
    if (isFirstMember || set.length < 2) {
      this.#withOneOfItsOwn.add(set);
      for (const upstream of set) if (upstream !== job) waitFor(upstream);
      return;
    }
    const known = this.jobs.get(set);
    if (known === undefined) this.jobs.set(set, [job]);
    else if (known.at(-1) !== job) known.push(job);
  }

  #known(given: readonly number[]): readonly number[] {
    const canonical = this.#canonical.get(given);
    if (canonical !== undefined) return canonical;
    const key = Int32Array.from(given).sort().join();
    const set = this.#byMembers.get(key) ?? given;
    this.#byMembers.set(key, set);
    this.#canonical.set(given, set);
    if (!this.#members.has(set)) this.#members.set(set, new Set(set));
    return set;
  }
}

/** How many names of a cycle are shown from its beginning; a longer one is cut before its last. */
const shownOfCycle = 10;

function addCycles(jobs: JobExpansion, { numBarriers, edges }: Wiring, findings: Findings): void {
  if (edges.length === 0) return;
  const numJobs = jobs.jobs.length;
  const graph = buildGraph(numJobs, numBarriers, edges);
  if (topologicalOrder(graph).length === graph.numNodes) return;
  for (const nodes of findCycles(graph)) {
    const cycle = nodes.filter((node) => node < numJobs);
    const names = cycle.map((job) => jobs.jobs.nameOf(job));
    findings.add(jobs.placeOfUpstream(cycle[0] ?? 0, names.at(-1) ?? ''), () => cycleText(names));
  }
}

function cycleText(names: readonly string[]): string {
  const written = names.map((name) => (/^[\w.+@:/ -]{1,60}$/.test(name) ? name : quoted(name)));
  const middle = written.length > shownOfCycle + 1 ? [`.. (${written.length} jobs) ..`] : [];
  const shown = middle.length > 0 ? [...written.slice(0, shownOfCycle), ...middle, ...written.slice(-1)] : written;
  return `a cycle, in which no job could ever start: ${[...shown, written[0]].join(' -> ')}`;
}
