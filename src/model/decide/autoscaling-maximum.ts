/** How many nodes a person allows an autoscaler, and what is wrong with that. */
import { counted } from '../../base/text.ts';

/** Of nodes, of allocations, of jobs on a worker. */
export const mostOfAutoscaler = 1_000_000;
export const leastWalltimeSeconds = 60;
export const defaultMaxNodes = 10;

/** `sizes`: nodes of the allocations to choose from. Null where one of them is within the maximum. */
export function problemOfMaximum(sizes: readonly number[], maxNodes: number): string | null {
  const least = Math.min(...sizes);
  return least > maxNodes ? `an allocation has ${counted(least, 'node')}, and the maximum is ${maxNodes}` : null;
}
