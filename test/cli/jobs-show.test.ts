import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Logs {
  job_key: string;
  run_id: number;
  attempt_id: number;
  stdout_path: string;
  stderr_path: string;
  stdout: string | null;
  stderr: string | null;
}

/** Runs jobs by name and command, each after the previous one. */
async function runChain(...jobs: [name: string, command: string][]): Promise<void> {
  const chain = jobs.map(([name, command], at) => ({
    name,
    command,
    depends_on: jobs.slice(at - 1, at).map(([n]) => n),
  }));
  await place.torc('run', place.file('chain.json', JSON.stringify({ name: 'chain', jobs: chain })), '-o', 'my out');
}

describe('jobs show', () => {
  it('shows everything, as text and as JSON', async () => {
    await runChain(['first\nline', 'true'], ['it\'s "b"', 'exit 3'], ['--last', 'true']);
    const { stdout } = await place.torc('jobs', 'show', '2');
    expect(stdout).toMatch(/^name: +it's "b"$/m);
    expect(stdout).toMatch(/^why: +It failed with return code 3 \(exit_code\)\.$/m);
    expect(stdout).toMatch(/^ +1 +1 +done +3 +exit_code /m);
    expect(stdout).toMatch(/^stderr: .*my out\/job_stdio\/0000\/job_2_run_1_attempt_1\.err$/m);
    expect(stdout).toMatch(/waits for:\njob_key +status +outcome +name\n1 +done +success +first\\nline$/m);
    expect(stdout).toMatch(/downstream jobs:\njob_key +status +outcome +name\n3 +canceled +canceled +--last$/m);
    expect(stdout).toMatch(/^resources: +1 CPU, memory not stated, runtime not stated$/m);
    await place.torc('jobs', 'modify', '1', '--num-cpus', '2', '--memory', '2g');
    const { stdout: stated } = await place.torc('jobs', 'show', '1');
    expect(stated).toMatch(/^resources: +2 CPUs, 2G of memory, runtime not stated$/m);
    const shown = await place.json(['jobs', 'show', '3']);
    expect(Object.keys(shown as object)).toEqual([
      'job',
      'why',
      'reasons',
      'diagnosis',
      'attempts',
      'events',
      'input_files',
      'output_files',
      'input_user_data',
      'output_user_data',
      'upstream',
      'num_upstream',
      'downstream',
      'num_downstream',
      'env',
      'launch',
    ]);
    expect(shown).toMatchObject({ job: { job_key: '3', status: 'canceled', return_code: null }, attempts: [] });
    expect(await place.torc('jobs', 'show', '4')).toMatchObject({
      code: 3,
      stdout: '',
      // the server does not know the option --dir
      stderr: expect.stringMatching(/^error: there is no job 4\nhint: torc --dir '.*server dir' jobs list\n$/),
    });
    expect(await place.torc('jobs', 'show', 'x', '-k', '1')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(
        /^error: workflow 1 has no job "x"\nhint: torc --dir '.*server dir' -k 1 jobs list\n$/,
      ),
    });
    expect(await place.json(['jobs', 'show', '--', '--last'])).toMatchObject({ job: { job_key: '3' } });
  });
});

describe('jobs logs', () => {
  it('prints the output byte for byte; everything else goes to stderr', async () => {
    await runChain(['a', "printf 'out\\n\\377\\001'; printf 'grün' >&2"]);
    const both = await place.torc('jobs', 'logs', '1');
    expect(both).toMatchObject({ code: 0, stdout: 'out\n\ufffd\x01grün' });
    expect(both.stderr).toMatch(/^==> .*attempt_1\.out <==\n==> .*attempt_1\.err <==\n$/);
    const bytes = execFileSync(process.execPath, [mainJs, '--dir', place.dir, 'jobs', 'logs', '1', '--stdout'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(bytes).toEqual(Buffer.from([0x6f, 0x75, 0x74, 0x0a, 0xff, 0x01]));
    const logs = await place.json<Logs>(['jobs', 'logs', '1', '--stderr']);
    expect(logs).toEqual({
      job_key: '1',
      run_id: 1,
      attempt_id: 1,
      log_kind: 'files',
      stdout_path: expect.stringMatching(/^\/.*my out.*\.out$/),
      stderr_path: expect.stringMatching(/^\/.*my out.*\.err$/),
      stdout: null,
      stderr: 'grün',
    });
  });

  it('has at most the last mebibyte as JSON and all of it as text', async () => {
    await runChain(['a', 'yes 123456789 | head -c 3000000; echo end']);
    const { stdout } = await place.json<Logs>(['jobs', 'logs', '1']);
    expect(stdout).toHaveLength(1024 ** 2);
    expect(stdout).toMatch(/end\n$/);
    expect((await place.torc('jobs', 'logs', '1', '--stdout')).stdout).toHaveLength(3_000_004);
  });

  it('finds earlier runs, and says what does not exist', async () => {
    await runChain(['a', 'echo run $TORC_RUN_ID; test $TORC_RUN_ID -gt 1'], ['never', 'true']);
    expect(await place.torc('jobs', 'logs', '2')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('has not started'),
    });
    await place.torc('workflows', 'reset-status', '-f', '-r');
    await place.torc('jobs', 'run', '-o', 'other');
    expect(await place.torc('jobs', 'logs', '1')).toMatchObject({ code: 0, stdout: 'run 2\n' });
    expect(await place.torc('jobs', 'logs', '1', '--run', '1')).toMatchObject({ code: 0, stdout: 'run 1\n' });
    expect(await place.torc('jobs', 'logs', '1', '--attempt', '2')).toMatchObject({ code: 3, stdout: '' });
    rmSync(join(place.path, 'other'), { recursive: true });
    const gone = await place.torc('jobs', 'logs', '1');
    expect(gone).toMatchObject({ code: 3, stdout: '' });
    expect(gone.stderr).toMatch(/^no stdout: .*other.*\.out is not on this host; it was written on .+$/m);
    expect(await place.json(['jobs', 'logs', '1'])).toMatchObject({ run_id: 2, stdout: null, stderr: null });
  });

  it('follows a running job to its end, even when the server ends with it', async () => {
    const step = (file: string) => `while [ ! -e ${file} ]; do sleep 0.02; done; echo ${file}`;
    const run = place.start('run', place.file('job.txt', `echo begun; ${step('one')}; ${step('two')}\n`), '-o', 'out');
    const isRunning = async () =>
      (await place.torc('jobs', 'list', '-f', 'status=submitted')).stdout.includes('submitted');
    await expect.poll(isRunning).toBe(true);
    const logs = place.start('jobs', 'logs', '1', '--follow', '--stdout');
    await expect.poll(() => logs.stdout()).toBe('begun\n');
    place.file('one', '');
    await expect.poll(() => logs.stdout()).toBe('begun\none\n');
    place.file('two', '');
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(await logs.ended).toMatchObject({ code: 0, stdout: 'begun\none\ntwo\n' });
    expect(await place.torc('-F', 'json', 'jobs', 'logs', '1', '-f')).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('lists of failures', () => {
  it('have short forms, and can show only the newest results', async () => {
    await runChain(['a', 'true'], ['b', 'exit $TORC_RUN_ID']);
    await place.torc('workflows', 'reset-status', '-f', '-r');
    await place.torc('jobs', 'run');
    const results = async (...options: string[]) => {
      const args = ['results', 'list', '--sort-by', 'job_key', ...options];
      const list = await place.json<{ results: { job_name: string; return_code: number }[] }>(args);
      return list.results.map((result) => `${result.job_name}${result.return_code}`);
    };
    expect(await results()).toEqual(['a0', 'b1', 'b2']);
    expect(await results('-L')).toEqual(['a0', 'b2']);
    expect(await results('--failed')).toEqual(['b1', 'b2']);
    expect(await results('--latest-only', '--return-code', '1')).toEqual([]);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '--failed'])).jobs).toHaveLength(1);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '--return-code', '0'])).jobs).toHaveLength(1);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'orphaned=true'])).jobs).toEqual([]);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'job_key=1,2'])).jobs).toHaveLength(2);
  });
});
