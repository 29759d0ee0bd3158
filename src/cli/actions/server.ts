/** `torc server start|stop|info|rotate-token`. */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseAdvertised } from '../../api/addresses.ts';
import { readServerFile } from '../../api/server-file.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { connect, connectRemote } from '../connection/connection.ts';
import { askServer, type DaemonOptions, placeOf, startDaemon } from '../connection/daemon.ts';
import { upgradeWords } from '../connection/upgrade-words.ts';
import { type Context, note } from '../context/context.ts';
import { printResult } from '../output/output.ts';
import { fieldLines } from '../output/text-columns.ts';

export interface ServerStartOptions extends DaemonOptions {
  daemon?: boolean;
  /** It is the process that `--daemon` starts. */
  lasting?: boolean;
}

const stopsWithinMs = 30_000;
const pollMs = 50;

export async function startServer(context: Context, options: ServerStartOptions): Promise<void> {
  const running = await askServer(context.directory);
  if (running !== null) {
    throw new TorcError(
      'conflict',
      `a server is already running on ${running.hostname} (pid ${running.pid}) for ${context.directory}`,
      `${context.torc} server info`,
    );
  }
  if (options.daemon === true) {
    const place = await startDaemon(context, options);
    await tellUpgrade(context);
    await printResult(context, place, () => `server started at ${place.url} on ${place.hostname} (pid ${place.pid})\n`);
    return;
  }
  await serveHere(context, options);
}

async function serveHere(context: Context, options: ServerStartOptions): Promise<void> {
  const { runServer } = await import('../../server/daemon.ts');
  const { slurm_calls_per_minute: slurmCallsPerMinute, ...settings } = context.settings;
  const { advertise = settings.advertise, relay = settings.relay ?? 'off' } = options;
  // the server handles SIGTERM and SIGINT itself; a closed terminal means the same
  const removeHandler = context.interrupts.handle((signal) => {
    if (signal === 'SIGHUP') process.kill(process.pid, 'SIGTERM');
  });
  try {
    await runServer({
      directory: context.directory,
      ...(options.port === undefined ? {} : { port: options.port }),
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.leaseSeconds === undefined ? {} : { leaseSeconds: options.leaseSeconds }),
      ...(slurmCallsPerMinute === undefined ? {} : { slurmCallsPerMinute }),
      ...(advertise === undefined ? {} : { advertise: parseAdvertised(advertise) }),
      relay,
      given: { advertise: options.advertise ?? null, relay: options.relay ?? null },
      idleMinutes: options.idleMinutes ?? null,
      isLasting: options.lasting === true,
      warn: (text) => note(context, text, 'warning'),
      onReady: (file) => {
        const place = placeOf(context, file);
        void printResult(context, place, () => `serving ${place.directory} at ${place.url} (pid ${place.pid})\n`);
        note(context, 'Stop it with Ctrl-C or torc server stop.');
        void tellUpgrade(context);
      },
    });
  } finally {
    removeHandler();
  }
}

async function tellUpgrade(context: Context): Promise<void> {
  const { upgraded_from: from, upgrade_copy: copy } = (await askServer(context.directory)) ?? {};
  if (from != null && copy != null) note(context, upgradeWords(from, copy), 'warning');
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
  await printResult(context, value, () => fieldLines(context, Object.entries(value)));
}

export async function rotateToken(context: Context, graceMinutes: number): Promise<void> {
  const connection = await connectRemote(context.directory);
  if (connection === null) throw noServer(context);
  const graceSeconds = Math.round(graceMinutes * 60);
  try {
    const place = await connection.api.call('server_rotate_token', { grace_seconds: graceSeconds });
    const value = { ...place, grace_seconds: graceSeconds };
    const until = graceSeconds === 0 ? 'is refused from now on' : `stays valid for ${counted(graceMinutes, 'minute')}`;
    await printResult(context, value, () => `created a new token; the previous token ${until}\n`);
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

/** Where no server answers it only sees to it that no command starts one again. */
async function forgetServer(context: Context): Promise<void> {
  const place = { directory: context.directory, command: context.commandLine, creates: false };
  if (!existsSync(join(context.directory, 'torc.db'))) return;
  const connection = await connect(place);
  try {
    await connection.api.call('server_stop', {});
  } finally {
    await connection.close();
  }
}

export async function stopServer(context: Context): Promise<void> {
  const connection = await connectRemote(context.directory);
  if (connection === null) {
    await forgetServer(context);
    throw new TorcError('unreachable', `no server is running for ${context.directory}; there is nothing to stop`);
  }
  let pid: number;
  let host: string;
  try {
    ({ hostname: host } = await connection.api.call('server_info', {}));
    ({ pid } = await connection.api.call('server_stop', {}));
  } finally {
    await connection.close();
  }
  const giveUpAt = context.clock.monotonic() + stopsWithinMs;
  const isThere = () => readServerFile(context.directory)?.pid === pid || (host === hostname() && isAlive(pid));
  while (isThere() && context.clock.monotonic() < giveUpAt) await delay(context.clock, pollMs);
  await printResult(
    context,
    { hostname: host, pid, stopped: true },
    () => `stopped the server on ${host} (pid ${pid})\n`,
  );
}
