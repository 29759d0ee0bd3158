/** The objects of the format, for messages about unknown keys. */
import { z } from 'zod';
import { workflowSpec } from './spec.ts';

/** An object of the format: what it is called and its keys. */
export interface SpecObject {
  label: string;
  keys: readonly string[];
}

const labels: Readonly<Record<string, string>> = {
  jobs: 'a job',
  templates: 'a template',
  files: 'a file',
  user_data: 'user data',
  resource_requirements: 'a resource requirement',
  failure_handlers: 'a failure handler',
  rules: 'a rule',
  scale: 'a scale',
  max: 'the max of a scale',
  steps: 'a step',
  slurm_schedulers: 'a Slurm scheduler',
  resource_monitor: 'the resource monitor',
  execution_config: 'the execution config',
  stdio: 'a stdio mapping',
  dynamic_jobs: 'dynamic_jobs',
  compute_node: 'the monitor of nodes',
  actions: 'an action',
  factory: 'a factory',
  factories: 'a factory',
  parameters: 'a parameter of a factory',
};

/** The object of the format at a path; null when the format has none there. */
export function specObjectAt(path: readonly PropertyKey[]): SpecObject | null {
  let schema: z.core.$ZodType | undefined = workflowSpec;
  let label = 'a workflow';
  for (const part of path) {
    schema = bare(schema);
    if (schema instanceof z.ZodObject) schema = (schema.shape as Record<string, z.core.$ZodType>)[String(part)];
    else schema = schema instanceof z.ZodArray ? schema.element : undefined;
    if (typeof part === 'string') label = labels[part] ?? 'this place';
  }
  const found = bare(schema);
  return found instanceof z.ZodObject ? { label, keys: Object.keys(found.shape) } : null;
}

/** The objects that hold what people look for elsewhere. */
export function specObjects(): SpecObject[] {
  const places = [
    ['resource_requirements', 0],
    ['slurm_schedulers', 0],
    ['failure_handlers', 0, 'rules', 0],
    ['jobs', 0],
    [],
  ];
  return places.flatMap((path) => specObjectAt(path) ?? []);
}

function bare(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodNullable) inner = inner.unwrap();
  // of several forms, the one with keys
  if (inner instanceof z.ZodUnion) return inner.options.find((option) => option instanceof z.ZodObject) ?? inner;
  return inner;
}
