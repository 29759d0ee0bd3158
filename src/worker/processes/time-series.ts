/** Writes down what running jobs use: one CSV file for each attempt, a row at most once in each interval. */
import { appendFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { makeFolders } from '../../base/folders.ts';
import type { Log } from '../../base/log.ts';
import { Patience } from '../../base/time-budget.ts';

const header = 'seconds,memory_bytes,cpu_seconds\n';
/** Rows wait so long for company. */
const writeEveryMs = 30_000;
/** A file system that does not answer holds up the end of a job no longer than this. */
const closePatience = { longestMs: 500, hurriedMs: 500 };

export interface TimeSeriesOptions {
  path: string;
  startedAtMs: number;
  everyMs: number;
  clock: Clock;
  log: Log;
}

export class TimeSeries {
  readonly #options: TimeSeriesOptions;
  #rows = '';
  #dueMs: number;
  #writtenAtMs: number;
  #writing: Promise<void> = Promise.resolve();

  /** Makes the file with its folder, or empties it. */
  constructor(options: TimeSeriesOptions) {
    this.#options = options;
    this.#dueMs = options.startedAtMs;
    this.#writtenAtMs = options.startedAtMs;
    this.#await(this.#begin());
  }

  /** What goes wrong is told when the file is closed. */
  #await(writing: Promise<void>): void {
    this.#writing = writing;
    writing.catch(() => {});
  }

  async #begin(): Promise<void> {
    const { path } = this.#options;
    makeFolders(dirname(path));
    await writeFile(path, header);
  }

  /** One look at the job; between the intervals it is passed over. */
  add(atMs: number, memoryBytes: number, cpuMs: number): void {
    if (atMs < this.#dueMs) return;
    const { startedAtMs, everyMs } = this.#options;
    const sinceMs = atMs - startedAtMs;
    this.#dueMs = startedAtMs + (Math.floor(sinceMs / everyMs) + 1) * everyMs;
    this.#rows += `${(sinceMs / 1000).toFixed(3)},${Math.round(memoryBytes)},${(cpuMs / 1000).toFixed(3)}\n`;
    if (atMs - this.#writtenAtMs >= writeEveryMs) this.#write(atMs);
  }

  #write(atMs: number): void {
    const rows = this.#rows;
    this.#rows = '';
    this.#writtenAtMs = atMs;
    this.#await(this.#writing.then(() => appendFile(this.#options.path, rows)));
  }

  /** Writes what is left; what cannot be written is lost, and the log says so. Never fails. */
  async close(): Promise<void> {
    const { clock, log, path } = this.#options;
    if (this.#rows !== '') this.#write(clock.monotonic());
    const told = this.#writing.catch((error: unknown) => {
      log.warn({ path, why: String(error) }, 'what a job used could not be written down');
    });
    await new Patience(clock, new AbortController().signal, closePatience).waitFor(told, undefined);
  }
}
