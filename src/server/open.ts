/** Opens the service of a server directory in this process, and says who holds it when that is somebody else. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Clock, isoInstant } from '../base/clock.ts';
import { currentUser } from '../base/config.ts';
import { TorcError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { version } from '../base/version.ts';
import { Database } from '../storage/database.ts';
import { deleteStep, leftoverWorkflows } from '../storage/workflow-deletion.ts';
import { Service } from './service.ts';
import { takeInSpools } from './spool-intake.ts';

/** Who holds the database: written by each owner after it has the lock, for the message of the next one. */
export interface Holder {
  hostname: string;
  pid: number;
  command: string;
  since: string;
}

/**
 * The service over `torc.db` in `directory`, which is made when missing. Throws TorcError 'busy' naming the holder.
 * `command` is what this process was started for; it is shown to others that want the database.
 */
export async function openService(
  directory: string,
  clock: Clock,
  command: string,
  log: Log = silentLog,
): Promise<Service> {
  let db: Database;
  try {
    db = Database.open(join(directory, 'torc.db'));
  } catch (error) {
    if (error instanceof TorcError && error.code === 'busy') throw heldBy(directory, readHolder(directory));
    throw error;
  }
  const info = { version: version(), directory, hostname: hostname(), pid: process.pid, user: currentUser(), log };
  writeHolder(directory, { hostname: info.hostname, pid: info.pid, command, since: isoInstant(clock.now()) ?? '' });
  const service = new Service(db, clock, info);
  for (const workflowKey of await service.write(leftoverWorkflows)) {
    while (!(await service.write((tx) => deleteStep(tx, workflowKey))));
  }
  await takeInSpools(service);
  return service;
}

export function heldBy(directory: string, holder: Holder | null): TorcError {
  if (holder === null) {
    return new TorcError('busy', `another process holds the database in ${directory}`, 'Wait until it has ended.');
  }
  return new TorcError(
    'busy',
    `'${holder.command}' on ${holder.hostname} (pid ${holder.pid}, since ${holder.since}) holds the database in ${directory}`,
    `Wait until it has ended, or end it on ${holder.hostname}: kill ${holder.pid}`,
  );
}

export function readHolder(directory: string): Holder | null {
  try {
    return JSON.parse(readFileSync(join(directory, 'holder.json'), 'utf8')) as Holder;
  } catch {
    return null;
  }
}

function writeHolder(directory: string, holder: Holder): void {
  const path = join(directory, 'holder.json');
  writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  renameSync(`${path}.${process.pid}`, path);
}

/** Removed while the lock is still held, so that the next owner's file is never taken away. */
export function removeHolder(directory: string): void {
  rmSync(join(directory, 'holder.json'), { force: true });
}
