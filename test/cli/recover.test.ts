/** `torc recover` as a person types it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { mainJs } from '../support/torc.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place, slurm } = made);
});

interface Recovered {
  dry_run: boolean;
  run_id: number;
  num_ready: number;
  changes: { job_name: string; reason: string }[];
  recovered: { groups: { kind: string; num_recovered: number }[]; nodes_by: string };
  allocations: { name: string; script: string; slurm_job_id: string | null }[];
}

const waiting = { timeout: 120_000, interval: 100 };

/** `slow` runs out of its second the first time, `wrong` always fails. */
const study = (more: object = {}): string =>
  place.file(
    'study.json',
    JSON.stringify({
      name: 'study',
      resource_requirements: [{ name: 'r', num_cpus: 1, memory: '100m', runtime: 'PT1S' }],
      jobs: [
        { name: 'slow', command: '[ -e again ] || { touch again; sleep 60; }', resource_requirements: 'r' },
        { name: 'wrong', command: 'exit 3', resource_requirements: 'r' },
      ],
      ...more,
    }),
  );

const statuses = async (): Promise<Record<string, string>> => {
  const { jobs } = await place.json<{ jobs: { name: string; status: string; outcome: string }[] }>(['jobs', 'list']);
  return Object.fromEntries(jobs.map(({ name, status, outcome }) => [name, outcome ?? status]));
};

describe('torc recover', () => {
  it('gives more time to what ran out of it; its dry run prints the same plan and changes nothing', async () => {
    expect((await place.torc('run', study())).code).toBe(1);
    const next = async (): Promise<string> => (await place.torc('status', '1')).stdout.split('\nnext:\n')[1] ?? '';
    expect(await next()).toMatch(/^ {2}torc .* recover 1 --dry-run\n {2}torc .* rerun-failed 1 --dry-run\n$/);
    const words = ['recover', '1', '--runtime-multiplier', '60'];
    const planned = await place.json<Recovered>([...words, '--dry-run']);
    expect(await statuses()).toEqual({ slow: 'failed', wrong: 'failed' });
    expect(planned).toMatchObject({
      changes: [{ job_name: 'slow', reason: 'out of time: runtime 1.0 s -> 1m 00s' }],
      recovered: { nodes_by: 'nobody' },
      allocations: [],
    });
    expect(await place.json(words)).toEqual({ ...planned, dry_run: false });
    expect((await place.torc('jobs', 'run', '1')).code).toBe(1);
    expect(await statuses()).toEqual({ slow: 'success', wrong: 'failed' });
    expect(await next()).toMatch(/^ {2}torc .* rerun-failed 1 --dry-run\n$/);
    const again = await place.torc('recover', '1');
    expect(again).toMatchObject({ code: 7, stderr: '' });
    expect(again.stdout).toContain('1 job failed for other reasons: left');
    expect(again.stdout).toContain('nothing left to run in workflow 1: no run begins');
  });

  it('refuses a factor that is none', async () => {
    for (const factor of ['1', '0.5', 'x', '1e3', '2000']) {
      expect(await place.torc('recover', '1', '--memory-multiplier', factor)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(`'${factor}' is not a factor above 1, at most 1000`),
      });
    }
    expect(existsSync(join(place.dir, 'torc.db'))).toBe(false);
  });
});

describe('torc recover after allocations', () => {
  /** The workflow has ended, and so have its allocations. */
  async function ended(): Promise<void> {
    const given = ['-n', '1', '-a', 'acct', '-t', '1:00:00'];
    expect((await place.torc('submit', study(), ...given)).code).toBe(0);
    expect((await place.torc('wait', '1')).code).toBe(1);
    await vi.waitFor(() => expect(slurm.jobs().map(({ state }) => state)).toEqual(['COMPLETED']), waiting);
  }

  it('submits one as before, which its dry run has shown', async () => {
    await ended();
    const words = ['recover', '1', '--runtime-multiplier', '60'];
    const planned = await place.json<Recovered>([...words, '--dry-run']);
    expect(planned.allocations).toMatchObject([{ action: 'submit', slurm_job_id: null }]);
    expect(slurm.jobs()).toHaveLength(1);
    const text = await place.torc(...words, '--dry-run');
    expect(text.stdout).toContain('would submit 1 allocation with Slurm config');
    const applied = await place.json<Recovered>(words);
    const [submitted] = applied.allocations;
    expect(submitted?.slurm_job_id).toBe(slurm.jobs()[1]?.id);
    const withoutIds = applied.allocations.map((one) => ({ ...one, slurm_job_id: null }));
    expect({ ...applied, allocations: withoutIds }).toEqual({ ...planned, dry_run: false });
    expect((await place.torc('wait', '1')).code).toBe(1);
    expect(await statuses()).toEqual({ slow: 'success', wrong: 'failed' });
  });

  it('says what is there when Slurm refuses it, and submits it the next time', async () => {
    await ended();
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: error: no such account\n', exitCode: 1 });
    const refused = await place.torc('recover', '1', '--runtime-multiplier', '60');
    expect(refused.code).toBe(6);
    expect(refused.stderr).toContain('no such account');
    expect(refused.stderr).toContain('Workflow 1 is recovered, and its ready jobs (1) wait for nodes.');
    expect(await place.json(['recover', '1'])).toMatchObject({
      begins_run: false,
      allocations: [{ action: 'submit' }],
    });
    expect((await place.torc('wait', '1')).code).toBe(1);
    expect(await statuses()).toMatchObject({ slow: 'success' });
  });
});

describe('a workflow that recovers by itself', () => {
  const events = async (type: string): Promise<{ data: Record<string, unknown> }[]> =>
    (await place.json<{ events: [] }>(['events', 'list', '-k', '1', '-f', `type=${type}`])).events;

  it('does so in the server, with another allocation; watching sets it and ends with the last run', async () => {
    const only = { jobs: [JSON.parse(readFileSync(study(), 'utf8')).jobs[0]] };
    expect((await place.torc('submit', study(only), '-n', '1', '-a', 'acct', '-t', '1:00:00')).code).toBe(0);
    const watched = await place.torc('watch', '1', '--recover', '--runtime-multiplier', '60');
    expect(watched).toMatchObject({ code: 0 });
    expect(await statuses()).toEqual({ slow: 'success' });
    expect(slurm.jobs()).toHaveLength(2);
    expect(await events('workflow_recovered')).toMatchObject([
      { data: { number: 1, max_recoveries: 3, why: '1 job ran out of time' } },
    ]);
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({
      recovery: { max_recoveries: 3, runtime_factor: 60, num_recoveries: 1, next_at: null },
    });
    expect((await place.torc('workflows', 'show', '1')).stdout).toContain(
      '1 of at most 3 recoveries, memory x1.5, runtime x60',
    );
    const off = await place.torc('workflows', 'modify', '1', '--max-recoveries', '0');
    expect(off.code).toBe(0);
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ recovery: null });
  });

  it('is submitted so', async () => {
    expect((await place.torc('submit', study(), '--max-recoveries', '2')).stderr).toContain(
      '--max-recoveries is for --recover',
    );
    const given = ['-n', '1', '-a', 'acct', '-t', '1:00:00', '--recover', '--max-recoveries', '1'];
    const submitted = await place.torc('submit', study(), ...given);
    expect(submitted.code).toBe(0);
    expect(submitted.stderr).toContain('workflow 1 recovers by itself after a failed run, at most 1 time; ');
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ recovery: { max_recoveries: 1 } });
    expect((await place.torc('wait', '1')).code).toBe(1);
    // 1.5 times its second may not be enough, but it has been tried again
    expect(await events('workflow_recovered')).toHaveLength(1);
    const { runs } = await place.json<{ runs: { how: string }[] }>(['workflows', 'runs', '1']);
    expect(runs.map(({ how }) => how)).toEqual(['start', 'recover']);
  });

  it('is recovered by whoever watches it while no server runs', async () => {
    expect((await place.torc('run', study())).code).toBe(1);
    const watching = place.start('watch', '1', '--recover', '--runtime-multiplier', '60');
    await vi.waitFor(async () => expect((await statuses()).slow).toBe('ready'), waiting);
    expect((await place.torc('jobs', 'run', '1')).code).toBe(1);
    expect((await watching.ended).code).toBe(1);
    expect(await statuses()).toEqual({ slow: 'success', wrong: 'failed' });
  });
});

describe('a workflow that waits', () => {
  it('for its next recovery: a watch in a pipe says until when, once, and why', async () => {
    const jobs = [{ name: 'slow', command: 'sleep 60', resource_requirements: 'r' }];
    expect((await place.torc('run', study({ jobs }))).code).toBe(1);
    const watching = place.start('watch', '1', '--recover', '--max-recoveries', '3');
    await vi.waitFor(async () => expect((await statuses()).slow).toBe('ready'), waiting);
    expect((await place.torc('jobs', 'run', '1')).code).toBe(1);
    const line = /failed, 1\/1 done, 1 failed; recovers at \d\d:\d\d:\d\d, in .*: the last recovery did not help\n/g;
    await vi.waitFor(() => expect(watching.stdout().match(line)).toHaveLength(1), waiting);
    watching.child.kill('SIGINT');
    const { code, stdout } = await watching.ended;
    expect(code).toBe(130);
    expect(stdout.match(/recovers at/g)).toHaveLength(1);
  });

  it('because it is paused: a recovery says so, and how to resume it', async () => {
    const jobs = [{ name: 'slow', command: '[ -e again ] || { touch again; sleep 60; }', resource_requirements: 'r' }];
    expect((await place.torc('run', study({ jobs }))).code).toBe(1);
    expect(await place.json(['recover', '1'])).toMatchObject({ is_paused: false });
    expect((await place.torc('workflows', 'pause', '1')).code).toBe(0);
    for (const words of [
      ['recover', '1', '--dry-run'],
      ['recover', '1'],
      ['workflows', 'restart', '1', '--force'],
    ]) {
      const { stdout } = await place.torc(...words);
      expect(stdout, words.join(' ')).toMatch(
        /^workflow 1 is paused: no job starts before {2}torc .* workflows resume 1$/m,
      );
    }
  });
});

describe('on a terminal', () => {
  interface Typed {
    child: ChildProcess;
    seen(): string;
    code: Promise<number | null>;
  }

  const typed = (...args: string[]): Typed => typedWith({ NO_COLOR: '1' }, ...args);

  function typedWith(env: Record<string, string | undefined>, ...args: string[]): Typed {
    const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;
    const words = [process.execPath, mainJs, '--dir', place.dir, ...args].map(quoted).join(' ');
    const child = spawn('script', ['-qec', `stty cols 120; ${words}`, '/dev/null'], {
      cwd: place.path,
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    });
    let seen = '';
    child.stdout.on('data', (bytes) => (seen += bytes));
    return { child, seen: () => seen, code: new Promise((resolve) => child.on('close', resolve)) };
  }

  it('it asks about each kind of failure, shows the plan, and changes nothing without a yes', async () => {
    await place.torc('run', study());
    const no = typed('recover', '1');
    await expect
      .poll(no.seen, waiting)
      .toContain('1 job ran out of time. Factor for its runtime, or n to leave it [1.5]');
    no.child.stdin?.write('half\n');
    await expect.poll(no.seen, waiting).toContain("'half' is not a factor above 1");
    no.child.stdin?.write('60\n');
    await expect.poll(no.seen, waiting).toContain('1 job failed for other reasons. Run it again as before? [y/N]');
    no.child.stdin?.write('\n');
    await expect.poll(no.seen, waiting).toContain('Apply this plan? [y/N]');
    expect(no.seen()).toContain('out of time: runtime 1.0 s -> 1m 00s');
    no.child.stdin?.write('\n');
    expect(await no.code).toBe(130);
    expect(await statuses()).toEqual({ slow: 'failed', wrong: 'failed' });

    const yes = typed('recover', '1', '--runtime-multiplier', '60');
    await expect.poll(yes.seen, waiting).toContain('Run it again as before? [y/N]');
    yes.child.stdin?.write('y\n');
    await expect.poll(yes.seen, waiting).toContain('Apply this plan? [y/N]');
    yes.child.stdin?.write('y\n');
    expect(await yes.code).toBe(0);
    expect(yes.seen()).toContain('started run 2 of workflow 1: 2 jobs ready, 0 blocked');
    expect(await statuses()).toEqual({ slow: 'ready', wrong: 'ready' });
  });

  it('each answer is echoed once, and the plan has the colors of the terminal', async () => {
    await place.torc('run', study());
    const colored = typedWith({ NO_COLOR: undefined }, 'recover', '1');
    await expect.poll(colored.seen, waiting).toContain('or n to leave it [1.5]');
    colored.child.stdin?.write('60\n');
    await expect.poll(colored.seen, waiting).toContain('Run it again as before? [y/N]');
    colored.child.stdin?.write('no\n');
    await expect.poll(colored.seen, waiting).toContain('Apply this plan? [y/N]');
    colored.child.stdin?.write('never\n');
    expect(await colored.code).toBe(130);
    expect(colored.seen()).toMatch(/60\r+\n.*no\r+\n.*never\r+\n/s);
    expect(colored.seen()).toContain('\x1b[32mdone');
    expect(colored.seen()).not.toContain('u001b');
  });

  it('it does not ask with --yes', async () => {
    await place.torc('run', study());
    const yes = typed('recover', '1', '--yes');
    expect(await yes.code).toBe(0);
    expect(await statuses()).toEqual({ slow: 'ready', wrong: 'failed' });
  });
});
