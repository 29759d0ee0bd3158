/**
 * Workflows and jobs as PROMINENCE reads them. Source: its documentation (prominence.cloud/docs) and what its server
 * accepts. Keys that are not here are told and left out: `prominence describe` adds many.
 */
import { z } from 'zod';

const text = z.string();
const scalar = z.union([text, z.number(), z.boolean()], 'a text, a number, true or false');
const atLeastOne = z.int().min(1).max(1_000_000_000);
const retries = z.int().min(0).max(1_000_000);
const flag = z.boolean();
const range = z.array(atLeastOne).length(2);

const jobName = text
  .min(1)
  .max(512)
  .regex(
    /^(?!\/)(?!(?:.*\/)?\.\.?(?:\/|$))[A-Za-z0-9\-_ ./]+$/,
    'is not a name of letters, digits, spaces and - _ . / that can name a folder',
  );

/** `{name: value}`; older clients wrote `["name=value"]`. */
const labels = z.union([z.record(text, scalar), z.array(text)], 'a mapping of names to values');

const task = z.object({
  image: text.min(1).nullish(),
  cmd: text.nullish(),
  args: text.nullish(),
  env: z.record(text, scalar).nullish(),
  workdir: text.nullish(),
  workDir: text.nullish(),
  runtime: text.nullish(),
  type: z.enum(['basic', 'sidecar', 'openmpi', 'mpich', 'intelmpi']).nullish(),
  procsPerNode: atLeastOne.nullish(),
  imagePullCredential: z.unknown().optional(),
  imageSha256: z.unknown().optional(),
  stdout: z.unknown().optional(),
});

const resources = z.object({
  nodes: z.int().min(1).max(100_000).nullish(),
  cpus: atLeastOne.max(1_000_000).nullish(),
  cpusRange: range.nullish(),
  cpusOptions: range.nullish(),
  totalCpusRange: range.nullish(),
  memory: z.number().min(0.001).max(1_000_000).nullish(),
  memoryPerCpu: z.number().min(0.001).max(1_000_000).nullish(),
  disk: z.number().min(0).nullish(),
  walltime: atLeastOne.max(50_000_000).nullish(),
});

const jobPolicies = z.object({
  maximumRetries: retries.nullish(),
  maximumTaskRetries: retries.nullish(),
  maximumTimeInQueue: z.int().min(-1).max(50_000_000).nullish(),
  ignoreTaskFailures: flag.nullish(),
  /** As the documentation spells it. */
  ignoreTaskTailures: flag.nullish(),
  reportJobSuccessOnTaskFailure: flag.nullish(),
  runSerialTasksOnAllNodes: flag.nullish(),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000).nullish(),
  leaveInQueue: flag.nullish(),
  placement: z.unknown().optional(),
  autoScalingType: z.unknown().optional(),
  maximumIdleTimePerResource: z.unknown().optional(),
  preemptible: z.unknown().optional(),
});

const input = z.object({ filename: text.min(1), content: z.base64(), executable: flag.nullish() });
const artifact = z.object({ url: text.min(1), mountpoint: text.nullish(), executable: flag.nullish() });
/** `describe` shows outputs as `{name, url}`. */
const output = z.union([text.min(1), z.object({ name: text.min(1) })], 'the name of a file');

const jobKeys = {
  labels: labels.nullish(),
  tasks: z.array(task).min(1),
  resources: resources.nullish(),
  policies: jobPolicies.nullish(),
  inputs: z.array(input).nullish(),
  artifacts: z.array(artifact).nullish(),
  outputFiles: z.array(output).nullish(),
  outputDirs: z.array(output).nullish(),
  notifications: z.unknown().optional(),
  storage: z.unknown().optional(),
};

/** A document of one job. */
export const prominenceJob = z.object({ name: jobName.nullish(), ...jobKeys });

const parameter = z.object({
  name: text.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not a letter or _ followed by letters, digits and _'),
  start: z.number().nullish(),
  end: z.number().nullish(),
  step: z.number().nullish(),
  number: atLeastOne.nullish(),
  values: z.array(scalar).nullish(),
});

const factory = z.object({
  name: text.nullish(),
  type: z.enum(['parameterSweep', 'parametricSweep', 'zip', 'repeat']),
  jobs: z.array(text).nullish(),
  parameters: z.array(parameter).nullish(),
  /** Its name in the first version of the format. */
  parameterSets: z.array(parameter).nullish(),
  number: atLeastOne.nullish(),
});

export const prominenceWorkflow = z.object({
  name: text.max(512).nullish(),
  labels: labels.nullish(),
  jobs: z.array(z.object({ name: jobName, ...jobKeys })).min(1),
  /** For each parent its children. */
  dependencies: z.record(text, z.array(text)).nullish(),
  factories: z.array(factory).nullish(),
  factory: factory.nullish(),
  policies: z
    .object({
      maximumRetries: retries.nullish(),
      maximumReruns: z.unknown().optional(),
      leaveInQueue: flag.nullish(),
      placement: z.unknown().optional(),
    })
    .nullish(),
  notifications: z.unknown().optional(),
});

export type ProminenceWorkflow = z.infer<typeof prominenceWorkflow>;
export type ProminenceJob = ProminenceWorkflow['jobs'][number];
export type ProminenceLabels = ProminenceWorkflow['labels'];
export type ProminenceTask = z.infer<typeof task>;
export type ProminenceFactory = z.infer<typeof factory>;
export type ProminencePolicies = z.infer<typeof jobPolicies>;
export type ProminenceResources = z.infer<typeof resources>;
