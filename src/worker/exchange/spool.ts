/** Writes the spool: into the server directory, else onto this node, else nowhere but into the log. */
import { rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type SpooledReport, spoolLine } from '../../api/spool.ts';
import type { Clock } from '../../base/clock.ts';
import { systemCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { appendDurably, makeInnerFolder, makeOwnFolder } from '../../base/trusted/private-async.ts';

/** Where reports go that the server does not acknowledge. */
export interface SpoolWriter {
  /**
   * Appends to the spool in the server directory, after what was appended before, and makes it durable. False when that
   * fails: then the reports are on this node or only in the log, and appending them again is worth a try. Never throws.
   */
  append(reports: readonly SpooledReport[]): Promise<boolean>;
  /** Removes what was written, because all of it has been acknowledged. */
  remove(): Promise<void>;
}

/** A network file system that hangs must not prevent a worker from ending. */
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
  return new FileSpool(options);
}

class FileSpool implements SpoolWriter {
  readonly #options: SpoolOptions;
  /** Files that exist, or may. */
  readonly #written = new Set<string>();
  /** Files whose last line may be cut, because a write to them has failed. */
  readonly #torn = new Set<string>();
  /** Attempts whose reports are on this node, or at least in the log, and not in the server directory. */
  readonly #onNode = new Set<number>();
  readonly #inLog = new Set<number>();
  #nodePath: Promise<string> | null = null;
  #isServerHanging = false;
  #last: Promise<boolean> = Promise.resolve(true);

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  append(reports: readonly SpooledReport[]): Promise<boolean> {
    if (reports.length > 0) this.#last = this.#last.then(() => this.#write(reports));
    return this.#last;
  }

  async #write(reports: readonly SpooledReport[]): Promise<boolean> {
    const { path, log } = this.#options;
    try {
      await this.#writeForServer(reports);
    } catch (error) {
      log.error({ path, code: systemCode(error) }, 'cannot write the spool into the server directory');
      await this.#writeOnNode(reports);
      return false;
    }
    log.warn({ path, num_reports: reports.length }, 'reports that the server has not acknowledged are on disk');
    await this.#forgetOnNode(reports);
    return true;
  }

  /** A write that hangs occupies one of the few threads for files, so there is never a second one beside it. */
  async #writeForServer(reports: readonly SpooledReport[]): Promise<void> {
    if (this.#isServerHanging) throw noAnswer();
    this.#isServerHanging = true;
    const { path } = this.#options;
    const writing = makeInnerFolder(dirname(path))
      .then(() => this.#appendTo(path, reports))
      .finally(() => {
        this.#isServerHanging = false;
      });
    await withinTime(this.#options.clock, writing);
  }

  async #writeOnNode(reports: readonly SpooledReport[]): Promise<void> {
    const { clock, log, nodeDirectory = tmpdir() } = this.#options;
    const fresh = reports.filter(({ attempt }) => !this.#onNode.has(attempt));
    if (fresh.length === 0) return;
    try {
      this.#nodePath ??= makeOwnFolder(nodeDirectory, 'torc-spool-').then((made) => join(made, 'spool'));
      const path = await this.#nodePath;
      await withinTime(clock, this.#appendTo(path, fresh));
      for (const { attempt } of fresh) this.#onNode.add(attempt);
      log.error({ path, num_reports: fresh.length }, 'the spool is on this node only');
    } catch (error) {
      this.#nodePath = null;
      const unlogged = fresh.filter(({ attempt }) => !this.#inLog.has(attempt));
      for (const { attempt } of unlogged) this.#inLog.add(attempt);
      log.error({ code: systemCode(error), reports: unlogged }, 'these reports are kept in memory only');
    }
  }

  /** These reports are in the server directory now. */
  async #forgetOnNode(reports: readonly SpooledReport[]): Promise<void> {
    const wasOnNode = this.#onNode.size > 0;
    for (const { attempt } of reports) this.#onNode.delete(attempt);
    if (wasOnNode && this.#onNode.size === 0 && this.#nodePath !== null) {
      await this.#discard(await this.#nodePath);
      this.#nodePath = null;
    }
  }

  async #appendTo(path: string, reports: readonly SpooledReport[]): Promise<void> {
    // a cut line must not swallow the first report that follows
    const text = (this.#torn.has(path) ? '\n' : '') + reports.map(spoolLine).join('');
    this.#written.add(path);
    this.#torn.add(path);
    await appendDurably(path, text);
    this.#torn.delete(path);
  }

  async remove(): Promise<void> {
    await this.#last;
    for (const path of this.#written) await this.#discard(path);
  }

  async #discard(path: string): Promise<void> {
    const { clock, log } = this.#options;
    try {
      await withinTime(clock, rm(path, { force: true }));
      // the folder stays where the server has put something into it
      await withinTime(clock, rmdir(dirname(path)));
      this.#written.delete(path);
    } catch (error) {
      log.debug({ path, code: systemCode(error) }, 'the spool or its directory could not be removed');
    }
  }
}

function withinTime<T>(clock: Clock, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(longestWriteMs, () => reject(noAnswer()));
    work.then(resolve, reject).finally(cancel);
  });
}

function noAnswer(): Error {
  return Object.assign(new Error('the file system does not answer'), { code: 'ETIMEDOUT' });
}
