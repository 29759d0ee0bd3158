/** E-mail by SMTP: through `smtp.json` of the server directory, else through the mail program of this host. */
import { resolve } from 'node:path';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import { TorcError } from '../../base/errors.ts';
import { smtpPath } from '../../base/paths.ts';
import { visible } from '../../base/text.ts';
import { readPrivateFile } from '../../base/trusted/private.ts';
import { readSecretLine } from '../../base/trusted/secrets.ts';
import type { MessageText } from '../../model/decide/message-text.ts';
import { isLoopback } from '../../model/notification.ts';
import type { ServiceInfo } from '../context.ts';

const timeLimitMs = 30_000;

const settings = z.strictObject({
  host: z.string().min(1).default('localhost'),
  port: z.int().min(1).max(65_535).optional(),
  /** `tls`: from the first byte; `starttls`: before anything is sent; `none`: not at all. */
  security: z.enum(['tls', 'starttls', 'none']).optional(),
  user: z.string().min(1).optional(),
  /** A file whose first line is the password; relative to the server directory. */
  password_file: z.string().min(1).optional(),
  from: z.string().min(3).optional(),
});
type Settings = z.infer<typeof settings>;

/** Resolves when the mail server has taken the message; throws TorcError with its answer else. */
export async function sendMail(
  info: ServiceInfo,
  { id, target }: { id: string; target: string },
  { subject, text }: MessageText,
  abort: AbortSignal,
): Promise<void> {
  const { host, port, user, password_file, from, security } = readSettings(info.directory);
  const usual = { tls: 465, starttls: 587, none: 25 };
  const secured = security ?? (user === undefined ? 'none' : 'starttls');
  const auth = user === undefined ? {} : { auth: { user, pass: password(info.directory, password_file) } };
  const transport = createTransport({
    host,
    port: port ?? usual[secured],
    secure: secured === 'tls',
    requireTLS: secured === 'starttls',
    ignoreTLS: secured === 'none',
    ...auth,
    connectionTimeout: timeLimitMs,
    greetingTimeout: timeLimitMs,
    socketTimeout: timeLimitMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const stop = (): void => transport.close();
  abort.addEventListener('abort', stop, { once: true });
  try {
    await transport.sendMail({
      from: from ?? `torc <${info.user}@${info.hostname}>`,
      to: target,
      subject,
      text,
      messageId: `<${id}@${info.hostname}>`,
      headers: { 'Auto-Submitted': 'auto-generated' },
    });
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new TorcError('unreachable', `the mail server ${host} did not take it: ${visible(words).slice(0, 300)}`);
  } finally {
    abort.removeEventListener('abort', stop);
    transport.close();
  }
}

function readSettings(directory: string): Settings {
  const path = smtpPath(directory);
  const text = readPrivateFile(path);
  if (text === null) return settings.parse({});
  const hint = 'docs/notifications.md has an example.';
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    throw new TorcError('usage', `${path} is not JSON`, hint);
  }
  const { data, error } = settings.safeParse(read);
  if (data === undefined) throw new TorcError('usage', `${path}: ${z.prettifyError(error)}`, hint);
  const isOpen = data.security === 'none' && data.user !== undefined && !isLoopback(data.host);
  if (isOpen)
    throw new TorcError('usage', `${path} would send the password unencrypted: set security to starttls`, hint);
  return data;
}

function password(directory: string, file: string | undefined): string {
  if (file !== undefined) return readSecretLine(resolve(directory, file));
  throw new TorcError('usage', `${smtpPath(directory)} names a user and no password_file`, 'Name a file, chmod 600.');
}
