/** Workers on this machine whose command was killed: they go on by themselves and take jobs from the next server. */
import { readFileSync, readlinkSync } from 'node:fs';
import { delay } from '../../base/clock.ts';
import { isProcessAlive, listPids, readStat } from '../../base/proc.ts';
import type { Context } from '../context/context.ts';

const lookEveryMs = 100;
/** As long as a hurried worker may take. */
const longestMs = 10_000;

/** Asks the workers of a workflow that have lost their command to stop, and waits until they have. Returns how many. */
export async function stopSurvivors(context: Context, workflowKey: string): Promise<number> {
  const { clock, directory } = context;
  const pids = survivors(directory, workflowKey);
  for (const pid of pids) signal(pid);
  const endMs = clock.monotonic() + longestMs;
  while (pids.some((pid) => isProcessAlive(pid, null)) && clock.monotonic() < endMs) await delay(clock, lookEveryMs);
  return pids.length;
}

/** Their process ids, by what they were started with; see `spawnWorker`. */
export function survivors(directory: string, workflowKey: string, root = '/proc'): number[] {
  return listPids(root).filter((pid) => {
    const words = wordsOf(root, pid);
    const at = words.indexOf('--worker');
    const isWorker = at >= 3 && words.slice(at - 3, at).join(' ') === `jobs run ${workflowKey}`;
    if (!isWorker || words[words.indexOf('--dir') + 1] !== directory) return false;
    // a command that lives runs the same node, and init another program
    const program = programOf(root, pid);
    return program !== null && program !== programOf(root, readStat(root, pid)?.parent ?? 0);
  });
}

function wordsOf(root: string, pid: number): string[] {
  try {
    return readFileSync(`${root}/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function programOf(root: string, pid: number): string | null {
  try {
    return readlinkSync(`${root}/${pid}/exe`);
  } catch {
    return null;
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // it has ended
  }
}
