/** Opens the service of a server directory in this process, and says who holds it when that is somebody else. */
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { currentUser } from '../base/config.ts';
import { systemCode, TorcError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { version } from '../base/version.ts';
import { deleteStep, leftoverWorkflows } from '../storage/authoring/workflow-deletion.ts';
import { Database, replaceByCopy } from '../storage/database/database.ts';
import { isRestored, passRestored } from '../storage/database/epoch.ts';
import { takeInSpools } from './evidence/spool-intake.ts';
import { seenEpoch } from './owner/epoch-file.ts';
import { heldBy, Ownership } from './owner/ownership.ts';
import { Service } from './service.ts';
import { workOffOverdue } from './time/timekeeper.ts';

/**
 * The service over `torc.db` in `directory`, which is made when missing. Throws TorcError 'busy' naming the holder, and
 * 'unusable' with a way out when the database or its directory cannot be used; then nothing is left open.
 * `command` is what this process was started for; it is shown to others that want the database.
 */
export async function openService(
  directory: string,
  clock: Clock,
  command: string,
  log: Log = silentLog,
): Promise<Service> {
  const ownership = await takeDirectory(directory, clock, command);
  let db: Database;
  try {
    db = openDatabase(directory, ownership);
  } catch (error) {
    ownership.release();
    throw error;
  }
  const info = { version: version(), directory, hostname: hostname(), pid: process.pid, user: currentUser(), log };
  const service = new Service(db, clock, info, ownership);
  try {
    await prepare(service);
  } catch (error) {
    await service.close();
    throw error;
  }
  return service;
}

async function takeDirectory(directory: string, clock: Clock, command: string): Promise<Ownership> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return await Ownership.take(directory, clock, command);
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}

/** What the system says against a server directory as a TorcError that tells what to do; anything else as it is. */
export function explainDirectory(error: unknown, directory: string): unknown {
  const code = systemCode(error);
  if (error instanceof TorcError || code === null) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new TorcError('no_space', `there is no room in ${directory} (${code})`, 'Make room and try again.');
  }
  return new TorcError(
    'unusable',
    `cannot use the server directory ${directory} (${code})`,
    'Check that it is a directory of yours and writable, or choose another one with --dir.',
  );
}

function openDatabase(directory: string, ownership: Ownership): Database {
  const path = join(directory, 'torc.db');
  try {
    if (ownership.isTakenOver) replaceByCopy(path);
    return Database.open(path);
  } catch (error) {
    // who holds it has written nothing about itself
    if (error instanceof TorcError && error.code === 'busy') throw heldBy(directory, null);
    throw explainDirectory(error, directory);
  }
}

/** What is to be done before anybody is served. */
async function prepare(service: Service): Promise<void> {
  const { directory, log } = service.info;
  const seen = seenEpoch(directory);
  if (isRestored(service.db, seen)) {
    await service.write((tx) => passRestored(tx, seen));
    log.warn({}, 'this database was put in the place of a newer one: what that one knew more is lost');
  }
  for (const workflowKey of await service.write(leftoverWorkflows)) {
    while (!(await service.write((tx) => deleteStep(tx, workflowKey))));
  }
  await takeInSpools(service);
  await workOffOverdue(service);
}
