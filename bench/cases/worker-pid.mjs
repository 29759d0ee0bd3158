// Finds the worker process of a `torc run` by its command line.
import { readdirSync, readFileSync } from 'node:fs';

/** The pid of the process that runs `jobs run` for a server directory below `directory`, or null. */
export function findChildPid(directory) {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      const isWorker = words.includes('jobs') && words.includes('run');
      if (isWorker && words.some((word) => word.startsWith(directory))) return Number(name);
    } catch {
      // the process ended meanwhile
    }
  }
  return null;
}
