/** Notifications: who is told what and how often, against a real HTTP receiver and a real mail server on this host. */
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import { MessageSender } from '../../src/server/actions/message-sender.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { FakeClock, fakeMachine } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, rule, TestWorker, temporaryDirectory } from '../support/service.ts';

type Rule = NonNullable<Request<'workflow_create_begin'>['notifications']>[number];

interface Received {
  headers: IncomingHttpHeaders;
  body: Record<string, unknown>;
}

let clock: FakeClock;
let directory: string;
let service: Service;
let closers: (() => Promise<void> | void)[];
let receiver: Server;
let received: Received[];
/** Statuses of the next answers; 200 when there is none. */
let answers: number[];

async function serve(): Promise<void> {
  service = await openService(directory, clock, 'test');
  service.machine = fakeMachine(clock);
  service.info.user = 'tester';
  service.beginEpoch();
  const [timekeeper, sender] = [new Timekeeper(service), new MessageSender(service)];
  timekeeper.start();
  sender.start();
  closers = [() => timekeeper.close(), () => sender.close(), () => service.close()];
}
async function end(): Promise<void> {
  expect(brokenInvariants(service.db)).toEqual([]);
  for (const close of closers) await close();
}

beforeEach(async () => {
  [clock, directory, received, answers] = [new FakeClock(), temporaryDirectory(), [], []];
  receiver = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part) => (text += part));
    request.on('end', () => {
      received.push({ headers: request.headers, body: JSON.parse(text) as Received['body'] });
      response.writeHead(answers.shift() ?? 200, { location: '/elsewhere' }).end('the body of the answer');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  await serve();
});
afterEach(async () => {
  await end();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

const hook = (): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook/SECRET`;
const webhook = (events: Rule['events'], more: Partial<Rule> = {}): Rule => {
  return { events, kind: 'webhook', target: hook(), token_file: null, ...more };
};
const secretFile = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  return path;
};
const listed = async (key: string) => (await rows(service, 'notifications', key))[0] as Record<string, unknown>;
const messages = async (key: string) => (await listed(key)).messages as Record<string, unknown>[];
const dump = (): string => {
  const lists = ['notifications', 'events'] as const;
  return JSON.stringify(lists.map((list) => service.db.all(`SELECT * FROM ${list}`)));
};

/** Runs all jobs of a workflow to these return codes, in order, one at a time. */
async function run(key: string, codes: number[]): Promise<void> {
  const worker = await TestWorker.join(service, key, { cpus: 1 });
  await worker.exchange();
  for (const code of codes) await worker.finish(worker.held[0] as number, code);
  await worker.exchange({ leaving: true });
}

describe('the end of a run', () => {
  it('is sent once although the disk was full when it had been sent', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications: [webhook(['done'])] });
    let isFull = false;
    const write = service.write.bind(service);
    service.write = (change) => (isFull ? Promise.reject(new Error('the disk is full')) : write(change));
    const isReceived = new Promise<void>((resolve) => {
      receiver.prependListener('request', () => {
        isFull = true;
        resolve();
      });
    });
    await run(key, [0]);
    await isReceived;
    await clock.advance(100_000);
    expect(await listed(key)).toMatchObject({ state: 'sending' });
    isFull = false;
    await clock.advance(30_000);
    await expect.poll(() => listed(key)).toMatchObject({ state: 'sent', num_messages: 1, num_sent: 1, error: null });
    expect(received).toHaveLength(1);
  });

  it('is one message to a receiver that fails twice, with the cause, the counts and the next command', async () => {
    answers = [500, 503];
    const names = ['good', 'bad', 'after'].map((name) => ({ name }));
    const options = { notifications: [webhook(['done', 'failed'])], name: 'sweep\nSubject: x' };
    const key = await createWorkflow(service, names, [[1, 2]], options);
    await run(key, [0, 3]);
    await expect.poll(() => listed(key)).toMatchObject({ state: 'postponed', error: expect.stringContaining('500') });
    const why = (await service.call('workflow_show', { workflow_key: key })) as Record<string, unknown>;
    expect(why).toMatchObject({ num_open_notifications: 0, num_late_notifications: 1 });
    await clock.advance(29_000);
    expect(received).toHaveLength(1);
    await clock.advance(1_000);
    await expect.poll(() => received.length).toBe(2);
    await expect.poll(() => listed(key)).toMatchObject({ state: 'postponed', error: expect.stringContaining('503') });
    await clock.advance(60_000);
    await expect.poll(() => listed(key)).toMatchObject({ state: 'sent', num_messages: 1, num_sent: 1, error: null });
    const [first, , last] = received;
    expect(new Set(received.map(({ headers }) => headers['idempotency-key']))).toHaveLength(1);
    expect(last?.body).toEqual(first?.body);
    const text = String(last?.body.text);
    expect(last?.body.subject).toBe(`torc: workflow ${key} (sweep\\nSubject: x) failed: 1 of 3 jobs failed`);
    expect(text).toContain('3 jobs: 1 succeeded, 1 failed, 1 canceled\n');
    expect(text).toMatch(/Cause:\n {2}job \d+ \(bad\): return code 3 \(exit_code\)\n/);
    expect(text).toMatch(/Next:\n {2}torc --dir '.*' jobs logs \d+ --stderr\n/);
    expect(text).toContain(`workflows reset-status ${key} --failed-only --restart`);
    expect(last?.body).toMatchObject({ event: 'failed', status: 'failed', run_id: 1, counts: { jobs: 3, failed: 1 } });
    await clock.advance(300_000);
    expect(received).toHaveLength(3);
    expect(service.db.all('SELECT * FROM due')).toEqual([]);
  });

  it('is told only to rules that name it, and again in the next run', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], {
      notifications: [webhook(['failed']), webhook(['done'])],
    });
    await run(key, [0]);
    await expect.poll(() => received.map(({ body }) => body.event)).toEqual(['done']);
    await service.call('jobs_reset', {
      workflow_key: key,
      dry_run: false,
      expected_state: null,
      skip: 0,
      which: 'all',
    });
    const plan = {
      dry_run: false,
      expected_state: null,
      skip: 0,
      ignore_missing_data: true,
      only_uninitialized: false,
    };
    const choice = { keep_running: false, force: false, assume_stopped: false, working_directory: '/' };
    await service.call('workflow_restart', { workflow_key: key, ...plan, ...choice });
    await run(key, [1]);
    await expect
      .poll(() => received.map(({ body }) => [body.event, body.run_id]))
      .toEqual([
        ['done', 1],
        ['failed', 2],
      ]);
  });

  it('is told by the next server when the first one died while it was sending, with the same id', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications: [webhook(['done'])] });
    // the process dies between the answer of the receiver and its own note of it
    const dying = closers.splice(0);
    service.db.run(`CREATE TRIGGER t BEFORE UPDATE OF sent_at ON messages BEGIN SELECT raise(ABORT, 'died'); END`);
    await run(key, [0]);
    await expect.poll(() => received.length).toBe(1);
    for (const close of dying) await close();
    await serve();
    await expect.poll(() => messages(key)).toMatchObject([{ state: 'sending', num_attempts: 2 }]);
    await expect.poll(() => received.length).toBe(2);
    // it is noted at the latest when the server ends
    service.db.run('DROP TRIGGER t');
    await end();
    await serve();
    await expect.poll(() => messages(key)).toMatchObject([{ state: 'sent', num_attempts: 2 }]);
    expect(new Set(received.map(({ headers }) => headers['idempotency-key']))).toHaveLength(1);
  });
});

describe('failed jobs', () => {
  it('are told at once, then together, and not while they are tried again or come back', async () => {
    const jobs = ['a', 'b', 'c', 'd', 'e'].map((name, index) => ({
      name,
      failureHandler: index === 0 ? 0 : undefined,
    }));
    const options = { notifications: [webhook(['job_failed'])], failureHandlers: [[rule({ max_retries: 1 })]] };
    const key = await createWorkflow(service, jobs, [], options);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 1);
    const lost = { finished: [], returned: [worker.held[0] as number], held: [] };
    worker.held = [];
    await worker.exchange(lost);
    expect(service.db.all('SELECT * FROM messages')).toEqual([]);
    await worker.finish(worker.held[0] as number, 1);
    await expect
      .poll(() => received.map(({ body }) => body.subject))
      .toEqual([`torc: workflow ${key} (test) has a failed job: a`]);
    for (const code of [2, 2]) await worker.finish(worker.held[0] as number, code);
    await clock.advance(59_000);
    expect(received).toHaveLength(1);
    await clock.advance(1_000);
    await expect.poll(() => received.length).toBe(2);
    expect(received[1]?.body.subject).toContain('has 2 failed jobs');
    expect(received[1]?.body.text).toMatch(/\(b\): return code 2 .*\n.*\(c\): return code 2/);
    // what is left is told with the end of the run
    await worker.finish(worker.held[0] as number, 3);
    await clock.advance(60_000);
    expect(received).toHaveLength(2);
    await worker.finish(worker.held[0] as number, 0);
    await expect.poll(() => received.length).toBe(3);
    expect(received[2]?.body.subject).toContain('has a failed job: d');
    expect(service.db.all('SELECT * FROM due')).toEqual([]);
  });
});

it('ready jobs without a worker are told a minute later, once in a run, unless an allocation is queued', async () => {
  const options = { notifications: [webhook(['waiting'])], slurmConfigs: ['c'] };
  const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [], options);
  const worker = await TestWorker.join(service, key, { cpus: 1 });
  await worker.exchange();
  await worker.finish(worker.held[0] as number, 0, { draining: true });
  const allocations = ['n'].map((name) => {
    return { name, num_nodes: 1, one_worker_per_node: false, script_path: 's', output_directory: 'o' };
  });
  const slurm_config_key = String((await rows(service, 'slurm_configs', key))[0]?.slurm_config_key);
  const recorded = await service.call('allocations_record', { workflow_key: key, slurm_config_key, allocations });
  await worker.exchange({ leaving: true });
  await clock.advance(60_000);
  expect(service.db.all('SELECT * FROM messages')).toEqual([]);
  const allocation_key = String(recorded.allocation_keys[0]);
  await service.call('allocation_confirm', { allocation_key, slurm_job_id: null, cluster: null, error: 'refused' });
  await clock.advance(59_000);
  expect(received).toEqual([]);
  await clock.advance(1_000);
  await expect
    .poll(() => received.map(({ body }) => body.subject))
    .toEqual([`torc: workflow ${key} (test) waits for a worker`]);
  expect(received[0]?.body.text).toMatch(/Next:\n.* jobs run 1\n.* hpc slurm schedule-nodes -n 1\n/);
  const next = await TestWorker.join(service, key, { cpus: 1 });
  await next.exchange({ leaving: true });
  await clock.advance(60_000);
  expect(received).toHaveLength(1);
});

it('a message that no process here sends is known to whoever starts a server', async () => {
  for (const close of closers.splice(0, 2)) await close();
  const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications: [webhook(['canceled'])] });
  expect(await service.call('server_awaited', {})).toMatchObject({ num_messages: 0 });
  await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
  expect(await service.call('server_awaited', {})).toMatchObject({ num_messages: 1 });
  expect(await service.call('workflow_show', { workflow_key: key })).toMatchObject({ num_open_notifications: 1 });
  await end();
  await serve();
  await expect.poll(() => received.map(({ body }) => body.event)).toEqual(['canceled']);
  await expect.poll(() => service.call('server_awaited', {})).toMatchObject({ num_messages: 0 });
});

describe('secrets', () => {
  it('are in no list, event, export, log or text; a token goes with the request', async () => {
    const token_file = secretFile('token', 'TOKEN\n');
    const url = secretFile('url', `${hook()}\n`);
    const notifications = [webhook(['done'], { kind: 'webhook_file', target: url, token_file }), webhook(['done'])];
    const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications });
    answers = [302, 302];
    await run(key, [0]);
    await expect
      .poll(async () => (await rows(service, 'notifications', key)).map(({ state }) => state))
      .toEqual(['postponed', 'postponed']);
    expect(received.map(({ headers }) => headers.authorization).sort()).toEqual(['Bearer TOKEN', undefined]);
    const shown = JSON.stringify([
      await rows(service, 'notifications', key),
      await rows(service, 'events', key),
      await service.call('workflow_show', { workflow_key: key }),
      await service.call('workflow_export', { workflow_key: key, part: 'head', limit: 1, skip: 0 }),
      await service.call('notifications_test', { workflow_key: key, notification_key: null, dry_run: true }),
      received.map(({ body }) => body),
    ]);
    expect(shown).toContain('a redirection, which is not followed');
    expect(shown).toContain('http://127.0.0.1');
    expect(shown).not.toMatch(/SECRET|TOKEN|the body of the answer/);
    expect(dump()).not.toContain('TOKEN');
  });

  it('are refused in files that others can read', async () => {
    const token_file = secretFile('token', 'TOKEN');
    chmodSync(token_file, 0o644);
    const key = await createWorkflow(service, [{ name: 'a' }], [], {
      notifications: [webhook(['done'], { token_file })],
    });
    const test = { workflow_key: key, notification_key: null, dry_run: false };
    const reply = await service.call('notifications_test', test);
    expect(reply.notifications[0]?.error).toMatch(/other users can read .*token \(mode 0644\)/);
    expect(received).toEqual([]);
    chmodSync(token_file, 0o600);
    expect((await service.call('notifications_test', test)).notifications[0]?.error).toBeNull();
    expect(received[0]?.body.subject).toContain('sends a test message');
  });

  it('are not sent unencrypted, and a URL has no password in it', async () => {
    const create = (target: string, token_file: string | null) =>
      createWorkflow(service, [{ name: 'a' }], [], { notifications: [webhook(['done'], { target, token_file })] });
    await expect(create('http://example.org/hook', '/t')).rejects.toThrow('unencrypted');
    await expect(create('https://me:secret@example.org/', null)).rejects.toThrow(/user or a password(?!.*secret@)/);
  });
});

it('a command gets the message in variables, and is tried again when it fails', async () => {
  const target =
    'echo "$TORC_NOTIFICATION_EVENT $TORC_RUN_ID" >> told; printf %s "$TORC_NOTIFICATION_TEXT" > text; test -e ok';
  const command: Rule = { events: ['failed'], kind: 'command', target, token_file: null };
  const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications: [command] });
  await run(key, [7]);
  await expect.poll(() => listed(key)).toMatchObject({ state: 'postponed' });
  expect((await listed(key)).error).toContain('the command ended with return code 1; its output is in');
  writeFileSync(join(directory, 'ok'), '');
  await clock.advance(30_000);
  await expect.poll(() => listed(key)).toMatchObject({ state: 'sent' });
  expect(readFileSync(join(directory, 'told'), 'utf8')).toBe('failed 1\nfailed 1\n');
  expect(readFileSync(join(directory, 'text'), 'utf8')).toContain('(a): return code 7');
});

it('a message that nobody takes is given up after twenty tries, with an event', async () => {
  const notifications = [webhook(['done'])];
  receiver.close();
  const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications });
  await run(key, [0]);
  await expect.poll(() => messages(key)).toMatchObject([{ state: 'postponed', num_attempts: 1 }]);
  service.db.run('UPDATE messages SET num_attempts = 18');
  await clock.advance(30_000);
  await expect.poll(() => messages(key)).toMatchObject([{ state: 'postponed', num_attempts: 19 }]);
  const { next_try_at } = await listed(key);
  expect(Date.parse(String(next_try_at)) - clock.now()).toBe(3_600_000);
  service.db.run('UPDATE due SET due_at = 0');
  await clock.advance(60_000);
  await expect.poll(() => messages(key)).toMatchObject([{ state: 'failed', num_attempts: 20 }]);
  const [event] = await rows(service, 'events', key, { type: 'notification_failed' });
  expect(event?.data).toMatchObject({ event: 'done', error: expect.stringContaining('cannot be reached') });
  const shown = await service.call('workflow_show', { workflow_key: key });
  expect(shown).toMatchObject({ num_late_notifications: 0, num_failed_notifications: 1 });
  expect(shown.notification_error).toContain('ECONNREFUSED');
});

describe('e-mail', () => {
  interface Mail {
    from: string;
    to: string[];
    user: string | undefined;
    text: string;
  }
  let server: SMTPServer;
  let mails: Mail[];
  let refusals: number;
  let logins: string[];

  beforeEach(async () => {
    [mails, refusals, logins] = [[], 0, []];
    server = new SMTPServer({
      authOptional: true,
      allowInsecureAuth: true,
      disabledCommands: ['STARTTLS'],
      onAuth({ username, password }, _session, done) {
        logins.push(String(username));
        if (password === 'PASSWORD') done(null, { user: username });
        else done(new Error('wrong password'));
      },
      onRcptTo(_address, _session, done) {
        refusals -= 1;
        done(refusals >= 0 ? Object.assign(new Error('try again later'), { responseCode: 451 }) : null);
      },
      onData(stream, { envelope, user }, done) {
        let text = '';
        stream.setEncoding('utf8').on('data', (part: string) => (text += part));
        stream.on('end', () => {
          const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
          mails.push({
            from,
            to: envelope.rcptTo.map(({ address }) => address),
            user: user as string | undefined,
            text,
          });
          done();
        });
      },
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

  const configure = (more: object): void => {
    const { port } = server.server.address() as AddressInfo;
    secretFile('smtp.json', JSON.stringify({ host: '127.0.0.1', port, security: 'none', ...more }));
  };
  const mailTo = (target: string): Rule => ({ events: ['failed'], kind: 'email', target, token_file: null });

  it('is one message to each address although the server refused it first, and names the cause', async () => {
    mkdirSync(join(directory, 'mail'));
    secretFile('mail/password', 'PASSWORD\n');
    configure({ user: 'me', password_file: 'mail/password', from: 'torc@example.org' });
    refusals = 1;
    const key = await createWorkflow(service, [{ name: 'größe' }], [], {
      notifications: [mailTo('one@example.org'), mailTo('two@example.org')],
    });
    await run(key, [4]);
    await expect.poll(() => mails.length).toBe(1);
    await expect
      .poll(async () => (await rows(service, 'notifications', key)).map(({ state }) => state).sort())
      .toEqual(['postponed', 'sent']);
    await clock.advance(30_000);
    await expect.poll(() => mails.map(({ to }) => to.join()).sort()).toEqual(['one@example.org', 'two@example.org']);
    const [mail] = mails;
    expect(mail).toMatchObject({ from: 'torc@example.org', user: 'me' });
    expect(mail?.text).toContain(`Subject: torc: workflow ${key} (test) failed: 1 of 1 job failed`);
    expect(mail?.text).toContain('Auto-Submitted: auto-generated');
    expect(mail?.text).toMatch(/Message-ID: <torc-\d+-\d+@/);
    const body = Buffer.from((mail?.text ?? '').replace(/=\r\n/g, ''), 'utf8').toString();
    expect(body).toMatch(/return code 4|return code=204/);
    expect(body).not.toContain('PASSWORD');
    await clock.advance(300_000);
    expect(mails).toHaveLength(2);
  });

  it('is not sent with a wrong password, and the reason does not repeat it', async () => {
    secretFile('password', 'WRONG');
    configure({ user: 'me', password_file: 'password' });
    const key = await createWorkflow(service, [{ name: 'a' }], [], { notifications: [mailTo('one@example.org')] });
    const test = { workflow_key: key, notification_key: null, dry_run: false };
    const error = (await service.call('notifications_test', test)).notifications[0]?.error;
    expect(error).toMatch(/the mail server 127.0.0.1 did not take it: .*wrong password/);
    expect(error).not.toContain('WRONG');
    // the server speaks no TLS
    configure({ security: 'starttls', user: 'me', password_file: 'password' });
    const unsafe = (await service.call('notifications_test', test)).notifications[0]?.error;
    expect(unsafe).toMatch(/the mail server 127.0.0.1 did not take it: .*(TLS|STARTTLS)/);
    expect(logins).toEqual(['me']);
    configure({ host: 'mail.example.org', user: 'me', password_file: 'password' });
    const open = (await service.call('notifications_test', test)).notifications[0]?.error;
    expect(open).toContain('would send the password unencrypted');
  });
});
