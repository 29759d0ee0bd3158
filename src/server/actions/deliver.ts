/** Delivers one message: by e-mail, to a webhook, or by a command. Errors say why, and never a URL or a token. */
import { resolve } from 'node:path';
import { environment, usualDirectory } from '../../base/config.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import { notificationOutputPath } from '../../base/paths.ts';
import { runShellCommands } from '../../base/shell-commands.ts';
import { shellWord } from '../../base/text.ts';
import { type MessageText, messageText } from '../../model/decide/message-text.ts';
import type { NotificationTarget, ToldFacts } from '../../model/notification.ts';
import type { ServerContext } from '../context.ts';
import { postMessage } from './webhook.ts';

/** Of a command. */
const timeLimitMs = 300_000;

export interface Delivery extends NotificationTarget {
  /** Names the message: the same for each try, so that a receiver can drop a second copy. */
  id: string;
  facts: ToldFacts;
  /** Where a command runs; null for the server directory. */
  baseDirectory: string | null;
  /** The number of the file with the output of a command. */
  outputKey: number;
}

/** The message in words, with commands that work on this host. */
export function textOf({ info }: ServerContext, facts: ToldFacts): MessageText {
  const isUsual = info.directory === usualDirectory(environment());
  const torc = isUsual ? 'torc' : `torc --dir ${shellWord(resolve(info.directory))}`;
  return messageText(facts, { torc, hostname: info.hostname });
}

/** Resolves when the receiver has taken the message; throws TorcError with the reason else. */
export async function deliver(context: ServerContext, delivery: Delivery, abort: AbortSignal): Promise<void> {
  try {
    const text = textOf(context, delivery.facts);
    if (delivery.kind === 'command') return await runCommand(context, delivery, text, abort);
    if (delivery.kind === 'email') {
      const { sendMail } = await import('./mail.ts');
      return await sendMail(context.info, delivery, text, abort);
    }
    await postMessage(delivery, text, abort);
  } catch (error) {
    throw asTorcError(error);
  }
}

async function runCommand(
  { info }: ServerContext,
  { id, target, facts, baseDirectory, outputKey }: Delivery,
  { subject, text }: MessageText,
  abort: AbortSignal,
): Promise<void> {
  const outputPath = notificationOutputPath(info.directory, outputKey);
  const ended = await runShellCommands({
    commands: [target],
    workingDirectory: baseDirectory ?? info.directory,
    variables: {
      TORC_NOTIFICATION_ID: id,
      TORC_NOTIFICATION_EVENT: facts.event,
      TORC_NOTIFICATION_SUBJECT: subject,
      TORC_NOTIFICATION_TEXT: text,
      TORC_NOTIFICATION_FACTS: JSON.stringify(facts),
      TORC_WORKFLOW_KEY: facts.workflow_key,
      TORC_WORKFLOW_ID: facts.workflow_key,
      TORC_RUN_ID: String(facts.run_id),
      TORC_DIR: info.directory,
      TORC_JOB_DIR: info.directory,
    },
    outputPath,
    timeLimitMs,
    abort,
  });
  if (ended.error === null) return;
  const [returnCode] = ended.returnCodes;
  const isItsOwn = returnCode !== undefined && returnCode !== 0 && ended.error.startsWith('return code');
  const words = isItsOwn ? `the command ended with return code ${returnCode}` : ended.error;
  throw new TorcError('unusable', `${words}; its output is in ${outputPath}`);
}
