/** That the token is compared in constant time: by a function made for it, and over texts of one length. */
import { timingSafeEqual } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Tokens } from '../../src/server/http/tokens.ts';
import { fakeClock } from '../unit/cli-fakes.ts';

vi.mock('node:crypto', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:crypto')>()),
  timingSafeEqual: vi.fn(),
}));

const compared = vi.mocked(timingSafeEqual);
beforeEach(() => {
  compared.mockReset();
});

const token = 'a'.repeat(64);
const headers: [string, string | undefined][] = [
  ['the token', `Bearer ${token}`],
  ['another of its length', `Bearer ${'b'.repeat(64)}`],
  ['one that begins like it', `Bearer ${token.slice(1)}b`],
  ['its beginning', `Bearer ${token.slice(1)}`],
  ['more than it', `Bearer ${token}a`],
  ['thousands of characters', `Bearer ${'a'.repeat(7_000)}`],
  ['an empty header', ''],
  ['no header', undefined],
];

describe.each(headers)('%s', (_, header) => {
  it.each([true, false])('opens when the comparison in constant time says so, and only then: %s', (isEqual) => {
    compared.mockReturnValue(isEqual);
    expect(new Tokens(fakeClock(), token).accepts(header)).toBe(isEqual);
  });

  it('is compared with the token and with the one before it, as hashes of one length', () => {
    compared.mockReturnValue(false);
    const tokens = new Tokens(fakeClock(), 'the one before');
    tokens.replace(token, 600_000);
    expect(tokens.accepts(header)).toBe(false);
    expect(compared.mock.calls.map((pair) => pair.map((bytes) => bytes.byteLength))).toEqual([
      [32, 32],
      [32, 32],
    ]);
  });
});
