/** Following workflows until they have ended: in a pipe, on a terminal, and while the server is away. */
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const untilGo = 'while [ ! -e go ]; do sleep 0.05; done';

async function started(...commands: string[]) {
  const run = place.start('run', place.file('c.txt', `${commands.join('\n')}\n`));
  await expect.poll(async () => (await place.torc('status')).stdout, { timeout: 20_000 }).toMatch(/ running\n$/);
  return run;
}

describe('torc status, watch and wait', () => {
  it('say how a run goes, end with its exit code, and show how jobs failed', async () => {
    const run = await started(`${untilGo}; printf 'why\\033[2J\\n' >&2; exit 3`, untilGo);
    const table = await place.torc('status');
    expect(table.stdout).toMatch(/^key {2}name {2}progress .* state\n +1 {2}c .* 0\/2 +0 +[12] .*running/);
    expect(await place.json(['status', '1'])).toMatchObject({
      ...{ workflow_key: '1', status: 'running', has_ended: false, num_jobs: 2, num_done: 0, eta_seconds: null },
      ...{ is_served: true, failures: [], failed_jobs: [], workers: [{ is_silent: false }], allocations: [] },
    });
    const watch = place.start('watch', '1');
    await expect.poll(watch.stdout).toMatch(/^\d\d:\d\d:\d\d workflow 1 \(c\): running, 0\/2 done, [12] running\n/);
    const late = await place.torc('wait', '1', '--timeout', '0.2s');
    expect(late).toMatchObject({ code: 8, stdout: '', stderr: expect.stringContaining('has not ended after 0.2 s') });
    const wait = place.start('wait', '1');
    const left = place.start('watch', '1');
    await expect.poll(left.stdout).toContain('running');
    left.child.kill('SIGINT');
    expect(await left.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('workflow 1 goes on') });
    place.file('go', '');
    expect(await wait.ended).toMatchObject({ code: 1, stdout: '' });
    const { code, stdout } = await watch.ended;
    expect(code).toBe(1);
    expect(stdout).toMatch(/ workflow 1 \(c\): failed, 2\/2 done, 1 failed\n/);
    expect(stdout).toContain('1 job failed with return code 3 (exit_code):\n');
    expect(stdout).toContain('    | why\\x1b[2J\n');
    expect(stdout).toContain(`rerun-failed 1 --dry-run\n`);
    expect(await run.ended).toMatchObject({ code: 1 });
    expect((await place.torc('status', '1')).stdout).toContain('    | why\\x1b[2J\n');
    const json = await place.torc('-F', 'json', 'watch', '1');
    expect(JSON.parse(json.stdout)).toMatchObject({ workflow_key: '1', has_ended: true, status: 'failed' });
    expect(await place.torc('watch', '9')).toMatchObject({ code: 3 });
  });

  it('go on while the server is gone, say so, and see the end that another one brings', async () => {
    await place.create(untilGo);
    await place.torc('workflows', 'start', '1');
    await place.torc('server', 'start', '--daemon');
    const worker = place.start('jobs', 'run', '1', '--worker');
    const watch = place.start('watch', '1');
    await expect.poll(watch.stdout, { timeout: 20_000 }).toContain('running, 0/1 done, 1 running');
    const { pid } = await place.json<{ pid: number }>(['server', 'info']);
    let said = '';
    watch.child.stderr?.on('data', (text: string) => (said += text));
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/still watching/);
    // it started the server again itself, as every command does
    place.file('go', '');
    expect(await watch.ended).toMatchObject({ code: 0, stdout: expect.stringContaining('done, 1/1 done') });
    await worker.ended;
  });

  it('end with 4 where nothing goes on before a person starts it, and say once what else is missing', async () => {
    await place.create('true');
    for (const command of ['watch', 'wait']) {
      const ended = await place.torc(command, '1');
      expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/wait.* for the start of the workflow\n/) });
      expect(ended.stderr).toMatch(/\nhint: torc .* workflows start 1\n$/);
    }
    await place.torc('workflows', 'start', '1');
    const wait = place.start('wait', '1');
    const watch = place.start('watch', '1');
    const note =
      /^workflow 1: 1 job waits for a worker; there is none: torc .* jobs run 1, or torc .* schedule-nodes -n 1\n$/m;
    const said = { wait: '', watch: '' };
    wait.child.stderr?.on('data', (text: string) => (said.wait += text));
    watch.child.stderr?.on('data', (text: string) => (said.watch += text));
    await expect.poll(() => said.wait, { timeout: 20_000 }).toMatch(note);
    await expect.poll(() => said.watch, { timeout: 20_000 }).toMatch(note);
    expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });
    expect(await wait.ended).toMatchObject({ code: 0, stdout: '' });
    expect(await watch.ended).toMatchObject({ code: 0 });
    expect(said.wait.match(/there is none/g)).toHaveLength(1);
    await place.torc('workflows', 'reset-status', '1');
    const reset = await place.torc('-F', 'json', 'wait', '1');
    expect(JSON.parse(reset.stderr)).toMatchObject({
      error: {
        code: 'conflict',
        message: 'nothing runs in workflow 1: 1 job was reset and waits for a restart',
        hint: expect.stringMatching(/ workflows restart 1$/),
      },
    });
  });

  it('on a terminal the page is redrawn in place, fits into it, and q leaves it', async () => {
    const run = await started(...Array.from({ length: 3 }, () => untilGo));
    const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    const words = [process.execPath, mainJs, '--dir', place.dir, 'watch', '1'].map(quoted).join(' ');
    const shell = spawn('script', ['-qec', `stty cols 80 rows 10; ${words}`, '/dev/null'], {
      cwd: place.path,
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '1', SHELL: '/bin/sh' },
    });
    let seen = '';
    shell.stdout.on('data', (bytes) => (seen += bytes));
    const code = new Promise((resolve) => shell.on('close', resolve));
    await expect.poll(() => seen, { timeout: 20_000 }).toContain('workflow 1 (c), run 1: running');
    await expect.poll(() => seen).toContain('q ends watching; the work goes on');
    const screens = seen.split('\x1b[H').slice(1);
    for (const screen of screens) expect(screen.split('\n').length).toBeLessThanOrEqual(10);
    shell.stdin.write('q');
    expect(await code).toBe(130);
    expect(seen.replaceAll('\r\n', ' ')).toContain('no longer watching; workflow 1 goes on: 0 of 3 jobs done');
    // the screen from before comes back
    expect(seen.indexOf('\x1b[?1049l')).toBeGreaterThan(seen.indexOf('\x1b[?1049h'));
    place.file('go', '');
    expect(await run.ended).toMatchObject({ code: 0 });
  });
});

describe('torc why and rerun-failed', () => {
  it('H13: why names the upstream job, the walltime, the memory, the hold, each with the command that helps', async () => {
    const jobs = [
      { name: 'first', command: 'true', resource_requirements: 'small' },
      { name: 'long', command: 'true', resource_requirements: 'long' },
      { name: 'big', command: 'true', resource_requirements: 'big' },
      { name: 'waits', command: 'true', depends_on: ['long'] },
      { name: 'held', command: 'true', hold: true },
    ];
    const resource_requirements = [
      { name: 'small', num_cpus: 1, memory: '10m', runtime: 'PT1M' },
      { name: 'long', num_cpus: 1, memory: '10m', runtime: 'PT5H' },
      { name: 'big', num_cpus: 1, memory: '900g', runtime: 'PT1M' },
    ];
    const slurm_schedulers = [{ name: 'batch', account: 'x', walltime: '00:20:00' }];
    const spec = JSON.stringify({ name: 'w', jobs, resource_requirements, slurm_schedulers });
    await place.torc('workflows', 'create', place.file('w.json', spec));
    const why = async (...words: string[]) => (await place.torc('why', ...words)).stdout;
    expect(await why('first')).toMatch(
      /^job 1 \(first\) of workflow 1: uninitialized\n {2}Its workflow .*\n {4}torc .* workflows start 1\n/,
    );
    await place.torc('workflows', 'start', '1');
    expect(await why('1')).toMatch(/There is no worker to run it\.\n {4}torc .* jobs run 1\n {4}torc .* -n 1\n/);
    expect(await why('long')).toMatch(/may run for 5h 00m, but .*\n {4}torc .* modify-config 1 -w 05:34:00\n/);
    expect(await why('waits')).toMatch(/waits for 1 upstream job: "long" \(ready\)\.\n {4}torc .* why 2\n/);
    expect(await why('held')).toMatch(/It is held until somebody releases it.*\n {4}torc .* jobs release 5\n/);
    await place.torc('jobs', 'run', '1', '--memory', '500m', '--time-limit', 'PT10M', '--wait-for-new-jobs', '0');
    expect(await why('big')).toMatch(/no worker so far had more than 500M.*\n {4}torc .* modify 3 --memory 500m\n/);
    expect(await why('first')).toMatch(
      /^job 1 .*: done \(success\)\n {2}It ended at .* on .*, attempt 1\.\n {2}It succeeded\.\n$/,
    );
    const { jobs: all } = await place.json<{ jobs: object[] }>(['why', '*i*s*', 'held']);
    expect(all).toMatchObject([
      { job_name: 'first', status: 'done', return_code: 0, reasons: [{ reason: { code: 'succeeded' }, help: [] }] },
      { job_name: 'waits', status: 'blocked', hostname: null, stderr_tail: [] },
      { job_name: 'held', reasons: [{ reason: { code: 'held', kind: 'person' } }] },
    ]);
  });

  it('rerun-failed runs failed jobs and all downstream jobs, as the dry run says; it ends with 7 when nothing failed', async () => {
    const jobs = [
      { name: 'fails', command: 'test -e fixed || { echo because >&2; exit 4; }' },
      { name: 'after', command: 'true', depends_on: ['fails'] },
      { name: 'fine', command: 'true' },
    ];
    expect(await place.torc('run', place.file('w.json', JSON.stringify({ name: 'w', jobs })))).toMatchObject({
      code: 1,
    });
    expect((await place.torc('why', 'fails')).stdout).toMatch(/ {4}\| because\n {2}It failed with return code 4/);
    expect((await place.torc('why', 'after')).stdout).toMatch(/upstream job 1 "fails" failed\.\n {4}torc .* why 1\n/);
    interface Plan {
      changes: { job_name: string }[];
      restart: { changes: { job_name: string; new_status: string }[] };
    }
    const planned = await place.json<Plan>(['rerun-failed', '1', '--dry-run']);
    expect(planned.changes.map(({ job_name }) => job_name)).toEqual(['fails', 'after']);
    expect(planned.restart.changes.map(({ job_name, new_status }) => [job_name, new_status])).toEqual([
      ['fails', 'ready'],
      ['after', 'blocked'],
    ]);
    place.file('fixed', '');
    expect(await place.torc('rerun-failed', '--run', '--schedule', '1')).toMatchObject({ code: 2 });
    expect(await place.torc('rerun-failed', '--run')).toMatchObject({ code: 0 });
    expect(await place.json(['status', '1'])).toMatchObject({ run_id: 2, num_done: 3, num_failed: 0 });
    expect(await place.torc('rerun-failed')).toMatchObject({ code: 7, stderr: expect.stringContaining('has failed') });
  });
});
