/** Tells a job whose shell found no room for another process from one that failed by itself. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import { below, openOwnForReading } from '../../base/trusted/shared.ts';

/** What bash ends with after it has tried for about half a minute to start a program. */
export const codeOfFailedFork = 254;

const tailBytes = 512;
const readLimits = { longestMs: 2_000, hurriedMs: 2_000 };

/**
 * Whether the last thing that a job wrote to its standard error, a file below the output directory or none, is that its
 * shell could not fork. Never fails.
 */
export async function hasFailedToFork(outputDirectory: string, stderrPath: string, clock: Clock): Promise<boolean> {
  const budget = new TimeBudget(clock, new AbortController().signal, readLimits);
  const tail = await budget.waitFor(
    readTail(outputDirectory, stderrPath).catch(() => ''),
    '',
  );
  return /^\S.*: fork: (?!retry: )[^\n]+\n$/m.test(tail.slice(tail.lastIndexOf('\n', tail.length - 2) + 1));
}

async function readTail(outputDirectory: string, path: string): Promise<string> {
  if (path === '/dev/null') return '';
  // a file system that does not answer must not block this process in the synchronous calls that follow
  await stat(outputDirectory);
  const file = below(outputDirectory, path, false, openOwnForReading);
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(tailBytes);
    const length = readSync(file, buffer, 0, tailBytes, Math.max(0, size - tailBytes));
    return buffer.toString('latin1', 0, length);
  } finally {
    closeSync(file);
  }
}
