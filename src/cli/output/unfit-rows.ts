/** Jobs of a stored workflow that no allocation can hold, by the rows of its demand. */
import type { ListRecord } from '../../api/contract.ts';
import type { DemandRow } from '../../api/demand.ts';
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

export function unfitRow(row: DemandRow, configs: readonly JudgedConfig[], site: SiteProfile | null): Unfit | null {
  const need = {
    numCpus: row.num_cpus,
    memoryBytes: row.memory_bytes,
    gpuThousandths: Math.round(row.num_gpus * 1000),
    numNodes: row.num_nodes,
    runtimeMs: (row.runtime_seconds ?? 0) * 1000,
    isRuntimeStated: row.runtime_seconds !== null,
    isMemoryStated: true,
  };
  return unfitOf({ need, supportsTermination: row.supports_termination, ...belongingOf(row) }, configs, site);
}
