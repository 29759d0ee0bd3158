/** Records what a running job uses: one CSV file for each attempt, at most one row in each interval. */
import { closeSync, constants } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { TimeBudget } from '../../base/time-budget.ts';
import { below, openOutput, openOwnFile, type Place, writeText } from '../../base/trusted/shared.ts';

const header = 'seconds,memory_bytes,cpu_seconds\n';
/** Rows are written together after this long. */
const writeEveryMs = 30_000;
/** A file system that does not answer delays the end of a job by at most this. */
const closeLimits = { longestMs: 500, hurriedMs: 500 };

const appending = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;

export interface TimeSeriesOptions {
  /** Where others may be able to write; `path` is below it. */
  outputDirectory: string;
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

  /** Errors are logged when the file is closed. */
  #await(writing: Promise<void>): void {
    this.#writing = writing;
    writing.catch(() => {});
  }

  async #begin(): Promise<void> {
    await this.#put(header, openOutput);
  }

  async #put(text: string, open: (place: Place) => number): Promise<void> {
    const { outputDirectory, path } = this.#options;
    // a file system that does not answer must not block this process in one of the synchronous calls that follow
    await stat(outputDirectory).catch(() => {});
    const file = below(outputDirectory, path, true, open);
    try {
      writeText(file, text);
    } finally {
      closeSync(file);
    }
  }

  /** One look at the job; ignored when the interval has its row already. */
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
    this.#await(this.#writing.then(() => this.#put(rows, (place) => openOwnFile(place, appending))));
  }

  /** Writes the rest. What cannot be written is lost and logged. Never fails. */
  async close(): Promise<void> {
    const { clock, log, path } = this.#options;
    if (this.#rows !== '') this.#write(clock.monotonic());
    const logged = this.#writing.catch((error: unknown) => {
      log.warn({ path, why: messageOf(error) }, 'the resource usage of a job could not be recorded');
    });
    await new TimeBudget(clock, new AbortController().signal, closeLimits).waitFor(logged, undefined);
  }
}
