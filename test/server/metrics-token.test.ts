/** Two commands that make the first token for metrics at the same time. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { makeMetricsToken } from '../../src/cli/actions/server-metrics-token.ts';
import { newToken } from '../../src/server/http/tokens.ts';
import { temporaryDirectory } from '../support/service.ts';
import { fakeContext, fakeTerminal } from '../unit/cli-fakes.ts';

vi.mock('../../src/server/http/tokens.ts', () => ({ newToken: vi.fn() }));

const directory = temporaryDirectory();
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('both succeed, and the file holds one of their tokens', async () => {
  writeFileSync(join(directory, 'torc.db'), '');
  const path = join(directory, 'metrics-token');
  vi.mocked(newToken).mockImplementation(() => {
    // between the look and the writing of this one
    writeFileSync(path, 'of the other\n', { mode: 0o600 });
    return 'a'.repeat(64);
  });
  const terminal = fakeTerminal();
  await makeMetricsToken(fakeContext(terminal, { dir: directory }), false);
  expect(terminal.stdout.join('')).toMatch(/^created a token: /);
  expect(readFileSync(path, 'utf8')).toBe(`${'a'.repeat(64)}\n`);
});
