import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isProcessAlive, listPids, readStat } from '../../src/base/proc.ts';
import { mainJs } from '../support/torc.ts';
import { diamond, newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Summary {
  workflow_key: string;
  status: string;
  num_jobs: number;
  num_done: number;
  num_failed: number;
  num_canceled: number;
  elapsed_seconds: number;
}

describe('torc run', () => {
  it('runs a specification and ends with 0 and a summary', async () => {
    const spec = place.file('diamond.json', diamond({ a: 'echo hello' }));
    const planned = await place.torc('run', spec, '--dry-run');
    expect(planned).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^a +- +echo hello$[\s\S]*4 jobs in 3 stages/m),
    });
    expect([place.dir, join(place.path, 'torc_output')].filter((path) => existsSync(path))).toEqual([]);
    const { code, stdout } = await place.torc('run', spec, '-o', 'out');
    expect(code).toBe(0);
    expect(stdout).toContain('workflow 1 (diamond), run 1: done');
    expect(stdout).toMatch(/^jobs: +4$/m);
    expect(stdout).toMatch(/torc --dir '.*server dir' results list -k 1/);
    const outputs = readdirSync(join(place.path, 'out', 'job_stdio', '0000')).filter((name) => name.endsWith('.out'));
    expect(
      outputs.map((name) => readFileSync(join(place.path, 'out', 'job_stdio', '0000', name), 'utf8')).join(''),
    ).toBe('hello\n');
  });

  it('waits for a retry with a delay, also when nothing else is left to do', async () => {
    const rules = [{ exit_codes: [75], max_retries: 1, retry_delay: '3s' }];
    const job = {
      name: 'a',
      command: 'date +%s%3N >> times; [ $(wc -l < times) = 2 ] || exit 75',
      failure_handler: 'h',
    };
    const spec = place.file(
      'w.json',
      JSON.stringify({ name: 'w', failure_handlers: [{ name: 'h', rules }], jobs: [job] }),
    );
    const summary = await place.json<Summary>(['run', spec]);
    expect(summary).toMatchObject({ status: 'done', num_done: 1, num_failed: 0 });
    const [first, second] = readFileSync(join(place.path, 'times'), 'utf8').trim().split('\n').map(Number) as [
      number,
      number,
    ];
    expect(second - first).toBeGreaterThan(2_500);
  });

  it('ends with 1 when a job failed, and says which, why and where its stderr is', async () => {
    const spec = place.file('diamond.json', diamond({ c: 'echo broken >&2; exit 3' }));
    const { code, stdout } = await place.torc('run', spec, '-o', 'out');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^done: +2 succeeded, 1 failed$/m);
    expect(stdout).toMatch(/^canceled: +1$/m);
    expect(stdout).toMatch(
      /^1 job failed with return code 3 \(exit_code\):\n {2}c \(job 3\) on .+\n {4}\$ .+\n {4}\| broken$/m,
    );
    const [, stderrPath = ''] = /^ {4}stderr: (.+)$/m.exec(stdout) ?? [];
    expect(readFileSync(stderrPath, 'utf8')).toBe('broken\n');
  });

  it('prints the summary as one JSON value and nothing else', async () => {
    const spec = place.file('diamond.json', diamond({ a: 'exit 1' }));
    const ended = await place.torc('-F', 'json', 'run', spec);
    expect(ended).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      workflow_key: '1',
      run_id: 1,
      status: 'failed',
      num_jobs: 4,
      num_done: 1,
      num_failed: 1,
      num_canceled: 3,
      elapsed_seconds: expect.any(Number),
    } satisfies Partial<Summary> & { run_id: number });
  });

  it('that goes on counts the jobs that end now, and lists the failed ones of both', async () => {
    const commands = ['true', 'true', 'exit 2', 'exit 127', '[ $TORC_RUN_ID = 2 ]'];
    const file = place.file('commands.txt', commands.join('\n'));
    type Counted = Summary & {
      num_ended_here: number;
      jobs_per_second: number;
      failed_jobs: { return_code: number }[];
    };
    const first = await place.json<Counted>(['run', file], 1);
    expect(first).toMatchObject({ num_done: 5, num_ended_here: 5 });
    expect(first.failed_jobs.map(({ return_code }) => return_code)).toEqual([2, 127, 1]);
    await place.torc('workflows', 'reset-status', '1', '--failed-only', '--restart');
    const second = await place.json<Counted>(['jobs', 'run', '1'], 1);
    expect(second).toMatchObject({ num_done: 5, num_ended_here: 3 });
    expect(second.failed_jobs.map(({ return_code }) => return_code)).toEqual([2, 127]);
    const third = await place.json<Counted>(['jobs', 'run', '1'], 1);
    expect(third).toMatchObject({ num_done: 5, num_ended_here: 0, jobs_per_second: 0 });
    expect(third.failed_jobs).toHaveLength(2);
  });

  it('S51: a higher priority first among the ready jobs, else as submitted', async () => {
    const jobs = [0, 0, 5].map((priority, n) => ({ name: `j${n}`, command: `echo ${n} >> order`, priority }));
    expect((await place.torc('run', place.file('w.json', JSON.stringify({ name: 'w', jobs })), '-m', '1')).code).toBe(
      0,
    );
    expect(readFileSync(join(place.path, 'order'), 'utf8')).toBe('2\n0\n1\n');
  });

  it('takes commands from standard input', async () => {
    const child = spawn(process.execPath, [mainJs, '--dir', place.dir, '-F', 'json', 'run', '-', '--commands'], {
      cwd: place.path,
    });
    child.stdin.end('# two jobs\nexit 0\n\necho "a  b" > \'odd name\'\n');
    expect(JSON.parse(await text(child.stdout))).toMatchObject({ name: 'commands', status: 'done', num_done: 2 });
    expect(readFileSync(join(place.path, 'odd name'), 'utf8')).toBe('a  b\n');
  });

  it('rejects what it cannot run before anything is stored', async () => {
    const spec = place.file(
      'cycle.json',
      JSON.stringify({ name: 'x', jobs: [{ name: 'a', command: 'b', depends_on: ['a'] }] }),
    );
    expect(await place.torc('run', spec)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('cycle.json:1:'),
    });
    expect(await place.torc('run', 'missing.yaml')).toMatchObject({ code: 3, stdout: '' });
    const good = place.file('good.json', diamond());
    expect(await place.torc('run', good, '--memory', 'lots')).toMatchObject({ code: 2 });
    for (const output of [good, `${good}/below`, '/proc/nope']) {
      expect(await place.torc('run', good, '-o', output)).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(/^error: the output directory .* cannot be used: E[A-Z]+: .*\nhint: .*-o/),
      });
    }
    expect(existsSync(place.dir)).toBe(false);
  });

  it('ends with 1 and says so when jobs need more than the machine has', async () => {
    const jobs = [
      { name: 'small', command: 'true' },
      { name: 'big', command: 'true', resource_requirements: 'big' },
    ];
    const big = { name: 'big', num_cpus: 3, memory: '1m' };
    const spec = { name: 'x', jobs, resource_requirements: [big], compute_node_wait_for_new_jobs_seconds: 86_400 };
    const ended = await place.torc('run', place.file('x.json', JSON.stringify(spec)), '--cpus', '2');
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('1 job needs 3 CPUs; no worker so far had more than 2 CPUs: torc '),
    });
    expect(ended.stdout).toMatch(/^unfinished: +1$/m);
    // jobs run says the same, and does not wait for new jobs that nobody can make
    const again = await place.torc('jobs', 'run', '1', '--cpus', '2');
    expect(again).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('1 job needs 3 CPUs; no worker so far had more than 2 CPUs: torc '),
    });
    expect(again.stdout).toMatch(/^unfinished: +1$/m);
    // a worker that has them runs it
    expect(await place.torc('jobs', 'run', '1', '--cpus', '3')).toMatchObject({ code: 0 });
  });

  it('stops its jobs on SIGTERM, ends with 130 and can be continued', async () => {
    const spec = place.file('commands.txt', `${'mkdir $TORC_JOB_NAME || exit 0; exec sleep 600\n'.repeat(2)}true\n`);
    const run = place.start('run', spec, '-m', '2', '-o', 'out');
    const haveBegun = () => ['job_1', 'job_2'].every((name) => existsSync(join(place.path, name)));
    await expect.poll(haveBegun).toBe(true);
    run.child.kill('SIGTERM');
    const ended = await run.ended;
    expect(ended).toMatchObject({ code: 130, stdout: '' });
    expect(ended.stderr).toMatch(/hint: To continue: torc .* jobs run 1$/m);
    const { jobs } = await place.json<{ jobs: { name: string; status: string }[] }>(['jobs', 'list']);
    expect(jobs.map((job) => job.status)).toEqual(['ready', 'ready', 'ready']);
    expect(await place.json(['workflows', 'show-status', '1'])).toMatchObject({ status: 'waiting' });
    expect(await place.json(['jobs', 'run', '1', '-o', 'out'])).toMatchObject({
      num_done: 3,
      worker: { reason: 'complete' },
    });
  });

  it('says that its worker died and does not hang', async () => {
    const run = place.start('run', place.file('commands.txt', 'echo $$ > job.pid; exec sleep 600\n'));
    const jobPid = () => Number(existsSync(pidFile) ? readFileSync(pidFile, 'utf8') : 0);
    const pidFile = join(place.path, 'job.pid');
    await expect.poll(jobPid).toBeGreaterThan(0);
    const { compute_nodes } = await place.json<{ compute_nodes: { pid: number }[] }>(['compute-nodes', 'list']);
    process.kill(compute_nodes[0]?.pid ?? 0, 'SIGKILL');
    expect(await run.ended).toMatchObject({
      code: 5,
      stdout: '',
      stderr: expect.stringMatching(
        /the worker died \(SIGKILL\)\nhint: See its log .*\.log\. .* jobs diagnose -k 1\. To continue: torc .* jobs run 1$/m,
      ),
    });
    killIfThere(jobPid());
  });
});

/** The job of a killed worker keeps running; it must not outlive the test. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended with its worker
  }
}

describe('a second terminal', () => {
  it('sees the run in progress, through the process that runs it', async () => {
    const run = place.start('run', place.file('commands.txt', 'while [ ! -e go ]; do sleep 0.05; done\n'));
    const status = async () => (await place.torc('-F', 'json', 'workflows', 'show-status', '1')).stdout;
    await expect.poll(async () => JSON.parse((await status()) || '{}').counts?.submitted).toBe(1);
    expect(await place.torc('server', 'start')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(String(run.child.pid)),
    });
    place.file('go', '');
    expect((await run.ended).code).toBe(0);
  });

  it('stops at an interrupt also the worker of a run that was killed', async () => {
    const [first, second] = [join(place.path, 'first'), join(place.path, 'second')];
    const commands = place.file('c.txt', 'touch first; sleep 300; exit\ntouch second; sleep 300; exit\n');
    const killed = place.start('run', commands, '--cpus', '1');
    await expect.poll(() => existsSync(first), { timeout: 30_000 }).toBe(true);
    const survivor = listPids('/proc').find((pid) => readStat('/proc', pid)?.parent === killed.child.pid) ?? 0;
    killed.child.kill('SIGKILL');
    await killed.ended;
    expect(isProcessAlive(survivor, null)).toBe(true);
    const run = place.start('jobs', 'run', '1', '--cpus', '1');
    await expect.poll(() => existsSync(second), { timeout: 30_000 }).toBe(true);
    run.child.kill('SIGTERM');
    expect((await run.ended).code).toBe(130);
    expect(isProcessAlive(survivor, null)).toBe(false);
    const { jobs } = await place.json<{ jobs: { status: string }[] }>(['jobs', 'list', '-k', '1']);
    expect(jobs.map(({ status }) => status)).toEqual(['ready', 'ready']);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)('takes the place of a server that %s ends before it', async (signal) => {
    const wait = 'echo > begun-$TORC_WORKFLOW_KEY; while [ ! -e go ]; do sleep 0.05; done\n';
    const spec = place.file('commands.txt', `${wait}true\n`);
    const hasBegun = (key: number) => existsSync(join(place.path, `begun-${key}`));
    const first = place.start('run', spec, '-m', '1');
    await expect.poll(() => hasBegun(1)).toBe(true);
    const second = place.start('-F', 'json', 'run', spec, '-m', '1');
    await expect.poll(() => hasBegun(2)).toBe(true);
    first.child.kill(signal);
    await first.ended;
    place.file('go', '');
    const { code, stdout } = await second.ended;
    expect({ code, ...JSON.parse(stdout) }).toMatchObject({ code: 0, workflow_key: '2', status: 'done', num_done: 2 });
  });
});

describe('torc jobs run', () => {
  it('runs a started workflow, and rejects one that has not started', async () => {
    const key = await place.create('true', 'exit 5');
    expect(await place.torc('jobs', 'run')).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`workflows start ${key}`),
    });
    await place.torc('workflows', 'start');
    expect(await place.json(['jobs', 'run', key], 1)).toMatchObject({
      status: 'failed',
      num_done: 2,
      worker: { reason: 'complete', num_jobs: 2, num_failed: 1 },
    });
    expect(await place.torc('jobs', 'run', '99')).toMatchObject({ code: 3 });
  });
});

describe('Ctrl-C', () => {
  interface Watched {
    run: ReturnType<Place['start']>;
    said: () => string;
  }
  async function started(...commands: string[]): Promise<Watched> {
    const run = place.start('run', place.file('c.txt', `${commands.join('\n')}\n`), '-m', '1');
    let text = '';
    run.child.stderr?.on('data', (piece: string) => (text += piece));
    await expect.poll(() => existsSync(join(place.path, 'began')), { timeout: 20_000 }).toBe(true);
    return { run, said: () => text };
  }
  const first = 'touch began; while [ ! -e go ]; do sleep 0.05; done';

  it('once: nothing more starts, and the running job finishes; a run whose last jobs finish ends as ever', async () => {
    const { run, said } = await started(first, 'touch second');
    run.child.kill('SIGINT');
    await expect.poll(said).toContain('starting no more jobs; running jobs finish');
    place.file('go', '');
    const ended = await run.ended;
    expect(ended).toMatchObject({ code: 130 });
    expect(ended.stderr).toMatch(
      /interrupted: 1 of 2 jobs done, 0 stopped, 1 not finished\nhint: To continue: torc .* jobs run 1\n/,
    );
    expect(existsSync(join(place.path, 'second'))).toBe(false);
    const { compute_nodes } = await place.json<{ compute_nodes: object[] }>(['compute-nodes', 'list', '-k', '1']);
    expect(compute_nodes).toMatchObject([{ is_active: false }]);
    rmSync(join(place.path, 'go'));
    rmSync(join(place.path, 'began'));
    const last = await started(first);
    last.run.child.kill('SIGINT');
    await expect.poll(last.said).toContain('starting no more jobs');
    place.file('go', '');
    expect(await last.run.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('done:    1') });
  });

  it('twice stops the running job, three times kills it at once; SIGTERM stops it at the first', async () => {
    const stubborn = 'trap "" TERM; echo $$ > pid; touch began; while :; do sleep 0.05; done';
    const { run, said } = await started(stubborn);
    run.child.kill('SIGINT');
    await expect.poll(said).toContain('starting no more jobs');
    run.child.kill('SIGINT');
    await expect.poll(said).toContain('stopping running jobs; press Ctrl-C again to kill them');
    run.child.kill('SIGINT');
    expect(await run.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('killing running jobs') });
    const pid = readFileSync(join(place.path, 'pid'), 'utf8').trim();
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    rmSync(join(place.path, 'began'));
    const second = await started(first);
    second.run.child.kill('SIGTERM');
    const ended = await second.run.ended;
    expect(ended).toMatchObject({ code: 130 });
    expect(ended.stderr).toMatch(/^stopping running jobs$/m);
    expect(ended.stderr).not.toContain('starting no more');
  });
});
