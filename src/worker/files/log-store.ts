/**
 * Keeps the output of jobs in one compressed file for the whole worker. The file is only appended to, so that it can be
 * read at the same time. It is not made durable for each job, but it is closed soon after a write, because network file
 * systems show a write to other nodes only then.
 */
import {
  close,
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  ftruncateSync,
  lstatSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync, type ZlibOptions } from 'node:zlib';
import type { LogPlace } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf, systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { largestOutputBytes, logHeader } from '../../base/log-member.ts';
import { type AttemptName, combinedLogPath, type JobStdioPaths } from '../../base/paths.ts';
import { below, openOwnFile, type Place } from '../../base/trusted/shared.ts';

/** What one job wrote, to be kept in the worker's one file. */
export interface EndedOutput {
  name: AttemptName;
  paths: JobStdioPaths;
  /** No caller waits for it any more: its files must stay untouched. */
  isAbandoned(): boolean;
}

/** Keeps the output of jobs that do not have files of their own. */
export interface LogStore {
  /**
   * Moves what a job wrote into the worker's one file, so that its own files are empty. Null when that is too much to
   * be moved. Throws the system's error; then nothing was moved.
   */
  collect(output: EndedOutput): Promise<Extract<LogPlace, { kind: 'combined' | 'empty' }> | null>;
  /** Throws the system's error, except when the files are absent. */
  remove(paths: JobStdioPaths): Promise<void>;
  /** At the worker's end: removes these files, which are empty, and the worker's folder when nothing is left in it. */
  tidy(files: readonly JobStdioPaths[]): Promise<void>;
}

type Collected = Awaited<ReturnType<LogStore['collect']>>;

/** Compressing more than this at once would delay the other jobs of the worker. */
const largestAtOnceBytes = 256 * 1024;

/** Small texts are compressed faster with less memory set up. */
const tinyBytes = 4096;
const tinyOptions: ZlibOptions = { level: 1, windowBits: 12, memLevel: 4 };
const options: ZlibOptions = { level: 1 };

const closeAfterMs = 1_000;

interface Waiting {
  output: EndedOutput;
  resolve: (collected: Collected) => void;
  reject: (error: unknown) => void;
}

interface Sizes {
  stdoutBytes: number;
  stderrBytes: number;
}

export interface LogStoreDependencies {
  clock: Clock;
  log: Log;
}

/** What one job wrote: its files while they are open, null for one that the job removed or never had. */
interface Written {
  stdout: number | null;
  stderr: number | null;
}

class CombinedLog implements LogStore {
  readonly #outputDirectory: string;
  readonly #path: string;
  readonly #deps: LogStoreDependencies;
  #file: number | null = null;
  #cancelClose: () => void = () => {};
  #endBytes = 0;
  #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(outputDirectory: string, path: string, deps: LogStoreDependencies) {
    this.#outputDirectory = outputDirectory;
    this.#path = path;
    this.#deps = deps;
  }

  collect(output: EndedOutput): Promise<Collected> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ output, resolve, reject });
      if (!this.#isBusy) void this.#work();
    });
  }

  /** One output after the other. */
  async #work(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      // a file system that does not answer must not block this process in one of the synchronous calls that follow
      await stat(dirname(this.#path)).catch(() => {});
      for (const { output, resolve, reject } of this.#waiting.splice(0)) {
        try {
          if (output.isAbandoned()) resolve(null);
          else resolve(isEmpty(output.paths) ? { kind: 'empty' } : await this.#collectOpen(output));
        } catch (error) {
          reject(error);
        }
      }
    }
    this.#isBusy = false;
  }

  async #collectOpen(output: EndedOutput): Promise<Collected> {
    const written: Written = { stdout: null, stderr: null };
    try {
      written.stdout = this.#openWritten(output.paths.stdoutPath);
      written.stderr = this.#openWritten(output.paths.stderrPath);
      return await this.#collect(output, written);
    } finally {
      for (const file of [written.stdout, written.stderr]) if (file !== null) closeSync(file);
    }
  }

  #openWritten(path: string): number | null {
    try {
      return below(this.#outputDirectory, path, false, (place) => openOwnFile(place, constants.O_RDWR));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return null;
      throw error;
    }
  }

  #collect({ name, isAbandoned }: EndedOutput, written: Written): Collected | Promise<Collected> {
    const sizes = { stdoutBytes: sizeOf(written.stdout), stderrBytes: sizeOf(written.stderr) };
    const totalBytes = sizes.stdoutBytes + sizes.stderrBytes;
    if (totalBytes === 0) return { kind: 'empty' };
    if (totalBytes > largestOutputBytes) return null;
    const header = logHeader(name, sizes.stdoutBytes, sizes.stderrBytes);
    const offset = this.#endBytes;
    if (totalBytes > largestAtOnceBytes) return this.#collectLarge(header, written, sizes, isAbandoned);
    const text = Buffer.concat([
      header,
      read(written.stdout, sizes.stdoutBytes),
      read(written.stderr, sizes.stderrBytes),
    ]);
    this.#endBytes = this.#write(gzipSync(text, totalBytes > tinyBytes ? options : tinyOptions), offset);
    empty(written, sizes);
    return { kind: 'combined', offset, length: this.#endBytes - offset };
  }

  async #collectLarge(header: Buffer, written: Written, sizes: Sizes, isAbandoned: () => boolean): Promise<Collected> {
    const offset = this.#endBytes;
    let end = offset;
    await pipeline(pieces(header, written, sizes), createGzip(options), async (packed: AsyncIterable<Buffer>) => {
      for await (const piece of packed) end = this.#write(piece, end);
    });
    this.#endBytes = end;
    if (!isAbandoned()) empty(written, sizes);
    return { kind: 'combined', offset, length: end - offset };
  }

  /** Returns where the bytes end. The next write overwrites what a failed one leaves. */
  #write(bytes: Buffer, offset: number): number {
    const file = this.#file ?? this.#open();
    let written = 0;
    while (written < bytes.length) {
      written += writeSync(file, bytes, written, bytes.length - written, offset + written);
    }
    return offset + written;
  }

  #open(): number {
    const open = (place: Place) => openOwnFile(place, constants.O_WRONLY | constants.O_CREAT);
    const file = below(this.#outputDirectory, this.#path, this.#endBytes === 0, open);
    this.#file = file;
    this.#cancelClose = this.#deps.clock.after(closeAfterMs, () => this.#close());
    return file;
  }

  #close(): void {
    this.#cancelClose();
    const { log } = this.#deps;
    if (this.#file === null) return;
    close(this.#file, (error) => {
      if (error !== null) log.error({ path: this.#path, why: messageOf(error) }, 'job output may be lost');
    });
    this.#file = null;
  }

  async remove({ stdoutPath, stderrPath }: JobStdioPaths): Promise<void> {
    await stat(dirname(stdoutPath === '/dev/null' ? stderrPath : stdoutPath)).catch(() => {});
    for (const path of [stdoutPath, stderrPath]) {
      if (path === '/dev/null') continue;
      below(this.#outputDirectory, path, false, (place) => rmSync(place.path, { force: true }));
    }
  }

  async tidy(files: readonly JobStdioPaths[]): Promise<void> {
    this.#close();
    await Promise.all(files.map((paths) => this.remove(paths).catch(() => {})));
    // a folder that is not empty stays
    await rmdir(dirname(this.#path)).catch(() => {});
  }
}

/** The worker's one file, which is made when there is something to write, and the files that its jobs write to. */
export function openLogStore(outputDirectory: string, workerId: string, deps: LogStoreDependencies): LogStore {
  return new CombinedLog(outputDirectory, combinedLogPath(outputDirectory, workerId), deps);
}

/** Most jobs write nothing: their files need not be opened. */
function isEmpty({ stdoutPath, stderrPath }: JobStdioPaths): boolean {
  return [stdoutPath, stderrPath].every((path) => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isFile() === true && found.size === 0;
  });
}

function sizeOf(file: number | null): number {
  return file === null ? 0 : fstatSync(file).size;
}

function read(file: number | null, bytes: number): Buffer {
  const text = Buffer.alloc(bytes);
  for (let length = 0; file !== null && length < bytes; ) {
    const got = readSync(file, text, length, bytes - length, length);
    if (got === 0) throw becameShorter();
    length += got;
  }
  return text;
}

async function* pieces(header: Buffer, { stdout, stderr }: Written, sizes: Sizes): AsyncGenerator<Buffer> {
  yield header;
  yield* readPieces(stdout, sizes.stdoutBytes);
  yield* readPieces(stderr, sizes.stderrBytes);
}

async function* readPieces(file: number | null, bytes: number): AsyncGenerator<Buffer> {
  if (file === null || bytes === 0) return;
  let length = 0;
  const pieces: AsyncIterable<Buffer> = createReadStream('', { fd: file, autoClose: false, start: 0, end: bytes - 1 });
  for await (const piece of pieces) {
    length += piece.length;
    yield piece;
  }
  if (length < bytes) throw becameShorter();
}

function becameShorter(): Error {
  return new Error('the output of a job became shorter while it was read');
}

function empty({ stdout, stderr }: Written, { stdoutBytes, stderrBytes }: Sizes): void {
  try {
    if (stdout !== null && stdoutBytes > 0) ftruncateSync(stdout);
    if (stderr !== null && stderrBytes > 0) ftruncateSync(stderr);
  } catch {
    // the next job empties them when it starts
  }
}
