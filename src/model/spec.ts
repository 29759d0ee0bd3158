/**
 * The format of workflow specifications: one schema behind every syntax. Keys are those of torc's published format
 * (snake_case, as people write them); defaults are applied by the expansion, so a spec says only what was written.
 */
import { z } from 'zod';
import { TorcError } from '../base/errors.ts';
import { parseDuration, parseMemory } from '../base/units.ts';
import { jobsSortMethods } from './expanded.ts';
import { isGpuCount } from './job.ts';

/** Longest name that is stored. */
const longestName = 4096;

const text = z.string().refine((value) => !/[\0\p{Cs}]/u.test(value), 'has a NUL byte or half a character in it');
const name = text.min(1).max(longestName);
const names = z.array(name);
const count = z.int().min(0);
const flag = z.boolean();

/** A text that a function of ours reads; its complaint becomes the problem shown. */
function readable(read: (value: string) => void) {
  return text.superRefine((value, context) => {
    try {
      read(value);
    } catch (error) {
      if (!(error instanceof TorcError)) throw error;
      context.addIssue({ code: 'custom', message: `${error.message} ${error.hint ?? ''}`.trim() });
    }
  });
}

const command = text.refine((value) => value.trim() !== '', 'is empty');

const job = z.strictObject({
  name,
  command,
  invocation_script: text.nullish(),
  cancel_on_blocking_job_failure: flag.nullish(),
  supports_termination: flag.nullish(),
  resource_requirements: name.nullish(),
  depends_on: names.nullish(),
  input_files: names.nullish(),
  output_files: names.nullish(),
  input_user_data: names.nullish(),
  output_user_data: names.nullish(),
  priority: z.int().min(-1_000_000_000).max(1_000_000_000).nullish(),
});

const file = z.strictObject({ name, path: text.min(1) });

const userData = z.strictObject({ name, data: z.unknown().optional(), is_ephemeral: flag.nullish() });

const resourceRequirements = z.strictObject({
  name,
  num_cpus: z.int().min(1).max(1_000_000),
  memory: readable((value) => {
    if (parseMemory(value) === 0) throw new TorcError('usage', 'A job needs some memory.');
  }),
  num_gpus: z
    .number()
    .min(0)
    .max(10_000)
    .refine(isGpuCount, 'a share of one GPU (0.001 to 0.999) or whole GPUs')
    .nullish(),
  num_nodes: z
    .int()
    .min(1)
    .refine((value) => value === 1, '1: this version of torc runs each job on one node')
    .nullish(),
  runtime: readable((value) => {
    if (parseDuration(value) === 0) throw new TorcError('usage', 'A job needs some time.');
  }).nullish(),
});

export const workflowSpec = z.strictObject({
  name,
  user: name.nullish(),
  description: text.nullish(),
  project: text.nullish(),
  metadata: z.unknown().optional(),
  compute_node_expiration_buffer_seconds: count.nullish(),
  compute_node_wait_for_new_jobs_seconds: count.nullish(),
  compute_node_ignore_workflow_completion: flag.nullish(),
  compute_node_wait_for_healthy_database_minutes: count.nullish(),
  jobs_sort_method: z.enum(jobsSortMethods).nullish(),
  jobs: z.array(job),
  files: z.array(file).nullish(),
  user_data: z.array(userData).nullish(),
  resource_requirements: z.array(resourceRequirements).nullish(),
});

export type WorkflowSpec = z.infer<typeof workflowSpec>;
export type JobSpec = z.infer<typeof job>;
export type FileSpec = z.infer<typeof file>;
export type RequirementsSpec = z.infer<typeof resourceRequirements>;

/** An object of the format: what it is called, its keys, and the keys of torc that this version does not read yet. */
export interface SpecObject {
  label: string;
  keys: readonly string[];
  laterKeys: readonly string[];
}

const parameterKeys = ['parameters', 'parameter_mode', 'use_parameters'];

const top: SpecObject = {
  label: 'a workflow',
  keys: Object.keys(workflowSpec.shape),
  laterKeys: [
    ...['parameters', 'failure_handlers', 'slurm_schedulers', 'slurm_defaults', 'resource_monitor'],
    ...['actions', 'use_pending_failed'],
  ],
};

const parts: Readonly<Record<string, SpecObject>> = {
  jobs: {
    label: 'a job',
    keys: Object.keys(job.shape),
    laterKeys: [
      ...['failure_handler', 'scheduler', 'depends_on_regexes'],
      ...['input_file_regexes', 'output_file_regexes', 'input_user_data_regexes', 'output_user_data_regexes'],
      ...parameterKeys,
    ],
  },
  files: { label: 'a file', keys: Object.keys(file.shape), laterKeys: parameterKeys },
  user_data: { label: 'user data', keys: Object.keys(userData.shape), laterKeys: [] },
  resource_requirements: {
    label: 'a resource requirement',
    keys: Object.keys(resourceRequirements.shape),
    laterKeys: [],
  },
};

/** The object of the format that stands at a path; null when the format has none there. */
export function specObjectAt(path: readonly PropertyKey[]): SpecObject | null {
  if (path.length === 0) return top;
  return path.length === 2 ? (parts[String(path[0])] ?? null) : null;
}
