/** Texts and comments are written as a native speaker writes them in a terminal: turns that nobody uses today are refused. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { documents, readDocument } from '../support/documents.ts';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** Words and turns with what to write instead. */
const refused: readonly (readonly [RegExp, string])[] = [
  [
    /\b(whence|thence|hitherto|heretofore|thereof|therein|wherein|aforesaid|lest|unto|nigh|naught|behold)\b/i,
    'plain words',
  ],
  [/\b(was|has|is|were|have) not begun\b/i, 'has not started'],
  [/\bin vain\b/i, 'timed out, found nothing'],
  [/\b(mend|mends|mended|mending)\b/i, 'fix'],
  [/\b(exists?|known|paused|stored|there|waiting) already\b/i, 'already exists'],
  [/\b(takes|took) (its|the) place of\b/i, 'replaces'],
  [/\b(is|are) told on\b/i, 'is reported on'],
  [/\bwhat (became|comes|came) of\b/i, 'its state, the result'],
  [/\bmeans? something only\b/i, 'can be used only with'],
  [/\bhas other \w+ than\b/i, 'differs from'],
  [/\bfor dead\b/i, 'as dead'],
  [/\b[Cc]ancell(ed|ing)\b/, 'canceled, canceling'],
  [/\bwhom\b/i, 'who'],
  [/\bthe workflow before (it|this)\b/i, 'the previous workflow'],
  [/\bat most so many\b|\bso many (jobs|items) /i, 'this many'],
  [/, who alone|\bthat alone\b|\balone may\b|\bhere alone\b/i, 'only'],
  [/\bput (it )?away\b/i, 'archive'],
  [/\bis good for another\b/i, 'stays valid for'],
  [/\bnone was named\b/i, 'choose one with -k'],
  [/\b(is|are) told of\b/i, 'is notified, is reported'],
  [/\ball jobs behind (it|them)\b/i, 'all downstream jobs'],
  [/(?<![.\d])1 (jobs|workflows|files|workers|attempts|were|have)\b/, 'counted(): 1 job, 1 was'],
];

/** Each line of a text that uses such a turn. */
function found(name: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, at) =>
      refused.flatMap(([pattern, instead]) =>
        pattern.test(line) ? [`${name}:${at + 1} ${line.trim()} (${instead})`] : [],
      ),
    );
}

it('no text uses a turn that nobody writes today', () => {
  const names = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
  expect(names.length).toBeGreaterThan(100);
  expect(names.flatMap((name) => found(name, readFileSync(join(src, name), 'utf8')))).toEqual([]);
});

it('no document does', () => {
  expect(documents.length).toBeGreaterThan(30);
  expect(documents.flatMap((path) => found(path, readDocument(path)))).toEqual([]);
});
