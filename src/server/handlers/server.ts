/** The server itself: who it is, its end, its token. */
import type { Reply, Request } from '../../api/contract.ts';
import { protocolVersion } from '../../api/limits.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { countOpenAllocations } from '../../storage/authoring/allocations.ts';
import { countActiveComputeNodes } from '../../storage/running/compute-nodes.ts';
import type { ServerContext } from '../context.ts';

export function describeServer({ info, epoch, startedAt, view }: ServerContext): Reply<'server_info'> {
  return {
    version: info.version,
    protocol: protocolVersion,
    epoch,
    hostname: info.hostname,
    pid: info.pid,
    user: info.user,
    directory: info.directory,
    started_at: isoInstant(startedAt),
    num_active_workers: countActiveComputeNodes(view, null),
    num_open_allocations: countOpenAllocations(view),
  };
}

export function stopServer({ info, onStop }: ServerContext): Reply<'server_stop'> {
  if (onStop === null) throw notServing();
  onStop();
  return { pid: info.pid };
}

export function rotateToken(
  { info, onRotateToken }: ServerContext,
  { grace_seconds }: Request<'server_rotate_token'>,
): Reply<'server_rotate_token'> {
  if (onRotateToken === null) throw notServing();
  onRotateToken(grace_seconds);
  return { pid: info.pid, hostname: info.hostname };
}

function notServing(): TorcError {
  return new TorcError('conflict', 'this process is not a server');
}
