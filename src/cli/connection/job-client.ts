/** The connection of a running job: with its own credential, which opens nothing but what the job may do. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openClient } from '../../api/client.ts';
import type { Api } from '../../api/contract.ts';
import { readServerFile, type ServerFile } from '../../api/server-file.ts';
import { TorcError } from '../../base/errors.ts';
import { readJobToken } from '../../base/job-credential.ts';
import type { Context } from '../context/context.ts';

/** The job in which this process runs. */
export interface JobClient {
  attempt: string;
  api: Api;
}

/** Null outside of a job that has a credential for the server directory. */
export function openJobClient({ directory, env }: Context): JobClient | null {
  const { TORC_JOB_TOKEN_FILE: path = '', TORC_JOB_DIR: ofJob = directory, TORC_ATTEMPT_KEY: own } = env;
  if (path === '' || ofJob !== directory) return null;
  const token = textOf(path)?.trim() ?? '';
  const credential = readJobToken(token);
  if (credential === null) return null;
  // the job has ended and left this process behind: the file is another job's by now
  if (own !== undefined && own !== String(credential.attempt)) return null;
  return { attempt: String(credential.attempt), api: openClient(directory, () => serverFor(directory, path, token)) };
}

/** Where the server is now as far as the job may know it, else where it was when its worker last asked. */
function serverFor(directory: string, path: string, token: string): ServerFile | null {
  const file = published(directory) ?? beside(path);
  return file === null ? null : { ...file, token };
}

function published(directory: string): ServerFile | null {
  try {
    return readServerFile(directory);
  } catch (error) {
    if (error instanceof TorcError) return null;
    throw error;
  }
}

function beside(path: string): Omit<ServerFile, 'token'> | null {
  const text = textOf(join(dirname(path), 'server.json'));
  return text === null ? null : (JSON.parse(text) as Omit<ServerFile, 'token'>);
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
