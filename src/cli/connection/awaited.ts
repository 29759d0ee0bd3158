/** Who waits for a server, in the order of what matters most. */
import type { Reply } from '../../api/contract.ts';

export type Awaited = Reply<'server_awaited'>;

/** How many of the most important kind there are, and its word. */
export function firstAwaited(awaited: Awaited): readonly [count: number, one: string] {
  const kinds = [
    [awaited.num_workers, 'worker'],
    [awaited.num_allocations, 'allocation'],
    [awaited.num_schedules, 'schedule'],
    [awaited.num_autoscaled, 'autoscaler'],
    // without a server in the background, whoever watches recovers them
    [awaited.lasting === null ? 0 : awaited.num_recovering, 'failed workflow'],
    [awaited.num_messages, 'notification'],
  ] as const;
  return kinds.find(([count]) => count > 0) ?? [0, 'worker'];
}
