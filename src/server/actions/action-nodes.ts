/**
 * Allocations that an action requests. Each has a name derived from the firing and is recorded under that name before
 * it is submitted, so a second attempt finds the first one in the database and in Slurm's queue.
 */
import { createHash } from 'node:crypto';
import type { ListRecord } from '../../api/contract.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { isOutcomeUnknown } from '../../slurm/submit-errors.ts';
import { recordAllocations } from '../../storage/authoring/allocations.ts';
import { exceededMaximum } from '../../storage/authoring/autoscaling.ts';
import type { Firing } from '../../storage/running/actions.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';
import { type Batch, byServer, makeDirectories, recordOf, submitRecorded } from './submission.ts';

/** A null result means that the outcome is unknown and must be checked again. */
export interface Scheduled {
  result: { slurm_job_ids: string[]; note?: string } | null;
  error: string | null;
}

/** Thrown when Slurm did not say whether it has the allocation. */
class NotKnown extends Error {}

/** Thrown when an autoscaler of the workflow allows no more nodes: it asks for what is needed. */
class AtMaximum extends Error {}

/** Submits those allocations of a firing that are missing. Throws TorcError when that can never succeed. */
export async function scheduleNodes(context: ServerContext, firing: Firing): Promise<Scheduled> {
  const workflowKey = String(firing.workflowKey);
  const workflow = await context.call('workflow_show', { workflow_key: workflowKey });
  const config = await findConfig(context, workflowKey, firing.scheduler ?? '');
  const batch: Batch = {
    workflowKey,
    config,
    serverDirectory: context.info.directory,
    outputDirectory: firing.outputDirectory,
    workingDirectory: firing.workingDirectory,
    maxParallelJobs: firing.max_parallel_jobs,
    pollIntervalSeconds: null,
    oneWorkerPerNode: firing.start_one_worker_per_node,
    keepScripts: false,
  };
  makeDirectories(batch);
  const ids: string[] = [];
  try {
    for (let at = 0; at < firing.num_allocations; at += 1) {
      const facts = [context.info.directory, workflowKey, workflow.created_at, 'firing', firing.firingKey, at];
      const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 12);
      ids.push(await submitOnce(context, batch, `torc_${workflowKey}_${digest}`));
    }
  } catch (thrown) {
    if (thrown instanceof NotKnown || isOutcomeUnknown(thrown)) {
      return { result: null, error: thrown instanceof Error ? thrown.message : null };
    }
    if (thrown instanceof AtMaximum) return { result: { slurm_job_ids: ids, note: thrown.message }, error: null };
    const { code, message } = asTorcError(thrown);
    // the work was done or the workflow canceled before the nodes were requested
    const isNeedless =
      code === 'already_complete' || (code === 'conflict' && getWorkflow(context.view, firing.workflowKey).isCanceled);
    if (isNeedless) return { result: { slurm_job_ids: ids, note: `not scheduled: ${message}` }, error: null };
    return { result: { slurm_job_ids: ids }, error: message };
  }
  return { result: { slurm_job_ids: ids }, error: null };
}

async function findConfig(context: ServerContext, workflowKey: string, name: string): Promise<ListRecord> {
  const [config] = await find(context, 'slurm_configs', workflowKey, name);
  if (config !== undefined) return config;
  throw new TorcError(
    'not_found',
    `workflow ${workflowKey} has no Slurm config '${name}'`,
    'torc hpc slurm list-configs',
  );
}

async function find(
  context: ServerContext,
  list: 'slurm_configs' | 'allocations',
  workflowKey: string,
  name: string,
): Promise<ListRecord[]> {
  const { records } = await context.call('list', {
    list,
    workflow_key: workflowKey,
    filters: [{ column: 'name', value: name }],
    sort_by: null,
    reverse: false,
    limit: 1,
    skip: 0,
  });
  return records;
}

/** Records it in the transaction that has counted, so that the maximum of an autoscaler holds for both. */
async function recordWithin(context: ServerContext, batch: Batch, name: string): Promise<string> {
  const recorded = await context.write((tx) => {
    const maximum = exceededMaximum(tx, Number(batch.workflowKey), Number(batch.config.num_nodes));
    return maximum === null ? { key: recordAllocations(tx, recordOf(batch, name))[0] } : { maximum };
  });
  if (recorded.maximum === undefined) return String(recorded.key);
  throw new AtMaximum(`not scheduled: the maximum of the autoscaler is ${counted(recorded.maximum, 'node')}`);
}

/** The id of the Slurm job with this name, which is submitted unless that was done before. */
async function submitOnce(context: ServerContext, batch: Batch, name: string): Promise<string> {
  const { slurm } = context.machine;
  const api = byServer(context);
  const [known] = await find(context, 'allocations', batch.workflowKey, name);
  if (known === undefined) {
    const allocationKey = await recordWithin(context, batch, name);
    const { slurmJobId } = await submitRecorded(api, slurm, batch, { name, allocationKey });
    return slurmJobId;
  }
  if (known.slurm_job_id !== null) return String(known.slurm_job_id);
  if (known.status !== 'recorded') throw new TorcError('slurm', String(known.error ?? `allocation ${name} never ran`));
  const allocationKey = String(known.allocation_key);
  const queue = await slurm.squeue({ names: [name] });
  if (queue.kind === 'failed') throw new NotKnown(queue.reason);
  const [job] = queue.value.records.filter((record) => record.name === name);
  if (job === undefined) {
    return (await submitRecorded(api, slurm, batch, { name, allocationKey })).slurmJobId;
  }
  await api.call('allocation_confirm', {
    allocation_key: allocationKey,
    slurm_job_id: job.slurmJobId,
    cluster: null,
    error: null,
  });
  return job.slurmJobId;
}
