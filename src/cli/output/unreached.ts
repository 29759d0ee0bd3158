/**
 * Workers of which the server has not heard: those that reach none of its addresses leave notes in the server directory,
 * and of others only their allocation is known.
 */
import { join } from 'node:path';
import type { WorkflowStatusReply } from '../../api/contract.ts';
import { readRelay, readUnreachedNotes } from '../../api/network.ts';
import { shellWord } from '../../base/text.ts';
import { formatDuration } from '../../base/units.ts';
import { slurmOutputDirectory } from '../../slurm/script.ts';
import type { Context } from '../context/context.ts';

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

export function unreachedOf(directory: string, workflowKey: string, nowMs: number): UnreachedWorker[] {
  return unreachedWorkers(directory, nowMs).filter(({ workflow_key }) => workflow_key === workflowKey);
}

export function unreachedText({ hostname, slurm_job_id, problem, relay_problem }: UnreachedWorker): string {
  const place = slurm_job_id === null ? hostname : `${hostname} (Slurm job ${slurm_job_id})`;
  const relay = relay_problem === null ? '' : `; its relay failed: ${relay_problem.replaceAll(/\s*\n\s*/g, '; ')}`;
  return `The worker on ${place} has no connection: ${problem}${relay}.`;
}

/** A worker of which the server has not heard, and the commands that help. */
export interface UnheardWorker {
  text: string;
  help: string[];
}

/** Those of one workflow: first those that say why. */
export function unheardWorkers(
  { torc, directory }: Pick<Context, 'torc' | 'directory'>,
  { allocations_without_worker: allocations }: Pick<WorkflowStatusReply, 'allocations_without_worker'>,
  unreached: readonly UnreachedWorker[],
  nowMs: number,
): UnheardWorker[] {
  const haveSaid = new Set(unreached.map(({ slurm_job_id }) => slurm_job_id));
  return [
    ...unreached.map((worker) => ({ text: unreachedText(worker), help: helpOfUnreached(torc, worker) })),
    ...allocations
      .filter(({ slurm_job_id }) => !haveSaid.has(slurm_job_id))
      .map(({ name, slurm_job_id, running_since }) => ({
        text: `No worker of Slurm job ${slurm_job_id} has reported, which has been running for ${formatDuration(Math.round((nowMs - Date.parse(running_since)) / 1000))}.`,
        help: [`tail ${shellWord(join(slurmOutputDirectory(directory), `${name}_${slurm_job_id}.out`))}`],
      })),
  ];
}

/** A relay, or an address that its node can reach; where a relay has failed, the worker says why. */
export function helpOfUnreached(torc: string, { slurm_job_id, relay_problem }: UnreachedWorker): string[] {
  if (slurm_job_id === null || relay_problem !== null) return [`${torc} doctor`];
  const start = `${torc} server stop && ${torc} server start --daemon`;
  return [`${start} --relay slurm`, `${start} --advertise ADDRESS`];
}
