/** What the page may ask the server: it only reads. Everything else is a command with a plan. */
import type { EndpointName } from '../../api/contract.ts';

export const forwarded = [
  'list',
  'status',
  'workflow_show',
  'workflow_graph',
  'graph_group',
  'limits_list',
  'timeline',
  'utilization',
] as const satisfies readonly EndpointName[];

export type Forwarded = (typeof forwarded)[number];

export function isForwarded(name: string): name is Forwarded {
  return (forwarded as readonly string[]).includes(name);
}
