// Planning allocations for many jobs of many shapes on a made-up cluster of 50 nodes: groups, numbers, walltimes, simulation.
import { buildGraph } from '../../dist/model/graph/graph.js';
import { groupsOf, mostPlannedGroups } from '../../dist/model/plan/groups.js';
import { planAllocations } from '../../dist/model/plan/plan.js';
import { row } from '../report.mjs';
import { progress, repeat, secondsOf } from '../support.mjs';

const budget = { atMost: 5 };
const gib = 1024 ** 3;

const partition = {
  name: 'main',
  is_default: true,
  is_up: true,
  max_time_seconds: 48 * 3600,
  default_time_seconds: null,
  max_nodes: null,
  min_nodes: 0,
  max_cpus_per_node: null,
  max_memory_bytes_per_node: null,
  gives_whole_nodes: true,
  qos: null,
  allowed_qos: null,
  allowed_accounts: null,
  nodes: [
    {
      ...{ num_nodes: 50, num_usable: 50, num_idle: 50, num_cpus: 104, memory_bytes: 240 * gib, gpus: [] },
      ...{ sockets: 2, cores_per_socket: 52, threads_per_core: 1 },
    },
  ],
};
export const site = { cluster: 'made_up', slurm_version: null, partitions: [partition] };

/** Shapes of 1 to 8 CPUs, up to 16 GiB and 5 to 60 minutes. */
function shapesOf(count) {
  return Array.from({ length: count }, (_, n) => {
    const runtimeMs = (5 + ((n * 37) % 56)) * 60_000;
    const need = { numCpus: 1 + (n % 8), memoryBytes: (1 + ((n * 11) % 16)) * gib, gpuThousandths: 0, numNodes: 1 };
    return {
      need: { ...need, runtimeMs, isMemoryStated: true, isRuntimeStated: true },
      runtimeMs: runtimeMs * 0.8,
      isRuntimeKnown: true,
      priority: 0,
      sortRank: n,
      supportsTermination: false,
      labels: '',
    };
  });
}

export async function planning({ isFull, runs }) {
  const rows = [];
  for (const numJobs of isFull ? [100_000, 1_000_000] : [100_000]) {
    const shapes = shapesOf(200);
    const shapeOf = Int32Array.from({ length: numJobs }, (_, job) => job % shapes.length);
    const options = { maxNodes: null, maxAllocations: null, maxWalltimeMs: null, partition: null };
    const samples = await repeat(Math.min(runs, 3), () =>
      secondsOf(() => {
        const graph = buildGraph(numJobs, 0, []);
        const groups = groupsOf({ numJobs, graph, shapeOf, shapes }, mostPlannedGroups);
        const rules = { bufferMs: 180_000, idleMs: 90_000 };
        const plan = planAllocations(groups, site, rules, { ...options, maxParallelJobs: null, queueMs: 0 });
        if (plan.left.length + plan.misfits.length > 0) throw new Error('jobs are left out');
      }),
    );
    progress(`${numJobs} jobs planned`);
    rows.push(row(`plan allocations for ${numJobs} jobs of 200 shapes`, samples, 's', { budget }));
  }
  return rows;
}
