/** Backups and checks of the database, while others are served. */
import { rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, isAbsolute } from 'node:path';
import type { Reply, Request } from '../../api/contract.ts';
import type { CheckReply, Problem } from '../../api/maintenance.ts';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';
import { createPrivateFile } from '../../base/trusted/private.ts';
import { readCopy } from '../../storage/database/backup-copy.ts';
import type { Database } from '../../storage/database/database.ts';
import { countRows, type SoundnessStep, schemaVersion, soundnessSteps } from '../../storage/database/soundness.ts';
import type { ServerContext } from '../context.ts';

/** At most this many problems are listed; all are counted. */
const mostNamed = 1_000;

/** Copies the database into a new file that only its owner can read. Throws TorcError 'conflict' when there is one. */
export async function makeBackup(
  context: ServerContext,
  { path }: Request<'server_backup'>,
): Promise<Reply<'server_backup'>> {
  if (!isAbsolute(path)) throw new TorcError('usage', `${path} is not an absolute path`);
  try {
    createPrivateFile(path, '');
  } catch (error) {
    throw explainPath(error, path);
  }
  try {
    await context.db.copyTo(path, context.clock.now());
    return { hostname: hostname(), size_bytes: statSync(path).size };
  } catch (error) {
    rmSync(path, { force: true });
    throw explainCopy(error, path);
  }
}

function explainPath(error: unknown, path: string): TorcError {
  const code = systemCode(error) ?? '';
  if (code === 'EEXIST') return new TorcError('conflict', `${path} already exists`, 'Choose another name.');
  const words = `cannot write ${path} on ${hostname()} (${code})`;
  return new TorcError('usage', words, `Check that ${dirname(path)} is your directory and that this host sees it.`);
}

function explainCopy(error: unknown, path: string): unknown {
  const code = systemCode(error) ?? '';
  if (code === 'SQLITE_FULL' || code.startsWith('SQLITE_IOERR')) {
    const words = `the copy ${path} could not be written: ${asTorcError(error).message}`;
    return new TorcError('no_space', words, 'Choose a file system with more space.');
  }
  if (code.startsWith('SQLITE_CORRUPT')) {
    return new TorcError('unusable', `the database is too damaged to be copied: ${asTorcError(error).message}`);
  }
  return error;
}

/** Reads a backup from beginning to end. Throws TorcError 'unusable' when it is not a whole database of torc. */
export function verifyBackup(path: string): { schema_version: number; num_workflows: number; num_jobs: number } {
  try {
    return readCopy(path);
  } catch (error) {
    if (error instanceof TorcError) throw error;
    throw new TorcError('unusable', `the copy ${path} is damaged: ${asTorcError(error).message}`, 'torc server check');
  }
}

/** Checks everything in pieces; a change in between is seen either before or after. */
export async function checkDatabase({ db }: ServerContext): Promise<CheckReply> {
  const found: Problem[] = [];
  let numProblems = 0;
  const note = (problems: readonly Problem[]): void => {
    numProblems += problems.length;
    found.push(...problems.slice(0, Math.max(0, mostNamed - found.length)));
  };
  try {
    for (const step of soundnessSteps(db)) {
      note(attempt(step));
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    note([unreadable(error)]);
  }
  return {
    sound: numProblems === 0,
    schema_version: schemaVersion(db),
    ...counts(db),
    num_problems: numProblems,
    problems: found,
  };
}

function attempt(step: SoundnessStep): Problem[] {
  try {
    return step();
  } catch (error) {
    return [unreadable(error)];
  }
}

/** Rethrows an error that is not the database's own about its file. */
function unreadable(error: unknown): Problem {
  const code = systemCode(error) ?? '';
  if (!code.startsWith('SQLITE_')) throw error;
  const message = `the file cannot be read: ${asTorcError(error).message} (${code})`;
  return { kind: 'damaged', workflow_key: null, job_key: null, job_name: null, message };
}

function counts(db: Database): Pick<CheckReply, 'num_workflows' | 'num_jobs' | 'num_attempts'> {
  const of = (table: 'workflows' | 'jobs' | 'attempts'): number => {
    try {
      return countRows(db, table);
    } catch {
      return 0;
    }
  };
  return { num_workflows: of('workflows'), num_jobs: of('jobs'), num_attempts: of('attempts') };
}
