/** What happens to jobs while their fork server starts. */
import { expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import type { ServedSpawner } from '../../src/worker/processes/helper-spawner.ts';
import type { SpawnListener, SpawnRequest } from '../../src/worker/processes/spawner.ts';
import { StartingServer } from '../../src/worker/processes/warm-start.ts';
import { FakeClock } from '../support/fake-machine.ts';

const listener: SpawnListener = { started() {}, placed() {}, withdrawn() {}, failed() {}, exited() {} };

/** Notes what it is asked for. */
function noting(name: string, notes: string[]): ServedSpawner {
  return {
    isIdle: true,
    spawn: ({ text, cpus, variables }) => notes.push(`${name} starts ${text} on ${cpus}, ${variables.TORC_CPUS}`),
    queue: ({ text }) => {
      notes.push(`${name} queues ${text}`);
      return {
        start: (cpus) => notes.push(`${name} starts ${text} on ${cpus}`),
        withdraw: () => notes.push(`${name} withdraws ${text}`),
      };
    },
    end() {},
    close() {},
  };
}

function begin() {
  const notes: string[] = [];
  const clock = new FakeClock();
  let ready = () => {};
  const server = new StartingServer({
    ...{ clock, log: silentLog, cold: noting('cold', notes) },
    open: (whenReady) => {
      ready = whenReady;
      return noting('warm', notes);
    },
  });
  const request = (text: string): SpawnRequest => ({
    ...{ attempt: 1, text, place: 'a', cpus: null, isBound: false, variables: {}, warm: 'server' },
    ...{ stdoutPath: '', stderrPath: '' },
  });
  const queue = (text: string) =>
    server.queue?.(request(text), { ...listener, withdrawn: () => notes.push(`${text} is withdrawn`) });
  return { notes, clock, server, queue, request, ready: () => ready() };
}

it.each(['warm', 'cold'])('jobs that wait for a place, and start or are taken back before a %s start', async (kind) => {
  const { notes, clock, queue, ready } = begin();
  const [placed, withdrawn, waiting, late] = ['placed', 'withdrawn', 'waiting', 'late'].map(queue);
  placed?.start('0-1');
  withdrawn?.withdraw();
  await Promise.resolve();
  expect(notes).toEqual(['withdrawn is withdrawn']);
  // neither does anything any more
  placed?.withdraw();
  if (kind === 'warm') ready();
  else await clock.advance(10_000);
  waiting?.start('2');
  late?.withdraw();
  expect(notes.slice(1)).toEqual([
    `${kind} starts placed on 0-1, 0-1`,
    `${kind} queues waiting`,
    `${kind} queues late`,
    `${kind} starts waiting on 2`,
    `${kind} withdraws late`,
  ]);
});

it('a server is not idle while jobs wait for it, and one that is lost leaves them to start without it', () => {
  const { notes, server, request } = begin();
  expect(server.isIdle).toBe(true);
  server.spawn(request('one'), listener);
  expect(server.isIdle).toBe(false);
  server.lost();
  server.spawn(request('two'), listener);
  expect(notes).toEqual(['cold starts one on null, undefined', 'cold starts two on null, undefined']);
});
