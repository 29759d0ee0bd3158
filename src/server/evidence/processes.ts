/** Processes of this host, as /proc shows them. */
import { readFileSync } from 'node:fs';
import { isProcessAlive, listPids, readEnviron } from '../../base/proc.ts';

/** The text of a file of the system; null when it cannot be read. */
export function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

/** Processes other than this one that carry this worker's id in their environment. */
export function processesOf(workerId: string): number[] {
  const mark = `\0TORC_WORKER_ID=${workerId}\0`;
  const pids = listPids('/proc').filter(
    (pid) => pid !== process.pid && readEnviron('/proc', pid)?.includes(mark) === true,
  );
  return pids.filter((pid) => isProcessAlive(pid, null)).sort((a, b) => a - b);
}

/** Signals each that is still there and can be signaled. */
export function signalProcesses(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended or belongs to somebody else: the next look tells which
    }
  }
}
