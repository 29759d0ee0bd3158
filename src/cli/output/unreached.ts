/** Workers that reach no address of the server, by the notes that they leave in the server directory. */
import { readRelay, readUnreachedNotes } from '../../api/network.ts';

export interface UnreachedWorker {
  hostname: string;
  slurm_job_id: string | null;
  workflow_key: string;
  /** Each address that was tried, and why it failed. */
  problem: string;
  /** Why the relay of its allocation does not run; null when it does, or none was started. */
  relay_problem: string | null;
}

/** A worker writes its note again every few seconds; the clocks of hosts may differ by minutes. */
const recentMs = 15 * 60_000;

export function unreachedWorkers(directory: string, nowMs: number): UnreachedWorker[] {
  return readUnreachedNotes(directory)
    .filter(({ writtenAtMs }) => Math.abs(nowMs - writtenAtMs) < recentMs)
    .map(({ hostname, slurm_job_id, workflow_key, problem }) => {
      const relay = slurm_job_id === null ? null : readRelay(directory, slurm_job_id);
      return { hostname, slurm_job_id, workflow_key, problem, relay_problem: relay?.problem ?? null };
    });
}

export function unreachedText({ hostname, slurm_job_id, problem, relay_problem }: UnreachedWorker): string {
  const place = slurm_job_id === null ? hostname : `${hostname} (Slurm job ${slurm_job_id})`;
  const relay = relay_problem === null ? '' : `; its relay failed: ${relay_problem.replaceAll(/\s*\n\s*/g, '; ')}`;
  return `The worker on ${place} has no connection: ${problem}${relay}.`;
}
