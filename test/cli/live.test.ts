/** Commands for those who look at a server: torc events monitor, torc server metrics-token. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const untilGo = 'while [ ! -e go ]; do sleep 0.05; done';

describe('torc events monitor', () => {
  it('prints each event once, through another server, until the run has ended', async () => {
    await place.create(untilGo, untilGo);
    await place.torc('workflows', 'start', '1');
    await place.torc('server', 'start', '--daemon');
    const monitor = place.start('-F', 'csv', 'events', 'monitor', '1', '--after', '0');
    await expect.poll(monitor.stdout, { timeout: 20_000 }).toContain('workflow_started');
    await place.torc('server', 'stop');
    await place.torc('server', 'start', '--daemon');
    const worker = place.start('jobs', 'run', '1');
    await expect.poll(monitor.stdout, { timeout: 20_000 }).toContain('worker_started');
    place.file('go', '');
    expect(await worker.ended).toMatchObject({ code: 0 });
    const { code, stdout, stderr } = await monitor.ended;
    expect(code).toBe(0);
    expect(stderr).toContain('still waiting for events');
    const { events } = await place.json<{ events: { event_key: string }[] }>(['events', 'list', '1']);
    const keys = stdout
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',')[0]);
    const last = events.findIndex(({ event_key }) => event_key === keys.at(-1));
    expect(keys).toEqual(events.slice(0, last + 1).map(({ event_key }) => event_key));
    expect(stdout).toContain('workflow_ended');
  });

  it('prints the rest when the server ends with the run', async () => {
    await place.create(untilGo);
    await place.torc('workflows', 'start', '1');
    // it serves while it runs the job, and ends with it
    const worker = place.start('jobs', 'run', '1');
    await expect.poll(async () => (await place.torc('server', 'info')).code).toBe(0);
    const monitor = place.start('-F', 'json', 'events', 'monitor', '1', '--after', '0');
    await expect.poll(monitor.stdout).toContain('worker_started');
    // it hears of nothing before the server is gone
    monitor.child.kill('SIGSTOP');
    place.file('go', '');
    expect(await worker.ended).toMatchObject({ code: 0 });
    monitor.child.kill('SIGCONT');
    const { code, stdout } = await monitor.ended;
    expect(code).toBe(0);
    const { events } = JSON.parse(stdout) as { events: { type: string }[] };
    expect(events.at(-1)).toMatchObject({ type: 'workflow_ended' });
    expect(events.filter(({ type }) => type === 'worker_started')).toHaveLength(1);
  });

  it('prints what a filter matches and ends after its duration, without a server too', async () => {
    await place.create(untilGo);
    const monitor = place.start('-F', 'json', 'events', 'monitor', '1', '-d', '1s', '-f', 'type=workflow_paused');
    const ended = await monitor.ended;
    // not started: nothing happens by itself
    expect(ended).toMatchObject({ code: 0, stdout: '{"events":[]}\n' });
    await place.torc('workflows', 'start', '1');
    const waiting = place.start('-F', 'json', 'events', 'monitor', '1', '--after', '0', '-f', 'type=workflow_paused');
    for (const command of ['pause', 'cancel']) expect(await place.torc(command, '1')).toMatchObject({ code: 0 });
    const { code, stdout } = await waiting.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ events: [{ type: 'workflow_paused' }] });
  });
});

describe('torc server metrics-token', () => {
  it('makes a token that only the owner can read, keeps it, and replaces it when asked to', async () => {
    expect(await place.torc('server', 'metrics-token')).toMatchObject({ code: 3, stdout: '' });
    await place.create('true');
    const file = join(place.dir, 'metrics-token');
    const made = await place.torc('server', 'metrics-token');
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining(`credentials_file: ${file}\n`) });
    expect(made.stderr).toContain('no server runs');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const token = readFileSync(file, 'utf8');
    expect(token).toMatch(/^[0-9a-f]{64}\n$/);
    expect(await place.json(['server', 'metrics-token'])).toEqual({ path: file, created: false, address: null });
    expect(readFileSync(file, 'utf8')).toBe(token);
    expect(await place.json(['server', 'metrics-token', '--replace'])).toMatchObject({ created: true });
    expect(readFileSync(file, 'utf8')).not.toBe(token);
    // as a full disk leaves it
    writeFileSync(file, '');
    expect(await place.json(['server', 'metrics-token'])).toMatchObject({ created: true });
    expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
  });
});
