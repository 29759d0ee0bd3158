/** Processes of this host, as /proc shows them. */
import { readFileSync } from 'node:fs';
import { listPids, readEnviron, readStat } from '../../base/proc.ts';

/** The text of a file of the system; null when it cannot be read. */
export function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

/** Whether a process lives; with its start time it is told apart from a later one of the same number. */
export function isProcessAlive(pid: number, startTicks: number | null): boolean {
  const stat = readStat('/proc', pid);
  return stat?.isAlive === true && (startTicks === null || stat.startTime === startTicks);
}

/** When a process started, in clock ticks since boot; null where the system does not say. */
export function processStartTicks(pid: number): number | null {
  return readStat('/proc', pid)?.startTime ?? null;
}

/** Processes other than this one that carry this worker's id in their environment. */
export function processesOf(workerId: string): number[] {
  const mark = `\0TORC_WORKER_ID=${workerId}\0`;
  const pids = listPids('/proc').filter(
    (pid) => pid !== process.pid && readEnviron('/proc', pid)?.includes(mark) === true,
  );
  return pids.filter((pid) => isProcessAlive(pid, null)).sort((a, b) => a - b);
}

/** Signals each that is still there and may be signalled. */
export function signalProcesses(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended or belongs to somebody else: the next look tells which
    }
  }
}
