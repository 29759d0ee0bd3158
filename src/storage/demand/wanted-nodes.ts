/** The nodes that the ready jobs of a workflow need beyond what is there, once: not as an autoscaler does, again and again. */
import type { Recovered } from '../../api/contract.ts';
import { decideScaling } from '../../model/decide/autoscaling.ts';
import type { WantedAllocation } from '../../model/decide/autoscaling-input.ts';
import { defaultMaxNodes, mostOfAutoscaler } from '../../model/decide/autoscaling-maximum.ts';
import { minimumRecord } from '../../model/decide/node-minimum.ts';
import type { Transaction } from '../database/transaction.ts';
import { type Autoscaler, findAutoscaler } from '../running/autoscalers.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { readScalingInput } from './scaling.ts';

export type WantedNodes = Pick<Recovered, 'nodes_by' | 'nodes' | 'output_directory'>;

/** Of the Slurm configs that earlier allocations had, the newest first, and of those that ready jobs name. */
export function wantedNodes(tx: Transaction, workflowKey: number, usualRuntime: UsualRuntime): WantedNodes {
  const { by, outputDirectory, numNodes, used } = sourceOfNodes(tx, workflowKey);
  const none = { nodes_by: by, nodes: [], output_directory: outputDirectory };
  if (by !== 'earlier' || outputDirectory === null) return none;
  const input = readScalingInput(tx, onceFor(tx, workflowKey, { outputDirectory, numNodes }), usualRuntime);
  const named = input.waiting.map(({ slurmConfigKey }) => slurmConfigKey);
  const configs = [...new Set([...used, ...named])].flatMap((key) => input.configs.filter((one) => one.key === key));
  const { submit } = decideScaling({ ...input, configs });
  const groups = new Map<string, { wanted: WantedAllocation; count: number }>();
  for (const wanted of submit) {
    const { config, numNodes, oneWorkerPerNode, minimum } = wanted;
    const id = JSON.stringify([config, numNodes, oneWorkerPerNode, minimumRecord(minimum)]);
    groups.set(id, { wanted, count: (groups.get(id)?.count ?? 0) + 1 });
  }
  const nodes = [...groups.values()].map(({ wanted, count }) => ({
    slurm_config_key: String(wanted.config),
    slurm_config: configs.find(({ key }) => key === wanted.config)?.name ?? '',
    num_allocations: count,
    num_nodes: wanted.numNodes,
    one_worker_per_node: wanted.oneWorkerPerNode,
    minimum: minimumRecord(wanted.minimum),
  }));
  return { ...none, nodes };
}

interface Source {
  by: WantedNodes['nodes_by'];
  outputDirectory: string | null;
  /** Of all earlier allocations. */
  numNodes: number;
  used: number[];
}

function sourceOfNodes(tx: Transaction, workflowKey: number): Source {
  const used = tx.db.all<{ config: number; nodes: number; output: string }>(
    `SELECT slurm_config_key AS config, sum(num_nodes) AS nodes, output_directory AS output, max(allocation_key)
     FROM allocations WHERE workflow_key = ? AND status <> 'refused' GROUP BY slurm_config_key ORDER BY 4 DESC`,
    workflowKey,
  );
  const source = {
    outputDirectory: used[0]?.output ?? null,
    numNodes: used.reduce((sum, { nodes }) => sum + nodes, 0),
    used: used.map(({ config }) => config),
  };
  if (findAutoscaler(tx, workflowKey) !== null) return { ...source, by: 'autoscaler' };
  // with the run that begins, they ask for nodes again
  const action = tx.db.get(
    `SELECT 1 FROM actions WHERE workflow_key = ? AND action_type = 'schedule_nodes' AND trigger_type = 'on_workflow_start'
       AND json_extract(definition, '$.scheduler') IS NOT NULL`,
    workflowKey,
  );
  if (action !== undefined) return { ...source, by: 'actions' };
  return { ...source, by: used.length === 0 ? 'nobody' : 'earlier' };
}

/** At most as many nodes as the workflow has had in all, or as an autoscaler has by default. */
function onceFor(
  tx: Transaction,
  workflowKey: number,
  { outputDirectory, numNodes }: { outputDirectory: string; numNodes: number },
): Autoscaler {
  return {
    workflowKey,
    minNodes: 0,
    maxNodes: Math.max(defaultMaxNodes, numNodes),
    maxQueued: mostOfAutoscaler,
    walltimeMs: null,
    nodesPerAllocation: null,
    isChain: false,
    idleMs: 0,
    slurmConfigKey: null,
    maxParallelJobs: null,
    outputDirectory,
    // failed starts of the past are forgiven
    setAt: tx.now + 1,
    decision: null,
  };
}
