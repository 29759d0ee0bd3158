/** How requests to the helper and to fork servers are written, and what of their answers can be trusted. */
import { getSystemErrorName } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import type { ProcessEnd, SpawnListener, SpawnRequest } from './spawner.ts';

/** Not 0, 1 or below: a signal to these would reach others. */
export function isPid(text: string | undefined): boolean {
  return /^[1-9]\d{0,8}$/.test(text ?? '') && text !== '1';
}

/** Whether an end has all of its numbers: a missing status must not be read as success. */
export function isEnd(status: string | undefined, rest: readonly string[]): boolean {
  const [cpuMs, ranMs, , , largestKib] = rest;
  return [status, cpuMs, ranMs, largestKib].every(isNumber);
}

function isNumber(text: string | undefined): boolean {
  return /^\d{1,15}(\.\d+)?$/.test(text ?? '');
}

/**
 * Lines come late: what they say of an instant, in milliseconds of the system's monotonic clock, as one of this process's
 * clock. Null where it is missing, before what it follows, or in the future.
 */
export function instantReader(clock: Clock): (text: string | undefined, sinceMs: number) => number | null {
  const differenceMs = (): number => {
    const ownMs = clock.monotonic();
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e3 + nanoseconds / 1e6 - ownMs;
  };
  // this process may be held up between its two clocks
  const offsetMs = Math.min(differenceMs(), differenceMs(), differenceMs());
  return (text, sinceMs) => {
    const atMs = isNumber(text) ? Number(text) - offsetMs : Number.NaN;
    return atMs >= sinceMs && atMs <= clock.monotonic() ? atMs : null;
  };
}

export function fieldsOf(id: number, turn: 'now' | 'next', request: SpawnRequest): readonly (string | number)[] {
  const { place, stdoutPath, stderrPath, text, cpus, isBound } = request;
  const variables = Object.entries(request.variables).map(([name, value]) => `${name}=${value}`);
  return [id, turn, place, stdoutPath, stderrPath, text, cpus ?? '', isBound ? 'bound' : '', ...variables];
}

/** A length, followed by fields that each end with NUL. */
export function encode(fields: readonly (string | number)[]): Buffer {
  const body = Buffer.from(`....${fields.join('\0')}\0`);
  body.writeUInt32BE(body.length - 4);
  return body;
}

export function tellFailure(listener: SpawnListener, errno: number, what: string): void {
  const code = errno > 0 ? getSystemErrorName(-errno) : null;
  listener.failed(code, `${code ?? 'error'}: cannot start or open ${what}`);
}

/** `status` is that of wait(2). */
export function processEnd(status: number, ending: Omit<ProcessEnd, 'exitCode' | 'signal'>): ProcessEnd {
  const signal = status & 0x7f;
  return { exitCode: signal === 0 ? (status >> 8) & 0xff : null, signal: signal || null, ...ending };
}
