/**
 * Takes in what workers spooled while no server answered: the results of a worker that has died since would be lost
 * otherwise. Reports pass the same fence as those of an exchange, so a worker that still lives and repeats them changes
 * nothing.
 */
import type { SpooledReport } from '../../api/spool.ts';
import { hasOpenAttempts, openAttempts } from '../../storage/evidence/scope.ts';
import { findComputeNode } from '../../storage/running/compute-nodes.ts';
import { takeSpooled } from '../../storage/running/spooled-reports.ts';
import type { ServerContext } from '../context.ts';

/** Fewer would wait for the disk more often, more would keep other writes waiting. */
const reportsPerTransaction = 500;

type Source = Pick<ServerContext, 'view' | 'machine'>;

/** The reports in a worker's spool that still change something. Throws the system's error when it cannot be read. */
export function openReports(
  { view, machine }: Source,
  worker: { workerId: string; computeNodeKey: number },
): SpooledReport[] {
  const { reports } = machine.readSpool(worker.workerId);
  if (reports.length === 0) return [];
  const attempts = reports.map((report) => report.attempt);
  const isOpen = openAttempts(view, worker.computeNodeKey, attempts);
  return reports.filter((report) => isOpen.has(report.attempt));
}

/**
 * Reads every spool of the server directory, before any request is served, and removes those that are no longer needed.
 * Returns how many reports were applied.
 */
export async function takeInSpools(
  context: Source & Pick<ServerContext, 'info' | 'isLost' | 'write'>,
): Promise<number> {
  const workerIds = context.machine.spooledWorkers();
  const found = workerIds.flatMap((workerId) => readReports(context, workerId));
  let numTaken = 0;
  for (let at = 0; at < found.length; at += reportsPerTransaction) {
    const taken = found.slice(at, at + reportsPerTransaction);
    const answers = await context.write((tx) => taken.map(({ workerId, report }) => takeSpooled(tx, workerId, report)));
    numTaken += answers.filter((answer) => answer === 'accepted').length;
  }
  // only now is everything stored that they hold
  for (const workerId of workerIds) removeConsumed(context, workerId);
  return numTaken;
}

interface Found {
  workerId: string;
  report: SpooledReport;
}

/** An unreadable spool does not stop the server from starting: its worker repeats the reports as long as it lives. */
function readReports(context: Source & Pick<ServerContext, 'info'>, workerId: string): Found[] {
  const node = findComputeNode(context.view, workerId);
  if (node === null) return [];
  try {
    return openReports(context, node).map((report) => ({ workerId, report }));
  } catch (error) {
    context.info.log.error({ err: error, worker_id: workerId }, 'the spool of a worker cannot be read');
    return [];
  }
}

/**
 * A worker that is closed gets no attempts, so once its last one has ended nothing that it wrote or may still write
 * matters. The spool of an unknown worker stays: this database may be a backup, and a newer one may return.
 */
function removeConsumed({ view, machine, info, isLost }: Parameters<typeof takeInSpools>[0], workerId: string): void {
  const node = findComputeNode(view, workerId);
  if (isLost || node === null || node.isActive || hasOpenAttempts(view, node.computeNodeKey)) return;
  try {
    machine.removeSpool(workerId);
  } catch (error) {
    info.log.warn({ err: error, worker_id: workerId }, 'the spool of a worker that is gone cannot be removed');
  }
}
