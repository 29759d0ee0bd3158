/** The history of a workflow: normal moves from the attempts and all other events, read as one in commit order. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ListRecord } from '../../src/api/contract.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

async function page(key: string, limit: number, more: object = {}): Promise<ListRecord[]> {
  const request = { list: 'events', workflow_key: key, filters: [], sort_by: null, reverse: false } as const;
  return (await fresh.service.call('list', { ...request, filters: [], limit, skip: 0, ...more })).records;
}

function moves(events: readonly ListRecord[]): string[] {
  return events
    .filter(({ type }) => type === 'job_status')
    .map((event) => `${event.job_key}: ${event.old_status} -> ${event.new_status}`);
}

const planRequest = (workflow_key: string) => ({ workflow_key, expected_state: null, skip: 0, dry_run: false });
const restartRequest = (workflow_key: string) => ({
  ...planRequest(workflow_key),
  ...{ ignore_missing_data: true, only_uninitialized: false, keep_running: false, force: false, assume_stopped: false },
  working_directory: '/',
});

/** Three jobs: the second fails and cancels the third; then the second is reset and everything runs again. */
async function eventful(): Promise<{ key: string; jobs: string[] }> {
  const { service } = fresh;
  const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[1, 2]]);
  const jobs = (await rows(service, 'jobs', key)).map((job) => String(job.job_key));
  const worker = await TestWorker.join(service, key, { cpus: 2 });
  await worker.exchange();
  const [a, b] = worker.held as [number, number];
  await worker.exchange({ started: [{ attempt: a, age_ms: 0, pid: 1 }] });
  worker.held = [];
  await worker.exchange({ finished: [finished(a), finished(b, 3)] });
  await service.call('jobs_reset', { ...planRequest(key), which: [jobs[1] as string] });
  return { key, jobs };
}

describe('the history', () => {
  it('has the normal life of a job, read from its attempt, between all other events in the order of commits', async () => {
    const { key, jobs } = await eventful();
    const [a, b, c] = jobs;
    const events = await page(key, 1000);
    expect(moves(events)).toEqual([
      `${a}: ready -> submitted_pending`,
      `${b}: ready -> submitted_pending`,
      `${a}: submitted_pending -> submitted`,
      `${a}: submitted -> done`,
      `${b}: submitted_pending -> done`,
      `${c}: blocked -> canceled`,
      `${b}: done -> uninitialized`,
      `${c}: canceled -> uninitialized`,
    ]);
    const end = events.find((event) => event.job_key === b && event.new_status === 'done');
    expect(end?.data).toEqual({ return_code: 3, cause: 'exit_code' });
    const types = events.map(({ type }) => type);
    expect(types.indexOf('workflow_started')).toBeLessThan(types.indexOf('job_status'));
  });

  it('says who caused what: a person, or nobody for what workers and the server did by themselves', async () => {
    const { service } = fresh;
    const { key, jobs } = await eventful();
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    // in one transaction: a person, a worker, and a person after the directory has another owner
    const describe = (description: string) =>
      service.call('workflow_modify', { workflow_key: key, changes: { description } });
    const describing = describe('mine');
    const exchanging = worker.exchange({ draining: true });
    service.info.user = 'heir';
    await Promise.all([describing, exchanging, describe('mine now')]);
    await service.call('jobs_mark_done', { ...planRequest(key), job_keys: [jobs[1] as string] });
    const who = (await page(key, 1000)).map((event) => [event.type, event.new_status, event.who]);
    expect(who).toEqual([
      ['workflow_created', null, 'tester'],
      ['workflow_started', null, 'tester'],
      ['worker_started', null, null],
      ['job_status', 'submitted_pending', null],
      ['job_status', 'submitted_pending', null],
      ['job_status', 'submitted', null],
      ['job_status', 'done', null],
      ['job_status', 'done', null],
      ['job_status', 'canceled', null],
      ['worker_ended', null, null],
      ['workflow_ended', null, null],
      ['job_status', 'uninitialized', 'tester'],
      ['job_status', 'uninitialized', 'tester'],
      ['jobs_reset', null, 'tester'],
      ['worker_started', null, null],
      ['workflow_modified', null, 'tester'],
      ['workflow_modified', null, 'heir'],
      ['worker_ended', null, null],
      ['job_status', 'done', 'heir'],
      ['job_marked_done', null, 'heir'],
      ['jobs_marked', null, 'heir'],
    ]);
    expect(await rows(service, 'results', key, { cause: 'marked' })).toMatchObject([{ marked_by: 'heir' }]);
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    expect(await page(key, 1000)).toMatchObject([
      { type: 'workflow_deleted', who: 'heir', data: { name: 'test', num_jobs: 3, num_results: 3 } },
    ]);
    await expect(rows(service, 'jobs', key)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('has every run: who began it and how, and what it had come to at its end, which stays so', async () => {
    const { service } = fresh;
    const { key, jobs } = await eventful();
    const runs = async (of = key) => (await rows(service, 'runs', of)).map(({ started_at, ended_at, ...run }) => run);
    const counts = (done: number, failed: number, canceled: number) => {
      return { num_jobs: 3, num_done: done, num_failed: failed, num_canceled: canceled };
    };
    const first = { run_id: 1, how: 'start', who: 'tester', status: 'failed', ...counts(2, 1, 1) };
    // the jobs were reset since
    expect(await runs()).toMatchObject([{ ...first, source_workflow_key: null }]);
    const restart = { ...restartRequest(key), resume: {} };
    service.info.user = 'heir';
    await service.call('workflow_restart', restart);
    const open = { run_id: 2, how: 'resume', who: 'heir', status: 'waiting', ...counts(1, 0, 0) };
    expect(await runs()).toMatchObject([first, { ...open, elapsed_seconds: null }]);
    // a restart before the end of the run closes it with what it had come to
    await service.call('jobs_mark_done', { ...planRequest(key), job_keys: [jobs[1] as string] });
    await service.call('jobs_reset', { ...planRequest(key), which: [jobs[0] as string] });
    await service.call('workflow_restart', restartRequest(key));
    const closed = { ...open, status: 'restarted', ...counts(1, 0, 0) };
    expect(await runs()).toMatchObject([first, closed, { run_id: 3, how: 'restart', who: 'heir', ...counts(1, 0, 0) }]);
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    await worker.exchange();
    for (const attempt of [...worker.held]) await worker.finish(attempt, 3);
    const third = { run_id: 3, status: 'failed', ...counts(3, 2, 0) };
    expect((await runs())[2]).toMatchObject(third);
    // an added job lets the run go on; a mark belongs to the run that has ended
    await service.call('jobs_mark_done', { ...planRequest(key), job_keys: [jobs[0] as string] });
    expect((await runs())[2]).toMatchObject({ ...third, ...counts(3, 1, 0) });

    const copied = { workflow_key: key, dry_run: false, name: null };
    await service.call('workflow_copy', { ...copied, how: 'rerun' });
    await service.call('workflow_copy', { ...copied, how: 'clone' });
    for (const copy of ['2', '3']) await service.call('workflow_start', { workflow_key: copy, dry_run: false });
    expect([await runs('2'), await runs('3')]).toMatchObject([
      [{ run_id: 1, how: 'rerun', source_workflow_key: key }],
      [{ run_id: 1, how: 'clone', source_workflow_key: key }],
    ]);
    await service.call('workflow_delete', { workflow_key: '2', dry_run: false });
    expect(service.db.all('SELECT * FROM runs WHERE workflow_key = 2')).toEqual([]);
  });

  it('costs one row for the moves of many jobs', async () => {
    const { service } = fresh;
    const key = await createWorkflow(
      service,
      Array.from({ length: 200 }, (_, n) => ({ name: `j${n}` })),
    );
    const numRows = () => service.db.get<{ n: number }>('SELECT count(*) AS n FROM events')?.n as number;
    const worker = await TestWorker.join(service, key, { cpus: 200 });
    const before = numRows();
    await worker.exchange();
    expect(worker.held).toHaveLength(200);
    expect(numRows()).toBe(before + 1);
    expect(moves(await page(key, 1000))).toHaveLength(200);
  });

  it('can be resumed after any event, in pages of any size, and no event is missed or read twice', async () => {
    const { key } = await eventful();
    const all = await page(key, 1000);
    for (const limit of [1, 2, 5]) {
      const read: ListRecord[] = [];
      for (let next = await page(key, limit); next.length > 0; ) {
        read.push(...next);
        next = await page(key, limit, { after: String(read.at(-1)?.event_key) });
      }
      expect(read).toEqual(all);
    }
    expect(new Set(all.map(({ event_key }) => event_key)).size).toBe(all.length);
    expect((await page(key, 1000, { reverse: true })).reverse()).toEqual(all);
  });

  it('is sorted by the keys of events in the order of commits', async () => {
    const { key } = await eventful();
    const { service } = fresh;
    for (let n = 0; n < 10; n++)
      await service.call('workflow_modify', { workflow_key: key, changes: { name: `n${n}` } });
    const all = await page(key, 1000);
    expect(all.at(-1)?.event_key).toMatch(/^\d\d/);
    expect(await page(key, 1000, { sort_by: 'event_key' })).toEqual(all);
    expect((await page(key, 1000, { sort_by: 'event_key', reverse: true })).reverse()).toEqual(all);
    const one = all.at(-2);
    const filters = [{ column: 'event_key', value: String(one?.event_key) }];
    expect(await page(key, 1000, { filters })).toEqual([one]);
  });

  it('is found by the keys of events and of whole rows, several at a time', async () => {
    const { key } = await eventful();
    const all = await page(key, 1000);
    const found = (value: string) => page(key, 1000, { filters: [{ column: 'event_key', value }] });
    const keys = all.map((event) => String(event.event_key));
    const move = keys.find((each) => each.includes('.')) as string;
    const plain = keys.find((each) => !each.includes('.')) as string;
    const [row] = move.split('.');
    for (const each of keys) expect((await found(each)).map(({ event_key }) => event_key)).toEqual([each]);
    expect(await found(`${plain}, ${move}`)).toEqual(
      all.filter(({ event_key }) => event_key === plain || event_key === move),
    );
    expect(await found(String(row))).toEqual(all.filter(({ event_key }) => String(event_key).startsWith(`${row}.`)));
    await expect(found('1,x')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('118.4') });
  });

  it('of one job is what a filter of the whole history gives', async () => {
    const { key, jobs } = await eventful();
    const all = await page(key, 1000);
    for (const job of jobs) {
      const own = all.filter((event) => event.job_key === job);
      expect(await page(key, 1000, { filters: [{ column: 'job_key', value: job }] })).toEqual(own);
      expect((await fresh.service.call('job_show', { job_key: job })).events).toEqual(own);
    }
  });

  it('keeps the order of what happens to one job in one commit, and shares rows among others', async () => {
    const { service } = fresh;
    // each end of the first two frees a job that the same worker gets in the same commit
    const edges: [number, number][] = [
      [0, 2],
      [1, 3],
    ];
    const names = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
    const key = await createWorkflow(service, names, edges);
    const jobs = (await rows(service, 'jobs', key)).map((job) => String(job.job_key));
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    await worker.exchange();
    const before = service.db.get<{ n: number }>('SELECT max(event_key) AS n FROM events')?.n as number;
    const ended = [...worker.held];
    worker.held = [];
    await worker.exchange({ finished: ended.map((attempt) => finished(attempt)) });
    expect(worker.held).toHaveLength(2);
    const since = await page(key, 100, { after: String(before) });
    for (const [upstream, downstream] of edges) {
      const of = (job: number, status: string) =>
        since.findIndex((event) => event.job_key === jobs[job] && event.new_status === status);
      const places = [of(upstream, 'done'), of(downstream, 'ready'), of(downstream, 'submitted_pending')];
      expect(places).not.toContain(-1);
      expect(places).toEqual([...places].sort((x, y) => x - y));
    }
    expect(service.db.get('SELECT count(*) AS n FROM events WHERE event_key > ?', before)).toEqual({ n: 4 });
  });

  it('forgets what a failed member of a batch wrote, and keeps what others wrote around it', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const workflowKey = Number(key);
    const write = (letter: 'c' | 's', fails: boolean) =>
      service.write((tx) => {
        tx.moves(workflowKey, [1]).add(1, letter);
        if (fails) tx.event({ workflowKey, type: 'planted' });
        if (fails) throw new Error('planted');
      });
    const outcomes = [write('c', false), write('s', true), write('c', false)];
    await Promise.allSettled(outcomes);
    const stored = service.db.all<{ data: string }>(`SELECT data FROM events WHERE type = 'job_moves'`);
    expect(stored.flatMap(({ data }) => JSON.parse(data))).toEqual(['1c', '1c']);
    expect(await page(key, 100, { filters: [{ column: 'type', value: 'planted' }] })).toEqual([]);
  });

  it('refuses a cursor for other lists', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
    await expect(page(key, 1, { list: 'jobs', after: '1' })).rejects.toMatchObject({ code: 'usage' });
  });
});
