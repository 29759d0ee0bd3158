/** Commands of a workflow that are not jobs: run by the shell one after the other, their output in one file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname } from 'node:path';
import { type Environment, environment } from './config.ts';
import { makePrivateFolder, openForAppending } from './trusted/private.ts';

export interface ShellCommands {
  commands: readonly string[];
  workingDirectory: string;
  /** Set in addition to this process's own. */
  variables: Environment;
  /** In the server directory. The output is appended; the folder is made. */
  outputPath: string;
  /** Of all together; null for as long as it takes. */
  timeLimitMs: number | null;
  /** Ends the command that runs. */
  abort: AbortSignal;
}

/** Return codes of the commands that were run, in order; an error unless each of them ended with 0. */
export interface CommandsEnd {
  returnCodes: number[];
  error: string | null;
}

/** From SIGTERM to SIGKILL. */
const graceMs = 2_000;

/** Runs the commands until one fails, the time is over, or `abort` fires. Never rejects. */
export async function runShellCommands(request: ShellCommands): Promise<CommandsEnd> {
  const returnCodes: number[] = [];
  const limit = request.timeLimitMs === null ? null : AbortSignal.timeout(request.timeLimitMs);
  const stop = limit === null ? request.abort : AbortSignal.any([request.abort, limit]);
  let output: number | null = null;
  try {
    makePrivateFolder(dirname(request.outputPath));
    output = openForAppending(request.outputPath);
    for (const command of request.commands) {
      if (stop.aborted) break;
      const returnCode = await runOne(command, request, output, stop);
      returnCodes.push(returnCode);
      if (returnCode !== 0 && !stop.aborted) {
        return { returnCodes, error: `return code ${returnCode} of: ${command}` };
      }
    }
  } catch (error) {
    return { returnCodes, error: error instanceof Error ? error.message : String(error) };
  } finally {
    if (output !== null) closeSync(output);
  }
  if (!stop.aborted) return { returnCodes, error: null };
  const seconds = (request.timeLimitMs ?? 0) / 1000;
  return { returnCodes, error: request.abort.aborted ? 'interrupted' : `it took longer than ${seconds} seconds` };
}

function runOne(command: string, request: ShellCommands, output: number, stop: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', '--', command], {
      cwd: request.workingDirectory,
      env: { ...environment(), ...request.variables },
      detached: true,
      stdio: ['ignore', output, output],
    });
    const end = () => killGroup(child);
    stop.addEventListener('abort', end, { once: true });
    child.once('error', (error) => {
      stop.removeEventListener('abort', end);
      reject(new Error(`cannot start in ${request.workingDirectory}: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      stop.removeEventListener('abort', end);
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0));
    });
  });
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  const send = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-pid, signal);
    } catch {
      // nothing of it is left
    }
  };
  send('SIGTERM');
  setTimeout(() => send('SIGKILL'), graceMs).unref();
}
