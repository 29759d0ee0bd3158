/** This same program as a child process, and in scripts that run on other nodes. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Environment, environment } from './config.ts';
import { openFilesOfCaller, openFilesVariable } from './open-files.ts';
import { packageDirectory } from './version.ts';

/**
 * How Node runs a small process: new objects get little space before they are collected, old ones are collected when there
 * are a tenth more of them, and one thread does it.
 */
export const smallNodeOptions = ['--max-semi-space-size=1', '--heap-growing-percent=10', '--v8-pool-size=1'] as const;

/**
 * How Node runs a worker: besides, without V8's optimizing compilers, whose code and work take 7 MB with Node 20 and 30 MB
 * with Node 24, and garbage is collected before it takes the 8 MB that V8 allows at least. That leaves more memory of the
 * node to its jobs.
 */
export const workerNodeOptions = [
  ...smallNodeOptions,
  '--optimize-for-size',
  '--no-opt',
  '--no-maglev',
  '--incremental-marking-hard-trigger=40',
] as const;

/**
 * How Node runs a server in the background: new objects get half of the usual space before they are collected, which takes
 * no more time than all of it and 20 to 30 MB less.
 */
export const serverNodeOptions = ['--max-semi-space-size=8'] as const;

/** The entry of the command line. */
export function programPath(): string {
  return fileURLToPath(new URL('../cli/main.js', import.meta.url));
}

/** The environment for this program as a child: it also says how many files its jobs may have open. */
export function programEnvironment(env: Environment = environment()): Environment {
  const limit = openFilesOfCaller(env);
  return limit === null ? env : { ...env, [openFilesVariable]: String(limit) };
}

/** The numbered schema files. Both the sources and the bundled program are one directory below their root, like this file. */
export function schemaDirectory(): string {
  return fileURLToPath(new URL('../storage/schema', import.meta.url));
}

/** The newest version of the schema: that of every database which this program has opened. */
export function schemaVersion(): number {
  return Math.max(...readdirSync(schemaDirectory()).map((name) => Number.parseInt(name, 10)));
}

/** The compiled program of `src/worker/processes/start-jobs.c`; the build leaves it out where there is no C compiler. */
export function jobStarterPath(): string {
  return nativeProgram('torc-start-jobs');
}

/** That of `src/worker/processes/run-step.c`; likewise. */
export function stepRunnerPath(): string {
  return nativeProgram('torc-run-step');
}

/** That of `src/storage/database/see-lock.c`; likewise. */
export function lockSeerPath(): string {
  return nativeProgram('torc-see-lock');
}

function nativeProgram(name: string): string {
  return join(packageDirectory(), 'dist', 'native', process.arch, name);
}
