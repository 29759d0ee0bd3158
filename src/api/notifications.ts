/** Messages to people. */
import { z } from 'zod';
import { notificationEvents, notificationKinds, webhookProblem } from '../model/notification.ts';
import { key, text } from './fields.ts';

const target = text.min(1).max(65_536);

/** A rule; `target` is an e-mail address, a URL, the absolute path of a file with one, or a command. */
export const newNotification = z
  .strictObject({
    events: z.array(z.enum(notificationEvents)).min(1),
    kind: z.enum(notificationKinds),
    target,
    /** Its first line is the bearer token of a webhook. */
    token_file: target.nullable(),
  })
  .superRefine(({ kind, target, token_file }, context) => {
    const problem = kind === 'webhook' ? webhookProblem(target, token_file !== null) : null;
    if (problem !== null) context.addIssue({ code: 'custom', message: problem, path: ['target'] });
  });

/** A rule in an export; the URL of a webhook is a secret, so `target` is null. */
export const exportedNotification = () =>
  z.strictObject({
    events: z.array(z.enum(notificationEvents)),
    kind: z.enum(notificationKinds),
    target: z.string().nullable(),
    token_file: z.string().nullable(),
  });
export type ExportedNotification = z.infer<ReturnType<typeof exportedNotification>>;

export const testNotifications = z.strictObject({
  workflow_key: key,
  /** Only this rule; null for all. */
  notification_key: key.nullable(),
  /** Sends nothing. */
  dry_run: z.boolean(),
});

/** What was sent, or would be. */
export const testedNotifications = () =>
  z.strictObject({
    workflow_key: key,
    subject: z.string(),
    text: z.string(),
    notifications: z.array(
      z.strictObject({
        notification_key: key,
        kind: z.enum(notificationKinds),
        target: z.string(),
        /** Null when it was sent, or with `dry_run`. */
        error: z.string().nullable(),
      }),
    ),
  });
