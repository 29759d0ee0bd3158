/**
 * Looks at the files of jobs, hashes and reads them. The system gives this process only four threads for files: a file
 * system that hangs must leave some of them free.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, fstatSync, rmSync } from 'node:fs';
import { type FileHandle, opendir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { directoryDigest } from '../../base/directory-digest.ts';
import { systemCode } from '../../base/errors.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { openAgain, openNamedFile } from '../../base/trusted/named.ts';
import { below, isOwnLink, openOwnOrLinked } from '../../base/trusted/shared.ts';
import { fileMicroseconds } from '../../model/decide/changes.ts';

/** A file that exists. `identity` changes as soon as the content may have changed. */
export interface PresentFile {
  kind: 'there';
  sizeBytes: number;
  /** Microseconds since 1970; null outside the range that is counted exactly. */
  modifiedUs: number | null;
  changedUs: number | null;
  isRegular: boolean;
  isDirectory: boolean;
  identity: string;
}

/** `unknown`: it cannot be looked at; `code` is the system's name for the reason. */
export type SeenFile = PresentFile | { kind: 'absent' } | { kind: 'unknown'; code: string };

/** A text that was read, or null with what is wrong with the file; `problem` is null when there is no file. */
export type ReadText = { text: string } | { text: null; problem: string | null };

/** The files of jobs. */
export interface FileReader {
  /** Looks at what a path leads to. `isFresh` bypasses what a network file system remembers. Never fails. */
  look(path: string, isFresh: boolean): Promise<SeenFile>;
  /**
   * SHA-256 of the content as hex; of a directory, of what lies below it and when that was modified. Null when it is
   * neither, is too large, has changed since it was `seen`, or when reading has not started before `abort` fires. Never
   * fails.
   */
  hash(path: string, seen: PresentFile, abort: AbortSignal): Promise<string | null>;
  /** Makes a folder and those above it. Throws the system's error. */
  makeFolder(path: string): Promise<void>;
  /** Makes the folder of each path, and removes what is at the path itself. Throws the system's error. */
  makeRoom(paths: readonly string[]): Promise<void>;
  /** The text of a UTF-8 file of at most `longestBytes` bytes. Never fails. */
  readText(path: string, longestBytes: number): Promise<ReadText>;
  /** Whether this user made a link of this name, which a job does to tell something. Never fails. */
  hasLink(path: string): Promise<boolean>;
}

const longestHashedBytes = 64 * 1024 * 1024;
const pieceBytes = 256 * 1024;
const looksTogether = 2;
const hashesTogether = 1;
const rememberedHashes = 10_000;
/** Nothing about a directory itself tells that a file below it has changed. */
const directoryMs = 10_000;

/**
 * The files of this machine. Content that many jobs share is hashed once. Room is made and texts are read below one
 * directory, where others may be able to write.
 */
export function openFileReader(dataDirectory: string): FileReader {
  const looks = gate(looksTogether);
  const readings = gate(hashesTogether);
  const hashes = new Map<string, Promise<string | null>>();

  function remember(identity: string, hash: Promise<string | null>): void {
    hashes.delete(identity);
    hashes.set(identity, hash);
    const [oldest] = hashes.keys();
    if (hashes.size > rememberedHashes && oldest !== undefined) hashes.delete(oldest);
  }

  function forget(identity: string, hash: Promise<string | null>): void {
    if (hashes.get(identity) === hash) hashes.delete(identity);
  }

  return {
    look: (path, isFresh) => looks(() => lookAt(path, isFresh)),
    hash(path, seen, abort) {
      const isRead = seen.isDirectory || (seen.isRegular && seen.sizeBytes <= longestHashedBytes);
      if (!isRead) return Promise.resolve(null);
      const known = hashes.get(seen.identity);
      const read = seen.isDirectory ? digestOf : hashOf;
      const hash = known ?? readings(async () => (abort.aborted ? null : await read(path, seen)));
      remember(seen.identity, hash);
      if (seen.isDirectory && known === undefined) setTimeout(() => forget(seen.identity, hash), directoryMs).unref();
      if (known === undefined) {
        void hash.then((made) => {
          if (made === null) forget(seen.identity, hash);
        });
      }
      return hash;
    },
    async makeFolder(path) {
      makeFolders(path);
    },
    async makeRoom(paths) {
      for (const path of paths) {
        // a file system that does not answer must not block this process in the synchronous calls that follow
        await stat(dataDirectory).catch(() => {});
        below(dataDirectory, path, true, (place) => rmSync(place.path, { force: true }));
      }
    },
    readText: (path, longestBytes) => looks(() => textOf(dataDirectory, path, longestBytes)),
    hasLink: (path) => looks(() => isLinkOf(dataDirectory, path)),
  };
}

/** At most `width` of the tasks run at a time, in the order given. */
function gate(width: number): <T>(task: () => Promise<T>) => Promise<T> {
  let numFree = width;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (numFree > 0) numFree -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next === undefined) numFree += 1;
      else next();
    }
  };
}

async function lookAt(path: string, isFresh: boolean): Promise<SeenFile> {
  try {
    // opening a folder makes a network file system ask its server again
    if (isFresh) await (await opendir(dirname(path))).close();
    return presentFile(await stat(path, { bigint: true }));
  } catch (error) {
    const code = systemCode(error) ?? 'EIO';
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'absent' } : { kind: 'unknown', code };
  }
}

function presentFile(stats: BigIntStats): PresentFile {
  return {
    kind: 'there',
    sizeBytes: Math.min(Number(stats.size), Number.MAX_SAFE_INTEGER),
    modifiedUs: fileMicroseconds(stats.mtimeNs),
    changedUs: fileMicroseconds(stats.ctimeNs),
    isRegular: stats.isFile(),
    isDirectory: stats.isDirectory(),
    identity: [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' '),
  };
}

async function hashOf(path: string, seen: PresentFile): Promise<string | null> {
  let file: FileHandle | null = null;
  try {
    file = await openNamedFile(path);
    if (!(await isAsSeen(file, seen))) return null;
    const hash = createHash('sha256');
    for await (const piece of pieces(file, seen.sizeBytes)) hash.update(piece);
    return (await isAsSeen(file, seen)) ? hash.digest('hex') : null;
  } catch {
    return null;
  } finally {
    await file?.close().catch(() => {});
  }
}

async function digestOf(path: string, seen: PresentFile): Promise<string | null> {
  try {
    const digest = await directoryDigest(path);
    return presentFile(await stat(path, { bigint: true })).identity === seen.identity ? digest : null;
  } catch {
    return null;
  }
}

async function isAsSeen(file: FileHandle, seen: PresentFile): Promise<boolean> {
  return presentFile(await file.stat({ bigint: true })).identity === seen.identity;
}

/** The first `numBytes` of a file. Each piece is valid until the next one is requested. */
async function* pieces(file: FileHandle, numBytes: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, numBytes));
  for (let at = 0; at < numBytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, numBytes - at), at);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function isLinkOf(dataDirectory: string, path: string): Promise<boolean> {
  try {
    // a file system that does not answer must not block this process in the synchronous calls that follow
    await stat(dataDirectory);
    return below(dataDirectory, path, false, isOwnLink);
  } catch {
    return false;
  }
}

async function textOf(dataDirectory: string, path: string, longestBytes: number): Promise<ReadText> {
  let found: number | null = null;
  let file: FileHandle | null = null;
  try {
    // a file system that does not answer must not block this process in one of the synchronous calls that follow
    await stat(dataDirectory);
    found = below(dataDirectory, path, false, openOwnOrLinked);
    if (!fstatSync(found).isFile()) return { text: null, problem: 'is not a regular file' };
    file = await openAgain(found);
    const read: Buffer[] = [];
    for await (const piece of pieces(file, longestBytes + 1)) read.push(Buffer.from(piece));
    const content = Buffer.concat(read);
    if (content.length > longestBytes) return { text: null, problem: `is larger than ${longestBytes} bytes` };
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(content) };
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT') return { text: null, problem: null };
    if (code === 'EPERM') return { text: null, problem: 'is not a regular file' };
    return { text: null, problem: code?.startsWith('ERR_ENCODING') ? 'is not UTF-8' : `cannot be read (${code})` };
  } finally {
    if (found !== null) closeSync(found);
    await file?.close().catch(() => {});
  }
}
