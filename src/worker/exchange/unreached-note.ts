/**
 * Leaves a note in the server directory while no address leads to the server, with each address that was tried and why it
 * failed: people read it with `torc why` and `torc doctor`, and a server that may start relays starts one.
 */
import { rm } from 'node:fs/promises';
import { isUnreached } from '../../api/client.ts';
import type { Api } from '../../api/contract.ts';
import type { UnreachedNote } from '../../api/network.ts';
import type { Clock } from '../../base/clock.ts';
import { networkFolder, unreachedPath } from '../../base/paths.ts';
import { makeInnerFolder, replacePrivately } from '../../base/trusted/private-async.ts';

/** A server that is only starting again is back by then. */
const unreachedForMs = 3_000;
/** A note that is written again is that of a living worker; soon at first, so that a relay starts soon. */
const soonMs = 2_000;
const numSoon = 5;
const laterMs = 10_000;
const longestWriteMs = 1_000;

export type NoteSubject = Omit<UnreachedNote, 'problem' | 'count'>;

/** The client of a worker, which leaves a note while its calls reach no server. */
export function withUnreachedNote(api: Api, directory: string, subject: NoteSubject, clock: Clock): Api {
  const note = new NoteFile(directory, subject, clock);
  return {
    async call(endpoint, request, options) {
      const startedMs = clock.monotonic();
      try {
        const reply = await api.call(endpoint, request, options);
        note.reached();
        return reply;
      } catch (error) {
        if (isUnreached(error)) note.failed(startedMs, (error as Error).message);
        throw error;
      }
    },
    async close() {
      await api.close();
      await note.close();
    },
  };
}

class NoteFile {
  readonly #path: string;
  readonly #folder: string;
  readonly #subject: NoteSubject;
  readonly #clock: Clock;
  #sinceMs: number | null = null;
  #count = 0;
  #problem = '';
  #cancelTimer: () => void = () => {};
  /** A file system that hangs is not asked twice. */
  #work: Promise<void> | null = null;

  constructor(directory: string, subject: NoteSubject, clock: Clock) {
    this.#path = unreachedPath(directory, subject.hostname, subject.pid);
    this.#folder = networkFolder(directory);
    this.#subject = subject;
    this.#clock = clock;
  }

  failed(startedMs: number, problem: string): void {
    const isFirst = this.#sinceMs === null;
    this.#sinceMs ??= startedMs;
    this.#problem = problem;
    if (!isFirst) return;
    const waitMs = this.#sinceMs + unreachedForMs - this.#clock.monotonic();
    this.#cancelTimer = this.#clock.after(Math.max(0, waitMs), () => this.#write());
  }

  #write(): void {
    this.#cancelTimer = this.#clock.after(this.#count < numSoon ? soonMs : laterMs, () => this.#write());
    if (this.#work !== null) return;
    this.#count += 1;
    const note: UnreachedNote = { ...this.#subject, problem: this.#problem, count: this.#count };
    this.#do(async () => {
      await makeInnerFolder(this.#folder);
      await replacePrivately(this.#path, `${JSON.stringify(note, null, 2)}\n`);
    });
  }

  reached(): void {
    this.#sinceMs = null;
    this.#cancelTimer();
    if (this.#count === 0 || this.#work !== null) return;
    this.#count = 0;
    this.#do(() => rm(this.#path, { force: true }));
  }

  async close(): Promise<void> {
    await this.#settled();
    this.reached();
    await this.#settled();
  }

  /** A file system that hangs must not keep the worker from ending. */
  #settled(): Promise<void> {
    const work = this.#work;
    if (work === null) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(longestWriteMs, resolve);
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** The note is for people; without it the worker goes on as well. */
  #do(work: () => Promise<void>): void {
    this.#work = work()
      .catch(() => {})
      .finally(() => {
        this.#work = null;
      });
  }
}
