/** Posts a message as JSON: `text` is what Slack, Mattermost and others show; the facts are for programs. */
import { systemCode, TorcError } from '../../base/errors.ts';
import { readSecretLine } from '../../base/trusted/secrets.ts';
import type { MessageText } from '../../model/decide/message-text.ts';
import { type NotificationTarget, type ToldFacts, webhookProblem } from '../../model/notification.ts';

const timeLimitMs = 30_000;

interface Post extends NotificationTarget {
  id: string;
  facts: ToldFacts;
}

/** Resolves when the receiver has answered with a status of 200 to 299. */
export async function postMessage(post: Post, { subject, text }: MessageText, abort: AbortSignal): Promise<void> {
  const { kind, target, tokenFile, id, facts } = post;
  const url = kind === 'webhook_file' ? readSecretLine(target) : target;
  const problem = webhookProblem(url, tokenFile !== null);
  if (problem !== null) throw new TorcError('usage', `what is in ${target} ${problem}`);
  const token = tokenFile === null ? null : readSecretLine(tokenFile);
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'torc',
        'idempotency-key': id,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ text: `*${subject}*\n${text}`, subject, id, ...facts }),
      redirect: 'manual',
      signal: AbortSignal.any([abort, AbortSignal.timeout(timeLimitMs)]),
    });
  } catch (error) {
    throw new TorcError('unreachable', whyUnreachable(error, new URL(url).host, abort));
  }
  // the body may repeat what was sent
  await response.body?.cancel().catch(() => {});
  if (response.ok) return;
  const isMoved = response.status >= 300 && response.status < 400;
  const words = isMoved ? `${response.status}, a redirection, which is not followed` : `status ${response.status}`;
  throw new TorcError('unreachable', `${new URL(url).host} answered with ${words}`);
}

function whyUnreachable(error: unknown, host: string, abort: AbortSignal): string {
  if (abort.aborted) return 'interrupted: the server ended';
  if (error instanceof Error && error.name === 'TimeoutError') return `${host} did not answer within 30 seconds`;
  const code = error instanceof Error ? (systemCode(error.cause) ?? systemCode(error)) : null;
  return `${host} cannot be reached${code === null ? '' : ` (${code})`}`;
}
