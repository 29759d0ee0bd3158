/** What the errors of a network file system mean that fails, or that was replaced on its server. */
import { expect, it } from 'vitest';
import { explainDirectory } from '../../src/base/trusted/private.ts';
import { isAbsence } from '../../src/cli/output/attempt-output.ts';
import { cannotWrite } from '../../src/cli/output/written-file.ts';

const failed = (code: string) => Object.assign(new Error('it failed'), { code });
/** As node passes on what it has no name for. */
const stale = Object.assign(new Error('UNKNOWN: unknown error, open'), { code: 'UNKNOWN', errno: -116 });

it('a server directory on it cannot be used, for a reason that administrators know', () => {
  for (const code of ['EIO', 'ETIMEDOUT']) {
    const problem = `the file system of /shared/dir fails or does not answer (${code})`;
    expect(explainDirectory(failed(code), '/shared/dir')).toMatchObject({ code: 'unusable', message: problem });
  }
  expect(explainDirectory(stale, '/shared/dir')).toMatchObject({
    code: 'unusable',
    message: 'the file system of /shared/dir was replaced on its server (ESTALE)',
    hint: expect.stringContaining('mount it again'),
  });
  expect(explainDirectory(failed('EACCES'), '/shared/dir')).toMatchObject({
    message: 'cannot use the server directory /shared/dir (EACCES)',
  });
});

it('a log that another host has removed is absent, and one that cannot be read is not', () => {
  expect([stale, failed('ENOENT'), failed('EIO')].map(isAbsence)).toEqual([true, true, false]);
});

it('a file that a person named cannot be written, with what to do', () => {
  expect(cannotWrite('/shared/a/r.svg', stale)).toMatchObject({
    code: 'no_space',
    message: expect.stringContaining('cannot write /shared/a/r.svg: the file system of /shared/a was replaced'),
  });
  expect(cannotWrite('/a b/r.svg', failed('EACCES'))).toMatchObject({ code: 'usage', hint: "ls -ld '/a b'" });
  // some commands have no -o
  expect(cannotWrite('/a/r.svg', failed('EISDIR')).hint).toBe('Name a file in it.');
});
