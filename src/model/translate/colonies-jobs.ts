/** A function of ColonyOS as a job of a specification, with the requirements that it names. */
import { asTorcError } from '../../base/errors.ts';
import { parseMemory } from '../../base/units.ts';
import { problemOfLabel } from '../labels.ts';
import { longestAttribute } from '../spec/attributes.ts';
import { quoted } from '../spec/names.ts';
import type { SpecPath } from '../spec/problems.ts';
import type { JobSpec, RequirementsSpec } from '../spec/spec.ts';
import { commandOf, type FunctionPlace } from './colonies-commands.ts';
import type { ColoniesConditions, ColoniesGpu, FunctionSpec } from './colonies-format.ts';
import type { Remarks } from './translation.ts';

/** What others depend on it by. */
export function nodeName({ nodename, funcname }: FunctionSpec): string {
  return nodename || funcname;
}

export function translateFunction(
  spec: FunctionSpec,
  place: FunctionPlace,
): { job: JobSpec; requirements: RequirementsSpec | null } {
  const requirements = requirementsOf(spec, place);
  const dependencies = spec.conditions?.dependencies ?? [];
  tellOf(spec, place);
  return {
    job: {
      name: nodeName(spec),
      command: commandOf(spec, place),
      ...(requirements === null ? {} : { resource_requirements: requirements.name }),
      ...(dependencies.length === 0 ? {} : { depends_on: [...new Set(dependencies)] }),
      ...labelsOf(spec, place),
      ...limitsOf(spec, place),
      ...attributesOf(spec, place),
    },
    requirements,
  };
}

function limitsOf({ maxretries, maxwaittime, maxexectime, priority }: FunctionSpec, place: FunctionPlace) {
  const retries = maxretries ?? 0;
  if (retries < 0 && isLimit(maxexectime)) {
    const what = 'ColonyOS tries again without end; max_retries says how often torc does';
    place.remarks.differ([...place.path, 'maxretries'], what);
  }
  return {
    ...(retries > 0 ? { max_retries: Math.min(retries, 1_000_000) } : {}),
    ...(isLimit(maxwaittime) ? { max_wait: `PT${maxwaittime}S` } : {}),
    ...(priority ? { priority } : {}),
  };
}

/** 0 and -1 are no limit. */
function isLimit(seconds: number | null | undefined): seconds is number {
  return seconds != null && seconds > 0;
}

/** The type of an executor is a label: workers of a pool are started with it. */
function labelsOf({ conditions }: FunctionSpec, { path, remarks }: FunctionPlace): Pick<JobSpec, 'labels'> {
  const type = conditions?.executortype ?? '';
  if (type === '') return {};
  const problem = problemOfLabel(type);
  if (problem === null) return { labels: [type] };
  remarks.leaveOut([...path, 'conditions', 'executortype'], `${quoted(type)} ${problem}`, 'value');
  return {};
}

/** Its label is for finding it; the labels of torc decide where a job runs. */
function attributesOf({ label }: FunctionSpec, { path, remarks }: FunctionPlace): Pick<JobSpec, 'attributes'> {
  if (!label) return {};
  if (label.length <= longestAttribute) return { attributes: { label } };
  remarks.leaveOut([...path, 'label'], `an attribute has at most ${longestAttribute} characters`);
  return {};
}

function requirementsOf({ conditions, maxexectime }: FunctionSpec, place: FunctionPlace): RequirementsSpec | null {
  const { nodes, cpu, mem, gpu, walltime, processes, processespernode } = conditions ?? {};
  const num_nodes = Math.max(nodes ?? 1, 1);
  const perNode = Math.max(processespernode || Math.ceil((processes ?? 0) / num_nodes), 1);
  const num_cpus = cpusOf(cpu, place) * perNode;
  const memory = memoryOf(mem, place);
  const num_gpus = Math.max(gpu?.count ?? 0, 0);
  // the walltime is that of an allocation, which has to be longer than the function may run
  const seconds = [maxexectime, walltime].find(isLimit);
  if (perNode > 1) tellOfProcesses(processespernode ? 'processespernode' : 'processes', place);
  if (num_nodes === 1 && num_cpus === 1 && memory === null && num_gpus === 0 && seconds === undefined) return null;
  const parts = [
    num_nodes > 1 ? `${num_nodes}n` : '',
    `${num_cpus}c`,
    memory ?? '',
    num_gpus > 0 ? `${num_gpus}gpu` : '',
    seconds === undefined ? '' : `${seconds}s`,
  ];
  return {
    name: parts.filter(Boolean).join('-'),
    num_cpus,
    ...(memory === null ? {} : { memory }),
    ...(num_gpus === 0 ? {} : { num_gpus }),
    ...(num_nodes === 1 ? {} : { num_nodes }),
    ...(seconds === undefined ? {} : { runtime: `PT${seconds}S` }),
  };
}

function tellOfProcesses(key: string, { path, remarks }: FunctionPlace): void {
  const what =
    'the job gets their CPUs, but its command starts once: it has to start the processes, with srun or mpirun';
  remarks.differ([...path, 'conditions', key], what);
}

/** Whole CPUs of `1000m` or `1.5`, as Kubernetes writes them; 1 for nothing. */
function cpusOf(cpu: string | null | undefined, { path, findings }: FunctionPlace): number {
  if (!cpu) return 1;
  const [, digits, milli] = /^([0-9]+(?:\.[0-9]+)?)(m?)$/.exec(cpu) ?? [];
  if (digits === undefined) {
    findings.add([...path, 'conditions', 'cpu'], () => `${quoted(cpu)} is not a number of CPUs such as 1000m or 2`);
    return 1;
  }
  return Math.max(Math.ceil(Number(digits) / (milli === '' ? 1 : 1000)), 1);
}

function memoryOf(mem: string | null | undefined, { path, findings }: FunctionPlace): string | null {
  if (!mem) return null;
  try {
    return parseMemory(mem) === 0 ? null : mem.toLowerCase().replace(/ib?$/, '');
  } catch (error) {
    findings.add([...path, 'conditions', 'mem'], () => asTorcError(error).message);
    return null;
  }
}

const noFiles =
  'torc moves no files: jobs see the file systems of their node; APPTAINER_BIND shows a container more of them';
const noMachines = 'torc does not choose among machines by name: give their workers a label, and the job the same';

function tellOf({ fs, channels, conditions }: FunctionSpec, { path, remarks }: FunctionPlace): void {
  const given = conditions ?? {};
  const at = (key: string): SpecPath => [...path, 'conditions', key];
  if (isFilled(fs)) remarks.leaveOut([...path, 'fs'], noFiles);
  if (isFilled(channels)) remarks.leaveOut([...path, 'channels'], 'jobs of torc have no channels between them');
  if (isFilled(given.executornames)) remarks.leaveOut(at('executornames'), noMachines);
  if (given.executorname) remarks.leaveOut(at('executorname'), noMachines);
  if (given.locationname) remarks.leaveOut(at('locationname'), noMachines);
  if (given.storage) remarks.leaveOut(at('storage'), 'torc reserves no disk space');
  if (given.colonyname) tellOfColony(given.colonyname, at('colonyname'), remarks);
  tellOfGpus(given.gpu, given, at('gpu'), remarks);
}

/** Libraries write every key: an empty one asks for nothing. */
function isFilled(value: unknown): boolean {
  if (value == null || value === '') return false;
  if (Array.isArray(value)) return value.some(isFilled);
  return typeof value !== 'object' || Object.values(value).some(isFilled);
}

export function tellOfColony(colony: string | null | undefined, path: SpecPath, remarks: Remarks): void {
  if (colony) remarks.differ(path, 'is not needed: a server of torc is for one person');
}

function tellOfGpus(
  gpu: ColoniesGpu | null | undefined,
  { nodes }: ColoniesConditions,
  path: SpecPath,
  remarks: Remarks,
): void {
  if (gpu == null) return;
  const kind = 'kinds of GPUs are chosen by a Slurm config (partition, gres) or by a label';
  if (gpu.name) remarks.leaveOut([...path, 'name'], kind);
  if (gpu.mem && (gpu.count ?? 0) > 0) remarks.leaveOut([...path, 'mem'], kind);
  if ((gpu.nodecount ?? 0) > Math.max(nodes ?? 1, 1)) {
    remarks.leaveOut([...path, 'nodecount'], 'a job of torc has the same GPUs on each of its nodes');
  }
}
