/** Clone, rerun, mark-done, partial resets, delete-all and lists by state, as a person types them. */
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

type Row = Record<string, unknown>;
interface Copied {
  workflow_key: string | null;
  num_jobs: number;
  num_inherited: number;
  num_changes: number;
}

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

async function create(spec: object, ...run: string[]): Promise<string> {
  const file = place.file('workflow.json', JSON.stringify(spec));
  const { workflow_key } = await place.json<{ workflow_key: string }>(['workflows', 'create', file]);
  if (run.length > 0) await place.json(['workflows', 'start', workflow_key]);
  if (run.length > 0) await place.torc('jobs', 'run', workflow_key, ...run.slice(1));
  return workflow_key;
}

const jobs = async (key: string, ...options: string[]) =>
  (await place.json<{ jobs: Row[] }>(['jobs', 'list', '-k', key, ...options])).jobs;
const show = (key: string) => place.json<Row>(['workflows', 'show', key]);
const names = (rows: readonly Row[]) => rows.map(({ name }) => name);
const jobKey = async (key: string, name: string) => String((await jobs(key, '-f', `name=${name}`))[0]?.job_key);

/** Ten jobs, one of which fails; two are downstream of it. The failing one succeeds once `fixed` is there. */
const ten = {
  name: 'ten',
  jobs: [...'abcdefghij'].map((name) => ({
    name,
    command: name === 'h' ? 'echo h >> ran; test -e fixed' : `echo ${name} >> ran`,
    ...(name === 'i' || name === 'j' ? { depends_on: ['h'] } : {}),
  })),
};

describe('torc rerun', () => {
  let key: string;
  let before: Row;
  beforeAll(async () => {
    key = await create(ten, 'run');
    before = await show(key);
  });

  it('executes 3 of 10 jobs when 1 failed and 2 were blocked; the old one keeps 7 of 10; rerun twice is ok', async () => {
    expect(before).toMatchObject({ status: 'failed', num_done: 8, num_failed: 1, num_canceled: 2 });
    const text = await place.torc('rerun', key, '--dry-run');
    expect(text.stdout).toContain('a rerun of workflow 1: 3 jobs to run, 7 results inherited; nothing was changed');
    const planned = await place.json<Copied>(['workflows', 'rerun', key, '--dry-run', '--name', 'again']);
    expect((await place.json<{ workflows: Row[] }>(['workflows', 'list'])).workflows).toHaveLength(1);
    const made = await place.json<Copied>(['workflows', 'rerun', key, '--name', 'again']);
    expect(planned).toEqual({ ...made, dry_run: true, workflow_key: null });
    const first = String(made.workflow_key);
    expect(await show(first)).toMatchObject({ name: 'again', parent_workflow_key: key, num_done: 7, run_id: 0 });
    await place.json(['workflows', 'start', first]);
    await place.torc('jobs', 'run', first);
    const again = await place.json<Copied & { start: Row }>(['rerun', first, '--start']);
    expect(again).toMatchObject({
      num_inherited: 7,
      num_changes: 3,
      start: { run_id: 1, num_ready: 1, num_blocked: 2 },
    });
    place.file('fixed', '');
    expect((await place.torc('jobs', 'run', String(again.workflow_key))).code).toBe(0);
    expect(await show(String(again.workflow_key))).toMatchObject({ status: 'done', num_done: 10 });
    const results = (await place.json<{ results: Row[] }>(['results', 'list', '-k', String(again.workflow_key)]))
      .results;
    expect(results.filter(({ cause }) => cause === 'inherited')).toHaveLength(7);
    expect(results.filter(({ cause }) => cause === 'success').map(({ job_name }) => job_name)).toEqual(['h', 'i', 'j']);
    expect(results[0]).toMatchObject({ inherited_from: { workflow_key: key, job_key: '1', run_id: 1, attempt_id: 1 } });
    const logs = await place.torc('jobs', 'logs', await jobKey(String(again.workflow_key), 'a'));
    expect(logs.stderr).toContain(`inherited from job 1 of workflow ${key}: torc jobs logs 1`);
    expect(await show(key)).toEqual(before);
    expect((await place.torc('rerun', String(again.workflow_key))).code).toBe(7);
  });

  it('survives export and import, and the deletion of its source', async () => {
    const { workflow_key: copy } = await place.json<Copied>(['rerun', '2', '--start']);
    await place.torc('jobs', 'run', String(copy));
    await place.torc('workflows', 'export', String(copy), '--results', '-o', 'copy.json');
    await place.json(['workflows', 'delete', '2', '--force']);
    expect(await jobs(String(copy), '-f', 'cause=inherited')).toHaveLength(7);
    const { workflow_key: imported } = await place.json<Copied>(['workflows', 'import', 'copy.json']);
    expect(await jobs(String(imported), '-f', 'cause=inherited')).toHaveLength(7);
    expect((await place.json<{ sound: boolean }>(['server', 'check'])).sound).toBe(true);
  });

  it('refuses what has not ended with exit code 4, and says what to do', async () => {
    const other = await create({ name: 'idle', jobs: [{ name: 'a', command: 'true' }] });
    const unstarted = await place.torc('rerun', other);
    expect([unstarted.code, unstarted.stderr]).toEqual([
      4,
      expect.stringContaining(`torc workflows start ${other}`.slice(5)),
    ]);
    await place.json(['workflows', 'start', other]);
    const running = await place.torc('rerun', other);
    expect([running.code, running.stderr]).toEqual([4, expect.stringContaining(`workflows cancel ${other}`)]);
  });
});

describe('torc clone', () => {
  it('of a running workflow: all jobs are fresh, and the source is untouched', async () => {
    const spec = {
      name: 'clone me',
      jobs: [
        { name: 'a', command: 'true', output_files: ['f'] },
        { name: 'b', command: 'until test -e go; do sleep 0.05; done', depends_on: ['a'] },
      ],
      files: [{ name: 'f', path: 'f.txt' }],
    };
    const key = await create({ ...spec, jobs: [{ ...spec.jobs[0], command: 'touch f.txt' }, spec.jobs[1]] });
    await place.json(['workflows', 'start', key]);
    const running = place.start('jobs', 'run', key);
    // claimed is not started yet, and the list below must not change by itself
    const hasStarted = async () => (await jobs(key, '-f', 'name=b', '-f', 'status=submitted')).length > 0;
    while (!(await hasStarted())) await new Promise((resolve) => setTimeout(resolve, 50));
    const before = await jobs(key);
    const made = await place.json<Copied>(['clone', key]);
    expect(made).toMatchObject({ num_jobs: 2, num_inherited: 0, name: 'clone me', parent_workflow_key: null });
    expect((await jobs(String(made.workflow_key))).map(({ name, status }) => [name, status])).toEqual([
      ['a', 'uninitialized'],
      ['b', 'uninitialized'],
    ]);
    expect(await jobs(key)).toEqual(before);
    place.file('go', '');
    expect((await running.ended).code).toBe(0);
    expect(await jobs(String(made.workflow_key), '--uninitialized')).toHaveLength(2);
    const text = await place.torc('workflows', 'clone', key, '--start');
    expect(text.stdout).toMatch(
      /created workflow \d+ \(clone me\), a clone of workflow \d+: 2 jobs to run\nstarted run 1/,
    );
  });
});

describe('torc jobs mark-done', () => {
  const chain = {
    name: 'chain',
    jobs: [
      { name: 'b', command: 'false', output_files: ['never'] },
      { name: 'c', command: 'echo c >> marked', depends_on: ['b'] },
      { name: 'd', command: 'echo d >> marked', depends_on: ['c'] },
    ],
    files: [{ name: 'never', path: 'never.txt' }],
  };

  it('of a failed job lets what it canceled run, without a process', async () => {
    const key = await create(chain, 'run');
    expect((await jobs(key)).map(({ status }) => status)).toEqual(['done', 'canceled', 'canceled']);
    const b = await jobKey(key, 'b');
    const planned = await place.json<{ changes: Row[] }>(['jobs', 'mark-done', b, '--dry-run']);
    expect(planned.changes.map(({ job_name, new_status }) => [job_name, new_status])).toEqual([
      ['b', 'done'],
      ['c', 'ready'],
      ['d', 'blocked'],
    ]);
    expect((await jobs(key, '--canceled')).length).toBe(2);
    expect(await place.json(['jobs', 'mark-done', b])).toMatchObject({ changes: planned.changes, dry_run: false });
    expect((await jobs(key, '-f', 'name=b'))[0]).toMatchObject({ outcome: 'success', return_code: 0, cause: 'marked' });
    expect((await place.torc('jobs', 'run', key)).code).toBe(0);
    expect(await show(key)).toMatchObject({ status: 'done', num_failed: 0, num_done: 3 });
    // what it never wrote is not missing
    expect((await place.torc('workflows', 'restart', key)).code).toBe(7);
    const events = (await place.json<{ events: Row[] }>(['events', 'list', '-k', key, '-f', 'type=job_marked_done']))
      .events;
    expect(events).toMatchObject([{ job_key: b, who: userInfo().username }]);
    const { results } = await place.json<{ results: Row[] }>(['results', 'list', '-k', key, '-f', 'cause=marked']);
    expect(results).toMatchObject([{ job_key: b, marked_by: userInfo().username }]);
    expect((await place.torc('jobs', 'logs', b)).stderr).toContain('no process ran');
    expect((await place.torc('why', b)).stdout).toContain('marked it as done');
    expect((await place.torc('jobs', 'mark-done', b)).stdout).toContain('already done');
    expect((await place.torc('jobs', 'mark-done', '99999')).code).toBe(3);
    // reset cascades down and gives all attempts back
    await place.json(['jobs', 'reset-status', b]);
    expect(await jobs(key, '--uninitialized')).toHaveLength(3);
  });

  it('S41: a reset of a job that is done runs it again with what is downstream of it, with all its attempts', async () => {
    const jobs = [
      // fails in every other attempt
      { name: 'a', command: 'echo x >> tries; [ $(( $(wc -l < tries) % 2 )) = 0 ]', max_retries: 1 },
      { name: 'b', command: 'true', depends_on: ['a'] },
      { name: 'beside', command: 'true' },
    ];
    const key = await create({ name: 'cone', jobs }, 'run');
    expect(await show(key)).toMatchObject({ status: 'done', run_id: 1 });
    await place.json(['jobs', 'reset-status', await jobKey(key, 'a')]);
    await place.json(['workflows', 'restart', key]);
    expect((await place.torc('jobs', 'run', key)).code).toBe(0);
    expect(await show(key)).toMatchObject({ status: 'done', run_id: 2 });
    const { results } = await place.json<{ results: Row[] }>(['results', 'list', '-k', key]);
    const attempts = results.map(({ job_name, run_id, attempt_id }) => `${job_name} ${run_id} ${attempt_id}`);
    expect(attempts.sort()).toEqual(['a 1 1', 'a 1 2', 'a 2 1', 'a 2 2', 'b 1 1', 'b 2 1', 'beside 1 1']);
  });

  it('is refused for a running job', async () => {
    const key = await create({
      name: 'long',
      jobs: [{ name: 'l', command: 'until test -e over; do sleep 0.05; done' }],
    });
    await place.json(['workflows', 'start', key]);
    const running = place.start('jobs', 'run', key);
    while ((await jobs(key, '--running')).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const refused = await place.torc('jobs', 'mark-done', await jobKey(key, 'l'));
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('cannot be marked as done')]);
    const all = await place.torc('workflows', 'delete-all', '--force');
    expect([all.code, all.stderr]).toEqual([4, expect.stringContaining(`${key} (long)`)]);
    place.file('over', '');
    await running.ended;
  });
});

describe('a partial reset', () => {
  it('keeps the results of what succeeded and sets all else to its initial state', async () => {
    const key = await create(ten);
    await place.json(['workflows', 'start', key]);
    await place.json(['jobs', 'disable', await jobKey(key, 'j')]);
    const h = await jobKey(key, 'h');
    await place.json(['jobs', 'modify', h, '--command', 'false']);
    await place.torc('jobs', 'run', key);
    await place.json(['workflows', 'reset', '--partial', key]);
    expect(names(await jobs(key, '--done'))).toEqual([...'abcdefg']);
    expect(names(await jobs(key, '--uninitialized'))).toEqual(['h', 'i']);
    expect(names(await jobs(key, '--disabled'))).toEqual(['j']);
    expect((await place.torc('workflows', 'reset-status', '--partial', '-f', key)).code).toBe(2);
  });
});

describe('lists by state', () => {
  it('each list shows exactly its workflows, and delete-all removes them after a confirmation', async () => {
    const { workflows } = await place.json<{ workflows: Row[] }>(['workflows', 'list']);
    for (const state of ['uninitialized', 'ready', 'running', 'waiting', 'done', 'failed', 'canceled', 'timeout']) {
      const listed = (await place.json<{ workflows: Row[] }>(['workflows', 'list', `--${state}`])).workflows;
      expect(listed, state).toEqual(workflows.filter(({ status }) => status === state));
    }
    expect(new Set(workflows.map(({ status }) => status)).size).toBeGreaterThan(3);
    expect((await place.torc('workflows', 'list', '--done', '--failed')).code).toBe(2);
    expect((await place.torc('workflows', 'delete-all')).code).toBe(2);
    expect(await place.json(['workflows', 'delete-all', '--dry-run'])).toMatchObject({
      num_workflows: workflows.length,
    });
    expect(await place.json(['-n', 'workflows', 'delete-all'])).toMatchObject({ num_workflows: workflows.length });
    expect((await place.json<{ workflows: Row[] }>(['workflows', 'list', '-i'])).workflows).toEqual([]);
  });
});
