/**
 * The epoch: goes up each time a process begins to serve, so that a worker can tell a newer server from an older one.
 */
import type { Database } from './database.ts';
import type { Transaction } from './transaction.ts';

/** How far the keys that people type jump, so that none repeats a key that the restored backup does not contain. */
const keyGaps = { workflows: 1_000, jobs: 10_000_000, compute_nodes: 10_000, action_firings: 10_000, messages: 10_000 };

export function readEpoch(db: Database): number {
  return readMeta(db, 'epoch') ?? 0;
}

/** Which database this is; another one in the same directory has another number. */
export function databaseIdentity(db: Database): number {
  return readMeta(db, 'identity') ?? 0;
}

/** Raises the epoch above its last value and `seen`, and returns it. */
export function raiseEpoch(tx: Transaction, seen: number): number {
  const sql = `UPDATE meta SET value = max(value, ?) + 1 WHERE name = 'epoch' RETURNING value`;
  return tx.db.get<{ value: number }>(sql, seen)?.value ?? 0;
}

/** Writes the epoch as it is: shows whether anything can be written. */
export function rewriteEpoch(tx: Transaction): void {
  tx.db.run(`UPDATE meta SET value = value WHERE name = 'epoch'`);
}

/**
 * Whether the database is a backup that replaced a newer database: it is marked as a copy, or the directory has seen a
 * higher epoch than the database stores.
 */
export function isRestored(db: Database, seenEpoch: number): boolean {
  return readMeta(db, 'copied_at') !== null || readEpoch(db) < seenEpoch;
}

/**
 * Prepares a restored database for use: it gives out no key that the newer database has given out, and its epoch is
 * above every epoch seen. Workers that still run report attempts of the newer database; these stay unknown here.
 */
export function passRestored(tx: Transaction, seenEpoch: number): void {
  // fewer than a million keys are given out per second, so this is above the keys of any earlier restore
  raiseKeys(tx, 'attempts', tx.now * 1000);
  for (const [table, gap] of Object.entries(keyGaps)) raiseKeys(tx, table, lastKey(tx, table) + gap);
  const beyondEpochs = Math.floor(tx.now / 1000);
  tx.db.run(`UPDATE meta SET value = max(value, ?, ?) WHERE name = 'epoch'`, seenEpoch, beyondEpochs);
  tx.db.run(`DELETE FROM meta WHERE name = 'copied_at'`);
}

function raiseKeys(tx: Transaction, table: string, key: number): void {
  const { changes } = tx.db.run('UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?', key, table);
  if (changes === 0) tx.db.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', table, key);
}

function lastKey(tx: Transaction, table: string): number {
  return tx.db.get<{ seq: number }>('SELECT seq FROM sqlite_sequence WHERE name = ?', table)?.seq ?? 0;
}

function readMeta(db: Database, name: string): number | null {
  return db.get<{ value: number }>('SELECT value FROM meta WHERE name = ?', name)?.value ?? null;
}
