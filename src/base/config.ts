/** The only reader of the environment: what a person may set, and what torc and Slurm set for a worker. */
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A copy of the process's environment. */
export function environment(): Environment {
  return process.env;
}

/** The server directory: `--dir`, else `TORC_DIR`, else `~/.torc`; always absolute. */
export function serverDirectory(option: string | undefined, env: Environment = environment()): string {
  const chosen = option ?? env.TORC_DIR;
  if (chosen === undefined || chosen === '') return join(homedir(), '.torc');
  return isAbsolute(chosen) ? chosen : resolve(chosen);
}

/** The output directory of jobs and workers: `-o`, else `TORC_OUTPUT_DIR`, else `torc_output` here; always absolute. */
export function outputDirectory(option: string | undefined, env: Environment = environment()): string {
  const chosen = option ?? env.TORC_OUTPUT_DIR;
  return resolve(chosen === undefined || chosen === '' ? 'torc_output' : chosen);
}

/** The name of the calling user: what the system says, not what a variable says. */
export function currentUser(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** The workflow key that commands take when none is given. */
export function defaultWorkflowKey(env: Environment = environment()): string | undefined {
  return env.TORC_WORKFLOW_KEY === '' ? undefined : env.TORC_WORKFLOW_KEY;
}
