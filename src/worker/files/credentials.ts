/**
 * The files with which jobs prove which attempt they are: one for each running job, and beside them where the server is.
 * They are in a folder of the worker on its node. A file serves one job after the other.
 */
import { join } from 'node:path';
import type { Assignment } from '../../api/contract.ts';
import { readReachableServer } from '../../api/network.ts';
import { jobToken } from '../../base/job-credential.ts';
import {
  makeScratchFolder,
  openReusedFile,
  type ReusedFile,
  removeScratchFolder,
  writeScratch,
} from '../../base/trusted/scratch.ts';

export interface Credentials {
  /** The server has given the worker its key; without one jobs get no credentials. */
  greeted(key: string | undefined): void;
  /** Writes the credential of a job that is about to start; the variable that names it, empty where that is not possible. */
  give(job: Assignment): Record<string, string>;
  /** The attempt has ended. */
  take(attempt: number): void;
  /** Removes the folder; there are no running jobs. */
  close(): void;
}

/** Not that of a job in which the worker runs. */
const none = { TORC_JOB_TOKEN_FILE: '' };

export function openCredentials(directory: string, workerId: string): Credentials {
  let folder: string | null = null;
  let key: string | undefined;
  const given = new Map<number, ReusedFile>();
  const free: ReusedFile[] = [];
  const newFile = (): ReusedFile => openReusedFile(join(folder ?? '', `${given.size}.token`));
  return {
    greeted(newKey) {
      key = newKey;
      try {
        if (key === undefined) return;
        folder ??= makeScratchFolder('torc-jobs-');
        const server = readReachableServer(directory);
        if (server === null) return;
        const { token: _, ...public_ } = server;
        writeScratch(join(folder, 'server.json'), `${JSON.stringify(public_, null, 2)}\n`);
      } catch {
        // jobs then use the server directory
        key = undefined;
      }
    },
    give({ attempt }) {
      if (key === undefined || folder === null) return none;
      try {
        const file = free.pop() ?? newFile();
        given.set(attempt, file);
        file.write(`${jobToken(key, { workerId, attempt })}\n`);
        return { TORC_JOB_TOKEN_FILE: file.path };
      } catch {
        return none;
      }
    },
    take(attempt) {
      const file = given.get(attempt);
      if (file === undefined) return;
      given.delete(attempt);
      free.push(file);
    },
    close() {
      for (const file of [...given.values(), ...free]) file.close();
      given.clear();
      free.length = 0;
      if (folder !== null) removeScratchFolder(folder);
      folder = null;
    },
  };
}

/** Of a worker whose jobs get none. */
export const noCredentials: Credentials = { greeted: () => {}, give: () => ({}), take: () => {}, close: () => {} };
