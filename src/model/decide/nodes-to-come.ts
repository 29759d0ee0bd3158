/** Nodes that a workflow will still ask for by itself, and whether a job would start on them. */
import type { ScalingConfig } from './autoscaling-input.ts';
import { type AskedFor, allocationFor, type SizedShape } from './autoscaling-more.ts';
import { needIn, roomsOfNew } from './autoscaling-rooms.ts';
import { fits } from './packing.ts';
import { mayTake } from './pools.ts';

export interface NodesToCome {
  /** Null without an autoscaler. */
  autoscaler: Omit<AskedFor, 'leadMs'> | null;
  /** What actions ask for that have not fired. */
  actions: readonly { config: ScalingConfig; oneWorkerPerNode: boolean; maxParallelJobs: number | null }[];
  leadMs: number;
}

/** Who asks for nodes on which the job would start; null for nobody. */
export function whoBringsNodes(
  shape: SizedShape,
  { autoscaler, actions, leadMs }: NodesToCome,
): 'autoscaler' | 'action' | null {
  if (autoscaler !== null && allocationFor(shape, { ...autoscaler, leadMs }) !== null) return 'autoscaler';
  const suits = ({ config, oneWorkerPerNode, maxParallelJobs }: NodesToCome['actions'][number]): boolean => {
    if (!mayTake(config.pool, shape)) return false;
    const place = { numNodes: config.numNodes, oneWorkerPerNode, walltimeMs: config.walltimeMs };
    const [room] = roomsOfNew(place, config, null, maxParallelJobs);
    return room !== undefined && fits(room.free, needIn(place, shape, leadMs));
  };
  return actions.some(suits) ? 'action' : null;
}
