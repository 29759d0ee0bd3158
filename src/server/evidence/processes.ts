/** Processes of this host, as /proc shows them. */
import { readdirSync, readFileSync } from 'node:fs';

/** The text of a file of the system; null when it cannot be read. */
export function readSystemFile(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

/** State and start time (clock ticks since boot) of a process, or null when there is none. */
function processStat(pid: number): { state: string; startTicks: number } | null {
  const stat = readSystemFile(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // the name in brackets may hold anything
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: Number(fields[19]) };
}

/** Whether a process lives; with its start time it is told apart from a later one of the same number. */
export function isProcessAlive(pid: number, startTicks: number | null): boolean {
  const stat = processStat(pid);
  return stat !== null && !'ZXx'.includes(stat.state) && (startTicks === null || stat.startTicks === startTicks);
}

/** When a process started, in clock ticks since boot; null where the system does not say. */
export function processStartTicks(pid: number): number | null {
  return processStat(pid)?.startTicks ?? null;
}

/** Processes that carry this worker's id in their environment, but for this one: a job may call torc. */
export function processesOf(workerId: string): number[] {
  const mark = `\0TORC_WORKER_ID=${workerId}\0`;
  const names = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  const pids = names.filter((name) => `\0${readSystemFile(`/proc/${name}/environ`) ?? ''}`.includes(mark)).map(Number);
  return pids.filter((pid) => pid !== process.pid && isProcessAlive(pid, null)).sort((a, b) => a - b);
}

/** Signals each that is still there and may be signalled. */
export function signalProcesses(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // it has ended, or is somebody else's: the next look tells
    }
  }
}
