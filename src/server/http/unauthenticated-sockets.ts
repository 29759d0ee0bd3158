/**
 * Limits the connections that have not shown the token yet. One too many ends the oldest: somebody who opens many silent
 * connections displaces other silent ones and no clients, which show the token at once.
 */
import type { Socket } from 'node:net';

export class UnauthenticatedSockets {
  readonly #most: number;
  /** In the order of arrival. */
  readonly #sockets = new Map<string, Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  admit(socket: Socket): void {
    const name = nameOf(socket);
    // two live connections never have one name, so this one is dead; no socket may leave the count while it is open
    this.#sockets.get(name)?.destroy();
    this.#sockets.delete(name);
    this.#sockets.set(name, socket);
    socket.once('close', () => {
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name);
    });
    if (this.#sockets.size <= this.#most) return;
    const [oldest] = this.#sockets;
    if (oldest === undefined) return;
    this.#sockets.delete(oldest[0]);
    oldest[1].destroy();
  }

  /** The peer of this connection has shown the token. */
  recognize(socket: Socket): void {
    this.#sockets.delete(nameOf(socket));
  }
}

/** Both ends, which the kernel keeps unique: the same for a connection and for the TLS over it. */
function nameOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`;
}
