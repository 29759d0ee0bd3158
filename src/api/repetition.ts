/**
 * Which calls may be repeated when their connection was lost. A call that changes something carries a key from its
 * client; the server keeps the reply under that key, so that the call counts once however often it arrives.
 */
import type { EndpointName } from './contract.ts';

/** These change nothing. */
const reads: ReadonlySet<EndpointName> = new Set<EndpointName>([
  'candidates',
  'workflow_show',
  'workflow_find',
  'workflow_outline',
  'limits_list',
  'sites_list',
  'schedules_list',
  'schedule_show',
  'workflow_graph',
  'graph_group',
  'workflow_export',
  'job_show',
  'jobs_outputs',
  'failed_outputs',
  'usage',
  'usage_earlier',
  'usage_hours',
  'timeline',
  'utilization',
  'demand',
  'planned_jobs',
  'status',
  'workflow_status',
  'jobs_diagnose',
  'list',
  'select',
]);

/**
 * These have their own rules: they are about the server itself, a second stop finds nothing to do, a test message is not
 * worth storing, chunks name their place, workers repeat what was not answered.
 */
const withOwnRules: ReadonlySet<EndpointName> = new Set<EndpointName>([
  'server_info',
  'server_awaited',
  'server_stop',
  'server_rotate_token',
  'server_backup',
  'server_check',
  'notifications_test',
  'workflow_create_chunk',
  'worker_hello',
  'exchange',
]);

/** Whether a call only reads, so that any server may be asked instead, or the database. */
export function isRead(endpoint: EndpointName): boolean {
  return reads.has(endpoint);
}

/** Whether a call changes something that must not be changed twice. */
export function needsKey(endpoint: EndpointName, request: object): boolean {
  return !reads.has(endpoint) && !withOwnRules.has(endpoint) && !('dry_run' in request && request.dry_run === true);
}

/** Whether a call may be repeated without knowing whether it was carried out. */
export function isRepeatable(endpoint: EndpointName, request: object): boolean {
  return endpoint === 'workflow_create_chunk' || needsKey(endpoint, request);
}

/** As the header of a request carries it. */
export const idempotencyHeader = 'idempotency-key';
