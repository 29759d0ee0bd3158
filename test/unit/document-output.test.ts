import { expect, it } from 'vitest';
import { isShown } from '../support/document-output.ts';
import { zoneWithNoon } from '../support/document-place.ts';

const list = (seconds: string, status = 'done') =>
  `job_key  status  exec_time_seconds  name\n1        ${status}    ${seconds}              fit\n`;

it('is the same whatever times, sizes and names were', () => {
  expect(isShown('elapsed: 1.4 s (3 jobs/s)\n', 'elapsed: 22 s (1 jobs/s)\n')).toBe(true);
  expect(isShown('it used 212M, its limit is 200M', 'it used 300M, its limit is 200M\n')).toBe(true);
  expect(isShown('allocations: 1 running, 1 ended\n', 'allocations: 2 ended\n')).toBe(true);
  expect(isShown('2  worker_2_976922c5\n', '2  worker_2_0123abcd\n')).toBe(true);
  expect(isShown(list('0.1'), list('12.34'))).toBe(true);
});

it('is another one with another word, number or line', () => {
  expect(isShown('done: 4\n', 'done: 5\n')).toBe(false);
  expect(isShown('it used 212M, its limit is 200M', 'it used 212M, its limit is 300M')).toBe(false);
  expect(isShown(list('0.1', 'lost'), list('0.1'))).toBe(false);
  expect(isShown('one\ntwo\n', 'one\n')).toBe(false);
  expect(isShown('', 'one\n')).toBe(false);
});

it('may leave out lines where the document says ..', () => {
  expect(isShown('one\ntwo\nthree\nfour\n', 'one\n..\nfour\n')).toBe(true);
  expect(isShown('one\ntwo\nthree\nfour\n', '..\ntwo\n..\n')).toBe(true);
  expect(isShown('one\ntwo\n', 'one\n..\n')).toBe(true);
  expect(isShown('one\ntwo\nthree\n', 'one\n..\nfour\n')).toBe(false);
  expect(isShown('one\ntwo\nthree\n', '..\nfive\n..\n')).toBe(false);
  expect(isShown('one\n', 'one\n..\none\n')).toBe(false);
});

it('documents run around noon, whatever the hour', () => {
  for (let hour = 0; hour < 24; hour++) {
    const now = new Date(Date.UTC(2026, 0, 1, hour, 59));
    expect(now.toLocaleTimeString('en-GB', { timeZone: zoneWithNoon(now) })).toBe('12:59:00');
  }
});
