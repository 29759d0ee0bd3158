/** A person's application, whose workflows are recognized by their args. */
import { TorcError } from '../../base/errors.ts';
import type { JobSpec, WorkflowSpec } from '../../model/spec/spec.ts';
import { Workflow } from './workflow.ts';

/** How a run of a workflow ended, as `run` returns it; other statuses mean that it has not ended. */
export const WorkflowRunStatus = {
  /** Every job has succeeded. */
  DONE: 'done',
  /** Jobs failed, or could not run because of that. */
  ERROR: 'failed',
  /** Its time was over before all jobs had started. */
  TIMEOUT: 'timeout',
  /** Somebody canceled it. */
  CANCELED: 'canceled',
} as const;

/** A specification without `tool`, with other names for some of its keys. */
export interface ToolWorkflow extends Omit<WorkflowSpec, 'jobs' | 'tool'> {
  jobs?: JobSpec[];
  /** `args`: with the name and the tool, they say which workflow it is. */
  workflowArgs?: WorkflowSpec['args'];
  /** `attributes`: texts to find it by. */
  workflowAttributes?: WorkflowSpec['attributes'];
  /** `max_concurrent_jobs`: how many of its jobs run at a time. */
  maxConcurrentlyRunning?: WorkflowSpec['max_concurrent_jobs'];
}

/** The other names, with the keys of a specification. */
const otherNames = {
  workflowArgs: 'args',
  workflowAttributes: 'attributes',
  maxConcurrentlyRunning: 'max_concurrent_jobs',
} as const;

export class Tool {
  readonly name: string;

  constructor({ name }: { name: string }) {
    if (typeof name !== 'string' || name === '') {
      throw new TorcError('invalid_spec', 'a tool has a name', "new Tool({ name: 'my_application' })");
    }
    this.name = name;
  }

  /** A workflow of this tool; nothing is stored before `create` or `run`. */
  createWorkflow(given: ToolWorkflow): Workflow {
    const spec: Record<string, unknown> = { ...given, tool: this.name };
    for (const [name, key] of Object.entries(otherNames)) {
      if (!Object.hasOwn(spec, name)) continue;
      if (spec[key] !== undefined) {
        throw new TorcError('invalid_spec', `${name} and ${key} are the same key`, 'Give only one of them.');
      }
      spec[key] = spec[name];
      delete spec[name];
    }
    return new Workflow(spec as unknown as WorkflowSpec);
  }
}
