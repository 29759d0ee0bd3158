/** The log interface of the layers; it uses pino only when a file is really written. */

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A log of JSON lines, appended to an open file; nothing goes to stdout. */
export async function openLog(file: number, level: LogLevel = 'info'): Promise<Log> {
  const { pino } = await import('pino');
  // Written through at once: what a worker says just before it is killed is what a person looks for.
  const destination = pino.destination({ fd: file, sync: true });
  // a full disk takes the log's lines, not the process
  destination.on('error', () => {});
  const log: Log = pino({ level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return log;
}
