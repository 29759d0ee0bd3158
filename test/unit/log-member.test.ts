import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { logHeader, readLogMember } from '../../src/base/log-member.ts';

const name = { jobKey: '12', runId: 3, attemptId: 4 };

function member(stdout: Buffer, stderr: Buffer, of = name): Buffer {
  return gzipSync(Buffer.concat([logHeader(of, stdout.length, stderr.length), stdout, stderr]));
}

describe('a member of a combined log', () => {
  it.each([
    ['odd bytes', Buffer.from([0, 0xff, 0x0a, 0x1f, 0x8b, 0x08]), Buffer.from('grün\n')],
    ['no stdout', Buffer.alloc(0), Buffer.from('only stderr')],
    ['no stderr', Buffer.from('only stdout'), Buffer.alloc(0)],
    ['a line like its own first one', logHeader(name, 1, 1), logHeader({ ...name, jobKey: '13' }, 5, 5)],
    ['megabytes', Buffer.alloc(5_000_000, 'abc\n'), Buffer.alloc(3_000_000, 1)],
  ])('holds %s', (_, stdout, stderr) => {
    const read = readLogMember(member(stdout, stderr), name);
    expect(read?.stdout.equals(stdout)).toBe(true);
    expect(read?.stderr.equals(stderr)).toBe(true);
  });

  it.each([
    ['of another job', member(Buffer.from('a'), Buffer.from('b'), { ...name, jobKey: '1' })],
    ['of another run', member(Buffer.from('a'), Buffer.from('b'), { ...name, runId: 4 })],
    ['of another attempt', member(Buffer.from('a'), Buffer.from('b'), { ...name, attemptId: 3 })],
    ['that is cut off', member(Buffer.from('a'), Buffer.from('b')).subarray(0, -9)],
    [
      'and the next one',
      Buffer.concat([member(Buffer.from('a'), Buffer.alloc(0)), member(Buffer.from('a'), Buffer.alloc(0))]),
    ],
    ['of something else', gzipSync('text')],
    ['that is no gzip', Buffer.from('text')],
    ['without a byte', Buffer.alloc(0)],
  ])('%s is not taken for this one', (_, bytes) => {
    expect(readLogMember(bytes, name)).toBeNull();
  });

  it('can be read together with its neighbours by any gzip', () => {
    const both = Buffer.concat([
      member(Buffer.from('one\n'), Buffer.from('')),
      member(Buffer.from(''), Buffer.from('two\n'), { ...name, attemptId: 5 }),
    ]);
    expect(gunzipSync(both).toString()).toBe(
      'torc log: job 12 run 3 attempt 4, stdout 4 bytes, stderr 0 bytes\none\n' +
        'torc log: job 12 run 3 attempt 5, stdout 0 bytes, stderr 4 bytes\ntwo\n',
    );
  });
});
