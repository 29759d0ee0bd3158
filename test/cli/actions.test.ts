// biome-ignore-all lint/suspicious/noTemplateCurlyInString: words of schedules are written like that
/** Actions and schedules through the whole program, from a specification to their effects. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place, slurm } = made);
});

interface Action {
  state: string | null;
  num_firings: number;
  num_failed: number;
  error: string | null;
  firings: { run_id: number; result: { slurm_job_ids?: string[] } | null }[];
}

async function actions(key: string): Promise<Action[]> {
  return (await place.json<{ actions: Action[] }>(['actions', 'list', key])).actions;
}

async function create(workflow: object): Promise<string> {
  const file = place.file('workflow.json', JSON.stringify(workflow));
  return (await place.json<{ workflow_key: string }>(['workflows', 'create', file])).workflow_key;
}

const log = () => readFileSync(join(place.path, 'log'), 'utf8').split('\n');
const writes = (word: string) => `echo ${word} >> log`;

const everything = {
  name: 'everything',
  jobs: [
    { name: 'a', command: writes('a') },
    { name: 'b', command: writes('b'), depends_on: ['a'] },
  ],
  actions: [
    { trigger_type: 'on_workflow_start', action_type: 'run_commands', commands: [writes('start')] },
    { trigger_type: 'on_jobs_ready', action_type: 'run_commands', jobs: ['b'], commands: [writes('ready')] },
    {
      trigger_type: 'on_jobs_complete',
      action_type: 'run_commands',
      job_name_regexes: ['^[ab]$'],
      commands: ['exit 7'],
    },
    { trigger_type: 'on_worker_start', action_type: 'run_commands', commands: [writes('worker-start')] },
    { trigger_type: 'on_worker_complete', action_type: 'run_commands', commands: [writes('worker-end')] },
    // slower than the worker and the jobs: the command waits for the action
    { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: [`sleep 1; ${writes('end')}`] },
  ],
};

describe('torc run', () => {
  it('runs every action once; a failed action is only a warning', async () => {
    const file = place.file('workflow.json', JSON.stringify(everything));
    const ended = await place.torc('run', file);
    expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('1 action failed: torc --dir') });
    const lines = log();
    expect(lines.toSorted()).toEqual(['', 'a', 'b', 'end', 'ready', 'start', 'worker-end', 'worker-start'].toSorted());
    expect(lines.indexOf('worker-start')).toBeLessThan(lines.indexOf('a'));
    expect(lines.indexOf('worker-end')).toBeGreaterThan(lines.indexOf('b'));
    expect(await actions('1')).toMatchObject([
      { state: 'done', num_firings: 1 },
      { state: 'done', num_firings: 1 },
      { state: 'failed', num_firings: 1, num_failed: 1, error: 'return code 7 of: exit 7' },
      { state: 'done', num_firings: 1 },
      { state: 'done', num_firings: 1 },
      { state: 'done', num_firings: 1 },
    ]);
    expect((await place.torc('workflows', 'show-status', '1')).stdout).toContain('1 action failed');
  });

  it('runs actions that fired earlier, while no server was running', async () => {
    const key = await create({ ...everything, actions: everything.actions.slice(0, 1) });
    await place.json(['workflows', 'start', key]);
    expect(existsSync(join(place.dir, 'server.json'))).toBe(false);
    expect(await actions(key)).toMatchObject([{ state: 'pending' }]);
    expect((await place.torc('workflows', 'show-status', key)).stdout).toMatch(/actions: +1 pending/);
    await place.json(['jobs', 'run', key]);
    expect(await actions(key)).toMatchObject([{ state: 'done', num_firings: 1 }]);
  });
});

describe('actions that schedule nodes', () => {
  const staged = {
    name: 'staged',
    jobs: [
      { name: 'first', command: writes('first') },
      { name: 'second', command: writes('second'), depends_on: ['first'] },
    ],
    slurm_schedulers: [{ name: "a 'small' one", account: 'acc', walltime: '00:10:00', mem: '1G' }],
    actions: [
      {
        trigger_type: 'on_workflow_start',
        action_type: 'schedule_nodes',
        scheduler: "a 'small' one",
        scheduler_type: 'slurm',
        num_allocations: 2,
        max_parallel_jobs: 3,
      },
      { trigger_type: 'on_jobs_ready', action_type: 'schedule_nodes', jobs: ['second'], scheduler: "a 'small' one" },
    ],
  };

  it('are enough for torc submit; without one it fails and stores nothing', async () => {
    const { actions: _, ...without } = staged;
    const refused = await place.torc('submit', place.file('without.json', JSON.stringify(without)));
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('schedule_nodes') });
    // of torc 1.0: starts a stored workflow
    expect(await place.torc('submit', '1')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('no torc database'),
    });
    expect(existsSync(place.dir)).toBe(false);
    const file = place.file('staged.json', JSON.stringify(staged));
    const started = await place.json<object>(['submit', file]);
    expect(started).toMatchObject({ workflow_key: '1', starts_server: true, num_ready: 1 });
    // not before Slurm has taken them
    expect(started).toMatchObject({ slurm_job_ids: [expect.any(String), expect.any(String)] });
    const status = async () => (await place.json<{ status: string }>(['workflows', 'show', '1'])).status;
    await expect.poll(status, { interval: 500 }).toBe('done');
    expect(log()).toEqual(['first', 'second', '']);
  });

  it('are not needed with -n: what is typed is the Slurm config; a dry run shows it and stores nothing', async () => {
    const { actions: _, ...spec } = staged;
    const file = place.file('spec.json', JSON.stringify(spec));
    const words = ['submit', file, '-n', '2', '-p', 'short', '-t', '20', '-a', 'mine'];
    const planned = await place.torc(...words, '--dry-run');
    expect(planned.stdout).toContain(
      '2 allocations would be submitted: account mine, partition short, walltime 00:20:00',
    );
    expect(existsSync(place.dir)).toBe(false);
    expect(await place.torc('submit', place.file('staged.json', JSON.stringify(staged)), '-n', '1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('schedules its nodes itself'),
    });
    const submitted = await place.torc(...words);
    expect(submitted).toMatchObject({ code: 0 });
    const [first, second] = slurm.jobs().map(({ id }) => id);
    expect(submitted.stdout).toContain(`Slurm jobs ${first} ${second}\n`);
    for (const folder of ['torc_output', 'slurm_stdio', 'slurm_scripts']) expect(submitted.stdout).toContain(folder);
    expect(slurm.jobs().map(({ directives }) => directives)).toMatchObject(
      Array(2).fill({ account: 'mine', partition: 'short', time: '00:20:00', mem: '1G' }),
    );
    expect(slurm.jobs()[0]).toMatchObject({ directives: { account: 'mine', partition: 'short', time: '00:20:00' } });
  });

  it('that Slurm refuses end torc submit with 6 and its words', async () => {
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: error: Invalid account', exitCode: 1, times: 9 });
    const { actions: _, ...spec } = staged;
    const file = place.file('spec.json', JSON.stringify(spec));
    const own = await place.torc('submit', place.file('staged.json', JSON.stringify(staged)));
    const typed = await place.torc('submit', file, '-n', '2');
    for (const [ended, key] of [
      [own, '1'],
      [typed, '2'],
    ] as const) {
      expect(ended).toMatchObject({ code: 6, stdout: '' });
      expect(ended.stderr).toMatch(new RegExp(`Invalid account.*Workflow ${key} is stored and started`));
      expect(ended.stderr).toContain(`-k ${key} hpc slurm schedule-nodes`);
    }
    expect(own.stderr).toContain('Nothing was submitted');
    expect(typed.stderr).toContain('Submitted 0 of 2 allocations');
  });

  it('run when the workflow starts: a server starts, workers come and run the jobs without another command', async () => {
    const key = await create(staged);
    const planned = await place.json<object>(['workflows', 'start', key, '--dry-run']);
    expect(planned).toMatchObject({ starts_server: true });
    expect(existsSync(join(place.dir, 'server.json'))).toBe(false);
    const started = await place.torc('workflows', 'start', key);
    expect(started).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    const ofRun = async () => (await place.json<{ status: string }>(['workflows', 'show', key])).status;
    await expect.poll(ofRun, { interval: 500 }).toBe('done');
    const bothDone = async () => (await actions(key)).map((action) => action.state);
    await expect.poll(bothDone, { interval: 300 }).toEqual(['done', 'done']);
    expect(log()).toEqual(['first', 'second', '']);
    const [start] = await actions(key);
    expect(start).toMatchObject({
      num_firings: 1,
      firings: [{ run_id: 1, result: { slurm_job_ids: expect.anything() } }],
    });
    const submitted = slurm.jobs().filter((job) => start?.firings[0]?.result?.slurm_job_ids?.includes(job.id));
    expect(submitted).toHaveLength(2);
    expect(submitted[0]).toMatchObject({ directives: { account: 'acc' }, workingDirectory: place.path });
    expect(submitted[0]?.script).toContain('--max-parallel-jobs 3');
  });

  it('that Slurm refuses are shown with its message, and the workflow continues', async () => {
    slurm.behave({ command: 'sbatch', stderr: 'sbatch: error: Invalid account', exitCode: 1, times: 9 });
    const key = await create({ ...staged, actions: staged.actions.slice(0, 1) });
    await place.torc('workflows', 'start', key);
    const shown = async () => (await actions(key)).map(({ state, error }) => [state, error]);
    await expect.poll(shown, { interval: 200 }).toEqual([['failed', expect.stringContaining('Invalid account')]]);
    expect((await place.torc('workflows', 'show-status', key)).stdout).toContain('1 action failed');
    expect(await place.json(['jobs', 'run', key, '--wait-for-new-jobs', '0'])).toMatchObject({ status: 'done' });
  });
});

describe('torc schedules', () => {
  const scheduled = {
    name: 'tick of ${schedule.name}',
    jobs: [{ name: 'a', command: 'echo begin >> log; sleep 1.5; echo end >> log' }],
    actions: [{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' }],
  };
  interface Shown {
    is_paused: boolean;
    next_at: string | null;
    runs: { state: string; origin: string; workflow_key: string | null; workflow_status: string | null }[];
  }
  const show = (...more: string[]) => place.json<Shown>(['schedules', 'show', 'tick', ...more]);

  it('starts a workflow every second unless the one before it runs: never two at a time', async () => {
    const file = place.file('tick.json', JSON.stringify(scheduled));
    const planned = await place.torc('schedules', 'add', 'tick', file, '--every', 'PT1S', '--dry-run');
    expect(planned).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was changed') });
    const added = await place.torc('schedules', 'add', 'tick', file, '--every', 'PT1S');
    expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining('Started a server') });
    const ended = async () => (await show()).runs.filter((run) => run.workflow_status === 'done').length;
    await expect.poll(ended, { interval: 500, timeout: 120_000 }).toBeGreaterThanOrEqual(3);
    expect(await place.json(['schedules', 'pause', 'tick'])).toMatchObject({ is_paused: true, was_paused: false });
    const isOver = async () =>
      (await show()).runs.every((run) => !/running|ready|pending/.test(run.workflow_status ?? ''));
    await expect.poll(isOver, { interval: 500, timeout: 60_000 }).toBe(true);
    const lines = log().filter((line) => line !== '');
    expect(lines).toEqual(lines.map((_, index) => (index % 2 === 0 ? 'begin' : 'end')));
    const { runs } = await show('--runs', '1000');
    expect(runs.map((run) => run.state)).toContain('skipped');
    const named = await place.json<{ workflows: { name: string }[] }>([
      'workflows',
      'list',
      '-f',
      'attribute.schedule=tick',
    ]);
    expect(named.workflows[0]?.name).toBe('tick of tick');

    expect((await place.torc('schedules', 'run', 'tick')).stdout).toContain('a workflow of schedule tick starts');
    const origin = async () => (await show()).runs[0]?.origin;
    expect(await origin()).toBe('by_hand');
    expect((await place.torc('schedules', 'list')).stdout).toMatch(/^name +when .*\ntick +every 1.0 s +paused/);
    const hourly = ['--cron', '0 * * * *', '--time-zone', 'UTC', '--spec', file];
    const modified = await place.torc('schedules', 'modify', 'tick', ...hourly);
    expect(modified).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^changed schedule tick\n.*cron .*0 \* \* \* \*/s),
    });
    const again = await place.torc('schedules', 'modify', 'tick', ...hourly, '--dry-run');
    expect(again.stdout).toBe('nothing to change: schedule tick already has these settings\n');
    expect(await place.torc('schedules', 'modify', 'tick', '--every', '0.5')).toMatchObject({ code: 2 });
    expect((await place.torc('schedules', 'show', 'tick')).stdout).toMatch(/to resume: torc .*schedules resume tick/);
    expect(await place.torc('schedules', 'delete', 'tick')).toMatchObject({ code: 0 });
    expect(await place.torc('schedules', 'show', 'tick')).toMatchObject({ code: 3 });
  });

  it('refuses what could never run, and says what to write', async () => {
    const file = place.file('tick.json', JSON.stringify(scheduled));
    const add = (...words: string[]) => place.torc('schedules', 'add', 'tick', file, ...words);
    for (const [words, message] of [
      [[], 'either --cron or --every'],
      [['--cron', '61 * * * *'], 'cannot be read'],
      [['--cron', '@daily', '--time-zone', 'Mars/Base'], 'no time zone'],
      [['--every', 'PT0.5S'], 'shorter than a second'],
      [['--every', '1h', '--catch-up', 'all'], 'would be skipped'],
    ] as const) {
      expect(await add(...words)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
    }
    const { actions: _, ...without } = scheduled;
    place.file('tick.json', JSON.stringify(without));
    expect(await add('--every', '1h')).toMatchObject({ code: 2, stderr: expect.stringContaining('schedules nodes') });
    expect((await place.torc('schedules', 'list')).code).toBe(0);
  });
});

describe('notifications', () => {
  it('a failed run is one message to a receiver that fails twice; success is one of its own', async () => {
    const got: string[] = [];
    const receiver = createServer((request, response) => {
      request.setEncoding('utf8').on('data', (part: string) => (got[got.length - 1] += part));
      got.push('');
      response.writeHead(got.length > 2 ? 200 : 500).end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    try {
      const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/SECRET`;
      const notifications = [
        { to: { command: 'echo "$TORC_NOTIFICATION_EVENT" >> log; printf %s "$TORC_NOTIFICATION_TEXT" > text' } },
        { to: { webhook } },
      ];
      const spec = {
        name: 'n',
        jobs: [
          { name: 'good', command: 'true' },
          { name: 'bad', command: 'test -e fixed' },
        ],
      };
      const file = place.file('n.json', JSON.stringify({ ...spec, notifications }));
      const run = await place.torc('run', file, '-o', 'out');
      expect(run.code).toBe(1);
      expect(run.stderr).toMatch(/^1 notification could not be sent yet, 127.0.0.1:\d+ answered with status 500/m);
      expect(readFileSync(join(place.path, 'log'), 'utf8')).toBe('failed\n');
      const text = readFileSync(join(place.path, 'text'), 'utf8');
      expect(text).toContain('2 jobs: 1 succeeded, 1 failed\n');
      expect(text).toMatch(/ {2}torc --dir .* jobs logs \d+ --stderr\n/);

      const listed = await place.torc('notifications', 'list', '1');
      expect(listed.stdout).toMatch(
        /command +done,failed,timeout,canceled +1 +0 +sent .*\n.*webhook .* 0 +0 +(postponed|pending) /,
      );
      const status = await place.torc('workflows', 'show-status', '1');
      // half a minute later the message is due again, which a slow machine reaches here
      expect(status.stdout).toMatch(
        /could not be sent yet, .* notifications list 1 \(a server or the next run tries again\)\n|1 waiting for a server that sends/,
      );
      const exported = await place.torc('workflows', 'export', '1');
      expect(exported.stderr).toContain('1 webhook is left out, because its URL is a secret');
      expect(exported.stdout).toContain('TORC_NOTIFICATION_EVENT');
      const tested = await place.torc('notifications', 'test', '1');
      expect([tested.code, got.length]).toEqual([1, 2]);
      expect(tested.stdout).toMatch(/command +sent .*\n.*webhook +not sent +127.0.0.1:\d+ answered with status 500 /);
      const shown = await place.torc('notifications', 'test', '1', '--dry-run', '--only', '1');
      expect(shown.stdout).toMatch(
        /^Subject: torc: workflow 1 \(n\) sends a test message\n(.*\n)+1 +command +would be sent/,
      );

      place.file('fixed', '');
      await place.torc('workflows', 'reset-status', '1', '--failed-only', '--restart');
      expect((await place.torc('jobs', 'run', '1', '-o', 'out')).code).toBe(0);
      expect(readFileSync(join(place.path, 'log'), 'utf8')).toBe('failed\ntest\ndone\n');
      const events = got.map((body) => (JSON.parse(body) as { event: string }).event);
      expect(events.slice(0, 2)).toEqual(['failed', 'test']);
      expect(events.filter((event) => event === 'done')).toHaveLength(1);
      expect([listed, status, exported, tested, shown].map(({ stdout }) => stdout).join()).not.toContain('SECRET');
    } finally {
      receiver.closeAllConnections();
      receiver.close();
    }
  });
});

describe('torc generators', () => {
  it('start a workflow of the items that they were given', async () => {
    const convert = {
      name: 'convert',
      parameters: { item: ['example'] },
      jobs: [{ name: 'j_{item}', command: 'echo {item} >> log', use_parameters: ['item'] }],
      actions: [{ trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler_type: 'local' }],
    };
    const file = place.file('convert.json', JSON.stringify(convert));
    const made = await place.torc('generators', 'add', 'convert', file, '--items', '3', '--max-wait', 'PT1H');
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('created generator convert') });
    place.file('names', 'b\nc\nd\n');
    const first = await place.torc('generators', 'put', 'convert', 'a');
    expect(first).toMatchObject({ code: 0, stdout: 'put 1 item into generator convert: 1 waiting\n' });
    const more = await place.torc('generators', 'put', 'convert', '--file', 'names');
    expect(more.stdout).toContain('put 3 items into generator convert: 1 waiting; 1 workflow will start');
    const statuses = async () =>
      (await place.json<{ workflows: { status: string }[] }>(['workflows', 'list'])).workflows.map(
        ({ status }) => status,
      );
    await expect.poll(statuses, { interval: 500, timeout: 60_000 }).toEqual(['done']);
    expect(log().toSorted()).toEqual(['', 'a', 'b', 'c']);
    expect((await place.torc('generators', 'list')).stdout).toMatch(/convert +3 items, or after 1h 00m +1 /);
    expect((await place.torc('generators', 'show', 'convert')).stdout).toMatch(/items that wait: +1/);
    expect((await place.torc('generators', 'delete', 'convert')).code).toBe(0);
  });
});
