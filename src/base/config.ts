/** The only reader of the environment: what a person may set, and what torc and Slurm set for a worker. */
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { readablePath } from './bytes.ts';
import { TorcError } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of the process's environment. */
export function environment(): Environment {
  return process.env;
}

/** The server directory: `--dir`, else `TORC_DIR`, else `~/.torc`; always absolute. */
export function serverDirectory(option: string | undefined, env: Environment = environment()): string {
  const path = option === undefined || option === '' ? usualDirectory(env) : resolve(option);
  if (path !== null) return readablePath(path, 'server directory');
  const hint = 'Give the directory with --dir DIR or in TORC_DIR.';
  throw new TorcError('usage', 'no server directory: HOME is not set, and this user has no home directory', hint);
}

/** The server directory of commands without `--dir`, or null for a user without a home directory. */
export function usualDirectory(env: Environment): string | null {
  const { TORC_DIR: chosen = '' } = env;
  if (chosen !== '') return resolve(chosen);
  const home = homeDirectory();
  return home === null ? null : join(home, '.torc');
}

/**
 * Whether the parents of the server directory must be safe, as with ssh's setting of this name: yes, unless
 * `TORC_STRICT_MODES` is `no`.
 */
export function hasStrictModes(env: Environment = environment()): boolean {
  return env.TORC_STRICT_MODES !== 'no';
}

/** The output directory of jobs and workers: `-o`, else `TORC_OUTPUT_DIR`, else `torc_output` here; always absolute. */
export function outputDirectory(option: string | undefined, env: Environment = environment()): string {
  const chosen = option ?? env.TORC_OUTPUT_DIR;
  return readablePath(resolve(chosen === undefined || chosen === '' ? 'torc_output' : chosen), 'output directory');
}

/** Where the configuration file of the person is, whether there is one or not; null for a user without a home directory. */
export function userConfigFile(env: Environment): string | null {
  const { XDG_CONFIG_HOME: chosen = '', HOME: stated = '' } = env;
  const home = isAbsolute(stated) ? stated : homeDirectory();
  if (isAbsolute(chosen)) return join(chosen, 'torc', 'config.toml');
  return home === null ? null : join(home, '.config', 'torc', 'config.toml');
}

/** An empty HOME is none: it would mean the working directory. */
function homeDirectory(): string | null {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : null;
  } catch {
    return null;
  }
}

/** Whether commands start a server that workers wait for: `auto`, `off`, or null where it is not said. */
export function serverPolicy(env: Environment): 'auto' | 'off' | null {
  const { TORC_SERVER: policy = '' } = env;
  if (policy === '' || policy === 'auto' || policy === 'off') return policy === '' ? null : policy;
  throw new TorcError('usage', `TORC_SERVER is '${policy}', which is neither auto nor off`, 'unset TORC_SERVER');
}

/** The id of the Slurm job in which this process runs; null outside of one. */
export function ownSlurmJob(env: Environment = environment()): string | null {
  const { SLURM_JOB_ID: id = '' } = env;
  return /^[0-9]{1,18}$/.test(id) ? id : null;
}

/** Whether this process belongs to a job of torc or of Slurm. */
export function isInsideJob(env: Environment): boolean {
  return (env.TORC_JOB_KEY ?? '') !== '' || (env.SLURM_JOB_ID ?? '') !== '';
}

/** The name of the calling user: what the system says, not what a variable says. */
export function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** The key of the attempt in which this process runs, when it is one of the server directory. */
export function runningAttempt(directory: string, env: Environment): string | undefined {
  const { TORC_ATTEMPT_KEY: key = '', TORC_JOB_DIR: ofJob = directory } = env;
  return key === '' || ofJob !== directory ? undefined : key;
}

/**
 * The workflow key that commands take when none is given. That of the job or action in which this process runs counts
 * only in the server directory of that job.
 */
export function defaultWorkflowKey(directory: string, env: Environment = environment()): string | undefined {
  const { TORC_WORKFLOW_KEY: key = '', TORC_JOB_DIR: ofJob = directory } = env;
  return key === '' || ofJob !== directory ? undefined : key;
}
