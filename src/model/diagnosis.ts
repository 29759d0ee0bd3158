/** Why a claimed job has no result: the evidence about its worker and allocation, weighed into one answer. */
import type { Cause } from './status.ts';

/** Words as they are stored with the attempt and shown to programs. Instants are ISO 8601 UTC, sizes bytes. */
export interface Diagnosis {
  /** Null while nothing says how it ended. */
  cause: Cause | null;
  /** One or two sentences for people. */
  explanation: string;
  /**
   * `running`: its worker is heard from. `lost_contact`: the worker is silent and nothing shows that it is gone.
   * `gone`: its processes are known to have ended.
   */
  process: 'running' | 'lost_contact' | 'gone';
  slurm_job_id: string | null;
  /** Slurm's own word, such as OUT_OF_MEMORY or `CANCELLED by 1000`. */
  slurm_state: string | null;
  slurm_reason: string | null;
  hostname: string | null;
  compute_node_key: string | null;
  last_heartbeat: string | null;
  /** The most memory that was seen before contact ended. */
  peak_memory_bytes: number | null;
  requested_memory_bytes: number | null;
  node_memory_bytes: number | null;
  /** When memory ran out: whether this job most exceeded its request, or another one beside it. */
  role: 'culprit' | 'victim' | null;
  culprit_job_key: string | null;
  culprit_job_name: string | null;
  /** A request that would have fitted. */
  suggested_memory_bytes: number | null;
  /** What could not be found out, each as a sentence. */
  unknown: string[];
}
