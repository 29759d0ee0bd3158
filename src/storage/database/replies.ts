/** Replies that are kept for a day, stored in the transaction of what they tell of. */
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from './transaction.ts';

const keptMs = 24 * 3600 * 1000;
/** Each new reply removes at most so many old ones. */
const removedAtOnce = 10;
/** Of a plan that was carried out; how many there were in all is told beside them. */
const keptChanges = 1_000;

/** A request that may be repeated, by the key that its client made. */
export interface RepeatableRequest {
  idempotencyKey: string;
  endpoint: string;
}

/** What was answered to this request, or null. Throws TorcError 'conflict' when the key is that of another one. */
export function findReply(tx: Transaction, { idempotencyKey, endpoint }: RepeatableRequest): unknown {
  const row = tx.db.get('SELECT endpoint, reply FROM replies WHERE idempotency_key = ?', idempotencyKey);
  if (row === undefined) return null;
  if (row.endpoint !== endpoint) {
    throw new TorcError(
      'conflict',
      `the idempotency key was used for ${row.endpoint}`,
      'Make a new one for each call.',
    );
  }
  return JSON.parse(row.reply as string);
}

/** Keeps the reply of a request that changes something, and forgets some that are older than a day. */
export function keepReply(tx: Transaction, request: RepeatableRequest, reply: object): void {
  tx.db.run(
    `DELETE FROM replies WHERE answered_at < ?
       AND reply_key IN (SELECT reply_key FROM replies ORDER BY reply_key LIMIT ${removedAtOnce})`,
    tx.now - keptMs,
  );
  tx.db.run(
    'INSERT INTO replies (idempotency_key, endpoint, reply, answered_at) VALUES (?, ?, ?, ?)',
    request.idempotencyKey,
    request.endpoint,
    JSON.stringify('changes' in reply && Array.isArray(reply.changes) ? shortened(reply, reply.changes) : reply),
    tx.now,
  );
}

function shortened(reply: object, changes: unknown[]): object {
  return { ...reply, changes: changes.slice(0, keptChanges) };
}
