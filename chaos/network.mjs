// The network between the workers and the server: a proxy for each worker that can be cut, silenced or made slow. A
// worker has its own server directory (a view), whose server.json names its proxy; everything else links to the real one.
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';

const lookEveryMs = 50;

export class Network {
  #serverDirectory;
  #views = [];
  #text = '';
  #timer;

  /** `numViews` directories below `place/views`. */
  constructor(place, serverDirectory, numViews) {
    this.#serverDirectory = serverDirectory;
    mkdirSync(join(serverDirectory, 'workers'), { recursive: true, mode: 0o700 });
    for (let index = 0; index < numViews; index++) {
      const directory = join(place, 'views', String(index));
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      symlinkSync(join(serverDirectory, 'workers'), join(directory, 'workers'));
      this.#views.push(new View(directory));
    }
    this.#timer = setInterval(() => void this.#look(), lookEveryMs);
  }

  view(index) {
    return this.#views[index];
  }

  /** Shows the workers what the real server publishes, each with the address of its proxy. */
  async #look() {
    let text = '';
    try {
      text = readFileSync(join(this.#serverDirectory, 'server.json'), 'utf8');
    } catch {
      // no server is published
    }
    if (text === this.#text) return;
    this.#text = text;
    for (const view of this.#views) await view.show(text === '' ? null : JSON.parse(text));
  }

  close() {
    clearInterval(this.#timer);
    for (const view of this.#views) view.close();
  }
}

class View {
  directory;
  /** `open`; `refused`: connections end at once; `silent`: nothing arrives and there is no error. */
  state = 'open';
  delayMs = 0;
  #listener = null;
  #pairs = new Set();

  constructor(directory) {
    this.directory = directory;
  }

  /** If the server changes its port, the proxies change theirs too. */
  async show(file) {
    const path = join(this.directory, 'server.json');
    this.#listener?.close();
    this.#listener = null;
    if (file === null) return rmSync(path, { force: true });
    const port = Number(file.addresses[0].split(':').at(-1));
    const listener = createServer({ pauseOnConnect: true }, (near) => this.#join(near, port));
    this.#listener = listener;
    await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
    if (this.#listener !== listener) return;
    const seen = { ...file, addresses: [`127.0.0.1:${listener.address().port}`] };
    writeFileSync(`${path}.new`, JSON.stringify(seen), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  #join(near, port) {
    if (this.state === 'refused') return near.destroy();
    const far = connect(port, '127.0.0.1');
    const pair = [near, far];
    this.#pairs.add(pair);
    this.#carry(near, far);
    this.#carry(far, near);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
    if (this.state === 'open') near.resume();
    else far.pause();
  }

  /** Forwards pieces in order, each after the delay at its arrival. */
  #carry(from, to) {
    let dueMs = 0;
    from.on('data', (piece) => {
      if (this.delayMs === 0 && dueMs <= performance.now()) return to.write(piece);
      dueMs = Math.max(dueMs, performance.now() + this.delayMs);
      setTimeout(() => to.write(piece), dueMs - performance.now());
    });
  }

  refuse() {
    this.state = 'refused';
    this.reset();
  }

  silence() {
    this.state = 'silent';
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** Ends all connections, even in the middle of a reply. */
  reset() {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  repair() {
    this.state = 'open';
    this.delayMs = 0;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  close() {
    this.#listener?.close();
    this.reset();
  }
}
