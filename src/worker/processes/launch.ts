/** What the process of a job gets: its shell text, output files and environment. */
import type { Assignment } from '../../api/contract.ts';
import { numberList } from '../../base/number-list.ts';
import {
  type AttemptName,
  failedRecoveryPath,
  type JobStdioPaths,
  jobStdioPaths,
  timeSeriesPath,
  userDataPaths,
} from '../../base/paths.ts';
import { shellWord } from '../../base/text.ts';
import { spawnFailed } from '../../model/decide/outcome.ts';
import type { AttemptEnd } from '../../model/job.ts';
import { imageName } from '../../model/launch.ts';
import type { Step, StepPlace } from '../../slurm/step.ts';
import { allGpuVariables, type GpuMaker, gpuVariables } from './gpus.ts';
import type { GivenJob } from './job-runner.ts';
import type { SpawnRequest } from './spawner.ts';

export interface LaunchContext {
  workerId: string;
  workflowKey: string;
  directory: string;
  outputDirectory: string;
  /** Below it lie user data and the marks of recovery scripts. */
  dataDirectory: string;
  /** What the variable of their maker calls the GPU of each index. */
  gpuIds: readonly string[];
  gpuMaker: GpuMaker;
  /** The nodes that the worker owns, its own first. */
  nodeNames: readonly string[];
  /** Where jobs run as steps of the allocation that want that. */
  steps: StepPlace;
  /** A job wants that, and cannot. */
  notAsStep(problem: string): void;
  /** Jobs that do not say otherwise run only on the CPUs that they are given. */
  pins: boolean;
  /** Whether jobs inherit OMP_NUM_THREADS from the worker. */
  hasThreads: boolean;
  /** Variables that are not UTF-8: only the shell of a job can set them. */
  rawVariables: ReadonlyMap<string, Buffer>;
  /** Makes the files of a job that is about to start, and returns the variables that name them. */
  fileVariables(job: Assignment): Record<string, string>;
}

/** How a job is started; without `output` it writes to files of its own. */
export function spawnRequest(job: GivenJob, context: LaunchContext, output: JobStdioPaths | null): SpawnRequest {
  const { stdoutPath, stderrPath, isJoined } = output ?? stdioPaths(job, context.outputDirectory);
  const text = job.invocation_script === null ? job.command : withScript(job.invocation_script, job.command);
  const variables = jobVariables(job, context);
  const command = inContainer(withDataPaths(text, job, context.dataDirectory), job);
  const streams = isJoined === true ? 'exec 2>&1\n' : '';
  const before = streams + exportText(context) + (job.node_indices === undefined ? '' : forgetTasks) + enterText(job);
  const recovery = recoveryText(job, context.dataDirectory);
  const request = {
    attempt: job.attempt,
    text: before + recovery + readText(job) + command,
    ...{ stdoutPath, stderrPath, variables },
    place: placeOf(job),
    cpus: variables.TORC_CPUS ?? null,
    isBound: job.pin ?? context.pins,
  };
  const step = stepOf(job, context);
  if (step !== null) return asStep(request, step);
  const { warm } = job;
  const isPlain = request.text === job.command && job.node_indices === undefined;
  return warm === undefined || !isPlain ? request : { ...request, warm };
}

/** Null for a job that is none. One of several nodes starts steps itself. */
function stepOf(job: Assignment, { steps, notAsStep }: LaunchContext): Step | null {
  if (job.execution !== 'slurm' || job.node_indices !== undefined) return null;
  if ('problem' in steps) {
    notAsStep(steps.problem);
    return null;
  }
  const { nodeName, memoryBytes } = steps.node;
  const { memory_limit_bytes: limit } = job;
  const isAll = limit === null || (memoryBytes !== null && limit >= memoryBytes);
  return { nodeName, memoryBytes: isAll ? null : limit, name: job.job_name };
}

/** Slurm sets the variables of GPUs for its step, and its processes are not bound to what srun is bound to. */
function asStep(request: SpawnRequest, step: Step): SpawnRequest {
  const { variables, cpus, isBound } = request;
  const gpus = allGpuVariables.flatMap((name) => {
    const value = variables[name];
    return value === undefined ? [] : [`export ${name}=${shellWord(value)}\n`];
  });
  const bind = cpus !== null && isBound ? 'taskset -pc "$TORC_CPUS" $$ >/dev/null 2>&1\n' : '';
  return { ...request, text: gpus.join('') + bind + request.text, isBound: false, step };
}

/** What a job occupies on its node, as a name. Empty when that is more than CPUs and memory, or when its start depends on the time. */
export function placeOf(job: Assignment): string {
  const { num_cpus, memory_bytes, cpu_placement = 'compact', warm = '' } = job;
  // srun starts a step only when it is asked to
  const isStep = job.execution === 'slurm';
  const isWhole = isStep || job.node_indices !== undefined || job.supports_termination;
  const isSpecial = isWhole || job.gpu_indices.length > 0 || job.resources !== undefined;
  // one that states the variable itself cannot get that of another
  return isSpecial || job.env?.TORC_CPUS !== undefined ? '' : `${num_cpus}/${memory_bytes}/${cpu_placement}/${warm}`;
}

/** What a job says about where it starts; without that directory it cannot be run, as a shell says with 126. */
function enterText({ cwd }: Assignment): string {
  return cwd === undefined ? '' : `cd -- ${shellWord(cwd)} || exit 126\n`;
}

/** What it reads instead of nothing. */
function readText({ stdin }: Assignment): string {
  return stdin === undefined ? '' : `exec < ${shellWord(stdin)} || exit 126\n`;
}

/** The command in the image that the job names, in the directory where it would start without one. */
function inContainer(command: string, { container }: Assignment): string {
  if (container === undefined) return command;
  const missing = 'torc: neither apptainer nor singularity is installed on this node';
  return [
    'torc_run=$(command -v apptainer || command -v singularity) ||',
    `  { echo ${shellWord(missing)} >&2; exit 127; }`,
    `exec "$torc_run" exec --pwd "$PWD" ${shellWord(imageName(container))} bash -c -- ${shellWord(command)}`,
  ].join('\n');
}

/**
 * A script of one line takes the command as its last words. Of several lines, or with a comment that would swallow the
 * command, it is followed by the command on a line of its own.
 */
function withScript(script: string, command: string): string {
  const isOneLine = !script.replaceAll('\\\n', '').includes('\n') && !/(^|\s)#/.test(script);
  if (isOneLine) return `${script} ${command}`;
  return script.endsWith('\n') ? script + command : `${script}\n${command}`;
}

function exportText({ rawVariables }: LaunchContext): string {
  const lines = [...rawVariables].flatMap(([name, value]) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return [];
    const bytes = [...value].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`);
    return [`export ${name}=$'${bytes.join('')}'\n`];
  });
  return lines.join('');
}

/** Before a command on several nodes: the task count of the whole allocation would mislead its srun. */
const forgetTasks = 'unset SLURM_NTASKS SLURM_NPROCS SLURM_NTASKS_PER_NODE\n';

/**
 * Shell text before the command: the recovery script in its own shell, so that it changes neither the folder nor the
 * variables of the command. When it fails, the command does not run, and a link that leads nowhere tells the worker why:
 * making one follows no other link and waits for no pipe, whatever others have put there.
 */
function recoveryText(job: Assignment, dataDirectory: string): string {
  if (job.recovery === undefined) return '';
  const { script, run_id, attempt_id, return_code, cause = '' } = job.recovery;
  const variables = `TORC_RUN_ID=${run_id} TORC_ATTEMPT_ID=${attempt_id} TORC_RETURN_CODE=${return_code ?? ''} TORC_CAUSE=${cause}`;
  const tell = `command -p ln -sfn "$torc_code" ${shellWord(recoveryPath(job, dataDirectory))}`;
  const onFailure = `{ torc_code=$?; ${tell}; exit "$torc_code"; }`;
  return `${variables} bash -e -c -- ${shellWord(script)} || ${onFailure}\n`;
}

/** Where a failed recovery script leaves a mark. */
export function recoveryPath(job: Assignment, dataDirectory: string): string {
  return failedRecoveryPath(dataDirectory, attemptName(job));
}

/** Where a job's memory and processor time are recorded. */
export function seriesPath(job: Assignment, outputDirectory: string): string {
  return timeSeriesPath(outputDirectory, attemptName(job));
}

/** The job's own output files, which it writes to by default. */
export function stdioPaths(job: Assignment, outputDirectory: string): JobStdioPaths {
  return jobStdioPaths(outputDirectory, attemptName(job));
}

export function attemptName(job: Assignment): AttemptName {
  return { jobKey: job.job_key, runId: job.run_id, attemptId: job.attempt_id };
}

/** Where the job writes its output user data, in the order of the names it was given. */
export function dataPaths(job: Assignment, dataDirectory: string): string[] {
  return userDataPaths(dataDirectory, attemptName(job), job.output_user_data?.length ?? 0);
}

/** `${user_data.output.NAME}` becomes the path that NAME is written to. */
function withDataPaths(text: string, job: Assignment, dataDirectory: string): string {
  const { output_user_data: names = [] } = job;
  if (names.length === 0) return text;
  const paths = dataPaths(job, dataDirectory);
  const places = new Map(names.map((name, index) => [`\${user_data.output.${name}}`, paths[index] ?? '']));
  // a name may contain brackets too: the longest match wins
  const longestFirst = [...places.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(longestFirst.map((place) => place.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');
  return text.replace(pattern, (place) => places.get(place) ?? place);
}

/**
 * Variables for every job of a worker; a job on several nodes gets its own nodes instead. Each KEY is repeated as an ID,
 * the name in commands that were written for torc 0.12.
 */
export function workerVariables(context: LaunchContext): Record<string, string> {
  return {
    TORC_WORKFLOW_KEY: context.workflowKey,
    TORC_WORKFLOW_ID: context.workflowKey,
    TORC_WORKER_ID: context.workerId,
    TORC_OUTPUT_DIR: context.outputDirectory,
    TORC_DIR: context.directory,
    TORC_JOB_DIR: context.directory,
    ...nodeVariables([0], context),
  };
}

function nodeVariables(indices: readonly number[], { nodeNames }: LaunchContext): Record<string, string> {
  const nodes = indices.map((index) => nodeNames[index] ?? String(index));
  return { TORC_NUM_NODES: String(nodes.length), TORC_NODE_LIST: nodes.join(',') };
}

/** How many threads it has CPUs for; a job of several nodes starts tasks, of which torc does not know how many. */
function cpuVariables(
  { cpus, num_cpus, node_indices }: GivenJob,
  { hasThreads }: LaunchContext,
): Record<string, string> {
  return {
    ...(hasThreads || node_indices !== undefined ? {} : { OMP_NUM_THREADS: String(num_cpus) }),
    ...(cpus === undefined ? {} : { TORC_CPUS: numberList(cpus) }),
  };
}

/** The units of its named resources, as lists of numbers. */
function unitVariables(units: NonNullable<GivenJob['units']>): Record<string, string> {
  const named = Object.entries(units);
  return Object.fromEntries(
    named.map(([name, numbers]) => [`TORC_RESOURCE_${name.toUpperCase()}`, numberList(numbers)]),
  );
}

function jobVariables(job: GivenJob, context: LaunchContext): Record<string, string> {
  const { gpuIds, gpuMaker } = context;
  const variables: Record<string, string> = {
    ...cpuVariables(job, context),
    ...job.env,
    TORC_JOB_KEY: job.job_key,
    TORC_JOB_ID: job.job_key,
    TORC_JOB_NAME: job.job_name,
    TORC_RUN_ID: String(job.run_id),
    TORC_ATTEMPT_ID: String(job.attempt_id),
    TORC_ATTEMPT_KEY: String(job.attempt),
    ...(job.units === undefined ? {} : unitVariables(job.units)),
    ...(job.node_indices === undefined ? {} : nodeVariables(job.node_indices, context)),
  };
  // on a node with GPUs, a job that requests none must see none
  if (gpuIds.length > 0) {
    const own = job.gpu_indices.map((index) => gpuIds[index] ?? String(index));
    Object.assign(variables, gpuVariables(gpuMaker, own));
  }
  return Object.assign(variables, context.fileVariables(job), job.variables);
}

/** The end of a job whose process could not be started. */
export function failedLaunch(request: SpawnRequest, code: string | null, message: string): AttemptEnd {
  if (code !== 'E2BIG') return spawnFailed(code, message);
  const detail = `the command is too long for the system (${Buffer.byteLength(request.text)} bytes); put it into a script file`;
  return spawnFailed(code, detail);
}
