/** Each log entry is one line, whatever foreign names, messages and errors contain. */
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openLog } from '../../src/base/log.ts';
import { openForAppending } from '../../src/base/trusted/private.ts';

const scratch = mkdtempSync(join(tmpdir(), 'log-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const forged = '{"level":50,"msg":"the token was replaced"}';
const long = `${'x'.repeat(100)}\n${forged}\n`;
const texts = [`a\n${forged}\n`, long, `"}\r\n${forged}`, `\\\n${forged}`, '\n', '"', '\x1b[2J', ''];

it.each(texts)('%j is a part of its line', (text) => {
  const path = join(scratch, `${texts.indexOf(text)}.jsonl`);
  const log = openLog(openForAppending(path));
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

it('errors are told with their codes and causes, and what cannot be written as JSON loses no line', () => {
  const path = join(scratch, 'errors.jsonl');
  const log = openLog(openForAppending(path), 'warn');
  const cause = Object.assign(new TypeError('the disk'), { code: 'EIO' });
  log.info({}, 'less important');
  log.error({ err: new Error('the file', { cause }), size: 10n }, 'failed');
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  log.warn({ circle }, 'itself');
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  const err = { type: 'Error', message: 'the file', cause: { type: 'TypeError', message: 'the disk', code: 'EIO' } };
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 50, pid: process.pid, size: '10', msg: 'failed', err },
    { level: 40, time: expect.stringMatching(/^\d{4}-.*Z$/), pid: process.pid, msg: 'itself' },
  ]);
});

it('a full disk takes lines, not the process', () => {
  const log = openLog(openSync('/dev/full', 'a'));
  expect(() => log.info({}, 'lost')).not.toThrow();
});
