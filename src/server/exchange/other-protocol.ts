/** Workers of another version of torc are refused, with words that name both versions. */
import { protocolVersion } from '../../api/limits.ts';
import { TorcError } from '../../base/errors.ts';
import { version } from '../../base/version.ts';

/** The refusal of a worker that speaks another protocol than this server. */
export function otherProtocol(protocol: number): TorcError {
  return new TorcError(
    'incompatible',
    `the worker speaks protocol ${protocol}, the server (torc ${version()}) protocol ${protocolVersion}`,
    'Run the same version of torc on all nodes.',
  );
}

/** The refusal of a request that names another protocol, whatever else is in it; null for any other request. */
export function refusedProtocol(request: unknown): TorcError | null {
  if (typeof request !== 'object' || request === null || !('protocol' in request)) return null;
  const { protocol } = request;
  if (typeof protocol !== 'number' || !Number.isInteger(protocol)) return null;
  return protocol === protocolVersion ? null : otherProtocol(protocol);
}
