/** Generators: schedules whose instants are made by items, when enough of them wait or the first one has waited enough. */
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from '../database/transaction.ts';
import { countWaitingItems, giveItems, type NewItem, putItems } from '../running/items.ts';
import { admitTick } from '../running/ticks.ts';
import { type Schedule, scheduleByKey, setNextInstant } from './schedules.ts';

export interface Put {
  numNew: number;
  numWaiting: number;
  numRuns: number;
}

/** Collects items, and makes the runs that they are enough for. Throws TorcError 'usage' for a schedule of another kind. */
export function putIntoGenerator(tx: Transaction, generator: Schedule, items: readonly NewItem[]): Put {
  refuseOther(generator);
  const numNew = putItems(tx, generator.scheduleKey, items);
  const numRuns = fireGenerator(tx, generator, false);
  return { numNew, numRuns, numWaiting: countWaitingItems(tx, generator.scheduleKey) };
}

function refuseOther({ name, mostItems }: Schedule): void {
  if (mostItems !== null) return;
  const hint = `A generator does: torc generators add NAME SPEC --items 100. To start a workflow of ${name} now: torc schedules run ${name}`;
  throw new TorcError('usage', `schedule ${name} collects no items`, hint);
}

/** Makes runs of the items that wait: as long as there are enough, or with `isDue` of all; returns how many. */
export function fireGenerator(tx: Transaction, generator: Schedule, isDue: boolean): number {
  const { scheduleKey, overlap, mostItems, longestWaitMs, isPaused } = generator;
  if (mostItems === null) return 0;
  let numWaiting = countWaitingItems(tx, scheduleKey);
  let numRuns = 0;
  while ((!isPaused || isDue) && numWaiting > 0 && (isDue || numWaiting >= mostItems)) {
    admitTick(tx, { scheduleKey, overlap, at: tx.now, origin: 'items' });
    giveItems(tx, scheduleKey, mostItems);
    numWaiting -= Math.min(numWaiting, mostItems);
    numRuns += 1;
  }
  const nextAt = scheduleByKey(tx, scheduleKey)?.nextAt ?? null;
  if (numWaiting === 0 || longestWaitMs === null || isPaused) setNextInstant(tx, generator, null);
  else if (numRuns > 0 || nextAt === null) setNextInstant(tx, generator, tx.now + longestWaitMs);
  if (numRuns > 0) tx.tell({ kind: 'schedule_due', scheduleKey });
  return numRuns;
}
