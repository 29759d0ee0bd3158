/** Starts processes through the helper, or through a fallback when there is no helper. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { jobStarterPath } from '../../base/program.ts';
import { type Awaited, watchAnswers } from './answer-watch.ts';
import { encode, fieldsOf, instantReader, isEnd, isPid, processEnd, tellFailure } from './helper-protocol.ts';
import { sendSignal } from './send-signal.ts';
import {
  jobOomScore,
  type QueuedProcess,
  type Spawner,
  type SpawnListener,
  type SpawnRequest,
  shell,
  unknownEnd,
} from './spawner.ts';

/** How long a helper may take to get ready; a fork server imports what its jobs need. */
const longestStartMs = 5_000;
const longestServerStartMs = 60_000;
/** So much of what a fork server says is in the log when it ends. */
const mostSaid = 1_000;
/** No line of an answer is longer: one has at most a path. */
const longestLine = 65_536;

interface Entry extends Awaited {
  request: SpawnRequest;
  listener: SpawnListener;
  /** When it was given to the program. */
  sinceMs: number;
}

export interface HelperOptions {
  clock: Clock;
  log: Log;
  /** The environment that jobs inherit. */
  environment: Readonly<Record<string, string | undefined>>;
  /** How many files a job may have open until it asks for more; null for as many as this process. */
  openFiles: number | null;
  /** No link of another user is followed below it. */
  outputDirectory: string;
  /** Used when the helper cannot be started, or has ended. */
  fallback: Spawner;
  /** The program. */
  file?: string;
}

export interface ForkServerOptions extends Omit<HelperOptions, 'outputDirectory' | 'file'> {
  /** What bash runs. */
  command: string;
  ready(): void;
  /** It has ended by itself; whether it had been ready. */
  lost(wasReady: boolean): void;
}

/** A fork server: it can be ended before the worker does. */
export interface ServedSpawner extends Spawner {
  /** No job of it runs or waits. */
  readonly isIdle: boolean;
  /** Ends it; its jobs are left running. */
  end(): void;
}

interface Program {
  file: string;
  args: readonly string[];
  environment: HelperOptions['environment'];
  longestStartMs: number;
  /** Whether it may hang once it is ready. */
  mayHang: boolean;
  /** What is logged when it is missing. */
  missing: string;
  ready(): void;
  lost(wasReady: boolean): void;
}

class HelperSpawner implements ServedSpawner {
  readonly #options: Pick<HelperOptions, 'clock' | 'log' | 'fallback'>;
  readonly #program: Program;
  readonly #helper: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #entries = new Map<number, Entry>();
  readonly #instantOf: ReturnType<typeof instantReader>;
  #cancelTimer: () => void = () => {};
  #state: 'starting' | 'ready' | 'over' = 'starting';
  #nextId = 1;
  #isCorked = false;
  #text = '';
  /** The last that it said on its standard error. */
  #said = '';

  constructor(options: Pick<HelperOptions, 'clock' | 'log' | 'fallback'>, program: Program) {
    this.#options = options;
    this.#program = program;
    this.#instantOf = instantReader(options.clock);
    // in its own session the terminal's signals do not reach it
    const helper = spawn(program.file, program.args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: program.environment,
    });
    this.#helper = helper;
    helper.on('error', (error) => this.#lose(error.message));
    helper.on('exit', (code, signal) => this.#lose(`it ended with ${signal ?? code}`));
    // a write to a helper that has ended fails here too; its end is handled above
    helper.stdin.on('error', () => {});
    helper.stdout.setEncoding('utf8');
    helper.stdout.on('data', (piece: string) => this.#read(piece));
    helper.stderr.setEncoding('utf8');
    helper.stderr.on('data', (piece: string) => {
      this.#said = (this.#said + piece).slice(-mostSaid);
    });
    this.#cancelTimer = options.clock.after(program.longestStartMs, () => {
      if (this.#state === 'starting' && helper.pid !== undefined) sendSignal(-helper.pid, 'SIGKILL');
    });
  }

  spawn(request: SpawnRequest, listener: SpawnListener): void {
    if (this.#state === 'over') {
      this.#options.fallback.spawn(request, listener);
      return;
    }
    const { id } = this.#enter(request, listener, false);
    this.#write(encode(fieldsOf(id, 'now', request)));
  }

  get queue(): Spawner['queue'] {
    return this.#state === 'over' ? null : (request, listener) => this.#queue(request, listener);
  }

  #queue(request: SpawnRequest, listener: SpawnListener): QueuedProcess {
    const { id, entry } = this.#enter(request, listener, true);
    this.#write(encode(fieldsOf(id, 'next', request)));
    return {
      start: (cpus) => {
        if (!entry.isQueued) return;
        entry.isQueued = false;
        this.#write(encode([id, 'now', cpus ?? '']));
      },
      withdraw: () => {
        if (!entry.isQueued) return;
        this.#write(encode([id, 'never']));
        // before the caller stops those whose places it would get
        this.#flush();
      },
    };
  }

  #enter(request: SpawnRequest, listener: SpawnListener, isQueued: boolean): { id: number; entry: Entry } {
    const id = this.#nextId++;
    const sinceMs = this.#options.clock.monotonic();
    const entry: Entry = { request, listener, sinceMs, isQueued, pid: null, owed: null };
    this.#entries.set(id, entry);
    return { id, entry };
  }

  #write(bytes: Buffer): void {
    if (this.#state === 'over') return;
    // requests that are made together wake the helper once
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#helper.stdin.cork();
      queueMicrotask(() => this.#flush());
    }
    this.#helper.stdin.write(bytes);
  }

  #flush(): void {
    if (!this.#isCorked) return;
    this.#isCorked = false;
    this.#helper.stdin.uncork();
  }

  #read(piece: string): void {
    const lines = (this.#text + piece).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#state === 'over') return;
      this.#take(line);
    }
    if (this.#text.length > longestLine) this.#refuse(this.#text);
  }

  #take(line: string): void {
    const [word, id, first, ...rest] = line.split(' ');
    const entry = this.#entries.get(Number(id));
    // one that starts jobs is ready, whatever it says: they must not be started again
    const isReady = word === 'ready' || (entry !== undefined && (word === 'pid' || word === 'end'));
    if (isReady && this.#state === 'starting') this.#becomeReady();
    if (entry === undefined) return;
    if ((word === 'pid' && !isPid(first)) || (word === 'end' && !isEnd(first, rest))) {
      this.#refuse(line);
      return;
    }
    if (word === 'pid') {
      entry.pid = Number(first);
      entry.listener.started(entry.pid, this.#instantOf(rest[0], entry.sinceMs));
    }
    if (word !== 'error' && word !== 'end' && word !== 'withdrawn') return;
    this.#entries.delete(Number(id));
    if (word === 'withdrawn') entry.listener.withdrawn();
    else if (word === 'error') tellFailure(entry.listener, Number(first), rest.join(' '));
    else this.#takeEnd(entry, Number(first), rest);
  }

  #becomeReady(): void {
    this.#state = 'ready';
    this.#cancelTimer();
    this.#program.ready();
    const hangs = () => this.#lose('it does not answer');
    if (this.#program.mayHang)
      this.#cancelTimer = watchAnswers(this.#options.clock, this.#helper.pid ?? 0, this.#entries, hangs);
  }

  #takeEnd({ request, listener, sinceMs }: Entry, status: number, rest: readonly string[]): void {
    const [cpuMs, ranMs, group, nextId, largestKib, at] = rest;
    const next = this.#entries.get(Number(nextId));
    const isSucceeded = next !== undefined;
    if (next !== undefined) {
      next.isQueued = false;
      next.listener.placed(request.attempt);
    }
    const used = { cpuMs: Number(cpuMs), ranMs: Number(ranMs), largestBytes: Number(largestKib) * 1024 };
    const atMs = this.#instantOf(at, sinceMs);
    listener.exited(processEnd(status, { ...used, atMs, isGroupGone: group === 'gone', isSucceeded }));
  }

  /** What it says cannot be trusted any more. */
  #refuse(line: string): void {
    this.#lose(`it wrote ${JSON.stringify(line.slice(0, 100))}`);
  }

  /** Requests to a helper that was never ready go to the fallback. The ends of all others can no longer be learned. */
  #lose(reason: string): void {
    if (this.#state === 'over') return;
    const wasReady = this.#state === 'ready';
    this.#state = 'over';
    this.#cancelTimer();
    // a program that outlives its shell must not start what is started again
    const { pid } = this.#helper;
    if (pid !== undefined) sendSignal(-pid, 'SIGKILL');
    this.#options.log.warn({ reason, said: this.#said }, this.#program.missing);
    this.#program.lost(wasReady);
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { request, listener, isQueued } of entries) {
      // one that waits may have been started without a word
      if (wasReady) listener.exited(unknownEnd);
      else if (isQueued) listener.withdrawn();
      else this.#options.fallback.spawn(request, listener);
    }
  }

  get isIdle(): boolean {
    return this.#entries.size === 0;
  }

  end(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#cancelTimer();
    this.#helper.stdin.end();
    this.#helper.stdout.destroy();
    this.#helper.stderr.destroy();
    this.#helper.unref();
  }

  close(): void {
    this.end();
    this.#options.fallback.close();
  }
}

/** Starts the helper. Requests wait until it is ready. */
export function openHelperSpawner(options: HelperOptions): Spawner {
  const { openFiles, outputDirectory, environment, file = jobStarterPath() } = options;
  const args = [String(jobOomScore), String(openFiles ?? 0), outputDirectory, shell.file, ...shell.options];
  const missing = 'the helper that starts jobs is missing: the worker starts them itself, which is slower';
  const trusted = { mayHang: false, ready: () => {}, lost: () => {} };
  return new HelperSpawner(options, { file, args, environment, longestStartMs, missing, ...trusted });
}

/** Starts a fork server, which speaks as the helper does (docs/warm.md). It learns from variables what the helper does from words. */
export function openForkServer(options: ForkServerOptions): ServedSpawner {
  const { openFiles, command, ready, lost } = options;
  const limits = { TORC_WARM_SCORE: String(jobOomScore), TORC_WARM_FILES: String(openFiles ?? 0) };
  return new HelperSpawner(options, {
    file: shell.file,
    args: [...shell.options, command],
    environment: { ...options.environment, ...limits },
    longestStartMs: longestServerStartMs,
    mayHang: true,
    missing: 'a fork server has ended; its next jobs start another one, or without one if it was not ready',
    ...{ ready, lost },
  });
}
