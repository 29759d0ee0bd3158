/** The server itself: who it is, its end, its token. */
import type { Reply, Request } from '../../api/contract.ts';
import { protocolVersion } from '../../api/limits.ts';
import { isoInstant } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { schemaVersion } from '../../base/program.ts';
import { countOpenAllocations } from '../../storage/authoring/allocations.ts';
import { countActiveSchedules } from '../../storage/authoring/schedules.ts';
import { forgetLastingServer, lastingServer } from '../../storage/database/lasting-server.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { watchedWorkers } from '../../storage/evidence/scope.ts';
import { countActiveComputeNodes } from '../../storage/running/active-compute-nodes.ts';
import { countAutoscaled } from '../../storage/running/autoscalers.ts';
import { countUntriedMessages } from '../../storage/running/outbox.ts';
import { countRecovering } from '../../storage/running/recoveries.ts';
import type { ServerContext } from '../context.ts';
import { lookLocally } from '../evidence/gather.ts';

export function describeServer({ info, epoch, startedAt, clock, view, db }: ServerContext): Reply<'server_info'> {
  return {
    version: info.version,
    protocol: protocolVersion,
    epoch,
    hostname: info.hostname,
    pid: info.pid,
    user: info.user,
    directory: info.directory,
    started_at: isoInstant(startedAt),
    now: isoInstant(clock.now()),
    num_active_workers: countActiveComputeNodes(view, null),
    num_open_allocations: countOpenAllocations(view),
    schema_version: schemaVersion(),
    upgraded_from: db.upgrade?.from ?? null,
    upgrade_copy: db.upgrade?.copyPath ?? null,
  };
}

export function showAwaited({ machine, view }: ServerContext): Reply<'server_awaited'> {
  const mayLive = watchedWorkers(view, null).filter((worker) => {
    return worker.isActive && (lookLocally(machine, worker)?.state ?? 'alive') === 'alive';
  });
  return {
    num_workers: mayLive.length,
    num_allocations: countOpenAllocations(view),
    num_schedules: countActiveSchedules(view),
    num_autoscaled: countAutoscaled(view),
    num_recovering: countRecovering(view),
    num_messages: countUntriedMessages(view),
    lasting: lastingServer(view),
  };
}

/** In a process that does not serve: no command starts the server in the background again. */
export function stopServer(
  tx: Transaction,
  _: Request<'server_stop'>,
  { info, lastHeard, onStop }: ServerContext,
): Reply<'server_stop'> {
  if (onStop === null && lastHeard.isServing) throw notServing(info);
  forgetLastingServer(tx);
  onStop?.();
  return { pid: info.pid };
}

export function rotateToken(
  { info, onRotateToken }: ServerContext,
  { grace_seconds }: Request<'server_rotate_token'>,
): Reply<'server_rotate_token'> {
  if (onRotateToken === null) throw notServing(info);
  onRotateToken(grace_seconds);
  return { pid: info.pid, hostname: info.hostname };
}

function notServing({ hostname, pid }: ServerContext['info']): TorcError {
  return new TorcError(
    'conflict',
    `process ${pid} on ${hostname} is not a server, but a command such as torc run, which serves while it runs`,
    'Wait until it ends, or press Ctrl-C where it runs.',
  );
}
