/** This same program as a child process, and in scripts that run on other nodes. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageDirectory } from './version.ts';

/**
 * How node runs a worker: new objects get little room before they are collected, and old ones are looked at when there
 * are a third more of them. That leaves 15 to 20 MB more of a node to its jobs (90 -> 74 MB with 2,000 jobs by the first,
 * 84 -> 76 MB after three minutes of short jobs by the second) and takes no more time.
 */
export const workerNodeOptions = ['--max-semi-space-size=2', '--heap-growing-percent=30'] as const;

/** The entry of the command line. */
export function programPath(): string {
  return fileURLToPath(new URL('../cli/main.js', import.meta.url));
}

/** The numbered schema files. Both the sources and the bundled program are one folder below their root, as this file is. */
export function schemaDirectory(): string {
  return fileURLToPath(new URL('../storage/schema', import.meta.url));
}

/** The compiled program of `src/worker/processes/start-jobs.c`; the build leaves it out where there is no C compiler. */
export function jobStarterPath(): string {
  return join(packageDirectory(), 'dist', 'native', process.arch, 'torc-start-jobs');
}
