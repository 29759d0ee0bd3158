/**
 * How many files programs may have open that did not ask for more. Node raises that limit of its own process to the most
 * that is allowed, and its children inherit that; some programs take a very high limit badly.
 */
import { readFileSync } from 'node:fs';
import { type Environment, environment } from './config.ts';

/** The variable by which a program that starts torc says what its own limit is; jobs do not get it. */
export const openFilesVariable = 'TORC_OPEN_FILES';

/** The soft limit of whoever called torc; null when it is unlimited or unknown. */
export function openFilesOfCaller(env: Environment = environment(), root = '/proc'): number | null {
  const stated = env[openFilesVariable];
  if (stated !== undefined && /^[1-9][0-9]{0,14}$/.test(stated)) return Number(stated);
  try {
    const limits = readFileSync(`${root}/${process.ppid}/limits`, 'latin1');
    const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}
