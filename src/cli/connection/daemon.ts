/** The server that outlives the command that starts it, and what it says about itself. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { shownAddress } from '../../api/addresses.ts';
import type { Reply } from '../../api/contract.ts';
import type { RelayKind } from '../../api/relay-kinds.ts';
import { readServerFile, type ServerFile } from '../../api/server-file.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { serverDirectoryNames } from '../../base/paths.ts';
import { programEnvironment, programPath, serverNodeOptions } from '../../base/program.ts';
import { explainDirectory, openForAppending, openPrivateFolder, readPrivateFile } from '../../base/trusted/private.ts';
import type { Context } from '../context/context.ts';
import { connectRemote } from './connection.ts';
import { warnOfSessionEnd } from './session-end.ts';
import { StartWait, startEvidence } from './start-wait.ts';

const pollMs = 50;

/** How a server serves; it chooses what is absent. */
export interface DaemonOptions {
  port?: number;
  host?: string;
  /** Addresses with commas between. */
  advertise?: string;
  relay?: RelayKind;
  idleMinutes?: number;
  leaseSeconds?: number;
}

/** Where a server can be reached, without secrets. */
export interface ServerPlace {
  url: string;
  hostname: string;
  pid: number;
  directory: string;
}

export function placeOf(context: Context, file: ServerFile): ServerPlace {
  return {
    url: `https://${shownAddress(file.addresses[0] ?? '')}`,
    hostname: file.hostname,
    pid: file.pid,
    directory: context.directory,
  };
}

/** The info of the running server, or null when none answers. */
export async function askServer(directory: string): Promise<Reply<'server_info'> | null> {
  const connection = await connectRemote(directory);
  if (connection === null) return null;
  try {
    return await connection.api.call('server_info', {});
  } catch (error) {
    if (error instanceof TorcError && error.code === 'unreachable') return null;
    throw error;
  } finally {
    await connection.close();
  }
}

/** Starts a server on this host that outlives this process, and waits until it answers. */
export async function startDaemon(context: Context, options: DaemonOptions): Promise<ServerPlace> {
  const words = optionWords(options);
  const place = await startProcess(context, words);
  await warnOfSessionEnd(context, words);
  return place;
}

function optionWords(options: DaemonOptions): string[] {
  const words: string[] = [];
  if (options.port !== undefined) words.push('--port', String(options.port));
  if (options.host !== undefined) words.push('--host', options.host);
  if (options.advertise !== undefined) words.push('--advertise', options.advertise);
  if (options.relay !== undefined) words.push('--relay', options.relay);
  if (options.idleMinutes !== undefined) words.push('--idle-minutes', String(options.idleMinutes));
  if (options.leaseSeconds !== undefined) words.push('--lease-seconds', String(options.leaseSeconds));
  return words;
}

async function startProcess(context: Context, options: readonly string[]): Promise<ServerPlace> {
  const logPath = join(context.directory, 'server.log');
  const logFile = openLogFile(context.directory, logPath);
  const words = ['--dir', context.directory, '--console-level', 'error', 'server', 'start', '--lasting', ...options];
  const child = spawn(process.execPath, [...serverNodeOptions, programPath(), ...words], {
    detached: true,
    stdio: ['ignore', logFile, logFile],
    env: programEnvironment(),
    cwd: context.directory,
  });
  closeSync(logFile);
  let ended: string | null = null;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = `it ended with ${signal ?? `exit code ${code}`}`;
  });
  child.unref();
  const wait = new StartWait(context, startEvidence(context.directory, child.pid ?? 0));
  try {
    for (;;) {
      const file = readServerFile(context.directory);
      const answering = file === null ? null : await askServer(context.directory);
      const isOwn = answering?.pid === child.pid && answering?.hostname === hostname();
      // the file may be that of a dead server still
      if (isOwn && file !== null && file.pid === child.pid) return placeOf(context, file);
      if (answering !== null && !isOwn) {
        child.kill();
        const words = `another command has just started a server on ${answering.hostname} (pid ${answering.pid})`;
        throw new TorcError('conflict', words, `${context.torc} server info`);
      }
      if (ended !== null)
        throw new TorcError(
          'unreachable',
          `the server did not start: ${lastWords(logPath) ?? ended}`,
          `See ${logPath}`,
        );
      await wait.look(logPath);
      await delay(context.clock, pollMs);
    }
  } finally {
    wait.end();
  }
}

function openLogFile(directory: string, logPath: string): number {
  try {
    openPrivateFolder(directory, serverDirectoryNames);
    return openForAppending(logPath);
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}

/** The message of the last error in a log. */
function lastWords(logPath: string): string | null {
  const lines = (readPrivateFile(logPath) ?? '').split('\n');
  return lines.findLast((line) => line.startsWith('error: '))?.slice('error: '.length) ?? null;
}
