/** Nodes that a workflow will still ask for by itself: by its autoscaler, and by its actions that have not fired. */
import type { ScalingConfig } from '../../model/decide/autoscaling-input.ts';
import type { NodesToCome } from '../../model/decide/nodes-to-come.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ActionDefinition } from '../running/actions.ts';
import { findAutoscaler } from '../running/autoscalers.ts';
import { scalingConfigs } from './scaling-configs.ts';

type Config = Omit<ScalingConfig, 'numNodes' | 'size'>;

export function nodesToCome(
  tx: Transaction,
  workflowKey: number,
  configs: readonly Config[],
  { hasStarted, leadMs }: { hasStarted: boolean; leadMs: number },
): NodesToCome {
  const scaler = findAutoscaler(tx, workflowKey);
  const pending = pendingActions(tx, workflowKey, hasStarted);
  if (scaler === null && pending.length === 0) return { autoscaler: null, actions: [], leadMs };
  const all = scalingConfigs(tx, workflowKey, configs, null);
  const only = scaler?.slurmConfigKey ?? null;
  return {
    autoscaler: scaler && {
      caps: scaler,
      configs: only === null ? all : all.filter(({ key }) => key === only),
      maxParallelJobs: scaler.maxParallelJobs,
    },
    actions: pending.flatMap(({ scheduler, start_one_worker_per_node, max_parallel_jobs }) => {
      return all
        .filter(({ name }) => name === scheduler)
        .map((config) => ({
          config,
          oneWorkerPerNode: start_one_worker_per_node,
          maxParallelJobs: max_parallel_jobs,
        }));
    }),
    leadMs,
  };
}

/** Those that ask for nodes: at the start of the run that is to come, and when jobs are ready or done that are not yet. */
function pendingActions(tx: Transaction, workflowKey: number, hasStarted: boolean): ActionDefinition[] {
  return tx.db
    .all<{ definition: string }>(
      `SELECT definition FROM actions WHERE workflow_key = ? AND action_type = 'schedule_nodes'
         AND (num_unmet > 0 OR (trigger_type = 'on_workflow_start' AND ? = 0))`,
      workflowKey,
      hasStarted ? 1 : 0,
    )
    .map(({ definition }) => JSON.parse(definition) as ActionDefinition);
}
