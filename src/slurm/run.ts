/** Runs one Slurm command with a time limit. */
import { existsSync } from 'node:fs';
import { systemCode } from '../base/errors.ts';

export type RunResult =
  | { kind: 'ended'; exitCode: number | null; stdout: string; stderr: string }
  | { kind: 'timeout'; seconds: number; stdout: string; stderr: string }
  /** Not on the PATH, or not executable. */
  | { kind: 'missing' };

export interface RunOptions {
  /** The whole environment of the command. */
  variables: Readonly<Record<string, string>>;
  seconds: number;
  /** Null for the caller's own. */
  workingDirectory: string | null;
  /** Standard input; none without it. */
  input?: string;
}

export type RunCommand = (command: string, args: readonly string[], options: RunOptions) => Promise<RunResult>;

export const runCommand: RunCommand = async (command, args, options) => {
  const { workingDirectory } = options;
  if (workingDirectory !== null && !existsSync(workingDirectory)) {
    return { kind: 'ended', exitCode: 1, stdout: '', stderr: `The directory ${workingDirectory} does not exist.` };
  }
  // loaded on demand: loading it takes longer than most torc commands run
  const { execa } = await import('execa');
  const result = await execa(command, args, {
    env: options.variables,
    extendEnv: false,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    timeout: options.seconds * 1000,
    forceKillAfterDelay: 5000,
    maxBuffer: 512 * 1024 * 1024,
    reject: false,
    ...(workingDirectory === null ? {} : { cwd: workingDirectory }),
  });
  const { stdout, stderr } = result;
  if (result.timedOut) return { kind: 'timeout', seconds: options.seconds, stdout, stderr };
  const code = systemCode(result) ?? systemCode(result.cause);
  if (result.exitCode === undefined && (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR')) {
    return { kind: 'missing' };
  }
  return { kind: 'ended', exitCode: result.exitCode ?? null, stdout, stderr: stderr || (result.originalMessage ?? '') };
};
