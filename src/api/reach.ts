/** How a client reaches the server of a `server.json`, and by which certificate alone it knows it. */
import { isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { addressText, splitAddress } from './addresses.ts';
import type { ServerFile } from './server-file.ts';

/** A network that drops packets never says that an address leads nowhere, and a name may resolve slowly. */
const connectWithinMs = 2_000;
const resolveWithinMs = 4_000;
const ownHostname = hostname();

/** The pinned certificate is the identity; the name by which the host is reached does not matter. */
export function pinnedTls({ certificate }: ServerFile) {
  return {
    ca: certificate,
    // explicit, because an environment variable can change the default
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    checkServerIdentity: () => undefined,
    servername: 'torc',
  } as const;
}

/** The addresses with their indices, as they are tried: from the `first` on, on the server's own host its loopback before. */
export function addressesOf({ addresses, hostname: serverHost }: ServerFile, first = 0): [number, string][] {
  const entries = [...addresses.entries()];
  const ordered = [...entries.slice(first), ...entries.slice(0, first)];
  if (serverHost !== ownHostname) return ordered;
  // the first ones may be those of a gateway; the last one has the server's own port
  const { port } = splitAddress(addresses.at(-1) ?? '');
  return [[first, addressText('127.0.0.1', port)], ...ordered];
}

/** Ends an attempt to connect that takes too long, at most as long as the whole call may take. */
export function giveUpConnecting(socket: Socket, host: string, callMs: number): void {
  const mostMs = Math.min(resolveWithinMs, callMs);
  const within = (ms: number, what: string): NodeJS.Timeout =>
    setTimeout(() => socket.destroy(new Error(`${what} within ${ms / 1000} s`)), ms);
  const connectMs = Math.min(connectWithinMs, mostMs);
  let timer = isIP(host) > 0 ? within(connectMs, 'no answer') : within(mostMs, 'the name does not resolve');
  socket.once('lookup', () => {
    clearTimeout(timer);
    timer = within(connectMs, 'no answer');
  });
  for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
}
