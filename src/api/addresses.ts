/** Addresses of a server: as people write them, as `server.json` holds them, and why none of them led to it. */
import { TorcError } from '../base/errors.ts';

/** Without a port it is that on which the server listens. */
export interface Advertised {
  host: string;
  port: number | null;
}

const hostName = /^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/;
const ipv6 = /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?$/;
const mostAdvertised = 16;

/** `HOST[:PORT]`, several with commas between; IPv6 with a port is `[ADDRESS]:PORT`. Throws TorcError 'usage'. */
export function parseAdvertised(text: string): Advertised[] {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new TorcError('usage', 'no address is given', example);
  if (parts.length > mostAdvertised) {
    throw new TorcError('usage', `${parts.length} addresses are given, and at most ${mostAdvertised} are tried`);
  }
  return parts.map(parseOne);
}

/** The same as one text, checked and without blanks. Throws TorcError 'usage'. */
export function advertisedText(text: string): string {
  return parseAdvertised(text)
    .map(({ host, port }) => {
      const shown = host.includes(':') ? `[${host}]` : host;
      return port === null ? shown : `${shown}:${port}`;
    })
    .join(',');
}

const example = 'Write HOST or HOST:PORT, several with commas: login1.example.org,10.1.0.5:7000';

function parseOne(part: string): Advertised {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(part);
  const plain = /^([^:]*)(?::(\d{1,5}))?$/.exec(part);
  const [, host = '', port] = bracketed ?? plain ?? [null, part];
  const isHost = bracketed === null && plain !== null ? hostName.test(host) : ipv6.test(host);
  const number = port === undefined ? null : Number(port);
  if (!isHost || (number !== null && (number < 1 || number > 65_535))) {
    throw new TorcError('usage', `'${part}' is not the address of a host`, example);
  }
  return { host, port: number };
}

/** As `server.json` holds it: the port follows the last colon, also behind IPv6, as all versions of workers read it. */
export function addressText(host: string, port: number): string {
  return `${host}:${port}`;
}

export function splitAddress(address: string): { host: string; port: number } {
  const separator = address.lastIndexOf(':');
  return { host: address.slice(0, separator), port: Number(address.slice(separator + 1)) };
}

/** As people and URLs write it. */
export function shownAddress(address: string): string {
  const { host, port } = splitAddress(address);
  return host.includes(':') ? `[${host}]:${port}` : address;
}

export interface TriedAddress {
  address: string;
  reason: string;
}

/** Each reason once, with the addresses that failed for it. */
export function triedText(tried: readonly TriedAddress[]): string {
  const reasons = new Map<string, string[]>();
  for (const { address, reason } of tried) {
    const addresses = reasons.get(reason) ?? [];
    reasons.set(reason, addresses);
    addresses.push(shownAddress(address));
  }
  return [...reasons].map(([reason, addresses]) => `${reason} (${addresses.join(', ')})`).join('; ');
}
