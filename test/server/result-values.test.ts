// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Result values of jobs: kept, given to the jobs that wait for them, and a reason to run these again. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Assignment } from '../../src/api/contract.ts';
import type { Json } from '../../src/base/exact-json.ts';
import { createWorkflow as createExpanded } from '../../src/cli/documents/send-workflow.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import { findChanges } from '../../src/storage/running/input-versions.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

type Given = Record<string, Assignment>;

/** Ends an attempt with return code 0 and what it left, if anything. */
async function end(worker: TestWorker, job: Assignment, result?: Json, returnCode = 0) {
  worker.held = worker.held.filter((held) => held !== job.attempt);
  const report = finished(job.attempt, returnCode);
  return await worker.exchange({ finished: [result === undefined ? report : { ...report, result }] });
}

/** Runs everything there is to run; `work` says what each job leaves. Returns what each was given, by name. */
async function run(key: string, work: (job: Assignment) => Json | undefined): Promise<Given> {
  const worker = await TestWorker.join(fresh.service, key);
  const given: Given = {};
  const waiting = [...(await worker.exchange()).jobs];
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
    given[job.job_name] = job;
    waiting.push(...(await end(worker, job, work(job))).jobs);
  }
  return given;
}

const inputsOf = (job: Assignment | undefined): unknown => JSON.parse(job?.inputs ?? 'null');

async function createFrom(spec: object): Promise<string> {
  const { workflow } = loadWorkflow(JSON.stringify({ name: 'w', ...spec }), { file: 'w.json' });
  const { workflow_key } = await createExpanded(fresh.service, workflow);
  await fresh.service.call('workflow_start', { workflow_key, dry_run: false });
  return workflow_key;
}

describe('result values', () => {
  it('reach the jobs that wait, by order and by name; a job without one adds nothing, a list counts as so many', async () => {
    const key = await createFrom({
      jobs: [
        ...['a', 'none', 'null', 'list'].map((name) => ({ name, command: 'true' })),
        { name: 'sum', command: 'true', depends_on: ['list', 'null', 'none', 'a'] },
        { name: 'other order', command: 'true', depends_on: ['a', 'list'] },
      ],
    });
    const left: Record<string, Json> = { a: { x: 1.0 }, null: null, list: [10, '20'] };
    const given = await run(key, ({ job_name }) => left[job_name]);
    expect(given.a).not.toHaveProperty('inputs');
    const by_name = { a: { x: 1 }, list: [10, '20'] };
    expect(inputsOf(given.sum)).toEqual({ args: [10, '20', { x: 1 }], by_name });
    expect(inputsOf(given['other order'])).toEqual({ args: [{ x: 1 }, 10, '20'], by_name });
    const results = await rows(fresh.service, 'results', key);
    expect(Object.fromEntries(results.map(({ job_name, result }) => [job_name, result]))).toEqual({
      ...{ a: { x: 1 }, list: [10, '20'], null: null },
      ...{ none: null, sum: null, 'other order': null },
    });
  });

  it('of a hundred jobs reach a hundred others in the order in which these name them', async () => {
    const key = await createFrom({
      jobs: [
        { name: 'm{i}', command: 'true', parameters: { i: '1:100' } },
        { name: 'r{j}', command: 'true', parameters: { j: '1:100' }, depends_on_regexes: ['^m'] },
        { name: 'last', command: 'true', depends_on: ['m7', 'm100', 'm3'] },
      ],
    });
    const given = await run(key, ({ job_name: name }) => (name.startsWith('m') ? Number(name.slice(1)) : undefined));
    const args = Array.from({ length: 100 }, (_, i) => i + 1);
    for (const name of ['r1', 'r100']) expect(inputsOf(given[name])).toMatchObject({ args });
    expect(inputsOf(given.last)).toEqual({ args: [7, 100, 3], by_name: { m7: 7, m100: 100, m3: 3 } });
  });

  it('stand in commands as variables of the environment: the shell takes what is in them as text', async () => {
    const key = await createFrom({
      jobs: [
        { name: 'a', command: 'true' },
        { name: 'b.c', command: 'true' },
        {
          name: 'show',
          command: "printf '%s\\n' ${result.a} \"${result.b.c.deep.1}\" '${inputs.1.deep}'",
          depends_on: ['a', 'b.c'],
        },
      ],
    });
    const hostile = `$(touch /x) "'\`id\` ; two words`;
    const given = await run(key, ({ job_name }) =>
      job_name === 'a' ? hostile : { deep: [1, { x: ['é', 12345678901234567890n.toString()] }] },
    );
    const { command = '', variables } = given.show ?? {};
    const shown = execFileSync('bash', ['-c', command.replace('${TORC_VALUE_1}', '"${TORC_VALUE_1}"')], {
      encoding: 'utf8',
      env: { ...process.env, ...variables },
    });
    const deep = { x: ['é', '12345678901234567890'] };
    expect(shown.split('\n')).toEqual([hostile, JSON.stringify(deep), JSON.stringify([1, deep]), '']);
  });

  it('that are missing keep a job from being started, with the reason', async () => {
    const key = await createFrom({
      jobs: [
        { name: 'a', command: 'true' },
        { name: 'b', command: 'echo ${result.a.x}', depends_on: ['a'] },
        { name: 'c', command: 'echo ${inputs.1}', depends_on: ['a'] },
        { name: 'd', command: 'true', invocation_script: 'run ${result.a}', depends_on: ['a'] },
      ],
    });
    const given = await run(key, ({ job_name }) => (job_name === 'a' ? { y: 1 } : undefined));
    expect(given.b).toMatchObject({ refusal: '${result.a.x} has no value: the result value of "a" has no "x"' });
    const counts = 'the result values of its upstream jobs are 1 input';
    expect(given.c).toMatchObject({ refusal: `\${inputs.1} has no value: ${counts}` });
    expect(given.d).toMatchObject({ invocation_script: 'run ${TORC_VALUE_1}', variables: { TORC_VALUE_1: '{"y":1}' } });
  });

  it('may be as large as 64 KiB; a report with a larger one is that of a failure', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'good' }, { name: 'bad' }]);
    const most = 'x'.repeat(64 * 1024 - 2);
    await run(key, ({ job_name }) => (job_name === 'good' ? most : `${most}x`));
    expect(await rows(fresh.service, 'results', key)).toMatchObject([
      { job_name: 'good', return_code: 0, result: most },
      {
        job_name: 'bad',
        return_code: 1,
        cause: 'missing_output',
        result: null,
        detail: expect.stringContaining('64 KiB'),
      },
    ]);
  });

  it('that are too many for one file are told in an event, and are still there by name', async () => {
    const key = await createFrom({
      jobs: [
        { name: 'm{i}', command: 'true', parameters: { i: '1:17' } },
        { name: 'r', command: 'echo ${result.m17}', depends_on_regexes: ['^m'] },
      ],
    });
    const given = await run(key, () => 'x'.repeat(64_000));
    expect(given.r?.inputs).toBeNull();
    expect(given.r?.variables?.TORC_VALUE_1).toHaveLength(64_000);
    const [event] = await rows(fresh.service, 'events', key, { type: 'inputs_too_large' });
    expect(event).toMatchObject({ data: { num_values: 17, bytes: 17 * 64_002, limit: 1_048_576 } });
  });

  it('reach a worker in several replies when they are too many for one', async () => {
    const readers = Array.from({ length: 12 }, (_, i) => ({ name: `r${i}` }));
    const values = Array.from({ length: 15 }, (_, i) => ({ name: `m${i}` }));
    const edges = values.flatMap((_, up) => readers.map((_, down): [number, number] => [up, values.length + down]));
    const key = await createWorkflow(fresh.service, [...values, ...readers], edges);
    const first = await TestWorker.join(fresh.service, key, { cpus: 100 });
    const { jobs } = await first.exchange();
    const results = jobs.map(({ attempt }) => ({ ...finished(attempt), result: 'x'.repeat(64_000) }));
    first.held = [];
    const given = [(await first.exchange({ finished: results })).jobs];
    while (given.flat().length < readers.length) given.push((await first.exchange()).jobs);
    expect(given.map(({ length }) => length)).toEqual([4, 4, 4]);
    expect(given.flat().map(({ job_name }) => job_name)).toEqual(readers.map(({ name }) => name));
    expect(given.flat().every(({ inputs }) => (inputs ?? '').length > 15 * 64_000)).toBe(true);
  });

  it('count only when the job succeeds; a retry replaces what an earlier attempt left', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b', cancelOnFailure: false }], [[0, 1]]);
    const worker = await TestWorker.join(fresh.service, key);
    const [a] = (await worker.exchange()).jobs;
    const [b] = (await end(worker, a as Assignment, 5, 1)).jobs;
    expect(b).not.toHaveProperty('inputs');
    expect(await rows(fresh.service, 'results', key)).toMatchObject([{ return_code: 1, result: null }]);
  });
});

describe('the result value of a job that runs again', () => {
  const restart = { skip: 0, expected_state: null, only_uninitialized: false, keep_running: false, force: false };

  it('replaces the old one, and the jobs that wait for it run again with it', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], [[0, 1]]);
    await run(key, ({ job_name }) => (job_name === 'a' ? 1 : undefined));
    const [a] = await rows(fresh.service, 'jobs', key, { name: 'a' });
    const changes = { command: 'echo other' };
    await fresh.service.call('job_modify', { job_key: String(a?.job_key), dry_run: false, changes });
    await fresh.service.call('workflow_restart', {
      ...{ workflow_key: key, dry_run: false, ignore_missing_data: false, assume_stopped: false },
      ...{ ...restart, working_directory: '/' },
    });
    const given = await run(key, ({ job_name }) => (job_name === 'a' ? 2 : undefined));
    expect(Object.keys(given).toSorted()).toEqual(['a', 'b']);
    expect(inputsOf(given.b)).toEqual({ args: [2], by_name: { a: 2 } });
  });

  it('is a change to a job that was given another one, and none to a job that was given the same', async () => {
    const key = await createWorkflow(
      fresh.service,
      ['a', 'b', 'c', 'd'].map((name) => ({ name })),
      [
        [0, 2],
        [1, 2],
        [1, 3],
      ],
    );
    await run(key, ({ job_name }) => ({ a: 1, b: 'same' })[job_name]);
    const { db } = fresh.service;
    const changed = (): string[] => {
      const found = inTransaction(db, Date.now(), (tx) => findChanges(tx, Number(key), new Map()));
      return [...found].map(([jobKey, why]) => `${jobKey} ${why}`);
    };
    expect(changed()).toEqual([]);
    rerun('b', '"same"');
    expect(changed()).toEqual([]);
    rerun('a', '2');
    expect(changed()).toEqual(['3 the result values of its upstream jobs changed']);
  });

  /** A newer attempt of a job that has ended, without those that wait for it. */
  function rerun(name: string, result: string): void {
    const { db } = fresh.service;
    const columns = db
      .all<{ name: string }>(`SELECT name FROM pragma_table_info('attempts')`)
      .map((column) => column.name)
      .filter((column) => column !== 'attempt_key');
    const job = `(SELECT attempt_key FROM jobs WHERE name = '${name}')`;
    db.run(`UPDATE attempts SET is_live = 0 WHERE attempt_key = ${job}`);
    db.run(`INSERT INTO attempts (${columns}) SELECT ${columns} FROM attempts WHERE attempt_key = ${job}`);
    db.run(
      `UPDATE attempts SET result = ?, attempt_id = 2, claim_event = NULL, start_event = NULL, end_event = NULL WHERE attempt_key = (SELECT max(attempt_key) FROM attempts)`,
      result,
    );
    db.run(
      `UPDATE worker_times SET num_attempts = num_attempts + 1, had_ms = had_ms +
        (SELECT num_cpus * num_nodes * (ended_at - started_at) FROM attempts ORDER BY attempt_key DESC LIMIT 1)`,
    );
    db.run(`UPDATE jobs SET attempt_key = (SELECT max(attempt_key) FROM attempts) WHERE name = ?`, name);
  }
});
