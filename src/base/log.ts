/** The log interface of the layers, and the log of servers and workers: a file of JSON lines. */
import { isoInstant, systemClock } from './clock.ts';
import { writeText } from './trusted/shared.ts';

export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** The levels by their numbers in the log. */
const levels = { debug: 20, info: 30, warn: 40, error: 50 } as const;

export type LogLevel = keyof typeof levels;

/** A log that keeps nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A log of JSON lines, appended to an open file; nothing goes to stdout. */
export function openLog(file: number, least: LogLevel = 'info'): Log {
  const writes = (level: LogLevel): Log['info'] => {
    if (levels[level] < levels[least]) return () => {};
    return (fields, msg) => {
      // written through at once: what a worker says just before it is killed is what a person looks for
      try {
        writeText(file, `${lineOf(levels[level], fields, msg)}\n`);
      } catch {
        // a full disk takes the log's lines, not the process
      }
    };
  };
  return { debug: writes('debug'), info: writes('info'), warn: writes('warn'), error: writes('error') };
}

function lineOf(level: number, fields: object, msg: string): string {
  const head = { level, time: isoInstant(systemClock.now()), pid: process.pid };
  try {
    return JSON.stringify({ ...head, ...fields, msg }, (_, value: unknown) => printable(value));
  } catch {
    // an error of a package may contain itself
    return JSON.stringify({ ...head, msg });
  }
}

/** Errors with what JSON leaves out of them. */
function printable(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (!(value instanceof Error)) return value;
  const { message, stack, cause } = value;
  return Object.assign({ type: value.constructor.name, message, stack, cause }, value);
}
