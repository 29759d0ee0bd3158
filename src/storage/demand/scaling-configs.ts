/** What is known of the nodes that allocations of a workflow's Slurm configs would have. */
import type { ScalingConfig } from '../../model/decide/autoscaling-input.ts';
import { amountsIn, type ResourceSet, resourceSet, resourcesOfGres } from '../../model/named-resources.ts';
import { longestOfPartitions, nodesOfConfig } from '../../model/plan/config-places.ts';
import type { Transaction } from '../database/transaction.ts';
import { latestSite } from './site.ts';

interface ConfigRow {
  partition: string | null;
  num_nodes: number;
  ntasks_per_node: number | null;
  mem: string | null;
  gres: string | null;
  resources: ResourceSet;
  extra: string | null;
}

/** Those of the workflow's Slurm configs, in the order in which they are tried. `only`: the key of the only one that counts. */
export function scalingConfigs(
  tx: Transaction,
  workflowKey: number,
  configs: readonly Omit<ScalingConfig, 'numNodes' | 'size'>[],
  only: number | null,
): ScalingConfig[] {
  const site = latestSite(tx);
  return configs
    .filter(({ key }) => only === null || key === only)
    .toSorted((a, b) => a.key - b.key)
    .flatMap((config) => {
      const row = tx.db.get<ConfigRow>(
        'SELECT partition, num_nodes, ntasks_per_node, mem, gres, extra, resources FROM slurm_configs WHERE slurm_config_key = ?',
        config.key,
      );
      if (row === undefined) return [];
      const { num_nodes, ntasks_per_node, resources, ...texts } = row;
      const named = resourceSet({ ...resourcesOfGres(texts.gres ?? ''), ...amountsIn(resources) });
      const asked = { ...texts, ntasksPerNode: ntasks_per_node, walltimeMs: config.walltimeMs };
      const { size, nodes } = nodesOfConfig(asked, site, shownSize(tx, workflowKey, config.key));
      const walltimeMs = Math.min(config.walltimeMs, longestOfPartitions(asked, site)?.ms ?? config.walltimeMs);
      return [{ ...config, walltimeMs, numNodes: num_nodes, size, nodes, resources: named }];
    });
}

/** What the newest worker of the Slurm config has shown whose allocation asked for no more than the config does. */
function shownSize(tx: Transaction, workflowKey: number, configKey: number): ScalingConfig['size'] {
  const row = tx.db.get<NonNullable<ScalingConfig['size']>>(
    `SELECT n.num_cpus AS numCpus, n.memory_bytes AS memoryBytes, n.num_gpus AS numGpus
     FROM allocations l JOIN compute_nodes n ON n.allocation_key = l.allocation_key
     WHERE l.workflow_key = ? AND l.slurm_config_key = ?
       AND coalesce(l.min_cpus, l.min_memory_bytes, l.min_gpus) IS NULL ORDER BY n.compute_node_key DESC LIMIT 1`,
    workflowKey,
    configKey,
  );
  return row ?? null;
}
