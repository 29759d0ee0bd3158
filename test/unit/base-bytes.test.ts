import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { rawVariables, readablePath } from '../../src/base/bytes.ts';
import { serverDirectory } from '../../src/base/config.ts';

it('refuses directories that are not UTF-8', () => {
  expect(readablePath('/home/größe', 'current directory')).toBe('/home/größe');
  const lossy = Buffer.from('/home/caf\xe9', 'latin1').toString();
  expect(() => readablePath(lossy, 'current directory')).toThrow('is not UTF-8');
  expect(() => serverDirectory(undefined, { TORC_DIR: lossy })).toThrow(
    'the server directory /home/caf\u{FFFD} is not',
  );
});

it('finds the bytes of variables in the process or in the one that started it', () => {
  const root = mkdtempSync(join(tmpdir(), 'torc-bytes-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['self', String(process.ppid)]) mkdirSync(join(root, folder));
  writeFileSync(join(root, 'self/environ'), Buffer.from('A=x\0OWN=1\xe9\0LOSSY=\xef\xbf\xbd\0', 'latin1'));
  writeFileSync(join(root, String(process.ppid), 'environ'), Buffer.from('LOSSY=\xe4\0OWN=2\xe9\0', 'latin1'));
  const env = { A: 'x', OWN: '1\u{FFFD}', LOSSY: '\u{FFFD}', REAL: '\u{FFFD}', EMPTY: undefined };
  const raw = rawVariables(env, root);
  expect([...raw].map(([name, value]) => [name, value.toString('latin1')])).toEqual([
    ['OWN', '1\xe9'],
    ['LOSSY', '\xe4'],
  ]);
  expect(rawVariables({ A: 'x' }, '/nowhere').size).toBe(0);
});
