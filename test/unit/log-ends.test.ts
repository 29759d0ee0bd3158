/** The ends of many outputs: the same whether the file system is fast or slow. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Api, FailedOutput, Request } from '../../src/api/contract.ts';
import { failedOutputs, readEnds } from '../../src/cli/output/log-ends.ts';
import { saysEnough } from '../../src/model/decide/failure-signature.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'torc-ends-'));
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function output(name: string): FailedOutput {
  const [stdout_path, stderr_path] = [join(folder, `${name}.out`), join(folder, `${name}.err`)];
  const where = {
    hostname: 'c1',
    log_kind: 'files',
    log_offset: null,
    log_length: null,
    stdout_path,
    stderr_path,
  } as const;
  const attempt = {
    job_key: '1',
    run_id: 1,
    attempt_id: 1,
    return_code: 1,
    cause: 'exit_code',
    memory_bytes: 0,
  } as const;
  return { job_key: '1', job_name: name, attempt: { ...attempt, inherited_from: null, ...where } };
}

function write(name: string, stdout: string, stderr: string): FailedOutput {
  writeFileSync(join(folder, `${name}.out`), stdout);
  writeFileSync(join(folder, `${name}.err`), stderr);
  return output(name);
}

async function read(jobs: FailedOutput[], isSlow: boolean, skipsStdout?: typeof saysEnough) {
  let now = 0;
  if (isSlow) {
    vi.spyOn(performance, 'now').mockImplementation(() => {
      now += 1000;
      return now;
    });
  }
  const ends = await readEnds(jobs, 8, skipsStdout);
  vi.restoreAllMocks();
  return ends.map(({ shown, stdout, stderr, unread }) => [shown.job_name, `${stdout}`, `${stderr}`, unread]);
}

it.each([false, true])(
  'reads the last bytes of each stream, and says why it read nothing (slow: %s)',
  async (isSlow) => {
    const jobs = [write('long', '0123456789', 'abc'), write('empty', '', ''), output('away'), write('one', '', 'e')];
    rmSync(join(folder, 'one.out'));
    expect(await read(jobs, isSlow)).toEqual([
      ['long', '23456789', 'abc', null],
      ['empty', '', '', null],
      ['away', '', '', expect.stringMatching(/away\.err is not on this host; it was written on c1$/)],
      ['one', '', 'e', null],
    ]);
    expect(await read([], isSlow)).toEqual([]);
  },
);

it.each([false, true])('neither follows a link nor waits for a pipe (slow: %s)', async (isSlow) => {
  const [link, pipe] = [write('link', '', ''), write('pipe', '', '')];
  for (const name of ['link.err', 'pipe.err']) rmSync(join(folder, name));
  symlinkSync(join(folder, 'pipe.out'), join(folder, 'link.err'));
  execFileSync('mkfifo', [join(folder, 'pipe.err')]);
  expect(await read([link, pipe], isSlow)).toEqual([
    ['link', '', '', expect.stringMatching(/^cannot read .*link\.err: ELOOP$/)],
    ['pipe', '', '', expect.stringMatching(/^cannot read .*pipe\.err: /)],
  ]);
});

it.each([false, true])('leaves out stdout where stderr is enough (slow: %s)', async (isSlow) => {
  const jobs = [write('error', 'out', 'error: x'), write('quiet', 'out', 'hello'), write('none', 'out', '')];
  expect(await read(jobs, isSlow, saysEnough)).toEqual([
    ['error', '', 'error: x', null],
    ['quiet', 'out', 'hello', null],
    ['none', 'out', '', null],
  ]);
});

it.each([
  [6000, 10_000],
  [6000, 5500],
  [5000, 5000],
])('of %i failed jobs at most %i are found, each once and in order, on several pages', async (numFailed, most) => {
  const jobs = Array.from({ length: numFailed }, (_, n) => ({ ...output('a'), job_key: `${2 * n + 1}` }));
  const call = (_: string, { after, limit }: Request<'failed_outputs'>) => {
    const left = jobs.filter(({ job_key }) => Number(job_key) > Number(after ?? 0));
    return Promise.resolve({ jobs: left.slice(0, limit), more: left.length > limit });
  };
  const found: string[] = [];
  for await (const some of failedOutputs({ call } as unknown as Api, '1', most)) {
    found.push(...some.map(({ job_key }) => job_key));
  }
  expect(found).toEqual(jobs.slice(0, most).map(({ job_key }) => job_key));
});

it('jobs without an output keep their places among the others', async () => {
  const pruned = output('c');
  const jobs = [
    { ...output('a'), attempt: null },
    write('b', '', 'error b'),
    { ...pruned, attempt: pruned.attempt === null ? null : { ...pruned.attempt, log_kind: 'pruned' as const } },
    write('d', '', 'error d'),
  ];
  for (const isSlow of [false, true]) {
    expect((await read(jobs, isSlow)).map(([name, , stderr]) => [name, stderr])).toEqual([
      ['a', ''],
      ['b', 'error b'],
      ['c', ''],
      ['d', 'error d'],
    ]);
  }
});
