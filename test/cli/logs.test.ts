/** Where job output goes, and how it is found. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
  log_kind: string;
  stdout_path: string | null;
  stdout: string | null;
  stderr: string | null;
}

const jobs = [
  ['plain', 'echo out; echo err >&2'],
  ['nothing', 'true'],
  ['odd\n"name"', "printf '\\0\\377\\37\\213 no line break'; printf 'grün' >&2"],
  ['fails', 'echo before; exit 3'],
  ['large', 'yes 0123456789 | head -c 700000; echo end >&2'],
  ['stopped', 'echo begun; kill -KILL $$'],
].map(([name, command]) => ({ name, command }));

/** Runs the jobs, several at a time; returns the output of each as bytes, in order. */
async function run(mode: string): Promise<Buffer[]> {
  const spec = place.file('spec.json', JSON.stringify({ name: mode, jobs, stdio: mode }));
  const ended = await place.torc('run', spec, '-o', 'my out', '-m', '4');
  expect(ended.code).toBe(1);
  const words = ['--dir', place.dir, 'jobs', 'logs'];
  return jobs.map((_, at) => {
    const options = { cwd: place.path, stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] };
    return execFileSync(process.execPath, [mainJs, ...words, String(at + 1)], options);
  });
}

/** Without the note that says whose directory it is. */
function files(folder: string): string[] {
  const all = readdirSync(join(place.path, folder), { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile() && entry.name !== '.torc_server').map(({ name }) => name);
}

describe('combined logs', () => {
  it('contain what separate files would', async () => {
    const combined = await run('combined');
    expect(files('my out').filter((name) => !name.startsWith('worker_'))).toEqual(['combined.gz']);
    const shown = await place.torc('jobs', 'show', '1');
    expect(shown.stdout).toMatch(/^output: .*torc --dir .* jobs logs 1 \(in .*my out.*combined\.gz\)$/m);
    expect((await place.torc('jobs', 'show', '2')).stdout).toMatch(/^output: the job wrote nothing$/m);
    expect(await place.torc('jobs', 'logs', '2')).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'the job wrote nothing\n',
    });
    expect(await place.json<Logs>(['jobs', 'logs', '4', '--stdout'])).toMatchObject({
      log_kind: 'combined',
      stdout: 'before\n',
      stderr: null,
    });
    expect((await place.json<Logs>(['jobs', 'logs', '5'])).stdout).toHaveLength(700_000);
    const damaged = (await place.json<Logs>(['jobs', 'logs', '1'])).stdout_path ?? '';
    writeFileSync(damaged, readFileSync(damaged).fill(0, 0, 20));
    expect(await place.torc('jobs', 'logs', '1')).toMatchObject({ code: 3, stdout: '' });
    rmSync(damaged);
    const gone = await place.torc('jobs', 'logs', '1');
    expect(gone).toMatchObject({ code: 3, stdout: '' });
    expect(gone.stderr).toMatch(/^no stdout: .*combined\.gz is not on this host; it was written on .+$/m);
    await place.remove();
    place = newPlace();
    const own = await run('files');
    expect(combined.map((text) => text.toString('latin1'))).toEqual(own.map((text) => text.toString('latin1')));
  });

  it('of a thousand jobs are only a few files', async () => {
    const commands = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? `echo ${n}` : 'true'));
    const file = place.file('many.txt', `${commands.join('\n')}\n`);
    expect(await place.torc('run', file, '-o', 'out', '-m', '2', '--stdio', 'combined')).toMatchObject({ code: 0 });
    expect(files('out').length).toBeLessThan(20);
    expect((await place.torc('jobs', 'logs', '999')).stdout).toBe('998\n');
    expect((await place.torc('jobs', 'logs', '1000')).stdout).toBe('');
  });

  it('can be followed while a job runs, separately for each attempt', async () => {
    const step = (file: string) => `while [ ! -e ${file} ]; do sleep 0.02; done; echo ${file}`;
    const failure_handlers = [{ name: 'again', rules: [{ exit_codes: [7], max_retries: 1 }] }];
    const command = `echo begun $TORC_ATTEMPT_ID; ${step('one')}; test $TORC_ATTEMPT_ID = 1 && exit 7; ${step('two')}`;
    const spec = {
      name: 'f',
      stdio: 'combined',
      failure_handlers,
      jobs: [{ name: 'a', command, failure_handler: 'again' }],
    };
    const ran = place.start('run', place.file('f.json', JSON.stringify(spec)), '-o', 'out');
    const shown = async () => (await place.torc('jobs', 'logs', '1')).stdout;
    await expect.poll(shown).toBe('begun 1\n');
    expect((await place.torc('jobs', 'show', '1')).stdout).toContain('slot_1.out');
    const first = place.start('jobs', 'logs', '1', '--follow', '--stdout', '--attempt', '1');
    const whole = place.start('logs', 'a', '--follow', '--stdout');
    await expect.poll(() => [first.stdout(), whole.stdout()]).toEqual(['begun 1\n', 'begun 1\n']);
    place.file('one', '');
    expect(await first.ended).toMatchObject({ code: 0, stdout: 'begun 1\none\n' });
    await expect.poll(shown).toBe('begun 2\none\n');
    const second = place.start('jobs', 'logs', '1', '--follow', '--stdout');
    await expect.poll(() => second.stdout()).toBe('begun 2\none\n');
    place.file('two', '');
    expect(await second.ended).toMatchObject({ code: 0, stdout: 'begun 2\none\ntwo\n' });
    expect(await whole.ended).toMatchObject({ code: 0, stdout: 'begun 1\none\nbegun 2\none\ntwo\n' });
    expect(await ran.ended).toMatchObject({ code: 0 });
    expect((await place.torc('jobs', 'logs', '1', '--attempt', '1')).stdout).toBe('begun 1\none\n');
  });

  it('show the output of a job whose worker was killed', async () => {
    const command = 'echo last words; echo $$ > pid; exec sleep 600';
    const ran = place.start('run', place.file('k.txt', `${command}\n`), '-o', 'out', '--stdio', 'combined');
    const jobPid = () => Number(existsSync(join(place.path, 'pid')) && readFileSync(join(place.path, 'pid'), 'utf8'));
    await expect.poll(jobPid).toBeGreaterThan(0);
    const isKnown = async () => (await place.torc('jobs', 'show', '1')).stdout.includes('slot_1.out');
    await expect.poll(isKnown).toBe(true);
    const list = await place.json<{ compute_nodes: { pid: number }[] }>(['compute-nodes', 'list']);
    process.kill(list.compute_nodes[0]?.pid ?? 0, 'SIGKILL');
    await ran.ended;
    process.kill(jobPid(), 'SIGKILL');
    expect(await place.torc('jobs', 'logs', '1')).toMatchObject({ code: 0, stdout: 'last words\n' });
    await place.torc('workflows', 'restart');
    await place.torc('jobs', 'reset-status', '1');
    expect(await place.torc('jobs', 'logs', '1', '--run', '1')).toMatchObject({ code: 0, stdout: 'last words\n' });
  });
});

describe('several jobs', () => {
  it('are followed together, each line with its name, also those that have not started', async () => {
    const step = (file: string) => `while [ ! -e ${file} ]; do sleep 0.02; done; printf '${file}\\nend'`;
    const spec = {
      name: 'two',
      jobs: [
        { name: 'first', command: `echo begun; ${step('one')}` },
        { name: 'second', command: step('two'), depends_on: ['first'] },
      ],
    };
    const ran = place.start('run', place.file('two.json', JSON.stringify(spec)), '-o', 'out');
    await expect.poll(async () => (await place.torc('logs', '1')).stdout).toBe('begun\n');
    const all = place.start('logs', 'first', '2', '--follow');
    await expect.poll(() => all.stdout()).toBe('first  | begun\n');
    place.file('one', '');
    await expect.poll(() => all.stdout()).toBe('first  | begun\nfirst  | one\nfirst  | end\n');
    place.file('two', '');
    const lines = ['first  | begun', 'first  | one', 'first  | end', 'second | two', 'second | end', ''].join('\n');
    expect(await all.ended).toMatchObject({ code: 0, stdout: lines, stderr: 'waiting for job 2 to start\n' });
    expect(await ran.ended).toMatchObject({ code: 0 });
    expect(await place.torc('logs', '1', '2')).toMatchObject({ code: 0, stdout: lines });
    expect((await place.torc('logs', '1', '--tail', '2')).stdout).toBe('one\nend');
    expect((await place.torc('logs', '1', '2', '--tail', '1')).stdout).toBe('first  | end\nsecond | end\n');
    const { logs } = await place.json<{ logs: { job_name: string; stdout: string }[] }>(['logs', '1', '2']);
    expect(logs.map(({ job_name, stdout }) => [job_name, stdout])).toEqual([
      ['first', 'begun\none\nend'],
      ['second', 'two\nend'],
    ]);
    expect(await place.torc('logs', '1', '99')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no job 99'),
    });
  });
});

describe('jobs that wrote nothing', () => {
  it('are said to have written nothing', async () => {
    await place.torc('run', place.file('c.txt', 'true\ntrue\necho out\n'), '-o', 'out');
    const nothing = 'job_1: the job wrote nothing\njob_2: the job wrote nothing\n';
    expect(await place.torc('logs', '1', '2')).toMatchObject({ code: 0, stdout: '', stderr: nothing });
    const one = await place.torc('logs', '3', '1', '--tail', '5');
    expect(one).toMatchObject({ code: 0, stdout: 'job_3 | out\n', stderr: 'job_1: the job wrote nothing\n' });
    expect((await place.torc('logs', '3', '--stderr')).stderr).toMatch(/\nthe job wrote nothing to stderr\n$/);
  });
});

describe('failures', () => {
  it('are grouped by cause and last lines, and put into a bundle without secrets', async () => {
    const failing = Array.from({ length: 10 }, (_, n) => ({
      name: `job_${n}`,
      command:
        n % 5 < 3
          ? `echo "ValueError: bad value ${n}.5 at 0x7f${n}a" >&2; exit 1`
          : `echo "lost node${n} of /data/run_${n}"; echo "Authorization: Bearer abc${n}defghijkl" >&2; API_TOKEN=hush${n}hush exit 3`,
    }));
    const spec = { name: 'grouped', jobs: [...failing, { name: 'fine', command: 'true' }] };
    await place.torc('run', place.file('spec.json', JSON.stringify(spec)), '-o', 'out', '-m', '4');
    const { groups, ...rest } = await place.json<{ groups: Record<string, unknown>[] }>(['logs', 'analyze']);
    expect(rest).toEqual({ workflow_key: '1', num_failures: 10, num_read: 10 });
    expect(groups.map(({ count, cause, pattern, return_codes }) => [count, cause, pattern, return_codes])).toEqual([
      [6, 'exit_code', 'ValueError: bad value <n> at <hex>', [1]],
      [4, 'exit_code', 'Authorization: Bearer abc<n>defghijkl', [3]],
    ]);
    const planned = await place.json<{ files: { name: string }[] }>(['logs', 'bundle', '--dry-run']);
    expect(planned.files.map(({ name }) => name)).toContain('torc-1-grouped/specification.json');
    expect(existsSync(join(place.path, 'torc-1-grouped.tar.gz'))).toBe(false);
    const made = await place.torc('logs', 'bundle');
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^wrote .*torc-1-grouped\.tar\.gz/) });
    expect(made.stderr).toContain('logs of 10 failed jobs');
    const unpacked = execFileSync('tar', ['-xzOf', 'torc-1-grouped.tar.gz'], { cwd: place.path, encoding: 'utf8' });
    expect(unpacked).toContain('ValueError: bad value 0.5');
    expect(unpacked).toContain('API_TOKEN=***');
    expect(unpacked).toContain('Bearer ***');
    expect(unpacked).not.toMatch(/hush|abc\ddefghijkl/);
    const nowhere = await place.torc('logs', 'bundle', '-o', 'none/bundle.tar.gz');
    expect(nowhere).toMatchObject({ code: 2, stdout: '' });
    expect(nowhere.stderr).toMatch(
      /^error: cannot write .*none\/bundle\.tar\.gz: there is no directory .*\nhint: mkdir/,
    );
    expect(await place.torc('logs', 'bundle')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('already exists'),
    });
    const { stdout } = await place.torc('logs', 'analyze', '1');
    expect(stdout).toMatch(
      /^10 failed jobs in 2 groups\n\n6 jobs: failed, return code 1; for example job_0 \(1\)\n {2}\| ValueError: bad value 0\.5/,
    );
  });
});

describe('stdio', () => {
  it('keeps only the output of failures', async () => {
    const spec = place.file('spec.json', JSON.stringify({ name: 'f', jobs: jobs.slice(0, 4), stdio: 'on-failure' }));
    const { stdout } = await place.torc('run', spec, '-o', 'out');
    expect(files('out/job_stdio').sort()).toEqual(['job_4_run_1_attempt_1.err', 'job_4_run_1_attempt_1.out']);
    expect(stdout).toContain('jobs logs 4');
    expect((await place.torc('jobs', 'logs', '4')).stdout).toBe('before\n');
    expect(await place.torc('jobs', 'logs', '1')).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringContaining('the return code is 0, and only the output of failed jobs is kept'),
    });
  });

  it('none says that nothing is kept, as text and as JSON', async () => {
    await place.torc('run', place.file('n.txt', 'echo a; exit 2\n'), '-o', 'out', '--stdio', 'none');
    expect(existsSync(join(place.path, 'out/job_stdio'))).toBe(false);
    expect(await place.torc('jobs', 'logs', '1')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('was not kept (stdio: none)'),
    });
    const none = { log_kind: 'none', stdout_path: null, stdout: null, stderr: null };
    expect(await place.json(['jobs', 'logs', '1'])).toMatchObject(none);
  });

  it('can be set in a specification, by an option, or later; exports contain it', async () => {
    const spec = place.file(
      's.json',
      JSON.stringify({ name: 's', jobs: [{ name: 'a', command: 'true' }], stdio: 'none' }),
    );
    const of = async (key: string) => (await place.json<{ stdio: string }>(['workflows', 'show', key])).stdio;
    await place.torc('workflows', 'create', spec);
    await place.torc('workflows', 'create', spec, '--stdio', 'combined');
    await place.create('true');
    expect([await of('1'), await of('2'), await of('3')]).toEqual(['none', 'combined', 'files']);
    const { changes } = await place.json<{ changes: unknown[] }>(['workflows', 'modify', '3', '--stdio', 'on-failure']);
    expect(changes).toEqual([{ field: 'stdio', old_value: 'files', new_value: 'on-failure' }]);
    await place.torc('workflows', 'export', '3', '-o', 'e.json');
    await place.torc('workflows', 'import', 'e.json');
    expect(await of('4')).toBe('on-failure');
    expect(await place.torc('workflows', 'modify', '3', '--stdio', 'tape')).toMatchObject({ code: 2 });
    const bad = place.file('bad.json', JSON.stringify({ name: 's', jobs: [], stdio: 'tape' }));
    expect(await place.torc('workflows', 'create', bad)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('stdio'),
    });
  });
});
