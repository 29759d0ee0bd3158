import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place, slurm } = made);
});

interface Job {
  name: string;
  command: string;
}
const lines = (name: string) => readFileSync(join(place.path, name), 'utf8').trim().split('\n').sort();
const here = (...words: string[]) => place.json<object>(['exec', '--local', ...words]);

describe('torc exec --local', () => {
  it('runs a program with its arguments as typed, and waits', async () => {
    const summary = await here(
      '--name',
      'one',
      '-j',
      '8',
      '--',
      'bash',
      '-c',
      'printf "%s\\n" "$@" > out',
      '-',
      'a  b',
      '*',
    );
    expect(summary).toMatchObject({ workflow_key: '1', name: 'one', status: 'done', num_jobs: 1 });
    expect(lines('out')).toEqual(['*', 'a  b']);
  });

  it('runs shell text for each value, each line, each element and each number', async () => {
    await here('-c', 'echo {i}-{x} >> params', '--param', 'i=1:2', '--param', 'x=[a,b]');
    expect(lines('params')).toEqual(['1-a', '1-b', '2-a', '2-b']);
    const commas = await place.torc('exec', '--local', '--dry-run', '-c', 'echo {y}', '--param', 'y=a,b');
    expect(commas.stderr).toContain(`y has one value, "a,b"; for several: --param 'y=[a,b]'`);
    expect(commas.stdout).toMatch(/^echo a,b$|^job_1 +echo a,b/m);
    const file = place.file('entries', 'a  b\n\n$HOME *\n');
    await here('--each-line', file, '-c', 'echo "$TORC_TASK_ID:$TORC_ENTRY" >> each');
    expect(lines('each')).toEqual(['1:a  b', '3:$HOME *']);
    const json = place.file('entries.json', '[{"n": 1.0}, "it\'s"]');
    await here('--from-json', json, '-c', 'echo "$TORC_ENTRY" >> json');
    expect(lines('json')).toEqual(['"it\'s"', '{"n":1.0}']);
    await here('--array', '0-20:10%1', '-c', 'echo $TORC_TASK_ID >> array');
    expect(lines('array')).toEqual(['0', '10', '20']);
    const shown = await place.json<{ jobs: { name: string }[] }>(['jobs', 'list', '-k', 'last']);
    expect(shown.jobs.map(({ name }) => name)).toEqual(['job_00', 'job_10', 'job_20']);
    await here('-C', place.file('commands', '# two\necho 1 >> commands.out\necho 2 >> commands.out\n'));
    expect(lines('commands.out')).toEqual(['1', '2']);
  });

  it('ends as torc run does, with what failed, and retries what was asked for', async () => {
    const count = 'echo x >> tries; exit 3';
    const ended = await place.torc('exec', '--local', '--max-retries', '1', '--fail-fast', '-c', count);
    expect(ended).toMatchObject({ code: 1, stdout: expect.stringContaining('failed') });
    expect(lines('tries')).toHaveLength(2);
    expect(ended.stderr).toContain('workflow 1: 1 job');
  });

  it('reads #TORC lines of a script; options that are typed win', async () => {
    const text =
      '#!/bin/bash\n#SBATCH -c 9 -o x\n#TORC --cpus 2 --memory 1g --name scripted --runtime 5m\necho "$@" > out\n';
    place.file('script.sh', text);
    const plan = ['exec', '--local', '--cpus', '1', 'script.sh', '--dry-run'];
    const ended = await place.torc(...plan);
    expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('#TORC --cpus 9') });
    expect(readFileSync(join(place.path, 'out'), 'utf8')).toBe('--dry-run\n');
    const [{ name }] = (await place.json<{ workflows: [{ name: string }] }>(['workflows', 'list'])).workflows;
    expect(name).toBe('scripted');
    const needs = await place.json(['resource-requirements', 'list', '-k', '1']);
    expect(needs).toMatchObject({
      resource_requirements: [{ num_cpus: 1, memory_bytes: 1024 ** 3, runtime_seconds: 300 }],
    });
    chmodSync(place.file('bad.sh', '#!/bin/bash\n#TORC --cpus four\n'), 0o755);
    expect(await place.torc('exec', '--local', './bad.sh')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('bad.sh:2:14: '),
    });
  });

  it('shows the jobs in a dry run, and stores nothing', async () => {
    const words = ['exec', '--local', '--dry-run', '-c', 'run.sh {i}', '--param', 'i=1:3'];
    const { job_list } = await place.json<{ job_list: Job[] }>([...words, '--show-jobs']);
    expect(job_list.map(({ command }) => command)).toEqual(['run.sh 1', 'run.sh 2', 'run.sh 3']);
    const many = await place.torc('exec', '--local', '--dry-run', '--array', '1-100', '--', 'true');
    expect(many.stdout).toContain('.. and 80 more (--show-jobs shows all)');
    expect(existsSync(place.dir)).toBe(false);
    expect(existsSync(join(place.path, 'torc_output'))).toBe(false);
  });
});

describe('torc exec --slurm', () => {
  it('submits allocations that fit, waits, ends with the code of the run and shows what failed', async () => {
    const words = ['exec', '-n', '2', '-p', 'short', '-t', '1:00:00', '-a', 'acct', '--cpus', '2', '--memory', '1g'];
    const each = [
      '-j',
      '2',
      '--array',
      '1-4',
      '-c',
      'echo "task $TORC_TASK_ID broke" >&2; exit $((TORC_TASK_ID == 3))',
    ];
    const ended = await place.torc(...words, '--wait', ...each);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/submitted 2 allocations \(partition short, walltime 01:00:00\): Slurm jobs \d+ \d+/);
    expect(ended.stdout).toMatch(/3 succeeded, 1 failed[\s\S]*task 3 broke/);
    expect(slurm.jobs()).toHaveLength(2);
    expect(slurm.jobs()[0]?.directives).toMatchObject({
      account: 'acct',
      partition: 'short',
      time: '01:00:00',
      'cpus-per-task': '4',
      mem: '2304M',
    });
  });

  it('prints what was submitted and ends', async () => {
    place.file('torc.toml', 'account = "of file"\nqos = "low"\nwalltime = "20"\n');
    const submitted = await place.json<{ slurm_job_ids: string[] }>(['exec', '--slurm', '--', 'true']);
    expect(submitted).toMatchObject({ workflow_key: '1', num_ready: 1, slurm_job_ids: [expect.any(String)] });
    expect(slurm.jobs()[0]?.directives).toMatchObject({ account: 'of file', qos: 'low', time: '00:20:00' });
    const status = async () => (await place.json<{ status: string }>(['workflows', 'show', '1'])).status;
    await expect.poll(status, { interval: 500 }).toBe('done');
  });

  it('ends the waiting at Ctrl-C, and the jobs continue', async () => {
    const waiting = place.start('exec', '--slurm', '--wait', '-c', 'touch begun; until [ -e end ]; do sleep 0.1; done');
    await expect.poll(() => existsSync(join(place.path, 'begun')), { interval: 200 }).toBe(true);
    waiting.child.kill('SIGINT');
    expect(await waiting.ended).toMatchObject({ code: 130, stderr: expect.stringContaining('workflow 1 goes on') });
    place.file('end', '');
    expect(await place.torc('wait', '1')).toMatchObject({ code: 0 });
  });

  it('says what is left when Slurm refuses', async () => {
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: error: Invalid account', exitCode: 1, times: 9 });
    const ended = await place.torc('exec', '--slurm', '-a', 'nobody', '--', 'true');
    expect(ended).toMatchObject({ code: 6, stdout: '' });
    expect(ended.stderr).toMatch(/Invalid account.*Submitted 0 of 1 allocation.*Workflow 1 is stored and started/);
    expect(ended.stderr).toContain('schedule-nodes -n 1');
  });
});
