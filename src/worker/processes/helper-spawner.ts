/** Starts processes through the helper, or through a fallback when there is no helper. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { jobStarterPath } from '../../base/program.ts';
import {
  jobOomScore,
  type ProcessEnd,
  type QueuedProcess,
  type Spawner,
  type SpawnListener,
  type SpawnRequest,
  shell,
  unknownEnd,
} from './spawner.ts';

/** How long a helper may take to get ready. */
const longestStartMs = 5_000;

interface Entry {
  request: SpawnRequest;
  listener: SpawnListener;
  /** It waits in the helper. */
  isQueued: boolean;
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

class HelperSpawner implements Spawner {
  readonly #options: HelperOptions;
  readonly #helper: ChildProcessByStdio<Writable, Readable, null>;
  readonly #entries = new Map<number, Entry>();
  readonly #cancelTimer: () => void;
  #state: 'starting' | 'ready' | 'over' = 'starting';
  #nextId = 1;
  #isCorked = false;
  #text = '';

  constructor(options: HelperOptions) {
    this.#options = options;
    const args = [
      String(jobOomScore),
      String(options.openFiles ?? 0),
      options.outputDirectory,
      shell.file,
      ...shell.options,
    ];
    // in its own session the terminal's signals do not reach it
    const helper = spawn(options.file ?? jobStarterPath(), args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: options.environment,
    });
    this.#helper = helper;
    helper.on('error', (error) => this.#lose(error.message));
    helper.on('exit', (code, signal) => this.#lose(`it ended with ${signal ?? code}`));
    // a write to a helper that has ended fails here too; its end is handled above
    helper.stdin.on('error', () => {});
    helper.stdout.setEncoding('utf8');
    helper.stdout.on('data', (piece: string) => this.#read(piece));
    this.#cancelTimer = options.clock.after(longestStartMs, () => {
      if (this.#state === 'starting') helper.kill('SIGKILL');
    });
  }

  spawn(request: SpawnRequest, listener: SpawnListener): void {
    if (this.#state === 'over') {
      this.#options.fallback.spawn(request, listener);
      return;
    }
    const id = this.#nextId++;
    this.#entries.set(id, { request, listener, isQueued: false });
    this.#write(encode(fieldsOf(id, 'now', request)));
  }

  get queue(): Spawner['queue'] {
    return this.#state === 'over' ? null : (request, listener) => this.#queue(request, listener);
  }

  #queue(request: SpawnRequest, listener: SpawnListener): QueuedProcess {
    const id = this.#nextId++;
    const entry = { request, listener, isQueued: true };
    this.#entries.set(id, entry);
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
    for (const line of lines) this.#take(line);
  }

  #take(line: string): void {
    const [word, id, first, ...rest] = line.split(' ');
    if (word === 'ready' && this.#state === 'starting') this.#state = 'ready';
    const entry = this.#entries.get(Number(id));
    if (entry === undefined) return;
    if (word === 'pid') entry.listener.started(Number(first));
    if (word !== 'error' && word !== 'end' && word !== 'withdrawn') return;
    this.#entries.delete(Number(id));
    if (word === 'withdrawn') entry.listener.withdrawn();
    else if (word === 'error') tellFailure(entry.listener, Number(first), rest.join(' '));
    else this.#takeEnd(entry, Number(first), rest);
  }

  #takeEnd({ request, listener }: Entry, status: number, rest: readonly string[]): void {
    const [cpuMs, ranMs, group, nextId, largestKib] = rest;
    const next = this.#entries.get(Number(nextId));
    const isSucceeded = next !== undefined;
    if (next !== undefined) {
      next.isQueued = false;
      next.listener.placed(request.attempt);
    }
    const used = { cpuMs: Number(cpuMs), ranMs: Number(ranMs), largestBytes: Number(largestKib) * 1024 };
    listener.exited(processEnd(status, { ...used, isGroupGone: group === 'gone', isSucceeded }));
  }

  /** Requests to a helper that was never ready go to the fallback. The ends of all others can no longer be learned. */
  #lose(reason: string): void {
    if (this.#state === 'over') return;
    const wasReady = this.#state === 'ready';
    this.#state = 'over';
    this.#cancelTimer();
    this.#options.log.warn(
      { reason },
      'the helper that starts jobs is missing: the worker starts them itself, which is slower',
    );
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { request, listener, isQueued } of entries) {
      if (isQueued) listener.withdrawn();
      else if (wasReady) listener.exited(unknownEnd);
      else this.#options.fallback.spawn(request, listener);
    }
  }

  close(): void {
    this.#state = 'over';
    this.#cancelTimer();
    this.#helper.stdin.end();
    this.#helper.stdout.destroy();
    this.#helper.unref();
    this.#options.fallback.close();
  }
}

/** Starts the helper. Requests wait until it is ready. */
export function openHelperSpawner(options: HelperOptions): Spawner {
  return new HelperSpawner(options);
}

function tellFailure(listener: SpawnListener, errno: number, what: string): void {
  const code = errno > 0 ? getSystemErrorName(-errno) : null;
  listener.failed(code, `${code ?? 'error'}: cannot start or open ${what}`);
}

/** `status` is that of wait(2). */
function processEnd(status: number, ending: Omit<ProcessEnd, 'exitCode' | 'signal'>): ProcessEnd {
  const signal = status & 0x7f;
  return { exitCode: signal === 0 ? (status >> 8) & 0xff : null, signal: signal || null, ...ending };
}

function fieldsOf(id: number, turn: 'now' | 'next', request: SpawnRequest): readonly (string | number)[] {
  const { place, stdoutPath, stderrPath, text, cpus, isBound } = request;
  const variables = Object.entries(request.variables).map(([name, value]) => `${name}=${value}`);
  return [id, turn, place, stdoutPath, stderrPath, text, cpus ?? '', isBound ? 'bound' : '', ...variables];
}

/** A length, followed by fields that each end with NUL. */
function encode(fields: readonly (string | number)[]): Buffer {
  const body = Buffer.from(`....${fields.join('\0')}\0`);
  body.writeUInt32BE(body.length - 4);
  return body;
}
