/** A job of PROMINENCE as a job of a specification, with the files and requirements that it names. */
import { attributeName, attributeNameRule, longestAttribute, mostAttributes } from '../spec/attributes.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { FileSpec, JobSpec, RequirementsSpec, StepSpec } from '../spec/spec.ts';
import type { ProminenceJob, ProminenceLabels, ProminencePolicies, ProminenceResources } from './prominence-format.ts';
import { stageIn } from './prominence-inputs.ts';
import { enterFolder, type TaskPlace, taskCommands } from './prominence-tasks.ts';
import { type Replaced, shellWordOf } from './shell-words.ts';
import type { Remarks } from './translation.ts';

/** What a job needs to know of its workflow. */
export interface JobPlace {
  path: SpecPath;
  findings: Findings;
  remarks: Remarks;
  replaced: Replaced;
  /** How many jobs its factory makes; null without one. */
  numInstances: number | null;
  exports: string;
  dependsOn: readonly string[];
  /** Retries of every job of the workflow. */
  maxRetries: number | null;
}

/** No number of theirs comes from data. */
type WholeRequirements = RequirementsSpec & { num_cpus: number };

export interface TranslatedJob {
  job: JobSpec;
  files: FileSpec[];
  requirements: WholeRequirements | null;
}

export function translateJob(job: ProminenceJob, place: JobPlace): TranslatedJob {
  const { path, remarks, replaced, dependsOn } = place;
  const policies = job.policies ?? {};
  const requirements = requirementsOf(job.resources ?? {}, [...path, 'resources'], remarks);
  const outside = new Set<string>();
  const tasks: TaskPlace = {
    ...{ job, replaced, remarks, findings: place.findings, exports: place.exports },
    ...{ numNodes: requirements?.num_nodes ?? 1, numCpus: requirements?.num_cpus ?? 1 },
    needsFile: (name) => outside.add(name),
  };
  const steps: StepSpec[] = [];
  const staging = stageIn(job, path, tasks);
  if (staging !== null) steps.push({ command: staging });
  for (const [i, task] of job.tasks.entries()) {
    const commands = taskCommands(task, [...path, 'tasks', i], tasks);
    steps.push(...commands.map((command) => ({ command, ...stepPolicies(policies) })));
  }
  if (job.tasks.every(({ type }) => type === 'sidecar')) {
    place.findings.add([...path, 'tasks'], () => 'has only sidecar tasks');
  }
  const outputs = outputsOf(job, place);
  if (outputs.check !== null) steps.push({ command: outputs.check });
  tellOf(job, path, remarks);
  return {
    job: {
      name: job.name,
      ...commandOf(steps),
      ...(requirements === null ? {} : { resource_requirements: requirements.name }),
      ...(dependsOn.length === 0 ? {} : { depends_on: [...dependsOn] }),
      ...(outside.size === 0 ? {} : { input_files: [...outside] }),
      ...(outputs.files.length === 0 ? {} : { output_files: outputs.files.map(({ name }) => name) }),
      ...policiesOf(job, place),
      ...attributesOf(job.labels, [...path, 'labels'], remarks),
    },
    files: [...[...outside].map((name) => ({ name, path: name.replaceAll('$', '$$$$') })), ...outputs.files],
    requirements,
  };
}

function stepPolicies({
  maximumTaskRetries,
  ignoreTaskFailures,
  ignoreTaskTailures,
}: ProminencePolicies): Partial<StepSpec> {
  return {
    ...(maximumTaskRetries ? { max_retries: maximumTaskRetries } : {}),
    ...((ignoreTaskFailures ?? ignoreTaskTailures) ? { ignore_failure: true } : {}),
  };
}

function commandOf(steps: readonly StepSpec[]): Pick<JobSpec, 'command' | 'steps'> {
  const [only] = steps;
  const isPlain = steps.length === 1 && only !== undefined && Object.keys(only).length === 1;
  return isPlain ? { command: only.command } : { steps: [...steps] };
}

function policiesOf({ policies }: ProminenceJob, { maxRetries }: JobPlace): Partial<JobSpec> {
  const retries = policies?.maximumRetries ?? maxRetries;
  const queue = policies?.maximumTimeInQueue ?? 0;
  return {
    ...(retries === null || retries === 0 ? {} : { max_retries: retries }),
    // 0 and -1 are no limit
    ...(queue > 0 ? { max_wait: `PT${queue}M` } : {}),
    ...(policies?.priority ? { priority: policies.priority } : {}),
    ...(policies?.reportJobSuccessOnTaskFailure === true ? { task_failure_is_success: true } : {}),
  };
}

/** Labels are for finding things, as attributes are; the labels of torc decide where a job runs. */
export function attributesOf(labels: ProminenceLabels, path: SpecPath, remarks: Remarks): Pick<JobSpec, 'attributes'> {
  if (labels == null) return {};
  const pairs = Array.isArray(labels) ? labels.map((label) => /^([^=]*)=?(.*)$/s.exec(label)?.slice(1) ?? []) : null;
  const given: readonly (readonly unknown[])[] = pairs ?? Object.entries(labels);
  const attributes: Record<string, string> = {};
  for (const [i, [name, value]] of given.entries()) {
    const isFine = attributeName.test(String(name)) && String(value).length <= longestAttribute;
    if (isFine && Object.keys(attributes).length < mostAttributes) attributes[String(name)] = String(value);
    else remarks.leaveOut([...path, pairs === null ? String(name) : i], `${attributeNameRule}, with a short text`);
  }
  return Object.keys(attributes).length === 0 ? {} : { attributes };
}

/** What everybody gets in PROMINENCE who asks for nothing. */
const usualDiskGb = 10;

function tellOf(job: ProminenceJob, path: SpecPath, remarks: Remarks): void {
  const disk = job.resources?.disk ?? 0;
  const noDisk = 'torc reserves no disk space';
  if (disk > usualDiskGb)
    remarks.leaveOut([...path, 'resources', 'disk'], `${noDisk}; jobs write to the directory of the workflow`);
  else if (disk > 0) remarks.differ([...path, 'resources', 'disk'], noDisk);
  if (job.notifications != null) remarks.leaveOut([...path, 'notifications'], notifications);
  if (job.storage != null) {
    remarks.leaveOut([...path, 'storage'], 'torc mounts no storage: jobs see the file systems of their node');
  }
  tellOfPolicies(job, [...path, 'policies'], remarks);
}

export const notifications =
  'torc does not know your address: write notifications: [{to: {email: you@example.org}}] into the specification';

export const noCounterpart = {
  placement: 'torc has no sites or regions: give the workers there a label, and the jobs the same labels',
  autoScalingType: 'torc starts no machines; allocations are scheduled by you or by an action',
  maximumIdleTimePerResource: 'torc starts no machines; allocations are scheduled by you or by an action',
  preemptible: 'torc starts no machines; allocations are scheduled by you or by an action',
} as const;

function tellOfPolicies({ policies, inputs, artifacts }: ProminenceJob, path: SpecPath, remarks: Remarks): void {
  for (const key of ['placement', 'autoScalingType', 'maximumIdleTimePerResource', 'preemptible'] as const) {
    if (policies?.[key] != null) remarks.leaveOut([...path, key], noCounterpart[key]);
  }
  if (policies?.leaveInQueue != null) {
    remarks.differ([...path, 'leaveInQueue'], 'is not needed: torc keeps jobs until their workflow is deleted');
  }
  if (policies?.reportJobSuccessOnTaskFailure === true && (inputs != null || artifacts != null)) {
    const what = 'covers every failure, also one to write the input files or to fetch the artifacts';
    remarks.differ([...path, 'reportJobSuccessOnTaskFailure'], what);
  }
}

function requirementsOf(resources: ProminenceResources, path: SpecPath, remarks: Remarks): WholeRequirements | null {
  const { nodes, cpus, cpusRange, cpusOptions, totalCpusRange, memory, memoryPerCpu, walltime } = resources;
  for (const key of ['cpusRange', 'cpusOptions', 'totalCpusRange'] as const) {
    const range = resources[key];
    if (range == null) continue;
    const taken = key === 'totalCpusRange' ? 'nodes and cpus are what counts' : 'the smaller one was taken';
    remarks.leaveOut([...path, key], `jobs of torc ask for a fixed number of CPUs: ${taken}`);
  }
  if (
    [nodes, cpus, cpusRange, cpusOptions, totalCpusRange, memory, memoryPerCpu, walltime].every((each) => each == null)
  ) {
    return null;
  }
  const num_cpus = cpus ?? Math.min(...(cpusRange ?? cpusOptions ?? [1]));
  const gb = memory ?? (memoryPerCpu == null ? null : memoryPerCpu * num_cpus);
  const numNodes = nodes ?? 1;
  const parts = [
    numNodes > 1 ? `${numNodes}n` : '',
    `${num_cpus}c`,
    gb === null ? '' : `${gb}g`,
    walltime == null ? '' : `${walltime}min`,
  ];
  return {
    name: parts.filter(Boolean).join('-'),
    num_cpus,
    ...(gb === null ? {} : { memory: `${gb}g` }),
    ...(numNodes > 1 ? { num_nodes: numNodes } : {}),
    ...(walltime == null ? {} : { runtime: `PT${walltime}M` }),
  };
}

/** Declared files for outputs with a fixed name; a last step looks for the others. */
function outputsOf(job: ProminenceJob, place: JobPlace): { files: FileSpec[]; check: string | null } {
  const all = [...(job.outputFiles ?? []), ...(job.outputDirs ?? [])];
  const names = new Set(all.map((output) => (typeof output === 'string' ? output : output.name)));
  const isFixed = (name: string) => !/[*?[\]${}]/.test(name) && !name.startsWith('/');
  const folder = place.numInstances === null ? job.name : `${job.name}_{index}`;
  const swept = place.numInstances === null ? {} : { parameters: { index: `0:${place.numInstances - 1}` } };
  const files = [...names].filter(isFixed).map((output) => {
    const name = `${folder}/${output}`;
    return { name, path: name, ...swept };
  });
  const others = [...names].filter((name) => !isFixed(name));
  // wildcards have to stay outside of quotes
  const words = others.map((name) =>
    name
      .split(/([*?]|\[[^\]]*\])/)
      .map((part, i) => (i % 2 === 1 || part === '' ? part : shellWordOf(part, place.replaced)))
      .join(''),
  );
  return { files, check: words.length === 0 ? null : `${enterFolder}\nls -d -- ${words.join(' ')} > /dev/null` };
}
