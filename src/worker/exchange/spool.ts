/** Writes the spool: into the server directory, else onto this node, else nowhere but into the log. */
import { mkdir, mkdtemp, open, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type SpooledReport, spoolLine } from '../../api/spool.ts';
import type { Clock } from '../../base/clock.ts';
import { systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';

/** Where reports go that the server does not acknowledge. */
export interface SpoolWriter {
  /** Appends and makes durable, after what was appended before; never throws. */
  append(reports: readonly SpooledReport[]): Promise<void>;
  /** Removes what was written, because all of it has been acknowledged. */
  remove(): Promise<void>;
}

/** A network file system that hangs must not keep a worker from ending. */
const longestWriteMs = 1_000;

export interface SpoolOptions {
  /** The spool in the server directory, which the server reads. */
  path: string;
  clock: Clock;
  log: Log;
  /** Where a folder for this worker is made when the server directory fails. */
  nodeDirectory?: string;
}

/** The spool of one worker. Nothing is made on disk before there is something to write. */
export function openSpool(options: SpoolOptions): SpoolWriter {
  const { path, clock, log } = options;
  const written = new Set<string>();
  let nodePath: Promise<string> | null = null;
  let last: Promise<void> = Promise.resolve();

  async function appendTo(target: string, text: string): Promise<void> {
    await makePrivateFolder(dirname(dirname(target)));
    await makePrivateFolder(dirname(target));
    written.add(target);
    const file = await open(target, 'a', 0o600);
    try {
      await file.writeFile(text);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  function nodeSpoolPath(): Promise<string> {
    nodePath ??= mkdtemp(join(options.nodeDirectory ?? tmpdir(), 'torc-spool-')).then((made) => join(made, 'spool'));
    return nodePath;
  }

  async function write(reports: readonly SpooledReport[]): Promise<void> {
    const text = reports.map(spoolLine).join('');
    const numReports = reports.length;
    try {
      await withinTime(clock, appendTo(path, text));
      return log.warn({ path, num_reports: numReports }, 'reports that the server has not acknowledged are on disk');
    } catch (error) {
      log.error({ path, code: systemCode(error) }, 'cannot write the spool into the server directory');
    }
    try {
      const target = await nodeSpoolPath();
      await withinTime(clock, appendTo(target, text));
      log.error({ path: target, num_reports: numReports }, 'the spool is on this node only');
    } catch (error) {
      nodePath = null;
      log.error({ code: systemCode(error), reports }, 'reports are kept in memory only; here they are');
    }
  }

  return {
    append(reports) {
      if (reports.length > 0) last = last.then(() => write(reports));
      return last;
    },
    async remove() {
      await last;
      for (const target of written) {
        try {
          await withinTime(clock, rm(target, { force: true }));
          // the folder stays where the server has put something into it
          await withinTime(clock, rmdir(dirname(target)));
        } catch (error) {
          log.debug({ path: target, code: systemCode(error) }, 'the spool or its folder stays');
        }
      }
    },
  };
}

async function makePrivateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
}

function withinTime<T>(clock: Clock, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(longestWriteMs, () => {
      reject(Object.assign(new Error('the file system does not answer'), { code: 'ETIMEDOUT' }));
    });
    work.then(resolve, reject).finally(cancel);
  });
}
