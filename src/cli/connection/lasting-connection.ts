/**
 * A connection for commands that run jobs, which may take long: when the server that they found ends before them, they
 * take its place, or find who did. Otherwise their workers, and those of others, would wait for a server in vain. When
 * their own place is taken, they go on with whoever has it.
 */
import type { CallOptions, EndpointName, Reply, Request } from '../../api/contract.ts';
import { readServerFile } from '../../api/server-file.ts';
import { delay, systemClock } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import type { ServeOptions } from '../../server/serve.ts';
import { type Connection, type ConnectOptions, connect, connectRemote } from './connection.ts';

const lookEveryMs = 1000;
/** A server that was killed is given this long to be started again; one that ended in order, less. */
const patienceMs = { killed: 10_000, ended: 2_000 };
const retryMs = 250;
const probeTimeoutMs = 10_000;

/** Endpoints that only read, so that a call may be repeated whatever became of the first one. */
const repeatable: readonly EndpointName[] = ['workflow_show', 'list', 'server_info'];

/** Connects as `connect` does; `serve` then means from now on, or from when the server that there is has ended. */
export async function connectToStay(options: ConnectOptions): Promise<Connection> {
  return new StandIn(await connect(options), options);
}

class StandIn implements Connection {
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
      // the next look tries again
      if (!this.#isClosed) await this.#call('server_info', {}, { timeoutMs: probeTimeoutMs }).catch(() => {});
    }
  }

  async #call<N extends EndpointName>(endpoint: N, request: Request<N>, options?: CallOptions): Promise<Reply<N>> {
    const used = this.#current;
    try {
      return await used.api.call(endpoint, request, options);
    } catch (error) {
      // in process that is said only by a database which another process has taken over
      const isGone = error instanceof TorcError && error.code === (used.kind === 'remote' ? 'unreachable' : 'busy');
      if (!isGone || this.#isClosed || !repeatable.includes(endpoint)) throw error;
      if (used === this.#current) await this.#changeOver();
      return this.#current.api.call(endpoint, request, options);
    }
  }

  #changeOver(): Promise<void> {
    const change = async (): Promise<void> => {
      const next = (await this.#returned()) ?? (await connect(this.#options));
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

  /** The server, or another one in its place, when there is one soon enough. */
  async #returned(): Promise<Connection | null> {
    const isKilled = readServerFile(this.#options.directory) !== null;
    const until = systemClock.monotonic() + (isKilled ? patienceMs.killed : patienceMs.ended);
    while (systemClock.monotonic() < until && !this.#isClosed) {
      const remote = await connectRemote(this.#options.directory);
      if (remote !== null) return remote;
      await delay(systemClock, retryMs);
    }
    return null;
  }
}
