/** How jobs and runs end, and what is tried again: the acceptance scenarios by their words. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Listed {
  results: { job_name: string; attempt_id: number; return_code: number; cause: string }[];
}

const specification = (parts: object) => place.file('w.json', JSON.stringify({ name: 'w', ...parts }));
const numAttempts = async (): Promise<Record<string, number>> => {
  const { results } = await place.json<Listed>(['results', 'list', '-k', '1']);
  const counts: Record<string, number> = {};
  for (const { job_name } of results) counts[job_name] = (counts[job_name] ?? 0) + 1;
  return counts;
};

describe('retries', () => {
  it('S16, S26, H5: a job that fails twice is done after 3 attempts; 3 retries are 4 runs; 75 is retried, 1 never', async () => {
    const jobs = [
      { name: 'twice', command: 'echo x >> twice; [ $(wc -l < twice) = 3 ]', max_retries: 3 },
      { name: 'never', command: 'exit 1', max_retries: 3 },
      { name: 'busy', command: 'echo x >> busy; [ $(wc -l < busy) = 4 ] || exit 75', failure_handler: 'h' },
      { name: 'wrong', command: 'exit 1', failure_handler: 'h' },
      { name: 'late', command: 'date +%s%3N >> late; exit 3', max_retries: 2, retry_delay: '1s', retry_backoff: 2 },
    ];
    const failure_handlers = [{ name: 'h', rules: [{ exit_codes: [75], max_retries: 3 }] }];
    expect(await place.torc('run', specification({ failure_handlers, jobs }))).toMatchObject({ code: 1 });
    expect(await numAttempts()).toEqual({ twice: 3, never: 4, busy: 4, wrong: 1, late: 3 });
    const [first = 0, second = 0, third = 0] = readFileSync(join(place.path, 'late'), 'utf8').split('\n').map(Number);
    expect([second - first >= 1000, third - second >= 2000]).toEqual([true, true]);
    const shown = await place.torc('jobs', 'show', '5');
    expect(shown.stdout).toMatch(/^failure_handler: +max_retries 2, retry_delay 1 s, retry_backoff 2$/m);
  });

  it('S24: a job over its runtime is stopped and tried again, then it has failed', async () => {
    const jobs = [{ name: 'a', command: 'sleep 60', resource_requirements: 'r', failure_handler: 'h' }];
    const resource_requirements = [{ name: 'r', num_cpus: 1, runtime: '1s' }];
    const failure_handlers = [{ name: 'h', rules: [{ causes: ['job_timeout'], max_retries: 1 }] }];
    const spec = specification({ resource_requirements, failure_handlers, jobs });
    expect(await place.torc('run', spec)).toMatchObject({ code: 1 });
    const { results } = await place.json<Listed>(['results', 'list', '-k', '1']);
    expect(results.map(({ attempt_id, cause }) => [attempt_id, cause])).toEqual([
      [1, 'job_timeout'],
      [2, 'job_timeout'],
    ]);
  });
});

describe('task_failure_is_success', () => {
  it('S17: exit 3 is recorded and counts as success, the child runs; a signal is a failure', async () => {
    const policy = { task_failure_is_success: true };
    const jobs = [
      { name: 'finds', command: 'exit 3', max_retries: 2, ...policy },
      { name: 'child', command: 'true', depends_on: ['finds'] },
      { name: 'dies', command: 'kill -9 $$', ...policy },
    ];
    expect(await place.torc('run', specification({ jobs }))).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^done: +2 succeeded, 1 failed$/m),
    });
    const ends = async (...filters: string[]) => {
      const listed = await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', '1', ...filters]);
      return listed.jobs.map(({ name, outcome, return_code }) => [name, outcome, return_code]);
    };
    expect(await ends()).toEqual([
      ['finds', 'forgiven', 3],
      ['child', 'success', 0],
      ['dies', 'failed', 137],
    ]);
    expect(await ends('--failed')).toEqual([['dies', 'failed', 137]]);
    expect(await numAttempts()).toEqual({ finds: 1, child: 1, dies: 1 });
    const shown = await place.torc('jobs', 'show', '1');
    expect(shown.stdout).toContain('return code 3, which counts as success');
    const { changes } = await place.json<{ changes: { job_name: string }[] }>([
      'workflows',
      'reset-status',
      '1',
      '--failed-only',
      '--dry-run',
    ]);
    expect(changes.map(({ job_name }) => job_name)).toEqual(['dies']);
  });

  it('S17, H5: a job that is killed with its worker runs again, and that is no retry', async () => {
    const command = 'test -e go && exit 3; echo $$ > pid.new; mv pid.new pid; exec sleep 600';
    const jobs = [{ name: 'finds', command, max_retries: 1, task_failure_is_success: true }];
    await place.torc('workflows', 'create', specification({ jobs }));
    await place.torc('workflows', 'start', '1');
    await place.torc('server', 'start', '--daemon');
    const worker = place.start('jobs', 'run', '1', '--worker');
    const pid = join(place.path, 'pid');
    await expect.poll(() => existsSync(pid)).toBe(true);
    worker.child.kill('SIGKILL');
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
    place.file('go', '');
    expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });
    const { results } = await place.json<Listed>(['results', 'list', '-k', '1']);
    expect(results).toMatchObject([
      { attempt_id: 1, status: 'lost', cause: 'worker_lost' },
      { attempt_id: 2, status: 'done', return_code: 3 },
    ]);
    const listed = await place.json<{ jobs: object[] }>(['jobs', 'list', '-k', '1']);
    expect(listed.jobs).toMatchObject([{ outcome: 'forgiven', num_retries: 0 }]);
  });
});

describe('runs that end early', () => {
  const statusesOf = async (): Promise<string[]> => {
    const { jobs } = await place.json<{ jobs: { status: string }[] }>(['jobs', 'list', '-k', '1']);
    return jobs.map(({ status }) => status);
  };

  it('S7: four jobs one after the other, the second fails for good: the third and fourth never start', async () => {
    const jobs = ['exit 0', 'exit 1', 'touch third', 'touch fourth'].map((command, n) => ({
      name: `j${n + 1}`,
      command,
    }));
    const spec = specification({ jobs, jobs_sort_method: 'none' });
    const ended = await place.torc('run', spec, '--fail-fast', '-m', '1');
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringMatching(/^ended early: +too many failures/m) });
    expect(await statusesOf()).toEqual(['done', 'done', 'canceled', 'canceled']);
    expect([existsSync(join(place.path, 'third')), existsSync(join(place.path, 'fourth'))]).toEqual([false, false]);
    const shown = await place.torc('jobs', 'show', '3');
    expect(shown.stdout).toMatch(/^why: +It never ran because its run had reached 1 failure \(max_failures\)\.$/m);
  });

  it('H26: --max-failures 5 ends the run with the fifth failure', async () => {
    const jobs = [{ name: 'j_{i}', command: '[ {i} -gt 20 ]', parameters: { i: '1:40' } }];
    const spec = specification({ jobs, jobs_sort_method: 'none' });
    const ended = await place.torc('-F', 'json', 'run', spec, '--max-failures', '5', '-m', '1');
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ num_failed: 5, num_canceled: 35, cut_off_by: 'max_failures' });
  });

  it('S8: a run of a long job with a short timeout: the job finishes and is recorded; a restart does not run it again', async () => {
    const jobs = [
      { name: 'long', command: 'touch began; while [ ! -e go ]; do sleep 0.1; done; echo x >> ran' },
      { name: 'next', command: 'touch next', depends_on: ['long'] },
    ];
    const running = place.start('-F', 'json', 'run', specification({ jobs, timeout: '1d' }), '--timeout', '1h');
    const cutOff = async () =>
      (await place.json<{ cut_off_by: string | null }>(['workflows', 'show-status', '1'])).cut_off_by;
    await expect.poll(() => existsSync(join(place.path, 'began')), { timeout: 60_000 }).toBe(true);
    expect((await place.torc('workflows', 'modify', '1', '--timeout', '1s')).stdout).toMatch(/3600 +1$/m);
    await expect.poll(cutOff, { timeout: 60_000 }).toBe('timeout');
    place.file('go', '');
    const ended = await running.ended;
    expect(ended.code).toBe(8);
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'timeout', num_done: 1, num_unfinished: 1 });
    expect(await statusesOf()).toEqual(['done', 'ready']);
    expect((await place.torc('workflows', 'modify', '1', '--timeout', '0')).code).toBe(0);
    // no job changes: there is nothing above the words
    expect((await place.torc('workflows', 'restart', '1', '--dry-run')).stdout).toMatch(/^dry run: run 2 would start/);
    expect((await place.torc('workflows', 'restart', '1')).code).toBe(0);
    expect((await place.torc('jobs', 'run', '1')).code).toBe(0);
    expect(readFileSync(join(place.path, 'ran'), 'utf8')).toBe('x\n');
    expect(await statusesOf()).toEqual(['done', 'done']);
  });
});

describe('max_wait', () => {
  it('S25: the clock starts when the job is ready: behind a slow parent it runs; one that never starts fails alone', async () => {
    const jobs = [
      { name: 'parent', command: 'sleep 3', priority: 1 },
      { name: 'child', command: 'true', depends_on: ['parent'], max_wait: '2s' },
      // no worker here is large enough
      { name: 'waits', command: 'true', resource_requirements: 'huge', max_wait: '1s' },
      { name: 'behind', command: 'true', depends_on: ['waits'] },
    ];
    const resource_requirements = [{ name: 'huge', num_cpus: 100_000 }];
    expect((await place.torc('run', specification({ jobs, resource_requirements }), '-m', '1')).code).toBe(1);
    const { jobs: ended } = await place.json<{ jobs: Record<string, unknown>[] }>(['jobs', 'list', '-k', '1']);
    expect(ended.map(({ name, status, return_code, cause }) => [name, status, return_code, cause])).toEqual([
      ['parent', 'done', 0, 'success'],
      ['child', 'done', 0, 'success'],
      ['waits', 'done', 153, 'max_wait'],
      ['behind', 'canceled', null, null],
    ]);
    expect(await numAttempts()).toEqual({ parent: 1, child: 1, waits: 1 });
    // nobody is sent to the output of a process that there never was
    expect((await place.torc('why', 'waits', '-k', '1')).stdout).not.toContain('logs');
    expect((await place.torc('status', '1')).stdout).not.toContain('torc jobs logs');
    expect((await place.torc('jobs', 'logs', 'waits', '-k', '1')).stderr).toContain('no process ran');
    expect((await place.torc('reports', 'failures', '-k', '1')).stdout).toContain('no process ran');
  });
});
