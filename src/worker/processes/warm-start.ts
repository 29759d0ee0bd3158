/**
 * Holds jobs back while their fork server starts. What has waited too long starts without it, as do those that come until
 * it is ready: the server is given nothing before, so nothing starts twice.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { ServedSpawner } from './helper-spawner.ts';
import type { QueuedProcess, Spawner, SpawnListener, SpawnRequest } from './spawner.ts';

/** It imports what its jobs need, which they would have to import themselves. */
const patienceMs = 10_000;

interface Held {
  request: SpawnRequest;
  listener: SpawnListener;
  /** It waits for a place. */
  isQueued: boolean;
  /** Once it was given on while it waited for one. */
  process: QueuedProcess | null;
}

export interface WarmStartOptions {
  clock: Clock;
  log: Log;
  /** Starts jobs without the fork server. */
  cold: Spawner;
  /** Starts the fork server, which says later that it is `ready`, or is lost. */
  open(ready: () => void): ServedSpawner;
}

export class StartingServer implements ServedSpawner {
  readonly #cold: Spawner;
  readonly #server: ServedSpawner;
  readonly #held = new Set<Held>();
  readonly #cancelTimer: () => void;
  #state: 'starting' | 'late' | 'ready' = 'starting';

  constructor({ clock, log, cold, open }: WarmStartOptions) {
    this.#cold = cold;
    this.#server = open(() => this.#become('ready'));
    this.#cancelTimer = clock.after(patienceMs, () => {
      log.warn({}, 'a fork server is not ready after 10 s: jobs start without it until it is');
      this.#become('late');
    });
  }

  spawn(request: SpawnRequest, listener: SpawnListener): void {
    if (this.#state !== 'starting') this.#target.spawn(request, listener);
    else this.#held.add({ request, listener, isQueued: false, process: null });
  }

  get queue(): Spawner['queue'] {
    if (this.#state !== 'starting') return this.#target.queue;
    return (request, listener) => this.#queue(request, listener);
  }

  #queue(request: SpawnRequest, listener: SpawnListener): QueuedProcess {
    const held: Held = { request, listener, isQueued: true, process: null };
    this.#held.add(held);
    return {
      start: (cpus) => {
        held.process?.start(cpus);
        if (held.process !== null || !held.isQueued) return;
        held.isQueued = false;
        held.request = withCpus(request, cpus);
      },
      withdraw: () => {
        held.process?.withdraw();
        const isTaken = held.process === null && held.isQueued && this.#held.delete(held);
        // the caller looks at all that wait
        if (isTaken) queueMicrotask(() => listener.withdrawn());
      },
    };
  }

  get #target(): Spawner {
    return this.#state === 'ready' ? this.#server : this.#cold;
  }

  /** The fork server has ended. */
  lost(): void {
    this.#become('late');
  }

  #become(state: 'late' | 'ready'): void {
    this.#cancelTimer();
    this.#state = state;
    const all = [...this.#held];
    this.#held.clear();
    for (const held of all) {
      const { request, listener, isQueued } = held;
      const { queue } = this.#target;
      if (!isQueued) this.#target.spawn(request, listener);
      else if (queue !== null) held.process = queue(request, listener);
      else listener.withdrawn();
    }
  }

  get isIdle(): boolean {
    return this.#held.size === 0 && this.#server.isIdle;
  }

  end(): void {
    this.#cancelTimer();
    this.#server.end();
  }

  close(): void {
    this.end();
  }
}

/** What a process is started with that got these CPUs later. */
function withCpus(request: SpawnRequest, cpus: string | null): SpawnRequest {
  if (cpus === null) return request;
  return { ...request, cpus, variables: { ...request.variables, TORC_CPUS: cpus } };
}
