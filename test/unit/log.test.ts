/** Each log entry is one line, whatever foreign names, messages and errors contain. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLog } from '../../src/base/log.ts';
import { openForAppending } from '../../src/base/trusted/private.ts';

const scratch = mkdtempSync(join(tmpdir(), 'log-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const forged = '{"level":50,"msg":"the token was replaced"}';
// short and long ones, because the logger quotes them in different ways
const long = `${'x'.repeat(100)}\n${forged}\n`;
const texts = [`a\n${forged}\n`, long, `"}\r\n${forged}`, `\\\n${forged}`, '\n', '"', '\x1b[2J', ''];

it.each(texts)('%j is a part of its line', async (text) => {
  const path = join(scratch, `${texts.indexOf(text)}.jsonl`);
  const log = await openLog(openForAppending(path));
  log.info({ job: text }, text);
  log.warn({ [text]: { [text]: [text] } }, 'nested');
  log.error({ err: new Error(text) }, 'an error');
  const written = readFileSync(path, 'utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for these
  expect(written).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  const lines = written.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 30, job: text, msg: text },
    { level: 40, [text]: { [text]: [text] }, msg: 'nested' },
    { level: 50, err: { message: text }, msg: 'an error' },
  ]);
});
