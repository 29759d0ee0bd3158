/** Starts processes through the helper, and by other means when there is none. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { helperScript } from './helper-script.ts';
import { jobOomScore, type Spawner, type SpawnListener, type SpawnRequest, shell } from './spawner.ts';

/** A helper that is not there by then is not waited for. */
const longestStartMs = 5_000;

/** The number of the system call setsid by what node calls the architecture. */
const setsidNumbers: Readonly<Record<string, string>> = {
  x64: '112',
  arm64: '157',
  riscv64: '157',
  loong64: '157',
  ppc64: '66',
  s390x: '66',
};

interface Entry {
  request: SpawnRequest;
  listener: SpawnListener;
  failure: { code: string | null; what: string } | null;
}

export interface HelperOptions {
  clock: Clock;
  log: Log;
  /** What jobs inherit. */
  environment: Readonly<Record<string, string | undefined>>;
  /** Used when the helper cannot be started, or has ended. */
  fallback: Spawner;
  /** The Perl to run it. */
  file?: string;
}

class HelperSpawner implements Spawner {
  readonly #options: HelperOptions;
  readonly #helper: ChildProcessByStdio<Writable, Readable, null>;
  readonly #entries = new Map<number, Entry>();
  readonly #cancelTimer: () => void;
  #state: 'starting' | 'ready' | 'over' = 'starting';
  #nextId = 1;
  #text = '';

  constructor(options: HelperOptions) {
    this.#options = options;
    // bytes stay bytes, whatever PERL_UNICODE says
    const setsid = setsidNumbers[process.arch] ?? '';
    const args = ['-C0', '-e', helperScript, '--', String(jobOomScore), setsid, shell.file, ...shell.options];
    // in a session of its own the terminal's signals do not reach it
    const helper = spawn(options.file ?? 'perl', args, {
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
      env: options.environment,
    });
    this.#helper = helper;
    helper.on('error', (error) => this.#lose(error.message));
    helper.on('exit', (code, signal) => this.#lose(`it ended with ${signal ?? code}`));
    // a write to a helper that has gone fails here too, and its end is told above
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
    this.#entries.set(id, { request, listener, failure: null });
    // jobs that are started together wake the helper once
    this.#helper.stdin.cork();
    this.#helper.stdin.write(encode(id, request));
    queueMicrotask(() => this.#helper.stdin.uncork());
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
    if (word === 'error') entry.failure = { code: errorName(Number(first)), what: rest.join(' ') };
    if (word !== 'end') return;
    this.#entries.delete(Number(id));
    tellEnd(entry, Number(first), Number(rest[0]));
  }

  /** What was asked of a helper that was never ready is done otherwise; of the rest nobody will learn the end. */
  #lose(reason: string): void {
    if (this.#state === 'over') return;
    const wasReady = this.#state === 'ready';
    this.#state = 'over';
    this.#cancelTimer();
    this.#options.log.warn({ reason }, 'no helper to start jobs: the worker starts them itself, which takes longer');
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { request, listener } of entries) {
      if (wasReady) listener.exited(null, null, null);
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

/** Starts the helper; what is asked of it before it is ready waits. */
export function openHelperSpawner(options: HelperOptions): Spawner {
  return new HelperSpawner(options);
}

/** `status` as `waitpid` gives it. */
function tellEnd({ listener, failure }: Entry, status: number, cpuMs: number): void {
  const signal = status & 0x7f;
  if (failure !== null)
    listener.failed(failure.code, `${failure.code ?? 'error'}: cannot start or open ${failure.what}`);
  else if (signal !== 0) listener.exited(null, signal, cpuMs);
  else listener.exited((status >> 8) & 0xff, null, cpuMs);
}

function errorName(errno: number): string | null {
  return errno > 0 ? getSystemErrorName(-errno) : null;
}

function encode(id: number, request: SpawnRequest): Buffer {
  const { stdoutPath, stderrPath, text, variables } = request;
  const fields = [String(id), stdoutPath, stderrPath, text, ...Object.entries(variables).flat()];
  const body = Buffer.concat(fields.map((field) => withLength(Buffer.from(field))));
  return withLength(body);
}

function withLength(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
