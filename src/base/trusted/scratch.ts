/** A folder only of this process on this node, for files through which it and its jobs tell each other something. */
import {
  closeSync,
  copyFileSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRegularFile } from './shared.ts';

/** Makes the folder, with a name that nobody can foresee. Throws the system's error. */
export function makeScratchFolder(prefix: string, parent = tmpdir()): string {
  return mkdtempSync(join(parent, prefix));
}

/** Throws the system's error. */
export function writeScratch(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** A copy of a file in a folder of this process. Throws the system's error. */
export function copyToScratch(from: string, to: string): void {
  copyFileSync(from, to);
}

/** A file that is written again and again, which costs less than one file after the other. */
export interface ReusedFile {
  path: string;
  /** Its whole content from now on. Throws the system's error. */
  write(text: string): void;
  close(): void;
}

/** Makes an empty file. Throws the system's error. */
export function openReusedFile(path: string): ReusedFile {
  const file = openSync(path, 'wx', 0o600);
  let length = 0;
  return {
    path,
    write(text) {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
      if (bytes.length < length) ftruncateSync(file, bytes.length);
      length = bytes.length;
    },
    close: () => closeSync(file),
  };
}

/**
 * The first `mostBytes` of a file, which is then removed; null when there is none. Throws the system's error, EINVAL or
 * ELOOP for what is no regular file.
 */
export function takeScratch(path: string, mostBytes: number): Buffer | null {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
  const { file } = openRegularFile(path);
  try {
    const content = Buffer.alloc(mostBytes);
    let length = 0;
    for (let read = 1; read > 0 && length < mostBytes; length += read) {
      read = readSync(file, content, length, mostBytes - length, null);
    }
    return content.subarray(0, length);
  } finally {
    closeSync(file);
    removeScratchFile(path);
  }
}

/** Never fails. */
export function removeScratchFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // what is left is removed with its folder
  }
}

/** Removes a folder. Never fails. */
export function removeScratchFolder(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // what is left is in the node's folder for such files
  }
}
