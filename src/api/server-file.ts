/**
 * `server.json` in the server directory: where the server is and the secret that opens it. Mode 0600, written by
 * rename, so that a reader on another node sees the old one or the new one and never half of one.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, TorcError } from '../base/errors.ts';
import { fullWords } from '../base/full-disk.ts';
import { readPrivateFile, refuseSharedFolder, replacePrivateFile } from '../base/trusted/private.ts';

export interface ServerFile {
  /** Where the server listens, the best address first: `host:port`. */
  addresses: string[];
  hostname: string;
  pid: number;
  token: string;
  /** The server's self-signed certificate (PEM): the only one that a client accepts. */
  certificate: string;
  /** SHA-256 of the certificate, for people. */
  fingerprint: string;
  epoch: number;
  version: string;
  started_at: string;
}

export function serverFilePath(directory: string): string {
  return join(directory, 'server.json');
}

/** The published server, or null when none is published. Throws TorcError 'conflict' for a damaged or foreign file. */
export function readServerFile(directory: string): ServerFile | null {
  const path = serverFilePath(directory);
  let text: string | null;
  try {
    // another user's file would lead to another user's server
    refuseSharedFolder(directory);
    text = readPrivateFile(path);
  } catch (error) {
    if (error instanceof TorcError) throw error;
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    const failing = fullWords(code, directory);
    throw new TorcError(
      'unreachable',
      failing === null ? `cannot read ${path} (${code})` : `cannot read ${path}: ${failing.problem}`,
      failing?.advice ?? 'Check that you own the server directory, or choose another with --dir.',
    );
  }
  if (text === null) return null;
  const parsed = parse(text);
  if (parsed === null) {
    throw new TorcError('conflict', `${path} is damaged`, 'Stop the server, remove the file, start the server again.');
  }
  return parsed;
}

function parse(text: string): ServerFile | null {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return null;
    const file = value as ServerFile;
    const isWhole =
      Array.isArray(file.addresses) && typeof file.token === 'string' && typeof file.certificate === 'string';
    return isWhole ? file : null;
  } catch {
    return null;
  }
}

export function writeServerFile(directory: string, file: ServerFile): void {
  replacePrivateFile(serverFilePath(directory), `${JSON.stringify(file, null, 2)}\n`);
}

/** Removes the file if this process published it. */
export function removeServerFile(directory: string, own: { hostname: string; pid: number; epoch: number }): void {
  const file = readServerFile(directory);
  if (file?.hostname === own.hostname && file.pid === own.pid && file.epoch === own.epoch) {
    rmSync(serverFilePath(directory), { force: true });
  }
}
