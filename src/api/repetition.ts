/**
 * Which calls may be repeated when their connection was lost. One that changes something carries a key that its client
 * made; the server keeps its reply under that key, so that it counts once however often it comes.
 */
import type { EndpointName } from './contract.ts';

/** These have rules of their own: reads change nothing, chunks say where they belong, workers repeat what is unanswered. */
const withoutKey: ReadonlySet<EndpointName> = new Set<EndpointName>([
  'server_info',
  'server_stop',
  'server_rotate_token',
  'server_backup',
  'server_check',
  'workflow_show',
  'workflow_graph',
  'workflow_export',
  'job_show',
  'demand',
  'jobs_diagnose',
  'list',
  'workflow_create_chunk',
  'worker_hello',
  'exchange',
]);

/** Whether a call changes something that must not be changed twice. */
export function needsKey(endpoint: EndpointName, request: object): boolean {
  return !withoutKey.has(endpoint) && !('dry_run' in request && request.dry_run === true);
}

/** Whether a call may be repeated without knowing what became of it. */
export function isRepeatable(endpoint: EndpointName, request: object): boolean {
  return endpoint === 'workflow_create_chunk' || needsKey(endpoint, request);
}

/** As the header of a request carries it. */
export const idempotencyHeader = 'idempotency-key';
