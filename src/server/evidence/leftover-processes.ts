/**
 * Ends the remaining processes of jobs that must stop, when their worker is gone and ran on this host outside of Slurm:
 * nobody else can. As a worker does: SIGTERM, and SIGKILL for what does not end soon.
 */
import { delay } from '../../base/clock.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { applyEvidence } from '../../storage/evidence/apply.ts';
import { findWorker, isAllToStop, type WatchedWorker, watchedWorkers } from '../../storage/evidence/scope.ts';
import type { ServerContext } from '../context.ts';
import { type EvidenceSource, gatherEvidence, lookLocally } from './gather.ts';

const graceMs = 2_000;
const lookEveryMs = 100;

/** For these workers, or for all with null. Returns whether there were any processes; they have ended then, or soon will. */
export async function endLeftoverProcesses(
  { view, clock, machine }: Pick<EvidenceSource, 'view' | 'clock' | 'machine'>,
  computeNodeKeys: ReadonlySet<number> | null,
): Promise<boolean> {
  const left = (): number[] =>
    workersOf(view, computeNodeKeys)
      .filter(({ computeNodeKey }) => isAllToStop(view, computeNodeKey))
      .flatMap((worker) => {
        const local = lookLocally(machine, worker);
        return local?.state === 'leftover_processes' ? local.pids : [];
      });
  const isLeft = async (): Promise<boolean> => {
    const until = clock.monotonic() + graceMs;
    while (left().length > 0) {
      if (clock.monotonic() >= until) return true;
      await delay(clock, lookEveryMs);
    }
    return false;
  };
  const pids = left();
  if (pids.length === 0) return false;
  machine.signal(pids, 'SIGTERM');
  if (await isLeft()) {
    machine.signal(left(), 'SIGKILL');
    await isLeft();
  }
  return true;
}

function workersOf(view: Transaction, computeNodeKeys: ReadonlySet<number> | null): WatchedWorker[] {
  if (computeNodeKeys === null) return watchedWorkers(view, null);
  return [...computeNodeKeys].flatMap((key) => findWorker(view, key) ?? []);
}

/** Also stores at once what happened to the jobs: a short command does not check again. */
export async function settleLeftoverProcesses(
  context: EvidenceSource & Pick<ServerContext, 'write'>,
  computeNodeKeys: ReadonlySet<number>,
): Promise<void> {
  if (!(await endLeftoverProcesses(context, computeNodeKeys))) return;
  const evidence = await gatherEvidence(context, { workflowKey: null, isAsked: false });
  await context.write((tx) => applyEvidence(tx, evidence));
}
