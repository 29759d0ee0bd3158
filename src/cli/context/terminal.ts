/** stdout and stderr of the process, written so that a slow or closed reader does no harm. */
import { readlinkSync, write, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isatty } from 'node:tty';
import { systemCode, TorcError } from '../../base/errors.ts';
import { fullWords } from '../../base/full-disk.ts';
import { harmless } from '../../base/text.ts';

type Kept = Parameters<typeof harmless>[1];

export interface Terminal {
  isStdinTerminal: boolean;
  isStdoutTerminal: boolean;
  isStderrTerminal: boolean;
  /** Width of the terminal in columns. */
  columns(): number;
  /**
   * Writes to stdout; false when its reader is gone, so that a long list can stop. What could control a terminal is
   * escaped on one, except for what is kept; bytes are written as they are. Throws TorcError 'no_space' when the file
   * system of the file that stdout leads to takes nothing more.
   */
  out(text: string | Uint8Array, keeps?: Kept): Promise<boolean>;
  /**
   * Writes to stderr at once, as `out` does; text that cannot be written is dropped. A line of progress gives way to other
   * text.
   */
  err(text: string, keeps?: Kept): void;
  /** Whether text for stdout is not yet written. */
  isWriting(): boolean;
}

const retryMs = 5;
/** Begins a line anew, as progress does. */
export const lineStart = '\r\x1b[K';

/** Whether the reader has closed the pipe; other errors are thrown. */
function isReaderGone(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EPIPE' || code === 'ECONNRESET';
}

/** Says which file it is, where the system tells. */
function explained(error: unknown): unknown {
  const path = stdoutPath();
  const full = fullWords(systemCode(error), path === null ? 'standard output' : dirname(path));
  if (full === null) return error;
  const what = path === null ? 'standard output' : `standard output to ${path}`;
  return new TorcError('no_space', `cannot write ${what}: ${full.problem}`, full.advice, { cause: error });
}

function stdoutPath(): string | null {
  try {
    const path = readlinkSync('/proc/self/fd/1');
    return path.startsWith('/') ? path : null;
  } catch {
    return null;
  }
}

/** Through the thread pool: a pipe whose reader pauses (`less`) must not stop the event loop, which may be serving. */
function writeBytes(bytes: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const put = (from: number): void => {
      write(1, bytes, from, bytes.length - from, null, (error, written) => {
        if (error === null) {
          if (from + written < bytes.length) put(from + written);
          else resolve(true);
        } else if (error.code === 'EAGAIN') setTimeout(put, retryMs, from);
        else if (isReaderGone(error)) resolve(false);
        else reject(explained(error));
      });
    };
    put(0);
  });
}

export function processTerminal(): Terminal {
  let isGone = false;
  let pending = 0;
  let isLineOpen = false;
  let last: Promise<boolean> = Promise.resolve(true);
  const [isStdoutTerminal, isStderrTerminal] = [isatty(1), isatty(2)];
  return {
    isStdinTerminal: isatty(0),
    isStdoutTerminal,
    isStderrTerminal,
    columns: () => process.stdout.columns || process.stderr.columns || 80,
    isWriting: () => pending > 0,
    out(given, keeps = 'lines') {
      const text = typeof given === 'string' && isStdoutTerminal ? harmless(given, keeps) : given;
      pending += 1;
      const turn = last.then(async () => {
        try {
          if (!isGone && text.length > 0) isGone = !(await writeBytes(Buffer.from(text as string)));
          return !isGone;
        } finally {
          pending -= 1;
        }
      });
      last = turn.catch(() => false);
      return turn;
    },
    err(text, keeps = 'lines') {
      const before = isLineOpen && !text.startsWith(lineStart) ? lineStart : '';
      isLineOpen = text.startsWith(lineStart) && text !== lineStart && !text.endsWith('\n');
      const bytes = Buffer.from(isStderrTerminal ? before + harmless(text, keeps) : text);
      for (let from = 0, tries = 0; from < bytes.length && tries < 1000; ) {
        try {
          from += writeSync(2, bytes, from);
        } catch (error) {
          if (systemCode(error) !== 'EAGAIN') return;
          tries += 1;
        }
      }
    },
  };
}
