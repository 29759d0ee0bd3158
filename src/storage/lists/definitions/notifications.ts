/** The list of notification rules, each with its messages. */
import { messageStates, notificationKinds } from '../../../model/notification.ts';
import { columns, type ListDefinition, word } from '../columns.ts';

const messagesOf = 'FROM messages m WHERE m.notification_key = n.notification_key';

const nextTry = (message: string): string =>
  `(SELECT d.due_at FROM due d WHERE d.kind = 'message' AND d.subject_key = ${message}.message_key)`;
const state = (message: string): string =>
  `CASE WHEN ${nextTry(message)} IS NOT NULL THEN 'postponed' ELSE ${message}.state END`;
const iso = (sql: string): string => `strftime('%Y-%m-%dT%H:%M:%fZ', ${sql} / 1000.0, 'unixepoch')`;

const messagesJson = `(SELECT json_group_array(json_object('message_key', CAST(l.message_key AS TEXT), 'run_id', l.run_id,
    'event', l.event, 'state', ${state('l')}, 'num_attempts', l.num_attempts, 'written_at', ${iso('l.told_at')},
    'sent_at', ${iso('l.sent_at')}, 'error', l.error))
  FROM (SELECT * ${messagesOf} ORDER BY m.message_key DESC LIMIT 100) l)`;

export const notifications: ListDefinition = {
  columns: [
    ...columns('key', ['notification_key', 'n.notification_key'], ['workflow_key', 'n.workflow_key']),
    ...columns('text', ['events', `(SELECT group_concat(value, ',') FROM json_each(n.events))`]),
    word(notificationKinds, 'kind', 'n.kind'),
    ...columns('text', ['target', 'n.shown_target']),
    ...columns('integer', ['num_messages', `(SELECT count(*) ${messagesOf})`]),
    ...columns('integer', ['num_sent', `(SELECT count(*) ${messagesOf} AND m.state = 'sent')`]),
    ...columns('integer', ['num_failed', `(SELECT count(*) ${messagesOf} AND m.state = 'failed')`]),
    ...columns('integer', ['run_id', 'f.run_id']),
    ...columns('text', ['event', 'f.event']),
    word(messageStates, 'state', state('f')),
    ...columns('text', ['error', 'f.error']),
    ...columns('instant', ['next_try_at', nextTry('f')]),
    ...columns('json', ['messages', messagesJson]),
  ],
  from: `notifications n LEFT JOIN messages f ON f.message_key = (SELECT max(m.message_key) ${messagesOf})`,
  where: '1',
  workflow: 'n.workflow_key',
  key: 'n.notification_key',
};
