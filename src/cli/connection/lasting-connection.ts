/**
 * A connection for commands that run jobs, which may take long: when the server they use ends before them, they take
 * its place or find its successor. Otherwise their workers, and those of others, would wait for a server forever. When
 * another process takes over from them, they continue with that one.
 */
import type { CallOptions, EndpointName, Reply, Request } from '../../api/contract.ts';
import type { AskEvents, FollowedMessage } from '../../api/events.ts';
import { readServerFile } from '../../api/server-file.ts';
import { delay, systemClock } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import type { ServeOptions } from '../../server/serve.ts';
import { type Connection, type ConnectOptions, connect, connectRemote } from './connection.ts';

const lookEveryMs = 1000;
/** How long a server may take to come back: longer after it was killed than after a clean end. */
const comeBackWithinMs = { killed: 10_000, ended: 2_000 };
const retryMs = 250;
const probeTimeoutMs = 10_000;

/** Endpoints that only read, so that a call may always be repeated. */
const repeatable: readonly EndpointName[] = ['workflow_show', 'list', 'server_info'];

/** Connects as `connect` does; `serve` means from now on, or from the end of the present server on. */
export async function connectToStay(options: ConnectOptions): Promise<Connection> {
  return new LastingConnection(await connect(options), options);
}

class LastingConnection implements Connection {
  readonly #options: ConnectOptions;
  readonly api = {
    call: <N extends EndpointName>(endpoint: N, request: Request<N>, options?: CallOptions) =>
      this.#call(endpoint, request, options),
    close: () => this.close(),
  };
  #current: Connection;
  #serveOptions: ServeOptions = {};
  #watching: Promise<void> = Promise.resolve();
  #change: Promise<void> | null = null;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(first: Connection, options: ConnectOptions) {
    this.#current = first;
    this.#options = options;
  }

  get kind(): Connection['kind'] {
    return this.#current.kind;
  }

  async serve(serveOptions: ServeOptions = {}): Promise<void> {
    this.#serveOptions = serveOptions;
    if (this.kind === 'in_process') await this.#current.serve(serveOptions);
    else this.#watching = this.#watch();
  }

  /** With the server that is there now; the caller follows again when it ends. */
  follow(asked: AskEvents, signal: AbortSignal): AsyncGenerator<FollowedMessage> {
    return this.#current.follow(asked, signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#watching;
    await this.#change?.catch(() => {});
    await this.#current.close();
  }

  async #watch(): Promise<void> {
    const closing = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    while (!this.#isClosed && this.kind === 'remote') {
      await Promise.race([delay(systemClock, lookEveryMs), closing]);
      // the next round tries again
      if (!this.#isClosed) await this.#call('server_info', {}, { timeoutMs: probeTimeoutMs }).catch(() => {});
    }
  }

  async #call<N extends EndpointName>(endpoint: N, request: Request<N>, options?: CallOptions): Promise<Reply<N>> {
    const used = this.#current;
    try {
      return await used.api.call(endpoint, request, options);
    } catch (error) {
      // in process, 'busy' means that another process has taken over the database
      const isGone = error instanceof TorcError && error.code === (used.kind === 'remote' ? 'unreachable' : 'busy');
      if (!isGone || this.#isClosed || !repeatable.includes(endpoint)) throw error;
      if (used === this.#current) await this.#changeOver();
      return this.#current.api.call(endpoint, request, options);
    }
  }

  #changeOver(): Promise<void> {
    const change = async (): Promise<void> => {
      const next = (await this.#successor()) ?? (await connect({ ...this.#options, creates: false }));
      const before = this.#current;
      this.#current = next;
      await before.close();
      await next.serve(this.#serveOptions);
    };
    this.#change ??= change().finally(() => {
      this.#change = null;
    });
    return this.#change;
  }

  /** The server or its successor, or null if none answers in time. */
  async #successor(): Promise<Connection | null> {
    const isKilled = readServerFile(this.#options.directory) !== null;
    const until = systemClock.monotonic() + (isKilled ? comeBackWithinMs.killed : comeBackWithinMs.ended);
    while (systemClock.monotonic() < until && !this.#isClosed) {
      const remote = await connectRemote(this.#options.directory);
      if (remote !== null) return remote;
      await delay(systemClock, retryMs);
    }
    return null;
  }
}
