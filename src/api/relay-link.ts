/**
 * One end of a relay: carries connections over one pair of pipes, as frames. Each stream has a window, so that one whose
 * receiver is slow neither fills memory nor holds up the others. Knows no sockets: a port is a connection as it needs it.
 */
import {
  BrokenFrames,
  emptyFrame,
  type Frame,
  FrameReader,
  frameBytes,
  longestContent,
  windowFrame,
  windowOf,
} from './relay-frames.ts';

/** What the link does to a connection of this side. */
export interface LinkPort {
  /** Calls `done` when the connection has taken the bytes and more may come. */
  write(bytes: Buffer, done: () => void): void;
  /** The peer sends no more. */
  end(): void;
  /** The connection is broken. */
  destroy(): void;
  pause(): void;
  resume(): void;
}

/** What a connection of this side tells the link. */
export interface LinkStream {
  data(bytes: Buffer): void;
  /** This side sends no more. */
  ended(): void;
  /** It was closed; in the middle of something when not both sides have ended. */
  closed(): void;
}

export interface LinkPipe {
  /** False when the pipe is full: `drained` says when it has room again. */
  send(bytes: Buffer): boolean;
  /** The other end opened a stream. The port takes what comes on it. */
  opened(stream: LinkStream): LinkPort;
}

/** What may be under way in a stream, in each direction. */
export const windowBytes = 256 * 1024;

interface Stream {
  id: number;
  port: LinkPort;
  /** What may still be sent; a last piece may exceed it. */
  credit: number;
  /** Taken by the port, and not yet told to the peer. */
  numTaken: number;
  hasEnded: boolean;
  hasPeerEnded: boolean;
}

export class RelayLink {
  readonly #pipe: LinkPipe;
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;
  #isFull = false;

  constructor(pipe: LinkPipe) {
    this.#pipe = pipe;
  }

  get numStreams(): number {
    return this.#streams.size;
  }

  /** Opens a stream for a connection of this side. Only one end of a link may open streams. */
  open(connect: (stream: LinkStream) => LinkPort): void {
    this.#lastId += 1;
    this.#send(emptyFrame('open', this.#lastId));
    this.#add(this.#lastId, connect);
  }

  /** Bytes from the pipe. Throws BrokenFrames when the other end is no relay. */
  take(piece: Buffer): void {
    for (const frame of this.#reader.take(piece)) this.#receive(frame);
  }

  /** Says to the other end that this one is there. */
  sayAlive(): void {
    this.#send(emptyFrame('alive', 0));
  }

  /** The pipe has room again. */
  drained(): void {
    this.#isFull = false;
    for (const { credit, port } of this.#streams.values()) if (credit > 0) port.resume();
  }

  /** The pipe is gone, and so are the connections. */
  close(): void {
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { port } of streams) port.destroy();
  }

  #add(id: number, connect: (stream: LinkStream) => LinkPort): void {
    const port = connect(this.#handle(id));
    this.#streams.set(id, { id, port, credit: windowBytes, numTaken: 0, hasEnded: false, hasPeerEnded: false });
    if (this.#isFull) port.pause();
  }

  #handle(id: number): LinkStream {
    const open = (): Stream | null => this.#streams.get(id) ?? null;
    return {
      data: (bytes) => {
        const stream = open();
        if (stream === null || stream.hasEnded) return;
        for (let at = 0; at < bytes.length; at += longestContent) {
          this.#send({ type: 'data', stream: id, content: bytes.subarray(at, at + longestContent) });
        }
        stream.credit -= bytes.length;
        if (stream.credit <= 0) stream.port.pause();
      },
      ended: () => {
        const stream = open();
        if (stream === null || stream.hasEnded) return;
        stream.hasEnded = true;
        this.#send(emptyFrame('end', id));
        this.#forgetWhenOver(stream);
      },
      closed: () => {
        if (this.#streams.delete(id)) this.#send(emptyFrame('reset', id));
      },
    };
  }

  #receive(frame: Frame): void {
    if (frame.type === 'alive') return;
    if (frame.type === 'open') {
      if (this.#streams.has(frame.stream)) throw new BrokenFrames('a stream was opened twice');
      this.#add(frame.stream, (stream) => this.#pipe.opened(stream));
      return;
    }
    const stream = this.#streams.get(frame.stream);
    // this side has just closed it, and the peer does not know that yet
    if (stream === undefined) return;
    if (frame.type === 'data') this.#receiveData(stream, frame.content);
    else if (frame.type === 'window') this.#receiveWindow(stream, frame);
    else if (frame.type === 'end') this.#receiveEnd(stream);
    else {
      this.#streams.delete(stream.id);
      stream.port.destroy();
    }
  }

  #receiveWindow(stream: Stream, frame: Frame): void {
    const numBytes = windowOf(frame);
    if (numBytes === null) throw new BrokenFrames('a window without its size');
    const wasShut = stream.credit <= 0;
    stream.credit += numBytes;
    if (wasShut && stream.credit > 0 && !this.#isFull) stream.port.resume();
  }

  #receiveEnd(stream: Stream): void {
    if (stream.hasPeerEnded) return;
    stream.hasPeerEnded = true;
    stream.port.end();
    this.#forgetWhenOver(stream);
  }

  #receiveData(stream: Stream, content: Buffer): void {
    stream.port.write(content, () => {
      stream.numTaken += content.length;
      // one frame for many small pieces
      if (!this.#streams.has(stream.id) || stream.hasPeerEnded || stream.numTaken < windowBytes / 4) return;
      this.#send(windowFrame(stream.id, stream.numTaken));
      stream.numTaken = 0;
    });
  }

  #forgetWhenOver(stream: Stream): void {
    if (stream.hasEnded && stream.hasPeerEnded) this.#streams.delete(stream.id);
  }

  #send(frame: Frame): void {
    if (this.#pipe.send(frameBytes(frame)) || this.#isFull) return;
    this.#isFull = true;
    for (const { port } of this.#streams.values()) port.pause();
  }
}
