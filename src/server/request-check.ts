/** Checks requests against the contract's schemas; imported only where needed, because the schemas load slowly. */
import { type EndpointName, endpoints, type Request } from '../api/contract.ts';
import { asTorcError, TorcError } from '../base/errors.ts';
import { refusedProtocol } from './exchange/other-protocol.ts';
import { isUsual } from './exchange/usual-request.ts';

/**
 * The request as its schema parses it. Throws TorcError 'usage' naming the first mistake, or 'incompatible' when the
 * request comes from a worker of another protocol, whose requests may have another form.
 */
export function checkedRequest<N extends EndpointName>(endpoint: N, request: unknown): Request<N> {
  if (endpoint === 'exchange' && isUsual(request)) return request as Request<N>;
  const parsed = parse(endpoints[endpoint].request, endpoint, request);
  if (parsed.success) return parsed.data as Request<N>;
  const refused = endpoint === 'worker_hello' || endpoint === 'exchange' ? refusedProtocol(request) : null;
  if (refused !== null) throw refused;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  throw new TorcError('usage', `${endpoint}: ${asTorcError(issue?.message ?? parsed.error).message}${where}`);
}

/** The parser is recursive: a document that is too deep exhausts the stack. */
function parse(schema: (typeof endpoints)[EndpointName]['request'], endpoint: EndpointName, request: unknown) {
  try {
    return schema.safeParse(request);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TorcError('usage', `${endpoint}: the request is nested too deeply`);
  }
}
