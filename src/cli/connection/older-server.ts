/**
 * A server of an older torc than this command, which goes on until it is stopped. What it lacks is completed where nothing
 * stands for it; what only this torc knows is refused with the way out, instead of failing somewhere else.
 */
import type { Api, EndpointName, Reply } from '../../api/contract.ts';
import type { Completion } from '../../api/older-replies.ts';
import { TorcError } from '../../base/errors.ts';
import { schemaVersion } from '../../base/program.ts';
import { version } from '../../base/version.ts';

/** What the server says about itself: that of an older torc says less. */
type ServerInfo = Pick<Reply<'server_info'>, 'hostname' | 'pid' | 'version'> & { schema_version?: number | null };

const replace = 'Replace it while jobs go on: torc server stop; then: torc server start --daemon';

/** How a server of an older torc is called, such as `the server on login1 (pid 4711)`; null for any other. */
export function olderServer(info: ServerInfo): string | null {
  const own = version();
  const isOlder =
    info.version === own
      ? (info.schema_version ?? 0) < schemaVersion()
      : info.version.localeCompare(own, 'en', { numeric: true }) < 0;
  return isOlder ? `the server on ${info.hostname} (pid ${info.pid})` : null;
}

/**
 * Calls of a server of an older torc; `warn` tells once when something was missing. Throws TorcError 'incompatible' for
 * what it cannot answer.
 */
export function olderApi(api: Api, server: string, warn: (text: string) => void): Api {
  const completions = new Map<string, Completion>();
  let isTold = false;
  return {
    async call(endpoint, request, options) {
      const { Completion, MissingField, replySchema } = await import('../../api/older-replies.ts');
      try {
        const reply = await api.call(endpoint, request, options);
        const kind = 'list' in request ? `list ${request.list}` : endpoint;
        const completion = completions.get(kind) ?? new Completion(replySchema(endpoint, request));
        completions.set(kind, completion);
        const whole = completion.of(reply) as Reply<typeof endpoint>;
        if (completion.hasAdded && !isTold && endpoint !== 'server_info') {
          isTold = true;
          warn(`${server} is of an older torc; what it does not know is left out. ${replace}`);
        }
        return whole;
      } catch (error) {
        const unknown = error instanceof MissingField ? `its answer has no ${error.path}` : unknownTo(endpoint, error);
        if (unknown === null) throw error;
        throw new TorcError('incompatible', `${server} is of an older torc: ${unknown}`, replace, { cause: error });
      }
    },
    close: () => api.close(),
  };
}

/** What a server does not know when it refuses a request for that; null when it refuses it for anything else. */
function unknownTo(endpoint: EndpointName, error: unknown): string | null {
  if (!(error instanceof TorcError)) return null;
  if (error.code === 'not_found' && error.message === 'there is no such endpoint')
    return `it cannot do this (${endpoint})`;
  const field = /Unrecognized keys?: (.*)/.exec(error.message)?.[1];
  return error.code === 'usage' && field !== undefined ? `it cannot do this (${endpoint} with ${field})` : null;
}
