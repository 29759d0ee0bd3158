// The server of a run and its supervisor, which restarts the server whenever it ends.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signal, sleep, startTorc } from './processes.mjs';

const lookEveryMs = 100;
/** Delay before the next try after a refused start. */
const againMs = 700;
/** Exit codes of a server while another one is running: conflict, or the database is in use. */
const refusals = new Set([4, 5]);

export class Server {
  #place;
  #directory;
  #leaseSeconds;
  #live = new Set();
  #holds = 0;
  #isClosed = false;
  #port = 0;
  #notBeforeMs = 0;
  #supervising;
  /** Unexpected ends. */
  unexpected = [];
  numStarts = 0;

  constructor(place, directory, { leaseSeconds = 5 } = {}) {
    this.#place = place;
    this.#directory = directory;
    this.#leaseSeconds = leaseSeconds;
    this.#start();
    this.#supervising = this.#supervise();
  }

  async #supervise() {
    while (!this.#isClosed) {
      const isMissing = this.#live.size === 0 && this.#holds === 0;
      if (isMissing && performance.now() >= this.#notBeforeMs) this.#start();
      await sleep(lookEveryMs);
    }
  }

  #start() {
    const words = ['--dir', this.#directory, '-c', 'error', 'server', 'start'];
    words.push('--lease-seconds', String(this.#leaseSeconds), '--port', String(this.#port));
    this.numStarts += 1;
    const server = { ...startTorc(this.#place, 'server', words), isOurEnd: false };
    this.#live.add(server);
    void server.ended.then(({ code, signal: name }) => {
      this.#live.delete(server);
      if (server.isOurEnd) return;
      this.#notBeforeMs = performance.now() + againMs;
      // another program may have the port by now
      this.#port = 0;
      if (refusals.has(code)) return;
      this.unexpected.push(`${new Date().toISOString()} server ${server.child.pid} ended with ${name ?? code}`);
    });
  }

  /** Starts another server even if one is running. */
  startRival() {
    this.#start();
  }

  /** Signals all servers; the supervisor does nothing while `hold` is on. */
  signalAll(name) {
    for (const server of this.#live) {
      server.isOurEnd ||= name === 'SIGKILL' || name === 'SIGTERM';
      signal(server.child.pid, name);
    }
  }

  hold() {
    this.#holds += 1;
  }

  /** The next one listens on the port of the last, or on another. */
  release({ samePort }) {
    this.#port = samePort ? (this.#publishedPort() ?? 0) : 0;
    this.#holds -= 1;
  }

  #publishedPort() {
    try {
      const { addresses } = JSON.parse(readFileSync(join(this.#directory, 'server.json'), 'utf8'));
      return Number(addresses[0].split(':').at(-1));
    } catch {
      return null;
    }
  }

  /** Waits until every server has ended or the time is over; the caller kills the rest. */
  async gone(timeoutMs = 20_000) {
    await Promise.race([Promise.all([...this.#live].map(({ ended }) => ended)), sleep(timeoutMs)]);
  }

  async close() {
    this.#isClosed = true;
    await this.#supervising;
    this.signalAll('SIGCONT');
    this.signalAll('SIGTERM');
    await this.gone();
  }
}
