/** Replies, stored for a day in the transaction that they report, so that a repeated request gets the same one. */

import { TorcError } from '../../base/errors.ts';
import { jsonText, parseMessage } from '../../base/exact-json.ts';
import type { Transaction } from './transaction.ts';

const keptMs = 24 * 3600 * 1000;
/** How many old replies each new one removes at most. */
const removedAtOnce = 10;
/** How many changes of an applied plan are kept; the reply holds their number beside them. */
const keptChanges = 1_000;

/** A request that may be repeated, identified by a key that its client chose. */
export interface RepeatableRequest {
  idempotencyKey: string;
  endpoint: string;
}

/** The reply to this request, or null. Throws TorcError 'conflict' when another endpoint has used the key. */
export function findReply(tx: Transaction, { idempotencyKey, endpoint }: RepeatableRequest): unknown {
  const row = tx.db.get<{ endpoint: string; reply: string }>(
    'SELECT endpoint, reply FROM replies WHERE idempotency_key = ?',
    idempotencyKey,
  );
  if (row === undefined) return null;
  if (row.endpoint !== endpoint) {
    throw new TorcError(
      'conflict',
      `this idempotency key was already used for ${row.endpoint}`,
      'Use a new key for each call.',
    );
  }
  return parseMessage(row.reply);
}

/** Keeps the reply to a request that changes something, and deletes some that are older than a day. */
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
    jsonText('changes' in reply && Array.isArray(reply.changes) ? shortened(reply, reply.changes) : reply),
    tx.now,
  );
}

function shortened(reply: object, changes: unknown[]): object {
  return { ...reply, changes: changes.slice(0, keptChanges) };
}
