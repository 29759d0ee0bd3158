/** How requests to the helper and to fork servers are written, and what of their answers can be trusted. */
import type { SpawnRequest } from './spawner.ts';

/** Not 0, 1 or below: a signal to these would reach others. */
export function isPid(text: string | undefined): boolean {
  return /^[1-9]\d{0,8}$/.test(text ?? '') && text !== '1';
}

/** Whether an end has all of its numbers: a missing status must not be read as success. */
export function isEnd(status: string | undefined, rest: readonly string[]): boolean {
  const [cpuMs, ranMs, , , largestKib] = rest;
  return [status, cpuMs, ranMs, largestKib].every((text) => /^\d{1,15}(\.\d+)?$/.test(text ?? ''));
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
