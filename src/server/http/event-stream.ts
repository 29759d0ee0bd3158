/** `GET /events`: server-sent events. A client that does not read is cut off, and goes on with the last id it got. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AskEvents, askEvents, type EventMessage, eventsPath } from '../../api/events.ts';
import { limits } from '../../api/limits.ts';
import type { Clock } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import type { EventFeed } from '../live/event-feed.ts';

interface Stream {
  feed: EventFeed;
  clock: Clock;
  /** How long a client may leave what was sent unread. */
  unreadMs: number;
  /** Whether the token with which the client came still opens. */
  isOpen: () => boolean;
}

/** Sends messages until the client is gone, its token is refused or the feed ends. Throws TorcError before the reply begins. */
export async function streamEvents(
  { feed, clock, unreadMs, isOpen }: Stream,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const messages = feed.follow(askedOf(incoming), signal);
  // throws what is wrong with the request
  const first = await messages.next();
  outgoing.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let cancel = (): void => {};
  const beat = (): void => {
    cancel = clock.after(limits.eventHeartbeatMs, () => {
      if (!isOpen()) return void outgoing.destroy();
      outgoing.write(':\n\n');
      beat();
    });
  };
  try {
    for (let next = first; next.done !== true && !signal.aborted; next = await messages.next()) {
      cancel();
      if (!isOpen()) return;
      if (!outgoing.write(textOf(next.value)) && !(await hasDrained(outgoing, clock, unreadMs))) {
        outgoing.destroy();
        return;
      }
      beat();
    }
  } finally {
    cancel();
    await messages.return(undefined);
    outgoing.end();
  }
}

function textOf({ event, id, data }: EventMessage): string {
  return `event: ${event}\nid: ${id}\ndata: ${jsonText(data)}\n\n`;
}

function hasDrained(outgoing: ServerResponse, clock: Clock, mostMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isDrained: boolean): void => {
      cancel();
      outgoing.removeListener('drain', drained);
      outgoing.removeListener('close', closed);
      resolve(isDrained);
    };
    const drained = (): void => end(true);
    const closed = (): void => end(false);
    const cancel = clock.after(mostMs, closed);
    outgoing.on('drain', drained);
    outgoing.on('close', closed);
    if (outgoing.destroyed) closed();
  });
}

const names = ['workflow_key', 'after', 'records', 'filter'] as const;

/** What the query asks for. The header says how far a client came that connects again, so it wins over the query. */
function askedOf(incoming: IncomingMessage): AskEvents {
  const { searchParams } = new URL(incoming.url ?? '', 'https://torc');
  for (const name of searchParams.keys()) {
    if ((names as readonly string[]).includes(name)) continue;
    throw new TorcError(
      'usage',
      `${eventsPath} has no parameter ${JSON.stringify(name)}`,
      `It has: ${names.join(', ')}.`,
    );
  }
  const keys = searchParams.getAll('workflow_key').flatMap((text) => text.split(','));
  const last = incoming.headers['last-event-id'];
  const records = searchParams.get('records') ?? 'false';
  const parsed = askEvents.safeParse({
    workflow_keys: keys.length === 0 ? null : keys,
    after: (typeof last === 'string' ? last : null) ?? searchParams.get('after'),
    records: records === 'true' ? true : records === 'false' ? false : records,
    filters: searchParams.getAll('filter').map((text) => {
      const [column, ...value] = text.split('=');
      return { column, value: value.join('=') };
    }),
  });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new TorcError('usage', `${eventsPath}: ${issue?.message}${where}`);
}
