/** Failures that look alike make one group. */
import { describe, expect, it } from 'vitest';
import { type Failure, FailureGroups } from '../../src/model/decide/failure-groups.ts';
import { normalized, signatureOf } from '../../src/model/decide/failure-signature.ts';

const failure = (n: number, stderr: string, changes: Partial<Failure> = {}): Failure => ({
  jobKey: String(n),
  jobName: `sim_${n}`,
  runId: 1,
  attemptId: 1,
  cause: 'exit_code',
  returnCode: 1,
  memoryBytes: 0,
  stdout: '',
  stderr,
  unread: null,
  ...changes,
});

const groupsOf = (failures: readonly Failure[]) => {
  const groups = new FailureGroups();
  for (const each of failures) groups.add(each);
  return groups.all();
};

describe('groups of failures', () => {
  it('of 100 jobs with two error texts are two, of 60 and 40', () => {
    const failures = Array.from({ length: 100 }, (_, n) =>
      n % 5 < 3
        ? failure(
            n,
            `2026-11-29T10:00:${10 + (n % 40)} sim_${n}: reading /scratch/u${n}/in_${n}.dat\nValueError: bad value ${n * 1.5} at 0x7f${n}a0\n`,
          )
        : failure(
            n,
            `step ${n}\nRuntimeError: node${n} lost its GPU (${n} of 8)\nsrun: error: node${n}: task 0: Exited with exit code 1\n`,
          ),
    );
    const groups = groupsOf(failures);
    expect(groups.map(({ count, pattern }) => [count, pattern])).toEqual([
      [60, 'ValueError: bad value <n> at <hex>'],
      [40, 'RuntimeError: node<n> lost its GPU (<n> of <n>)'],
    ]);
    expect(groups[0]).toMatchObject({ example: { jobKey: '0' }, returnCodes: [1] });
    expect(groups[0]?.jobKeys).toHaveLength(60);
    expect(groups[1]?.lines.at(-1)).toMatch(/^srun: error/);
  });

  it('keep causes apart, and codes where nothing was written', () => {
    const groups = groupsOf([
      failure(1, ''),
      failure(2, '', { returnCode: 2 }),
      failure(3, '', { cause: 'oom', returnCode: 137 }),
      failure(4, '', { unread: 'gone' }),
      failure(5, '', { stdout: 'cannot open 5\n' }),
      failure(6, 'warming up\n', { stdout: 'cannot open 6\n' }),
    ]);
    expect(groups.map(({ count, pattern }) => [count, pattern])).toEqual([
      [2, 'cannot open <n>'],
      [1, ''],
      [1, ''],
      [1, ''],
      [1, ''],
    ]);
  });
});

describe('the signature of an output', () => {
  it.each([
    ['[12:01:02.123] rank 3: MPI_ERR at 10.0.0.1:8080', '[<time>] rank <n>: MPI_ERR at <n>'],
    ["FileNotFoundError: No such file: '/data/x/y.nc'", "FileNotFoundError: No such file: '<path>'"],
    ['out/run_7/a.txt: line 12: syntax error', '<path>: line <n>: syntax error'],
    ['Nov 29 12:00:01 job job_9 died, id 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed', '<time> job <job> died, id <id>'],
    ['commit deadbeef01 of https://x.org/a?b=1 failed', 'commit <hex> of <url> failed'],
    ['residual -1.5e-07 after 1,000 steps', 'residual <n> after <n> steps'],
  ])('%s', (line, wanted) => {
    expect(normalized(line, 'job_9')).toBe(wanted);
  });

  it('passes over what any failure ends with, colors and progress lines', () => {
    const end =
      '\x1b[31mKeyError: 7\x1b[0m\nmake: *** [all] Error 1\nsrun: error: n1: task 0: Exited with exit code 2\n';
    expect(signatureOf({ jobName: 'a', stdout: '', stderr: end }).pattern).toBe('KeyError: <n>');
    const bar = signatureOf({ jobName: 'a', stdout: '', stderr: '10 %\r20 %\r30 % of cells\n' });
    expect(bar.lines).toEqual(['30 % of cells']);
  });
});
