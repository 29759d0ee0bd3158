/**
 * Files that a workflow or a person names. They may be anybody's, and links on the way to them are meant; still, nothing
 * waits for the other end of a pipe.
 */
import { constants, openSync, renameSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './folders.ts';

const reading = constants.O_RDONLY | constants.O_NONBLOCK;

/** Opens a file that is to be read. */
export function openNamedFile(path: string): Promise<FileHandle> {
  return open(path, reading);
}

/** Opens a file of the kernel's that is read again and again. */
export function openKernelFile(path: string): number {
  return openSync(path, reading);
}

/** The file of a descriptor once more, to be read without blocking this process. Both have to be closed. */
export function openAgain(file: number): Promise<FileHandle> {
  return open(`/proc/self/fd/${file}`, reading);
}

/** Gives a finished file the name that a person chose, durably. */
export function moveIntoPlace(from: string, to: string): void {
  renameSync(from, to);
  syncFolder(dirname(to));
}
