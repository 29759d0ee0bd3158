/** `torc hpc slurm site show|refresh`: what the cluster offers. */
import type { StoredSite } from '../../api/sites.ts';
import { formatMemory } from '../../base/units.ts';
import { numGpusOf } from '../../model/plan/nodes.ts';
import type { NodeKind, Partition } from '../../model/plan/site.ts';
import { formatWalltime } from '../../slurm/script.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import { currentSite, refreshSite } from '../input/site.ts';
import { cutTable, printResult } from '../output/output.ts';
import { cellText } from '../output/table.ts';

export async function showSite(context: Context): Promise<void> {
  const site = await withConnection(context, ({ api }) => currentSite(context, api), { creates: true });
  await printSite(context, site);
}

export async function refreshStoredSite(context: Context): Promise<void> {
  const site = await withConnection(context, ({ api }) => refreshSite(context, api), { creates: true });
  await printSite(context, site);
}

async function printSite(context: Context, site: StoredSite): Promise<void> {
  await printResult(context, site, () => {
    const version = site.slurm_version === null ? '' : `, Slurm ${site.slurm_version}`;
    const head = `cluster ${cellText(site.cluster)}${version}, as of ${cellText(site.refreshed_at)}\n`;
    if (site.partitions.length === 0) return `${head}it has no partition that you may see\n`;
    const records = site.partitions.flatMap((partition) => {
      const kinds: (NodeKind | null)[] = partition.nodes.length === 0 ? [null] : partition.nodes;
      return kinds.map((kind) => lineOf(partition, kind));
    });
    return head + cutTable(context, columns, records);
  });
}

const columns = [
  'partition',
  'nodes',
  'usable',
  'idle',
  'cpus',
  'memory',
  'gpus',
  'max_time',
  'max_nodes',
  'default_time',
  'qos',
];

/** One kind of nodes. */
function lineOf(partition: Partition, kind: NodeKind | null): Record<string, unknown> {
  const { name, is_default, is_up, max_time_seconds, default_time_seconds } = partition;
  return {
    partition: `${name}${is_default ? '*' : ''}${is_up ? '' : ' (down)'}`,
    nodes: kind?.num_nodes ?? 0,
    usable: kind?.num_usable ?? 0,
    idle: kind?.num_idle ?? 0,
    cpus: kind?.num_cpus ?? null,
    memory: kind === null ? null : formatMemory(kind.memory_bytes),
    gpus: kind === null || numGpusOf(kind) === 0 ? null : gpusText(kind),
    max_time: timeText(max_time_seconds),
    default_time: timeText(default_time_seconds),
    max_nodes: partition.max_nodes,
    qos: partition.qos,
  };
}

function gpusText({ gpus }: NodeKind): string {
  return gpus.map(({ type, count }) => (type === null ? String(count) : `${count} ${type}`)).join(', ');
}

function timeText(seconds: number | null): string | null {
  return seconds === null || seconds === 0 ? null : formatWalltime(seconds);
}
