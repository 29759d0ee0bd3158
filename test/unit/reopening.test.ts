/** How often a server tries to open a database whose file system does not answer. */
import { expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { Reopening } from '../../src/server/owner/reopening.ts';
import type { Database } from '../../src/storage/database/database.ts';
import { fakeClock } from './cli-fakes.ts';

it('not again before as much time has passed as the last try took', () => {
  const clock = fakeClock();
  let [numTries, isOpen] = [0, false];
  const reopen = (): void => {
    numTries += 1;
    if (isOpen) return;
    clock.move(60_000);
    throw new Error('no answer');
  };
  const db = {
    get isOpen() {
      return isOpen;
    },
    reopen,
  } as unknown as Database;
  const reopening = new Reopening(db, clock, silentLog);
  isOpen = true;
  reopening.refuseUnusable();
  reopening.try(() => new TorcError('unreachable', 'away'));
  expect(() => reopening.refuseUnusable()).toThrow(/: away$/);
  expect(numTries).toBe(0);
  isOpen = false;
  reopening.try(() => null);
  clock.move(59_999);
  reopening.try(() => null);
  expect(numTries).toBe(1);
  expect(() => reopening.refuseUnusable()).toThrow(/: no answer$/);
  clock.move(1);
  isOpen = true;
  reopening.try(() => null);
  expect(numTries).toBe(2);
  reopening.refuseUnusable();
});
