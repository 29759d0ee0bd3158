/** Setup: the tests of a file fail when a built program that they ran gave a reply that violates the contract. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { replyProblem, type Told } from './reply-check.ts';
import { preload } from './torc.ts';

const directory = mkdtempSync(join(tmpdir(), 'torc-replies-'));
const recorder = new URL('record-replies.mjs', import.meta.url);
recorder.searchParams.set('into', directory);
preload(recorder.href);

afterAll(() => {
  const lines = readdirSync(directory).flatMap((file) => readFileSync(join(directory, file), 'utf8').split('\n'));
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  const problems = lines.map(read).map((told) => (told === null ? null : replyProblem(told)));
  expect([...new Set(problems)].filter((problem) => problem !== null)).toEqual([]);
});

/** Null at the end of a file, and for a line that a killed program left half written. */
function read(line: string): Told | null {
  try {
    return JSON.parse(line) as Told;
  } catch {
    return null;
  }
}
