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
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { rm, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync, type ZlibOptions } from 'node:zlib';
import type { LogPlace } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { largestOutputBytes, logHeader } from '../../base/log-member.ts';
import { type AttemptName, combinedLogPath, type JobStdioPaths } from '../../base/paths.ts';
import { makeFolders } from '../../base/trusted/folders.ts';

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

class CombinedLog implements LogStore {
  readonly #path: string;
  readonly #deps: LogStoreDependencies;
  #file: number | null = null;
  #cancelClose: () => void = () => {};
  #endBytes = 0;
  #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(path: string, deps: LogStoreDependencies) {
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
          const collected = output.isAbandoned() ? null : this.#collect(output);
          resolve(collected instanceof Promise ? await collected : collected);
        } catch (error) {
          reject(error);
        }
      }
    }
    this.#isBusy = false;
  }

  #collect({ name, paths, isAbandoned }: EndedOutput): Collected | Promise<Collected> {
    const sizes = { stdoutBytes: sizeOf(paths.stdoutPath), stderrBytes: sizeOf(paths.stderrPath) };
    const totalBytes = sizes.stdoutBytes + sizes.stderrBytes;
    if (totalBytes === 0) return { kind: 'empty' };
    if (totalBytes > largestOutputBytes) return null;
    const header = logHeader(name, sizes.stdoutBytes, sizes.stderrBytes);
    const offset = this.#endBytes;
    if (totalBytes > largestAtOnceBytes) return this.#collectLarge(header, paths, sizes, isAbandoned);
    const text = Buffer.concat([
      header,
      read(paths.stdoutPath, sizes.stdoutBytes),
      read(paths.stderrPath, sizes.stderrBytes),
    ]);
    this.#endBytes = this.#write(gzipSync(text, totalBytes > tinyBytes ? options : tinyOptions), offset);
    empty(paths, sizes);
    return { kind: 'combined', offset, length: this.#endBytes - offset };
  }

  async #collectLarge(
    header: Buffer,
    paths: JobStdioPaths,
    sizes: Sizes,
    isAbandoned: () => boolean,
  ): Promise<Collected> {
    const offset = this.#endBytes;
    let end = offset;
    await pipeline(pieces(header, paths, sizes), createGzip(options), async (packed: AsyncIterable<Buffer>) => {
      for await (const piece of packed) end = this.#write(piece, end);
    });
    this.#endBytes = end;
    if (!isAbandoned()) empty(paths, sizes);
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
    if (this.#endBytes === 0) makeFolders(dirname(this.#path));
    const file = openSync(this.#path, constants.O_WRONLY | constants.O_CREAT, 0o666);
    this.#file = file;
    this.#cancelClose = this.#deps.clock.after(closeAfterMs, () => this.#close());
    return file;
  }

  #close(): void {
    this.#cancelClose();
    const { log } = this.#deps;
    if (this.#file === null) return;
    close(this.#file, (error) => {
      if (error !== null) log.error({ path: this.#path, why: String(error) }, 'job output may be lost');
    });
    this.#file = null;
  }

  async remove({ stdoutPath, stderrPath }: JobStdioPaths): Promise<void> {
    await rm(stdoutPath, { force: true });
    await rm(stderrPath, { force: true });
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
  return new CombinedLog(combinedLogPath(outputDirectory, workerId), deps);
}

/** 0 for a file that does not exist: the job never started, or has removed it. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function read(path: string, bytes: number): Buffer {
  const text = Buffer.alloc(bytes);
  if (bytes === 0) return text;
  const file = openSync(path, 'r');
  try {
    let length = 0;
    while (length < bytes) {
      const got = readSync(file, text, length, bytes - length, length);
      if (got === 0) throw new Error(`${path} became shorter while it was read`);
      length += got;
    }
    return text;
  } finally {
    closeSync(file);
  }
}

async function* pieces(header: Buffer, paths: JobStdioPaths, sizes: Sizes): AsyncGenerator<Buffer> {
  yield header;
  yield* readPieces(paths.stdoutPath, sizes.stdoutBytes);
  yield* readPieces(paths.stderrPath, sizes.stderrBytes);
}

async function* readPieces(path: string, bytes: number): AsyncGenerator<Buffer> {
  if (bytes === 0) return;
  let length = 0;
  const pieces: AsyncIterable<Buffer> = createReadStream(path, { end: bytes - 1 });
  for await (const piece of pieces) {
    length += piece.length;
    yield piece;
  }
  if (length < bytes) throw new Error(`${path} became shorter while it was read`);
}

function empty({ stdoutPath, stderrPath }: JobStdioPaths, { stdoutBytes, stderrBytes }: Sizes): void {
  try {
    if (stdoutBytes > 0) truncateSync(stdoutPath);
    if (stderrBytes > 0) truncateSync(stderrPath);
  } catch {
    // the next job empties them when it starts
  }
}
