/**
 * Starts jobs through fork servers: programs that stay, are ready to run what the jobs need, and start each one by
 * forking themselves. A job that none can start, or that needs more than a process with its command, starts as all others.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { openForkServer } from './helper-spawner.ts';
import type { QueuedProcess, Spawner, SpawnListener, SpawnRequest } from './spawner.ts';
import { StartingServer } from './warm-start.ts';

/** Each has the memory of a program: with more kinds of jobs at once, the others start without one. */
const mostServers = 8;
/** One that ends so often is broken. */
const mostLosses = 3;

export interface WarmOptions {
  clock: Clock;
  log: Log;
  environment: Readonly<Record<string, string | undefined>>;
  openFiles: number | null;
  /** Starts what is not for a fork server. */
  spawner: Spawner;
}

class WarmSpawner implements Spawner {
  readonly #options: WarmOptions;
  /** By what they run and with which variables; those used last come last. */
  readonly #servers = new Map<string, StartingServer>();
  readonly #numLosses = new Map<string, number>();

  constructor(options: WarmOptions) {
    this.#options = options;
  }

  spawn(request: SpawnRequest, listener: SpawnListener): void {
    this.#for(request).spawn(request, listener);
  }

  get queue(): Spawner['queue'] {
    const { queue } = this.#options.spawner;
    return queue === null ? null : (request, listener) => this.#queue(request, listener, queue);
  }

  #queue(request: SpawnRequest, listener: SpawnListener, cold: NonNullable<Spawner['queue']>): QueuedProcess {
    return (this.#for(request).queue ?? cold)(request, listener);
  }

  #for(request: SpawnRequest): Spawner {
    const { warm, variables } = request;
    const { spawner } = this.#options;
    if (warm === undefined) return spawner;
    // what torc itself sets differs from job to job, and nothing reads it as it starts
    const given = Object.entries(variables).filter(([name]) => !name.startsWith('TORC_'));
    const key = JSON.stringify([warm, given]);
    const server = this.#servers.get(key);
    if (server !== undefined) {
      this.#servers.delete(key);
      this.#servers.set(key, server);
      return server;
    }
    if ((this.#numLosses.get(key) ?? 0) >= mostLosses || !this.#makeRoom()) return spawner;
    return this.#open(key, warm, Object.fromEntries(given));
  }

  #open(key: string, warm: string, variables: Record<string, string>): Spawner {
    const { clock, log, environment, openFiles, spawner } = this.#options;
    try {
      const open = (ready: () => void) =>
        openForkServer({
          ...{ clock, log, openFiles, fallback: spawner, command: warm, ready },
          environment: { ...environment, ...variables },
          lost: (wasReady) => this.#onLost(key, wasReady),
        });
      const server = new StartingServer({ clock, log, cold: spawner, open });
      this.#servers.set(key, server);
      return server;
    } catch (error) {
      // such as an environment that is too long for the system, or no descriptors for its pipes
      log.warn({ reason: String(error) }, 'a fork server cannot be started: its jobs start without one');
      this.#numLosses.set(key, mostLosses);
      return spawner;
    }
  }

  #onLost(key: string, wasReady: boolean): void {
    this.#numLosses.set(key, wasReady ? (this.#numLosses.get(key) ?? 0) + 1 : mostLosses);
    const server = this.#servers.get(key);
    this.#servers.delete(key);
    server?.lost();
  }

  /** Ends the server that has been idle for longest if there are many; false when all are busy. */
  #makeRoom(): boolean {
    if (this.#servers.size < mostServers) return true;
    for (const [key, server] of this.#servers) {
      if (!server.isIdle) continue;
      this.#servers.delete(key);
      server.end();
      return true;
    }
    return false;
  }

  close(): void {
    for (const server of this.#servers.values()) server.end();
    this.#options.spawner.close();
  }
}

export function openWarmSpawner(options: WarmOptions): Spawner {
  return new WarmSpawner(options);
}
