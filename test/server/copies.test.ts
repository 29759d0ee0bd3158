/** Clones and reruns: what a copy has, what it leaves out, and what its source keeps. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copiedTables, tablesNotCopied } from '../../src/storage/authoring/copied-tables.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

async function copy(key: string, how: 'clone' | 'rerun', dry_run = false) {
  return fresh.service.call('workflow_copy', { workflow_key: key, how, dry_run, name: null });
}

/** Runs what is ready; jobs of these names fail. */
async function run(key: string, failing: readonly string[] = []): Promise<string[]> {
  const worker = await TestWorker.join(fresh.service, key, { cpus: 100 });
  const ran: string[] = [];
  for (let { jobs } = await worker.exchange({ draining: false }); jobs.length > 0; ) {
    const next: typeof jobs = [];
    for (const job of jobs) {
      ran.push(job.job_name);
      const reply = await worker.finish(job.attempt, failing.includes(job.job_name) ? 1 : 0);
      next.push(...reply.jobs);
      if (reply.leave) return ran;
    }
    jobs = next;
  }
  return ran;
}

describe('the tables', () => {
  it('a copy decides about every column of every table of a workflow', () => {
    const { db } = fresh.service;
    const tables = db.all<{ name: string }>(`SELECT name FROM sqlite_master WHERE type = 'table'`);
    const columnsOf = (table: string) =>
      db.all<{ name: string }>('SELECT name FROM pragma_table_info(?)', table).map(({ name }) => name);
    const belongs = ({ name }: { name: string }) =>
      columnsOf(name).some((column) =>
        ['workflow_key', 'job_key', 'upstream', 'attempt_key', 'compute_node_key'].includes(column),
      );
    const known = [...copiedTables.map(({ table }) => table), ...tablesNotCopied];
    expect(known.toSorted()).toEqual(
      tables
        .filter(belongs)
        .map(({ name }) => name)
        .toSorted(),
    );
    for (const { table, same, made, unset } of copiedTables) {
      expect([...same, ...Object.keys(made), ...unset].toSorted(), table).toEqual(columnsOf(table).toSorted());
    }
  });
});

const shape = {
  numBarriers: 1,
  failureHandlers: [[rule({ exit_codes: [7] })]],
  slurmConfigs: ['small'],
  userData: [{ name: 'u', data: null, is_ephemeral: false }],
};

/** d is behind a barrier of a, b and c; b waits for workers of a config, and e for b. */
function manifold(): Promise<string> {
  return createWorkflow(
    fresh.service,
    [
      { name: 'a', failureHandler: 0 },
      { name: 'b', slurmConfig: 0 },
      { name: 'c', priority: 3 },
      { name: 'd' },
      { name: 'e', cancelOnFailure: false, supportsTermination: true },
    ],
    [
      [0, -1],
      [1, -1],
      [2, -1],
      [-1, 3],
      [1, 4],
    ],
    {
      ...shape,
      actions: [
        { trigger: 'on_jobs_complete', jobs: [1, 3] },
        { trigger: 'on_jobs_ready', jobs: [3] },
      ],
    },
  );
}

describe('a clone', () => {
  it('has everything of its source and nothing of its runs, in any state of the source', async () => {
    const { service } = fresh;
    const key = await manifold();
    const worker = await TestWorker.join(service, key);
    const { jobs } = await worker.exchange();
    expect(jobs.length).toBeGreaterThan(0);
    const before = [await rows(service, 'jobs', key), await rows(service, 'events', key)];
    const planned = await copy(key, 'clone', true);
    const made = await copy(key, 'clone');
    expect(made).toEqual({ ...planned, dry_run: false, workflow_key: '2' });
    expect(made).toMatchObject({ num_jobs: 5, num_inherited: 0, num_user_data: 1, parent_workflow_key: null });
    expect([await rows(service, 'jobs', key), await rows(service, 'events', key)]).toEqual(before);
    expect(new Set(Object.values(await statuses(service, '2')))).toEqual(new Set(['uninitialized']));
    expect(await rows(service, 'results', '2')).toEqual([]);
    for (const part of ['head', 'jobs', 'barriers', 'action_jobs'] as const) {
      const page = { part, limit: 100, skip: 0 };
      const [source, target] = await Promise.all(
        [key, '2'].map((workflow_key) => service.call('workflow_export', { workflow_key, ...page })),
      );
      expect(withoutKeys(target)).toEqual(withoutKeys(source));
    }
    await service.call('workflow_start', { workflow_key: '2', dry_run: false });
    expect(await statuses(service, '2')).toEqual({ a: 'ready', b: 'ready', c: 'ready', d: 'blocked', e: 'blocked' });
  });

  it('does not have what jobs wrote into user data', async () => {
    const { service } = fresh;
    const key = await createWorkflow(
      service,
      [
        { name: 'w', writes: [0] },
        { name: 'r', reads: [1] },
      ],
      [],
      {
        userData: [
          { name: 'written', data: null, is_ephemeral: false },
          { name: 'given', data: { x: 1 }, is_ephemeral: false },
        ],
      },
    );
    await service.call('user_data_modify', { user_data_key: '1', changes: { data: { y: 2 } } });
    await service.call('user_data_modify', { user_data_key: '2', changes: { data: { x: 2 } } });
    await copy(key, 'clone');
    expect((await rows(service, 'user_data', '2')).map(({ name, data }) => [name, data])).toEqual([
      ['written', null],
      ['given', { x: 2 }],
    ]);
  });
});

/** Keys differ between a workflow and its copy. */
function withoutKeys(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, inner) => {
      if (name.endsWith('_key')) return undefined;
      return name === 'barriers' && typeof inner[0] === 'string' ? inner.length : inner;
    }),
  );
}

describe('a rerun', () => {
  const ten = [...'abcdefghij'].map((name) => ({ name }));
  // h fails, and i and j are downstream of it
  const behind: [number, number][] = [
    [0, 1],
    [7, 8],
    [8, 9],
  ];

  it('executes what failed and what never ran; the old counts stay, and it is repeatable', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, ten, behind, { actions: [{ trigger: 'on_workflow_complete' }] });
    await run(key, ['h']);
    const before = await service.call('workflow_show', { workflow_key: key });
    expect(before).toMatchObject({ status: 'failed', num_done: 8, num_failed: 1, num_canceled: 2 });
    const first = await copy(key, 'rerun');
    expect(first).toMatchObject({ workflow_key: '2', parent_workflow_key: '1', num_inherited: 7, num_changes: 3 });
    expect(first.changes.map((change) => [change.job_name, change.new_status, change.reason])).toEqual([
      ['h', 'uninitialized', 'return code 1'],
      ['i', 'uninitialized', 'was canceled'],
      ['j', 'uninitialized', 'was canceled'],
    ]);
    await service.call('workflow_start', { workflow_key: '2', dry_run: false });
    expect(await run('2', ['i'])).toEqual(['h', 'i']);
    const second = await copy('2', 'rerun');
    expect(second).toMatchObject({ workflow_key: '3', parent_workflow_key: '2', num_inherited: 8, num_changes: 2 });
    await service.call('workflow_start', { workflow_key: '3', dry_run: false });
    expect(await run('3')).toEqual(['i', 'j']);
    expect(await service.call('workflow_show', { workflow_key: '3' })).toMatchObject({
      ...{ status: 'done', num_done: 10, parent_workflow_key: '2', run_id: 1 },
    });
    expect(await service.call('workflow_show', { workflow_key: key })).toEqual(before);
    const inherited = await rows(service, 'results', '3', { cause: 'inherited' });
    expect(inherited).toHaveLength(8);
    // the attempt that ran, not the one that was inherited in between
    expect(inherited.find(({ job_name }) => job_name === 'a')).toMatchObject({
      ...{ status: 'done', return_code: 0, hostname: null, run_id: 0 },
      inherited_from: { workflow_key: '1', job_key: '1', run_id: 1, attempt_id: 1 },
    });
    expect(inherited.find(({ job_name }) => job_name === 'h')).toMatchObject({
      inherited_from: { workflow_key: '2', run_id: 1 },
    });
    await expect(copy('3', 'rerun')).rejects.toMatchObject({ code: 'already_complete' });
  });

  it('does not inherit what is downstream of a job that runs, and what was made by another command', async () => {
    const { service } = fresh;
    const jobs = [{ name: 'a' }, { name: 'b', cancelOnFailure: false }, { name: 'c' }, { name: 'd' }];
    const key = await createWorkflow(service, jobs, [[0, 1]]);
    await run(key, ['a']);
    await service.call('job_modify', { job_key: '4', dry_run: false, changes: { command: 'echo other' } });
    const { changes } = await copy(key, 'rerun');
    expect(changes.map(({ job_name, reason }) => [job_name, reason])).toEqual([
      ['a', 'return code 1'],
      ['b', 'downstream of a (job 1)'],
      ['d', 'its command or directory was changed'],
    ]);
  });

  it('is refused while the source runs or before it has, with what to do', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await expect(copy(key, 'rerun')).rejects.toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('cancel 1'),
    });
    const other = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
    await expect(copy(other, 'rerun')).rejects.toMatchObject({
      code: 'conflict',
      hint: expect.stringContaining('clone 2'),
    });
    await expect(copy('99', 'rerun')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('a restart of it keeps what it inherited, and reset brings that back too', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, ten, behind);
    await run(key, ['h']);
    await copy(key, 'rerun');
    const restart = { ignore_missing_data: true, only_uninitialized: false, keep_running: false, force: false };
    const plan = { workflow_key: '2', dry_run: false, expected_state: null, skip: 0 };
    const place = { assume_stopped: false, working_directory: '/' };
    expect(await service.call('workflow_restart', { ...plan, ...restart, ...place })).toMatchObject({ num_changes: 3 });
    expect(await run('2')).toEqual(['h', 'i', 'j']);
    const [a] = await rows(service, 'jobs', '2', { name: 'a' });
    await service.call('jobs_reset', { ...plan, which: [String(a?.job_key)] });
    await service.call('workflow_restart', { ...plan, ...restart, ...place });
    expect(await run('2')).toEqual(['a', 'b']);
  });
});
