/**
 * The credential of a running job: it opens one endpoint for one attempt. A worker derives it from a key of its own,
 * which the server derives from its secret, so that a job costs neither of them a message.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** Who a credential is of. */
export interface JobCredential {
  workerId: string;
  attempt: number;
}

const prefix = 'torc-job';

/** What the server keeps to itself, from its private key (PEM). */
export function credentialSecret(privateKey: string): Buffer {
  return createHmac('sha256', privateKey).update('credentials of jobs').digest();
}

/** What a worker is given when it introduces itself. */
export function workerKey(secret: Buffer, workerId: string): string {
  return createHmac('sha256', secret).update(workerId).digest('hex');
}

export function jobToken(key: string, { workerId, attempt }: JobCredential): string {
  return `${prefix}.${workerId}.${attempt}.${createHmac('sha256', key).update(String(attempt)).digest('hex')}`;
}

/** Who a token says it is of; null for what is none. */
export function readJobToken(token: string): JobCredential | null {
  const [, workerId, attempt] = /^torc-job\.([0-9a-f]{32})\.([1-9][0-9]{0,15})\.[0-9a-f]{64}$/.exec(token) ?? [];
  return workerId === undefined || attempt === undefined ? null : { workerId, attempt: Number(attempt) };
}

/** The same of a token that this secret has made; null for any other. */
export function checkJobToken(secret: Buffer, token: string): JobCredential | null {
  const credential = readJobToken(token);
  if (credential === null) return null;
  const right = jobToken(workerKey(secret, credential.workerId), credential);
  return right.length === token.length && timingSafeEqual(Buffer.from(right), Buffer.from(token)) ? credential : null;
}
