/** `torc workflows add-jobs-from-commands-file`: adds the commands of a file as jobs of a stored workflow. */
import type { AddedJob, Api } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import type { ExpandedWorkflow } from '../../model/expanded.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { readWorkflow } from '../documents/read-spec.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printResult } from '../output/output.ts';
import { startProgress } from '../output/progress.ts';
import type { CommandsFileOptions } from './workflows-create.ts';

/** Options for commands that become jobs of a stored workflow. */
export interface AddedCommandsOptions extends CommandsFileOptions {
  scheduler?: string;
  labels?: string[];
  failureHandler?: string;
}

const everything = { filter: [], excludeColumn: [] };

export async function addJobsFromCommandsFile(
  context: Context,
  key: string | null,
  file: string,
  options: AddedCommandsOptions,
): Promise<void> {
  const { cpus, memory, runtime } = options;
  const { workflow } = await readWorkflow(context, file, {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory }),
    ...(runtime === undefined ? {} : { runtime }),
  });
  await withConnection(context, async ({ api }) => {
    const workflow_key = await chooseWorkflow(context, api, key);
    const firstNumber = (await largestNumber(api, workflow_key)) + 1;
    const requirements = await addRequirements(api, workflow_key, workflow);
    const progress = startProgress(context);
    let added = 0;
    try {
      for (const jobs of chunksOf(workflow, firstNumber, requirements, options)) {
        await api.call('jobs_add', { workflow_key, jobs });
        added += jobs.length;
        progress.update(`${added} of ${workflow.numJobs} jobs added`);
      }
    } catch (error) {
      if (added === 0) throw error;
      const { code, message, hint } = asTorcError(error);
      throw new TorcError(
        code,
        `only ${added} of ${counted(workflow.numJobs, 'command')} were added: ${message}`,
        hint,
        { cause: error },
      );
    } finally {
      progress.clear();
    }
    const reply = { workflow_key, num_jobs: added, resource_requirements: requirements };
    await printResult(context, reply, () => `added ${counted(added, 'job')} to workflow ${workflow_key}\n`);
  });
}

/** The largest n of all jobs named job_n. */
async function largestNumber(api: Api, workflowKey: string): Promise<number> {
  let largest = 0;
  for await (const records of listPages(api, 'jobs', workflowKey, everything)) {
    for (const { name } of records)
      largest = Math.max(largest, Number(/^job_([0-9]{1,12})$/.exec(String(name))?.[1] ?? 0));
  }
  return largest;
}

/** Stores the requirements of the jobs under a free name; null when they have none. */
async function addRequirements(api: Api, workflow_key: string, workflow: ExpandedWorkflow): Promise<string | null> {
  const [need] = workflow.requirements;
  if (need === undefined) return null;
  const taken = new Set<unknown>();
  for await (const records of listPages(api, 'resource_requirements', workflow_key, everything)) {
    for (const { name } of records) taken.add(name);
  }
  let name = 'commands';
  for (let n = 2; taken.has(name); n++) name = `commands_${n}`;
  await api.call('resource_requirements_add', {
    workflow_key,
    name,
    num_cpus: need.numCpus,
    memory_bytes: need.isMemoryStated ? need.memoryBytes : null,
    gpu_thousandths: need.gpuThousandths,
    num_nodes: need.numNodes,
    runtime_ms: need.isRuntimeStated ? need.runtimeMs : null,
  });
  return name;
}

function* chunksOf(
  workflow: ExpandedWorkflow,
  firstNumber: number,
  requirements: string | null,
  options: AddedCommandsOptions,
): Generator<AddedJob[]> {
  const width = String(firstNumber + workflow.numJobs - 1).length;
  let chunk: AddedJob[] = [];
  let characters = 0;
  let number = firstNumber;
  for (const job of workflow.jobs) {
    chunk.push({
      name: `job_${String(number).padStart(width, '0')}`,
      command: job.command,
      invocation_script: null,
      resource_requirements: requirements,
      scheduler: options.scheduler ?? null,
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      failure_handler: options.failureHandler ?? null,
      priority: job.priority,
      cancel_on_blocking_job_failure: job.cancelOnBlockingJobFailure,
      supports_termination: job.supportsTermination,
      depends_on: [],
      input_files: [],
      output_files: [],
      input_user_data: [],
      output_user_data: [],
    });
    number += 1;
    characters += job.command.length + 400;
    if (chunk.length < 1000 && characters < limits.bodyBytes / 8) continue;
    yield chunk;
    chunk = [];
    characters = 0;
  }
  if (chunk.length > 0) yield chunk;
}
