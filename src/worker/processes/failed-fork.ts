/** Tells a job whose shell found no room for another process from one that failed by itself. */
import { open } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { TimeBudget } from '../../base/time-budget.ts';

/** What bash ends with after it has tried for about half a minute to start a program. */
export const codeOfFailedFork = 254;

const tailBytes = 512;
const readLimits = { longestMs: 2_000, hurriedMs: 2_000 };

/** Whether the last thing that a job wrote to its standard error is that its shell could not fork. Never fails. */
export async function hasFailedToFork(stderrPath: string, clock: Clock): Promise<boolean> {
  const budget = new TimeBudget(clock, new AbortController().signal, readLimits);
  const tail = await budget.waitFor(
    readTail(stderrPath).catch(() => ''),
    '',
  );
  return /^\S.*: fork: (?!retry: )[^\n]+\n$/m.test(tail.slice(tail.lastIndexOf('\n', tail.length - 2) + 1));
}

async function readTail(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(tailBytes), 0, tailBytes, Math.max(0, size - tailBytes));
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
