/** Contiguous keys for rows that are about to be stored. */
import type { Transaction } from '../database/transaction.ts';

/** Reserves keys in a table with AUTOINCREMENT; returns the first. Keys are never reused. */
export function reserveKeys(tx: Transaction, table: string, count: number): number {
  const row = tx.db.get<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?', table);
  const last = row?.seq ?? 0;
  if (count > 0) {
    if (row === undefined) tx.db.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, count);
    else tx.db.run('UPDATE sqlite_sequence SET seq = ? WHERE name = ?', last + count, table);
  }
  return last + 1;
}
