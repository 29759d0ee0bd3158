/**
 * The only way to submit an allocation: recorded before sbatch and confirmed after it, so that a crash leaves none
 * unknown.
 */
import { dirname, join } from 'node:path';
import type { Api, ListRecord, Request } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { claimOutputs } from '../../base/output-owner.ts';
import { programPath } from '../../base/program.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { makePrivateFolder, replacePrivateFile } from '../../base/trusted/private.ts';
import type { SlurmCommands } from '../../slurm/commands.ts';
import { allocationScript, type SlurmConfig, slurmOutputDirectory } from '../../slurm/script.ts';
import { isOutcomeUnknown } from '../../slurm/submit-errors.ts';

import type { ServerContext } from '../context.ts';

/** Workers end by themselves before Slurm's own warning, which matters only when a time limit was lowered. */
const warningSeconds = 30;

type Minimum = NonNullable<Request<'allocations_record'>['allocations'][number]['minimum']>;

/** What all allocations of one submission share. */
export interface Batch {
  workflowKey: string;
  /** A row of the list of Slurm configs. */
  config: ListRecord;
  serverDirectory: string;
  outputDirectory: string;
  /** Where workers and jobs start; null for this process's directory. */
  workingDirectory: string | null;
  maxParallelJobs: number | null;
  pollIntervalSeconds: number | null;
  oneWorkerPerNode: boolean;
  /** What each node must have at least, where that is more than the config asks for; null or missing for nothing. */
  minimum?: Minimum | null;
  keepScripts: boolean;
  /** Slurm does not start it again after a failure: whoever submitted it asks for another one. */
  isReplaced?: boolean;
  /** The Slurm job after whose end it starts. */
  after?: string;
}

/** The sbatch script of one allocation. Throws TorcError 'usage' for a value that a Slurm script cannot contain. */
export function batchScript(batch: Batch, name: string, allocationKey: string): string {
  return allocationScript(withMinimum(slurmConfigOf(batch.config), batch.minimum ?? null), {
    jobName: name,
    outputDirectory: batch.outputDirectory,
    workingDirectory: batch.workingDirectory,
    nodeBinary: process.execPath,
    torcMain: programPath(),
    serverDirectory: batch.serverDirectory,
    workflowKey: batch.workflowKey,
    allocationKey,
    maxParallelJobs: batch.maxParallelJobs,
    pollIntervalSeconds: batch.pollIntervalSeconds,
    oneWorkerPerNode: batch.oneWorkerPerNode,
    warningSeconds,
    isReplaced: batch.isReplaced ?? false,
    after: batch.after ?? null,
  });
}

function slurmConfigOf(config: ListRecord): SlurmConfig {
  const text = (column: string) => (config[column] === null ? null : String(config[column]));
  return {
    account: text('account') ?? '',
    partition: text('partition'),
    qos: text('qos'),
    walltimeSeconds: Number(config.walltime_seconds),
    numNodes: Number(config.num_nodes),
    ntasksPerNode: config.ntasks_per_node === null ? null : Number(config.ntasks_per_node),
    mem: text('mem'),
    tmp: text('tmp'),
    gres: text('gres'),
    extra: text('extra'),
  };
}

/** Slurm chooses among the nodes that have as much; of their memory it gives no more than is asked for. */
function withMinimum(config: SlurmConfig, minimum: Minimum | null): SlurmConfig {
  if (minimum === null) return config;
  const { num_cpus, memory_bytes, num_gpus } = minimum;
  return {
    ...config,
    minCpus: num_cpus,
    ...(memory_bytes === null ? {} : { mem: `${Math.floor(memory_bytes / 1024 ** 2)}M` }),
    ...(num_gpus === null ? {} : { gres: `gpu:${num_gpus}` }),
  };
}

/** Its calls are the server's own: no person has asked for them. */
export function byServer(context: Pick<Api, 'call'>): Api {
  return {
    call: (endpoint, request, options) => context.call(endpoint, request, { ...options, isByServer: true }),
    close: async () => {},
  };
}

/** Creates the folders that Slurm and workers write to. Throws TorcError 'usage', or 'conflict' for one that is not ours. */
export function makeDirectories({
  serverDirectory,
  outputDirectory,
}: Pick<Batch, 'serverDirectory' | 'outputDirectory'>): void {
  makePrivateFolder(slurmOutputDirectory(serverDirectory));
  try {
    makeFolders(outputDirectory);
  } catch (error) {
    throw new TorcError(
      'usage',
      `cannot create the output directory ${outputDirectory}: ${asTorcError(error).message}`,
      'Choose another with -o/--output.',
    );
  }
  claimOutputs(outputDirectory, serverDirectory);
}

/** Records an allocation under a unique name; throws 'conflict' when the name is taken. Returns its key. */
export async function recordAllocation(api: Api, batch: Batch, name: string): Promise<string> {
  const { allocation_keys } = await api.call('allocations_record', recordOf(batch, name));
  return allocation_keys[0] ?? '';
}

/** The request that records an allocation. */
export function recordOf(batch: Batch, name: string): Request<'allocations_record'> {
  return {
    workflow_key: batch.workflowKey,
    slurm_config_key: String(batch.config.slurm_config_key),
    allocations: [
      {
        name,
        num_nodes: Number(batch.config.num_nodes),
        one_worker_per_node: batch.oneWorkerPerNode,
        ...(batch.minimum == null ? {} : { minimum: batch.minimum }),
        script_path: scriptPath(batch, name),
        output_directory: batch.outputDirectory,
      },
    ],
  };
}

/** Where a script is kept on request. It is never read again, and lies where nobody else could change it. */
function scriptPath({ serverDirectory }: Batch, name: string): string {
  return join(serverDirectory, 'slurm_scripts', `${name}.sbatch`);
}

function keepScript(path: string, script: string): void {
  makePrivateFolder(dirname(path));
  replacePrivateFile(path, script);
}

/**
 * Submits a recorded allocation and notes what sbatch answered. Throws TorcError 'slurm' when Slurm refuses it; when
 * sbatch's reply was lost it stays recorded, so that it can still be found by its name.
 */
export async function submitRecorded(
  api: Api,
  slurm: SlurmCommands,
  batch: Batch,
  { name, allocationKey }: { name: string; allocationKey: string },
): Promise<{ slurmJobId: string; notice: string | null }> {
  const script = batchScript(batch, name, allocationKey);
  if (batch.keepScripts) keepScript(scriptPath(batch, name), script);
  const confirm = (slurmJobId: string | null, cluster: string | null, error: string | null) =>
    api.call('allocation_confirm', { allocation_key: allocationKey, slurm_job_id: slurmJobId, cluster, error });
  try {
    const { slurmJobId, cluster, notice } = await slurm.sbatch(script, {
      jobName: name,
      ...(batch.workingDirectory === null ? {} : { workingDirectory: batch.workingDirectory }),
    });
    await confirm(slurmJobId, cluster, null);
    return { slurmJobId, notice };
  } catch (error) {
    const isRefused = error instanceof TorcError && error.code === 'slurm' && !isOutcomeUnknown(error);
    if (isRefused) await confirm(null, null, error.message);
    throw error;
  }
}

/** A recorded allocation that the server submits by itself. */
export interface Submission {
  batch: Batch;
  name: string;
  allocationKey: string;
}

/** Whether Slurm has it now; `calls` is called before its command is. Throws what is not about the allocation. */
export async function trySubmission(
  context: Pick<ServerContext, 'call' | 'info' | 'machine'>,
  { batch, name, allocationKey }: Submission,
  calls: () => void = () => {},
): Promise<boolean> {
  const { log, directory } = context.info;
  const api = byServer(context);
  try {
    makeDirectories(batch);
    batchScript(batch, name, allocationKey);
  } catch (error) {
    const { message } = asTorcError(error);
    const refused = { slurm_job_id: null, cluster: null, error: message };
    await api.call('allocation_confirm', { allocation_key: allocationKey, ...refused });
    log.warn({ allocation: name, directory, reason: message }, 'an allocation could not be submitted');
    return false;
  }
  calls();
  try {
    await submitRecorded(api, context.machine.slurm, batch, { name, allocationKey });
    return true;
  } catch (error) {
    const { code, message } = asTorcError(error);
    if (code !== 'slurm') throw error;
    log.warn({ allocation: name, reason: message, is_unknown: isOutcomeUnknown(error) }, 'sbatch failed');
    return false;
  }
}
