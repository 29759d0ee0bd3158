/** The items that a generator collects: they wait, then a run takes them all at once. */
import { type Json, jsonText, parseJson } from '../../base/exact-json.ts';
import type { Transaction } from '../database/transaction.ts';

export interface NewItem {
  data: Json;
  /** The same id counts once. */
  id: string | null;
}

/** Stores items in their order; returns how many were new. */
export function putItems(tx: Transaction, scheduleKey: number, items: readonly NewItem[]): number {
  let numNew = 0;
  for (const { data, id } of items) {
    numNew += tx.db.run(
      'INSERT INTO items (schedule_key, id, data, put_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      scheduleKey,
      id,
      jsonText(data),
      tx.now,
    ).changes;
  }
  return numNew;
}

export function countWaitingItems(tx: Transaction, scheduleKey: number): number {
  const sql = 'SELECT count(*) AS n FROM items WHERE schedule_key = ? AND tick_key IS NULL';
  return tx.db.get<{ n: number }>(sql, scheduleKey)?.n ?? 0;
}

/** Gives the latest run of a generator the oldest items, at most `most`. */
export function giveItems(tx: Transaction, scheduleKey: number, most: number): void {
  tx.db.run(
    `UPDATE items SET tick_key = (SELECT max(tick_key) FROM ticks WHERE schedule_key = ?) WHERE item_key IN (
       SELECT item_key FROM items WHERE schedule_key = ? AND tick_key IS NULL ORDER BY item_key LIMIT ?)`,
    scheduleKey,
    scheduleKey,
    most,
  );
}

/** The items of a run, in their order. */
export function itemsOfTick(tx: Transaction, tickKey: number): Json[] {
  const sql = 'SELECT data FROM items WHERE tick_key = ? ORDER BY item_key';
  return tx.db.all<{ data: string }>(sql, tickKey).map(({ data }) => parseJson(data) as Json);
}

/** The workflow of a run has its items now. */
export function dropItems(tx: Transaction, tickKey: number): void {
  tx.db.run('DELETE FROM items WHERE tick_key = ? AND id IS NULL', tickKey);
  tx.db.run(`UPDATE items SET data = '' WHERE tick_key = ?`, tickKey);
}

/** Forgets the ids of runs that are not remembered either. */
export function forgetOldItems(tx: Transaction, scheduleKey: number): void {
  tx.db.run(
    `DELETE FROM items WHERE schedule_key = ? AND tick_key < (SELECT min(tick_key) FROM ticks WHERE schedule_key = ?)`,
    scheduleKey,
    scheduleKey,
  );
}
