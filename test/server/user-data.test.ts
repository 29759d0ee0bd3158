// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Assignment, Request } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, finished, freshService, rows, statuses, TestWorker } from '../support/service.ts';

type UserData = NonNullable<Request<'exchange'>['finished'][number]['user_data']>;

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

const empty = (name: string) => ({ name, data: null, is_ephemeral: false });

/** Ends a job with return code 0 and the user data it wrote; returns the reply. */
async function end(worker: TestWorker, job: Assignment | undefined, userData?: UserData) {
  const report = finished(job?.attempt ?? 0);
  worker.held = worker.held.filter((held) => held !== job?.attempt);
  return await worker.exchange({ finished: [userData === undefined ? report : { ...report, user_data: userData }] });
}

async function datum(key: string, name: string): Promise<Record<string, unknown>> {
  return (await rows(service, 'user_data', key, { name }))[0] ?? {};
}

async function modify(key: string, name: string, changes: Request<'user_data_modify'>['changes']) {
  const { user_data_key } = await datum(key, name);
  return await service.call('user_data_modify', { user_data_key: String(user_data_key), changes });
}

describe('user data between jobs', () => {
  const odd = {
    quotes: `it's "x" $HOME \`id\` \\'`,
    lines: 'a\nb\u2028c\0',
    variable: '${user_data.output.x}',
    名前: ['🚀', null, 1.5, { deep: [[]] }],
  };

  it('reaches the next command through the shell exactly as the first job wrote it', async () => {
    const key = await createWorkflow(
      service,
      [
        { name: 'a', command: 'make > ${user_data.output.made}', writes: [0] },
        { name: 'b', command: "printf %s '${user_data.input.made}'", reads: [0] },
      ],
      [[0, 1]],
      { userData: [empty('made')] },
    );
    const worker = await TestWorker.join(service, key);
    const [a] = (await worker.exchange()).jobs;
    expect(a).toMatchObject({ command: 'make > ${user_data.output.made}', output_user_data: ['made'] });
    const [b] = (await end(worker, a, [{ name: 'made', data: odd }])).jobs;
    expect(b).not.toHaveProperty('output_user_data');
    expect(JSON.parse(execFileSync('sh', ['-c', b?.command ?? ''], { encoding: 'utf8' }))).toEqual(odd);
    expect(await datum(key, 'made')).toMatchObject({ data: odd, version: 1 });
  });

  it('is null until it is written, also in the invocation script', async () => {
    const key = await createWorkflow(service, [{ name: 'a', command: "echo '${user_data.input.x}'", reads: [0] }], [], {
      userData: [empty('x')],
    });
    service.db.run("UPDATE jobs SET invocation_script = 'run ${user_data.input.x} $HOME'");
    const worker = await TestWorker.join(service, key);
    expect((await worker.exchange()).jobs).toMatchObject([
      { command: "echo 'null'", invocation_script: 'run null $HOME' },
    ]);
  });

  it('has a version that a job remembers, and that goes up only when the document changes', async () => {
    const key = await createWorkflow(service, [{ name: 'a', reads: [0], writes: [1] }], [], {
      userData: [{ name: 'in', data: { a: 1, b: 2 }, is_ephemeral: false }, empty('out')],
    });
    expect(await modify(key, 'in', { data: { b: 2, a: 1 } })).toMatchObject({ is_changed: false, version: 0 });
    expect(await modify(key, 'in', { data: [1] })).toMatchObject({ is_changed: true, version: 1 });
    const worker = await TestWorker.join(service, key);
    const [a] = (await worker.exchange()).jobs;
    await modify(key, 'in', { data: null });
    await modify(key, 'in', { is_ephemeral: true });
    expect(await datum(key, 'in')).toMatchObject({ data: null, version: 2, is_ephemeral: true });
    await end(worker, a, [{ name: 'out', data: 0 }]);
    const remembered = service.db.all('SELECT is_output, version FROM job_user_data ORDER BY is_output');
    expect(remembered).toEqual([
      { is_output: 0, version: 1 },
      { is_output: 1, version: null },
    ]);
    expect(await datum(key, 'out')).toMatchObject({ data: 0, version: 1 });
  });

  it('fails a job that ends with 0 without writing it, and cancels the downstream jobs', async () => {
    const key = await createWorkflow(
      service,
      [{ name: 'a', writes: [0, 1] }, { name: 'b', reads: [0] }, { name: 'c' }],
      [[0, 1]],
      { userData: [empty('there'), empty('not "there"'), empty('of another')] },
    );
    const worker = await TestWorker.join(service, key);
    const [a] = (await worker.exchange()).jobs;
    const written: UserData = [
      { name: 'there', data: true },
      { name: 'of another', data: 1 },
      { name: 'of nobody', data: 1 },
    ];
    expect((await end(worker, a, written)).reports).toMatchObject([{ answer: 'accepted' }]);
    expect((await end(worker, a, written)).reports).toMatchObject([{ answer: 'repeated' }]);
    expect(await rows(service, 'results', key)).toMatchObject([
      {
        return_code: 1,
        exit_code: 0,
        cause: 'missing_output',
        detail: 'it ended with return code 0 but did not write its user data "not \\"there\\""',
      },
    ]);
    expect(await statuses(service, key)).toMatchObject({ a: 'done', b: 'canceled' });
    expect(await datum(key, 'there')).toMatchObject({ data: true });
    expect(await datum(key, 'of another')).toMatchObject({ data: null });
    expect(await rows(service, 'events', key, { type: 'user_data_ignored' })).toMatchObject([
      { data: { names: ['of another', 'of nobody'] } },
    ]);
  });

  it('is not taken from a failed job, or when it is too large', async () => {
    const key = await createWorkflow(
      service,
      [
        { name: 'a', writes: [0] },
        { name: 'b', writes: [1] },
      ],
      [],
      {
        userData: [empty('x'), { name: 'y', data: 'old', is_ephemeral: false }],
      },
    );
    const worker = await TestWorker.join(service, key);
    const [a, b] = (await worker.exchange()).jobs;
    worker.held = [];
    const failed = { ...finished(a?.attempt ?? 0, 3), user_data: [{ name: 'x', data: 1 }] };
    await worker.exchange({ finished: [failed], held: [b?.attempt ?? 0] });
    await end(worker, b, [{ name: 'y', data: 'x'.repeat(1024 * 1024) }]);
    expect(await datum(key, 'x')).toMatchObject({ data: null });
    expect(await datum(key, 'y')).toMatchObject({ data: 'old', version: 0 });
    expect(await rows(service, 'results', key)).toMatchObject([
      { return_code: 3, cause: 'exit_code' },
      { return_code: 1, cause: 'missing_output', detail: expect.stringContaining('"y" (it is 1048578 bytes') },
    ]);
  });
});

describe('adding and deleting', () => {
  it('refuse a taken name, data that is too large, and deleting user data in use', async () => {
    const key = await createWorkflow(service, [{ name: "it's a", reads: [0] }], [], { userData: [empty('used')] });
    const add = (name: string, data: Request<'user_data_add'>['data']) =>
      service.call('user_data_add', { workflow_key: key, name, data, is_ephemeral: false });
    const { user_data_key } = await add('free', { a: [] });
    await expect(add('free', 1)).rejects.toMatchObject({ code: 'conflict' });
    await expect(add('large', 'x'.repeat(1024 * 1024))).rejects.toMatchObject({ code: 'usage' });
    const used = String((await datum(key, 'used')).user_data_key);
    await expect(service.call('user_data_delete', { user_data_key: used })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('"it\'s a" (key 1) reads it'),
    });
    await service.call('user_data_delete', { user_data_key });
    await expect(service.call('user_data_delete', { user_data_key })).rejects.toMatchObject({ code: 'not_found' });
    expect((await rows(service, 'user_data', key)).map((row) => row.name)).toEqual(['used']);
    const types = (await rows(service, 'events', key)).map((event) => event.type);
    expect(types.filter((type) => String(type).startsWith('user_data'))).toEqual([
      'user_data_added',
      'user_data_deleted',
    ]);
  });

  it('follow the workflow when it is deleted; keys are never reused', async () => {
    const userData = [empty('x')];
    const first = await createWorkflow(service, [{ name: 'a', reads: [0] }], [], { userData, start: false });
    const { user_data_key } = await datum(first, 'x');
    await service.call('workflow_delete', { workflow_key: first, dry_run: false });
    expect(service.db.get('SELECT count(*) AS n FROM job_user_data')).toEqual({ n: 0 });
    const second = await createWorkflow(service, [{ name: 'a', writes: [0] }], [], { userData });
    expect(Number((await datum(second, 'x')).user_data_key)).toBeGreaterThan(Number(user_data_key));
  });
});
