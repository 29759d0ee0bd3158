/** Workflows that consist only of jobs which all ask for the same: from a commands file, or from a command line. */
import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { type ExpandedFailureHandler, type ExpandedJob, type ExpandedWorkflow, noFurtherParts } from '../expanded.ts';
import { defaultRequirements, isGpuCount, type Requirements } from '../job.ts';
import type { Environment } from '../launch.ts';
import { defaultMaxDelayMs } from '../retry.ts';
import { specDefaults } from './defaults.ts';

/** What each job asks for, as typed; nothing else is limited. */
export interface JobNeeds {
  cpus?: number | undefined;
  memory?: string | undefined;
  gpus?: number | undefined;
  nodes?: number | undefined;
  runtime?: string | undefined;
  maxRetries?: number | undefined;
}

export interface PlainJob {
  name: string;
  command: string;
  env?: Environment;
}

/** The workflow of `numJobs` jobs, which are made each time they are iterated. Throws TorcError 'usage' for the needs. */
export function plainWorkflow(
  name: string,
  numJobs: number,
  jobs: Iterable<PlainJob>,
  needs: JobNeeds,
): ExpandedWorkflow {
  const defaults = specDefaults;
  const requirements = requirementsOf(needs);
  const failureHandlers = retriesOf(needs);
  const references = {
    requirements: requirements === null ? null : 0,
    failureHandler: failureHandlers.length === 0 ? null : 0,
  };
  return {
    name,
    description: null,
    project: null,
    metadata: null,
    expirationBufferSeconds: defaults.expirationBufferSeconds,
    waitForNewJobsSeconds: defaults.waitForNewJobsSeconds,
    ignoreWorkflowCompletion: defaults.ignoreWorkflowCompletion,
    waitForHealthyDatabaseMinutes: defaults.waitForHealthyDatabaseMinutes,
    jobsSortMethod: defaults.jobsSortMethod,
    stdio: defaults.stdio,
    maxLosses: defaults.maxLosses,
    terminationSignal: defaults.terminationSignal,
    sigtermLeadSeconds: defaults.sigtermLeadSeconds,
    createOutputFolders: defaults.createOutputFolders,
    requirements: requirements === null ? [] : [{ ...requirements, name: 'default' }],
    files: [],
    userData: [],
    numJobs,
    jobs: { [Symbol.iterator]: () => expanded(jobs, references) },
    numBarriers: 0,
    edges: [],
    ...noFurtherParts,
    failureHandlers,
  };
}

function* expanded(
  jobs: Iterable<PlainJob>,
  { requirements, failureHandler }: Pick<ExpandedJob, 'requirements' | 'failureHandler'>,
): Generator<ExpandedJob> {
  for (const { name, command, env } of jobs) {
    // written out: objects that are spread here cost a million jobs many seconds
    const job: ExpandedJob = {
      name,
      command,
      invocationScript: null,
      requirements,
      failureHandler,
      scheduler: null,
      priority: specDefaults.priority,
      cancelOnBlockingJobFailure: specDefaults.cancelOnBlockingJobFailure,
      supportsTermination: specDefaults.supportsTermination,
      inputFiles: [],
      outputFiles: [],
      inputUserData: [],
      outputUserData: [],
    };
    if (env !== undefined) job.launch = { env };
    yield job;
  }
}

function requirementsOf({ cpus, memory, gpus, nodes, runtime }: JobNeeds): Requirements | null {
  if ([cpus, memory, gpus, nodes, runtime].every((need) => need === undefined)) return null;
  if (cpus !== undefined && !(Number.isSafeInteger(cpus) && cpus > 0)) {
    throw new TorcError('usage', `${cpus} is not a number of CPUs.`, 'Write a whole number, at least 1.');
  }
  if (gpus !== undefined && !isGpuCount(gpus)) {
    throw new TorcError('usage', `${gpus} is not a number of GPUs.`, 'Write a whole number, or a part of one: 0.25.');
  }
  return {
    ...defaultRequirements,
    numCpus: cpus ?? defaultRequirements.numCpus,
    memoryBytes: memory === undefined ? defaultRequirements.memoryBytes : positive(parseMemory(memory), memory),
    gpuThousandths: gpus === undefined ? defaultRequirements.gpuThousandths : Math.round(gpus * 1000),
    numNodes: nodes ?? defaultRequirements.numNodes,
    runtimeMs: runtime === undefined ? defaultRequirements.runtimeMs : positive(parseDuration(runtime), runtime) * 1000,
    isMemoryStated: memory !== undefined,
    isRuntimeStated: runtime !== undefined,
  };
}

function positive(value: number, written: string): number {
  if (value > 0) return value;
  throw new TorcError('usage', `${JSON.stringify(written)} is not more than zero.`, 'Write a value above zero.');
}

/** The failure handler that the retries mean; the same as of jobs with `max_retries` in a specification. */
function retriesOf({ maxRetries }: JobNeeds): ExpandedFailureHandler[] {
  if (maxRetries === undefined) return [];
  const rule = {
    exitCodes: [],
    matchAllExitCodes: true,
    causes: [],
    recoveryScript: null,
    maxRetries,
    ...{ retryDelayMs: 0, retryBackoff: 1, retryMaxDelayMs: defaultMaxDelayMs(0) },
  };
  return [{ name: `max_retries ${maxRetries}`, isPlain: true, rules: [rule] }];
}

/** `job_07`: numbers are padded with zeros to the width of the greatest, so that sorting as text keeps their order. */
export function numberedName(number: number, greatest: number): string {
  return `job_${String(number).padStart(String(greatest).length, '0')}`;
}
