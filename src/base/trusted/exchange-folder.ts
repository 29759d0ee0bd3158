/** Where a process and its jobs write files for each other, of which both know only the path. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unsafeFolder } from './parents.ts';

/** A folder that leads to `path` whoever else may write around it. */
export interface ExchangeFolder {
  path: string;
  /** Removes it if it was made for this process. Never fails. */
  close(): void;
}

/**
 * `root`, or, where others could put another folder in the place of `root/name` while a job runs, a new folder that only
 * this user can enter, on this machine. Throws the system's error.
 */
export function exchangeFolder(root: string, name: string): ExchangeFolder {
  if (unsafeFolder(join(root, name)) === null) return { path: root, close() {} };
  const path = mkdtempSync(join(tmpdir(), 'torc-'));
  return {
    path,
    close() {
      try {
        rmSync(path, { recursive: true, force: true });
      } catch {
        // it lies where the system tidies up
      }
    },
  };
}
