/** The epoch: goes up each time a process begins to serve, so that a worker can tell a newer server from an older one. */
import type { Database } from './database.ts';
import type { Transaction } from './transaction.ts';

export function readEpoch(db: Database): number {
  return db.get(`SELECT value FROM meta WHERE name = 'epoch'`)?.value as number;
}

/** Raises the epoch and returns the new one. */
export function raiseEpoch(tx: Transaction): number {
  return tx.db.get(`UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value`)?.value as number;
}
