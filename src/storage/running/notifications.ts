/** The notification rules of workflows. */
import type { ExportedNotification } from '../../api/contract.ts';
import {
  type NotificationEvent,
  type NotificationKind,
  type NotificationRule,
  shownTarget,
} from '../../model/notification.ts';
import type { Transaction } from '../database/transaction.ts';

export interface StoredRule extends NotificationRule {
  notificationKey: number;
}

interface RuleRow {
  notification_key: number;
  events: string;
  kind: NotificationKind;
  target: string;
  token_file: string | null;
}

/** The rules of a workflow, in order. */
export function notificationRules(tx: Transaction, workflowKey: number): StoredRule[] {
  return tx.db
    .all<RuleRow>(
      `SELECT notification_key, events, kind, target, token_file FROM notifications
       WHERE workflow_key = ? ORDER BY notification_key`,
      workflowKey,
    )
    .map((row) => ({
      notificationKey: row.notification_key,
      events: JSON.parse(row.events) as NotificationEvent[],
      kind: row.kind,
      target: row.target,
      tokenFile: row.token_file,
    }));
}

/** Those that tell this event. */
export function rulesFor(tx: Transaction, workflowKey: number, event: NotificationEvent): StoredRule[] {
  return notificationRules(tx, workflowKey).filter(({ events }) => events.includes(event));
}

/** Whether any of them does; asked once in a transaction. */
export function isAnyoneTold(tx: Transaction, workflowKey: number, event: NotificationEvent): boolean {
  return tx.remembered(`told ${workflowKey} ${event}`, () => rulesFor(tx, workflowKey, event).length > 0);
}

export function storeRules(tx: Transaction, workflowKey: number, rules: readonly NotificationRule[]): void {
  for (const { events, kind, target, tokenFile } of rules) {
    tx.db.run(
      `INSERT INTO notifications (workflow_key, events, kind, target, shown_target, token_file)
       VALUES (?, ?, ?, ?, ?, ?)`,
      workflowKey,
      JSON.stringify(events),
      kind,
      target,
      shownTarget({ kind, target }),
      tokenFile,
    );
  }
}

/** Puts these rules in the place of those that the workflow has; messages that were written go where they were to go. */
export function replaceRules(tx: Transaction, workflowKey: number, rules: readonly NotificationRule[]): void {
  tx.db.run('DELETE FROM notifications WHERE workflow_key = ?', workflowKey);
  storeRules(tx, workflowKey, rules);
}

/** The rules as an export has them: without the URL of a webhook. */
export function exportedRules(tx: Transaction, workflowKey: number): ExportedNotification[] {
  return notificationRules(tx, workflowKey).map(({ events, kind, target, tokenFile }) => {
    return { events: [...events], kind, target: kind === 'webhook' ? null : target, token_file: tokenFile };
  });
}
