/** One step of an autoscaler, in one transaction: it looks, decides, and records the first thing that it does. */
import { createHash } from 'node:crypto';
import type { Reply } from '../../api/contract.ts';
import type { ScalingDecision } from '../../model/decide/autoscaling.ts';
import type { WantedAllocation } from '../../model/decide/autoscaling-input.ts';
import { minimumRecord } from '../../model/decide/node-minimum.ts';
import { recordAllocations } from '../../storage/authoring/allocations.ts';
import {
  canceledBy,
  lookAtScaling,
  nextAllocationKey,
  noteAutoscaled,
  noteCancels,
  slurmJobOf,
  storeLook,
} from '../../storage/authoring/autoscaling.ts';
import { findSlurmConfig } from '../../storage/authoring/slurm-configs.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { Autoscaler } from '../../storage/running/autoscalers.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import type { ServerContext } from '../context.ts';
import { type Batch, recordOf, type Submission } from './submission.ts';

export interface ScalingStep {
  /** Slurm jobs to cancel while they are queued. */
  cancel: string[];
  /** Recorded, to be submitted; null for none. */
  submission: Submission | null;
}

export type StepContext = Pick<ServerContext, 'info' | 'usualRuntimeMs'>;

/** `callsAgainAt`: when Slurm's commands may be called again, in milliseconds UTC; null for now. */
export function scalingStep(
  tx: Transaction,
  context: StepContext,
  workflowKey: number,
  callsAgainAt: number | null,
): ScalingStep {
  const nothing: ScalingStep = { cancel: [], submission: null };
  const look = lookAtScaling(tx, workflowKey, context.usualRuntimeMs);
  if (look === null) return nothing;
  storeLook(tx, look, callsAgainAt);
  if (callsAgainAt !== null) return nothing;
  const cancel = noteCancels(tx, workflowKey, look.decision.cancel);
  const submission = recordFirst(tx, context, look.autoscaler, look.decision);
  return { cancel, submission };
}

/** Counted and recorded in one transaction: so the caps hold at every instant. */
function recordFirst(
  tx: Transaction,
  { info }: StepContext,
  autoscaler: Autoscaler,
  { submit }: ScalingDecision,
): ScalingStep['submission'] {
  const [wanted] = submit;
  const batch = wanted === undefined ? null : batchOf(tx, info.directory, autoscaler, wanted);
  if (wanted === undefined || batch === null) return null;
  const name = nameOf(info, autoscaler.workflowKey, nextAllocationKey(tx));
  const [key] = recordAllocations(tx, recordOf(batch, name));
  if (key === undefined) return null;
  noteAutoscaled(tx, key, wanted);
  return { batch, name, allocationKey: String(key) };
}

/** Null when the Slurm config is gone, or when it is not known yet which Slurm job comes before it. */
function batchOf(
  tx: Transaction,
  serverDirectory: string,
  { workflowKey, outputDirectory, maxParallelJobs }: Autoscaler,
  { config: configKey, numNodes, oneWorkerPerNode, walltimeMs, minimum, after }: WantedAllocation,
): Batch | null {
  const config = findSlurmConfig(tx, configKey);
  const before = after === null ? null : slurmJobOf(tx, after);
  if (config === null || (after !== null && before === null)) return null;
  return {
    workflowKey: String(workflowKey),
    config: { ...config, num_nodes: numNodes, walltime_seconds: Math.ceil(walltimeMs / 1000) },
    serverDirectory,
    outputDirectory,
    workingDirectory: getWorkflow(tx, workflowKey).baseDirectory,
    maxParallelJobs,
    pollIntervalSeconds: null,
    oneWorkerPerNode,
    minimum: minimumRecord(minimum),
    keepScripts: false,
    isReplaced: true,
    ...(before === null ? {} : { after: before }),
  };
}

/** Unique among all Slurm jobs of the user: keys of allocations are not given again, and the database is part of it. */
export function nameOf(
  { directory, identity }: StepContext['info'],
  workflowKey: number,
  allocationKey: number,
): string {
  const facts = [directory, identity, workflowKey, 'autoscaler', allocationKey];
  const digest = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 8);
  return `worker_${workflowKey}_${digest}`;
}

/** All that an autoscaler would do now, without the limit on calls; the caller takes it back. */
export function rehearseScaling(
  tx: Transaction,
  context: StepContext,
  workflowKey: number,
): Reply<'workflow_autoscale'>['allocations'] {
  const look = lookAtScaling(tx, workflowKey, context.usualRuntimeMs);
  if (look === null) return [];
  storeLook(tx, look, null);
  const { decision, input } = look;
  const configName = (key: number): string | null => input.configs.find((one) => one.key === key)?.name ?? null;
  const canceled = canceledBy(tx, decision.cancel).map(
    ({ name, slurm_job_id, num_nodes, config, walltime_ms, ...minimum }) => ({
      action: 'cancel' as const,
      name,
      slurm_config: configName(config),
      num_nodes,
      walltime_seconds: Math.ceil(walltime_ms / 1000),
      minimum: minimumRecord(minimum),
      slurm_job_id,
    }),
  );
  const firstKey = nextAllocationKey(tx);
  const submitted = decision.submit.map(({ config, numNodes, walltimeMs, minimum }, at) => ({
    action: 'submit' as const,
    name: nameOf(context.info, workflowKey, firstKey + at),
    slurm_config: configName(config),
    num_nodes: numNodes,
    walltime_seconds: Math.ceil(walltimeMs / 1000),
    minimum: minimumRecord(minimum),
    slurm_job_id: null,
  }));
  return [...canceled, ...submitted];
}
