/** `GET /metrics`, for the owner's token and for a token that opens nothing else, kept in a file of the server directory. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { metricsTokenPath } from '../../base/paths.ts';
import { readPrivateFile } from '../../base/trusted/private.ts';
import type { ServerContext } from '../context.ts';
import type { Counters } from '../live/counters.ts';
import { contentTypes, exposed, expositionFor } from '../live/exposition.ts';
import { metricsOf } from '../live/metrics.ts';

export const metricsPath = '/metrics';

/** Whether an Authorization header has the token for metrics. The file is read each time: it may be new or gone. */
export function opensMetrics(directory: string, header: string | undefined): boolean {
  const token = readPrivateFile(metricsTokenPath(directory))?.trim() ?? '';
  return token !== '' && timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`));
}

export function sendMetrics(
  { context, counters, numViewers }: { context: ServerContext; counters: Counters; numViewers: number },
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const how = expositionFor(incoming.headers.accept);
  const body = Buffer.from(exposed(metricsOf(context, counters, numViewers), how));
  outgoing.writeHead(200, { 'content-type': contentTypes[how], 'content-length': body.length });
  outgoing.end(body);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
