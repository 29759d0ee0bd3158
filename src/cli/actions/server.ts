/** `torc server start|stop|info`, and the server that other commands start in the background. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Reply } from '../../api/contract.ts';
import { readServerFile, type ServerFile } from '../../api/server-file.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { programPath } from '../../base/program.ts';
import type { ServerStartOptions } from '../commands/server.ts';
import { connectRemote } from '../connection/connection.ts';
import { type Context, note } from '../context/context.ts';
import { printResult } from '../output/output.ts';
import { factLines } from '../output/table.ts';

const startPatienceMs = 30_000;
const pollMs = 50;

/** Where a server is reached, as its `server.json` says it; no secret is in it. */
interface ServerPlace {
  url: string;
  hostname: string;
  pid: number;
  directory: string;
}

function placeOf(context: Context, file: ServerFile): ServerPlace {
  return {
    url: `https://${file.addresses[0] ?? ''}`,
    hostname: file.hostname,
    pid: file.pid,
    directory: context.directory,
  };
}

/** What the server that answers says of itself, or null when none does. */
async function askServer(directory: string): Promise<Reply<'server_info'> | null> {
  const connection = await connectRemote(directory);
  if (connection === null) return null;
  try {
    return await connection.api.call('server_info', {});
  } finally {
    await connection.close();
  }
}

export async function startServer(context: Context, options: ServerStartOptions): Promise<void> {
  const running = await askServer(context.directory);
  if (running !== null) {
    throw new TorcError(
      'conflict',
      `a server already runs on ${running.hostname} (pid ${running.pid}) for ${context.directory}`,
      `${context.torc} server info`,
    );
  }
  if (options.daemon === true) {
    const place = await startDaemon(context, options);
    await printResult(context, place, () => `server started at ${place.url} on ${place.hostname} (pid ${place.pid})\n`);
    return;
  }
  await serveHere(context, options);
}

async function serveHere(context: Context, options: ServerStartOptions): Promise<void> {
  const { runServer } = await import('../../server/daemon.ts');
  // the server ends by itself on SIGTERM and SIGINT; a terminal that goes away means the same
  const removeHandler = context.interrupts.handle((signal) => {
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGTERM');
  });
  try {
    await runServer({
      directory: context.directory,
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.leaseSeconds === undefined ? {} : { leaseSeconds: options.leaseSeconds }),
      idleMinutes: options.idleMinutes ?? null,
      onReady: (file) => {
        const place = placeOf(context, file);
        void printResult(context, place, () => `serving ${place.directory} at ${place.url} (pid ${place.pid})\n`);
        note(context, 'End it with ^C or torc server stop.');
      },
    });
  } finally {
    removeHandler();
  }
}

/** Starts a server on this host that outlives this process, and waits until it answers. */
export async function startDaemon(context: Context, options: ServerStartOptions): Promise<ServerPlace> {
  mkdirSync(context.directory, { recursive: true, mode: 0o700 });
  const logPath = join(context.directory, 'server.log');
  const logFile = openSync(logPath, 'a', 0o600);
  const words = ['--dir', context.directory, '--console-level', 'error', 'server', 'start'];
  if (options.port !== undefined) words.push('--port', String(options.port));
  if (options.host !== undefined) words.push('--host', options.host);
  if (options.idleMinutes !== undefined) words.push('--idle-minutes', String(options.idleMinutes));
  if (options.leaseSeconds !== undefined) words.push('--lease-seconds', String(options.leaseSeconds));
  const child = spawn(process.execPath, [programPath(), ...words], {
    detached: true,
    stdio: ['ignore', logFile, logFile],
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
  const giveUpAt = context.clock.monotonic() + startPatienceMs;
  for (;;) {
    const file = readServerFile(context.directory);
    if (file !== null && file.pid === child.pid && file.hostname === hostname()) {
      if ((await askServer(context.directory))?.pid === child.pid) return placeOf(context, file);
    }
    if (ended !== null)
      throw new TorcError('unreachable', `the server did not start: ${lastWords(logPath) ?? ended}`, `See ${logPath}`);
    if (context.clock.monotonic() > giveUpAt) {
      throw new TorcError('unreachable', 'the server has not answered for 30 seconds', `See ${logPath}`);
    }
    await delay(context.clock, pollMs);
  }
}

/** The last error in a log, without its name. */
function lastWords(logPath: string): string | null {
  const lines = readFileSync(logPath, 'utf8').split('\n');
  return lines.findLast((line) => line.startsWith('error: '))?.slice('error: '.length) ?? null;
}

function noServer(context: Context): TorcError {
  return new TorcError(
    'unreachable',
    `no server answers for ${context.directory}`,
    `${context.torc} server start --daemon`,
  );
}

export async function showServer(context: Context): Promise<void> {
  const info = await askServer(context.directory);
  const file = readServerFile(context.directory);
  if (info === null || file === null) throw noServer(context);
  const value = { ...info, url: placeOf(context, file).url, fingerprint: file.fingerprint };
  await printResult(context, value, () => factLines(Object.entries(value)));
}

export async function rotateToken(context: Context, graceMinutes: number): Promise<void> {
  const connection = await connectRemote(context.directory);
  if (connection === null) throw noServer(context);
  const graceSeconds = Math.round(graceMinutes * 60);
  try {
    const place = await connection.api.call('server_rotate_token', { grace_seconds: graceSeconds });
    const value = { ...place, grace_seconds: graceSeconds };
    const until = graceSeconds === 0 ? 'is refused from now on' : `is good for another ${graceMinutes} minutes`;
    await printResult(context, value, () => `made a new token; the one before ${until}\n`);
  } finally {
    await connection.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function stopServer(context: Context): Promise<void> {
  const connection = await connectRemote(context.directory);
  if (connection === null) throw noServer(context);
  let pid: number;
  let host: string;
  try {
    ({ hostname: host } = await connection.api.call('server_info', {}));
    ({ pid } = await connection.api.call('server_stop', {}));
  } finally {
    await connection.close();
  }
  const giveUpAt = context.clock.monotonic() + startPatienceMs;
  const isThere = () => readServerFile(context.directory)?.pid === pid || (host === hostname() && isAlive(pid));
  while (isThere() && context.clock.monotonic() < giveUpAt) await delay(context.clock, pollMs);
  await printResult(
    context,
    { hostname: host, pid, stopped: true },
    () => `stopped the server on ${host} (pid ${pid})\n`,
  );
}
