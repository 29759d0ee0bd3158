/** The parts of a specification besides its jobs, run by the program. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eachTestWithSlurm, type Place } from './place.ts';

let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place } = made);
});

interface Result {
  job_name: string;
  attempt_id: number;
  return_code: number;
  detail: string | null;
}

async function results(): Promise<Result[]> {
  return (await place.json<{ results: Result[] }>(['results', 'list'])).results;
}

describe('failure handlers', () => {
  const spec = `
name: retries
failure_handlers:
  - name: transient
    rules:
      - exit_codes: [75]
        max_retries: 2
        recovery_script: |
          echo "recovering from $TORC_RETURN_CODE"
          touch "recovered $TORC_JOB_NAME $TORC_ATTEMPT_ID"
jobs:
  - name: flaky
    command: test -e 'recovered flaky 1' && echo fine || exit 75
    failure_handler: transient
  - name: broken
    command: exit 1
    failure_handler: transient
  - name: hopeless
    command: exit 75
    failure_handler: transient
  - name: behind
    command: echo behind
    depends_on: [flaky]
`;

  it('retry a job that fails for a while, and not one that is broken', async () => {
    const run = await place.json<object>(['run', place.file('retries.yaml', spec)], 1);
    expect(run).toMatchObject({ status: 'failed', num_done: 4, num_failed: 2, num_canceled: 0 });
    const attempts = (await results()).map(({ job_name, attempt_id, return_code }) => {
      return `${job_name} ${attempt_id}: ${return_code}`;
    });
    expect(attempts.sort()).toEqual([
      'behind 1: 0',
      'broken 1: 1',
      'flaky 1: 75',
      'flaky 2: 0',
      'hopeless 1: 75',
      'hopeless 2: 75',
      'hopeless 3: 75',
    ]);
    expect(existsSync(join(place.path, 'recovered hopeless 2'))).toBe(true);
    const logs = await place.torc('jobs', 'logs', '1');
    expect(logs.stdout).toContain('recovering from 75\nfine\n');
    const story = (await place.torc('jobs', 'show', '1')).stdout;
    expect(story).toMatch(/failure_handler: +transient/);
    expect(story).toContain('job_retried');
  });

  it('retry until success, each attempt with a result, after its recovery script has ended', async () => {
    const name = `it's "odd" $HOME é`;
    const handler = {
      exit_codes: [42],
      // slow enough for an attempt to overtake it if it did not wait
      recovery_script:
        'echo "recovering $TORC_JOB_NAME: $TORC_ATTEMPT_ID, $TORC_RETURN_CODE" >> log\nsleep 0.3\necho recovered >> log',
      max_retries: 3,
    };
    const file = place.file(
      'four.json',
      JSON.stringify({
        name: 'four attempts',
        failure_handlers: [{ name: 'again', rules: [handler] }],
        jobs: [
          {
            name,
            command: 'echo "attempt $TORC_ATTEMPT_ID" >> log; test "$TORC_ATTEMPT_ID" = 4 || exit 42',
            failure_handler: 'again',
          },
        ],
      }),
    );
    expect(await place.json<object>(['run', file])).toMatchObject({ status: 'done', num_done: 1, num_failed: 0 });
    expect((await results()).map(({ attempt_id, return_code }) => [attempt_id, return_code])).toEqual([
      [1, 42],
      [2, 42],
      [3, 42],
      [4, 0],
    ]);
    const between = (attempt: number) => [`recovering ${name}: ${attempt}, 42`, 'recovered', `attempt ${attempt + 1}`];
    const log = readFileSync(join(place.path, 'log'), 'utf8').trimEnd().split('\n');
    expect(log).toEqual(['attempt 1', ...[1, 2, 3].flatMap(between)]);
  });

  it('let a run succeed when all failures were retried', async () => {
    const only = spec.replace(/ {2}- name: broken[\s\S]*(?= {2}- name: behind)/, '');
    const run = await place.json<object>(['run', place.file('retries.yaml', only)]);
    expect(run).toMatchObject({ status: 'done', num_jobs: 2, num_failed: 0 });
  });
});

describe('schedulers of jobs', () => {
  const scheduler = (name: string) => ({ name, account: 'a', walltime: '01:00:00' });
  const spec = {
    name: 'two kinds',
    slurm_schedulers: [scheduler('cpu'), scheduler('gpu')],
    jobs: [
      { name: 'a', command: 'true', scheduler: 'cpu' },
      { name: 'b', command: 'true', scheduler: 'gpu' },
    ],
  };

  it('are named when scheduled nodes cannot run them', async () => {
    const file = place.file('kinds.json', JSON.stringify(spec));
    await place.json(['workflows', 'create', file]);
    await place.torc('workflows', 'start');
    const planned = await place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', '-s', '1', '--dry-run');
    expect(planned.code).toBe(0);
    expect(planned.stderr).toContain('1 ready job needs workers of Slurm config gpu:');
    expect(planned.stderr).toContain('hpc slurm schedule-nodes -s 2 -n 1');
    expect(planned.stderr).not.toContain('config cpu');
    expect((await place.torc('jobs', 'show', '2')).stdout).toContain('Only workers of Slurm config "gpu" may take it');
  });

  it('do not prevent the workflow from running on one machine', async () => {
    const run = await place.json<object>(['run', place.file('kinds.json', JSON.stringify(spec))]);
    expect(run).toMatchObject({ status: 'done', num_done: 2 });
  });
});

it('a resource monitor writes the time series of each attempt', async () => {
  const file = place.file(
    'monitored.json',
    JSON.stringify({
      name: 'monitored',
      resource_monitor: {
        enabled: true,
        granularity: 'time_series',
        sample_interval_seconds: 60,
        generate_plots: true,
      },
      jobs: [{ name: 'a', command: 'sleep 2' }],
    }),
  );
  await place.json(['run', file, '-o', 'out']);
  const series = readFileSync(join(place.path, 'out/resource_monitor/0000/job_1_run_1_attempt_1.csv'), 'utf8');
  expect(series).toMatch(/^seconds,memory_bytes,cpu_seconds\n\d+\.\d{3},\d+,\d+\.\d{3}\n$/);
});
