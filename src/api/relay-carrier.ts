/** A link over the pipes of a process, and its connections as sockets: both ends of a relay use it. */
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { type LinkPort, type LinkStream, RelayLink } from './relay-link.ts';

/** Each end says that it is there this often, and gives the other one up when it is silent for this long. */
const aliveEveryMs = 5_000;
const silentForMs = 20_000;

export interface CarrierOptions {
  input: Readable;
  output: Writable;
  /** Makes the connection for a stream that the other end opened. */
  connect?: () => Socket;
  /** The link is over; called once. */
  over(reason: string): void;
}

export class RelayCarrier {
  readonly #link: RelayLink;
  readonly #options: CarrierOptions;
  readonly #timer: NodeJS.Timeout;
  #heardMs = performance.now();
  #isOver = false;

  constructor(options: CarrierOptions) {
    this.#options = options;
    const { input, output, connect } = options;
    this.#link = new RelayLink({
      send: (bytes) => this.#isOver || output.write(bytes),
      opened: (stream) => {
        const socket = connect?.() ?? null;
        if (socket === null) throw new Error('the other end opens no streams');
        return portOf(socket, stream);
      },
    });
    output.on('drain', () => this.#link.drained());
    output.on('error', (error) => this.end(error.message));
    input.on('data', (piece: Buffer) => this.take(piece));
    input.on('error', (error) => this.end(error.message));
    input.once('end', () => this.end('the other end has closed it'));
    input.once('close', () => this.end('the other end has closed it'));
    this.#timer = setInterval(() => this.#look(), aliveEveryMs);
  }

  get numStreams(): number {
    return this.#link.numStreams;
  }

  /** Carries a connection to the other end. */
  carry(socket: Socket): void {
    this.#link.open((stream) => portOf(socket, stream));
  }

  /** Bytes that were read from the input before. */
  take(piece: Buffer): void {
    this.#heardMs = performance.now();
    if (this.#isOver || piece.length === 0) return;
    try {
      this.#link.take(piece);
    } catch (error) {
      this.end((error as Error).message);
    }
  }

  end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    this.#link.close();
    this.#options.over(reason);
  }

  #look(): void {
    const silentMs = performance.now() - this.#heardMs;
    if (silentMs > silentForMs) this.end(`the other end was silent for ${Math.round(silentMs / 1000)} s`);
    else this.#link.sayAlive();
  }
}

/** The socket must allow half-open connections. */
function portOf(socket: Socket, stream: LinkStream): LinkPort {
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => stream.data(bytes));
  socket.once('end', () => stream.ended());
  socket.once('error', () => socket.destroy());
  socket.once('close', () => stream.closed());
  return {
    write: (bytes, done) => {
      // `done` only when it was written: what a broken connection did not take is not asked for again
      socket.write(bytes, (error) => {
        if (error == null) done();
      });
    },
    end: () => socket.end(),
    destroy: () => socket.destroy(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  };
}
