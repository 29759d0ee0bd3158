import { expect, it } from 'vitest';
import { asTorcError, messageOf, systemCode } from '../../src/base/errors.ts';

/** As node throws it from some of its functions: it has no name for these errors of the system. */
const unnamed = (errno: number) =>
  Object.assign(new Error('UNKNOWN: unknown error, write'), { code: 'UNKNOWN', errno, syscall: 'write' });
/** And from others. */
const numbered = (errno: number) => {
  const code = `Unknown system error ${errno}`;
  return Object.assign(new Error(`${code}: ${code}, write`), { code, errno, syscall: 'write' });
};

it('errors that node has no name for have the one of the system', () => {
  expect(systemCode(unnamed(-122))).toBe('EDQUOT');
  expect(systemCode(unnamed(-116))).toBe('ESTALE');
  expect(messageOf(unnamed(-122))).toBe('EDQUOT: disk quota exceeded, write');
  expect(asTorcError(unnamed(-116)).message).toBe('ESTALE: stale file handle, write');
  expect([systemCode(numbered(-122)), messageOf(numbered(-122))]).toEqual([
    'EDQUOT',
    'EDQUOT: disk quota exceeded, write',
  ]);
  expect(systemCode(unnamed(-100_000))).toBe('UNKNOWN');
  expect(systemCode(Object.assign(new Error('x'), { code: 'UNKNOWN' }))).toBe('UNKNOWN');
});

it('other errors keep their code and message', () => {
  const error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
  expect([systemCode(error), messageOf(error)]).toEqual(['ENOSPC', error.message]);
  expect([systemCode('text'), messageOf('text')]).toEqual([null, 'text']);
});
