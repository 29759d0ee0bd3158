/**
 * The format of workflow specifications: one schema behind every syntax. Keys are those of torc's published format
 * (snake_case, as people write them); defaults are applied by the expansion, so a spec says only what was written.
 */
import { z } from 'zod';
import type { List } from '../../base/block-list.ts';
import { parseDuration } from '../../base/units.ts';
import { jobsSortMethods, stdioModes, terminationSignals } from '../expanded.ts';
import { labelPattern, labelRule, mostLabels } from '../labels.ts';
import { cpuPlacements, executions } from '../launch.ts';
import { retryCauses } from '../retry.ts';
import { attributeName, attributeNameRule, attributesProblem } from './attributes.ts';
import { dynamicJobs, executionConfig, jobStdio, resourceMonitor, slurmScheduler } from './execution-spec.ts';
import { action, notification } from './reactions.ts';
import { resourceRequirements } from './requirements-spec.ts';
import { scale } from './scale-spec.ts';
import {
  command,
  count,
  environment,
  flag,
  name,
  names,
  parameters,
  type parameterValues,
  path,
  patterns,
  positive,
  readable,
  scalar,
  someTime,
  text,
} from './spec-values.ts';

/** Each value is stored as a text. */
const attributes = z
  .record(z.string().regex(attributeName, attributeNameRule), scalar)
  .superRefine((given, context) => {
    const problem = attributesProblem(given);
    if (problem === null) return;
    const path = problem.name === null ? [] : [problem.name];
    context.addIssue({ code: 'custom', message: problem.message, path });
  });

const swept = {
  parameters: parameters.nullish(),
  parameter_mode: z.enum(['product', 'zip']).nullish(),
  use_parameters: names.nullish(),
  /** A table with a row for each instance: CSV, JSON or JSON lines. */
  parameters_file: path.nullish(),
  /** Also that of the workflow. */
  use_parameters_file: flag.nullish(),
};

const factory = z.strictObject({
  type: z.enum(['parameterSweep', 'parametricSweep', 'zip', 'repeat']),
  parameters: z
    .array(
      z.strictObject({
        name,
        start: z.number().nullish(),
        end: z.number().nullish(),
        step: z.number().nullish(),
        number: positive.nullish(),
        values: z.array(scalar).nullish(),
      }),
    )
    .nullish(),
  /** Of `repeat`: how many copies. */
  number: positive.nullish(),
  /** Of a factory at the top: the jobs that it applies to; all when it names none. */
  jobs: names.nullish(),
});

const maxRetries = z.int().min(0).max(1_000_000).nullish();
const retryDelay = {
  retry_delay: readable(parseDuration).nullish(),
  retry_backoff: z.number().min(1).max(1000).nullish(),
};

const step = z.strictObject({
  command,
  /** The next step runs, and the job may succeed, even if this one fails. */
  ignore_failure: flag.nullish(),
  max_retries: maxRetries,
});

/** A command that jobs share; its args stand in braces. */
const template = z.strictObject({
  name,
  command,
  /** Args that make another job of it. */
  key_args: names.nullish(),
  /** Args that do not. */
  op_args: names.nullish(),
});

const job = z.strictObject({
  name,
  /** Every job has this, `steps` or `template`. */
  command: command.nullish(),
  template: name.nullish(),
  /** Values of the args of its template. */
  args: z.record(name, scalar).nullish(),
  /** Compared instead of the command when the workflow is created again. */
  identity: text.min(1).nullish(),
  steps: z.array(step).min(1).max(1000).nullish(),
  invocation_script: text.nullish(),
  cancel_on_blocking_job_failure: flag.nullish(),
  supports_termination: flag.nullish(),
  /** It counts as successful whatever code it exits with. */
  task_failure_is_success: flag.nullish(),
  resource_requirements: name.nullish(),
  failure_handler: name.nullish(),
  /** Instead of a failure handler: every failure is retried. */
  max_retries: maxRetries,
  ...retryDelay,
  /** How long it may be ready without starting. */
  max_wait: someTime.nullish(),
  /** It does not start until somebody releases it. */
  hold: flag.nullish(),
  scheduler: name.nullish(),
  /** Runs only on workers that have all of them. */
  labels: z.array(name).max(mostLabels).nullish(),
  /** Names of limits under which it runs, of the workflow or of the server directory. */
  limit: name.nullish(),
  limits: z
    .array(name)
    .max(mostLabels - 1)
    .nullish(),
  depends_on: names.nullish(),
  depends_on_regexes: patterns.nullish(),
  input_files: names.nullish(),
  input_file_regexes: patterns.nullish(),
  output_files: names.nullish(),
  output_file_regexes: patterns.nullish(),
  input_user_data: names.nullish(),
  input_user_data_regexes: patterns.nullish(),
  output_user_data: names.nullish(),
  output_user_data_regexes: patterns.nullish(),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000).nullish(),
  attributes: attributes.nullish(),
  /** Over those of the workflow. */
  env: environment.nullish(),
  /** Instead of that of the workflow; as a mapping in the words of torc 1.0. */
  stdio: jobStdio.nullish(),
  /** Where it starts. */
  cwd: path.nullish(),
  /** The file that it reads. */
  stdin: path.nullish(),
  /** The image in which its command runs. */
  container: path.nullish(),
  /** It runs only on the CPUs that it is given. */
  pin: flag.nullish(),
  cpu_placement: z.enum(cpuPlacements).nullish(),
  /** Whether it is a step of its own in an allocation of Slurm. */
  execution: z.enum(executions).nullish(),
  /** The command of a fork server that may start it. */
  warm: path.nullish(),
  ...swept,
  factory: factory.nullish(),
});

const file = z.strictObject({
  name,
  path: text.min(1),
  /** Published specifications carry it; torc looks at the file itself. */
  st_mtime: z.number().nullish(),
  /** What a file is known by elsewhere, such as a DOI; read, without an effect. */
  identifier: text.nullish(),
  ...swept,
});

const userData = z.strictObject({
  name: name.nullish(),
  data: z.unknown().optional(),
  is_ephemeral: flag.nullish(),
  ...swept,
});

const failureHandler = z.strictObject({
  name,
  rules: z
    .array(
      z.strictObject({
        exit_codes: z.array(z.int().min(1).max(255)).nullish(),
        match_all_exit_codes: flag.nullish(),
        causes: z.array(z.enum(retryCauses)).nullish(),
        recovery_script: command.nullish(),
        max_retries: maxRetries,
        ...retryDelay,
        retry_max_delay: readable(parseDuration).nullish(),
        /** How what was exceeded grows before the next attempt. */
        scale: scale.nullish(),
      }),
    )
    .min(1),
});

export const workflowSpec = z.strictObject({
  name,
  user: name.nullish(),
  /** With `args` and the name: which workflow this is; the name by default. */
  tool: name.nullish(),
  /** Text or JSON; with them, the same specification again is the same workflow. */
  args: z.unknown().optional(),
  /** Another name of `args`. */
  workflow_args: z.unknown().optional(),
  description: text.nullish(),
  project: text.nullish(),
  metadata: z.unknown().optional(),
  attributes: attributes.nullish(),
  /** What Jobmon calls them. */
  workflow_attributes: attributes.nullish(),
  /** Environment variables of every job. */
  env: environment.nullish(),
  parameters: parameters.nullish(),
  parameters_file: path.nullish(),
  /** Text constants, which stand in braces in any text. */
  variables: z.record(name, scalar).nullish(),
  compute_node_expiration_buffer_seconds: count.nullish(),
  compute_node_wait_for_new_jobs_seconds: count.nullish(),
  compute_node_ignore_workflow_completion: flag.nullish(),
  compute_node_wait_for_healthy_database_minutes: count.nullish(),
  jobs_sort_method: z.enum(jobsSortMethods).nullish(),
  stdio: z.enum(stdioModes).nullish(),
  /** For jobs that do not state these themselves. */
  pin: flag.nullish(),
  execution: z.enum(executions).nullish(),
  max_losses: z.int().min(0).max(1_000_000).nullish(),
  /** At most this many jobs may be added by its running jobs. */
  max_dynamic_jobs: count.max(1_000_000_000).nullish(),
  fail_fast: flag.nullish(),
  max_failures: positive.nullish(),
  /** So many of its jobs run at once; 0 for none. */
  max_concurrent_jobs: count.max(1_000_000_000).nullish(),
  /** The same of jobs that name a limit. */
  limits: z.record(z.string().regex(labelPattern, labelRule('name of a limit')), count.max(1_000_000_000)).nullish(),
  timeout: someTime.nullish(),
  termination_signal: z.enum(terminationSignals).nullish(),
  sigterm_lead_seconds: count.max(1_000_000).nullish(),
  execution_config: executionConfig.nullish(),
  dynamic_jobs: dynamicJobs.nullish(),
  /** Read, without an effect. */
  enable_ro_crate: flag.nullish(),
  access_groups: names.nullish(),
  create_output_folders: flag.nullish(),
  jobs: z.array(job),
  templates: z.array(template).nullish(),
  files: z.array(file).nullish(),
  user_data: z.array(userData).nullish(),
  resource_requirements: z.array(resourceRequirements).nullish(),
  failure_handlers: z.array(failureHandler).nullish(),
  slurm_schedulers: z.array(slurmScheduler).nullish(),
  slurm_defaults: z.record(text, scalar).nullish(),
  /** Jobs that have outgrown their scheduler take the first of these that gives what they need. */
  fallback_schedulers: names.nullish(),
  resource_monitor: resourceMonitor.nullish(),
  actions: z.array(action).nullish(),
  notifications: z.array(notification).max(100).nullish(),
  use_pending_failed: flag.nullish(),
  factory: factory.nullish(),
  factories: z.array(factory.extend({ name: name.nullish() })).nullish(),
});

export type WorkflowSpec = z.infer<typeof workflowSpec>;
export type TemplateSpec = z.infer<typeof template>;
export type StepSpec = z.infer<typeof step>;
export type JobSpec = z.infer<typeof job>;

/** Jobs as they are written; a long list of them is read again whenever it is visited. */
export interface JobList extends List<JobSpec> {
  /** The keys that any of them has; undefined where that is not known. */
  readonly usedKeys?: ReadonlySet<string>;
}

/** A specification whose list of jobs may be long. */
export type CheckedSpec = Omit<WorkflowSpec, 'jobs'> & { jobs: JobList };

/** The jobs that may have one of the keys, each with its number. */
export function jobsWith(jobs: JobList, keys: readonly (keyof JobSpec)[]): Iterable<[number, JobSpec]> {
  const { usedKeys } = jobs;
  return usedKeys === undefined || keys.some((key) => usedKeys.has(key)) ? jobs.entries() : [];
}

export type FileSpec = z.infer<typeof file>;
export type UserDataSpec = z.infer<typeof userData>;
export type RequirementsSpec = z.infer<typeof resourceRequirements>;
export type FailureHandlerSpec = z.infer<typeof failureHandler>;
export type SlurmSchedulerSpec = z.infer<typeof slurmScheduler>;

export type FactorySpec = z.infer<typeof factory>;
export type ParameterSpec = z.infer<typeof parameterValues>;
