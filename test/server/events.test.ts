/** The stream of events: it resumes without gaps or doubles, costs nothing when nobody looks, and no reader holds it up. */
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { type Api, limits } from '../../src/api/contract.ts';
import { followEvents } from '../../src/api/event-client.ts';
import type { AskEvents, EventMessage, FollowedMessage } from '../../src/api/events.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { type Serving, serve } from '../../src/server/serve.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, finished, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
let service: Service;
let serving: Serving;
let client: Api;
let ending: AbortController;

beforeEach(async () => {
  fresh = await freshService();
  service = fresh.service;
  serving = await serve(service);
  client = openClient(fresh.directory);
  ending = new AbortController();
});
afterEach(async () => {
  ending.abort();
  await client.close();
  await serving.close();
  await fresh.close();
});

const everything: AskEvents = { workflow_keys: null, after: null, records: false, filters: [] };
const asked = (changes: Partial<AskEvents>): AskEvents => ({ ...everything, ...changes });

/** Follows, and keeps every message that came. */
function follow(changes: Partial<AskEvents> = {}, signal = ending.signal): FollowedMessage[] {
  const messages: FollowedMessage[] = [];
  const read = async () => {
    for await (const message of followEvents(fresh.directory, asked(changes), signal)) messages.push(message);
  };
  void read();
  return messages;
}

const keysOf = (messages: readonly FollowedMessage[]) =>
  messages.flatMap((message) =>
    message.event === 'events' ? message.data.events.map(({ event_key }) => event_key) : [],
  );
const factsOf = (messages: readonly FollowedMessage[]) =>
  messages.flatMap((message) => (message.event === 'changed' ? message.data.workflows : []));
const opened = (messages: readonly FollowedMessage[]) =>
  expect.poll(() => messages[0]?.event, { timeout: 20_000 }).toBe('open');

async function storedKeys(workflowKey: string | null = null): Promise<unknown[]> {
  return (await rows(service, 'events', workflowKey)).map(({ event_key }) => event_key);
}

/** A raw request for the stream; resolves with the status line, or what came until the connection ended. */
function raw(path: string, authorization: string, { method = 'GET', from = serving } = {}): Promise<string> {
  const port = Number(from.file.addresses[0]?.split(':').at(-1));
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }, () =>
      socket.write(
        `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`,
      ),
    );
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (piece) => (text += piece));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

describe('the stream of events', () => {
  it('says which workflows have changed and how, those that are asked for, many changes in one message', async () => {
    const [first, second] = [
      await createWorkflow(client, [{ name: 'a' }]),
      await createWorkflow(client, [{ name: 'b' }]),
    ];
    const [all, one] = [follow(), follow({ workflow_keys: [second] })];
    await opened(all);
    await opened(one);
    const worker = await TestWorker.join(client, first, { cpus: 8 });
    await expect.poll(() => factsOf(all).map(({ workflow_key }) => workflow_key)).toContain(first);
    const [job] = (await worker.exchange()).jobs;
    await worker.finish(job?.attempt ?? 0);
    await expect.poll(() => factsOf(all).flatMap(({ facts }) => facts)).toContain('run_ended');
    expect(factsOf(all).flatMap(({ facts }) => facts)).toEqual(
      expect.arrayContaining(['history_grew', 'worker_joined']),
    );
    expect(one).toHaveLength(1);
    await TestWorker.join(client, second);
    await expect
      .poll(() => factsOf(one))
      .toEqual([{ workflow_key: second, facts: expect.arrayContaining(['worker_joined']) }]);
    expect(one.at(-1)?.id).toBe((await storedKeys()).at(-1));
  });

  it('goes on after the last id without gaps or doubles, inside of a row of moves too, also with another server', async () => {
    const jobs = Array.from({ length: 30 }, (_, index) => ({ name: `j${index}` }));
    const key = await createWorkflow(client, jobs);
    const first = new AbortController();
    const before = follow({ records: true, after: '0' }, first.signal);
    const worker = await TestWorker.join(client, key, { cpus: 30 });
    const { jobs: claimed } = await worker.exchange();
    expect(claimed).toHaveLength(30);
    await expect.poll(() => keysOf(before).length).toBeGreaterThan(30);
    first.abort();
    const seen = keysOf(before);
    // in the middle of the claims, which are one row
    const place = seen.findIndex((each) => /\.17$/.test(each));
    const after = follow({ records: true, after: seen[place] ?? null });
    await expect.poll(() => keysOf(after)).toEqual(seen.slice(place + 1));
    await serving.close();
    await expect.poll(() => after.at(-1)?.event).toBe('away');
    worker.held = [];
    await service.call(
      'exchange',
      request(
        worker,
        claimed.map(({ attempt }) => attempt),
      ),
    );
    serving = await serve(service);
    await expect
      .poll(() => seen.slice(0, place + 1).concat(keysOf(after)), { timeout: 20_000 })
      .toEqual(await storedKeys());
    expect(after.filter(({ event }) => event === 'open')).toHaveLength(2);
  });

  it('tells at once what changed since an id, and nothing where nothing has', async () => {
    const [first, second] = [
      await createWorkflow(client, [{ name: 'a' }]),
      await createWorkflow(client, [{ name: 'b' }]),
    ];
    const place = String((await storedKeys()).at(-1));
    await client.call('workflow_pause', { workflow_key: second, paused: true });
    await client.call('workflow_delete', { workflow_key: first, dry_run: false });
    const [all, named, none] = [
      follow({ after: place }),
      follow({ after: place, workflow_keys: [second] }),
      follow({ after: String((await storedKeys()).at(-1)) }),
    ];
    const changed = (workflow_key: string) => ({ workflow_key, facts: ['history_grew'] });
    await expect.poll(() => factsOf(all)).toEqual([changed(first), changed(second)]);
    await expect.poll(() => factsOf(named)).toEqual([changed(second)]);
    await opened(none);
    await createWorkflow(client, [{ name: 'c' }]);
    await expect.poll(() => factsOf(none).map(({ workflow_key }) => workflow_key)).toEqual(['3']);
  });

  it('says when an id is from another history, such as before a backup was restored', async () => {
    await createWorkflow(client, [{ name: 'a' }]);
    const messages = follow({ after: '999999' });
    await opened(messages);
    const newest = (await storedKeys()).at(-1);
    expect(messages).toEqual([{ event: 'open', id: newest, data: { epoch: service.epoch, is_complete: false } }]);
  });

  it('sends the events that a filter matches', async () => {
    const [first, second] = [
      await createWorkflow(client, [{ name: 'a' }]),
      await createWorkflow(client, [{ name: 'b' }]),
    ];
    const filters = [{ column: 'type', value: 'workflow_paused' }];
    const [both, neither] = [
      follow({ records: true, after: '0', filters, workflow_keys: [first, second] }),
      follow({ records: true, after: '0', filters, workflow_keys: ['77'] }),
    ];
    await opened(both);
    for (const workflow_key of [first, second]) await client.call('workflow_pause', { workflow_key, paused: true });
    await expect.poll(() => keysOf(both)).toHaveLength(2);
    await opened(neither);
    expect(keysOf(neither)).toEqual([]);
    const wrong = followEvents(
      fresh.directory,
      asked({ records: true, filters: [{ column: 'x', value: '1' }] }),
      ending.signal,
    );
    await expect(wrong.next()).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining("'x'") });
  });

  it('refuses what it has no answer for, and those without the token', async () => {
    const token = `Bearer ${serving.file.token}`;
    for (const [path, status] of [
      ['/events?after=x', 400],
      ['/events?after=1&after=2x&records=maybe', 400],
      ['/events?workflow_key=a', 400],
      ['/events?workflow_key=1,', 400],
      ['/events?since=1', 400],
      ['/events?records=true&filter=nothing=1', 400],
      ['/events?filter=type=job_status', 400],
      ['/eventsx', 404],
    ] as const) {
      expect(await raw(path, token), path).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    }
    expect(await raw('/events', 'Bearer x')).toMatch(/^HTTP\/1.1 401 /);
    expect(await raw('/events', token, { method: 'POST' })).toMatch(/^HTTP\/1.1 404 /);
    expect(serving.numViewers).toBe(0);
  });

  it('ends for a client whose token was replaced when there is something to send, and goes on for one that reads the new one', async () => {
    const leaked = raw('/events?records=true', `Bearer ${serving.file.token}`);
    const own = follow({ records: true });
    await opened(own);
    await expect.poll(() => serving.numViewers).toBe(2);
    await client.call('server_rotate_token', { grace_seconds: 0 });
    await createWorkflow(client, [{ name: 'a' }]);
    expect(await leaked).toMatch(/event: open\n/);
    expect(await leaked).not.toContain('workflow_created');
    await expect.poll(() => keysOf(own), { timeout: 20_000 }).toEqual(await storedKeys());
  });

  it('ends for a client whose token was replaced though nothing happens', async () => {
    const quick: Clock = {
      ...systemClock,
      after: (ms, call) => systemClock.after(ms === limits.eventHeartbeatMs ? 10 : ms, call),
    };
    const other = await freshService(quick);
    const quickly = await serve(other.service);
    const leaked = raw('/events', `Bearer ${quickly.file.token}`, { from: quickly });
    await expect.poll(() => quickly.numViewers).toBe(1);
    await other.service.call('server_rotate_token', { grace_seconds: 0 });
    expect(await leaked).toMatch(/event: open\n/);
    await expect.poll(() => quickly.numViewers).toBe(0);
    await quickly.close();
    await other.close();
  });

  it('tells the end of a run at once to those who name its workflow', async () => {
    // a second never passes
    const slow: Clock = {
      ...systemClock,
      after: (ms, call) => (ms === limits.eventBatchMs ? () => {} : systemClock.after(ms, call)),
    };
    const other = await freshService(slow);
    const served = await serve(other.service);
    const api = openClient(other.directory);
    const key = await createWorkflow(api, [{ name: 'a' }]);
    const worker = await TestWorker.join(api, key);
    const [job] = (await worker.exchange()).jobs;
    const messages: FollowedMessage[] = [];
    const read = async () => {
      for await (const each of followEvents(other.directory, asked({ workflow_keys: [key] }), ending.signal))
        messages.push(each);
    };
    void read();
    await opened(messages);
    // after the first message there is a pause
    await api.call('workflow_pause', { workflow_key: key, paused: true });
    await expect.poll(() => factsOf(messages), { timeout: 20_000 }).not.toEqual([]);
    await worker.finish(job?.attempt ?? 0);
    await expect
      .poll(() => factsOf(messages).flatMap(({ facts }) => facts), { timeout: 20_000 })
      .toContain('run_ended');
    ending.abort();
    await api.close();
    await served.close();
    await other.close();
  });

  it('serves so many viewers and no more, and is free again when they have gone', async () => {
    const viewers = Array.from({ length: limits.eventStreams }, () => follow());
    await Promise.all(viewers.map(opened));
    expect(serving.numViewers).toBe(limits.eventStreams);
    const later = new AbortController();
    const refused = follow({}, later.signal);
    await expect
      .poll(() => refused[0])
      .toMatchObject({ event: 'away', data: { message: expect.stringMatching(/^64 viewers/) } });
    ending.abort();
    await expect.poll(() => refused.at(-1)?.event, { timeout: 20_000 }).toBe('open');
    expect(serving.numViewers).toBe(1);
    later.abort();
    await expect.poll(() => serving.numViewers).toBe(0);
  });
});

describe('the feed behind it', () => {
  it('keeps for a slow reader which workflows have changed, however much happens', async () => {
    const { EventFeed } = await import('../../src/server/live/event-feed.ts');
    const feed = new EventFeed(service);
    const reader = feed.follow(everything, ending.signal);
    expect((await reader.next()).value).toMatchObject({ event: 'open' });
    const next = reader.next();
    const key = await createWorkflow(service, [{ name: 'a' }]);
    expect((await next).value).toMatchObject({ event: 'changed' });
    for (let paused = 0; paused < 50; paused++) {
      await service.call('workflow_pause', { workflow_key: key, paused: paused % 2 === 0 });
    }
    const { value } = await reader.next();
    const newest = (await storedKeys()).at(-1);
    const workflows = [{ workflow_key: key, facts: expect.arrayContaining(['history_grew']) }];
    expect(value).toEqual({ event: 'changed', id: newest, data: { workflows } });
    await reader.return(undefined as unknown as EventMessage);
    expect(feed.size).toBe(0);
  });

  it('listens to facts only while somebody follows', async () => {
    const { EventFeed } = await import('../../src/server/live/event-feed.ts');
    let listeners = 0;
    const subscribe = (subscriber: Parameters<Service['subscribe']>[0]) => {
      listeners += 1;
      const end = service.subscribe(subscriber);
      return () => {
        listeners -= 1;
        end();
      };
    };
    const feed = new EventFeed({ db: service.db, clock: service.clock, epoch: 1, subscribe });
    const [one, two] = [new AbortController(), new AbortController()];
    expect(listeners).toBe(0);
    const readers = [feed.follow(everything, one.signal), feed.follow(everything, two.signal)];
    for (const reader of readers) await reader.next();
    expect(listeners).toBe(1);
    const ends = readers.map((reader) => reader.next());
    one.abort();
    await ends[0];
    expect([listeners, feed.size]).toEqual([1, 1]);
    two.abort();
    await ends[1];
    expect([listeners, feed.size]).toEqual([0, 0]);
  });
});

function request(worker: TestWorker, attempts: readonly number[]) {
  worker.seq += 1;
  const none = { started: [], returned: [], samples: [], time_left_ms: null, draining: false, leaving: false };
  return {
    ...none,
    ...{ protocol: 1, worker_id: worker.workerId, seq: worker.seq, epoch: 0, ack: worker.ack, held: [] },
    finished: attempts.map((attempt) => finished(attempt)),
  };
}
