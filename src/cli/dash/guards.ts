/** What every answer of the dashboard says, and which requests come from its own page. */
import type { IncomingHttpHeaders } from 'node:http';

/** Nothing but the files of this listener is loaded, nothing is inline, and no other page shows this one in a frame. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const safetyHeaders = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** Whatever port a tunnel gives it; a name of the network that leads here belongs to somebody else's page. */
const ownHost = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/;

export function isOwnHost({ host }: IncomingHttpHeaders): boolean {
  return host !== undefined && ownHost.test(host);
}

/** A request that reads or changes something comes from a script of this page, and browsers say so. */
export function isOwnScript(headers: IncomingHttpHeaders): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  return origin === `http://${host}` && /^application\/json(;|$)/.test(headers['content-type'] ?? '');
}
