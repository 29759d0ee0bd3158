/** This same program as a child process, and in scripts that run on other nodes. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageDirectory } from './version.ts';

/**
 * How node runs a worker: new objects get little room before they are collected. That leaves 10 to 15 MB more of a node
 * to its jobs (90 -> 74 MB, measured with 2,000 jobs) and takes no more time.
 */
export const workerNodeOptions = ['--max-semi-space-size=2'] as const;

/** The entry of the command line. */
export function programPath(): string {
  return fileURLToPath(new URL('../cli/main.js', import.meta.url));
}

/** The compiled program of `src/worker/start-jobs.c`; the build leaves it out where there is no C compiler. */
export function jobStarterPath(): string {
  return join(packageDirectory(), 'dist', 'native', process.arch, 'torc-start-jobs');
}
