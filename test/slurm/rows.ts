/** What torc's lists and plans print as JSON, as far as these tests look at it. */
import type { ListRecord } from '../../src/api/contract.ts';

export interface ResultRow extends ListRecord {
  job_key: string;
  job_name: string;
  attempt_id: number;
  status: string;
  return_code: number | null;
  cause: string;
  start_time: string;
  end_time: string;
  peak_memory_bytes: number | null;
  hostname: string;
  slurm_job_id: string;
  compute_node_key: string;
  num_cpus: number;
  memory_bytes: number;
  gpu_indices: number[] | null;
  detail: string | null;
}

export interface ComputeNodeRow extends ListRecord {
  compute_node_key: string;
  hostname: string;
  slurm_job_id: string;
  num_cpus: number;
  memory_bytes: number;
  num_gpus: number;
  is_active: boolean;
  num_running: number;
  started_at: string;
  ended_at: string | null;
}

export interface JobRow extends ListRecord {
  job_key: string;
  name: string;
  status: string;
  cause: string | null;
  orphaned: boolean;
  hostname: string | null;
  slurm_job_id: string | null;
}

export interface AllocationRow extends ListRecord {
  min_cpus: number | null;
  min_memory_bytes: number | null;
  min_gpus: number | null;
  allocation_key: string;
  name: string;
  status: string;
  slurm_job_id: string | null;
  error: string | null;
}

export interface Scheduled {
  starts_server: boolean;
  allocations: { name: string; script: string; slurm_job_id: string }[];
}
