/** A cluster with a partition of plain nodes and one of nodes with GPUs. */
import type { SiteProfile } from '../../src/model/plan/site.ts';

const gib = 1024 ** 3;

const noLimits = {
  is_up: true,
  default_time_seconds: null,
  max_nodes: null,
  min_nodes: 0,
  max_cpus_per_node: null,
  max_memory_bytes_per_node: null,
  gives_whole_nodes: false,
  qos: null,
  allowed_qos: null,
  allowed_accounts: null,
};
const node = { sockets: 2, cores_per_socket: 16, threads_per_core: 1 };

export const siteExample: SiteProfile = {
  cluster: 'kite',
  slurm_version: '24.11.5',
  partitions: [
    {
      ...noLimits,
      name: 'main',
      is_default: true,
      max_time_seconds: 4 * 3600,
      nodes: [
        { ...node, num_nodes: 40, num_usable: 40, num_idle: 12, num_cpus: 32, memory_bytes: 128 * gib, gpus: [] },
      ],
    },
    {
      ...noLimits,
      name: 'gpu',
      is_default: false,
      max_time_seconds: 86_400,
      max_nodes: 4,
      nodes: [
        {
          ...node,
          ...{ num_nodes: 8, num_usable: 8, num_idle: 0, num_cpus: 32, memory_bytes: 512 * gib },
          gpus: [{ type: 'h100', count: 4 }],
        },
      ],
    },
  ],
};
