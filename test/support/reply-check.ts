/** Replies against the schemas of the contract. */
import { type EndpointName, endpoints, type Request } from '../../src/api/contract.ts';
import { listReplyOf } from '../../src/api/lists.ts';

/** What a service publishes on the channel `torc:reply`. */
export interface Told {
  endpoint: EndpointName;
  request: unknown;
  reply: unknown;
}

type Schema = ReturnType<(typeof endpoints)[EndpointName]['reply']>;
const made = new Map<string, Schema>();

/** The schema of a reply; that of a list has the columns of this list. */
export function replySchema(endpoint: EndpointName, request: unknown): Schema {
  const list = endpoint === 'list' ? (request as Request<'list'>).list : null;
  const name = list ?? `/${endpoint}`;
  const schema = made.get(name) ?? ((list === null ? endpoints[endpoint].reply() : listReplyOf(list)) as Schema);
  made.set(name, schema);
  return schema;
}

/** What is wrong with a reply as a client receives it; null when nothing is. */
export function replyProblem({ endpoint, request, reply }: Told): string | null {
  const parsed = replySchema(endpoint, request).safeParse(JSON.parse(JSON.stringify(reply)));
  if (parsed.success) return null;
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  return `the reply to ${endpoint} ${JSON.stringify(request)} violates the contract: ${issues.join('; ')}`;
}
