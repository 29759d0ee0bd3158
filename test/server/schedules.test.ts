/** Schedules: each instant counts once, as the rules say, whatever servers and clocks do. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reply, Request } from '../../src/api/contract.ts';
import { nextInstants } from '../../src/model/decide/instants.ts';
import '../../src/model/expand/scheduled.ts';
import { ScheduleRunner } from '../../src/server/actions/schedule-runner.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { beginCancel } from '../../src/storage/runs/start-and-cancel.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { rows, TestWorker, temporaryDirectory } from '../support/service.ts';

const minute = 60_000;
let clock: FakeClock;
let directory: string;
let service: Service;
let closers: (() => Promise<void> | void)[] = [];

async function serve(): Promise<void> {
  service = await openService(directory, clock, 'test');
  service.info.user = 'tester';
  const [timekeeper, runner] = [new Timekeeper(service), new ScheduleRunner(service)];
  timekeeper.start();
  runner.start();
  closers = [() => timekeeper.close(), () => runner.close(), () => service.close()];
  await carriedOut();
}

/** Ends the server in order. */
async function end(): Promise<void> {
  for (const close of closers) await close();
  closers = [];
}

/** The process dies: it writes nothing more. */
function die(): void {
  closers[0]?.();
  service.db.close();
  rmSync(join(directory, 'holder.json'));
  closers = [];
}

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  await serve();
});
afterEach(async () => {
  if (service.db.isOpen) expect(brokenInvariants(service.db)).toEqual([]);
  await end();
  rmSync(directory, { recursive: true, force: true });
});

/** Nothing of the schedules is left to do before the next instant. */
async function carriedOut(): Promise<void> {
  await expect
    .poll(() => {
      const open = service.db.get(`SELECT 1 FROM ticks WHERE state IN ('pending', 'created')`);
      const due = service.db.get('SELECT 1 FROM schedules WHERE next_at <= ?', clock.now());
      return open === undefined && due === undefined;
    })
    .toBe(true);
}

async function pass(ms: number): Promise<void> {
  await clock.advance(ms);
  await carriedOut();
}

const text = `
name: report \${schedule.date}
jobs: [{name: a, command: "echo \${schedule.run} \${schedule.time}"}]
actions: [{trigger_type: on_workflow_start, action_type: schedule_nodes, scheduler_type: local}]
`;

type Given = Partial<Request<'schedule_add'>> & { text?: string };

function add({ text: written = text, ...given }: Given): Promise<Reply<'schedule_add'>> {
  return service.call('schedule_add', {
    name: 's',
    cron: given.every_ms == null && given.items == null ? '* * * * *' : null,
    every_ms: null,
    items: null,
    time_zone: 'UTC',
    overlap: 'skip',
    catch_up: 'once',
    max_catch_up: 100,
    paused: false,
    specification: {
      text: written,
      file: 'report.yaml',
      syntax: null,
      working_directory: directory,
      output_directory: join(directory, 'out'),
      home: directory,
      variables: {},
    },
    dry_run: false,
    ...given,
  });
}

const show = (name = 's', limit = 1000) => service.call('schedule_show', { name, limit });
/** The states of the instants, oldest first, each with its minutes and seconds. */
async function fates(): Promise<string[]> {
  const { runs } = await show();
  return runs
    .toReversed()
    .map(
      ({ state, scheduled_at, origin }) => `${scheduled_at.slice(14, 19)} ${state}${origin === 'late' ? ' late' : ''}`,
    );
}
const workflows = () => rows(service, 'workflows', null);

/** The job of a workflow runs and succeeds. */
async function complete(key: string): Promise<void> {
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  await worker.finish(worker.held[0] as number, 0, { leaving: true });
}

const newest = async (): Promise<string> => (await workflows()).map((each) => String(each.workflow_key)).at(-1) ?? '';
const numLive = async (): Promise<number> => (await workflows()).filter((each) => each.ended_at === null).length;

describe('at each instant', () => {
  it('a workflow with its date, number and attributes is created and started, once', async () => {
    const { instants } = await add({ cron: '30 3 * * *', time_zone: 'Asia/Tokyo' });
    expect(instants[0]).toBe('2026-01-01T18:30:00.000Z');
    clock.stall(18 * 60 * minute + 29 * minute);
    await pass(minute - 1);
    expect(await workflows()).toEqual([]);
    await pass(1);
    const [made, ...others] = await workflows();
    expect(others).toEqual([]);
    const attributes = { schedule: 's', schedule_time: '2026-01-01T18:30:00.000Z' };
    expect(made).toMatchObject({ name: 'report 2026-01-02', status: 'ready', run_id: 1, user: 'tester', attributes });
    const [job] = await rows(service, 'jobs', '1');
    expect(job).toMatchObject({ command: 'echo 1 2026-01-01T18:30:00.000Z' });
    expect(await show()).toMatchObject({
      next_at: '2026-01-02T18:30:00.000Z',
      num_runs: 1,
      last: { workflow_key: '1' },
    });
  });

  it('every second with skip: never two live, and no instant without a word', async () => {
    await add({ every_ms: 1000, overlap: 'skip' });
    for (let second = 1; second <= 30; second++) {
      await pass(1000);
      expect(await numLive()).toBe(1);
      if (second % 7 === 0) await complete(await newest());
    }
    const { runs } = await show();
    expect(runs).toHaveLength(30);
    expect(runs.filter(({ state }) => state === 'started')).toHaveLength(5);
    expect(runs.find(({ state }) => state === 'skipped')?.reason).toMatch(/^workflow \d+ had not ended$/);
  });

  it('a canceled workflow counts as ended, although its job is still being stopped', async () => {
    await add({ every_ms: minute, overlap: 'skip' });
    await pass(minute);
    const worker = await TestWorker.join(service, '1');
    await worker.exchange();
    await service.call('workflow_cancel', { workflow_key: '1', dry_run: false });
    await pass(minute);
    expect(await fates()).toEqual(['01:00 started', '02:00 started']);
  });

  it('with queue the next one waits for the end, in order', async () => {
    await add({ every_ms: minute, overlap: 'queue' });
    await pass(3 * minute);
    expect(await fates()).toEqual(['01:00 started', '02:00 queued', '03:00 queued']);
    await complete('1');
    await expect.poll(fates).toEqual(['01:00 started', '02:00 started', '03:00 queued']);
    await service.call('workflow_cancel', { workflow_key: '2', dry_run: false });
    await service.call('workflow_delete', { workflow_key: '2', dry_run: false });
    await expect.poll(fates).toEqual(['01:00 started', '02:00 started', '03:00 started']);
    expect((await rows(service, 'jobs', '3'))[0]?.command).toBe('echo 3 2026-01-01T00:03:00.000Z');
  });

  it('with replace the workflow before it is canceled, and has ended before the next one is there', async () => {
    await add({ every_ms: minute, overlap: 'replace' });
    await pass(minute);
    const worker = await TestWorker.join(service, '1');
    await worker.exchange();
    await pass(minute);
    await expect.poll(() => service.db.get('SELECT is_canceled FROM workflows')).toEqual({ is_canceled: 1 });
    expect(await fates()).toEqual(['01:00 started', '02:00 queued']);
    await pass(minute);
    expect(await fates()).toEqual(['01:00 started', '02:00 skipped', '03:00 queued']);
    await worker.finish(worker.held[0] as number, 143, { leaving: true });
    await expect.poll(fates).toEqual(['01:00 started', '02:00 skipped', '03:00 started']);
  });

  it('with replace a cancel that a server has left half done when it died is completed', async () => {
    await add({ every_ms: minute, overlap: 'replace' });
    await pass(minute);
    await service.write((tx) => void beginCancel(tx, 1));
    await pass(minute);
    await expect.poll(fates).toEqual(['01:00 started', '02:00 started']);
    expect(await numLive()).toBe(1);
  });

  it('with allow they run at the same time', async () => {
    await add({ every_ms: minute, overlap: 'allow' });
    await pass(3 * minute);
    expect(await numLive()).toBe(3);
  });

  it('a workflow that cannot start is told, and the next instant is tried', async () => {
    const reads = text.replace('command:', 'input_files: [f], command:');
    await add({ every_ms: minute, text: `${reads}files: [{name: f, path: missing.txt}]\n` });
    await pass(2 * minute);
    const { runs } = await show();
    expect(runs.map(({ state }) => state)).toEqual(['failed', 'failed']);
    expect(runs[0]?.reason).toContain('missing.txt');
  });
});

describe('a server that was away', () => {
  /** Every minute; the first runs at 00:01, then nobody is there until after 00:06. */
  async function outage(given: Given): Promise<string[]> {
    await add({ cron: '* * * * *', ...given });
    await pass(minute);
    await complete('1');
    await pass(minute / 2);
    await end();
    clock.stall(5 * minute);
    await serve();
    const seen = await fates();
    await pass(minute);
    return seen;
  }

  it('makes up for nothing with none', async () => {
    expect(await outage({ catch_up: 'none' })).toEqual(['01:00 started', '02:00 missed late']);
    expect(await fates()).toEqual(['01:00 started', '02:00 missed late', '07:00 started']);
    const { runs } = await show();
    expect(runs[1]).toMatchObject({ num_instants: 5, last_at: '2026-01-01T00:06:00.000Z', workflow_key: null });
  });

  it('makes up for the newest with once', async () => {
    expect(await outage({ catch_up: 'once' })).toEqual(['01:00 started', '02:00 missed late', '06:00 started late']);
    const { runs } = await show();
    expect(runs.find(({ state }) => state === 'missed')).toMatchObject({ num_instants: 4 });
  });

  it('makes up for all of them with all, one after the other, at most as many as are wanted', async () => {
    const late = await outage({ catch_up: 'all', overlap: 'queue', max_catch_up: 3 });
    const missed = ['01:00 started', '02:00 missed late', '04:00 started late'];
    expect(late).toEqual([...missed, '05:00 queued late', '06:00 queued late']);
    expect((await show()).runs.find(({ state }) => state === 'missed')).toMatchObject({ num_instants: 2 });
  });

  it('an instant is neither lost nor counted twice when the server dies at any moment of it', async () => {
    await add({ cron: '* * * * *', overlap: 'allow' });
    // before its workflow is there, then before it is started
    for (const state of ['pending', 'created']) {
      const broken = state === 'pending' ? 'workflow_create_begin' : 'workflow_start';
      const call = service.call.bind(service);
      service.call = (endpoint, request, options) =>
        endpoint === broken ? new Promise(() => {}) : call(endpoint, request, options);
      await clock.advance(minute);
      await expect.poll(async () => (await fates()).at(-1)).toMatch(state);
      die();
      await serve();
    }
    expect(await fates()).toEqual(['01:00 started', '02:00 started']);
    expect((await workflows()).map(({ run_id }) => run_id)).toEqual([1, 1]);
  });

  it('nor when it dies after any of the transactions of an instant', async () => {
    await add({ cron: '* * * * *', overlap: 'allow' });
    for (let numCommits = 1; numCommits <= 8; numCommits++) {
      const { db } = service;
      const run = db.run.bind(db);
      let left = numCommits;
      db.run = (sql, ...values) => {
        if (left === 0) throw new Error('the server is dead');
        const result = run(sql, ...values);
        if (sql === 'COMMIT') left -= 1;
        return result;
      };
      await clock.advance(minute);
      await expect
        .poll(
          () =>
            left === 0 || db.get('SELECT max(tick_key) AS n FROM ticks t WHERE state = ?', 'started')?.n === numCommits,
        )
        .toBe(true);
      die();
      await serve();
    }
    expect((await show()).runs.map(({ state }) => state)).toEqual(Array(8).fill('started'));
    const times = (await workflows()).map(({ attributes, run_id }) => [
      (attributes as Record<string, string>).schedule_time,
      run_id,
    ]);
    expect(times).toEqual(Array.from({ length: 8 }, (_, index) => [`2026-01-01T00:0${index + 1}:00.000Z`, 1]));
  });

  it('a command that has the database meanwhile makes no workflow and takes no instant away', async () => {
    await add({ cron: '* * * * *' });
    await end();
    clock.stall(5 * minute + 1);
    const command = await openService(directory, clock, 'command');
    expect(command.db.all('SELECT * FROM due')).toEqual([]);
    await command.close();
    await serve();
    expect(await fates()).toEqual(['01:00 missed late', '05:00 started late']);
  });
});

describe('a clock that is set', () => {
  it('moves an interval along, and no instant of the calendar', async () => {
    await add({ name: 'interval', every_ms: 10 * minute });
    await add({ name: 's', cron: '0 * * * *' });
    await pass(minute);
    clock.set(30 * minute);
    await pass(minute);
    expect(await show('interval')).toMatchObject({ next_at: '2026-01-01T00:40:00.000Z', runs: [] });
    expect(await show()).toMatchObject({ next_at: '2026-01-01T01:00:00.000Z', runs: [] });
  });

  it('forward over instants: they were missed; back: none comes twice', async () => {
    await add({ cron: '0 * * * *', catch_up: 'none', overlap: 'allow' });
    await pass(60 * minute);
    clock.set(150 * minute);
    await pass(minute);
    expect(await fates()).toEqual(['00:00 started', '00:00 missed late']);
    clock.set(-150 * minute);
    clock.stall(169 * minute);
    await pass(minute);
    expect(await workflows()).toHaveLength(1);
    await pass(10 * minute);
    expect(await workflows()).toHaveLength(2);
  });
});

describe('a person', () => {
  it('pauses a schedule, resumes it, and runs it at once', async () => {
    await add({ every_ms: minute, paused: true });
    await pass(5 * minute);
    expect(await show()).toMatchObject({ is_paused: true, next_at: null, instants: [], runs: [] });
    expect(await service.call('schedule_run', { name: 's' })).toMatchObject({ state: 'pending' });
    await carriedOut();
    expect((await workflows())[0]).toMatchObject({ attributes: { schedule_time: '2026-01-01T00:05:00.000Z' } });
    const again = service.call('schedule_run', { name: 's' });
    await expect(again).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('workflow 1 has not ended'),
    });
    await service.call('schedule_pause', { name: 's', paused: false });
    await service.call('workflow_cancel', { workflow_key: '1', dry_run: false });
    await pass(minute);
    expect(await fates()).toEqual(['05:00 started', '06:00 started']);
    expect(await service.call('schedule_pause', { name: 's', paused: true })).toMatchObject({ was_paused: false });
    expect(service.db.all(`SELECT * FROM due WHERE kind = 'interval'`)).toEqual([]);
  });

  it('changes times, rules and what runs; a dry run says how', async () => {
    await add({ every_ms: minute, overlap: 'allow' });
    await pass(minute);
    type Changes = Request<'schedule_modify'>['changes'];
    const modify = (changes: Changes, dry_run = false) =>
      service.call('schedule_modify', { name: 's', changes, dry_run });
    const hourly = { cron: ' 5 * * * * ', time_zone: 'Europe/Berlin' };
    const changes = [
      { field: 'cron', old_value: null, new_value: '5 * * * *' },
      { field: 'every_seconds', old_value: 60, new_value: null },
      { field: 'time_zone', old_value: 'UTC', new_value: 'Europe/Berlin' },
    ];
    const { instants } = await modify(hourly, true);
    expect(await show()).toMatchObject({ cron: null, every_seconds: 60, next_at: '2026-01-01T00:02:00.000Z' });
    expect(await modify(hourly)).toEqual({
      dry_run: false,
      name: 's',
      is_paused: false,
      time_zone: 'Europe/Berlin',
      changes,
      instants,
    });
    expect(instants[0]).toBe('2026-01-01T00:05:00.000Z');
    expect(await modify(hourly)).toMatchObject({ changes: [] });
    await pass(3 * minute);
    expect(await fates()).toEqual(['01:00 started']);
    await pass(minute);
    expect(await fates()).toEqual(['01:00 started', '05:00 started']);

    const { specification } = JSON.parse(JSON.stringify(service.db.get('SELECT specification FROM schedules')));
    const other = { ...JSON.parse(specification), text: text.replace('echo', 'print') };
    await modify({ specification: other, every_ms: minute });
    await pass(minute);
    const commands = service.db.all<{ command: string }>('SELECT command FROM jobs ORDER BY job_key');
    expect(commands.map(({ command }) => command.split(' ')[0])).toEqual(['echo', 'echo', 'print']);
    expect(service.db.all('SELECT kind FROM due')).toEqual([{ kind: 'interval' }]);
  });

  it.each<[string, Request<'schedule_modify'>['changes'], RegExp]>([
    ['a time zone that is none', { time_zone: 'Mars' }, /no time zone "?Mars/],
    ['a cron expression that never comes', { cron: '0 0 31 2 *' }, /the cron expression/],
    ['a time zone of an interval', { every_ms: minute, time_zone: 'UTC' }, /an interval has no time zone/],
    ['rules that contradict each other', { catch_up: 'all' }, /would be skipped/],
    ['both kinds of times', { cron: '@daily', every_ms: minute }, /either cron or every_ms/],
  ])('is refused %s', async (_, changes, message) => {
    await add({ cron: '@daily', overlap: 'skip' });
    const before = await show();
    const modified = service.call('schedule_modify', { name: 's', changes, dry_run: false });
    await expect(modified).rejects.toMatchObject({ message: expect.stringMatching(message) });
    expect(await show()).toEqual(before);
  });

  it('deletes a schedule; what runs goes on', async () => {
    await add({ every_ms: minute });
    await pass(minute);
    expect(await service.call('schedule_delete', { name: 's' })).toEqual({ name: 's', workflow_keys: ['1'] });
    await pass(5 * minute);
    expect(await workflows()).toHaveLength(1);
    await expect(show()).rejects.toMatchObject({ code: 'not_found' });
    expect(service.db.all('SELECT * FROM ticks')).toEqual([]);
  });

  it.each<[string, Given, RegExp]>([
    ['a cron expression of four fields', { cron: '0 3 * *' }, /has 4 fields/],
    ['one that is none', { cron: '0 25 * * *' }, /cannot be read: .*0-23/],
    ['one that never comes', { cron: '0 0 30 2 *' }, /day of month/],
    ['a time zone that is none', { time_zone: 'Europe/Atlantis' }, /no time zone "Europe\/Atlantis"/],
    ['all with skip', { catch_up: 'all' }, /would be skipped/],
    [
      'a specification that schedules no nodes',
      { text: text.replace(/actions.*/, '') },
      /no action that schedules nodes/,
    ],
    ['one with a mistake', { text: text.replace('command', 'comand') }, /report.yaml:3:\d+.*comand/],
    ['a word that is none', { text: text.replace('.date', '.dat') }, /did you mean "?date/],
    ['args that are always the same', { text: `${text}args: x\n` }, /same in every run/],
    ['another one of that name', { name: 'taken' }, /already/],
  ])('is refused %s', async (_, given, message) => {
    await add({ name: 'taken', every_ms: minute, paused: true });
    await expect(add(given)).rejects.toMatchObject({ message: expect.stringMatching(message) });
    expect((await service.call('schedules_list', {})).schedules.map(({ name }) => name)).toEqual(['taken']);
  });

  it('tries it first: a dry run says when, and changes nothing', async () => {
    expect(await add({ cron: ' 0  3 * * * ', dry_run: true })).toMatchObject({
      dry_run: true,
      instants: { length: 5 },
    });
    expect(await service.call('schedules_list', {})).toEqual({ schedules: [] });
    expect(service.db.all('SELECT * FROM due')).toEqual([]);
  });
});

describe('a generator', () => {
  const collecting = `
name: convert
parameters: {item: [example]}
user_data: [{name: items, data: []}]
jobs: [{name: "convert_{item}", command: "convert {item}", use_parameters: [item], input_user_data: [items]}]
actions: [{trigger_type: on_workflow_start, action_type: schedule_nodes, scheduler_type: local}]
`;
  const generate = (given: Given = {}) =>
    add({ text: collecting, items: { max: 3, max_wait_ms: 5 * minute }, overlap: 'allow', ...given });
  const put = (...words: string[]) =>
    service.call('generator_put', { name: 's', items: words.map((data) => ({ data, id: null })) });
  const commands = async (key: string) => (await rows(service, 'jobs', key)).map(({ command }) => command);

  it('makes a workflow of enough items, or of those that have waited long enough', async () => {
    await generate();
    expect(await put('a', 'b')).toMatchObject({
      num_waiting: 2,
      num_workflows: 0,
      next_at: '2026-01-01T00:05:00.000Z',
    });
    await pass(minute);
    expect(await put('c', 'd')).toMatchObject({
      num_waiting: 1,
      num_workflows: 1,
      next_at: '2026-01-01T00:06:00.000Z',
    });
    await carriedOut();
    expect(await commands('1')).toEqual(['convert a', 'convert b', 'convert c']);
    expect((await rows(service, 'user_data', '1'))[0]).toMatchObject({ name: 'items', data: ['a', 'b', 'c'] });
    await pass(5 * minute - 1);
    expect(await workflows()).toHaveLength(1);
    await pass(1);
    expect(await commands('2')).toEqual(['convert d']);
    expect(service.db.all('SELECT * FROM items')).toEqual([]);
    expect(await show()).toMatchObject({ next_at: null, num_items: 0, num_runs: 2 });
  });

  it('loses no item and takes none twice, whatever becomes of the server', async () => {
    await generate();
    await put('a');
    await end();
    clock.stall(60 * minute);
    const command = await openService(directory, clock, 'command');
    const items = ['b', 'c', 'd', 'e'].map((data) => ({ data, id: data }));
    expect(await command.call('generator_put', { name: 's', items })).toMatchObject({ num_new: 4, num_workflows: 1 });
    expect(await command.call('generator_put', { name: 's', items })).toMatchObject({ num_known: 4, num_workflows: 0 });
    await command.close();
    await serve();
    expect(await commands('1')).toEqual(['convert a', 'convert b', 'convert c']);
    expect(await service.call('schedule_run', { name: 's' })).toMatchObject({ state: 'pending' });
    await carriedOut();
    expect(await commands('2')).toEqual(['convert d', 'convert e']);
    expect(await service.call('generator_put', { name: 's', items })).toMatchObject({ num_known: 4, num_waiting: 0 });
  });

  it('waits for the workflow before with queue, and while it is paused', async () => {
    await generate({ overlap: 'queue', items: { max: 1, max_wait_ms: null } });
    await put('a', 'b');
    await expect.poll(fates).toEqual(['00:00 started', '00:00 queued']);
    await service.call('schedule_pause', { name: 's', paused: true });
    await put('c');
    await complete('1');
    await expect.poll(fates).toEqual(['00:00 started', '00:00 started']);
    await complete('2');
    expect(await show()).toMatchObject({ num_items: 1, is_paused: true });
    await service.call('schedule_pause', { name: 's', paused: false });
    await expect.poll(fates).toEqual(['00:00 started', '00:00 started', '00:00 started']);
    await expect(service.call('schedule_run', { name: 's' })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('is refused when its items would be lost', async () => {
    await expect(generate({ overlap: 'skip' })).rejects.toMatchObject({
      message: expect.stringContaining('would be lost'),
    });
    await expect(generate({ text })).rejects.toMatchObject({
      message: expect.stringContaining('does not use the items'),
    });
    await add({ every_ms: minute, paused: true });
    await expect(put('a')).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('collects no items'),
    });
    await expect(
      service.call('generator_put', { name: 's', items: [{ data: 'x'.repeat(1000), id: null }] }),
    ).rejects.toMatchObject({ code: 'usage' });
  });
});

describe('daylight saving', () => {
  const cron = (expression: string, timeZone: string, after: string, count: number) =>
    nextInstants({ cron: expression, timeZone, seed: 's' }, Date.parse(after), count).map((at) =>
      new Date(at).toISOString().slice(5, 16),
    );

  it.each([
    // an hour that there is not comes an hour later, one that there is twice counts the first time
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00Z', ['03-29T01:30', '03-30T00:30']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00Z', ['10-25T00:30', '10-26T01:30']],
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00Z', ['03-08T07:30', '03-09T06:30']],
    ['America/New_York', '30 1 * * *', '2026-10-31T12:00Z', ['11-01T05:30', '11-02T06:30']],
    // hours are hours
    ['Europe/Berlin', '0 * * * *', '2026-10-24T23:30Z', ['10-25T00:00', '10-25T01:00', '10-25T02:00']],
  ])('in %s, %s', (timeZone, expression, after, expected) => {
    expect(cron(expression, timeZone, after, expected.length)).toEqual(expected);
  });

  it('runs at those instants', async () => {
    clock.stall(Date.parse('2026-03-28T12:00Z') - clock.now());
    await add({ name: 'berlin', cron: '30 2 * * *', time_zone: 'Europe/Berlin' });
    await add({ name: 'york', cron: '30 2 * * *', time_zone: 'America/New_York' });
    for (const hours of [13.5, 5]) {
      clock.stall(hours * 60 * minute - 2 * minute);
      await pass(2 * minute);
    }
    const times = (await workflows()).map(({ attributes }) => attributes as Record<string, string>);
    expect(times).toEqual([
      { schedule: 'berlin', schedule_time: '2026-03-29T01:30:00.000Z' },
      { schedule: 'york', schedule_time: '2026-03-29T06:30:00.000Z' },
    ]);
  });
});
