import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { diamond, newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Change {
  job_key: string;
  job_name: string;
  old_status: string;
  new_status: string;
  reason: string;
  diagnosis: unknown;
}
interface Plan {
  dry_run: boolean;
  changes: Change[];
  num_changes: number;
}

async function statuses(key = '1'): Promise<string> {
  const { jobs } = await place.json<{ jobs: { status: string }[] }>(['jobs', 'list', '-k', key]);
  return jobs.map((job) => job.status).join(' ');
}

/** The diamond, run to its end with a job that failed. */
async function failedDiamond(): Promise<void> {
  await place.torc('run', place.file('diamond.json', diamond({ b: 'test -e fixed' })), '-o', 'out');
  expect(await statuses()).toBe('done done done canceled');
}

/** The plan of a command, after checking that it does what its dry run says. */
async function appliedAsPlanned(...command: string[]): Promise<Plan> {
  const before = await statuses();
  const planned = await place.json<Plan>([...command, '--dry-run']);
  expect(planned.dry_run).toBe(true);
  expect(await statuses()).toBe(before);
  const applied = await place.json<Plan>(command);
  expect(applied).toEqual({ ...planned, dry_run: false });
  return applied;
}

describe('recovery', () => {
  it.each([
    [['workflows', 'reset-job-status', '--failed-only', '1']],
    [['workflows', 'reset-status', '-f', '-k', '1']],
  ])('%j resets failed and downstream jobs, and a restart runs them', async (command) => {
    await failedDiamond();
    const { changes } = await appliedAsPlanned(...command);
    expect(changes).toMatchObject([
      { job_key: '2', job_name: 'b', old_status: 'done', new_status: 'uninitialized', diagnosis: null },
      { job_key: '4', job_name: 'd', old_status: 'canceled', new_status: 'uninitialized', diagnosis: null },
    ]);
    const restart = await appliedAsPlanned('workflows', 'restart', '1');
    expect(restart).toMatchObject({
      workflow_key: '1',
      run_id: 2,
      num_ready: 1,
      num_blocked: 1,
      kept: [],
      num_kept: 0,
    });
    expect(await statuses()).toBe('done ready done blocked');
    place.file('fixed', '');
    expect(await place.torc('jobs', 'run')).toMatchObject({ code: 0 });
  });

  it('the commands of the guide work as pasted', async () => {
    await failedDiamond();
    await place.torc('workflows', 'reset-status', '1', '-f', '-r');
    const script = [
      'torc jobs run >/dev/null',
      "torc jobs reset-status $(torc -F json results list -f return_code=1 | jq -r '.results | .[] | .job_key')",
      'torc workflows restart --dry-run',
      'torc workflows restart',
      'torc jobs list -f status=ready',
    ].join('\n');
    const shell = `torc() { "${process.execPath}" "${mainJs}" "$@"; }\n${script}`;
    const env = { ...process.env, TORC_DIR: place.dir, TORC_WORKFLOW_KEY: '' };
    const { stdout } = await promisify(execFile)('bash', ['-c', shell], { cwd: place.path, env });
    expect(stdout).toContain('reset 2 jobs of workflow 1\n');
    expect(stdout).toContain('dry run: run 3 would start with 1 job ready, 1 blocked; nothing was changed\n');
    expect(stdout).toContain('started run 3 of workflow 1: 1 job ready, 1 blocked\n');
    expect(stdout).toMatch(/^2 +ready .* b$/m);
  });

  it('-r restarts at once, and its dry run changes nothing', async () => {
    await failedDiamond();
    const command = ['workflows', 'reset-status', '1', '-f', '-r'];
    const planned = await place.json<Plan & { restart: Plan }>([...command, '-d']);
    expect(planned).toMatchObject({
      num_changes: 2,
      restart: { dry_run: true, run_id: 2, num_ready: 1, num_blocked: 1 },
    });
    expect(await statuses()).toBe('done done done canceled');
    const shown = await place.torc(...command, '-d');
    expect(shown.stdout).toMatch(/would be reset.*run 2 would start with 1 job ready, 1 blocked/s);
    const applied = await place.json<Plan & { restart: Plan }>(command);
    expect(applied).toEqual({ ...planned, dry_run: false, restart: { ...planned.restart, dry_run: false } });
    expect(applied.restart.changes.map((change) => change.new_status)).toEqual(['ready', 'blocked']);
    expect(await statuses()).toBe('done ready done blocked');
  });

  it('says that there is nothing to do, what stays unchanged, and what helps', async () => {
    await failedDiamond();
    const { code, stdout } = await place.torc('workflows', 'restart', '-d');
    expect(code).toBe(7);
    expect(stdout).toMatch(/^nothing left to run in workflow 1: no run would begin$/m);
    expect(stdout).toMatch(/^4 +canceled +d +b failed .*: torc --dir '.*server dir' jobs reset-status 2$/m);
    expect(stdout).toMatch(/torc --dir '.*server dir' workflows reset-status 1 --failed-only --restart$/m);
    await place.torc('workflows', 'reset-status', '1', '-f', '-r');
    expect(await place.torc('workflows', 'reset-status', '-f')).toMatchObject({
      code: 0,
      stdout: 'nothing to reset in workflow 1\n',
    });
  });

  it('resets several workflows, or none if one does not exist', async () => {
    const commands = place.file('one.txt', 'true\n');
    await place.torc('run', commands);
    await place.torc('run', commands);
    expect(await place.torc('workflows', 'reset-status', '1', '2', '99')).toMatchObject({ code: 3, stdout: '' });
    expect([await statuses('1'), await statuses('2')]).toEqual(['done', 'done']);
    const { plans } = await place.json<{ plans: Plan[] }>(['workflows', 'reset-status', '1', '2', '1']);
    expect(plans.map((plan) => plan.num_changes)).toEqual([1, 1]);
    expect([await statuses('1'), await statuses('2')]).toEqual(['uninitialized', 'uninitialized']);
  });
});

describe('jobs by key', () => {
  it('are reset and disabled as planned', async () => {
    await failedDiamond();
    expect((await appliedAsPlanned('jobs', 'reset-status', '3', '3')).changes.map((change) => change.job_key)).toEqual([
      '3',
      '4',
    ]);
    await appliedAsPlanned('jobs', 'disable', '2');
    expect(await statuses()).toMatch(/^done disabled uninitialized /);
    await appliedAsPlanned('workflows', 'restart');
    expect(await statuses()).toBe('done disabled ready blocked');
  });

  it('change nothing when one is unknown or belongs to another workflow', async () => {
    await failedDiamond();
    await place.create('true');
    for (const command of ['reset-status', 'disable']) {
      expect(await place.torc('jobs', command, '3', '77', '88')).toMatchObject({
        code: 3,
        stdout: '',
        stderr: expect.stringContaining('77, 88'),
      });
      expect(await place.torc('jobs', command, '5', '3')).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/job 5 to workflow 2, job 3 to workflow 1/),
      });
      expect(await place.torc('jobs', command, '3', '-k', '2')).toMatchObject({ code: 2 });
      expect(await place.torc('jobs', command, '3;')).toMatchObject({ code: 2 });
    }
    expect(await statuses()).toBe('done done done canceled');
  });

  it('may be more than one request can list', async () => {
    const numJobs = 12_000;
    const key = await place.create(...Array.from({ length: numJobs }, () => 'true'));
    await place.torc('workflows', 'start');
    const keys = Array.from({ length: numJobs }, (_, at) => String(at + 1));
    const plan = await place.json<Plan>(['jobs', 'disable', ...keys]);
    expect(plan.changes.map((change) => change.job_key)).toEqual(keys);
    const { counts } = await place.json<{ counts: Record<string, number> }>(['workflows', 'show', key]);
    expect(counts.disabled).toBe(numJobs);
    const { stdout } = await place.torc('workflows', 'reset-status', key, '-d');
    expect(stdout).toMatch(/^\.\. and 2000 more$/m);
    const csv = await place.torc('-F', 'csv', 'workflows', 'reset-status', key, '-d');
    expect(csv.stdout.split('\n')).toHaveLength(1 + numJobs + 1);
  });
});

describe('running jobs', () => {
  const job = 'echo started >> started; while [ ! -e go ]; do sleep 0.05; done';

  async function running(): Promise<{ ended: Promise<unknown> }> {
    const run = place.start('run', place.file('job.txt', `${job}\n`), '-o', 'out');
    await expect.poll(() => existsSync(join(place.path, 'started'))).toBe(true);
    await expect.poll(() => statuses()).toBe('submitted');
    return run;
  }

  it('are named in a conflict, unless they are kept or stopped', async () => {
    const run = await running();
    expect(await place.torc('-F', 'json', 'workflows', 'restart')).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringContaining('(job 1)'),
    });
    expect(await appliedAsPlanned('workflows', 'restart', '--only-uninitialized')).toMatchObject({ num_running: 1 });
    expect(await place.json(['workflows', 'restart', '--keep-running', '-d'])).toMatchObject({ num_running: 1 });
    expect(await statuses()).toBe('submitted');
    place.file('go', '');
    await run.ended;
  });

  it('next to a failed one: the commands of the hints work as pasted', async () => {
    const lasts = 'echo started >> started; while [ ! -e go ]; do sleep 0.05; done';
    const run = place.start('run', place.file('two.txt', `false\n${lasts}\n`), '-o', 'out');
    await expect.poll(() => statuses()).toBe('done submitted');
    expect(await place.torc('workflows', 'reset-status', '1', '-f', '-r')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        /hint: Leave out --restart\. .*: torc --dir '.*' workflows restart 1 --only-uninitialized$/m,
      ),
    });
    expect(await place.torc('jobs', 'modify', '2', '--priority', '1')).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(/hint: .*: torc --dir '.*' workflows cancel 1$/m),
    });
    const diagnosed = await place.torc('jobs', 'diagnose', '1', '2');
    expect(diagnosed.stdout).toMatch(/^ +job 2 .*it is running/m);
    expect(diagnosed.stdout).toMatch(/^job 1 \(.*\) is done with return code 1: torc --dir '.*' jobs show 1$/m);
    expect(diagnosed.stdout).not.toContain('restart');
    const reset = await place.torc('jobs', 'reset-status', '1');
    expect(reset.stdout).toMatch(/next: +torc --dir '.*' workflows restart 1 --only-uninitialized$/m);
    expect(await place.torc('workflows', 'restart', '1', '--only-uninitialized')).toMatchObject({ code: 0 });
    place.file('go', '');
    await run.ended;
  });

  it('are stopped and run again', async () => {
    const run = await running();
    const stopped = [{ job_key: '1', job_name: expect.any(String), status: 'submitted' }];
    expect(await place.json(['workflows', 'restart', '--stop-running', '-d'])).toMatchObject({
      dry_run: true,
      stopped,
      changes: [{ job_key: '1', old_status: 'submitted', new_status: 'ready' }],
    });
    expect(await statuses()).toBe('submitted');
    expect(await place.json(['workflows', 'restart', '--stop-running'])).toMatchObject({
      dry_run: false,
      stopped,
      changes: [{ job_key: '1', old_status: 'terminated', new_status: 'ready' }],
    });
    place.file('go', '');
    await run.ended;
    // the worker of the first run may have ended meanwhile because it had no work
    await place.torc('jobs', 'run');
    const { results } = await place.json<{ results: { run_id: number; status: string }[] }>(['results', 'list']);
    expect(results.map(({ run_id, status }) => [run_id, status])).toEqual([
      [1, 'terminated'],
      [2, 'done'],
    ]);
  });

  it('that do not stop in time end it with 8, and claims resume', async () => {
    const stubborn = "trap '' TERM; echo started >> started; while [ ! -e go ]; do sleep 0.05; done";
    const run = place.start('run', place.file('job.txt', `${stubborn}\ntrue\n`), '-o', 'out', '-m', '1');
    await expect.poll(() => statuses()).toBe('submitted ready');
    await expect.poll(() => existsSync(join(place.path, 'started'))).toBe(true);
    expect(await place.torc('workflows', 'restart', '--stop-running', '--timeout', '0')).toMatchObject({
      code: 8,
      stdout: '',
      stderr: expect.stringMatching(/1 job did not stop within 0 s: 1 \(.*\nhint: .*--stop-running --force/),
    });
    place.file('go', '');
    await run.ended;
    expect(await statuses()).toMatch(/ done$/);
  });
});

describe('mistakes', () => {
  it('are reported before anything is opened', async () => {
    for (const words of [
      ['workflows', 'restart', '--only-uninitialized', '--keep-running'],
      ['workflows', 'restart', '--keep-running', '--stop-running'],
      ['workflows', 'restart', '--timeout', 'soon'],
      ['jobs', 'reset-status'],
      ['jobs', 'logs', '1', '--stdout', '--stderr'],
    ]) {
      expect(await place.torc(...words), words.join(' ')).toMatchObject({ code: 2, stdout: '' });
    }
    expect(existsSync(place.dir)).toBe(false);
  });

  it('a missing input file stops a restart before anything changes, unless it is ignored', async () => {
    const input = place.file('in.txt', 'data');
    const jobs = [{ name: 'reads', command: 'true', input_files: ['in'] }];
    const spec = { name: 'files', jobs, files: [{ name: 'in', path: input }] };
    await place.torc('run', place.file('files.json', JSON.stringify(spec)));
    await place.torc('workflows', 'reset-status');
    rmSync(input);
    const refused = await place.torc('workflows', 'restart');
    expect(refused).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('in.txt') });
    expect(await statuses()).toBe('uninitialized');
    expect(await place.torc('workflows', 'restart', '-i')).toMatchObject({ code: 0 });
    expect(await statuses()).toBe('ready');
  });
});
