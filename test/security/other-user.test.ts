/** What another user of the login node or compute node can read, learn and do: nothing. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readServerFile, type ServerFile, serverFilePath } from '../../src/api/server-file.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { mainJs, type Running } from '../support/torc.ts';
import {
  accessible,
  ask,
  asOtherUser,
  canBeOtherUser,
  numListening,
  otherUserId,
  processTree,
} from './as-other-user.ts';

const secretNames = ['secret_workflow_name', 'secret_job_name', 'secret_held_name'];

let place: Place;
let worker: Running;
let serverPid: number;

function file(): ServerFile {
  const found = readServerFile(place.dir);
  if (found === null) throw new Error('no server is registered');
  return found;
}

/** A server and a worker of a workflow, one job of which has ended while another runs. */
beforeAll(async () => {
  place = newPlace();
  // only what torc itself does for its files counts
  chmodSync(place.path, 0o755);
  mkdirSync(place.dir, { mode: 0o755 });
  await place.torc('server', 'start', '--daemon');
  serverPid = file().pid;
  const jobs = [
    { name: secretNames[1], command: 'true' },
    { name: secretNames[2], command: 'touch held; while [ ! -e go ]; do sleep 0.05; done' },
  ];
  const actions = [{ trigger_type: 'on_workflow_start', action_type: 'run_commands', commands: ['echo acted'] }];
  place.file('w.json', JSON.stringify({ name: secretNames[0], jobs, actions }));
  worker = place.start('run', 'w.json', '-o', 'out');
  await vi.waitUntil(() => existsSync(join(place.path, 'held')), { timeout: 60_000 });
});
afterAll(() => place?.remove());

describe.skipIf(!canBeOtherUser)('another user', () => {
  it('can open no file of the server directory, even when the directory itself is readable', async () => {
    expect(await accessible([place.dir])).toEqual({ read: [], write: [], list: [place.dir] });
  });

  it('reads no environment and no memory of server, worker and jobs, and no name or token in their command lines', async () => {
    const pids = [...processTree(serverPid), ...processTree(worker.child.pid ?? 0)];
    expect(pids.length).toBeGreaterThanOrEqual(4);
    const paths = pids.flatMap((pid) => ['environ', 'mem', 'fd', 'cwd'].map((name) => `/proc/${pid}/${name}`));
    expect(await accessible(paths)).toEqual({ read: [], write: [], list: [] });
    const seen = await asOtherUser(
      'cat',
      pids.map((pid) => `/proc/${pid}/cmdline`),
    );
    expect(seen.stdout).toContain('server');
    for (const secret of [file().token, ...secretNames]) expect(seen.stdout).not.toContain(secret);
  });

  it('is refused by the program itself, which reveals nothing of the contents', async () => {
    const ended = await asOtherUser(process.execPath, [mainJs, '--dir', place.dir, '-c', 'debug', 'jobs', 'list']);
    expect(ended.code).not.toBe(0);
    expect(ended.stdout).toBe('');
    for (const secret of [file().token, ...secretNames]) expect(ended.stderr).not.toContain(secret);
    const cancel = await asOtherUser(process.execPath, [mainJs, '--dir', place.dir, 'workflows', 'cancel', '1']);
    expect(cancel).toMatchObject({ code: 4, stdout: '' });
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ status: 'running' });
  });

  it('cannot direct a client to their own server', async () => {
    const trap = join(place.path, 'trap');
    mkdirSync(trap);
    chownSync(trap, otherUserId, otherUserId);
    writeFileSync(serverFilePath(trap), JSON.stringify({ ...file(), addresses: ['127.0.0.1:1'] }));
    chownSync(serverFilePath(trap), 1234, 1234);
    chmodSync(serverFilePath(trap), 0o644);
    const ended = await asOtherUser(process.execPath, [mainJs, '--dir', trap, 'jobs', 'list']);
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toContain('belongs to another user (uid 1234)');
  });

  it('cannot have their own database opened', async () => {
    const trap = join(place.path, 'planted');
    mkdirSync(trap);
    chownSync(trap, otherUserId, otherUserId);
    writeFileSync(join(trap, 'torc.db'), '');
    chownSync(join(trap, 'torc.db'), 1234, 1234);
    chmodSync(join(trap, 'torc.db'), 0o666);
    const ended = await asOtherUser(process.execPath, [mainJs, '--dir', trap, 'workflows', 'list']);
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toContain('belongs to another user');
  });
});

it('a server directory that other users can write to is refused, with advice', async () => {
  const open = join(place.path, "open 'dir'");
  mkdirSync(open);
  for (const mode of [0o1777, 0o775]) {
    chmodSync(open, mode);
    const ended = await place.torc('--dir', open, 'workflows', 'create', place.file('commands.txt', 'true\n'));
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toContain('other users can write to the server directory');
    expect(ended.stderr).toContain(`hint: chmod go-w '${open.replaceAll("'", `'\\''`)}'`);
  }
});

describe('without the token', () => {
  const wrong = (token: string): [string, string | null][] => [
    ['none', null],
    ['another of the same length', `Bearer ${'0'.repeat(token.length)}`],
    ['its beginning', `Bearer ${token.slice(0, -1)}`],
    ['more than it', `Bearer ${token}0`],
    ['an empty one', 'Bearer '],
    ['in capitals', `Bearer ${token.toUpperCase()}`],
    ['as another scheme', `Basic ${token}`],
    ['alone', token],
    ['of eight thousand characters', `Bearer ${'a'.repeat(7_000)}`],
  ];

  it('every answer is the same 401, which reveals nothing', async () => {
    const answers = new Set<string>();
    for (const [, header] of wrong(file().token)) {
      for (const path of ['/v1/list', '/v1/server_info', '/v1/nothing', '/', '/v1/../../etc/passwd']) {
        const body = '{"list":"workflows"}';
        const { status, headers, text } = await ask(file(), path, header, body);
        expect(status).toBe(401);
        const { date: _, ...others } = headers;
        answers.add(JSON.stringify([others, text]));
      }
    }
    expect(answers.size).toBe(1);
    const [answer = ''] = answers;
    expect(JSON.parse(JSON.parse(answer)[1])).toEqual({
      error: {
        code: 'unauthorized',
        message: 'the token is missing or wrong',
        hint: 'Run torc as the user who started the server.',
      },
    });
    expect(answer).not.toMatch(/\d{5}|secret|torc'?s|workflow/);
  });

  it('with it, the same request is answered', async () => {
    expect((await ask(file(), '/v1/server_info', `Bearer ${file().token}`)).status).toBe(200);
  });
});

it('SIGUSR1 opens no debugger in server or worker, where every user could run code', async () => {
  const workers = processTree(worker.child.pid ?? 0).filter((pid) => commandOf(pid).includes('--worker'));
  expect(workers).toHaveLength(1);
  const pids = [serverPid, worker.child.pid ?? 0, ...workers];
  const before = pids.map(numListening);
  expect(before).toEqual([1, 0, 0]);
  for (const pid of pids) process.kill(pid, 'SIGUSR1');
  for (let round = 0; round < 50; round += 1) await ask(file(), '/v1/server_info', `Bearer ${file().token}`);
  expect(pids.map(numListening)).toEqual(before);
});

/** The arguments of a process; none when it has ended. */
function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

// last, because the workflow ends
it.skipIf(!canBeOtherUser)(
  'nobody else reads the reports that a worker keeps while the server does not answer',
  async () => {
    process.kill(serverPid, 'SIGSTOP');
    try {
      writeFileSync(join(place.path, 'go'), '');
      const files = () => readdirSync(place.dir, { recursive: true }).map((path) => basename(String(path)));
      await expect.poll(files, { timeout: 60_000 }).toContain('spool');
      const paths = readdirSync(place.dir, { recursive: true }).map((path) => join(place.dir, String(path)));
      expect(paths.filter((path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0)).toEqual(
        [],
      );
      expect(await accessible([place.dir])).toEqual({ read: [], write: [], list: [place.dir] });
    } finally {
      process.kill(serverPid, 'SIGCONT');
    }
    expect((await worker.ended).code).toBe(0);
  },
);
