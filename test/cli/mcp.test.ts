/** `torc mcp`: a scripted assistant of the official client, on the real program. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
let clients: Client[] = [];
beforeEach(() => {
  place = newPlace();
});
afterEach(async () => {
  for (const client of clients) await client.close();
  clients = [];
  await place.remove();
});

type Mode = 'legacy' | 'auto';

interface Assistant {
  client: Client;
  /** What a tool answers; an error unless `isError` says so. */
  use<T = Record<string, unknown>>(name: string, given: object, isError?: boolean): Promise<T>;
  /** What its person was asked. */
  asked: string[];
}

/** `agrees`: how its person answers; null for a client that cannot ask. */
async function connect(mode: Mode, agrees: boolean | null = null, ...words: string[]): Promise<Assistant> {
  const capabilities = agrees === null ? {} : { elicitation: { form: {} } };
  const client = new Client({ name: 'test', version: '1' }, { capabilities, versionNegotiation: { mode } });
  const asked: string[] = [];
  if (agrees !== null) {
    client.setRequestHandler('elicitation/create', ({ params }) => {
      asked.push(params.message);
      return { action: 'accept', content: { carry_out: agrees } };
    });
  }
  clients.push(client);
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [mainJs, '--dir', place.dir, 'mcp', ...words],
      env: { PATH: process.env.PATH ?? '', HOME: place.path, XDG_CONFIG_HOME: '/nowhere' },
      cwd: place.path,
      stderr: 'ignore',
    }),
  );
  return {
    client,
    asked,
    async use<T>(name: string, given: object, isError = false) {
      const reply = await client.callTool({ name, arguments: { ...given } }, { timeout: 110_000 });
      const [part] = reply.content as { text: string }[];
      if ((reply.isError ?? false) !== isError) throw new Error(`${name}: ${part?.text}`);
      return JSON.parse(part?.text ?? '') as T;
    },
  };
}

interface Plan {
  plan_token: string | null;
  command: string;
  is_possible: boolean;
  plan: string;
}

async function createAndRun(...jobs: object[]): Promise<void> {
  const requirements = [{ name: 'small', num_cpus: 1, memory: '200m', runtime: 'PT10M' }];
  const made = await place.torc(
    'create',
    place.file('w.json', JSON.stringify({ name: 'w', resource_requirements: requirements, jobs })),
  );
  expect(made).toMatchObject({ code: 0 });
  await place.torc('start', '1');
  await place.torc('jobs', 'run', '1');
}

const runId = async () => (await place.json<{ run_id: number }>(['workflows', 'show', '1'])).run_id;

describe.each(['legacy', 'auto'] as const)('an assistant (%s)', (mode) => {
  it('finds a job that ran out of memory, gets the plan, and cannot apply it without its token', async () => {
    // holds 260 MiB until it is stopped, or for as long as it takes to be measured
    const grows = `'${process.execPath}' -e 'globalThis.kept = Buffer.alloc(260 << 20, 1); setTimeout(() => {}, 5000)'`;
    await createAndRun(
      { name: 'grows', command: grows, resource_requirements: 'small' },
      { name: 'fine', command: 'true', resource_requirements: 'small' },
    );
    const { client, use } = await connect(mode);
    expect(client.getServerVersion()).toMatchObject({ name: 'torc' });
    const tools = (await client.listTools()).tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint]);
    expect(tools).toEqual([
      ['list_workflows', true],
      ['show_workflow', true],
      ['list_records', true],
      ['show_job', true],
      ['read_log', true],
      ['show_resource_use', true],
      ['plan_change', true],
      ['apply_plan', false],
    ]);

    const { workflows } = await use<{ workflows: object[] }>('list_workflows', {});
    expect(workflows).toMatchObject([{ workflow_key: '1', name: 'w', num_failed: 1 }]);
    const { failures } = await use<{ failures: { cause: string; jobs: object[] }[] }>('show_workflow', {
      workflow: 'w',
    });
    expect(failures).toMatchObject([{ cause: 'oom' }]);
    const filters = ['return_code=137'];
    const { records } = await use<{ records: { job_key: string }[] }>('list_records', {
      workflow: 'w',
      list: 'results',
      filters,
    });
    expect(records).toMatchObject([{ job_name: 'grows' }]);
    const [{ job_key } = { job_key: '' }] = records;
    const { shown } = await use<{ shown: { attempts: object[] } }>('show_job', { job: job_key });
    expect(shown).toMatchObject({ job: { name: 'grows' }, attempts: [{ cause: 'oom' }] });

    const asks = { command: 'recover', target: 'w' };
    const plan = await use<Plan>('plan_change', asks);
    expect(plan).toMatchObject({ is_possible: true });
    expect(plan.command).toMatch(/ recover 1$/);
    expect(plan.plan).toMatch(/memory 200M -> \d{3}M/);
    expect(await runId()).toBe(1);
    // a token that was made up, and none
    const refused = await use<{ error: object }>('apply_plan', { plan_token: 'x'.repeat(24) }, true);
    expect(refused.error).toMatchObject({ code: 'not_found' });
    await expect(use('apply_plan', {})).rejects.toThrow();
    expect(await runId()).toBe(1);

    const done = await use<{ is_done: boolean; text: string }>('apply_plan', { plan_token: plan.plan_token });
    expect(done).toMatchObject({ is_done: true });
    expect(await runId()).toBe(2);
    // once only
    await use('apply_plan', { plan_token: plan.plan_token }, true);
    expect(await runId()).toBe(2);
    await place.torc('jobs', 'run', '1');
    const after = await use<{ records: object[] }>('list_records', {
      workflow: '1',
      list: 'jobs',
      filters: ['name=grows'],
    });
    expect(after.records).toMatchObject([{ status: 'done', return_code: 0 }]);
  });

  it('asks its person where it can, and changes nothing when the answer is no', async () => {
    await createAndRun({ name: 'breaks', command: 'exit 3' });
    const no = await connect(mode, false);
    const asks = { command: 'rerun-failed', target: '1' };
    const plan = await no.use<Plan>('plan_change', asks);
    expect(await no.use('apply_plan', { plan_token: plan.plan_token }, true)).toMatchObject({ is_done: false });
    expect(no.asked).toHaveLength(1);
    expect(no.asked[0]).toContain('rerun-failed 1');
    await no.use('apply_plan', { plan_token: plan.plan_token }, true);
    expect(await runId()).toBe(1);
    const yes = await connect(mode, true);
    // a token is of its own connection
    const own = await yes.use<Plan>('plan_change', asks);
    await no.use('apply_plan', { plan_token: own.plan_token }, true);
    expect(await yes.use('apply_plan', { plan_token: own.plan_token })).toMatchObject({ is_done: true });
    expect(yes.asked).toHaveLength(1);
    expect(await runId()).toBe(2);
  });
});

it('does nothing when jobs have changed since the plan, and gives the new one', async () => {
  await createAndRun({ name: 'breaks', command: 'exit 3' }, { name: 'too', command: 'exit 4' });
  const { use } = await connect('auto');
  const plan = await use<Plan>('plan_change', { command: 'rerun-failed', target: '1' });
  await place.torc('jobs', 'mark-done', '1');
  const reply = await use<{ is_done: boolean; new_plan: Plan }>('apply_plan', { plan_token: plan.plan_token });
  expect(reply.is_done).toBe(false);
  expect(await runId()).toBe(1);
  expect(reply.new_plan.plan).not.toBe(plan.plan);
  expect(await use('apply_plan', { plan_token: reply.new_plan.plan_token })).toMatchObject({ is_done: true });
  expect(await runId()).toBe(2);
});

it('has no token for a plan that is not possible', async () => {
  await createAndRun({ name: 'fine', command: 'true' });
  const { use } = await connect('auto');
  expect(await use('plan_change', { command: 'start', target: '1' })).toMatchObject({
    plan_token: null,
    is_possible: false,
  });
  const wrong = { command: 'jobs-hold', target: 'fine' };
  expect(await use('plan_change', wrong, true)).toMatchObject({
    error: { code: 'usage', message: "'fine' is not a key of a job" },
  });
});

it('only reads with --read-only', async () => {
  await createAndRun({ name: 'fine', command: 'echo hello' });
  const { client, use } = await connect('auto', null, '--read-only');
  const names = (await client.listTools()).tools.map(({ name }) => name);
  expect(names).not.toContain('plan_change');
  expect(names).not.toContain('apply_plan');
  await expect(use('apply_plan', { plan_token: 'x' })).rejects.toThrow();
  const log = { job: '1', stream: 'stdout' };
  expect(await use('read_log', log)).toMatchObject({ run_id: 1, attempt_id: 1, text: 'hello\n', has_ended: true });
  expect(await use('read_log', { ...log, attempt: '7.1' }, true)).toMatchObject({ error: { code: 'not_found' } });
  expect(await use('list_records', { workflow: '1', list: 'jobs', filters: ['stauts=done'] }, true)).toMatchObject({
    error: { code: 'usage' },
  });
  expect(await use('show_resource_use', { workflow: 'nope' }, true)).toMatchObject({ error: { code: 'not_found' } });
});

it('cuts long texts where an answer would be too long for an assistant', async () => {
  const commands = [8, 90_000, 120_000].map((length) => `: ${'x'.repeat(length)}`);
  const jobs = Array.from({ length: 9 }, (_, at) => ({ name: `j${at}`, command: commands[at % 3] }));
  await place.torc('create', place.file('long.json', JSON.stringify({ name: 'long', jobs })));
  const { use } = await connect('auto');
  const { shown } = await use<{ shown: { job: { command: string } } }>('show_job', { job: '2' });
  expect(shown.job.command).toBe(commands[1]);
  const reply = await use<{ records: { command: string }[] }>('list_records', { workflow: '1', list: 'jobs' });
  expect(JSON.stringify(reply).length).toBeLessThan(500_000);
  expect(reply.records.map(({ command }) => command)).toEqual([
    commands[0],
    ...[expect.stringMatching(/x \.\. \(90002 characters\)$/), expect.stringMatching(/x \.\. \(120002 characters\)$/)],
    ...Array.from({ length: 6 }, () => expect.any(String)),
  ]);
});

/** Sends lines to `torc mcp`, closes its stdin at once, and returns its answers by id. */
async function talk(
  ...lines: string[]
): Promise<{ answers: Map<unknown, Reply>; stderr: string; code: number | null }> {
  const child = spawn(process.execPath, [mainJs, '--dir', place.dir, 'mcp'], {
    cwd: place.path,
    env: { PATH: process.env.PATH ?? '', HOME: place.path, XDG_CONFIG_HOME: '/nowhere' },
  });
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  child.stdin.end(lines.map((line) => `${line}\n`).join(''));
  const [code] = (await once(child, 'close')) as [number | null];
  const replies = (await stdout).split('\n').slice(0, -1);
  const answers = new Map(replies.map((line) => JSON.parse(line) as Reply).map((reply) => [reply.id, reply]));
  return { answers, stderr: await stderr, code };
}

interface Reply {
  id: unknown;
  result?: { content: { text: string }[] };
  error?: { code: number; message: string };
}

const hello = [
  '{"jsonrpc":"2.0","id":"hello","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
];

it('answers what was sent before the client closed its end', async () => {
  await createAndRun({ name: 'fine', command: 'true' });
  const call = (id: number, name: string, given: object) =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: given } });
  const calls = [1, 2, 3].map((id) => call(id, 'show_workflow', { workflow: '1' }));
  const { answers, stderr, code } = await talk(...hello, ...calls, call(4, 'list_workflows', {}));
  expect([...answers.keys()].toSorted()).toEqual([1, 2, 3, 4, 'hello']);
  for (const id of [1, 2, 3, 4]) expect(answers.get(id)?.result?.content[0]?.text).toContain('"status":"done"');
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
});

it.each([
  ['null', null, -32_600, 'a message is an object'],
  ['42', null, -32_600, 'a message is an object'],
  ['[]', null, -32_600, 'batches'],
  ['{"jsonrpc":"2.0","id":7}', 7, -32_600, '"method"'],
  ['{"jsonrpc":"2.0","id":null,"method":"ping"}', null, -32_600, '"id"'],
  ['{"id":"a","method":"ping"}', 'a', -32_600, '"jsonrpc"'],
  ['{"jsonrpc":"2.0","id":7,"method":"ping","params":[1]}', 7, -32_600, '"params"'],
  ['{"jsonrpc":"2.0","id":7,"result":3}', 7, -32_600, '"result"'],
  ['{"jsonrpc":"2.0",', null, -32_700, 'in JSON'],
])('refuses %s with an error of JSON-RPC, says nothing on stderr and goes on', async (line, id, code, words) => {
  const { answers, stderr } = await talk(line, ...hello, '{"jsonrpc":"2.0","id":"last","method":"ping"}');
  expect(answers.get(id)?.error).toEqual({ code, message: expect.stringContaining(words) });
  expect(answers.get('last')).toMatchObject({ result: {} });
  expect(stderr).toBe('');
});
