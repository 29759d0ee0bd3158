/** What the process of a job is given: its shell text, output files and environment. */
import type { Assignment } from '../api/contract.ts';
import { jobStdioPaths } from '../base/paths.ts';
import type { AttemptEnd } from '../model/job.ts';
import { spawnFailed } from '../model/outcome.ts';
import type { SpawnRequest } from './spawner.ts';

export interface LaunchContext {
  workerId: string;
  workflowKey: string;
  directory: string;
  outputDirectory: string;
  /** What CUDA_VISIBLE_DEVICES calls the GPU of each index. */
  gpuIds: readonly string[];
}

/** How a job is started. */
export function spawnRequest(job: Assignment, context: LaunchContext): SpawnRequest {
  const { job_key: jobKey, run_id: runId, attempt_id: attemptId } = job;
  const { stdoutPath, stderrPath } = jobStdioPaths(context.outputDirectory, { jobKey, runId, attemptId });
  const text = job.invocation_script === null ? job.command : `${job.invocation_script} ${job.command}`;
  return { text, stdoutPath, stderrPath, variables: jobVariables(job, context) };
}

function jobVariables(job: Assignment, context: LaunchContext): Record<string, string> {
  const { gpuIds } = context;
  const variables: Record<string, string> = {
    TORC_WORKFLOW_KEY: context.workflowKey,
    TORC_JOB_KEY: job.job_key,
    TORC_JOB_NAME: job.job_name,
    TORC_RUN_ID: String(job.run_id),
    TORC_ATTEMPT_ID: String(job.attempt_id),
    TORC_ATTEMPT_KEY: String(job.attempt),
    TORC_WORKER_ID: context.workerId,
    TORC_OUTPUT_DIR: context.outputDirectory,
    TORC_DIR: context.directory,
  };
  // on a node with GPUs a job that asked for none must see none
  if (gpuIds.length > 0) {
    variables.CUDA_VISIBLE_DEVICES = job.gpu_indices.map((index) => gpuIds[index] ?? String(index)).join(',');
  }
  return variables;
}

/** The end of a job whose process could not be started. */
export function failedLaunch(request: SpawnRequest, code: string | null, message: string): AttemptEnd {
  if (code !== 'E2BIG') return spawnFailed(code, message);
  const detail = `the command is too long for the system (${Buffer.byteLength(request.text)} bytes): put it into a script file`;
  return spawnFailed(code, detail);
}
