/** Jobs of a stored workflow that no allocation can hold, by the rows of its demand. */
import type { ListRecord } from '../../api/contract.ts';
import type { DemandRow } from '../../api/demand.ts';
import { type ChosenNodes, minimumFor, type NodeMinimum } from '../../model/decide/node-minimum.ts';
import type { NodeSize } from '../../model/decide/node-size.ts';
import { hasRoom, idleWorker } from '../../model/decide/packing.ts';
import type { Requirements } from '../../model/job.ts';
import { nodesOfConfig } from '../../model/plan/config-places.ts';
import type { SiteProfile } from '../../model/plan/site.ts';
import { type JudgedConfig, type Unfit, unfitOf } from '../../model/plan/unfit.ts';
import { belongingOf, configOf } from './pool-notes.ts';

/** `mostNodes`: of each worker. */
export function judgedConfig(config: ListRecord, mostNodes: number): JudgedConfig {
  const text = (column: string) => (config[column] === null ? null : String(config[column]));
  return {
    ...configOf(config),
    partition: text('partition'),
    ntasksPerNode: config.ntasks_per_node === null ? null : Number(config.ntasks_per_node),
    mem: text('mem'),
    gres: text('gres'),
    extra: text('extra'),
    walltimeMs: Number(config.walltime_seconds) * 1000,
    mostNodes,
  };
}

/** What a job of the row asks for, without named resources. */
function needOf(row: DemandRow): Requirements {
  return {
    numCpus: row.num_cpus,
    memoryBytes: row.memory_bytes,
    gpuThousandths: Math.round(row.num_gpus * 1000),
    numNodes: row.num_nodes,
    runtimeMs: (row.runtime_seconds ?? 0) * 1000,
    isRuntimeStated: row.runtime_seconds !== null,
    isMemoryStated: true,
  };
}

export function unfitRow(row: DemandRow, configs: readonly JudgedConfig[], site: SiteProfile | null): Unfit | null {
  return unfitOf(
    { need: needOf(row), supportsTermination: row.supports_termination, ...belongingOf(row) },
    configs,
    site,
  );
}

/** Jobs that fit only the larger of the nodes that allocations of a Slurm config may get. */
export interface LargeRows {
  rows: DemandRow[];
  /** With which all of them fit; null where no kind of node is large enough for all. */
  minimum: NodeMinimum | null;
}

/** `numNodes`: of each allocation. */
export function largeRows(
  rows: readonly DemandRow[],
  config: JudgedConfig,
  site: SiteProfile | null,
  numNodes: number,
): LargeRows {
  const { size, nodes } = nodesOfConfig(config, site, null);
  if (size === null) return { rows: [], minimum: null };
  const fitsOn = (row: DemandRow, on: NodeSize): boolean =>
    hasRoom(idleWorker({ ...on, numNodes: config.mostNodes ?? numNodes, maxParallelJobs: null }, null), needOf(row));
  const large = rows.filter((row) => !fitsOn(row, size) && nodes.some((one: ChosenNodes) => fitsOn(row, one)));
  const minimum = minimumFor(nodes, size, numNodes, (one) => large.every((row) => fitsOn(row, one)));
  return { rows: large, minimum };
}
