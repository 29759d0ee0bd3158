// The workers of a run: one for each view of the network; a new worker replaces each that ends.
import { join } from 'node:path';
import { workerNodeOptions } from '../dist/base/program.js';
import { signal, sleep, startTorc } from './processes.mjs';

const againMs = 500;

export class Workers {
  #place;
  #network;
  #workflowKey;
  #slots;
  #current = [];
  #isClosed = false;
  /** All workers so far by name: whether each was killed or told to stop. */
  all = new Map();
  /** Unexpected ends that are not orderly. */
  unexpected = [];

  constructor(place, network, { workflowKey, numWorkers, slots }) {
    this.#place = place;
    this.#network = network;
    this.#workflowKey = workflowKey;
    this.#slots = slots;
    for (let index = 0; index < numWorkers; index++) this.#start(index, 1);
  }

  #start(index, generation) {
    const name = `w${index}.${generation}`;
    const words = ['--dir', this.#network.view(index).directory, '-F', 'json', '-c', 'error'];
    words.push('jobs', 'run', this.#workflowKey, '--worker', '--output', join(this.#place, 'out'));
    words.push('--cpus', String(this.#slots), '--memory', '8g', '--wait-for-new-jobs', '100000');
    const started = startTorc(this.#place, 'workers', words, {
      env: { CHAOS_WORKER: name },
      nodeOptions: workerNodeOptions,
    });
    const worker = { ...started, name, wasKilled: false, wasStopped: false };
    this.all.set(name, worker);
    this.#current[index] = worker;
    void worker.ended.then(async ({ code, signal: why }) => {
      // a worker that is told to stop before it has started is interrupted
      const isOrderly = code === 0 || worker.wasKilled || (worker.wasStopped && (code === 130 || why === 'SIGTERM'));
      if (!isOrderly) this.unexpected.push(`${new Date().toISOString()} worker ${name} ended with ${why ?? code}`);
      await sleep(againMs);
      if (!this.#isClosed) this.#start(index, generation + 1);
    });
  }

  signal(index, name) {
    const worker = this.#current[index];
    worker.wasKilled ||= name === 'SIGKILL';
    worker.wasStopped ||= name === 'SIGTERM';
    signal(worker.child.pid, name);
  }

  async close() {
    this.#isClosed = true;
    for (const index of this.#current.keys()) {
      this.signal(index, 'SIGCONT');
      this.signal(index, 'SIGTERM');
    }
    await Promise.race([Promise.all(this.#current.map(({ ended }) => ended)), sleep(30_000)]);
  }
}
