/**
 * The network between clients and the server: requests and replies are text that is delayed, lost, duplicated,
 * reordered, and cut off in one direction or both.
 */
import type { Api, CallOptions, EndpointName, Reply, Request } from '../../src/api/contract.ts';
import { asTorcError, TorcError } from '../../src/base/errors.ts';
import type { Process, Timeline } from './clock.ts';
import type { Random } from './random.ts';

/** The server process that answers at its address. */
export interface Listener {
  process: Process;
  call(endpoint: EndpointName, request: unknown, options: CallOptions): Promise<unknown>;
  /** Called before each reply is sent. */
  replying(): void;
}

export interface NetworkFaults {
  loss: number;
  doubling: number;
  slowness: number;
  /** Most messages take at most this long. */
  usualMs: number;
}

export const soundNetwork: NetworkFaults = { loss: 0, doubling: 0, slowness: 0, usualMs: 20 };

const defaultTimeoutMs = 60_000;

export class Network {
  faults = soundNetwork;
  /** Hosts that no message leaves, or reaches. */
  readonly deafHosts = new Set<string>();
  readonly muteHosts = new Set<string>();
  listener: Listener | null = null;
  /** Called when a call failed in a way that no call may fail. */
  onBug: (words: string) => void = () => {};
  readonly #timeline: Timeline;
  readonly #random: Random;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  #delayMs(): number {
    const isSlow = this.#random.chance(this.faults.slowness);
    return isSlow ? this.#random.spread(50, 20_000) : this.#random.spread(1, this.faults.usualMs);
  }

  #carry(isCut: () => boolean, arrive: () => void): void {
    if (isCut() || this.#random.chance(this.faults.loss)) return;
    this.#timeline.after(this.#delayMs(), () => {
      if (!isCut()) arrive();
    });
  }

  /** The server as a client on some host sees it. `answered` sees every reply that reaches it, with its request. */
  apiFor(client: Process, answered: (endpoint: EndpointName, request: unknown, reply: unknown) => void): Api {
    const { name } = client.host;
    const isMute = () => this.muteHosts.has(name);
    const isDeaf = () => this.deafHosts.has(name);
    /** The server whose address it knows; it looks for another when this one is gone or silent. */
    let known: Listener | null = null;
    const call = <N extends EndpointName>(endpoint: N, request: Request<N>, options: CallOptions = {}) =>
      new Promise<Reply<N>>((resolve, reject) => {
        const text = JSON.stringify(request);
        const connections: AbortController[] = [];
        const hangUp = () => {
          for (const connection of connections) this.#carry(isMute, () => connection.abort());
        };
        const cancelTimer = client.clock.after(options.timeoutMs ?? defaultTimeoutMs, () => {
          hangUp();
          known = null;
          reject(new TorcError('unreachable', 'no answer in time', null));
        });
        options.signal?.addEventListener('abort', () => {
          cancelTimer();
          hangUp();
          reject(new TorcError('interrupted', 'given up', null));
        });
        const receive = (take: () => void) => {
          const arrive = () =>
            client.deliver(() => {
              cancelTimer();
              take();
            });
          this.#carry(isDeaf, arrive);
        };
        const arrive = () => {
          if (known?.process.isAlive !== true) known = this.listener;
          const listener = known;
          if (listener === null || !listener.process.isAlive) {
            return receive(() => reject(new TorcError('unreachable', 'connection refused', null)));
          }
          const connection = new AbortController();
          connections.push(connection);
          const isServed = () => listener.process.isAlive;
          const serve = async (): Promise<void> => {
            try {
              const reply = await listener.call(endpoint, JSON.parse(text), { signal: connection.signal });
              if (!isServed()) return;
              listener.replying();
              if (!isServed()) return;
              const replyText = JSON.stringify(reply);
              receive(() => {
                const read = JSON.parse(replyText) as Reply<N>;
                answered(endpoint, JSON.parse(text), read);
                resolve(read);
              });
            } catch (error) {
              if (!isServed()) return;
              const known = asTorcError(error);
              if (known.code === 'bug') this.onBug(`${endpoint}: ${known.message}`);
              receive(() => reject(new TorcError(known.code, known.message, known.hint)));
            }
          };
          listener.process.deliver(() => void serve());
        };
        this.#carry(isMute, arrive);
        if (this.#random.chance(this.faults.doubling)) this.#carry(isMute, arrive);
      });
    return { call, close: async () => {} };
  }
}
