/** An expanded workflow as requests, each small enough for a short transaction. */

import { jsonText } from '../base/exact-json.ts';
import type { ExpandedJob, ExpandedWorkflow } from '../model/expanded.ts';
import type { Launch } from '../model/launch.ts';
import type { Request } from './contract.ts';

type Chunk = Request<'workflow_create_chunk'>;

/** Below the limits of the contract, to keep transactions short and requests small. */
export const chunkLimits = {
  jobs: 5000,
  files: 5000,
  user_data: 5000,
  edges: 10_000,
  action_jobs: 10_000,
  characters: 2 * 1024 * 1024,
} as const;

/** A job as it is stored; what it names by its place in the workflow. */
export function wireJob(job: ExpandedJob, order: readonly (readonly [number, number])[] = []): Chunk['jobs'][number] {
  return {
    name: job.name,
    command: job.command,
    ...(job.identity === undefined ? {} : { identity: job.identity }),
    invocation_script: job.invocationScript,
    requirements: job.requirements,
    ...(job.scheduler === null ? {} : { slurm_config: job.scheduler }),
    ...(job.labels === undefined ? {} : { labels: [...job.labels] }),
    ...(job.limits === undefined ? {} : { limits: [...job.limits] }),
    ...(job.failureHandler === null ? {} : { failure_handler: job.failureHandler }),
    priority: job.priority,
    cancel_on_blocking_job_failure: job.cancelOnBlockingJobFailure,
    supports_termination: job.supportsTermination,
    ...(job.taskFailureIsSuccess === true ? { task_failure_is_success: true } : {}),
    ...(job.isHeld === true ? { hold: true } : {}),
    ...(job.maxWaitMs === undefined ? {} : { max_wait_ms: job.maxWaitMs }),
    ...(job.attributes === undefined ? {} : { attributes: { ...job.attributes } }),
    ...wireLaunch(job.launch),
    input_files: [...job.inputFiles],
    output_files: [...job.outputFiles],
    input_user_data: [...job.inputUserData],
    output_user_data: [...job.outputUserData],
    ...(order.length === 0 ? {} : { upstream_order: order.map(([first, count]): [number, number] => [first, count]) }),
  };
}

function wireLaunch(launch: ExpandedJob['launch']): Pick<Chunk['jobs'][number], keyof Launch> {
  if (launch === undefined) return {};
  const { env, ...others } = launch;
  return { ...others, ...(env === undefined ? {} : { env: { ...env } }) };
}

function jobCharacters(job: ExpandedJob): number {
  const numFiles = job.inputFiles.length + job.outputFiles.length;
  const uses = (numFiles + job.inputUserData.length + job.outputUserData.length) * 8;
  const attributes = job.attributes === undefined ? 0 : jsonText(job.attributes).length;
  const launch = job.launch === undefined ? 0 : JSON.stringify(job.launch).length;
  const texts =
    job.name.length + job.command.length + (job.identity?.length ?? 0) + (job.invocationScript?.length ?? 0);
  return 200 + attributes + launch + texts + uses;
}

/** Closes a chunk before it exceeds a limit; a member that exceeds it by itself gets its own chunk. */
class ChunkBuilder {
  readonly #workflowKey: string;
  #chunk: Chunk;
  #characters = 0;
  #numJobs = 0;
  #numFiles = 0;
  #numUserData = 0;

  constructor(workflowKey: string) {
    this.#workflowKey = workflowKey;
    this.#chunk = this.#empty();
  }

  #empty(): Chunk {
    return {
      workflow_key: this.#workflowKey,
      first_job: this.#numJobs,
      first_file: this.#numFiles,
      first_user_data: this.#numUserData,
      jobs: [],
      files: [],
      user_data: [],
      edges: [],
      action_jobs: [],
    };
  }

  /** The full chunk, when `characters` more of this kind do not fit in it, else null. */
  closeBefore(kind: 'jobs' | 'files' | 'user_data' | 'edges' | 'action_jobs', characters: number): Chunk | null {
    const isFull =
      (this.#chunk[kind]?.length ?? 0) >= chunkLimits[kind] || this.#characters + characters > chunkLimits.characters;
    const full = isFull ? this.close() : null;
    this.#characters += characters;
    return full;
  }

  addJob(job: Chunk['jobs'][number]): void {
    this.#chunk.jobs.push(job);
    this.#numJobs += 1;
  }

  addFile(file: Chunk['files'][number]): void {
    this.#chunk.files.push(file);
    this.#numFiles += 1;
  }

  addUserData(datum: Chunk['user_data'][number]): void {
    this.#chunk.user_data.push(datum);
    this.#numUserData += 1;
  }

  addEdge(edge: Chunk['edges'][number]): void {
    this.#chunk.edges.push(edge);
  }

  addActionJob(pair: [number, number]): void {
    this.#chunk.action_jobs?.push(pair);
  }

  /** The chunk, or null when it is empty; starts the next one. */
  close(): Chunk | null {
    const { jobs, files, user_data, edges, action_jobs = [] } = this.#chunk;
    const count = jobs.length + files.length + user_data.length + edges.length + action_jobs.length;
    const closed = count === 0 ? null : this.#chunk;
    this.#chunk = this.#empty();
    this.#characters = 0;
    return closed;
  }
}

/** The workflow as requests, made one at a time, so that a million jobs are never in memory twice. */
export function* chunksOf(workflow: ExpandedWorkflow, workflowKey: string): Generator<Chunk> {
  const builder = new ChunkBuilder(workflowKey);
  for (const file of workflow.files) {
    const full = builder.closeBefore('files', 40 + file.name.length + file.path.length);
    if (full !== null) yield full;
    builder.addFile({ name: file.name, path: file.path });
  }
  for (const { name, data, isEphemeral } of workflow.userData) {
    const datum = { name, data: data as Chunk['user_data'][number]['data'], is_ephemeral: isEphemeral };
    const full = builder.closeBefore('user_data', 60 + name.length + jsonText(data).length);
    if (full !== null) yield full;
    builder.addUserData(datum);
  }
  let number = 0;
  for (const job of workflow.jobs) {
    const order = workflow.upstreamOrders?.get(number);
    const full = builder.closeBefore('jobs', jobCharacters(job) + (order?.length ?? 0) * 20);
    if (full !== null) yield full;
    builder.addJob(wireJob(job, order));
    number += 1;
  }
  for (const [upstream, downstream] of workflow.edges) {
    const full = builder.closeBefore('edges', 20);
    if (full !== null) yield full;
    builder.addEdge([upstream, downstream]);
  }
  for (const [index, action] of workflow.actions.entries()) {
    for (const job of action.jobs) {
      const full = builder.closeBefore('action_jobs', 20);
      if (full !== null) yield full;
      builder.addActionJob([index, job]);
    }
  }
  const last = builder.close();
  if (last !== null) yield last;
}
