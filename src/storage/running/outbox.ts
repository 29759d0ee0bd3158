/** The outbox: messages from the transaction that wrote them to their delivery. */
import type { NotificationEvent, NotificationTarget, ToldFacts } from '../../model/notification.ts';
import { shownTarget } from '../../model/notification.ts';
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from './due.ts';
import type { StoredRule } from './notifications.ts';

/** A message that fails is tried again after this, then after twice as long and so on. */
const firstDelayMs = 30_000;
const longestDelayMs = 3_600_000;
/** Most of a day. */
const mostAttempts = 20;

export interface Message extends NotificationTarget {
  messageKey: number;
  workflowKey: number;
  facts: ToldFacts;
  numAttempts: number;
  /** Null until a worker has settled it. */
  baseDirectory: string | null;
}

/** Writes a message; a second one of the same rule, run and event is not written, except of failed jobs. */
export function writeMessage(
  tx: Transaction,
  workflowKey: number,
  rule: StoredRule,
  facts: ToldFacts & { event: NotificationEvent },
  collectUntil: number | null = null,
): void {
  const { changes, key } = tx.db.run(
    `INSERT INTO messages (workflow_key, notification_key, kind, target, shown_target, token_file, run_id, event, facts,
       state, told_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    workflowKey,
    rule.notificationKey,
    rule.kind,
    rule.target,
    shownTarget(rule),
    rule.tokenFile,
    facts.run_id,
    facts.event,
    JSON.stringify(facts),
    collectUntil === null ? 'pending' : 'collecting',
    tx.now,
  );
  if (changes === 0) return;
  if (collectUntil === null) tx.tell({ kind: 'message_written', workflowKey });
  else setDue(tx, { kind: 'digest', dueAt: collectUntil, workflowKey, subjectKey: key });
}

export interface Digest {
  messageKey: number;
  facts: ToldFacts;
}

/** The message of failed jobs that still grows, and what was written before it. */
export function failureMessages(
  tx: Transaction,
  notificationKey: number,
  runId: number,
): { open: Digest | null; numClosed: number; lastAt: number } {
  const rows = tx.db.all<{ message_key: number; state: string; facts: string; told_at: number }>(
    `SELECT message_key, state, facts, told_at FROM messages
     WHERE notification_key = ? AND run_id = ? AND event = 'job_failed' ORDER BY message_key`,
    notificationKey,
    runId,
  );
  const open = rows.find(({ state }) => state === 'collecting');
  const closed = rows.filter(({ state }) => state !== 'collecting');
  return {
    open: open === undefined ? null : { messageKey: open.message_key, facts: JSON.parse(open.facts) as ToldFacts },
    numClosed: closed.length,
    lastAt: closed.at(-1)?.told_at ?? 0,
  };
}

export function growDigest(tx: Transaction, { messageKey }: Digest, facts: ToldFacts): void {
  tx.db.run('UPDATE messages SET facts = ? WHERE message_key = ?', JSON.stringify(facts), messageKey);
}

/** A digest grows no more; the next server sends it. */
export function closeDigest(tx: Transaction, messageKey: number): void {
  removeDue(tx, { kind: 'digest', subjectKey: messageKey });
  const row = tx.db.get<{ workflow_key: number }>(
    `UPDATE messages SET state = 'pending', told_at = ? WHERE message_key = ? AND state = 'collecting'
     RETURNING workflow_key`,
    tx.now,
    messageKey,
  );
  if (row !== undefined) tx.tell({ kind: 'message_written', workflowKey: row.workflow_key });
}

/** The run has ended: what was collected is sent with its end. */
export function closeDigests(tx: Transaction, workflowKey: number): void {
  const sql = `SELECT message_key FROM messages WHERE workflow_key = ? AND state = 'collecting' ORDER BY message_key`;
  for (const { message_key } of tx.db.all<{ message_key: number }>(sql, workflowKey)) closeDigest(tx, message_key);
}

interface MessageRow {
  message_key: number;
  workflow_key: number;
  kind: Message['kind'];
  target: string;
  token_file: string | null;
  facts: string;
  num_attempts: number;
  base_directory: string | null;
}

/**
 * Claims the oldest message that is to be sent: a pending one, or one that a server of an older epoch was sending and
 * did not postpone. Null when there is none.
 */
export function claimMessage(tx: Transaction, epoch: number): Message | null {
  const row = tx.db.get<MessageRow>(
    `SELECT m.*, w.base_directory FROM messages m JOIN workflows w ON w.workflow_key = m.workflow_key
     WHERE m.state IN ('pending', 'sending') AND (m.state = 'pending' OR m.epoch < ?) AND NOT ${isPostponed}
     ORDER BY m.message_key LIMIT 1`,
    epoch,
  );
  if (row === undefined) return null;
  tx.db.run(
    `UPDATE messages SET state = 'sending', epoch = ?, num_attempts = num_attempts + 1 WHERE message_key = ?`,
    epoch,
    row.message_key,
  );
  return {
    messageKey: row.message_key,
    workflowKey: row.workflow_key,
    kind: row.kind,
    target: row.target,
    tokenFile: row.token_file,
    facts: JSON.parse(row.facts) as ToldFacts,
    numAttempts: row.num_attempts + 1,
    baseDirectory: row.base_directory,
  };
}

const isPostponed = `EXISTS (SELECT 1 FROM due d WHERE d.kind = 'message' AND d.subject_key = m.message_key)`;

export function recordSent(tx: Transaction, { messageKey }: Message): void {
  tx.db.run(
    `UPDATE messages SET state = 'sent', sent_at = ?, error = NULL WHERE message_key = ? AND state = 'sending'`,
    tx.now,
    messageKey,
  );
}

/** A try failed: the message is sent again later, or given up after many tries. */
export function recordNotSent(tx: Transaction, message: Message, error: string): void {
  const { messageKey, workflowKey, numAttempts } = message;
  const isGivenUp = numAttempts >= mostAttempts;
  const { changes } = tx.db.run(
    `UPDATE messages SET state = ?, error = ? WHERE message_key = ? AND state = 'sending'`,
    isGivenUp ? 'failed' : 'sending',
    error,
    messageKey,
  );
  if (changes === 0) return;
  if (!isGivenUp) {
    const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (numAttempts - 1));
    setDue(tx, { kind: 'message', dueAt: tx.now + delayMs, workflowKey, subjectKey: messageKey });
    return;
  }
  const { event, run_id } = message.facts;
  const data = { message_key: String(messageKey), event, run_id, to: shownTarget(message), error };
  tx.event({ workflowKey, type: 'notification_failed', data: { ...data, num_attempts: numAttempts } });
}

/** The time of a postponed message has come. */
export function retryMessage(tx: Transaction, messageKey: number): void {
  const row = tx.db.get<{ workflow_key: number }>(
    `UPDATE messages SET state = 'pending' WHERE message_key = ? AND state = 'sending' RETURNING workflow_key`,
    messageKey,
  );
  if (row !== undefined) tx.tell({ kind: 'message_written', workflowKey: row.workflow_key });
}

/** Messages that are to be sent now or are being sent, of one workflow or of all. */
export function countOpenMessages(tx: Transaction, workflowKey: number | null): number {
  return tx.db.get<{ n: number }>(
    `SELECT count(*) AS n FROM messages m
     WHERE m.state IN ('pending', 'sending') AND NOT ${isPostponed} AND (? IS NULL OR m.workflow_key = ?)`,
    workflowKey,
    workflowKey,
  )?.n as number;
}

/** Messages that no server has tried to send, of all workflows. */
export function countUntriedMessages(tx: Transaction): number {
  const sql = `SELECT count(*) AS n FROM messages WHERE state = 'pending' AND num_attempts = 0`;
  return tx.db.get<{ n: number }>(sql)?.n ?? 0;
}

export interface UnsentMessages {
  /** A try has failed, and another one follows. */
  num_late: number;
  /** Given up, of the present run. */
  num_failed: number;
  /** Of the newest of them. */
  error: string | null;
}

export function unsentMessages(tx: Transaction, workflowKey: number): UnsentMessages {
  const row = tx.db.get<UnsentMessages>(
    `SELECT count(*) FILTER (WHERE m.state = 'sending') AS num_late,
       count(*) FILTER (WHERE m.state = 'failed') AS num_failed, max(m.error) AS error
     FROM messages m JOIN workflows w ON w.workflow_key = m.workflow_key
     WHERE m.workflow_key = ? AND (m.state = 'sending' AND ${isPostponed} OR m.state = 'failed' AND m.run_id = w.run_id)`,
    workflowKey,
  );
  return row ?? { num_late: 0, num_failed: 0, error: null };
}
