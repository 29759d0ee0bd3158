/** The log interface of the layers; it uses pino only when a file is really written. */
import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolders } from './folders.ts';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A log of JSON lines appended to the file `path` (made with mode 0600, its folder too); nothing goes to stdout. */
export async function openLog(path: string, level: LogLevel = 'info'): Promise<Log> {
  const { pino } = await import('pino');
  makeFolders(dirname(path));
  // Written through at once: what a worker says just before it is killed is what a person looks for.
  const destination = pino.destination({ dest: path, append: true, sync: true, mode: 0o600 });
  // a full disk takes the log's lines, not the process
  destination.on('error', () => {});
  chmodSync(path, 0o600);
  const log: Log = pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return log;
}
