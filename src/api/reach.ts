/** How a client reaches the server of a `server.json`, and by which certificate alone it knows it. */
import { hostname } from 'node:os';
import type { ServerFile } from './server-file.ts';

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

/** The addresses with their indices, in the order in which they are tried: from the `first` on. */
export function addressesOf({ addresses, hostname: serverHost }: ServerFile, first = 0): [number, string][] {
  const entries = [...addresses.entries()];
  const ordered = [...entries.slice(first), ...entries.slice(0, first)];
  if (serverHost !== hostname()) return ordered;
  const port = addresses[0]?.split(':').at(-1);
  return [[0, `127.0.0.1:${port}`], ...ordered];
}

export function hostAndPort(address: string): { host: string; port: number } {
  const separator = address.lastIndexOf(':');
  return { host: address.slice(0, separator), port: Number(address.slice(separator + 1)) };
}
