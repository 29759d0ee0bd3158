/** Refuses workers of another version of torc, naming both versions. */
import { protocolVersion } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { version } from '../../base/version.ts';

/** The refusal of a worker that speaks a different protocol from this server. */
export function otherProtocol(protocol: number): TorcError {
  return new TorcError(
    'incompatible',
    `the worker speaks protocol ${protocol}, the server (torc ${version()}) protocol ${protocolVersion}`,
    'Run the same version of torc on all nodes.',
  );
}

/** The refusal of a request that names a different protocol, whatever else it contains; null for any other request. */
export function refusedProtocol(request: unknown): TorcError | null {
  if (typeof request !== 'object' || request === null || !('protocol' in request)) return null;
  const { protocol } = request;
  if (typeof protocol !== 'number' || !Number.isInteger(protocol)) return null;
  return protocol === protocolVersion ? null : otherProtocol(protocol);
}
