/** The server's key and self-signed certificate: made once in the server directory, ECDSA P-256, mode 0600. */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { readPrivateFile, replacePrivateFile } from '../../base/trusted/private.ts';

export interface Identity {
  /** PEM. */
  key: string;
  certificate: string;
  /** SHA-256, colon-separated hex. */
  fingerprint: string;
}

const validDays = 3650;
const dayMs = 24 * 3600 * 1000;

/** The identity kept in `key.pem`, or a new one when there is none or it is about to expire. */
export async function loadIdentity(directory: string): Promise<Identity> {
  const path = join(directory, 'key.pem');
  const kept = readIdentity(path);
  if (kept !== null) return kept;
  const { generate } = await import('selfsigned');
  const nowMs = Date.now();
  const made = await generate([{ name: 'commonName', value: 'torc' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // nodes whose clocks are behind accept it as well
    notBeforeDate: new Date(nowMs - dayMs),
    notAfterDate: new Date(nowMs + validDays * dayMs),
  });
  replacePrivateFile(path, `${made.private.trim()}\n${made.cert.trim()}\n`);
  const identity = readIdentity(path);
  if (identity === null) throw new Error(`the new key in ${path} cannot be read`);
  return identity;
}

function readIdentity(path: string): Identity | null {
  const text = readPrivateFile(path);
  if (text === null) return null;
  const start = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (start < 0) return null;
  const certificate = text.slice(start);
  const parsed = new X509Certificate(certificate);
  const soon = Date.now() + dayMs;
  if (Date.parse(parsed.validTo) < soon) return null;
  return { key: text.slice(0, start), certificate, fingerprint: parsed.fingerprint256 };
}
