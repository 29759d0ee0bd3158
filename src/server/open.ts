/** Opens the service of a server directory in this process, and names the holder when another process has it. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { currentUser } from '../base/config.ts';
import { TorcError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { serverDirectoryNames } from '../base/paths.ts';
import { explainDirectory, openPrivateFolder } from '../base/trusted/private.ts';
import { version } from '../base/version.ts';
import { deleteStep, leftoverWorkflows } from '../storage/authoring/workflow-deletion.ts';
import { Database, replaceByCopy } from '../storage/database/database.ts';
import { databaseIdentity, isRestored, passRestored } from '../storage/database/epoch.ts';
import { forgetLastingServer } from '../storage/database/lasting-server.ts';
import { requireSqlite } from '../storage/database/sqlite.ts';
import { takeInSpools } from './evidence/spool-intake.ts';
import { seenEpoch } from './owner/epoch-file.ts';
import { heldBy, Ownership } from './owner/ownership.ts';
import { Service } from './service.ts';
import { workOffOverdue } from './time/timekeeper.ts';

/**
 * The service over `torc.db` in `directory`, which is created when missing. Throws TorcError 'busy' naming the holder,
 * and 'unusable' with advice when the database or its directory cannot be used; nothing stays open then.
 * `command` says what this process was started for; others that want the database see it.
 */
export async function openService(
  directory: string,
  clock: Clock,
  command: string,
  log: Log = silentLog,
): Promise<Service> {
  requireSqlite();
  const ownership = await takeDirectory(directory, clock, command);
  let db: Database;
  try {
    db = openDatabase(directory, ownership, clock.now());
  } catch (error) {
    ownership.release();
    throw error;
  }
  const place = { directory, identity: databaseIdentity(db), hostname: hostname() };
  const info = { version: version(), ...place, pid: process.pid, user: currentUser(), log };
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
    openPrivateFolder(directory, serverDirectoryNames);
    return await Ownership.take(directory, clock, command);
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}

function openDatabase(directory: string, ownership: Ownership, now: number): Database {
  const path = join(directory, 'torc.db');
  try {
    if (ownership.isTakenOver) replaceByCopy(path);
    return Database.open(path, undefined, now);
  } catch (error) {
    // the holder has left no note about itself
    if (error instanceof TorcError && error.code === 'busy') throw heldBy(directory, null);
    throw explainDirectory(error, directory);
  }
}

/** Runs before anybody is served. */
async function prepare(service: Service): Promise<void> {
  const { directory, log } = service.info;
  const { upgrade } = service.db;
  if (upgrade !== null) log.warn({ ...upgrade }, 'the database of an older torc was upgraded, after a copy was made');
  const seen = seenEpoch(directory);
  if (isRestored(service.db, seen)) {
    await service.write((tx) => {
      passRestored(tx, seen);
      // that it was to run was true at the time of the backup
      forgetLastingServer(tx);
    });
    log.warn({}, 'this database replaced a newer one; what only the newer one contained is lost');
  }
  await unlessFull(log, 'leftovers of workflows cannot be deleted', () => deleteLeftovers(service));
  await unlessFull(log, 'the spools of workers cannot be taken in; they stay', () => takeInSpools(service));
  await workOffOverdue(service);
}

async function deleteLeftovers(service: Service): Promise<void> {
  for (const workflowKey of await service.write(leftoverWorkflows)) {
    while (!(await service.write((tx) => deleteStep(tx, workflowKey))));
  }
}

/** On a full disk commands that read still work: what would write waits for the next opening. */
async function unlessFull(log: Log, message: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof TorcError && error.code === 'no_space')) throw error;
    log.error({ err: error }, message);
  }
}
